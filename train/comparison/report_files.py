"""The files of a report in a folder that may be the user's: only those that files.json lists are replaced."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from typing_extensions import TypedDict

from friends_corpus.core.cli import InputError
from friends_corpus.core.files import TOOL, sha256_of, write_whole
from friends_corpus.core.reader import json_values, read

RECORD = "files.json"
FILES = ("results.json", "report.svg", "report.md", "report.html")


class Written(TypedDict):
    """What files.json holds: of each file of a report, the hashes that it may have."""

    tool: Literal["friends-corpus"]
    files: dict[str, list[str]]


def write_files(folder: Path, texts: Mapping[str, str]) -> None:
    """Write files that are listed with their hashes before any is replaced; others stay. Raises InputError, OSError.

    The list has both hashes of a file, old and new, so that a kill on the way leaves only what is listed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = check_report(folder)
    hashes = {name: [*known.get(name, []), hashlib.sha256(text.encode()).hexdigest()] for name, text in texts.items()}
    write_whole(folder / RECORD, json.dumps({"tool": TOOL, "files": hashes}, indent=1) + "\n")
    for name, text in texts.items():
        write_whole(folder / name, text)


def check_report(folder: Path) -> dict[str, list[str]]:
    """Return the hash of each file of a report; refuse one that no report wrote, or was changed. Raises InputError."""
    record = folder / RECORD
    remedy = "it is no record of ours; move it away or choose another --out"
    known = read(record, json_values, Written, remedy)["files"] if os.path.lexists(record) else {}
    present = {name: folder / name for name in FILES if os.path.lexists(folder / name)}
    hashes = {
        name: sha256_of(path) if path.is_file() and not path.is_symlink() else "" for name, path in present.items()
    }
    for name, sha256 in hashes.items():
        if sha256 not in known.get(name, []):
            raise InputError(
                f"{folder / name} was changed since train.report wrote it, or is of another tool or of version 0.1; "
                "move it away or choose another --out"
            )
    return {name: [sha256] for name, sha256 in hashes.items()}
