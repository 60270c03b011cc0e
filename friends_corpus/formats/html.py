"""Bytes → text → tag soup → list of blocks. The only place that knows HTML.

A block is one printed line: what stands between paragraph borders or <br>. Everything later sees visible text with
bold marks and never a tag, so crossed, unclosed and nested markup ends here.

lxml's parser is asked for its events, the very ones that BeautifulSoup makes its tree of. Blocks need no tree, and one
of a megabyte of short lines takes 300 MB, five times as long, and leaves cycles behind.
"""

import codecs
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import cast

from lxml.etree import HTMLParser

from friends_corpus.core.model import Block, ParseError, Run

PARAGRAPH = frozenset(
    "address article aside blockquote body center dd div dl dt fieldset figure footer form h1 h2 h3 h4 h5 h6 header hr"
    " html li main nav ol p pre section table tbody td tfoot th thead tr ul".split()
)
HEADING = frozenset("h1 h2 h3 h4 h5 h6".split())
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
LATIN = ("iso8859-1", "cp1252", "ascii")  # all three are read as windows-1252
HIDDEN = frozenset("head link meta noscript script style template title".split())
MAX_BYTES = 2_000_000  # a transcript has about 50 kB; the worst page of this size takes half a minute

DECLARED_CHARSET = re.compile(rb"""charset\s*=\s*["']?\s*([\w.:-]+)""", re.I)  # <meta charset="utf-8">
BROWSER_CODEC = re.compile(
    r"utf-8|ascii|iso8859-\d+|cp125\d|cp866|koi8-[ru]|mac-roman|mac-cyrillic|gb\w+|big5\w*|shift_jis|euc_(?:jp|kr)"
)
STYLE_TAG = re.compile(  # <b>, </STRONG>, <font color="#00f">: tags that never start a block; those in comments stay
    r"""<!--(?:.*?-->|.*)|<(/?)(?:(b|strong)|i|em|u|font|big|small|span|tt|s)(?=[\s>/])(?:[^<>"']|"[^"]*"|'[^']*')*>""",
    re.I | re.S,
)
UNCLOSED_TAG = re.compile(r"<(?=[a-z/])[^<>]*<", re.I)  # "<p<b>"
END_OF_BREAK = re.compile(r"</br\s*>", re.I)  # a break in browsers, nothing in parsers
BOLD_ON, BOLD_OFF = "\x02", "\x03"  # stand for bold tags in the text: no parser moves or repairs characters
BOLD_MARK = re.compile(f"([{BOLD_ON}{BOLD_OFF}])")
LINE_END = re.compile(r"\r\n?|\n")  # in <pre>
BLANKS = re.compile(r"[ \t\r\n\f]+")  # what HTML shows as one blank; &nbsp; is not among them
CONTROLS = re.compile(r"[\x01-\x08\x0b\x0e-\x1f\x7f]")  # invisible in every browser, refused by XML parsers
CONTROL_REFERENCE = re.compile(  # the same characters as references: "&#2;" or "&#x1F;"
    r"&#(?:0*(?:[1-8]|11|1[4-9]|2\d|3[01]|127)(?!\d)|x0*(?:[1-8bef]|1[\da-f]|7f)(?![\da-f]));?", re.I
)
C1_TO_CP1252 = {  # the WHATWG table: 0x92 is ’, the five bytes without a character stay what they are
    byte: bytes([byte]).decode("cp1252") for byte in range(0x80, 0xA0) if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}


def decode(data: bytes) -> str:
    """Return the text of a page: BOM > declared charset > strict UTF-8 > windows-1252, as browsers do.

    Latin-1 labels are read as windows-1252; no statistical guesser, so the same bytes give the same text everywhere.

    >>> decode(b"<p>It\\x92s</p>")
    '<p>It’s</p>'
    >>> decode('<meta charset="iso-8859-1"><p>caf\\xe9'.encode("cp1252"))
    '<meta charset="iso-8859-1"><p>café'
    """
    for bom, name in BYTE_ORDER_MARKS:
        if data.startswith(bom):
            return data[len(bom) :].decode(name, errors="replace").translate(C1_TO_CP1252)
    declared = DECLARED_CHARSET.search(data[:4096])
    declared_codec = _codec(declared.group(1).decode("ascii")) if declared else ""
    if declared_codec not in LATIN:
        for name in filter(None, (declared_codec, "utf-8")):
            with suppress(UnicodeDecodeError):
                return data.decode(name).translate(C1_TO_CP1252)
    return data.decode("latin-1").translate(C1_TO_CP1252)


