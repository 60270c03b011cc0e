"""The real pages that tests read: the folder in FRIENDS_CORPUS_PAGES, or the one beside this checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

PAGES = Path(
    os.environ.get("FRIENDS_CORPUS_PAGES", Path(__file__).parents[2] / "shared" / "corpus" / "pages")
).resolve()
needs_pages = pytest.mark.skipif(
    not PAGES.is_dir(), reason=f"no real pages at {PAGES}: set FRIENDS_CORPUS_PAGES to a folder of them"
)


def skip_unless(pages: int) -> None:
    """Skips a test of figures that were measured on another number of pages."""
    if (here := len(list(PAGES.glob("*.html")))) != pages:
        pytest.skip(f"measured on {pages} pages; {PAGES} holds {here}")
