"""Markdown: headings, bold labels and emphasis as they would be shown; the marks themselves are no text."""

import re

from friends_corpus.core.model import Block, Run

from .html import CONTROLS, decode

LABEL = re.compile(r"(?m)^[ \t]*(?:[-*+] )?(?:\*\*|__)[^*_\n]{1,60}(?::(?:\*\*|__)|(?:\*\*|__)\s*:)")  # "**Joey:**"
HEADING = re.compile(r"[ \t]{0,3}#{1,6}[ \t]+(.*?)[ \t#]*$")
RULE = re.compile(r"[ \t]*(?:[-*_][ \t]*){3,}$")
QUOTE = re.compile(r"[ \t]{0,3}(?:> ?)+")
LIST = re.compile(r"^[ \t]*[-*+][ \t]+(?=\S)")
BOLD = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1")
EMPHASIS = re.compile(r"(?<![\w*])([*_])(?=[^\s*_])(.+?)(?<=[^\s*_])\1(?![\w*])")
LINK = re.compile(r"!?\[([^\]\n]*)\]\([^)\n]*\)")
ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+.!>-])")
BLANKS = re.compile(r"[ \t]+")
LINE = re.compile(r"\r\n?|\n")
FEWEST = 2  # bold labels that make a text Markdown


def is_markdown(text: str) -> bool:
    """Tell whether a text without tags marks its labels or headings as Markdown does.

    >>> is_markdown("**Joey:** Hi.\\n\\n**Ross**: Hey."), is_markdown("Joey: Hi **there**.")
    (True, False)
    """
    return sum(1 for _ in LABEL.finditer(text)) >= FEWEST


def read_markdown(data: bytes) -> list[Block]:
    """Return the lines of a Markdown text as blocks; a quotation is a note of the transcriber.

    >>> [(block.text, block.heading) for block in read_markdown(b"# The One\\n\\n**Joey:** the *red* one\\n")]
    [('The One', True), ('Joey: the red one', False)]
    """
    blocks, paragraph = [], True
    for line in LINE.split(CONTROLS.sub("", decode(data))):
        if not line.strip() or RULE.fullmatch(line):
            paragraph = True
            continue
        heading = HEADING.match(line)
        quote = QUOTE.match(line)
        text = heading[1] if heading else line[quote.end() :] if quote else LIST.sub("", line, count=1)
        runs = _runs(BLANKS.sub(" ", LINK.sub(r"\1", text)).removeprefix(" "))
        if any(run.text.strip() for run in runs):
            blocks.append(Block(runs, paragraph or bool(quote), bool(heading), role="note" if quote else ""))
        paragraph = bool(heading)
    return blocks


def _runs(text: str) -> tuple[Run, ...]:
    """Return a line's text by weight, without its marks."""
    runs, offset = [], 0
    for match in BOLD.finditer(text):
        runs += [Run(_plain(text[offset : match.start()]), False), Run(_plain(match[2]), True)]
        offset = match.end()
    runs.append(Run(_plain(text[offset:]), False))
    return tuple(run for run in runs if run.text)


def _plain(text: str) -> str:
    return ESCAPE.sub(r"\1", EMPHASIS.sub(r"\2", text))
