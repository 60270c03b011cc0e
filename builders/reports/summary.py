"""The table that a build prints at its end."""

from collections.abc import Iterable, Sequence

from friends_corpus.core.manifest import Page

from .page_stats import UnknownCue
from .stats import Stats

SHOWN_CUES = 20


Cells = list[list[str | int]]


def summary(stats: Stats, pages: Sequence[Page], failed: int) -> str:
    """Return numbers per season, drops by reason, unknown cues and what was left out, as plain aligned text."""
    drops: Cells = [[f"  {reason}", count["count"], count["characters"]] for reason, count in stats["dropped"].items()]
    not_shipped = [f"{page['page']} ({page['reason']})" for page in pages if "reason" in page]
    columns = ["episodes", "scenes", "lines", "chunks", "chat"]
    named = [(f"season {row['season']}", row) for row in stats["seasons"]] + [("all", stats["total"])]
    seasons: Cells = [[name, *(row[column] for column in columns)] for name, row in named]
    splits: Cells = [
        [f"  {row['split']}", row["pages"], row["lines"], row["chunks"], row["chat"]] for row in stats["splits"]
    ]
    parts = [
        table([["", *columns], *seasons]),
        table([["split", "pages", "lines", "chunks", "chat"], *splits]),
        table([["dropped", "pieces", "characters"], *drops]) if drops else "dropped: nothing",
        *([] if stats["total"]["chat"] else ["chat: no such config, for no main character answers anybody"]),
        f"speakers: {stats['total']['speakers']:,}",
        unknown_cues(stats["unknown_cues"]),
    ]
    if not_shipped:
        parts.append(f"not shipped: {', '.join(not_shipped)}")
    if failed:
        parts.append(f"failed pages: {failed}, listed in manifest.json")
    return "\n\n".join(parts)


def unknown_cues(cues: Sequence[UnknownCue]) -> str:
    """Return the most frequent cues that are not in speakers.csv.

    >>> print(unknown_cues([{"cue": "Bob", "lines": 2, "first_in": "s01e01"}]))
    unknown cues: 1 (2 lines)
      Bob  2  s01e01
    """
    head = f"unknown cues: {len(cues)} ({sum(cue['lines'] for cue in cues)} lines)"
    rows: Cells = [[f"  {' '.join(cue['cue'].split())}", cue["lines"], cue["first_in"]] for cue in cues[:SHOWN_CUES]]
    more = [f"  … and {len(cues) - SHOWN_CUES} more, all in stats.json"] if len(cues) > SHOWN_CUES else []
    return "\n".join([head, *([table(rows)] if rows else []), *more])


def table(rows: Iterable[Sequence[str | int]]) -> str:
    """Return rows as aligned text, numbers to the right.

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
