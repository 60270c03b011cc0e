"""manifest.json: what a dataset folder was made of and what it holds, by content. No dates, no machine paths."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from friends_corpus.core.cli import InputError, in_short
from friends_corpus.core.files import sha256_of
from friends_corpus.core.manifest import BUILDER, MANIFEST, Manifest
from friends_corpus.show.config import About, Show

from .violation import Violation


def describe_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Every file of the folder but the manifest: its size in bytes and sha256."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    return {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": sha256_of(path)} for path in paths
    }


def make_manifest(
    show: Show,
    version: str,
    sample: bool,
    parameters: Mapping[str, Any],
    software: Mapping[str, str],
    pages: Sequence[Mapping[str, Any]],
    failed_pages: Sequence[Mapping[str, Any]],
    splits: Mapping[str, Sequence[str]],
    configs: Mapping[str, Any],
    dropped: Mapping[str, Mapping[str, int]],
    leakage: Mapping[str, Any],
    files: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """The manifest, in the order in which it is written. `sample`: whether all pages are the invented ones."""
    return {
        "builder": BUILDER,
        "dataset": show.dataset,
        "show": {**asdict(show.about), "cast": list(show.cast), "version": show.version},
        "version": version,
        "sample": sample,
        "parameters": dict(parameters),
        "software": dict(software),
        "configs": dict(configs),
        "splits": dict(splits),
        "dropped": dict(dropped),
        "leakage": dict(leakage),
        "files": dict(files),
        "failed_pages": list(failed_pages),
        "pages": list(pages),
    }


def to_json(value: Any) -> str:
    """As text that is the same on every machine."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def about(manifest: Mapping[str, Any]) -> About:
    """What the manifest says of its show."""
    show = manifest["show"]
    return About(*(show[field.name] for field in fields(About)))


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


def need_manifest(folder: Path) -> dict[str, Any]:
    """The folder's manifest, in which everything can be looked up. Raises InputError."""
    manifest = read_manifest(folder)
    for violation in check_shape(manifest):
        raise InputError(f"{folder}: {violation}; build the dataset again, or use the version that built it")
    return manifest


def files_of(folder: Path) -> set[str]:
    """The files that a build wrote into the folder, by its manifest; none where it is not one of ours."""
    try:
        files = read_manifest(folder).get("files")
    except InputError:
        return set()
    return {MANIFEST, *files} if isinstance(files, dict) else set()


def check_shape(values: object, model: type[BaseModel] = Manifest, file: str = MANIFEST) -> list[Violation]:
    """Whether everything is there and of the right type.

    >>> print(check_shape({"builder": "friends-corpus"})[0])
    manifest.json: dataset: Field required
    """
    try:
        model.model_validate(values, strict=True)
    except ValidationError as error:
        places = [(".".join(map(str, problem["loc"])), problem["msg"]) for problem in error.errors()]
        return [Violation(file, f"{place}: {message}".removeprefix(": ")) for place, message in places]
    return []