def _codec(label: str) -> str:
    """Return the codec for a charset label that browsers know, else ""; "utf-8" for UTF-16 (the label was ASCII)."""
    try:
        name = codecs.lookup(label).name
    except (LookupError, UnicodeError):
        return ""
    return "utf-8" if name.startswith("utf-16") else name if BROWSER_CODEC.fullmatch(name) else ""


def read_blocks(data: bytes) -> list[Block]:
    """Return the blocks of a page in reading order; their texts joined are its visible text. No empty blocks.

    Raises ParseError for bytes that are no text at all.

    >>> [block.text for block in read_blocks(b"<b><p>Joey:</b> Hi.<br>Bye.</p><!-- Ross: no -->")]
    ['Joey: Hi.', 'Bye.']
    """
    if len(data) > MAX_BYTES:
        raise ParseError(f"{len(data):,} bytes is no transcript page (limit {MAX_BYTES:,}); remove the file")
    text = decode(data)
    if "\0" in text:
        raise ParseError("binary data, not an HTML page; remove the file or save the page again")
    text = CONTROL_REFERENCE.sub("", CONTROLS.sub("", text))
    if not text:
        return []
    closer = "<wbr>" if UNCLOSED_TAG.search(text) else ""  # <p<b>: the style tag's ">" also ended the tag before it
    text = END_OF_BREAK.sub("<br>", text)
    text = STYLE_TAG.sub(lambda match: match[0] if match[1] is None else closer + _style_mark(match), text)
    parser = HTMLParser(target=_Page())
    parser.feed(text)
    return cast(list[Block], parser.close())


def _style_mark(tag: re.Match[str]) -> str:
    """Return a mark for a bold tag, nothing for another style: so crossed and unclosed ones cannot break lines."""
    return "" if not tag[2] else BOLD_OFF if tag[1] else BOLD_ON


class _Page:
    """What the parser calls, in reading order, whatever the nesting; comments and the like it keeps to itself."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.writer = _Writer()
        self.text: list[str] = []  # since the last tag
        self.hidden = self.heading = self.pre = 0  # how many such elements are open

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._write()
        self.hidden += tag in HIDDEN
        if self.hidden:
            return
        if tag in PARAGRAPH or tag == "br":
            self._end_block(starts_paragraph=tag != "br")
        self.heading += tag in HEADING
        self.pre += tag == "pre"

    def end(self, tag: str) -> None:
        self._write()
        if not self.hidden:
            if tag in PARAGRAPH:
                self._end_block(starts_paragraph=True)
            self.heading -= tag in HEADING
            self.pre -= tag == "pre"
        self.hidden -= tag in HIDDEN

    def data(self, text: str) -> None:
        if not self.hidden:
            self.text.append(text)

    def close(self) -> list[Block]:
        self._write()
        self._end_block(starts_paragraph=True)
        return self.blocks

    def _write(self) -> None:
        text = "".join(self.text)
        self.text.clear()
        for index, line in enumerate(LINE_END.split(text) if self.pre else [text]):
            if index:
                self._end_block(starts_paragraph=False)
            self.writer.write(line)

    def _end_block(self, starts_paragraph: bool) -> None:
        if block := self.writer.end_block(bool(self.heading), starts_paragraph):
            self.blocks.append(block)


class _Writer:
    """Collects the runs of one block, folds blanks as a browser does, and keeps the bold state across tags.

    Bold opened before a block (`<b><p>Joey:</b>`, `Hi.<b><br>Joey:</b>`) holds in it; bold left open ends with the
    block it was used in.
    """

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.paragraph = True
        self.bold = 0

    def write(self, text: str) -> None:
        if not self.runs and text in ("", "\n"):  # between two paragraphs
            return
        for part in BOLD_MARK.split(text):
            if part == BOLD_ON:
                self.bold += 1
            elif part == BOLD_OFF:
                self.bold = max(0, self.bold - 1)
            elif part:
                self._add(BLANKS.sub(" ", part))

    def _add(self, text: str) -> None:
        last = self.runs[-1] if self.runs else None
        if last is None or last.text[-1] == " ":
            text = text.removeprefix(" ")
        if not text:
            return
        bold = self.bold > 0
        if last and last.bold == bold:
            self.runs[-1] = Run(last.text + text, bold)
        else:
            self.runs.append(Run(text, bold))

    def end_block(self, heading: bool, starts_paragraph: bool) -> Block | None:
        """End the block here, and return it; None where nothing visible was written: a paragraph border (<br><br>)."""
        runs, paragraph = tuple(self.runs), self.paragraph
        self.runs = []
        if all(run.text.isspace() for run in runs):
            self.paragraph = True
            return None
        self.paragraph = starts_paragraph
        if next(run.bold for run in reversed(runs) if not run.text.isspace()):
            self.bold = 0
        return Block(runs, paragraph, heading)
