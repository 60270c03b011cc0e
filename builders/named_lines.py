"""Config `named_lines`: the rows of `lines` with the speaker's name in front of the text: "Joey: Hi."."""

from __future__ import annotations

from .lines import Row


def named_line_row(row: Row) -> Row:
    """A row of `lines` as one of `named_lines`: the same but for its two texts.

    >>> row = {"speaker": "Joey and Ross", "text": "Hi.", "text_with_directions": "(waving) Hi."}
    >>> named_line_row(row)["text_with_directions"]
    'Joey and Ross: (waving) Hi.'
    """
    speaker = row["speaker"]
    return row | {column: named(speaker, row[column]) for column in ("text", "text_with_directions")}


def named(speaker: str, text: str) -> str:
    """One turn as a line of a script.

    >>> named("Joey", "Hi.")
    'Joey: Hi.'
    """
    return f"{speaker}: {text}"
