"""The quality report: numbers per episode and suspicions, as part of stats.json, and quality.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from cards.render import render
from friends_corpus.show import Show

from .pages import ReadPage
from .plots import plots
from .rows import episodes_of
from .stats import tally, unknown_in
from .suspicions import Suspicion, count_suspicions, find_suspicions

REPORT = "quality.md"
DROPPED = "dropped:"


def quality_stats(pages: Sequence[ReadPage], lines: pa.Table, show: Show) -> dict[str, Any]:
    """What stats.json says of quality: `pages_table` and `suspicions`; `lines` are the rows of that config."""
    found = find_suspicions(lines, [page.episode.id for page in pages])
    return {"pages_table": page_table(pages, lines, found, show), "suspicions": count_suspicions(found)}


def page_table(
    pages: Sequence[ReadPage], lines: pa.Table, found: Sequence[Suspicion], show: Show
) -> list[dict[str, Any]]:
    """Per page: scenes, lines, lines with an unknown cue, notes, dropped segments, warnings, duplicated scenes."""
    spoken = tally(episodes_of(lines))
    warnings = Counter(suspicion.id.partition("_")[0] for suspicion in found)
    clustered = {id.rpartition("_")[0] for id in lines.filter(lines["dup_cluster"].is_valid())["id"].to_pylist()}
    repeats = Counter(scene.partition("_")[0] for scene in clustered)
    return [
        {
            "episode": page.episode.id,
            "page": page.name,
            "scenes": len(page.episode.scenes),
            "lines": spoken[page.episode.id],
            "unknown_cues": sum(unknown_in(page.episode, show).values()),
            "notes": page.kinds.get("note", (0, 0))[0],
            "dropped": sum(counts[0] for kind, counts in page.kinds.items() if kind.startswith(DROPPED)),
            "warnings": warnings[page.episode.id],
            "duplicated_scenes": repeats[page.episode.id],
        }
        for page in pages
    ]


def write_quality(folder: Path, stats: Mapping[str, Any]) -> None:
    """quality.md into the folder, which shows the plots."""
    (folder / REPORT).write_text(render("quality.md", {"stats": stats, "plots": plots(stats)}), encoding="utf-8")
