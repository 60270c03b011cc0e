"""Plain text: a line is a block, and a line that was wrapped by hand continues in the next one."""

import re

from friends_corpus.core.model import Block, ParseError, Run

from .html import CONTROLS, decode

MAX_BYTES = 20_000_000  # the whole show has about 5 MB
TAG = re.compile(r"<(?:[a-zA-Z!][^<>]{0,2000}|/[a-zA-Z][^<>]{0,40})>")  # "<p>", "</b>", "<!-- … -->"
LINE = re.compile(r"\r\n?|\n|\f")
BLANKS = re.compile(r"[ \t]+")


def is_text(data: bytes) -> bool:
    """Tell whether there is no tag in a file, so that its lines end at newlines.

    >>> is_text(b"Joey: 1 < 2 > 0"), is_text(b"<p>Joey: Hi.")
    (True, False)
    """
    return TAG.search(decode(data)) is None


def read_text(data: bytes) -> list[Block]:
    """Return the lines of a text as blocks in reading order; a blank line starts a paragraph.

    Raises ParseError for bytes that are not text.

    >>> [(block.text, block.paragraph) for block in read_text(b"Joey: Hi.\\n\\nRoss:  Hey.\\n")]
    [('Joey: Hi.', True), ('Ross: Hey.', True)]
    """
    if len(data) > MAX_BYTES:
        raise ParseError(f"{len(data):,} bytes is no transcript (limit {MAX_BYTES:,}); split the file")
    text = decode(data)
    if "\0" in text:
        raise ParseError("binary data, not a transcript; save the file as text again")
    blocks, paragraph = [], True
    for line in LINE.split(CONTROLS.sub("", text)):
        visible = BLANKS.sub(" ", line).removeprefix(" ")
        if visible.strip():
            blocks.append(Block((Run(visible, False),), paragraph, False))
        paragraph = not visible.strip()
    return blocks
