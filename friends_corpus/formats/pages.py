"""Read the pages in a file, whatever its format."""

import zlib

from friends_corpus.core.model import Page, ParseError

from .html import read_blocks
from .text import MAX_BYTES, is_text, read_text

GZIP = b"\x1f\x8b"


def read_pages(name: str, data: bytes) -> list[Page]:
    """Return the pages of a file, one for each episode in it; a file of HTML or plain text is one page.

    The format is told by `data`, never by `name` alone. Raises ParseError for a file that is of none.

    >>> [page] = read_pages("0101.html", b"<p><b>Joey:</b> Hi.</p>")
    >>> page.blocks[0].text, page.locator
    ('Joey: Hi.', '')
    """
    if data.startswith(GZIP):
        data = _unpack(data)
    return [Page(tuple(read_text(data) if is_text(data) else read_blocks(data)))]


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
