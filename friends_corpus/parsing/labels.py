"""Is this the label of a speaker? The grammar of cues: where one starts and ends in a printed line.

Transcribers print "Joey:", "**Joey**:", "JOEY:", "Joey and Ross:", "Joey (to Ross):", "**Joey**. Hi", "Joey raises his
hand:". A colon alone proves nothing ("Rule one: never"), so a label must also be bold, or a name that is known (from
speakers.csv or printed in bold elsewhere on the page), or capitals on a page that prints its labels so.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from friends_corpus.core.model import Block
from friends_corpus.show.config import Show
from friends_corpus.show.speakers import LIST, key

from .bold import bold_mask, bold_share, bold_starts
from .brackets import CLOSERS, OPENER, match_brackets, outside
from .marks import CAPITALS, NAME_LIKE, SPEECH_START, SURE, Marked, is_name, learn_mark
from .translations import find_translations

MAX_LABEL = 120  # characters up to the colon; the longest label written as prose has 76

COLON = re.compile(r"\s*[:：](?:\s*[:;])*(?:\.(?!\.))?\s*")  # ":", " : ", "::", ": :", ":."; not the dots of ":..."
AFTER_BOLD = re.compile(r"\s*[.;:,]*\s*")  # what may follow a bold label that lacks its colon
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


class Rule(Enum):
    """Why a stretch of a line is a label, in the words of `explain`; in the order in which they are tried."""

    KNOWN = "the show knows every name in it"
    BOLD_ELSEWHERE = "this page prints it in bold with a colon"
    PLAIN = "this page prints its labels plainly, and it begins lines in the same way"
    STYLED = "this page sets off its labels in the same style, without a colon"
    OWN_LINE = "this page prints its labels on lines of their own"
    SET_APART = "this page parts its labels from the speech by a dash, a bar or brackets"
    CAPITALS_ALONE = "this page prints its labels in capitals, without a colon"
    CAST = "it is the label of other turns on this page"
    BOLD_PART = "it is bold, names a part such as “Woman” or “Guy #2”, and comes after the end of a sentence"
    BOLD = "it is bold and a colon follows"
    CAPITALS = "it is in capitals, as the labels of this page are"
    PROSE = "it begins with a name that the show knows and goes on as prose, up to a colon"
    PART = "it names a part such as “Woman” or “Announcer”, and a colon follows"


@dataclass(frozen=True, slots=True)
class Cue:
    """A label: its place in a block's text, where the speech after its colon begins, and the rule that found it."""

    start: int
    end: int
    speech: int
    rule: Rule


# the first word of a mark → the rule of its labels
RULES = {"style": Rule.STYLED, "bold": Rule.STYLED, "line": Rule.OWN_LINE, "capitals": Rule.CAPITALS_ALONE}


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


@dataclass(frozen=True, slots=True)
class Habits:
    """How one page prints its labels, read off the page before it is cut up."""

    show: Show
    episode_id: str
    labels: frozenset[str]  # keys of labels printed bold with a colon
    plain: frozenset[str]  # keys of labels that recur, on a page that prints hardly any of them in bold
    cast: frozenset[str]  # keys of all labels of known people that begin a line
    capitals: bool  # labels stand in plain capitals
    breaks: bool  # turns are parted by <br>, not by paragraphs
    translated: frozenset[int]  # the numbers of the blocks that translate the line above
    marked: Marked  # labels that are set off by something else than a colon

    def rule_of(self, label: str) -> Rule | None:
        """Return the rule by which the label is known wherever it stands, if it is."""
        if self.show.people.is_listed(label, self.episode_id):
            return Rule.KNOWN
        if key(label) in self.labels:
            return Rule.BOLD_ELSEWHERE
        is_plain = key(label) in self.plain or all(key(name) in self.plain for name in LIST.split(label))
        return Rule.PLAIN if self.plain and is_plain else None

    def has(self, name: str) -> bool:
        """Tell whether the one so named is of the main cast, or begins a line of this page."""
        name = name.removesuffix("'s").removesuffix("’s")
        return name in self.show.cast or key(name) in self.cast

    def knows_actor(self, label: str) -> bool:
        """Tell whether a label written as prose begins with a name of the table or the page: "Joey raises his hand"."""
        first = LOWER.split(label, maxsplit=1)[0]
        return self.show.people.is_known(label, self.episode_id) or all(key(n) in self.plain for n in LIST.split(first))


