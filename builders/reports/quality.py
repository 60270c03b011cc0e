"""quality.md: what was dropped, numbers per page, warnings, and the plots."""

from cards.render import render

from .plots import plots
from .stats import Stats

REPORT = "quality.md"


def render_quality(stats: Stats) -> str:
    """Render quality.md, which shows the plots."""
    return render("quality.md", {"stats": stats, "plots": plots(stats["dropped"])})
