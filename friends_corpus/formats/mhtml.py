"""MHTML, a page as a browser saves it into one file: its HTML part, decoded."""

import re
from email import message_from_bytes, policy

from friends_corpus.core.model import ParseError

HEADER = re.compile(rb"(?:[A-Za-z-]+:[^\n]*\n(?:[ \t][^\n]*\n)*){1,40}?\r?\n", re.ASCII)
MARK = re.compile(rb"(?im)^(?:mime-version:|snapshot-content-location:|content-type:\s*multipart/related)")
WRAPPER = re.compile(  # what a web archive puts around a page that it shows
    rb"(?s)<!-- BEGIN WAYBACK TOOLBAR INSERT -->.*?<!-- END WAYBACK TOOLBAR INSERT -->"
)


def is_mhtml(data: bytes) -> bool:
    """Tell whether a file begins with the headers of a saved page.

    >>> is_mhtml(b"From: <Saved>\\nMIME-Version: 1.0\\n\\n"), is_mhtml(b"<p>MIME-Version: 1.0")
    (True, False)
    """
    header = HEADER.match(data[:8192].lstrip())
    return header is not None and MARK.search(header[0]) is not None


def html_part(data: bytes) -> bytes:
    """Return the HTML of a saved page, its charset written at the top. Raises ParseError."""
    message = message_from_bytes(data.lstrip(), policy=policy.compat32)
    for part in message.walk():
        if part.get_content_type() in ("text/html", "application/xhtml+xml"):
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes) and payload.strip():
                charset = part.get_content_charset()
                return (f'<meta charset="{charset}">'.encode() if charset else b"") + payload
    raise ParseError("a saved page without an HTML part; save it again as “Webpage, single file” or as HTML")
