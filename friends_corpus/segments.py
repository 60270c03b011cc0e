"""Blocks → segments: every visible character in exactly one classified stretch, in reading order.

Each line is cut by the first rule that fits; the patterns below describe how transcribers write, never one page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .brackets import CLOSERS, OPENERS, closes_before_it_opens, is_left_open, match_brackets, outside
from .cues import Cue, Habits, find_cues
from .model import Block, Segment

Piece = tuple[str, str]  # kind, text
TURN_KINDS = ("cue", "punctuation", "speech")  # what makes a turn; the rest may stand in or between turns
DIRECTION_KINDS = ("direction", "transition", "caption")  # what tells the actors or the viewer something

SCENE = re.compile(  # "[Scene: Central Perk", "(Scene: …", "[Tag Scene:", "[SCENE, …", "Scene: …"
    r"(?i)[\s(\[{<*-]*(?:tag |closing |opening )?scenes?\b(?=\s*[:,;.\-–\])]|\s+[A-Z\d])"
)
TRANSITION = re.compile(  # within a scene: "[Cut to", "(Time Lapse)", "[Flashback", "-Cuts to", "[Later, …]"
    r"(?i)[\s(\[{<*-]*(?:cuts?(?: back| again| forward)*(?: to\b|[:,.\s])|time[ -]?lapse|flash ?(?:back|forward)s?\b"
    r"|later\b|meanwhile\b|back (?:at|in|to|with)\b|the next (?:day|morning|night)\b)"
)
LABELLED_TRANSITION = re.compile(r"(?i)\W*(?:cut(?: back)? to|time[ -]?lapse|flashback) ?:")  # "CUT TO: The party."
PLACE = re.compile(  # a bracketed line that only names a place: "(at Central Perk)", "[Monica and Rachel's]"
    r"(?i)[\s(\[{<*]*(?:at [^.,]{1,40}"
    r"|central perk|(?:[\w.]+(?: and |, ?))*[\w.]+['’]s?(?: apartment| place| house| office)?)[\s.)\]*]*"
)
PROSE_PLACE = re.compile(  # an unbracketed line that only says where: "Ross and Rachel's Apartment"
    r"(?i).{0,50}\b(?:apartment|central perk|coffee ?house|hallway|office|hospital|restaurant|street|airport|museum"
    r"|bedroom)\W*"
)
MARKER = re.compile(  # "Opening Credits", "[INTRO]", "COMMERCIAL BREAK", "The End", "To Be Continued…"
    r"(?i)[\W_]*(?:(?:the )?(?:opening|closing|ending|end|main|starting|final) (?:credits?|titles?|sequence|theme|tag)"
    r"|intro|(?:commercials?|commerical)(?: break)?|credits?|the end|end|fade (?:out|in|to black)|to be continued"
    r"|theme song)[\W_]*"
)
END = re.compile(r"(?i)[\W_]*(?:the )?end(?: tag)?[\W_]*")  # "End", "THE END", "[END TAG]"
CREDIT = re.compile(  # "Originally written by …", "Part I Written by: …", "Teleplay: …", "Aired: 30/01/2003"
    r"(?i)[\s(\[]*(?:parts?|episodes?|flashback|originally|orginally|additional|minor|with|final|html\w*|written|story|teleplay"
    r"|transcri\w+|directed|produced|aired|air ?date|created|hosted|based)\b[^:]{0,60}?(?:by|from|:|transcribed|date)\b"
    r"|.{0,40}\b(?:written|transcribed|transcript|directed|produced|teleplay|story|aired|adjustments|additions|html\w*)\s*(?:by|:)"
)
NOTE = re.compile(  # "{Transcriber's Note: …}", "(Note: …)", "{…}"
    r"(?i)[\s(\[{*]*(?:(?:transcriber|editor|author)?[’'`]?s?\s*note\b|n\.?b\.?:)|\s*\{"
)
NAVIGATION = re.compile(  # "Back to the index", "Previous | Home | Next"
    r"(?i)[\W_]*(?:(?:back|return|go|home|next|prev(?:ious)?|index|main|top|up|menu|page|episodes?|seasons?|list|guide|transcripts?"
    r"|scripts?|friends|to|the|of|\d+)\b[\W_]*)+"
)
ADDRESS = re.compile(  # "(jane@example.org)", "mailto:jane@example.org"
    r"\s{0,3}[(\[<]?(?:mailto:)?\b[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,8}\s{0,3}[)\]>]?"
)
PROSE_DIRECTION = re.compile(  # an unbracketed line about somebody: "Monica opens her front door."
    r"([A-Z][\w'’]+)(?:(?:,? and |, )[A-Z][\w'’]+)* (?:is|are|has|have|comes?|goes|go|enters?|exits?|leaves?|makes?"
    r"|opens?|walks?|looks?|sits?|stands?|runs?|starts?|puts?|takes?|turns?|hangs?|gets?|kiss(?:es)?"
    r"|hugs?|\w+(?:[^s]s|ches|shes))\b"
)
THE_ONE = re.compile(r"(?i)[\W\d]*the (?:last )?one\b")  # "908 - The One With …": how titles begin


def cut(blocks: list[Block], habits: Habits) -> tuple[Segment, ...]:
    """The segments of a page; joined they are the blocks' texts, each ended by a newline. None is blank."""
    pieces = _join_blanks(piece for line in _lines(blocks, habits) for piece in line)
    return tuple(Segment(order, kind, text) for order, (kind, text) in enumerate(pieces))