def read_habits(blocks: Sequence[Block], episode_id: str, show: Show) -> Habits:
    """Look over a whole page for its own labels."""
    translated = find_translations(blocks)
    blocks = [block for number, block in enumerate(blocks) if number not in translated]
    labels: set[str] = set()
    cast: set[str] = set()
    loose: set[str] = set()  # written like a part: "Salon girl"
    plain: Counter[str] = Counter()
    opening: Counter[str] = Counter()  # of these, how many begin a paragraph
    capitals = paragraphs = lines = bold = 0
    people = show.people
    for block in blocks:
        text = block.text
        colon = _colon(text, 0)
        if colon < 0 or NO_LABEL.match(text) or SPEECH_START.match(text):
            continue
        label = outside(text[:colon])
        short = len(label) <= 40 and not SENTENCE.search(label)
        if short and Candidate(block, bold_mask(block), 0, colon, label).is_bold:
            labels.add(key(label))
            bold += 1
        elif short and len(label.split()) <= 4 and not FACT.match(label) and (is_name(label) or LOOSE.fullmatch(label)):
            plain[key(label)] += 1
            if not is_name(label):
                loose.add(key(label))
            opening[key(label)] += block.paragraph
        if people.is_listed(label, episode_id):
            cast.add(key(label))
            lines += 1
            paragraphs += block.paragraph
        capitals += bool(CAPITALS.fullmatch(label)) and people.is_known(label, episode_id)
    breaks = 2 * paragraphs < lines
    recurring = sum(count for name, count in plain.items() if count > 1 or name in cast)
    if bold > 0.1 * recurring:
        plain.clear()
    is_sure = recurring >= SURE or (recurring >= 3 and 2 * plain.total() >= len(blocks))
    parted = 2 * opening.total() >= plain.total()  # turns are paragraphs: what only follows a <br> is speech
    enough = {name for name, count in plain.items() if count > 1 or (is_sure and name not in loose)}
    learnt = {name for name in enough - {""} if opening[name] or not parted}
    known_keys = frozenset(name for name, rows in people.rows.items() if rows)
    marked = learn_mark(blocks, known_keys, max(bold, recurring))
    known = labels | cast | learnt | marked.names
    keys = frozenset(labels - {""}), frozenset(learnt), frozenset(known)
    return Habits(show, episode_id, *keys, capitals >= 5, breaks, translated, marked)


def find_cues(block: Block, habits: Habits, inner_only: bool = False) -> list[Cue]:
    """Return the cues of a line in order, usually one at its start; none where it goes on with somebody's speech.

    A further cue inside the line is bold or a name of the page's cast: "… Hi. **Joey:** Hi", "… Hi. Joey: Hi".
    `inner_only` leaves out the first: "Scene: a park. **Joey:** Hi".
    """
    text = block.text
    bold = bold_mask(block)
    first = None if inner_only else _find_first(block, bold, habits)
    cues = [first] if first else []
    end = first.speech if first else 1
    if habits.marked.has_styles:
        cues.extend(_styled_inside(block, habits.marked, end))
        end = cues[-1].speech if cues else end
    if ":" not in text[end:] and "：" not in text[end:]:
        return cues
    counted, quotes = 0, 0
    for offset in _inner_starts(block):
        quotes += sum(QUOTE_COUNTS.get(char, 0) for char in text[counted:offset])
        counted = offset
        colon = _colon(text, offset) if offset >= end else -1
        label = outside(text[offset:colon]) if colon > offset else ""
        if colon > offset and len(label) <= 40:
            rule = _rule_of_inner_label(Candidate(block, bold, offset, colon, label), habits, quotes % 2 == 1)
            if rule:
                cues.append(Cue(offset, colon, _end(COLON, text, colon), rule))
                end = cues[-1].speech
    return cues


def _styled_inside(block: Block, marked: Marked, end: int) -> Iterator[Cue]:
    """Yield the labels of a page's style that stand inside a line, after the end of a sentence."""
    for style in sorted(block.styles):
        if style.start >= end and marked.mark == f"style {style.name}":
            known = key(block.text[style.start : style.end]) in marked.names
            if known and block.text[max(0, style.start - 4) : style.start].rstrip().endswith(SENTENCE_END):
                yield Cue(style.start, style.end, _end(COLON, block.text, style.end), Rule.STYLED)


def begins_with_name(block: Block, habits: Habits) -> bool:
    """Tell whether a line begins with the label of somebody known."""
    colon = _colon(block.text, 0)
    return colon > 0 and habits.rule_of(outside(block.text[:colon])) is not None


def _find_first(block: Block, bold: bytes, habits: Habits) -> Cue | None:
    text = block.text
    if stretch := habits.marked.labels.get((block.element, text)):
        return Cue(0, stretch.end, stretch.speech, RULES.get(stretch.mark.split()[0], Rule.SET_APART))
    start = len(text) - len(text.lstrip(" \xa0-–>"))
    colon = _colon(text, start)
    if colon >= 0:
        printed = text[start:colon]
        if printed.startswith("(") and not outside(printed):  # "(MACHINE--JOEY'S VOICE): …"
            start, printed = start + 1, printed[1:].rstrip(") \xa0")
        label = outside(printed)
        if label and not NO_LABEL.fullmatch(label.strip(" .")):
            rule = _rule_of_label(Candidate(block, bold, start, colon, label), habits)
            if rule:
                return Cue(0, len(text[:colon].rstrip()), _end(COLON, text, colon), rule)
    return _bold_name(block, habits, start)


