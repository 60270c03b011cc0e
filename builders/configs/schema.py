"""The columns of each config as Hugging Face Features, from which the Parquet schema follows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from datasets import Features, List, Value

STRING = Value("string")
INT = Value("int32")

PLACE_COLUMNS = {
    "id": STRING,
    "season": INT,
    "episode": INT,
    "episodes": List(INT),
    "episode_title": STRING,
    "written_by": List(STRING),
    "transcribed_by": List(STRING),
    "scene": INT,
    "scene_heading": STRING,
}
LINES = Features(
    PLACE_COLUMNS
    | {
        "position": INT,
        "speaker": STRING,
        "speakers": List(STRING),
        "speaker_ids": List(STRING),
        "cue": STRING,
        "text": STRING,
        "text_with_directions": STRING,
        "directions": List(STRING),
        "source": STRING,
        "dup_cluster": STRING,
    }
)
CHUNKS = Features(
    PLACE_COLUMNS
    | {
        "line_ids": List(STRING),
        "speakers": List(STRING),
        "speaker_ids": List(STRING),
        "turns": List({"speaker": STRING, "text": STRING}),
        "text": STRING,
        "text_with_directions": STRING,
        "source": STRING,
        "dup_cluster": STRING,
    }
)
MESSAGES = List({"role": STRING, "content": STRING})
CHAT = Features(
    PLACE_COLUMNS
    | {
        "position": INT,
        "character": STRING,
        "speaker_ids": List(STRING),
        "prompt": MESSAGES,
        "completion": MESSAGES,
        "source": STRING,
        "dup_cluster": STRING,
    }
)
SPEAKERS = Features(
    {
        "speaker_id": STRING,
        "name": STRING,
        "full_name": STRING,
        "other_names": List(STRING),
        "labels": List(STRING),
        "kind": STRING,
        "lines": INT,
        "words": INT,
        "episodes": INT,
        "first_episode": STRING,
        "last_episode": STRING,
    }
)
# What the card says of each column.
MEANINGS = {
    "id": "stable id: season, first episode number, scene, then turn (`u`, from 0) or chunk (`k`, from 1)",
    "season": "season",
    "episode": "the episode number in its season, the first one of a two-part page",
    "episodes": "all episode numbers of the page",
    "episode_title": "title as the page gives it",
    "written_by": "writers credited on the page",
    "transcribed_by": "people credited on the page for the transcript",
    "scene": "scene in the page, from 1; what stands before the first heading is scene 1",
    "scene_heading": "the heading as printed; null where the scene has none",
    "position": "turn in the page, from 0; never restarts; turns without speech leave gaps",
    "speaker": "display name: one person, several (“A, B and C”), or “All”; never null",
    "speaker_ids": "the same as ids of `speakers`, one each; two people of one name have two",
    "cue": "the label in front of the turn, as printed",
    "directions": "the stage directions inside the turn",
    "line_ids": "ids of the `lines` rows in the chunk",
    "turns": "the chunk's turns, one per line, without stage directions",
    "source": "file name of the page it came from",
    "dup_cluster": "scenes with the same value repeat each other (see Splits); null for all others",
}


@dataclass(frozen=True)
class Config:
    """A config of the dataset, as data: whatever lists configs iterates CONFIGS."""

    features: Features
    row: str  # what one row is, for the card; may name the limit of a chunk
    form: str  # what it is, for croissant.json
    meanings: Mapping[str, str]  # of its own columns; the others have one meaning everywhere, in MEANINGS
    may_be_missing: bool = False  # where it has no row; or in some of the splits
    whole: bool = False  # a table about all splits, in one file, named train: what held-out lines say is counted in it

    @property
    def key(self) -> str:
        """The column whose values are unique."""
        return str(next(iter(self.features)))


CONFIGS = {
    "lines": Config(
        LINES,
        row="a turn: the speech alone",
        form="single lines",
        meanings={
            "speakers": "who speaks, one entry each",
            "text": "the speech alone, without stage directions",
            "text_with_directions": "the turn as printed, stage directions in their places",
        },
    ),
    "named_lines": Config(
        LINES,
        row="a turn with its speaker: “NAME: …”",
        form="lines with names",
        meanings={
            "speakers": "who speaks, one entry each",
            "text": "“NAME: …”, without stage directions",
            "text_with_directions": "“NAME: …” with the stage directions as printed",
        },
    ),
    "chunks": Config(
        CHUNKS,
        row="consecutive turns of one scene, up to {chunk_chars:,} characters",
        form="chunks of scenes",
        meanings={
            "speakers": "who speaks in the chunk, in order of first appearance",
            "text": "the turns as a script, “NAME: …” each on its own line, without stage directions",
            "text_with_directions": "the same with all stage directions in and between the turns, as printed",
        },
    ),
    "chat": Config(
        CHAT,
        row="a main character's turn as the answer to the turns before it",
        form="answers of the main characters to what is said before",
        meanings={
            "id": "id of the line in `lines` that is the completion",
            "character": "who answers: one of the main characters",
            "prompt": "messages: `system` (who plays whom, and who else is there), then what was said just before; the "
            "character's own lines are the `assistant`'s, all others the `user`'s",
            "completion": "one message of the `assistant`: the character's line, without stage directions",
        },
        may_be_missing=True,
    ),
    "speakers": Config(
        SPEAKERS,
        row="a person, group or thing that speaks, counted over all splits",
        form="a table of who speaks",
        meanings={
            "speaker_id": "stable id: the full name, or the display name, as a slug",
            "name": "the display name in `lines.speakers`, the most frequent one",
            "full_name": "full name where one is known",
            "other_names": "other display names of the same person",
            "labels": "labels in front of their turns, as printed, the most frequent first",
            "kind": "`main`, `recurring` (in several pages), `guest` (in one), `group` or `thing`",
            "lines": "rows of `lines` with this id in `speaker_ids`, spoken alone or with others",
            "words": "words of these rows, parted by blanks",
            "episodes": "pages with such a row",
            "first_episode": "id of the first of these pages",
            "last_episode": "id of the last of these pages",
        },
        whole=True,
    ),
}


def meaning(config: str, column: str) -> str:
    """Return the meaning of a column in one phrase."""
    return CONFIGS[config].meanings.get(column) or MEANINGS[column]


def type_name(config: str, column: str) -> str:
    """Return the type of a column in words.

    >>> type_name("lines", "season"), type_name("lines", "speakers"), type_name("chunks", "turns")
    ('int32', 'list of string', 'list of {speaker, text}')
    """
    feature = CONFIGS[config].features[column]
    if isinstance(feature, List):
        inner = feature.feature
        return f"list of {{{', '.join(inner)}}}" if isinstance(inner, dict) else f"list of {inner.dtype}"
    return str(feature.dtype)


def to_table(config: str, rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Return rows as an Arrow table that carries the Features, so that `load_dataset` returns the same types."""
    features = CONFIGS[config].features
    for row in rows[:1]:
        if list(row) != list(features):
            raise ValueError(f"{config}: columns {list(row)} are not {list(features)}")
    return pa.Table.from_pylist(rows, schema=features.arrow_schema)