@dataclass(slots=True)
class _Place:
    """Where in a page the next line stands."""

    head: bool = True  # before the first heading, direction or cue
    titled: bool = False  # a title has been seen
    ended: bool = False  # after "The End"
    speaking: bool = False  # a line without a label goes on with somebody's speech
    left_open: bool = False  # the line before opened a bracket that it did not close

    def move_past(self, text: str, kinds: set[str]) -> None:
        self.head = self.head and kinds <= {"title", "credit", "note", "dropped:address", "dropped:navigation"}
        self.titled = self.titled or "title" in kinds
        self.ended = self.ended or bool(END.fullmatch(text))
        self.speaking = "cue" in kinds or (self.speaking and not kinds & {"heading", "marker"})
        self.left_open = len(kinds) == 1 and is_left_open(text)


def _lines(blocks: list[Block], habits: Habits) -> Iterator[list[Piece]]:
    """One list of pieces for each block, the newline included."""
    place = _Place()
    for block in blocks:
        text = block.text
        cues = [] if _has_no_cue(block, place.head) else find_cues(block, habits)
        if cues:
            pieces = list(_turns(text, cues))
        elif place.left_open and closes_before_it_opens(text):  # "(He walks in<br>and sits down)"
            pieces = [("direction", text)]
        else:
            pieces = list(_without_cue(block, habits, place))
        place.move_past(text, {kind for kind, _ in pieces})
        kind, last = pieces[-1]
        yield [*pieces[:-1], (kind, last + "\n")]


def _has_no_cue(block: Block, head: bool) -> bool:
    """Lines that may hold a colon but never a cue."""
    text = block.text
    return bool(
        block.heading
        or (head and CREDIT.match(text))
        or NOTE.match(text)
        or SCENE.match(text)
        or LABELLED_TRANSITION.match(text)
        or (TRANSITION.match(text) and _is_wrapped(text))
        or MARKER.fullmatch(text)
    )


def _turns(text: str, cues: list[Cue]) -> Iterator[Piece]:
    """A line with labels: the end of the speech before, then label, colon and speech of each."""
    spans = match_brackets(text)
    yield from _speech(text, 0, cues[0].start, spans)
    for cue, following in zip(cues, [*cues[1:], None], strict=True):
        if outside(text[cue.start : cue.end]):
            yield from _speech(text, cue.start, cue.end, spans, plain_kind="cue")
        else:  # "(MACHINE--JOEY'S VOICE): …"
            yield "cue", text[cue.start : cue.end]
        yield "punctuation", text[cue.end : cue.speech]
        yield from _speech(text, cue.speech, following.start if following else len(text), spans)


