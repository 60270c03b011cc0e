"""A journal of results as JSON Lines, so that a comparison that was killed can resume."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from friends_corpus.core.cli import InputError, in_short
from friends_corpus.core.reader import check_regular, faults, json_values
from train.training.checkpoints import differences

Key = tuple[Any, ...]  # texts and numbers


class Head(TypedDict):
    """The first line."""

    settings: dict[str, Any]


class Record(TypedDict):
    """Every other line."""

    key: list[str | int]
    value: dict[str, Any]


class Journal:
    """Records of a kind under keys. The first line of the file says with which settings they were made.

    What an earlier process left is read back, but for a last line that it did not finish. Raises InputError if that
    was made with other settings, OSError if the file cannot be read or written.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any], kind: Any = dict[str, Any]) -> None:
        self.path = path
        self.records: dict[Key, dict[str, Any]] = {}
        check_regular(path)
        kept = path.read_bytes() if path.exists() else b""
        whole = kept[: kept.rfind(b"\n") + 1]
        if not whole:
            if path.is_symlink() or not _line({"settings": settings}).encode().startswith(kept):
                raise InputError(f"{path} is no record of a comparison; move it away or choose another --out")
            path.write_text(_line({"settings": settings}), encoding="utf-8")
            return
        try:
            first, *rest = map(json_values, whole.splitlines())
            problems = faults(first, Head) + (
                faults(rest, list[Record]) or faults([one["value"] for one in rest], list[kind])
            )
        except (ValueError, RecursionError) as error:
            problems = [in_short(error)]
        if problems:
            raise InputError(f"{path} is no record of a comparison ({problems[0]}); remove it or choose another --out")
        self.records = {tuple(record["key"]): record["value"] for record in rest}
        if changed := differences(first["settings"], json.loads(_line(settings))):
            raise InputError(
                f"{path} holds answers to other questions: {'; '.join(changed)[:300]}; remove it to begin again, or "
                "choose another --out"
            )
        with path.open("r+b") as file:
            file.truncate(len(whole))

    def add(self, records: Iterable[tuple[Key, Mapping[str, Any]]]) -> None:
        """Append records to the file."""
        new = {key: dict(value) for key, value in records}
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(_line({"key": key, "value": value}) for key, value in new.items())
        self.records |= new


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"
