"""Read the pages in a file, whatever its format."""

from __future__ import annotations

from friends_corpus.core.model import Page

from .html import read_blocks


def read_pages(name: str, data: bytes) -> list[Page]:
    """Return the pages of a file, one for each episode in it; an HTML file is one page.

    The format is told by `data`, never by `name` alone. Raises ParseError for a file that is of none.

    >>> [page] = read_pages("0101.html", b"<p><b>Joey:</b> Hi.</p>")
    >>> page.blocks[0].text, page.locator
    ('Joey: Hi.', '')
    """
    return [Page(tuple(read_blocks(data)))]
