"""Config `named_lines`: the rows of `lines` with the speaker's name in front of the text: "Joey: Hi."."""

from __future__ import annotations

from collections.abc import Mapping

from friends_corpus.model import Episode, Line

from .lines import NO_CLUSTERS, Row, line_rows


def named_line_rows(episode: Episode[Line], clusters: Mapping[str, str] = NO_CLUSTERS) -> list[Row]:
    """The rows of `lines`, in the same order and with the same ids, both texts led by "Joey: ".

    >>> line = Line(1, 0, ("Joey", "Ross"), "J&R", "Hi.", "(waving) Hi.", ("waving",), (3, 4))
    >>> from friends_corpus.model import Scene
    >>> [row] = named_line_rows(Episode("0101.html", 1, (1,), "", "The One", (), (), (Scene(None, (line,)),)))
    >>> row["text"], row["text_with_directions"]
    ('Joey and Ross: Hi.', 'Joey and Ross: (waving) Hi.')
    """
    return [named_line_row(row) for row in line_rows(episode, clusters)]


def named_line_row(row: Row) -> Row:
    """A row of `lines` as one of `named_lines`."""
    speaker = row["speaker"]
    return row | {column: named(speaker, row[column]) for column in ("text", "text_with_directions")}


def named(speaker: str, text: str) -> str:
    """One turn as a line of a script.

    >>> named("Joey", "Hi.")
    'Joey: Hi.'
    """
    return f"{speaker}: {text}"
