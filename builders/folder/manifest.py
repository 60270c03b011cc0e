"""manifest.json: the sources and contents of a dataset folder, by hash. No dates, no machine paths."""

import json
from collections.abc import Mapping
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from builders.assemble import Corpus
from builders.splitting.leakage import abridged
from builders.splitting.splits import SPLITS
from friends_corpus.core.cli import InputError
from friends_corpus.core.manifest import BUILDER, MANIFEST, Config, Manifest, Split
from friends_corpus.core.reader import json_values, load, read
from friends_corpus.parsing.version import PARSER_VERSION
from friends_corpus.show.config import about


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
    """Return a value as JSON text that is the same on every machine."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a folder. Raises InputError if it is not one of ours, Unreadable if it cannot be read."""
    manifest = (
        load(folder / MANIFEST, json_values, "build the dataset again") if (folder / MANIFEST).is_file() else None
    )
    if isinstance(manifest, dict) and manifest.get("builder") == BUILDER:
        return manifest
    raise InputError(f"no dataset folder {folder} (no {MANIFEST} of ours); run: python -m builders.build")


def need_manifest(folder: Path) -> Manifest:
    """Return the folder's manifest, in which everything can be looked up. Raises InputError."""
    read_manifest(folder)
    return read(folder / MANIFEST, json_values, Manifest, "build the dataset again, or use the version that built it")


def files_of(folder: Path) -> set[str]:
    """Return the files that the manifest lists, or none if the folder is not one of ours."""
    try:
        files = read_manifest(folder).get("files")
    except InputError:
        return set()
    return {MANIFEST, *files} if isinstance(files, dict) else set()
