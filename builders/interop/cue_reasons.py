"""Why the parser read a page as it did: which label made a turn, and how the label was resolved to people.

Nothing is decided here: the page's own blocks and habits and the functions that the parser asks are asked again, in
the parser's order, and the first one that says yes is the reason.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from friends_corpus.core.model import Block, Segment
from friends_corpus.parsing.brackets import outside
from friends_corpus.parsing.labels import CAPITALS, PROSE, ROLE, Cue, Habits, find_cues
from friends_corpus.show.config import Show
from friends_corpus.show.speakers import BRACKETED, COUPLE, LIST, Person, key


@dataclass(frozen=True, slots=True)
class Label:
    """A label as it stands in a printed line: how it is printed, and the first rule that takes it for a label."""

    printed: str  # with the colon: "Joey (to Ross):"
    weight: str  # "bold", "partly bold" or "plain"
    place: str  # "begins a line" or "stands inside a line"
    reason: str


def find_label(blocks: Sequence[Block], segments: Sequence[Segment], habits: Habits, order: int) -> Label:
    """The label that the segment with this order (a cue) begins."""
    before = "".join(segment.text for segment in segments[:order])
    text = segments[order].text
    offset = len(before) + len(text) - len(text.lstrip())
    starts = [0]  # of each block in the page's text, where a newline ends each
    for block in blocks:
        starts.append(starts[-1] + len(block.text) + 1)
    number = bisect_right(starts, offset) - 1
    block, offset = blocks[number], offset - starts[number]
    cue = _cue_at(block, habits, offset)
    weight = _weight(block.part(cue.start, cue.end))
    return Label(
        printed=" ".join(block.text[cue.start : cue.speech].split()),
        weight=weight,
        place="begins a line" if cue.start == 0 else "stands inside a line",
        reason=_reason(block, cue, weight, habits),
    )


def _cue_at(block: Block, habits: Habits, offset: int) -> Cue:
    """The parser's cue at a position of the line; before an inner one there may be a heading, which hides the first."""
    for inner_only in (False, True):
        for cue in find_cues(block, habits, inner_only):
            if cue.start <= offset < cue.end:
                return cue
    raise ValueError(f"no label at character {offset} of the line {block.text!r}")


def _weight(label: Block) -> str:
    letters = [run.bold for run in label.runs for char in run.text if char.isalnum()]
    return "bold" if all(letters) else "partly bold" if any(letters) else "plain"


def _reason(block: Block, cue: Cue, weight: str, habits: Habits) -> str:
    """The first of the parser's rules that holds, in words."""
    printed = block.text[cue.start : cue.end].strip(" \xa0-–>")
    label = outside(printed) or printed.strip("()[] \xa0")
    if habits.show.people.is_listed(label, habits.episode_id):
        reason = "the show knows every name in it"
    elif key(label) in habits.labels:
        reason = "this page prints it in bold with a colon"
    elif cue.start and key(label) in habits.cast:
        reason = "it is the label of other turns on this page"
    elif cue.start:
        reason = "it is bold, names a part such as “Woman” or “Guy #2”, and comes after the end of a sentence"
    elif weight != "plain" and not _is_prose(label, habits):
        reason = "it is bold and a colon follows"
    elif CAPITALS.fullmatch(label) and habits.capitals and block.paragraph:
        reason = "it is in capitals, as the labels of this page are"
    elif _is_prose(label, habits):
        reason = "it begins with a name that the show knows and goes on as prose, up to a colon"
    elif ROLE.fullmatch(label):
        reason = "it names a part such as “Woman” or “Announcer”, and a colon follows"
    else:
        reason = "the parser's rules for labels"  # tests/builders/test_explain.py: no other is left
    return reason


def _is_prose(label: str, habits: Habits) -> bool:
    return PROSE.fullmatch(label) is not None and habits.knows_actor(label)


def describe_speakers(cue: str, episode_id: str, show: Show) -> list[str]:
    """How each person behind a cue was found, one line each.

    >>> from friends_corpus.show.config import friends
    >>> describe_speakers("PHOE/MNCA", "s02e07", friends())[0]
    'Phoebe: “PHOE” in a list of names; speakers.csv: phoe → Phoebe (Phoebe Buffay), in every episode'
    >>> describe_speakers("MAN WITH HAT", "s01e01", friends())
    ['Man With Hat: as printed; neither in speakers.csv nor of the cast']
    """
    people = show.people
    person = people.lookup(cue, episode_id)
    if person:
        return [f"{person.speaker}: “{cue}”; {_table_row(cue, person, show)}"]
    parts = _names(cue)
    rows = {found.speaker: (part, found) for part in reversed(parts) if (found := people.lookup(part, episode_id))}
    described = []
    for speaker in people.resolve(cue, episode_id):
        if speaker in rows:
            part, found = rows[speaker]
            listed = "in a list of names" if len(parts) > 1 else "in the label"
            described.append(f"{speaker}: “{part}” {listed}; {_table_row(part, found, show)}")
        elif people.is_known(cue, episode_id) and not people.is_listed(cue, episode_id):
            described.append(f"{speaker}: leads a label written as prose, “{cue}”; a name that the show knows")
        else:
            described.append(f"{speaker}: as printed; neither in speakers.csv nor of the cast")
    return described


def _names(cue: str) -> list[str]:
    """The names that a cue lists.

    >>> _names("Ross, Rachel, and Phoebe (together)"), _names("Mr. and Mrs. Geller")
    (['Ross', 'Rachel', 'Phoebe'], ['Mr. Geller', 'Mrs. Geller'])
    """
    plain = " ".join(BRACKETED.sub(" ", cue).split()).strip(" ,;.:-")
    couple = COUPLE.fullmatch(plain)
    if couple:
        return [f"{couple[1]}. {couple[3]}", f"{couple[2]}. {couple[3]}"]
    return [part for part in LIST.split(plain) if part]


def _table_row(cue: str, person: Person, show: Show) -> str:
    """The row that a name was found by: the file, whom it means, and where another row does not come first."""
    name = f"{person.speaker} ({person.full_name})" if person.full_name else person.speaker
    elsewhere = [scope for other in show.people.rows[key(cue)] if other != person for scope in other.episodes]
    but = f" but {', '.join(elsewhere)}" if elsewhere else ""
    where = f"only in {', '.join(person.episodes)}" if person.episodes else f"in every episode{but}"
    return f"{'show.yaml' if person in show.cast_only else 'speakers.csv'}: {key(cue)} → {name}, {where}"
