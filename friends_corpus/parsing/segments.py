"""Blocks → segments: every visible character in exactly one classified stretch, in reading order."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from friends_corpus.core.model import Block, Segment

from .brackets import BRACKET, CLOSERS, OPENER, first_unopened_closer, match_brackets, outside
from .habits import Habits
from .labels import Cue, begins_with_name, find_cues
from .line_kinds import (
    ADDRESS,
    MARKER,
    SCENE,
    Place,
    brackets_places,
    has_few_scenes,
    holds_no_first_cue,
    kind_of_bracket,
    kind_of_line,
    opens_over_the_end,
    start_of_foot,
)
from .names import SENTENCE_END
from .translations import TRANSLATION

Piece = tuple[str, str]  # kind, text
GOES_ON = ""  # the kind of a piece that belongs to the one before: "(He walks in<br>and sits down)"
LINES_IN_BRACKET = 8  # how many further lines a bracket may take to close; most open ones were just forgotten


def cut(blocks: Sequence[Block], habits: Habits) -> tuple[Segment, ...]:
    """Cut a page into segments; joined they are the blocks' texts, each ended by a newline. None is blank."""
    if habits.breaks:
        blocks = [replace(block, paragraph=True) for block in blocks]
    pieces = _join_blanks(piece for line in _lines(blocks, habits) for piece in line)
    return tuple(Segment(order, kind, text) for order, (kind, text) in enumerate(pieces))


def _lines(blocks: Sequence[Block], habits: Habits) -> Iterator[list[Piece]]:
    """Yield one list of pieces for each block, the newline included."""
    position = Place(few_scenes=has_few_scenes(blocks), bracketed=brackets_places(blocks))
    foot = start_of_foot(blocks, habits)
    inside = 0  # how many of the next lines stand in a bracket that an earlier one opened
    for index, block in enumerate(blocks):
        if index == foot:
            position.ended, position.speaking = True, False
        if index in habits.translated:
            yield [(TRANSLATION, block.text + "\n")]
            continue
        if inside:
            inside -= 1
            pieces = list(_end_of_bracket(block.text, last=not inside))
        else:
            if opens_over_the_end(block.text):
                inside = _lines_to_closer(blocks[index + 1 : index + 1 + LINES_IN_BRACKET], habits)
            pieces = list(_pieces(block, habits, position, goes_on=inside > 0))
        position.move_past(block.text, {kind for kind, text in pieces if text.strip()})
        kind, last = pieces[-1]
        yield [*pieces[:-1], (kind, last + "\n")]


def _pieces(block: Block, habits: Habits, position: Place, goes_on: bool) -> Iterator[Piece]:
    """Cut one line: what leads up to its first label as a line of its own, then its turns.

    `goes_on`: the next line closes its last bracket.
    """
    if block.role:  # the format says what it is
        yield from _without_cue(block, habits, position, goes_on)
        return
    flat = " ".join(block.text.split())
    heading = block.heading and not begins_with_name(block, habits)  # left open, it would hold all that follows
    cues = find_cues(block, habits, inner_only=holds_no_first_cue(flat, heading, position.head, habits))
    if position.ended:
        cues = [cue for cue in cues if habits.rule_of(outside(block.text[cue.start : cue.end]))]
    lead = cues[0].start if cues else len(block.text)
    bracket = OPENER.search(block.text, 1, lead)
    if bracket and MARKER.fullmatch(block.text[: bracket.start()]):  # "OPENING CREDITS [Scene: …]"
        yield "marker", block.text[: bracket.start()]
        yield from _without_cue(block.part(bracket.start(), lead), habits, position, goes_on)
    elif lead:
        yield from _without_cue(block.part(0, lead), habits, position, goes_on)
    end = _start_of_marker(block) if cues else len(block.text)
    yield from _turns(block.text[:end], cues, goes_on)
    if end < len(block.text):
        yield "marker", block.text[end:]


