"""Checkpoints to be trusted: whole or not there, of this very run, and the newest good one found again.

transformers writes OUT/checkpoint-N file by file and in place, so a killed process leaves a folder that looks like a
checkpoint. Ours is one only when it is sealed: all files are on the disk and `seal.json`, written last, lists them
with their hashes and says of which run they are. One that is not sealed yet is ours by the marker, its first file.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from friends_corpus.core.cli import InputError
from friends_corpus.core.files import discard, is_marked, sha256_of, sync_path, write_whole
from friends_corpus.core.manifest import File
from friends_corpus.core.ownership import check_ours, describe, read_listed
from friends_corpus.core.reader import json_values, read

SEAL = "seal.json"
FINISHED = "finished"  # a file in checkpoints that were kept on purpose
UNFINISHED = "it was not finished"  # the fault of a checkpoint whose run ended while it was written
KEPT = 2  # one to fall back to while the other is written
PREFIX, BAD = "checkpoint-", "bad-checkpoint-"


class Seal(TypedDict):
    """What seal.json holds: of which run the checkpoint is, and its files."""

    run: dict[str, Any]
    files: dict[str, File]


def is_checkpoint(path: Path, prefix: str = PREFIX) -> bool:
    """Tell whether it is OUT/checkpoint-12: state of a run that is going on, never published.

    With the prefix BAD: whether it is OUT/bad-checkpoint-12, one that was found damaged and put aside.
    """
    return path.is_dir() and path.name.startswith(prefix) and path.name.removeprefix(prefix).isdigit()


def step_of(checkpoint: Path) -> int:
    """Return the step at which a checkpoint was written."""
    return int(checkpoint.name.rpartition("-")[2])


def checkpoints(output: Path) -> list[Path]:
    """Return the checkpoints of a folder, the newest first."""
    return sorted(filter(is_checkpoint, output.glob(f"{PREFIX}*")), key=step_of, reverse=True)


def seal(checkpoint: Path, run: Mapping[str, Any]) -> None:
    """Make a finished folder a checkpoint of `run`: sync every file, then list them with hashes."""
    files = {}
    for path in sorted(filter(Path.is_file, checkpoint.rglob("*"))):
        sync_path(path)
        files[path.relative_to(checkpoint).as_posix()] = describe(path)
    write_whole(checkpoint / SEAL, json.dumps({"run": run, "files": files}, indent=1))
    sync_path(checkpoint)
    sync_path(checkpoint.parent)


def fault(checkpoint: Path) -> str | None:
    """Say what is wrong with a checkpoint; None if nothing is."""
    if not (checkpoint / SEAL).exists():
        return UNFINISHED
    try:
        files = read_seal(checkpoint)["files"]
    except InputError:
        return f"{SEAL} is damaged"
    for name, entry in sorted(files.items()):
        path = checkpoint / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != entry["bytes"]:
            return f"{name} has {path.stat().st_size} bytes instead of {entry['bytes']}"
        if sha256_of(path) != entry["sha256"]:
            return f"{name} is damaged"
    return None


def newest_good(output: Path) -> tuple[Path | None, list[str]]:
    """Return the newest valid checkpoint, and a line for each one that was set aside.

    A bad one is renamed to OUT/bad-checkpoint-N: it is never read, and never in the way of a new one.
    """
    notes: list[str] = []
    for checkpoint in checkpoints(output):
        reason = fault(checkpoint)
        if reason is None:
            return checkpoint, notes
        aside = output / f"{BAD}{step_of(checkpoint)}"
        remove(aside)
        checkpoint.rename(aside)
        notes.append(f"{checkpoint.name} cannot be used, {reason}; it is {aside.name} now")
    return None, notes


def read_seal(checkpoint: Path) -> Seal:
    """Read the seal of a checkpoint. Raises InputError."""
    return read(checkpoint / SEAL, json_values, Seal, "leave out --resume to begin again")


def differences(then: Mapping[str, Any], now: Mapping[str, Any], new_keys: bool = True) -> list[str]:
    """List the differences of two descriptions of a run; `new_keys`: also keys that only `now` has.

    >>> differences({"recipe": {"seed": 1, "epochs": 3}}, {"recipe": {"seed": 2, "epochs": 3}})
    ['recipe.seed was 1, is 2']
    """
    before, after = dict(_flat(then)), dict(_flat(now))
    return [
        f"{key} was {before.get(key)!r}, is {after.get(key)!r}"
        for key in dict.fromkeys([*before, *(after if new_keys else ())])
        if before.get(key) != after.get(key)
    ]


def listed(checkpoint: Path) -> list[str]:
    """List what is ours in a folder that is named as a checkpoint: what its seal lists, or all where it is marked.

    Its bytes need not be as in the seal: a disk may have damaged them, and what is damaged is never read.
    """
    if own := read_listed(checkpoint / SEAL):
        return [*own, SEAL, FINISHED]
    if not is_marked(checkpoint, f"{PREFIX}{step_of(checkpoint)}"):
        return []
    return [path.relative_to(checkpoint).as_posix() for path in checkpoint.rglob("*") if path.is_file()]


def remove(checkpoint: Path) -> None:
    """Remove a checkpoint, good or bad, if it is ours; what is not there is fine. Raises InputError, OSError."""
    if checkpoint.exists():
        check_ours(checkpoint, dict.fromkeys(listed(checkpoint)), "training")
        discard(checkpoint)


def remove_old(output: Path) -> None:
    """Remove all checkpoints of ours but the newest; others are refused by name when the output is replaced."""
    for checkpoint in checkpoints(output)[KEPT:]:
        with suppress(InputError):
            remove(checkpoint)


def remove_all(output: Path) -> None:
    """Remove all checkpoints of ours from a folder, good and bad. Raises InputError, OSError."""
    for path in output.glob("*checkpoint-*"):
        if is_checkpoint(path) or is_checkpoint(path, BAD):
            remove(path)


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, Mapping):
            yield from _flat(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", item
