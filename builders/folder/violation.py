"""A violation: one problem of a dataset folder, and its place."""

from dataclasses import dataclass

from friends_corpus.core.cli import shorten

SAME_SHOWN = 15  # characters before the first that differs


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
        row = "" if self.row is None else f"row {self.row} ({self.id})" if self.id else f"row {self.row}"
        where = ", ".join(filter(None, [row, self.column and f"column {self.column}"]))
        return " ".join(": ".join(filter(None, [self.file, where, self.rule, self.detail])).split())


def differ(recorded: object, expected: object) -> str:
    """Show two values that should be equal, from the first difference on.

    >>> differ("Hi.", "Ho."), differ("x" * 80 + "!", "x" * 80 + "?")
    ("'Hi.' instead of 'Ho.'", "…xxxxxxxxxxxxxxx!' instead of …xxxxxxxxxxxxxxx?'")
    """
    texts = repr(recorded), repr(expected)
    same = next((index for index, pair in enumerate(zip(*texts, strict=False)) if pair[0] != pair[1]), 0)
    if same > 2 * SAME_SHOWN:
        texts = f"…{texts[0][same - SAME_SHOWN :]}", f"…{texts[1][same - SAME_SHOWN :]}"
    return f"{shorten(texts[0])} instead of {shorten(texts[1])}"
