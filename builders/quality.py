"""The quality report: numbers per episode and suspicions, as part of stats.json, and quality.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cards.render import render
from friends_corpus.show import Show

from .lines import Row
from .pages import ReadPage
from .plots import plots
from .suspicions import Suspicion, count_suspicions, find_suspicions

REPORT = "quality.md"
DROPPED = "dropped:"


def quality_stats(pages: Sequence[ReadPage], lines: Sequence[Row], show: Show) -> dict[str, Any]:
    """What stats.json says of quality: `pages_table` and `suspicions`; `lines` are the rows of that config."""
    found = find_suspicions(lines, [page.episode.id for page in pages])
    return {"pages_table": page_table(pages, lines, found, show), "suspicions": count_suspicions(found)}


def page_table(
    pages: Sequence[ReadPage], lines: Sequence[Row], found: Sequence[Suspicion], show: Show
) -> list[dict[str, Any]]:
    """Per page: scenes, lines, lines with an unknown cue, notes, dropped segments, warnings, duplicated scenes."""
    spoken = Counter(row["id"].partition("_")[0] for row in lines)
    warnings = Counter(suspicion.id.partition("_")[0] for suspicion in found)
    clustered = {row["id"].rpartition("_")[0] for row in lines if row.get("dup_cluster") is not None}
    repeats = Counter(scene.partition("_")[0] for scene in clustered)
    return [
        {
            "episode": page.episode.id,
            "page": page.name,
            "scenes": len(page.episode.scenes),
            "lines": spoken[page.episode.id],
            "unknown_cues": sum(
                not show.people.is_known(line.cue, page.episode.id) for line in page.episode.utterances()
            ),
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
