"""The numbers of a build, computed with pandas: for the summary, stats.json and the card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from friends_corpus.model import Episode, Line, StageDirection
from friends_corpus.show import Show

from .chat import NO_ROW
from .pages import ReadPage
from .rows import Rows, episodes_of
from .splits import SPLITS

COUNTED = ("chunks", "chat")  # by season and split, beside the lines
DROPPED = "dropped:"
PERCENTILES = {"median": 0.5, "p90": 0.9, "p99": 0.99, "longest": 1.0}


def compute_stats(
    pages: Sequence[ReadPage], rows: Rows, splits: Mapping[str, str], show: Show, characters: Sequence[str]
) -> dict[str, Any]:
    """All numbers as plain JSON values. `pages` are those shipped, `splits` by episode.

    `characters` are those who answer in `chat`.
    """
    episodes = [page.episode for page in pages]
    lines, chunks, chat = (rows.tables[config] for config in ("lines", *COUNTED))
    counted = count_pages(episodes, rows, splits)
    speakers = tally(pc.list_flatten(lines["speakers"]))
    return {
        "total": {
            "pages": len(pages),
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
        "unknown_cues": unknown_cues(episodes, show),
        "line_characters": percentiles(lengths(lines["text"])),
        "chunk_characters": percentiles(lengths(chunks["text"])),
        "chunk_turns": percentiles(pc.list_value_length(chunks["turns"]).to_pandas()),
        "chat": chat_stats(chat, rows.no_chat, characters),
        "segments": total_kinds(pages),
        "dropped": dropped(pages),
        "written_by": credit_table(episode.written_by for episode in episodes),
        "transcribed_by": credit_table(episode.transcribed_by for episode in episodes),
    }


def lengths(texts: pa.ChunkedArray) -> pd.Series[int]:
    """Characters of each text."""
    found: pd.Series[int] = pc.utf8_length(texts).to_pandas()
    return found


def tally(values: pa.Array) -> Counter[str]:
    """Value → how often it stands there."""
    return Counter({entry["values"]: entry["counts"] for entry in pc.value_counts(values).to_pylist()})


def count_pages(episodes: Sequence[Episode[Line]], rows: Rows, splits: Mapping[str, str]) -> pd.DataFrame:
    """A row for each page, with its season and split and whatever is added up by them."""
    lines = rows.tables["lines"]
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
            "season": [episode.season for episode in episodes],
            "split": [splits[episode.id] for episode in episodes],
            "pages": 1,
            "episodes": [len(episode.numbers) for episode in episodes],
            "scenes": [len(episode.scenes) for episode in episodes],
        },
        index=[episode.id for episode in episodes],
    ).join(spoken.groupby("episode").sum())
    for config in COUNTED:
        counted[config] = pd.Series(tally(episodes_of(rows.tables[config])), dtype="int64")
    return counted


def split_table(counted: pd.DataFrame) -> list[dict[str, Any]]:
    """Per split: pages, lines, words, chunks, rows of chat; in the order train, validation, test."""
    table = counted.groupby("split")[["pages", "lines", "words", *COUNTED]].sum()
    return _records(table.loc[[name for name in SPLITS if name in table.index]])


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    counts = table.astype("int64").reset_index()
    return [dict(zip(counts.columns, row, strict=True)) for row in counts.astype(object).to_numpy().tolist()]


def percentiles(values: pd.Series[int]) -> dict[str, int]:
    """The median and the long tail, in whole characters or turns that occur.

    >>> percentiles(pd.Series([1, 2, 3, 100]))
    {'median': 2, 'p90': 3, 'p99': 3, 'longest': 100}
    """
    if values.empty:
        return dict.fromkeys(PERCENTILES, 0)
    return {name: int(values.quantile(share, interpolation="lower")) for name, share in PERCENTILES.items()}


def chat_stats(chat: pa.Table, no_row: Mapping[str, int], characters: Sequence[str]) -> dict[str, Any]:
    """Of the characters' lines: how many have a row of `chat`, how many do not and why; how long the rows are."""
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


def ranked(counts: Counter[str]) -> list[tuple[str, int]]:
    """Most frequent first, ties by name."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def credit_table(credits: Iterable[Sequence[str]]) -> list[dict[str, Any]]:
    """Credited names with the number of pages that name them."""
    counts = Counter(name for names in credits for name in dict.fromkeys(names))
    return [{"name": name, "pages": pages} for name, pages in sorted(counts.items())]


def unknown_cues(episodes: Iterable[Episode[Line]], show: Show) -> list[dict[str, Any]]:
    """Cues that speakers.csv does not know: as printed, how often, and the episode where each stands first."""
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    for episode in episodes:
        for cue, lines in unknown_in(episode, show).items():
            counts[cue] += lines
            first.setdefault(cue, episode.id)
    return [{"cue": cue, "lines": lines, "first_in": first[cue]} for cue, lines in ranked(counts)]


def unknown_in(episode: Episode[Line], show: Show) -> dict[str, int]:
    """Those of one episode, and in how many turns each stands."""
    cues = Counter(line.cue for line in episode.utterances())
    return {cue: lines for cue, lines in cues.items() if not show.people.is_known(cue, episode.id)}


def total_kinds(pages: Iterable[ReadPage]) -> dict[str, dict[str, int]]:
    """Kind of segment → how many and how many characters, over all pages."""
    totals: dict[str, dict[str, int]] = {}
    for page in pages:
        for kind, (segments, characters) in page.kinds.items():
            add(totals, kind, segments, characters)
    return dict(sorted(totals.items()))


def dropped(pages: Sequence[ReadPage]) -> dict[str, dict[str, int]]:
    """Reason → what is on the pages but in no row of `lines`: how many pieces, how many characters.

    To the segments that the parser dropped come turns that hold only a direction (`no_speech`; they are printed in
    `chunks.text_with_directions`) and the directions of scenes in which nobody speaks (`scene_without_speech`).
    """
    kinds = total_kinds(pages)
    totals = {kind.removeprefix(DROPPED): counts for kind, counts in kinds.items() if kind.startswith(DROPPED)}
    for page in pages:
        for scene in page.episode.scenes:
            spoken = any(isinstance(event, Line) and event.text for event in scene.events)
            for event in scene.events:
                if isinstance(event, StageDirection):
                    if not spoken:
                        add(totals, "scene_without_speech", 1, len(event.text))
                elif not event.text:
                    add(totals, "no_speech", 1, len(event.text_with_directions))
    return dict(sorted(totals.items()))


def add(totals: dict[str, dict[str, int]], key: str, count: int, characters: int) -> None:
    """Counts into `totals`."""
    entry = totals.setdefault(key, {"count": 0, "characters": 0})
    entry["count"] += count
    entry["characters"] += characters
