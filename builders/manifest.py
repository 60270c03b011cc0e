"""manifest.json: what a dataset folder was made of and what it holds, by content. No dates, no machine paths."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from friends_corpus.command import InputError, in_short
from friends_corpus.show import About, Show

MANIFEST = "manifest.json"
BUILDER = "friends-corpus"  # tells our folders from others


def sha256_of(path: Path) -> str:
    """Of a file's bytes, as hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_version(hashes: Iterable[str]) -> str:
    """A version in the form that `datasets` accepts and that changes whenever the content does.

    A local folder whose card has `configs:` is looked up in the cache of `datasets` by the card's YAML alone: without
    this number, `load_dataset` would return the rows of an earlier build.

    >>> content_version(["a", "b"]), content_version(["a", "c"])
    ('32280.63287.12571', '40536.55059.31845')
    """
    digest = hashlib.sha256("\n".join(hashes).encode()).digest()
    return ".".join(str(int.from_bytes(digest[start : start + 2])) for start in (0, 2, 4))


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
    from .shape import check_shape

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
