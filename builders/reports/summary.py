"""The table that a build prints at its end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

SHOWN_CUES = 20


def summary(stats: Mapping[str, Any], not_shipped: Sequence[Mapping[str, Any]], failed: int) -> str:
    """Numbers per season, drops by reason, unknown cues and what was left out, as plain aligned text."""
    total = stats["total"]
    columns = ("episodes", "scenes", "lines", "chunks", "chat")
    seasons = [[f"season {row['season']}", *(row[column] for column in columns)] for row in stats["seasons"]]
    drops = [[f"  {reason}", counts["count"], counts["characters"]] for reason, counts in stats["dropped"].items()]
    counted = ("pages", "lines", "chunks", "chat")
    splits = [[f"  {row['split']}", *(row[column] for column in counted)] for row in stats["splits"]]
    parts = [
        table([["", *columns], *seasons, ["all", *(total[column] for column in columns)]]),
        table([["split", *counted], *splits]),
        table([["dropped", "pieces", "characters"], *drops]) if drops else "dropped: nothing",
        *([] if total["chat"] else ["chat: no such config, for no main character answers anybody"]),
        f"speakers: {total['speakers']:,}",
        unknown_cues(stats["unknown_cues"]),
    ]
    if not_shipped:
        parts.append("not shipped: " + ", ".join(f"{page['page']} ({page['reason']})" for page in not_shipped))
    if failed:
        parts.append(f"failed pages: {failed}, listed in manifest.json")
    return "\n\n".join(parts)


def unknown_cues(cues: Sequence[Mapping[str, Any]]) -> str:
    """The most frequent cues that speakers.csv does not know.

    >>> print(unknown_cues([{"cue": "Bob", "lines": 2, "first_in": "s01e01"}]))
    unknown cues: 1 (2 lines)
      Bob  2  s01e01
    """
    head = f"unknown cues: {len(cues)} ({sum(cue['lines'] for cue in cues)} lines)"
    rows = [[f"  {' '.join(cue['cue'].split())}", cue["lines"], cue["first_in"]] for cue in cues[:SHOWN_CUES]]
    more = [f"  … and {len(cues) - SHOWN_CUES} more, all in stats.json"] if len(cues) > SHOWN_CUES else []
    return "\n".join([head, *([table(rows)] if rows else []), *more])


def table(rows: Iterable[Sequence[str | int]]) -> str:
    """Rows as aligned text, numbers to the right.

    >>> print(table([["", "lines"], ["all", 1200]]))
         lines
    all  1,200
    """
    cells = [[f"{value:,}" if isinstance(value, int) else value for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            text.ljust(width) if index == 0 else text.rjust(width)
            for index, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )
