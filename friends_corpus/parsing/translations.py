"""Which lines of a page translate the line above them? They are left out: dropped:translation."""

import re
from collections.abc import Sequence
from itertools import pairwise

from friends_corpus.core.model import Block

FEWEST, SHARE = 2, 0.25  # so many lines, and so much of the page: one line in another script is no translation
LOOK = re.compile(r"(?i)(?:^|[ ._-])(?:trans(?:lation|lated)?|subtitles?|zh|cn|bilingual)(?:$|[ ._-])")
TRANSLATION = "dropped:translation"  # the kind of its segment
LETTERS = re.compile(r"[^\W\d_]")
LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")


def is_latin(text: str) -> bool | None:
    """Tell whether most letters of a line are Latin; None for a line without letters.

    >>> is_latin("Hey, you."), is_latin("嘿，是你。"), is_latin("…")
    (True, False, None)
    """
    letters = len(LETTERS.findall(text))
    return 2 * len(LATIN.findall(text)) >= letters if letters else None


def find_translations(blocks: Sequence[Block]) -> frozenset[int]:
    """Return the numbers of the blocks that translate: in another script than the line above, or marked by a class."""
    marked = frozenset(number for number, block in enumerate(blocks) if LOOK.search(block.look))
    if all(block.text.isascii() for block in blocks):
        return marked if len(marked) >= FEWEST else frozenset()
    scripts = [is_latin(block.text) for block in blocks]
    known = [script for script in scripts if script is not None]
    if not known:
        return frozenset()
    changes = [(a, b) for a, b in pairwise(scripts) if None not in (a, b) and a != b]
    original = changes[0][0] if changes else None
    below = [number for number, script in enumerate(scripts) if number and script not in (None, original)]
    pairs = sum(scripts[number - 1] == original for number in below)
    return marked | frozenset(below if pairs >= max(FEWEST, SHARE * len(known)) else ())
