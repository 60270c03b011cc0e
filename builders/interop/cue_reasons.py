"""Explain a turn: the label that starts it, and how the label was resolved to people.

Nothing is decided here: the page is read again, and its cues say by which rule they are labels.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from friends_corpus.core.model import Block, Segment
from friends_corpus.parsing.habits import Habits
from friends_corpus.parsing.labels import Cue, find_cues
from friends_corpus.show.config import Show
from friends_corpus.show.speakers import Person, key, split_names


@dataclass(frozen=True, slots=True)
class Label:
    """A label as it stands in a printed line: how it is printed, and the rule that takes it for a label."""

    printed: str  # with the colon: "Joey (to Ross):"
    weight: str  # "bold", "partly bold" or "plain"
    place: str  # "begins a line" or "stands inside a line"
    reason: str


def find_label(blocks: Sequence[Block], segments: Sequence[Segment], habits: Habits, order: int) -> Label:
    """Find the label that the segment with this order (a cue) begins."""
    before = "".join(segment.text for segment in segments[:order])
    text = segments[order].text
    offset = len(before) + len(text) - len(text.lstrip())
    starts = [0]  # of each block in the page's text, where a newline ends each
    for block in blocks:
        starts.append(starts[-1] + len(block.text) + 1)
    number = bisect_right(starts, offset) - 1
    block, offset = blocks[number], offset - starts[number]
    cue = _cue_at(block, habits, offset)
    return Label(
        printed=" ".join(block.text[cue.start : cue.speech].split()),
        weight=_weight(block.part(cue.start, cue.end)),
        place="begins a line" if cue.start == 0 else "stands inside a line",
        reason=cue.rule.value,
    )


def _cue_at(block: Block, habits: Habits, offset: int) -> Cue:
    """Return the parser's cue at a position of the line; a heading before an inner one hides the first."""
    for cue in [*find_cues(block, habits), *find_cues(block, habits, inner_only=True)]:
        if cue.start <= offset < cue.end:
            return cue
    raise ValueError(f"no label at character {offset} of the line {block.text!r}")


def _weight(label: Block) -> str:
    letters = [run.bold for run in label.runs for char in run.text if char.isalnum()]
    return "bold" if all(letters) else "partly bold" if any(letters) else "plain"


def describe_speakers(cue: str, episode_id: str, show: Show) -> Iterator[str]:
    """Tell how each person behind a cue was found, one line each.

    >>> from friends_corpus.show.config import friends
    >>> next(describe_speakers("PHOE/MNCA", "s02e07", friends()))
    'Phoebe: “PHOE” in a list of names; speakers.csv: phoe → Phoebe (Phoebe Buffay), in every episode'
    >>> [*describe_speakers("MAN WITH HAT", "s01e01", friends())]
    ['Man With Hat: as printed; neither in speakers.csv nor of the cast']
    """
    people = show.people
    person = people.lookup(cue, episode_id)
    if person:
        yield f"{person.speaker}: “{cue}”; {_table_row(cue, person, show)}"
        return
    _, parts = split_names(cue)
    rows = {entry.speaker: (part, entry) for part in reversed(parts) if (entry := people.lookup(part, episode_id))}
    for speaker in people.resolve(cue, episode_id):
        if speaker in rows:
            part, entry = rows[speaker]
            listed = "in a list of names" if len(parts) > 1 else "in the label"
            yield f"{speaker}: “{part}” {listed}; {_table_row(part, entry, show)}"
        elif people.is_known(cue, episode_id) and not people.is_listed(cue, episode_id):
            yield f"{speaker}: starts a label written as prose, “{cue}”; a name that the show knows"
        else:
            yield f"{speaker}: as printed; neither in speakers.csv nor of the cast"


def _table_row(cue: str, person: Person, show: Show) -> str:
    """Return the row that a name was found by: the file, whom it means, and where another row does not precede."""
    name = f"{person.speaker} ({person.full_name})" if person.full_name else person.speaker
    elsewhere = [scope for other in show.people.rows[key(cue)] if other != person for scope in other.episodes]
    but = f" but {', '.join(elsewhere)}" if elsewhere else ""
    where = f"only in {', '.join(person.episodes)}" if person.episodes else f"in every episode{but}"
    return f"{'show.yaml' if person in show.cast_only else 'speakers.csv'}: {key(cue)} → {name}, {where}"
