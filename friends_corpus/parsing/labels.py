"""Is this the label of a speaker? The grammar of cues: where one starts and ends in a printed line.

Transcribers print "Joey:", "**Joey**:", "JOEY:", "Joey and Ross:", "Joey (to Ross):", "**Joey**. Hi", "Joey raises his
hand:". A colon alone proves nothing ("Rule one: never"), so a label must also be bold, or a name that is known (from
speakers.csv or printed in bold elsewhere on the page), or capitals on a page that prints its labels so.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from friends_corpus.core.model import Block
from friends_corpus.show.speakers import LIST, key

from .bold import bold_mask, bold_starts
from .brackets import CLOSERS, match_brackets, outside
from .habits import Habits, Rule
from .marks import CAPITALS, NAME_LIKE, SPEECH_START, Marked
from .names import (
    CLOCK,
    LOOSE,
    MID_LINE,
    NO_LABEL,
    PROSE,
    QUOTE_COUNTS,
    QUOTED,
    ROLE,
    SAYS,
    SENTENCE,
    SENTENCE_END,
    Candidate,
    find_colon,
)

COLON = re.compile(r"\s*[:：](?:\s*[:;])*(?:\.(?!\.))?\s*")  # ":", " : ", "::", ": :", ":."; not the dots of ":..."
AFTER_BOLD = re.compile(r"\s*[.;:,]*\s*")  # what may follow a bold label that lacks its colon


@dataclass(frozen=True, slots=True)
class Cue:
    """A label: its place in a block's text, where the speech after its colon begins, and the rule that found it."""

    start: int
    end: int
    speech: int
    rule: Rule


RULES = {  # the first word of a mark → the rule of its labels
    "style": Rule.STYLED,
    "bold": Rule.STYLED,
    "line": Rule.OWN_LINE,
    "capitals": Rule.CAPITALS_ALONE,
}


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
    if block.role:
        return cues
    if habits.marked.has_styles:
        cues.extend(_styled_inside(block, habits.marked, end))
        end = cues[-1].speech if cues else end
    if ":" not in text[end:] and "：" not in text[end:]:
        return cues
    counted, quotes = 0, 0
    for offset in _inner_starts(block):
        quotes += sum(QUOTE_COUNTS.get(char, 0) for char in text[counted:offset])
        counted = offset
        colon = find_colon(text, offset) if offset >= end else -1
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
    colon = find_colon(block.text, 0)
    return colon > 0 and habits.rule_of(outside(block.text[:colon])) is not None


def _find_first(block: Block, bold: bytes, habits: Habits) -> Cue | None:
    text = block.text
    if block.role:
        return Cue(0, len(text.rstrip()), len(text), Rule.COLUMN) if block.role == "label" else None
    if stretch := habits.marked.labels.get((block.element, text)):
        return Cue(0, stretch.end, stretch.speech, RULES.get(stretch.mark.split()[0], Rule.SET_APART))
    start = len(text) - len(text.lstrip(" \xa0-–>"))
    colon = find_colon(text, start)
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


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.match(text, start)
    return match.end() if match else start