def _inner_starts(block: Block) -> list[int]:
    """Return where a further label may start: after the end of a sentence, or where bold begins.

    Never inside brackets; but one that stays open to the end of the line ("[Scene: The park") hides no bold label.
    """
    text = block.text
    spans = match_brackets(text)
    inside = bytearray(len(text) + 1)
    left_open = len(text)
    for start, end in spans.items():
        if end == len(text) and text.rstrip()[-1] not in CLOSERS:
            left_open = start
        else:
            inside[start:end] = b"\1" * (end - start)
    plain = {match.start() for match in MID_LINE.finditer(text, 0, left_open)}
    return sorted(offset for offset in plain.union(bold_starts(block)) if not inside[offset])


def _rule_of_inner_label(candidate: Candidate, habits: Habits, quoted: bool) -> Rule | None:
    """Return the rule by which a label inside a line is one.

    It is bold and known, bold and a part after a sentence, or of the page's cast, not quoted.
    """
    label, start = candidate.label, candidate.start
    known = habits.rule_of(label)
    if not any(candidate.bold[start : candidate.colon]):
        names = [label] if key(label) in habits.cast else LIST.split(label)
        of_cast = not quoted and all(key(name) in habits.cast or name in habits.show.cast for name in names)
        return (known or Rule.CAST) if of_cast else None
    if known:
        return known
    after_sentence = candidate.block.text[max(0, start - 4) : start].rstrip(" \xa0").endswith(SENTENCE_END)
    is_part = NAME_LIKE.fullmatch(label) and ROLE.fullmatch(label)
    return Rule.BOLD_PART if after_sentence and is_part and candidate.bold_share > 0.8 else None


def _rule_of_label(candidate: Candidate, habits: Habits) -> Rule | None:
    """Return the first rule by which what stands before a colon at the start of a line is a label."""
    block, label, colon = candidate.block, candidate.label, candidate.colon
    if CLOCK.match(block.text, colon - 1) or (QUOTED.match(label) and 1 not in candidate.bold[candidate.start : colon]):
        return None
    known = habits.rule_of(label)
    if known or SENTENCE.search(label) or SPEECH_START.match(label) or not any(char.isalpha() for char in label):
        return known
    words, is_part = len(label.split()), ROLE.fullmatch(label)
    is_prose = PROSE.fullmatch(label) and not SAYS.match(label) and habits.knows_actor(label)
    rule = None
    if words <= 8 and candidate.is_bold:
        rule = Rule.BOLD
    elif QUOTED.search(label):
        pass
    elif words <= 6 and habits.capitals and block.paragraph and CAPITALS.fullmatch(label):
        rule = Rule.CAPITALS
    elif words <= 6 and is_part and CAPITALS.fullmatch(label):
        rule = Rule.PART
    elif is_prose and (block.paragraph or candidate.bold_share > 0):
        rule = Rule.PROSE
    elif words <= 4 and is_part and (NAME_LIKE.fullmatch(label) or (habits.plain and LOOSE.fullmatch(label))):
        rule = Rule.PART
    return rule


def _bold_name(block: Block, habits: Habits, start: int) -> Cue | None:
    """Find a bold known name in front of plain speech, without its colon: "**Chandler.** Well, …"."""
    head = block.runs[0]
    if start >= len(head.text) or not head.bold or len(block.runs) < 2:
        return None
    label = head.text[start:].strip(" .;,\xa0")
    rule = habits.rule_of(label) if label and len(label.split()) <= 6 else None
    if not rule:
        return None
    end = start + len(head.text[start:].rstrip(" .;,\xa0"))
    return Cue(0, end, _end(AFTER_BOLD, block.text, end), rule)


def _colon(text: str, start: int) -> int:
    """Return the first colon outside brackets within a label's length of `start`; -1 without one."""
    if "：" in text:  # full width
        text = text.replace("：", ":")
    first = text.find(":", start, start + MAX_LABEL)
    if first < 0 or not OPENER.search(text, start, first):
        return first
    window, offset = text[start : start + MAX_LABEL], first - start
    spans = match_brackets(window)
    while offset >= 0:
        around = next(((opener, end) for opener, end in spans.items() if opener < offset < end), None)
        if not around:
            return start + offset
        offset = window.find(":", around[1])
    return -1


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.match(text, start)
    return match.end() if match else start
