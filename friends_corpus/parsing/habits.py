"""How one page prints its labels: read off the whole page before it is cut up, and forgotten after it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from friends_corpus.core.model import Block
from friends_corpus.show.config import Show
from friends_corpus.show.speakers import LIST, key

from .bold import bold_mask
from .brackets import outside
from .marks import CAPITALS, SPEECH_START, SURE, Marked, is_name, learn_mark
from .names import FACT, LOOSE, LOWER, NO_LABEL, SENTENCE, Candidate, find_colon
from .translations import find_translations


class Rule(Enum):
    """Why a stretch of a line is a label, in the words of `explain`; in the order in which they are tried."""

    COLUMN = "it stands in the column of speakers"
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


STYLES = {  # of labels that no colon sets off, by the first word of their mark
    "style": "labels in the style",
    "bold": "bold labels without a colon",
    "dash": "labels before a dash",
    "pipe": "labels before a bar",
    "bracket": "labels in brackets",
    "capitals": "labels in capitals",
    "line": "labels on lines of their own",
}


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
    spoken_looks: frozenset[str]  # of lines that begin with a label: no mark of headings and directions

    @property
    def style(self) -> str:
        """Return how the page prints its labels, in words."""
        if self.marked.mark:
            mark, _, named = self.marked.mark.partition(" ")
            return f"{STYLES.get(mark, mark)} {named.split(' ')[0]}".strip()
        if len(self.plain) > len(self.labels):
            return "plain labels with a colon"
        return (
            "bold labels with a colon" if self.labels else "capitals with a colon" if self.capitals else "known names"
        )

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
    looks: set[str] = set()
    loose: set[str] = set()  # written like a part: "Salon girl"
    plain: Counter[str] = Counter()
    opening: Counter[str] = Counter()  # of these, how many begin a paragraph
    capitals = paragraphs = lines = bold = 0
    people = show.people
    for block in blocks:
        text = block.text
        colon = find_colon(text, 0)
        if colon < 0 or NO_LABEL.match(text) or SPEECH_START.match(text):
            continue
        label = outside(text[:colon])
        short = len(label) <= 40 and not SENTENCE.search(label)
        if short and Candidate(block, bold_mask(block), 0, colon, label).is_bold:
            labels.add(key(label))
            looks.add(block.look)
            bold += 1
        elif short and len(label.split()) <= 4 and not FACT.match(label) and (is_name(label) or LOOSE.fullmatch(label)):
            plain[key(label)] += 1
            if not is_name(label):
                loose.add(key(label))
            opening[key(label)] += block.paragraph
        if people.is_listed(label, episode_id):
            cast.add(key(label))
            looks.add(block.look)
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
    return Habits(show, episode_id, *keys, capitals >= 5, breaks, translated, marked, frozenset(looks))
