"""Tell our files from the user's: ours are listed with their hash in a record of ours; all others stay."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from typing_extensions import TypedDict

from .cli import InputError
from .files import sha256_of
from .manifest import File
from .reader import json_values, read

SYSTEM_FILES = frozenset((".DS_Store", "Thumbs.db"))  # what desktop systems drop into any folder they show
Listed = Mapping[str, File | None]  # relative path → what it must be; None: whatever it is, it is ours


class Record(TypedDict):
    """What is read of a manifest.json, run.json, merge.json or seal.json."""

    files: dict[str, File]


class OldRecord(TypedDict):
    """What is read of a merge.json of version 0.1."""

    files: list[str]


def describe(path: Path) -> File:
    """Return the size in bytes and the sha256 of a file."""
    return {"bytes": path.stat().st_size, "sha256": sha256_of(path)}


def describe_files(folder: Path, record: str) -> dict[str, File]:
    """Describe every file of a folder but `record`, which will list them."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != record)
    return {path.relative_to(folder).as_posix(): describe(path) for path in paths}


def read_listed(record: Path) -> dict[str, File] | None:
    """Return the `files` of a record; None where it lists none with their hashes."""
    try:
        return read(record, json_values, Record, "")["files"]
    except InputError:
        return None


def read_names(record: Path) -> list[str]:
    """Return the names that a record of version 0.1 lists, without hashes."""
    try:
        return read(record, json_values, OldRecord, "")["files"]
    except InputError:
        return []


def check_ours(folder: Path, listed: Listed, writer: str, overwrite: bool = False) -> None:
    """Refuse a folder that holds what is not listed, or what is no longer as listed. Raises InputError, OSError.

    `overwrite`: also files of ours that were changed may be replaced. `writer` is who should have written them.
    """
    for path in _walk(folder):
        name = path.relative_to(folder).as_posix()
        regular = path.is_file() and not path.is_symlink()
        if regular and name not in listed and path.name in SYSTEM_FILES:
            continue
        if not regular or name not in listed:
            raise InputError(f"{folder} holds {name!r}, which no {writer} wrote; move it away or choose another folder")
        expected = listed[name]
        if expected and not overwrite and describe(path) != expected:
            raise InputError(
                f"{path} was changed since a {writer} wrote it; move it away, or add --overwrite to replace it"
            )


def _walk(folder: Path) -> Iterator[Path]:
    """Yield all files and links below a folder, never through a link. Raises OSError."""

    def fail(error: OSError) -> None:
        raise error

    for root, folders, names in os.walk(folder, onerror=fail):
        folders.sort()
        links = [name for name in folders if Path(root, name).is_symlink()]
        yield from (Path(root, name) for name in sorted([*names, *links]))
