"""Bytes → text → tag soup → list of blocks. The only place that knows HTML.

A block is one printed line: what stands between paragraph borders or <br>. Everything later sees visible text with
bold marks and never a tag, so crossed, unclosed and nested markup ends here.

lxml's parser is asked for its events, the very ones that BeautifulSoup makes its tree of. Blocks need no tree, and one
of a megabyte of short lines takes 300 MB, five times as long, and leaves cycles behind.
"""

import codecs
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import pairwise
from typing import cast

from lxml.etree import HTMLParser

from friends_corpus.core.model import Block, ParseError, Run, Style

PARAGRAPH = frozenset(
    "address article aside blockquote body center dd div dl dt fieldset figure footer form h1 h2 h3 h4 h5 h6 header hr"
    " html li main nav ol p pre section table tbody td tfoot th thead tr ul".split()
)
HEADING = frozenset("h1 h2 h3 h4 h5 h6".split())
INLINE = frozenset("a abbr cite code dfn label mark q strike var".split())  # beside those of STYLE_TAG
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
    r"""<!--(?:.*?-->|.*)|<(/?)(b|strong|i|em|u|font|big|small|span|tt|s)(?=[\s>/])((?:[^<>"']|"[^"]*"|'[^']*')*)>""",
    re.I | re.S,
)
UNCLOSED_TAG = re.compile(r"<(?=[a-z/])[^<>]*<", re.I)  # "<p<b>"
END_OF_BREAK = re.compile(r"</br\s*>", re.I)  # a break in browsers, nothing in parsers
MARK = re.compile("(\x02[^\x03]*\x03)")  # "\x02i i\x03" stands for <i>: no parser moves or repairs characters
LOOK = re.compile(r"""(?i)\b(?:class|color|style)\s*=\s*["']?([^"'>]+)""")  # what makes one <span> unlike another
BOLD_LOOK = re.compile(r"(?i)font-weight\s*:\s*(?:bold|[6-9]00)")
LINE_STYLE = re.compile(r"s\Z|\w+\..*(?:scene|slug|heading|setting)")
NOT_IN_LOOK = re.compile(r"[^\w-]+")
MOST_STYLES = 300  # of a line that is cut at them: linear
DEEPEST = 8  # how many open elements are looked at: linear
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
        raise ParseError(f"{len(data):,} bytes is no transcript page (limit {MAX_BYTES:,}); split it or leave it out")
    text = decode(data)
    if "\0" in text:
        raise ParseError("binary data, not an HTML page; save the page again")
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
    """Return a mark for the tag of a style, so that crossed and unclosed ones cannot break lines."""
    name = tag[2].lower()
    return f"\x02/{name}\x03" if tag[1] else f"\x02{name} {_style(name, tag[3])}\x03"


def _style(tag: str, attributes: str) -> str:
    """Return what a style looks like: "b", "i", "span.speaker", "font.0000ff"; "" where it does not say."""
    if tag in ("b", "strong") or BOLD_LOOK.search(attributes):
        return "b"
    look = LOOK.search(attributes)
    plain = {"em": "i"}.get(tag, "" if tag in ("font", "span", "big", "small", "tt") else tag)
    return f"{tag}.{NOT_IN_LOOK.sub('.', look[1].lower())[:40]}" if look else plain


