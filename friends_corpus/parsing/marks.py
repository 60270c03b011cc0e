"""How does this page set off its labels, where no colon does? Learnt from what recurs at the starts of its lines.

A label is short, always set off in the same way, recurs, and alternates with others like it. What is learnt holds for
this page alone.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from friends_corpus.core.model import Block
from friends_corpus.show.speakers import LIST, key

from .brackets import outside

SURE = 30  # lines with labels that recur, or half of the page: then a label that is seen once counts as well
LONGEST = 40  # characters of a label that is learnt

NAME_LIKE = re.compile(  # "Woman #1 on Bus", "Élodie", "乔伊"
    r"[^\W\d_a-z][\w'’.-]*(?: (?:(?:[^\W_a-z]|#)[\w'’.-]*|and|et|und|of|the|in|on|at|with|de|von|&|No\.))*"
)
CAPITALS = re.compile(  # "OLD WOMAN", "ROSS and RACHEL"
    r"[A-Z][A-Z\d .,'’#&/-]*(?: (?:and|to) [A-Z][A-Z\d .,'’#&/-]*)?"
)
SPEECH_START = re.compile(  # how speech begins and no label does: "OK: so", "Here's the thing: no", "Question: why?"
    r"(?i)(?:and|but|so|or|then|here|there|i|you|we|they|it|this|that|what|why|how|because|if|when|ok|okay|oh|well|yes|hey"
    r"|question|answer|warning|rule|dear|listen|look|remember|first|second|third|disclaimer)\b"
)
SLUG = re.compile(r"(?i)(?:int|ext|i/e)\b[./ ]")  # "INT. KITCHEN": the heading of a scene
SET_APART = re.compile(  # "Joey - Hi", "JOEY — Hi", "Joey | Hi", "[Joey] Hi", "<Joey> Hi"
    r"(?:(?P<dash>[^\W\d_][^-–—|:<>\[\]!?]{0,40}?)(?: +-{1,2} +| *[–—] *)"
    r"|(?P<pipe>[^\W\d_][^-–—|:<>\[\]!?]{0,40}?) *[|\t] *"
    r"|(?P<bracket>[\[<][^\W\d_][^\[\]<>!?]{0,40}[\]>]) *:? *)(?=\S)"
)
CAPITALS_START = re.compile(  # "JOEY Hi.", "OLD MAN (sits) Hi.": at least two letters each
    r"(?P<capitals>[A-Z][A-Z.'’#\d]+(?: [A-Z#\d][A-Z.'’#\d]*){0,3})(?= (?:\(|[\"“'‘¿¡]?[A-Z]?[a-z'’]|I\b))"
)
AFTER = re.compile(r"[\s:：.;,|–—-]*")  # what may part a label from its speech


@dataclass(frozen=True, slots=True)
class Stretch:
    """The start of a line, or the whole of it, that is set off from what follows by a mark."""

    mark: str
    label: str
    end: int
    speech: int


@dataclass(slots=True)
class Tally:
    """The labels that one mark sets off, in the order of the page."""

    keys: list[str] = field(default_factory=list)
    opening: int = 0  # how many begin a paragraph

    def recurring(self, cast: frozenset[str]) -> Counter[str]:
        """Count the labels that are seen twice or that the show knows, if they alternate."""
        counts = Counter(self.keys)
        recurring = Counter({name: count for name, count in counts.items() if count > 1 or name in cast})
        changes = sum(name != following for name, following in zip(self.keys, self.keys[1:], strict=False))
        return recurring if len(recurring) > 1 and 3 * changes >= len(self.keys) else Counter()


@dataclass(frozen=True, slots=True)
class Marked:
    """The mark by which a page sets off its labels, and what it sets off."""

    mark: str = ""
    labels: Mapping[tuple[str, str], Stretch] = field(default_factory=dict)  # by the block's element and text
    names: frozenset[str] = frozenset()
    apart: bool = False  # labels begin paragraphs and speech follows below them: other paragraphs are action

    @property
    def has_styles(self) -> bool:
        """Whether a line in one style from end to end is no speech: the page marks what is not."""
        return self.mark.startswith("style")


def is_name(label: str) -> bool:
    """Tell whether a label is written like a name: "Woman on Bus", "OLD WOMAN"."""
    if label[:1].islower():
        return False
    return bool(CAPITALS.fullmatch(label) or all(map(NAME_LIKE.fullmatch, LIST.split(label))))


def stretches(block: Block, following: Block | None) -> Iterator[Stretch]:
    """Yield what may be set off as a label at the start of a line, by each mark."""
    text = block.text
    stop = len(text.rstrip(" \xa0"))
    ends = {}
    for style in block.styles:
        if style.start == 0 and style.end < stop:
            ends[f"style {style.name}"] = style.end
    if block.runs[0].bold and len(block.runs) > 1:
        ends["bold"] = len(block.runs[0].text)
    for pattern in (SET_APART, CAPITALS_START):
        if (match := pattern.match(text)) and match.lastgroup:
            ends[match.lastgroup] = match.end(match.lastgroup)
    if following and stop <= LONGEST + 20 and text[stop - 1] not in "?!….,;":
        bold = "bold" if all(run.bold for run in block.runs) else ""
        ends[f"line {block.look} {bold} {'capitals' if text.isupper() else ''}"] = stop
    for mark, end in ends.items():
        label = outside(text[1 : end - 1] if mark == "bracket" else text[:end]).strip(" :.;,-–—\xa0")
        is_short = 0 < len(label) <= LONGEST and len(label.split()) <= 5
        if is_short and is_name(label) and not SLUG.match(label) and not SPEECH_START.match(label):
            length = len(text[:end].rstrip(" :;,-–—\xa0"))
            after = AFTER.match(text, length)
            yield Stretch(mark, label, length, max(end, after.end() if after else end))


def learn_mark(blocks: Sequence[Block], cast: frozenset[str], colons: int) -> Marked:
    """Return the mark that sets off most labels of a page, if colons set off far fewer."""
    tallies: dict[str, Tally] = {}
    lines = []
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        lines.append({stretch.mark: stretch for stretch in stretches(block, following)})
        for mark, marked in lines[-1].items():
            tally = tallies.setdefault(mark, Tally())
            tally.keys.append(key(marked.label))
            tally.opening += block.paragraph
    sizes = {mark: tally.recurring(cast).total() for mark, tally in tallies.items()}
    mark = max(sizes, key=lambda mark: sizes[mark], default="")
    if not mark or 2 * sizes[mark] < 3 * colons or len(tallies[mark].keys) < 3:
        return Marked()
    tally, own_line = tallies[mark], mark.startswith("line")
    recurring = tally.recurring(cast)
    if sizes[mark] < SURE and (6 if own_line else 2) * len(tally.keys) < len(blocks):
        return Marked()
    opening = 2 * tally.opening >= len(tally.keys)  # turns are paragraphs: what only follows a <br> is speech
    labels: dict[tuple[str, str], Stretch] = {}
    is_label, below = False, 0
    for block, marks in zip(blocks, lines, strict=True):
        was_label, stretch = is_label, marks.get(mark)
        counts = stretch and (key(stretch.label) in recurring or block.paragraph or not opening)
        is_label = bool(counts) and not (own_line and was_label)
        if stretch and is_label:
            labels[block.element, block.text] = stretch
        below += was_label and not block.paragraph
    names = frozenset(key(stretch.label) for stretch in labels.values())
    return Marked(mark, labels, names, own_line and opening and 2 * below > len(tally.keys))
