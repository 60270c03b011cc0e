"""manifest.json: what a dataset folder was made of and what it holds, by content. No dates, no machine paths."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from builders.assemble import Corpus
from builders.splitting.leakage import abridged
from builders.splitting.splits import SPLITS
from friends_corpus.core.cli import InputError, in_short
from friends_corpus.core.manifest import BUILDER, MANIFEST, Config, Manifest, Split
from friends_corpus.parsing.version import PARSER_VERSION
from friends_corpus.show.config import about

from .violation import Violation


def make_manifest(corpus: Corpus, version: str, configs: Mapping[str, Config]) -> Manifest:
    """Make the manifest, in the order in which it is written; its files are listed when they are there."""
    splits: dict[Split, list[str]] = {split: [] for split in SPLITS}
    for episode in sorted(corpus.splits):
        splits[corpus.splits[episode]].append(episode)
    return {
        "builder": BUILDER,
        "dataset": about(corpus.show).dataset,
        "show": corpus.show,
        "version": version,
        "sample": corpus.sample,
        "parameters": corpus.parameters,
        "software": {
            "parser": PARSER_VERSION,
            "datasets": installed("datasets"),
            "pyarrow": installed("pyarrow"),
            "matplotlib": installed("matplotlib"),
        },
        "configs": dict(configs),
        "splits": splits,
        "dropped": corpus.stats["dropped"],
        "leakage": abridged(corpus.leakage),
        "files": {},
        "failed_pages": list(corpus.failed_pages),
        "pages": list(corpus.pages),
    }


def to_json(value: Any) -> str:
    """As text that is the same on every machine."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


class BrokenManifest(InputError):
    """A manifest.json of which nobody can tell whose it is, and why."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: cannot be read ({why}); build the dataset again")
        self.why = why


def read_manifest(folder: Path) -> dict[str, Any]:
    """The folder's manifest. Raises InputError where it is none of ours, BrokenManifest where it cannot be read."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        manifest = None
    except (OSError, ValueError) as error:
        raise BrokenManifest(folder / MANIFEST, in_short(error)) from None
    if isinstance(manifest, dict) and manifest.get("builder") == BUILDER:
        return manifest
    raise InputError(f"{folder}: no dataset folder (no {MANIFEST} of ours); builders.build makes one")


def need_manifest(folder: Path) -> Manifest:
    """Return the folder's manifest, in which everything can be looked up. Raises InputError."""
    manifest = read_manifest(folder)
    for violation in check_shape(manifest):
        raise InputError(f"{folder}: {violation}; build the dataset again, or use the version that built it")
    return cast(Manifest, manifest)


def files_of(folder: Path) -> set[str]:
    """The files that a build wrote into the folder, by its manifest; none where it is not one of ours."""
    try:
        files = read_manifest(folder).get("files")
    except InputError:
        return set()
    return {MANIFEST, *files} if isinstance(files, dict) else set()


def check_shape(values: object, shape: Any = Manifest, file: str = MANIFEST) -> list[Violation]:
    """Return a violation for everything that is missing or of another type; `shape` is a TypedDict.

    >>> print(check_shape({"builder": "friends-corpus"})[0])
    manifest.json: dataset: Field required
    """
    try:
        TypeAdapter(shape).validate_python(values, strict=True)
    except ValidationError as error:
        places = [(".".join(map(str, problem["loc"])), problem["msg"]) for problem in error.errors()]
        return [Violation(file, f"{place}: {message}".removeprefix(": ")) for place, message in places]
    return []
