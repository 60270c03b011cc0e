"""Number runs of words (n-grams): equal runs get equal numbers, without hashing, so that scenes compare fast."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

import numpy as np
from numpy.typing import NDArray

LARGEST = 2**62  # a code must fit into 64 bits
WORD = re.compile(r"[^\W_]+")  # "Don't" -> "don", "t"

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Grams:
    """Every distinct run of some number of words in each text, sorted by run, then by text.

    `runs[i]` stands in the text `texts[i]`; `sizes` has the number of distinct runs of each text.
    """

    runs: Ids
    texts: Ids
    sizes: Ids

    def of(self, chosen: NDArray[np.bool_]) -> Ids:
        """Return the distinct runs of the chosen texts."""
        return distinct(self.runs[chosen[self.texts]])

    def merged(self, owners: Ids, number: int) -> Grams:
        """Merge texts into `number` groups; `owners[i]` is the group that the text i belongs to."""
        return collect(self.runs, owners[self.texts], number)


@dataclass(frozen=True, slots=True)
class Words:
    """All words of some texts one after the other, as numbers; `texts[i]` is the text that word i stands in."""

    ids: Ids
    texts: Ids
    number: int  # of texts, those without words included
    vocabulary: tuple[str, ...]
    known: dict[int, Ids] = field(default_factory=dict, repr=False)  # length → numbers of its runs, once asked for

    def positions(self, length: int) -> NDArray[np.bool_]:
        """Tell for each word whether a run of `length` words from it ends in the same text."""
        inside = np.zeros(len(self.ids), dtype=bool)
        last = len(self.ids) - length + 1
        if last > 0:
            inside[:last] = self.texts[:last] == self.texts[length - 1 :]
        return inside

    def runs(self, length: int) -> Ids:
        """Give a number to the run that starts at each word.

        Those that reach into the next text are to be left out; the last words of all, at which no run can start, have
        none. Exact: a run is numbered by all its words if that fits into 64 bits, else by the pair of its first and its
        last part, which overlap: 13 = 7 + 7, 7 = 5 + 5.
        """
        if length not in self.known:
            starts = max(0, len(self.ids) - length + 1)
            if len(self.vocabulary) ** length < LARGEST:
                codes = np.zeros(starts, dtype=np.int64)
                for offset in range(length):
                    codes = codes * len(self.vocabulary) + self.ids[offset : offset + starts]
            else:
                part = max((known for known in self.known if known < length <= 2 * known), default=(length + 1) // 2)
                numbers = self.runs(part)
                codes = numbers[:starts] * len(self.ids) + numbers[length - part : length - part + starts]
            self.known[length] = _numbered(codes)
        return self.known[length]

    def grams(self, length: int) -> Grams:
        """Return the distinct runs of `length` words in each text."""
        inside = self.positions(length)
        runs = self.runs(length)[inside[: len(self.ids) - length + 1]] if inside.any() else self.ids[:0]
        return collect(runs, self.texts[inside], self.number)

    def text(self, start: int, end: int) -> str:
        """Return some words as they are compared: small letters, no punctuation."""
        return " ".join(self.vocabulary[id] for id in self.ids[start:end])


def read_words(texts: Sequence[str]) -> Words:
    """Read the words of each text, whatever their case and punctuation.

    >>> words = read_words(["One, two -- three.", "ONE TWO four"])
    >>> words.text(0, 3), words.ids.tolist()
    ('one two three', [0, 1, 2, 0, 1, 3])
    >>> words.runs(2).tolist(), words.positions(2).tolist()
    ([0, 1, 3, 0, 2], [True, True, False, True, True, False])
    """
    vocabulary: defaultdict[str, int] = defaultdict(count().__next__)  # a new word gets the next number
    ids: list[int] = []
    lengths = []
    for text in texts:
        words = WORD.findall(text.lower())
        ids += [vocabulary[word] for word in words]
        lengths.append(len(words))
    owners = np.repeat(np.arange(len(texts), dtype=np.int64), lengths)
    return Words(np.array(ids, dtype=np.int64), owners, len(texts), tuple(vocabulary))


def collect(runs: Ids, texts: Ids, number: int) -> Grams:
    """Collect runs and the texts that each stands in, of which there are `number`.

    >>> collect(np.array([5, 2, 5]), np.array([1, 0, 1]), 3)
    Grams(runs=array([2, 5]), texts=array([0, 1]), sizes=array([1, 1, 0]))
    """
    pairs = distinct(np.sort(runs * max(1, number) + texts))
    runs, texts = np.divmod(pairs, max(1, number))
    return Grams(runs, texts, np.bincount(texts, minlength=number).astype(np.int64))


def distinct(values: Ids) -> Ids:
    """Return the distinct values of a sorted array (np.unique takes four times as long).

    >>> distinct(np.array([1, 2, 2, 4])).tolist()
    [1, 2, 4]
    """
    return values[np.concatenate([[True], values[1:] != values[:-1]])] if len(values) else values


def _numbered(codes: Ids) -> Ids:
    """Replace codes by numbers from 0 without gaps (pandas.factorize takes twice as long).

    >>> _numbered(np.array([70, 5, 70, 9])).tolist()
    [2, 0, 2, 1]
    """
    order = np.argsort(codes)
    in_order = codes[order]
    numbers = np.empty(len(codes), dtype=np.int64)
    numbers[order] = np.cumsum(np.diff(in_order, prepend=in_order[:1]) != 0)
    return numbers
