"""The quality report: numbers per episode and suspicions, as part of stats.json, and quality.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from builders.configs.tables import episodes_of, scenes_of
from cards.render import render
from friends_corpus.core.ids import episode_of

from .plots import plots
from .stats import tally
from .warnings import Suspicion, count_suspicions, find_leaks, find_suspicions

REPORT = "quality.md"


def quality_stats(told: Mapping[str, Any], lines: pa.Table, certificate: Mapping[str, Any]) -> dict[str, Any]:
    """What stats.json says of quality: `pages_table` and `suspicions`; `lines` are the rows of that config."""
    pages = told["pages_table"]
    found = find_suspicions(lines, [page["episode"] for page in pages]) + find_leaks(certificate)
    return {"pages_table": page_table(pages, lines, found), "suspicions": count_suspicions(found)}


def page_table(pages: Sequence[Mapping[str, Any]], lines: pa.Table, found: Sequence[Suspicion]) -> list[dict[str, Any]]:
    """Per page, beside what only it tells: lines, warnings, scenes that are repeats."""
    spoken = tally(episodes_of(lines))
    warnings = Counter(episode_of(suspicion.id) for suspicion in found)
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


def render_quality(stats: Mapping[str, Any]) -> str:
    """quality.md, which shows the plots."""
    return render("quality.md", {"stats": stats, "plots": plots(stats["dropped"])})
