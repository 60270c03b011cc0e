"""Rules for the columns of every row, as pandera schemas; the Parquet schema has checked the types."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors

from builders.configs.schema import CONFIGS
from builders.folder.violation import Violation
from friends_corpus.core.cli import shorten
from friends_corpus.core.ids import kind_of, numbers_of, speaker_id
from friends_corpus.core.persona import listed
from friends_corpus.parsing.normalise import clean
from friends_corpus.show.speakers import FIXED_KINDS

from .integrity import Part

KINDS = (*FIXED_KINDS, "recurring", "guest")
NOBODY = "?"  # who speaks where the label is nothing but a bracket
NULL, TWICE = "is null", "stands twice"
BUILT_IN = {"not_nullable": NULL, "field_uniqueness": TWICE}  # pandera's names for what it checks by itself
CASE = ("column", "check", "index", "failure_case")  # columns of pandera's table of what failed
NULLABLE = frozenset(("scene_heading", "dup_cluster", "full_name"))
ACROSS = ": "  # a rule over several columns starts with the one to name: "id: says another position"


def check_rows(part: Part) -> list[Violation]:
    """Return a violation for every row and column that breaks a rule, in row order."""
    frame = pd.DataFrame(part.rows, dtype=object)
    try:
        schema(part.config).validate(frame, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
    else:
        return []
    violations: dict[tuple[int, str, str], Violation] = {}
    for column, check, row, value in zip(*(cases[name] for name in CASE), strict=True):
        if ACROSS in check:  # pandera lists such a case once for each column
            column, _, check = check.partition(ACROSS)
            value = part.rows[row][column]
        rule = BUILT_IN.get(check, check)
        detail = "" if rule == NULL else shorten(repr(value))
        violations.setdefault((row, column, rule), part.wrong(row, column, rule, detail))
    return [violations[key] for key in sorted(violations)]


@cache
def schema(config: str) -> pa.DataFrameSchema:
    """Return the pandera schema of a config."""
    checks, across_columns = RULES.get(config, ({}, ()))
    columns = {
        name: pa.Column(None, list(rules), nullable=name in NULLABLE, unique=name == CONFIGS[config].key)
        for name, rules in ((CHECKS if "scene" in CONFIGS[config].features else {}) | checks).items()
    }
    return pa.DataFrameSchema(columns, checks=list(across_columns))


def each(holds: Callable[[Any], bool], otherwise: str) -> pa.Check:
    """Return a rule for single values; pandera skips nulls."""
    return pa.Check(holds, element_wise=True, error=otherwise)


def across(columns: Sequence[str], holds: Callable[..., bool], otherwise: str) -> pa.Check:
    """Return a rule over several columns of a row; nulls are skipped, another rule forbids them."""

    def apply(frame: pd.DataFrame) -> pd.Series[bool]:
        values = zip(*(frame[column] for column in columns), strict=True)
        held = [any(value is None for value in row) or holds(*row) for row in values]
        return pd.Series(held, index=frame.index, dtype=bool)

    return pa.Check(apply, error=otherwise)


def in_order(ids: pd.Series[str]) -> pd.Series[bool]:
    """Tell for each id whether it comes after the one before: by season, episode, scene, turn or chunk."""
    keys = [numbers_of(id) for id in ids]
    after = [not index or keys[index - 1] <= key for index, key in enumerate(keys)]
    return pd.Series(after, index=ids.index, dtype=bool)


def is_speaker_id(id: str | None) -> bool:
    """Tell whether a text is an id of a speaker."""
    return id is not None and id == speaker_id(id)


def filled(text: str) -> bool:
    """Tell whether a text has more than whitespace."""
    return bool(text.strip())


def all_filled(texts: Sequence[str | None]) -> bool:
    """Tell whether no text in a list is null or blank."""
    return all(text is not None and filled(text) for text in texts)


def values(structs: Sequence[Mapping[str, str | None] | None]) -> list[str | None]:
    """Return all values in a list of structs.

    >>> values([{"role": "user", "content": "Hi."}, None])
    ['user', 'Hi.', None]
    """
    return [value for struct in structs for value in (struct.values() if struct else [None])]


def roles(messages: Sequence[Mapping[str, str | None] | None]) -> list[str | None]:
    """Return the role of each message."""
    return [message["role"] if message else None for message in messages]


def is_prompt(messages: Sequence[Mapping[str, str | None] | None]) -> bool:
    """Tell whether `system` comes first, then `user` and `assistant` alternate, and `user` comes last."""
    return roles(messages) == ["system", "user", *["assistant", "user"] * (len(messages) // 2 - 1)]


def has_all(printed: str, directions: Sequence[str | None]) -> bool:
    """Tell whether the printed turn contains all its directions, in order.

    >>> has_all("Hi (to  Ross), “you”.", ["(to Ross)"]), has_all("Hi (to Ross).", ["(waves)"])
    (True, False)
    """
    text = clean(printed)
    for direction in filter(None, directions):
        _, separator, text = text.partition(direction)
        if not separator:
            return False
    return True


def is_rest(text: str, directions: Sequence[str | None], printed: str) -> bool:
    """Tell whether a printed turn consists of `text` and the directions; their words may also be in the text.

    >>> is_rest("Later, then. Bye.", ["Later"], "Later, then. Later Bye."), is_rest("Hi.", ["(nods)"], "Hi you. (nods)")
    (True, False)
    """
    expected, printed = letters(text), clean(printed)
    ways = {0: 0}  # how far the turn is read → how many letters of the text that were
    for direction in filter(None, directions):
        further = {}
        for read, used in ways.items():
            for start in occurrences(direction, printed, read):
                between = letters(printed[read:start])
                if not expected.startswith(between, used):
                    break
                further[start + len(direction)] = used + len(between)
        ways = further
    return any(letters(printed[read:]) == expected[used:] for read, used in ways.items())


def occurrences(part: str, text: str, start: int) -> Iterator[int]:
    """Yield each position of `part` in the text, from `start`.

    >>> list(occurrences("oo", "foo, ooo", 2))
    [5, 6]
    """
    while (start := text.find(part, start)) >= 0:
        yield start
        start += 1


def letters(text: str) -> str:
    """Return only the letters and digits; spaces and punctuation change where a direction was removed.

    >>> letters('Hi , "you 2".')
    'Hiyou2'
    """
    return "".join(char for char in text if char.isalnum())


FROM_0, FROM_1 = pa.Check.ge(0, error="is below 0"), pa.Check.ge(1, error="is below 1")
FILLED = each(filled, "is blank")
SOME = each(lambda values: len(values) > 0, "is empty")
ALL_FILLED = each(all_filled, "has an entry that is null or blank")
ORDER = pa.Check(in_order, error="comes before the row above it")

CHECKS: dict[str, Sequence[pa.Check]] = {
    "season": [FROM_0],
    "episode": [FROM_0],
    "episodes": [SOME, each(lambda numbers: list(numbers) == sorted(set(numbers)), "are not in ascending order")],
    "episode_title": [],
    "written_by": [ALL_FILLED],
    "transcribed_by": [ALL_FILLED],
    "scene": [FROM_1],
    "scene_heading": [],
    "source": [FILLED],
}
TEXT_CHECKS: dict[str, Sequence[pa.Check]] = {
    "speakers": [SOME, ALL_FILLED, each(lambda names: len(set(names)) == len(names), "names somebody twice")],
    "speaker_ids": [
        SOME,
        each(lambda ids: all(map(is_speaker_id, ids)), "has an entry not of the form joey-tribbiani"),
    ],
    "text": [FILLED],
    "text_with_directions": [FILLED],
}
TURN_CHECKS: dict[str, Sequence[pa.Check]] = {
    "id": [each(lambda id: kind_of(id) == "line", "is not of the form s01e01_c03_u0012"), ORDER],
    "position": [FROM_0],
}
LINE_CHECKS: dict[str, Sequence[pa.Check]] = {
    **TEXT_CHECKS,
    **TURN_CHECKS,
    "speaker": [FILLED],
    "cue": [],
    "directions": [ALL_FILLED],
}
CHUNK_CHECKS: dict[str, Sequence[pa.Check]] = {
    **TEXT_CHECKS,
    "id": [each(lambda id: kind_of(id) == "chunk", "is not of the form s01e01_c03_k02"), ORDER],
    "line_ids": [SOME, ALL_FILLED],
    "turns": [SOME, each(lambda turns: all_filled(values(turns)), "has a null or blank turn")],
}
MESSAGES_FILLED = each(lambda messages: all_filled(values(messages)), "has a null or blank message")
CHAT_CHECKS: dict[str, Sequence[pa.Check]] = {
    **TURN_CHECKS,
    "character": [FILLED],
    "speaker_ids": TEXT_CHECKS["speaker_ids"],
    "prompt": [
        MESSAGES_FILLED,
        each(is_prompt, "is not a system message, then user and assistant in turns, a user last"),
    ],
    "completion": [
        MESSAGES_FILLED,
        each(lambda messages: roles(messages) == ["assistant"], "is not one message of the assistant"),
    ],
}
ACROSS_ROW = [
    across(
        ("id", "season", "episode", "scene"),
        lambda id, *place: numbers_of(id)[:3] in ((), tuple(place)),
        "id: is of another season, episode or scene than the row says",
    ),
    across(
        ("episodes", "episode"), lambda all, first: all[:1] in ([], [first]), "episodes: do not begin with the episode"
    ),
]
ACROSS_TURN = [
    *ACROSS_ROW,
    across(
        ("id", "position"),
        lambda id, position: numbers_of(id)[3:] in ((), (position,)),
        "id: is of another position than the row says",
    ),
]
ACROSS_LINE = [
    *ACROSS_TURN,
    across(
        ("speaker", "speakers"),
        lambda name, names: not names or None in names or name == listed(names),
        "speaker: is not the speakers",
    ),
    across(
        ("speakers", "speaker_ids"),
        lambda names, ids: len(names) == len(ids) or not all_filled(names) or len({*names}) < len(names) or not names,
        "speaker_ids: are not as many as the speakers",
    ),
]
ACROSS_CHUNK = [
    *ACROSS_ROW,
    across(("turns", "line_ids"), lambda turns, ids: len(turns) == len(ids), "turns: are not as many as the line_ids"),
]
ACROSS_SPEECH = [
    *ACROSS_LINE,
    across(
        ("cue", "speaker"),
        lambda cue, speaker: filled(cue) or speaker == NOBODY,
        "cue: is blank, though somebody is named",
    ),
    across(
        ("directions", "text_with_directions"),
        lambda directions, printed: has_all(printed, directions),
        "directions: are not in text_with_directions, in this order",
    ),
    across(
        ("text", "directions", "text_with_directions"),
        lambda text, directions, printed: is_rest(text, directions, printed) or not has_all(printed, directions),
        "text: is not text_with_directions without the directions",
    ),
]
SPEAKER_CHECKS: dict[str, Sequence[pa.Check]] = {
    "speaker_id": [each(is_speaker_id, "is not of the form joey-tribbiani")],
    "name": [FILLED],
    "full_name": [FILLED],
    "other_names": [ALL_FILLED],
    "labels": [],
    "kind": [each(lambda kind: kind in KINDS, f"is not one of {', '.join(KINDS)}")],
    "lines": [FROM_1],
    "words": [FROM_1],
    "episodes": [FROM_1],
    "first_episode": [FILLED],
    "last_episode": [FILLED],
}
ACROSS_SPEAKER = [
    across(
        ("speaker_id", "full_name", "name"),
        lambda id, full_name, name: id == speaker_id(full_name or name),
        "speaker_id: is not that of the name",
    )
]
RULES = {
    "lines": (LINE_CHECKS, ACROSS_SPEECH),
    "named_lines": (LINE_CHECKS, ACROSS_LINE),
    "chunks": (CHUNK_CHECKS, ACROSS_CHUNK),
    "chat": (CHAT_CHECKS, ACROSS_TURN),
    "speakers": (SPEAKER_CHECKS, ACROSS_SPEAKER),
}
