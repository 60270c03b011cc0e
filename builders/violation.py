"""One thing that is wrong with a dataset folder, and where."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """`rule` says what is wrong, `detail` with which values; `row` counts from 0 in the file.

    >>> print(Violation("lines/test-00000-of-00001.parquet", "is null", 3, "s01e01_c01_u0003", "speaker"))
    lines/test-00000-of-00001.parquet: row 3 (s01e01_c01_u0003), column speaker: is null
    >>> print(Violation("stats.json", "is missing"))
    stats.json: is missing
    """

    file: str
    rule: str
    row: int | None = None
    id: str = ""
    column: str = ""
    detail: str = ""

    def __str__(self) -> str:
        row = [f"row {self.row}" + (f" ({self.id})" if self.id else "")] if self.row is not None else []
        column = [f"column {self.column}"] if self.column else []
        place = [", ".join(row + column)] if row or column else []
        text = ": ".join([self.file, *place, self.rule, *([self.detail] if self.detail else [])])
        return " ".join(text.split())


def shorten(text: str) -> str:
    """A value for a message.

    >>> shorten("x" * 99)
    'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…'
    """
    return text if len(text) <= 60 else text[:59] + "…"