def _speech(text: str, start: int, end: int, spans: dict[int, int], plain_kind: str = "speech") -> Iterator[Piece]:
    """A stretch of a line with its directions and notes apart; `plain_kind` is what is not in brackets."""
    plain = offset = start
    while offset < end:
        closer = offset in spans and min(spans[offset], end)
        if closer or (text[offset] in CLOSERS and text[offset] != ">"):
            yield plain_kind, text[plain:offset]
            plain = closer or offset + 1
            yield (_bracket_kind(text[offset:plain]) if closer else "punctuation"), text[offset:plain]
            offset = plain
        else:
            offset += 1
    yield plain_kind, text[plain:end]


def _bracket_kind(text: str) -> str:
    if NOTE.match(text):
        return "note"
    if text[0] == "[" and SCENE.match(text):
        return "heading"
    return "transition" if text[0] == "[" and TRANSITION.match(text) else "direction"


def _is_wrapped(text: str) -> bool:
    """Whether a line is one bracket from end to end, closed or not."""
    stripped = text.strip(" \xa0*.")
    return stripped[:1] in OPENERS and match_brackets(stripped).get(0, 0) == len(stripped)


def _without_cue(block: Block, habits: Habits, place: _Place) -> Iterator[Piece]:
    """A line without a label: title, credit, marker, heading, note, direction, or more of the speech before it."""
    text = block.text
    start = text.strip(" \xa0*")[:1]
    wrapped = _is_wrapped(text)
    bold = all(run.bold or not run.text.strip() for run in block.runs)
    if MARKER.fullmatch(text):
        yield "marker", text
    elif block.heading:
        yield "title" if place.head else "heading", text
    elif NOTE.match(text):
        yield "note", text
    elif SCENE.match(text) and (wrapped or start not in OPENERS):
        yield "heading", text
    elif (place.head or place.ended) and len(text) < 200 and NAVIGATION.fullmatch(text):
        yield "dropped:navigation", text
    elif LABELLED_TRANSITION.match(text) or (TRANSITION.match(text) and (wrapped or _is_short(block))):
        yield "transition", text
    elif wrapped:
        yield "heading" if PLACE.fullmatch(text) and (bold or start == "[") else "direction", text
    elif (place.head or place.ended) and CREDIT.match(text):
        yield from _credit(text)
    elif place.ended and not place.speaking:
        yield "dropped:navigation", text
    elif place.head and not (bold and place.titled):
        yield "title" if bold or THE_ONE.match(text) else "note", text
    elif block.paragraph and (actor := PROSE_DIRECTION.match(text)) and habits.knows(actor[1].removesuffix("'s")):
        yield "direction", text
    elif block.paragraph and PROSE_PLACE.fullmatch(text):
        yield "heading", text
    elif (block.paragraph and bold) or text.startswith(">>>"):
        yield "caption", text
    elif place.speaking or (SCENE.search(text) and "[" in text):
        yield from _speech(text, 0, len(text), match_brackets(text))
    else:
        yield "direction", text


def _is_short(block: Block) -> bool:
    """A paragraph of a few words or one set off by a dash: "Later on.", "-Cut to Rachel"."""
    return block.paragraph and (len(block.text) < 60 or block.text.startswith(("-", "–")))


def _credit(text: str) -> Iterator[Piece]:
    """A credit line with people's e-mail addresses apart: they are not kept."""
    offset = 0
    for match in ADDRESS.finditer(text) if "@" in text else ():
        yield "credit", text[offset : match.start()]
        yield "dropped:address", match[0]
        offset = match.end()
    yield "credit", text[offset:]


def _join_blanks(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """Blank pieces joined to the one before (or, at the start, after), so that each holds a visible character."""
    kind, held = "", ""
    for next_kind, text in pieces:
        if held.strip() and text.strip():
            yield kind, held
            kind, held = next_kind, text
        else:
            kind, held = (kind if held.strip() else next_kind), held + text
    if held:
        yield kind, held
