"""What a name looks like where it labels a turn, and what stands before a colon that is none."""

import re
from dataclasses import dataclass

from friends_corpus.core.model import Block

from .bold import bold_share
from .brackets import OPENER, match_brackets
from .marks import NAME_LIKE

MAX_LABEL = 120  # characters up to the colon; the longest label written as prose has 76

NO_LABEL = re.compile(  # words before a colon that are never a speaker; "Psychic" is one
    r"(?i)(?:(?:transcriber.?s? |editor.?s? |author.?s? )?note|scene(?: \w+)?|p\.? ?s|setting|cuts?(?: back)? to"
    r"|time lapse|flashback|fade (?:in|out|to \w+)|.{1,20} (?:minute|hour|day|week|month|year)s? (?:later|earlier|ago)"
    r"|present day|(?:part|act) (?:[ivx]+|\d+|one|two|three|four|five)|aired|teleplay|story|title|https?|www"
    r"|(?:part \w+ ?)?(?:originally )?(?:written|directed|transcribed|typed|produced|hosted|created|teleplay|story) by"
    r")\b"
)
FACT = re.compile(  # what plain pages say of themselves, in the form of a label: "Stardate: 1.1"
    r"(?i)(?:original |first )?(?:air ?date|stardate|date|time|place|location|episode|season|cast|characters|summary"
    r"|copyright|source)\b"
)
SENTENCE = re.compile(r"[?!…]|\.\s+[a-z]|\.\.")  # punctuation that speech has and a label has not
QUOTED = re.compile(r"[\"“”]")
QUOTE_COUNTS = {'"': 1, "“": 1, "”": -1}
SAYS = re.compile(r"\w+(?: and \w+)? (?:said|says|goes|went|was|is|thinks|thought|told|asked)\b")  # reported speech
PROSE = re.compile(r"[A-Z][\w'’.-]*(?: and [A-Z][\w'’.-]*)? (?!and\b)[a-z][^.?!]*")  # "Joey raises his hand"
LOWER = re.compile(r" (?!and )(?=[a-z])")  # where the prose of a label begins
LOOSE = re.compile(  # a part in lower case: "Salon girl", "2nd customer", "Gate attendant #1"
    r"(?:[A-Z][\w'’-]*|\d(?:st|nd|rd|th))(?! (?:is|was|has|had|i|you|we|my|your|the|a|to|thing|part|point|word|one)\b)"
    r"(?: [\w#'’-]+){1,2}"
)
CLOCK = re.compile(r"\d:\d")  # "at 8:30"
ROLE = re.compile(  # a last word that names a part, not a topic
    r"(?i).*\b(?:man|woman|guy|girl|boy|lady|kid|voice|announcer|waiter|waitress|doctor|dr|nurse|clerk|director|teacher|"
    r"attendant|steward(?:ess)?|agent|act(?:or|ress)|stripper|chef|cook|captain|boss|crowd|audience|reporter|"
    r"friend|mother|father|mom|dad|sister|brother|customer|assistant|driver|officer|cop|host|operator|machine|student)s?"
    r"(?: ?#? ?\d+)?"
)
SENTENCE_END = tuple('.!?)]…”"')
MID_LINE = re.compile(  # "… Hi. Joey: Hi", "… Hi- Mr. Geller: Hi", "… Hi. Joey and Ross (waving): Hi"
    r"(?:(?<=[.!?)\]…”\"–—-])|(?<=[.!?)\]…”\"–—-][ \xa0]))(?=[A-Z][\w.'’]{0,20}"
    r"(?:(?:,?[ \xa0](?:and|&)[ \xa0]|,?[ \xa0])[A-Z][\w.'’]{0,20}){0,4}[ \xa0]?(?:\([^()]{1,60}\)[ \xa0]?)?:)"
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """What may be a label: a stretch of a line up to a colon."""

    block: Block
    bold: bytes  # of the block's text, as `bold_mask` gives it
    start: int
    colon: int
    label: str  # what stands there outside brackets

    @property
    def bold_share(self) -> float:
        """The share of its letters that are bold."""
        return bold_share(self.block.text, self.bold, self.start, self.colon)

    @property
    def is_bold(self) -> bool:
        """Whether it is bold; if its whole line is, it must be like a name: "**My point: no.**" is speech."""
        rest = self.bold[self.colon + 1 : len(self.block.text.rstrip())]
        return self.bold_share > 0.8 and (not rest or 0 in rest or NAME_LIKE.fullmatch(self.label) is not None)


def find_colon(text: str, start: int) -> int:
    """Return the first colon outside brackets within a label's length of `start`; -1 without one."""
    if "：" in text:  # full width
        text = text.replace("：", ":")
    first = text.find(":", start, start + MAX_LABEL)
    if first < 0 or not OPENER.search(text, start, first):
        return first
    stretch, offset = text[start : start + MAX_LABEL], first - start
    spans = match_brackets(stretch)
    while offset >= 0:
        around = next(((opener, end) for opener, end in spans.items() if opener < offset < end), None)
        if not around:
            return start + offset
        offset = stretch.find(":", around[1])
    return -1