class _Page:
    """What the parser calls, in reading order, whatever the nesting; comments and the like it keeps to itself."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.writer = _Writer()
        self.text: list[str] = []  # since the last tag
        self.hidden = self.heading = self.pre = 0  # how many such elements are open
        self.elements: list[tuple[str, str]] = []  # that are open: their tags, and what lines in them are called
        self.column = 0  # of the table's row

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._write()
        self.hidden += tag in HIDDEN
        if self.hidden:
            return
        if tag in PARAGRAPH or tag == "br":
            self._end_block(starts_paragraph=tag != "br")
        self.column = 0 if tag == "tr" else self.column + (tag in ("td", "th"))
        name = f"td{self.column}" if tag in ("td", "th") else tag if tag in ("dt", "dd") else ""
        look = attributes.get("class")
        name = f"{tag}.{NOT_IN_LOOK.sub('.', look.lower())[:40]}" if look else name
        if tag in PARAGRAPH:
            self.elements.append((tag, name))
        elif tag in INLINE:
            self.writer.open(tag, name or tag)
        self.heading += tag in HEADING
        self.pre += tag == "pre"

    def end(self, tag: str) -> None:
        self._write()
        if not self.hidden:
            if tag in PARAGRAPH:
                self._end_block(starts_paragraph=True)
                _close(self.elements, tag)
            elif tag in INLINE:
                self.writer.close(tag)
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
        element = next((name for _, name in reversed(self.elements[-DEEPEST:]) if name), "")
        if block := self.writer.end_block(bool(self.heading), starts_paragraph, element):
            self.blocks.extend(_split(block))


def _split(block: Block) -> Iterator[Block]:
    """Yield the lines of a block, if a style sheet makes lines of some of its styles: "Bye. <s>A park.</s>"."""
    cuts = {0, len(block.text)}
    borders = {style.start for style in block.styles} | cuts
    for style in block.styles if len(block.styles) <= MOST_STYLES else ():
        after = len(block.text) - len(block.text[style.end :].lstrip())
        if LINE_STYLE.match(style.name) and after in borders:
            cuts.update((style.start, after))
    for start, end in pairwise(sorted(cuts)):
        yield block.part(start, end) if len(cuts) > 2 else block


def _close(opened: list[tuple[str, str]], tag: str) -> str:
    """Take the last of the open elements with this tag from the list, and return its name; "" without one."""
    for back in range(1, min(DEEPEST, len(opened)) + 1):
        if opened[-back][0] == tag:
            return opened.pop(-back)[1]
    return ""


class _Writer:
    """Collects the runs of one block, folds blanks as a browser does, and keeps the bold state across tags.

    Bold opened before a block (`<b><p>Joey:</b>`, `Hi.<b><br>Joey:</b>`) holds in it; bold left open ends with the
    block it was used in. Of other styles it keeps where in the block they start and end.
    """

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.paragraph = True
        self.bold = 0
        self.length = 0  # of the block
        self.styles: list[tuple[str, str]] = []  # that are open: tag and name
        self.starts: list[int] = []  # of each of them, in the block
        self.spans: list[Style] = []

    def open(self, tag: str, name: str) -> None:
        self.bold += name == "b"
        if tag not in ("b", "strong"):
            self.styles.append((tag, name))
            self.starts.append(self.length)

    def close(self, tag: str) -> None:
        name = "b" if tag in ("b", "strong") else _close(self.styles, tag)
        if name == "b":
            self.bold = max(0, self.bold - 1)
        if len(self.starts) > len(self.styles):
            self._keep(name, self.starts.pop())

    def _keep(self, name: str, start: int) -> None:
        """Keep the stretch of a style that ends here, if it says something."""
        if name not in ("", "b") and start < self.length:
            self.spans.append(Style(start, self.length, name))

    def write(self, text: str) -> None:
        if not self.runs and text in ("", "\n"):  # between two paragraphs
            return
        for part in MARK.split(text):
            if part.startswith("\x02/"):
                self.close(part[2:-1])
            elif part.startswith("\x02"):
                self.open(*part[1:-1].split(" "))
            elif part:
                self._add(BLANKS.sub(" ", part))

    def _add(self, text: str) -> None:
        last = self.runs[-1] if self.runs else None
        if last is None or last.text[-1] == " ":
            text = text.removeprefix(" ")
        if not text:
            return
        self.length += len(text)
        bold = self.bold > 0
        if last and last.bold == bold:
            self.runs[-1] = Run(last.text + text, bold)
        else:
            self.runs.append(Run(text, bold))

    def end_block(self, heading: bool, starts_paragraph: bool, element: str) -> Block | None:
        """End the block here, and return it; None where nothing visible was written: a paragraph border (<br><br>)."""
        runs, paragraph = tuple(self.runs), self.paragraph
        for (_, name), start in zip(self.styles[-DEEPEST:], self.starts[-DEEPEST:], strict=True):
            self._keep(name, start)
        self.starts[-DEEPEST:] = [0] * len(self.starts[-DEEPEST:])
        spans = tuple(self.spans)
        self.runs, self.spans, self.length = [], [], 0
        if starts_paragraph:  # what was left open ends with it
            self.styles.clear()
            self.starts.clear()
        if all(run.text.isspace() for run in runs):
            self.paragraph = True
            return None
        self.paragraph = starts_paragraph
        if next(run.bold for run in reversed(runs) if not run.text.isspace()):
            self.bold = 0
        return Block(runs, paragraph, heading, element, spans)
