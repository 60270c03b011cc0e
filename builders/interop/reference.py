"""Read other editions of the same dialogue: Emory character-mining, ConvoKit, the R package `friends`, MELD.

MELD is read by its documented columns; no copy of it was at hand.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from friends_corpus.core.cli import InputError
from friends_corpus.core.reader import checked, csv_values, json_values, load, read

EMORY_ID = re.compile(r"s(\d+)_e(\d+)(?:\D.*)?_c(\d+)_u(\d+)")  # "s01_e01_c04_u001", ConvoKit's as well
NUMBERS = ("season", "episode", "scene", "utterance")
MELD = ("dialogue_id", "utterance_id")
IDS = ("id", "reference_id", "utterance_id")
REMEDY = "give Emory's JSON, ConvoKit's utterances.jsonl, R's CSV or MELD's CSV"


@dataclass(frozen=True, slots=True)
class Reference:
    """An utterance of another edition, with that edition's own id and numbers."""

    id: str
    season: int
    episode: int
    scene: int
    utterance: int
    speaker: str
    text: str


class Utterance(TypedDict):
    """An utterance in Emory's JSON; `transcript` is empty where nobody speaks."""

    utterance_id: str
    speakers: list[str]
    transcript: str | None


class Scene(TypedDict):
    """A scene in Emory's JSON."""

    utterances: list[Utterance]


class Episode(TypedDict):
    """An episode in Emory's JSON."""

    scenes: list[Scene]


class Season(TypedDict):
    """A file of Emory's JSON."""

    episodes: list[Episode]


class ConvoKitUtterance(TypedDict):
    """A line of ConvoKit's utterances.jsonl."""

    id: str
    speaker: str
    text: str | None


def read_reference(path: Path) -> list[Reference]:
    """Read an edition from a file or a folder, in its own order. Raises InputError."""
    if path.is_dir():
        lines = path / "utterances.jsonl"
        files = [lines] if lines.is_file() else sorted(path.glob("*.json"))
        if not files:
            raise InputError(f"{path} holds no utterances.jsonl and no *.json; {REMEDY}")
        return [utterance for file in files for utterance in read_reference(file)]
    if path.suffix == ".csv":
        return _read_table(path)
    if path.suffix == ".jsonl":
        return list(_read_convokit(path))
    season = read(path, json_values, Season, REMEDY)
    utterances = (turn for episode in season["episodes"] for scene in episode["scenes"] for turn in scene["utterances"])
    return [
        _with_numbers(path, turn["utterance_id"], " and ".join(turn["speakers"]), turn["transcript"] or "")
        for turn in utterances
    ]


def _read_convokit(path: Path) -> Iterator[Reference]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    turn: ConvoKitUtterance = checked(json_values(line), ConvoKitUtterance)
                except (ValueError, RecursionError):
                    raise InputError(f"{path}: line {number} is not an utterance of ConvoKit; {REMEDY}") from None
                yield _with_numbers(path, turn["id"], turn["speaker"], turn["text"] or "")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); {REMEDY}") from None


def _with_numbers(path: Path, id: str, speaker: str, text: str) -> Reference:
    match = EMORY_ID.fullmatch(id)
    if match is None:
        raise InputError(f"{path}: {id!r:.60} is not an id like s01_e01_c04_u001; {REMEDY}")
    season, episode, scene, utterance = map(int, match.groups())
    return Reference(id, season, episode, scene, utterance, speaker, text)


def _read_table(path: Path) -> list[Reference]:
    """Read R's or MELD's table; MELD has its dialogues in no order, so that they are sorted by their time."""
    rows = read_rows(path)
    is_meld = all(name in rows[0] for name in (*MELD, "utterance", "starttime"))
    if not is_meld and not {"text", "speaker", *NUMBERS} <= rows[0].keys():
        raise InputError(f"{path}: its columns are {', '.join(rows[0])}; {REMEDY}")
    if is_meld:
        rows.sort(key=lambda row: (_number(path, row, "season"), _number(path, row, "episode"), row["starttime"]))
    text, *names = ("utterance", "season", "episode", *MELD) if is_meld else ("text", *NUMBERS)
    utterances = []
    for row in rows:
        season, episode, scene, utterance = (_number(path, row, name) for name in names)
        utterances.append(Reference(key_of(path, row), season, episode, scene, utterance, row["speaker"], row[text]))
    return utterances


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file by the names of its columns, in lower case. Raises InputError."""
    values = list(load(path, csv_values, REMEDY).values())
    if len(values) < 2:
        raise InputError(f"{path}: no rows; {REMEDY}")
    names = [name.casefold().strip() for name in values[0]]
    for number, cells in enumerate(values[1:], start=1):
        if len(cells) != len(names):
            raise InputError(f"{path}: row {number} has {len(cells)} cells for {len(names)} columns; {REMEDY}")
    return [dict(zip(names, cells, strict=True)) for cells in values[1:]]


def key_of(path: Path, row: Mapping[str, str]) -> str:
    """Return the id in the reference that a row of a table is about. Raises InputError."""
    if all(name in row for name in MELD):
        return "dia{}_utt{}".format(*(_number(path, row, name) for name in MELD))
    if all(name in row for name in NUMBERS):
        return "s{:02d}_e{:02d}_c{:02d}_u{:03d}".format(*(_number(path, row, name) for name in NUMBERS))
    for name in IDS:
        if name in row:
            return row[name]
    raise InputError(f"{path}: no column of {', '.join(IDS)}, nor {', '.join(NUMBERS)}; add one of them")


def _number(path: Path, row: Mapping[str, Any], name: str) -> int:
    try:
        return int(float(row[name]))
    except (ValueError, OverflowError):
        raise InputError(f"{path}: {name} is {row[name]!r:.40}, not a number; {REMEDY}") from None