def _start_of_marker(block: Block) -> int:
    """Return where a bold marker begins after all speech of a line, or the end: "Joey: Hi. **CLOSING CREDITS**"."""
    runs = list(block.runs)
    while runs and not runs[-1].text.strip():
        runs.pop()
    before = "".join(run.text for run in runs[:-1])
    last = " ".join(runs[-1].text.split())
    is_marker = before.rstrip().endswith(SENTENCE_END) and runs[-1].bold and MARKER.fullmatch(last)
    return len(before) if is_marker else len(block.text)


def _without_cue(block: Block, habits: Habits, position: Place, goes_on: bool) -> Iterator[Piece]:
    kind = {"label": "cue"}.get(block.role, block.role) or kind_of_line(block, position, habits)
    if kind == "speech":
        yield from _speech(block.text, 0, len(block.text), match_brackets(block.text, goes_on))
    elif kind == "credit":
        yield from _credit(block.text)
    else:
        yield kind, block.text


def _turns(text: str, cues: list[Cue], goes_on: bool) -> Iterator[Piece]:
    """Yield label, colon and speech of each turn of a line."""
    spans = match_brackets(text, goes_on)
    for index, cue in enumerate(cues):
        if outside(text[cue.start : cue.end]).strip(" -–>"):
            yield from _speech(text, cue.start, cue.end, spans, plain_kind="cue")
        else:  # "(MACHINE--JOEY'S VOICE): …"
            yield "cue", text[cue.start : cue.end]
        yield "punctuation", text[cue.end : cue.speech]
        end = cues[index + 1].start if index + 1 < len(cues) else len(text)
        yield from _speech(text, cue.speech, end, spans)


def _speech(text: str, start: int, end: int, spans: dict[int, int], plain_kind: str = "speech") -> Iterator[Piece]:
    """Cut a stretch of a line, directions and notes apart; `plain_kind` is what is not in brackets."""
    plain = start
    for match in BRACKET.finditer(text, start, end):
        offset = match.start()
        if offset < plain:  # inside the bracket before
            continue
        closer = offset in spans and min(spans[offset], end)
        if closer or (match[0] in CLOSERS and match[0] != ">"):
            yield plain_kind, text[plain:offset]
            plain = closer or offset + 1
            bracket = text[offset:plain]
            yield (kind_of_bracket(" ".join(bracket.split())) if closer else "punctuation"), bracket
    yield plain_kind, text[plain:end]


def _lines_to_closer(following: Sequence[Block], habits: Habits) -> int:
    """Count the lines that an open bracket takes: "(He walks in<br>and sits down)"; 0 if none closes it."""
    for count, block in enumerate(following, start=1):
        begins_anew = SCENE.match(" ".join(block.text.split())) or block.heading
        if begins_anew or any(cue.start == 0 for cue in find_cues(block, habits)):
            return 0
        if first_unopened_closer(block.text) >= 0:
            return count
    return 0


def _end_of_bracket(text: str, last: bool) -> Iterator[Piece]:
    closer = first_unopened_closer(text) + 1 if last else len(text)
    yield GOES_ON, text[:closer]
    yield from _speech(text, closer, len(text), match_brackets(text))


def _credit(text: str) -> Iterator[Piece]:
    """Cut a credit line, people's e-mail addresses apart: they are not kept."""
    offset = 0
    for match in ADDRESS.finditer(text) if "@" in text else ():
        yield "credit", text[offset : match.start()]
        yield "dropped:address", match[0]
        offset = match.end()
    yield "credit", text[offset:]


def _join_blanks(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """Join blank pieces to the one before (or, at the start, after), so that each holds a visible character.

    Punctuation is joined to punctuation, so that a line of brackets alone is not thousands of pieces.
    """
    kind, held, visible = "", [""], False
    for next_kind, text in pieces:
        is_visible = bool(text.strip())
        if visible and is_visible and next_kind != GOES_ON and not kind == next_kind == "punctuation":
            yield kind, "".join(held)
            kind, held = next_kind, [text]
        else:
            kind = kind if visible else next_kind
            held.append(text)
        visible = visible or is_visible
    if text := "".join(held):
        yield kind, text
