"""Align two editions of the same dialogue, in order, by their words.

Utterances with the same words are matched first (`difflib`). Between them the longest common subsequence of words
says which utterances share text; those that share most of it are matched, one to one or one to several. A match of a
few words counts only beside others: "Yeah." is in every episode.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from unicodedata import combining, normalize

WORD = re.compile(r"[^\W_]+")  # "don't" → "don", "t"; letters and digits of any script
SIMILAR = 0.5  # the least similarity of a match
SHORT_RUN = 5  # words: matches beside each other that have fewer in all are chance
LONGEST = 12  # utterances of one side in one match

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """A run of our utterances and a run of the reference's with the same text; either may be empty."""

    ours: range
    theirs: range
    similarity: float


def words_of(text: str) -> Words:
    """Return the words of a text, without case, accents and punctuation.

    >>> words_of("Hey, it's André!")
    ('hey', 'it', 's', 'andre')
    """
    plain = "".join(letter for letter in normalize("NFKD", text) if not combining(letter))
    return tuple(WORD.findall(plain.casefold()))


def align(ours: Sequence[Words], theirs: Sequence[Words]) -> list[Match]:
    """Match the utterances of two editions of an episode; every utterance is in at most one match, in order.

    >>> [(*match.ours, *match.theirs) for match in align(
    ...     [("hi",), ("so", "how", "are", "you", "today")], [("so", "how", "are", "you", "today")])]
    [(1, 0)]
    """
    matches: list[Match] = []
    blocks = SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks()
    left = right = 0
    for block in blocks:
        matches += _align_gap(ours, theirs, range(left, block.a), range(right, block.b))
        for number in range(block.size):
            if ours[block.a + number]:
                same = block.a + number, block.b + number
                matches.append(Match(range(same[0], same[0] + 1), range(same[1], same[1] + 1), 1.0))
        left, right = block.a + block.size, block.b + block.size
    return [match for run in _runs(matches) if _count(ours, run) >= SHORT_RUN or _is_all(ours, run) for match in run]


def _align_gap(ours: Sequence[Words], theirs: Sequence[Words], left: range, right: range) -> Iterator[Match]:
    """Match utterances between two exact matches."""
    from rapidfuzz.distance import LCSseq

    mine = [(number, word) for number in left for word in ours[number]]
    other = [(number, word) for number in right for word in theirs[number]]
    if not mine or not other:
        return
    shared: Counter[tuple[int, int]] = Counter()
    for code in LCSseq.opcodes([word for _, word in mine], [word for _, word in other]):
        if code.tag == "equal":
            pairs = zip(mine[code.src_start : code.src_end], other[code.dest_start : code.dest_end], strict=True)
            shared.update((here[0], there[0]) for here, there in pairs)
    edges = sorted(
        pair for pair, count in shared.items() if count >= SIMILAR * min(len(ours[pair[0]]), len(theirs[pair[1]]))
    )
    for group in _groups(edges):
        yield from _best(ours, theirs, range(group[0][0], group[-1][0] + 1), range(group[0][1], group[-1][1] + 1))


def _groups(edges: Sequence[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """Yield edges that share an utterance with the one before, which are in the order of both sides."""
    group: list[tuple[int, int]] = []
    for edge in edges:
        if group and edge[0] != group[-1][0] and edge[1] != group[-1][1]:
            yield group
            group = []
        group.append(edge)
    if group:
        yield group


def _best(ours: Sequence[Words], theirs: Sequence[Words], left: range, right: range) -> Iterator[Match]:
    """Yield the most similar match of a group, and those of what is left before and after it."""
    candidates = [
        Match(here, there, _similarity(ours, theirs, here, there))
        for here in _ranges(left)
        for there in _ranges(right)
        if len(here) == 1 or len(there) == 1
    ]
    best = max(candidates, key=lambda match: (match.similarity, -len(match.ours) - len(match.theirs)), default=None)
    if best is None or best.similarity < SIMILAR:
        return
    yield from _best(ours, theirs, range(left.start, best.ours.start), range(right.start, best.theirs.start))
    yield best
    yield from _best(ours, theirs, range(best.ours.stop, left.stop), range(best.theirs.stop, right.stop))


def _ranges(whole: range) -> list[range]:
    """Return all runs of at most LONGEST utterances."""
    return [range(start, stop) for start in whole for stop in range(start + 1, min(start + LONGEST, whole.stop) + 1)]


def _similarity(ours: Sequence[Words], theirs: Sequence[Words], left: range, right: range) -> float:
    """Return twice the words in common, in order, over all words of both."""
    from rapidfuzz.distance import Indel

    mine = [word for number in left for word in ours[number]]
    other = [word for number in right for word in theirs[number]]
    return float(Indel.normalized_similarity(mine, other)) if mine and other else 0.0


def _runs(matches: Sequence[Match]) -> Iterator[list[Match]]:
    """Yield matches that follow each other with at most one utterance of each side between them."""
    run: list[Match] = []
    for match in matches:
        if run and (match.ours.start - run[-1].ours.stop > 1 or match.theirs.start - run[-1].theirs.stop > 1):
            yield run
            run = []
        run.append(match)
    if run:
        yield run


def _count(ours: Sequence[Words], run: Sequence[Match]) -> float:
    """Return the words that a run of matches has in common."""
    return sum(match.similarity * sum(len(ours[number]) for number in match.ours) for match in run)


def _is_all(ours: Sequence[Words], run: Sequence[Match]) -> bool:
    """Tell whether a run holds all utterances of an episode, which then may be short."""
    return sum(len(match.ours) for match in run) == len(ours)
