"""The numbers of a build, computed with pandas: for the summary, stats.json and the card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from typing_extensions import TypedDict

from builders.configs.chat import NO_ROW, count_no_row
from builders.configs.tables import Tables, episodes_of, scenes_of
from builders.splitting.splits import SPLITS
from friends_corpus.core.ids import episode_of, season_of
from friends_corpus.core.manifest import Count, Leakage, Split

from .page_stats import Counts, PageRow, PageStats, UnknownCue, ranked
from .warnings import Suspicion, WarningCount

COUNTED = ("chunks", "chat")  # by season and split, beside the lines
PERCENTILES = {"median": 0.5, "p90": 0.9, "p99": 0.99, "longest": 1.0}


Counted = dict[str, int]  # a row of a table: a season, and how many of each


class SpeakerLines(TypedDict):
    """How many lines name a speaker."""

    speaker: str
    lines: int


class CharacterRows(TypedDict):
    """How many rows of chat a character answers in."""

    character: str
    rows: int


class ChatStats(TypedDict):
    """What stats.json says of chat."""

    characters: list[CharacterRows]
    no_row: dict[str, int]
    prompt_characters: dict[str, int]
    completion_characters: dict[str, int]


class SplitCounts(TypedDict):
    """What a split holds."""

    split: str
    pages: int
    lines: int
    words: int
    chunks: int
    chat: int


class CreditedPages(TypedDict):
    """How many pages credit somebody."""

    name: str
    pages: int


class PageQuality(PageRow):
    """A page in the quality report."""

    lines: int
    warnings: int
    duplicated_scenes: int


class Numbers(TypedDict):
    """What of stats.json is counted."""

    total: Counted
    seasons: list[Counted]
    splits: list[SplitCounts]
    speakers: list[SpeakerLines]
    unknown_cues: list[UnknownCue]
    line_characters: dict[str, int]
    chunk_characters: dict[str, int]
    chunk_turns: dict[str, int]
    between_turns: Count
    chat: ChatStats
    segments: Counts
    dropped: Counts
    written_by: list[CreditedPages]
    transcribed_by: list[CreditedPages]


class Stats(Numbers):
    """The whole of stats.json."""

    pages_table: list[PageQuality]
    suspicions: list[WarningCount]
    leakage: Leakage


def compute_numbers(
    tables: Tables, pages: PageStats, splits: Mapping[str, Split], characters: Sequence[str]
) -> Numbers:
    """Compute what is counted; `splits` goes by episode, `characters` are those who answer in `chat`."""
    lines, chunks, chat = (tables[config] for config in ("lines", *COUNTED))
    counted = count_pages(pages["pages_table"], tables, splits)
    speakers = tally(pc.list_flatten(lines["speakers"]))
    return {
        "total": {
            "pages": len(counted),
            "episodes": int(counted["episodes"].sum()),
            "scenes": int(counted["scenes"].sum()),
            "lines": len(lines),
            "chunks": len(chunks),
            "chat": len(chat),
            "speakers": len(speakers),
            "words": int(counted["words"].sum()),
            "characters": int(counted["characters"].sum()),
        },
        "seasons": _records(counted.drop(columns="split").groupby("season").sum()),
        "splits": split_table(counted),
        "speakers": [{"speaker": name, "lines": count} for name, count in ranked(speakers)],
        "unknown_cues": pages["unknown_cues"],
        "line_characters": percentiles(lengths(lines["text"])),
        "chunk_characters": percentiles(lengths(chunks["text"])),
        "chunk_turns": percentiles(pc.list_value_length(chunks["turns"]).to_pandas()),
        "between_turns": between_turns(tables["named_lines"], chunks),
        "chat": chat_stats(chat, count_no_row(lines, characters), characters),
        "segments": pages["segments"],
        "dropped": pages["dropped"],
        "written_by": credit_table(lines, "written_by"),
        "transcribed_by": credit_table(lines, "transcribed_by"),
    }


def page_table(pages: Sequence[PageRow], lines: pa.Table, suspicions: Sequence[Suspicion]) -> list[PageQuality]:
    """Add to each page its lines, warnings and duplicated scenes."""
    spoken = tally(episodes_of(lines))
    warnings = Counter(episode_of(suspicion.id) for suspicion in suspicions)
    clustered = pc.unique(scenes_of(lines.filter(lines["dup_cluster"].is_valid()))).to_pylist()
    repeats = Counter(episode_of(scene) for scene in clustered)
    return [
        {
            **page,
            "lines": spoken[page["episode"]],
            "warnings": warnings[page["episode"]],
            "duplicated_scenes": repeats[page["episode"]],
        }
        for page in pages
    ]


def lengths(texts: pa.ChunkedArray) -> pd.Series[int]:
    """Return the number of characters of each text."""
    return cast("pd.Series[int]", pc.utf8_length(texts).to_pandas())


def tally(values: pa.Array) -> Counter[str]:
    """Count the occurrences of each value."""
    return Counter({entry["values"]: entry["counts"] for entry in pc.value_counts(values).to_pylist()})


def count_pages(pages: Sequence[PageRow], tables: Tables, splits: Mapping[str, Split]) -> pd.DataFrame:
    """Return a row per page with its season, its split and everything that is summed over them."""
    lines = tables["lines"]
    spoken = pd.DataFrame(
        {
            "episode": episodes_of(lines).to_pandas(),
            "lines": 1,
            "words": pc.list_value_length(pc.utf8_split_whitespace(lines["text"])).to_pandas(),
            "characters": lengths(lines["text"]),
        }
    )
    counted = pd.DataFrame(
        {
            "season": [season_of(page["episode"]) for page in pages],
            "split": [splits[page["episode"]] for page in pages],
            "pages": 1,
            "episodes": [len(page["episodes"]) for page in pages],
        },
        index=[page["episode"] for page in pages],
    ).join(spoken.groupby("episode").sum())
    scenes = Counter(map(episode_of, pc.unique(scenes_of(lines)).to_pylist()))  # those with a row
    counted.insert(3, "scenes", pd.Series(scenes, dtype="int64"))
    for config in COUNTED:
        counted[config] = pd.Series(tally(episodes_of(tables[config])), dtype="int64")
    return counted.fillna(0)


def split_table(counted: pd.DataFrame) -> list[SplitCounts]:
    """Sum pages, lines, words, chunks and chat rows per split, in the order train, validation, test."""
    table = counted.groupby("split")[["pages", "lines", "words", *COUNTED]].sum()
    return cast(list[SplitCounts], _records(table.loc[[name for name in SPLITS if name in table.index]]))


def _records(table: pd.DataFrame) -> Any:
    counts = table.astype("int64").reset_index()
    return [dict(zip(counts.columns, row, strict=True)) for row in counts.astype(object).to_numpy().tolist()]


def percentiles(values: pd.Series[int]) -> dict[str, int]:
    """Return the median and the upper percentiles as values that occur.

    >>> percentiles(pd.Series([1, 2, 3, 100]))
    {'median': 2, 'p90': 3, 'p99': 3, 'longest': 100}
    """
    if values.empty:
        return dict.fromkeys(PERCENTILES, 0)
    return {name: int(values.quantile(share, interpolation="lower")) for name, share in PERCENTILES.items()}


def between_turns(named_lines: pa.Table, chunks: pa.Table) -> Count:
    """Count script lines in chunks that belong to no row (directions, turns without speech)."""
    script, turns = chunks["text_with_directions"], named_lines["text_with_directions"]
    breaks = sum(pc.count_substring(script, "\n").to_pylist())
    characters = sum(pc.utf8_length(script).to_pylist()) - breaks
    return {
        "count": breaks + len(script) - len(turns),
        "characters": characters - sum(pc.utf8_length(turns).to_pylist()),
    }


def chat_stats(chat: pa.Table, no_row: Mapping[str, int], characters: Sequence[str]) -> ChatStats:
    """Count the characters' lines with a row of `chat`, those without by reason, and the lengths of the rows."""
    answered = tally(chat["character"])
    prompts, completions = (chat[column].combine_chunks() for column in ("prompt", "completion"))
    messages = pc.utf8_length(prompts.flatten().field("content"))
    prompt_lengths = np.bincount(pc.list_parent_indices(prompts), messages, len(chat))
    return {
        "characters": [{"character": name, "rows": answered[name]} for name in characters],
        "no_row": {reason: no_row.get(reason, 0) for reason in NO_ROW if reason != "other_speaker"},
        "prompt_characters": percentiles(pd.Series(prompt_lengths)),
        "completion_characters": percentiles(lengths(completions.flatten().field("content"))),
    }


def credit_table(lines: pa.Table, column: str) -> list[CreditedPages]:
    """Return the credited names with the number of pages that name them."""
    episodes = episodes_of(lines).to_pylist()
    first = {episode: number for number, episode in reversed(list(enumerate(episodes)))}
    credits = lines[column].take(pa.array(first.values(), pa.int64())).to_pylist()
    counts = Counter(name for names in credits for name in dict.fromkeys(names))
    return [{"name": name, "pages": pages} for name, pages in sorted(counts.items())]
