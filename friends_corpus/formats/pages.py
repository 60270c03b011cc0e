"""Read the pages in a file, whatever its format."""

import zlib
from dataclasses import replace

from friends_corpus.core.model import Page, ParseError
from friends_corpus.show.config import Show, friends
from friends_corpus.show.page_names import names_episode

from .episodes import split_episodes
from .html import decode, read_blocks
from .markdown import is_markdown, read_markdown
from .mhtml import html_part, is_mhtml
from .table import is_table, read_table
from .text import MAX_BYTES, is_text, read_text

GZIP = b"\x1f\x8b"


def read_pages(name: str, data: bytes, show: Show | None = None) -> list[Page]:
    """Return the pages of a file, one for each episode in it.

    The format is told by `data`, never by `name` alone; a name that says which episode it is holds one page. Raises
    ParseError for a file that is of no format.

    >>> [page] = read_pages("0101.html", b"<p><b>Joey:</b> Hi.</p>")
    >>> page.blocks[0].text, page.locator
    ('Joey: Hi.', '')
    """
    if data.startswith(GZIP):
        data = _unpack(data)
    if len(data) > MAX_BYTES:
        raise ParseError(f"{len(data):,} bytes is no transcript (limit {MAX_BYTES:,}); split the file")
    show = show or friends()
    if is_table(data, show.columns):
        pages = read_table(data, show.columns)
        pages = [replace(page, format="table") for page in pages]
        return [replace(pages[0], locator="")] if len(pages) == 1 and names_episode(name, show) else pages
    if is_mhtml(data):
        format, blocks = "MHTML", read_blocks(html_part(data))
    elif not is_text(data):
        format, blocks = "HTML", read_blocks(data)
    elif is_markdown(decode(data)):
        format, blocks = "Markdown", read_markdown(data)
    else:
        format, blocks = "text", read_text(data)
    pages = [Page(tuple(blocks))] if names_episode(name, show) else split_episodes(blocks, show)
    return [replace(page, format=format) for page in pages]


def _unpack(data: bytes) -> bytes:
    """Return what a gzip file holds, up to a limit. Raises ParseError."""
    try:
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
        unpacked = unpacker.decompress(data, MAX_BYTES + 1)
    except zlib.error as error:
        raise ParseError(f"a damaged gzip file ({error}); get it again") from None
    if not unpacker.eof and len(unpacked) <= MAX_BYTES:
        raise ParseError("a gzip file that was cut off; get it again")
    return unpacked
