"""What holds for the columns of every row, as pandera schemas; types are those of the Parquet file already."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors

from .integrity import Part
from .lines import display
from .violation import Violation, shorten

LINE_ID = re.compile(r"s(\d\d)e(\d\d)_c(\d\d+)_u(\d{4,})")  # "s01e01_c03_u0012"
CHUNK_ID = re.compile(r"s(\d\d)e(\d\d)_c(\d\d+)_k(\d\d+)")  # "s01e01_c03_k02"
NULL, TWICE = "is null", "stands twice"
BUILT_IN = {"not_nullable": NULL, "field_uniqueness": TWICE}  # pandera's names for what it checks by itself
CASE = ("column", "check", "index", "failure_case")  # columns of pandera's table of what failed
NULLABLE = frozenset(("scene_heading", "dup_cluster"))
ACROSS = ": "  # a rule over several columns starts with the one to name: "id: says another position"


def check_rows(part: Part) -> list[Violation]:
    """Every row and column of a file that breaks a rule, in the order of the rows."""
    frame = pd.DataFrame(part.rows, dtype=object)
    try:
        schema(part.config).validate(frame, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
    else:
        return []
    found: dict[tuple[int, str, str], Violation] = {}
    for column, check, row, value in zip(*(cases[name] for name in CASE), strict=True):
        if ACROSS in check:  # pandera lists such a case once for each column
            column, _, check = check.partition(ACROSS)
            value = part.rows[row][column]
        rule = BUILT_IN.get(check, check)
        detail = "" if rule == NULL else shorten(repr(value))
        found.setdefault((row, column, rule), part.wrong(row, column, rule, detail))
    return [found[key] for key in sorted(found)]


@cache
def schema(config: str) -> pa.DataFrameSchema:
    """The rules of a config."""
    chunks = config == "chunks"
    checks = CHECKS | (CHUNK_CHECKS if chunks else LINE_CHECKS)
    columns = {
        name: pa.Column(None, list(rules), nullable=name in NULLABLE, unique=name == "id")
        for name, rules in checks.items()
    }
    return pa.DataFrameSchema(columns, checks=[*ACROSS_CHUNK] if chunks else [*ACROSS_LINE])


def each(holds: Callable[[Any], bool], otherwise: str) -> pa.Check:
    """A rule for single values; pandera applies it to those that are not null."""
    return pa.Check(holds, element_wise=True, error=otherwise)


def across(columns: Sequence[str], holds: Callable[..., bool], otherwise: str) -> pa.Check:
    """A rule for the values of a row in some columns. Where one of them is null, that breaks a rule of its own."""

    def apply(frame: pd.DataFrame) -> pd.Series[bool]:
        values = zip(*(frame[column] for column in columns), strict=True)
        held = [any(value is None for value in row) or holds(*row) for row in values]
        return pd.Series(held, index=frame.index, dtype=bool)

    return pa.Check(apply, error=otherwise)


def in_order(ids: pd.Series[str]) -> pd.Series[bool]:
    """Whether each id comes after the one before it: by season, episode, scene, then turn or chunk."""
    keys = [numbers(id) for id in ids]
    after = [not index or keys[index - 1] <= key for index, key in enumerate(keys)]
    return pd.Series(after, index=ids.index, dtype=bool)


def numbers(id: str) -> tuple[int, ...]:
    """The numbers in an id; none where it is none of ours.

    >>> numbers("s01e02_c03_u0012"), numbers("s01e02_c03_k04"), numbers("Joey")
    ((1, 2, 3, 12), (1, 2, 3, 4), ())
    """
    match = LINE_ID.fullmatch(id) or CHUNK_ID.fullmatch(id)
    return tuple(map(int, match.groups())) if match else ()


def filled(text: str) -> bool:
    """Whether a text has more than blanks."""
    return bool(text.strip())


def all_filled(texts: Sequence[str | None]) -> bool:
    """Whether no text of a list is null or blank."""
    return all(text is not None and filled(text) for text in texts)


FROM_0, FROM_1 = pa.Check.ge(0, error="is below 0"), pa.Check.ge(1, error="is below 1")
FILLED = each(filled, "is blank")
SOME = each(lambda values: len(values) > 0, "is empty")
ALL_FILLED = each(all_filled, "has an entry that is null or blank")
ORDER = pa.Check(in_order, error="comes before the row above it")

CHECKS: dict[str, Sequence[pa.Check]] = {
    "season": [FROM_1],
    "episode": [FROM_1],
    "episodes": [SOME, each(lambda numbers: list(numbers) == sorted(set(numbers)), "are not in ascending order")],
    "episode_title": [],
    "written_by": [ALL_FILLED],
    "transcribed_by": [ALL_FILLED],
    "scene": [FROM_1],
    "scene_heading": [],
    "speakers": [SOME, ALL_FILLED, each(lambda names: len(set(names)) == len(names), "names somebody twice")],
    "text": [FILLED],
    "text_with_directions": [FILLED],
    "source": [FILLED],
}
LINE_CHECKS: dict[str, Sequence[pa.Check]] = {
    "id": [each(lambda id: LINE_ID.fullmatch(id) is not None, "is not of the form s01e01_c03_u0012"), ORDER],
    "position": [FROM_0],
    "speaker": [FILLED],
    "cue": [],
    "directions": [ALL_FILLED],
}
CHUNK_CHECKS: dict[str, Sequence[pa.Check]] = {
    "id": [each(lambda id: CHUNK_ID.fullmatch(id) is not None, "is not of the form s01e01_c03_k02"), ORDER],
    "line_ids": [SOME, ALL_FILLED],
    "turns": [SOME, each(lambda turns: all_filled([t[key] for t in turns for key in t]), "has a null or blank turn")],
}
ACROSS_ROW = [
    across(
        ("id", "season", "episode", "scene"),
        lambda id, *place: numbers(id)[:3] in ((), tuple(place)),
        "id: is of another season, episode or scene than the row says",
    ),
    across(
        ("episodes", "episode"), lambda all, first: all[:1] in ([], [first]), "episodes: do not begin with the episode"
    ),
]
ACROSS_LINE = [
    *ACROSS_ROW,
    across(
        ("id", "position"),
        lambda id, position: numbers(id)[3:] in ((), (position,)),
        "id: is of another position than the row says",
    ),
    across(
        ("speaker", "speakers"),
        lambda name, names: not names or None in names or name == display(names),
        "speaker: is not the speakers",
    ),
]
ACROSS_CHUNK = [
    *ACROSS_ROW,
    across(("turns", "line_ids"), lambda turns, ids: len(turns) == len(ids), "turns: are not as many as the line_ids"),
]
