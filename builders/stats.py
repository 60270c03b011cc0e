"""The numbers of a build, computed with pandas: for the summary, stats.json and the card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from friends_corpus.model import Episode, Line, StageDirection
from friends_corpus.show import Show

from .chat import NO_ROW, candidates
from .lines import Row
from .pages import ReadPage
from .splits import SPLITS

COUNTED = ("chunks", "chat")  # by season and split, beside the lines
DROPPED = "dropped:"
PERCENTILES = {"median": 0.5, "p90": 0.9, "p99": 0.99, "longest": 1.0}


def compute_stats(
    pages: Sequence[ReadPage],
    rows: Mapping[str, Sequence[Row]],
    splits: Mapping[str, str],
    show: Show,
    characters: Sequence[str],
) -> dict[str, Any]:
    """All numbers as plain JSON values. `pages` are those shipped, `rows` those of each config, `splits` by episode.

    `characters` are those who answer in `chat`.
    """
    episodes = [page.episode for page in pages]
    lines = lines_frame(rows["lines"], splits)
    chunks = pd.DataFrame({"characters": [len(row["text"]) for row in rows["chunks"]]}, dtype="int64")
    chunks["turns"] = [len(row["turns"]) for row in rows["chunks"]]
    speakers = Counter(name for row in rows["lines"] for name in row["speakers"])
    return {
        "total": {
            "pages": len(pages),
            "episodes": sum(len(episode.numbers) for episode in episodes),
            "scenes": sum(len(episode.scenes) for episode in episodes),
            "lines": len(lines),
            "chunks": len(chunks),
            "chat": len(rows["chat"]),
            "speakers": len(speakers),
            "words": int(lines["words"].sum()),
            "characters": int(lines["characters"].sum()),
        },
        "seasons": season_table(lines, rows, episodes),
        "splits": split_table(lines, rows, splits),
        "speakers": [{"speaker": name, "lines": lines} for name, lines in ranked(speakers)],
        "unknown_cues": unknown_cues(episodes, show),
        "line_characters": percentiles(lines["characters"]),
        "chunk_characters": percentiles(chunks["characters"]),
        "chunk_turns": percentiles(chunks["turns"]),
        "chat": chat_stats(rows["lines"], rows["chat"], characters),
        "segments": total_kinds(pages),
        "dropped": dropped(pages),
        "written_by": credit_table(episode.written_by for episode in episodes),
        "transcribed_by": credit_table(episode.transcribed_by for episode in episodes),
    }


def lines_frame(rows: Sequence[Row], splits: Mapping[str, str]) -> pd.DataFrame:
    """One row per line with what the tables count."""
    return pd.DataFrame(
        {
            "split": [splits[row["id"].partition("_")[0]] for row in rows],
            "season": [row["season"] for row in rows],
            "words": [len(row["text"].split()) for row in rows],
            "characters": [len(row["text"]) for row in rows],
        }
    ).astype({"season": "int64", "words": "int64", "characters": "int64"})


def season_table(
    lines: pd.DataFrame, rows: Mapping[str, Sequence[Row]], episodes: Sequence[Episode[Line]]
) -> list[dict[str, int]]:
    """Per season: pages, episodes, scenes, lines, words, characters, chunks, rows of chat."""
    seasons = pd.Series([episode.season for episode in episodes], dtype="int64")
    counted = pd.DataFrame(
        {
            "season": seasons,
            "pages": 1,
            "episodes": [len(episode.numbers) for episode in episodes],
            "scenes": [len(episode.scenes) for episode in episodes],
        }
    )
    table = counted.groupby("season").sum()
    spoken = lines.groupby("season").agg(
        lines=("words", "size"), words=("words", "sum"), characters=("characters", "sum")
    )
    table = table.join(spoken)
    for config in COUNTED:
        seasons = pd.Series([row["season"] for row in rows[config]], dtype="int64")
        table = table.join(seasons.value_counts().rename(config))
    return _records(table)


def split_table(
    lines: pd.DataFrame, rows: Mapping[str, Sequence[Row]], splits: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Per split: episodes (pages), lines, words, chunks, rows of chat; in the order train, validation, test."""
    table = pd.Series(splits, dtype="str").value_counts().rename("pages").rename_axis("split").to_frame()
    spoken = lines.groupby("split").agg(lines=("words", "size"), words=("words", "sum"))
    table = table.join(spoken)
    for config in COUNTED:
        found = pd.Series([splits[row["id"].partition("_")[0]] for row in rows[config]], dtype="str")
        table = table.join(found.value_counts().rename(config))
    return _records(table.loc[[name for name in SPLITS if name in table.index]])


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    counts = table.fillna(0).astype("int64").reset_index()
    return [dict(zip(counts.columns, row, strict=True)) for row in counts.astype(object).to_numpy().tolist()]


def percentiles(values: pd.Series[int]) -> dict[str, int]:
    """The median and the long tail, in whole characters or turns that occur.

    >>> percentiles(pd.Series([1, 2, 3, 100]))
    {'median': 2, 'p90': 3, 'p99': 3, 'longest': 100}
    """
    if values.empty:
        return dict.fromkeys(PERCENTILES, 0)
    return {name: int(values.quantile(share, interpolation="lower")) for name, share in PERCENTILES.items()}


def chat_stats(lines: Sequence[Row], chat: Sequence[Row], characters: Sequence[str]) -> dict[str, Any]:
    """Of the characters' lines: how many have a row of `chat`, how many do not and why; how long the rows are."""
    answered = Counter(row["character"] for row in chat)
    reasons = Counter(reason for _, _, reason in candidates(lines, characters))
    prompts = pd.Series([sum(len(message["content"]) for message in row["prompt"]) for row in chat], dtype="int64")
    completions = pd.Series([len(row["completion"][0]["content"]) for row in chat], dtype="int64")
    return {
        "characters": [{"character": name, "rows": answered[name]} for name in characters],
        "no_row": {reason: reasons[reason] for reason in NO_ROW if reason != "other_speaker"},
        "prompt_characters": percentiles(prompts),
        "completion_characters": percentiles(completions),
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
        for line in episode.utterances():
            if not show.people.is_known(line.cue, episode.id):
                counts[line.cue] += 1
                first.setdefault(line.cue, episode.id)
    return [{"cue": cue, "lines": lines, "first_in": first[cue]} for cue, lines in ranked(counts)]


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
