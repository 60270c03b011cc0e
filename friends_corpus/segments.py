"""Blocks → segments: every visible character in exactly one classified stretch, in reading order."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .brackets import BRACKET, CLOSERS, first_unopened_closer, match_brackets, outside
from .cues import Cue, Habits, find_cues
from .kinds import MARKER, Place, holds_no_first_cue, kind_of_bracket, kind_of_line, opens_over_the_end
from .model import Block, Segment

Piece = tuple[str, str]  # kind, text
TURN_KINDS = ("cue", "punctuation", "speech")  # what makes a turn; directions may stand in or between turns
LINES_IN_BRACKET = 3  # how many further lines a bracket may take to close; most open ones were just forgotten

ADDRESS = re.compile(  # "(jane@example.org)", "mailto:jane@example.org"
    r"\s{0,3}[(\[<]?(?:mailto:)?\b[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,8}\s{0,3}[)\]>]?"
)


def cut(blocks: list[Block], habits: Habits) -> tuple[Segment, ...]:
    """The segments of a page; joined they are the blocks' texts, each ended by a newline. None is blank."""
    pieces = _join_blanks(piece for line in _lines(blocks, habits) for piece in line)
    return tuple(Segment(order, kind, text) for order, (kind, text) in enumerate(pieces))


def _lines(blocks: list[Block], habits: Habits) -> Iterator[list[Piece]]:
    """One list of pieces for each block, the newline included."""
    place = Place()
    inside = 0  # how many of the next lines stand in a bracket that an earlier one opened
    for index, block in enumerate(blocks):
        if inside:
            inside -= 1
            pieces = list(_end_of_bracket(block.text, last=not inside))
        else:
            pieces = list(_pieces(block, habits, place))
            if opens_over_the_end(block.text):
                inside = _lines_to_closer(blocks[index + 1 : index + 1 + LINES_IN_BRACKET], habits)
        place.move_past(block.text, {kind for kind, text in pieces if text.strip()})
        kind, last = pieces[-1]
        yield [*pieces[:-1], (kind, last + "\n")]


def _pieces(block: Block, habits: Habits, place: Place) -> Iterator[Piece]:
    """One line: what leads up to its first label as a line of its own, then its turns."""
    flat = " ".join(block.text.split())
    cues = find_cues(block, habits, inner_only=holds_no_first_cue(flat, block.heading, place.head, habits))
    if place.ended:
        cues = [cue for cue in cues if habits.knows(outside(block.text[cue.start : cue.end]))]
    lead = cues[0].start if cues else len(block.text)
    bracket = block.text.find("[")
    if 0 < bracket < lead and MARKER.fullmatch(block.text[:bracket]):  # "OPENING CREDITS [Scene: …]"
        yield "marker", block.text[:bracket]
        yield from _without_cue(block.part(bracket, lead), habits, place)
    elif lead:
        yield from _without_cue(block.part(0, lead), habits, place)
    yield from _turns(block.text, cues)


def _without_cue(block: Block, habits: Habits, place: Place) -> Iterator[Piece]:
    flat = " ".join(block.text.split())
    bold = all(run.bold or not run.text.strip() for run in block.runs)
    kind = kind_of_line(flat, block.paragraph, block.heading, bold, place, habits)
    if kind == "speech":
        yield from _speech(block.text, 0, len(block.text), match_brackets(block.text))
    elif kind == "credit":
        yield from _credit(block.text)
    else:
        yield kind, block.text


def _turns(text: str, cues: list[Cue]) -> Iterator[Piece]:
    """Label, colon and speech of each turn of a line."""
    spans = match_brackets(text)
    for index, cue in enumerate(cues):
        if outside(text[cue.start : cue.end]):
            yield from _speech(text, cue.start, cue.end, spans, plain_kind="cue")
        else:  # "(MACHINE--JOEY'S VOICE): …"
            yield "cue", text[cue.start : cue.end]
        yield "punctuation", text[cue.end : cue.speech]
        end = cues[index + 1].start if index + 1 < len(cues) else len(text)
        yield from _speech(text, cue.speech, end, spans)


def _speech(text: str, start: int, end: int, spans: dict[int, int], plain_kind: str = "speech") -> Iterator[Piece]:
    """A stretch of a line with its directions and notes apart; `plain_kind` is what is not in brackets."""
    plain = start
    for found in BRACKET.finditer(text, start, end):
        offset = found.start()
        if offset < plain:  # inside the bracket before
            continue
        closer = offset in spans and min(spans[offset], end)
        if closer or (found[0] in CLOSERS and found[0] != ">"):
            yield plain_kind, text[plain:offset]
            plain = closer or offset + 1
            bracket = text[offset:plain]
            yield (kind_of_bracket(" ".join(bracket.split())) if closer else "punctuation"), bracket
    yield plain_kind, text[plain:end]


def _lines_to_closer(following: list[Block], habits: Habits) -> int:
    """How many of the following lines an open bracket takes: "(He walks in<br>and sits down)"; 0 if none closes it."""
    for count, block in enumerate(following, start=1):
        if find_cues(block, habits) or holds_no_first_cue(" ".join(block.text.split()), block.heading, False, habits):
            return 0
        if first_unopened_closer(block.text) >= 0:
            return count
    return 0


def _end_of_bracket(text: str, last: bool) -> Iterator[Piece]:
    closer = first_unopened_closer(text) + 1 if last else len(text)
    yield "direction", text[:closer]
    yield from _speech(text, closer, len(text), match_brackets(text))


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
