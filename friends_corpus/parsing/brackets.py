"""Which bracket closes which, in the hand of people who mix, forget and nest them. Linear in the text."""

import re
from bisect import bisect
from functools import lru_cache

OPENERS, CLOSERS = "([{<", ")]}>"
BRACKET = re.compile(r"[(\[{<)\]}>]")
OPENER = re.compile(r"[(\[{<]")
NO_BRACKET = re.compile(r"(?:.?[:;]-|[:;]-)\((?=\s|$)|.{0,2}<(?!\s?[A-Za-z(\[])")  # ":-( ", "<3"
NEXT_SENTENCE = re.compile(r"[.!?…][\"”’']?\s+(?=[\"“‘'¡¿]?[A-Z])")  # ". " of "(waves. Hi there."
PARTNER = dict(zip(CLOSERS, OPENERS, strict=True))


def match_brackets(text: str, goes_on: bool = False) -> dict[int, int]:
    """Map the position of an opening bracket to that after its closing one, for the outermost pairs of a line.

    A closer takes the nearest opener of its kind, else the nearest of any kind ("[waves)"). An opener that nothing
    closes reaches to the end of the line, or inside a line only past the next pair ("Hi ((waves) all") or up to the
    next sentence ("Oh! (waves. Hi"), unless the bracket `goes_on` in the next line. `<` and `>` count only in pairs
    around a word: "a < b" and ":-(" hold no brackets.

    >>> match_brackets("(a [b] c) d [e)"), match_brackets("(to Ross. Hi"), match_brackets("Hi ((waves) all, :-(")
    ({0: 9, 12: 15}, {0: 12}, {3: 11})
    >>> match_brackets("Oh! (waves. Hi"), match_brackets("Oh! (waves. Hi", goes_on=True)
    ({4: 12}, {4: 14})
    """
    return _match(text, goes_on) if BRACKET.search(text) else {}


@lru_cache(maxsize=64)  # the rules that look at one line all ask; callers only read what they get
def _match(text: str, goes_on: bool) -> dict[int, int]:
    closed: dict[int, int] = {}
    open_at: list[int] = []
    for match in BRACKET.finditer(text):
        offset, char = match.start(), match[0]
        if char in OPENERS:
            if not NO_BRACKET.match(text, max(0, offset - 2)):
                open_at.append(offset)
        elif char in PARTNER:
            kinds = [text[position] for position in open_at[-8:]]
            if PARTNER[char] in kinds:
                back = kinds[::-1].index(PARTNER[char])
                del open_at[len(open_at) - back :]
            elif not kinds or char == ">" or all(kind == "<" for kind in kinds):
                continue
            while open_at and text[open_at[-1]] == "<" != PARTNER[char]:
                open_at.pop()
            closed[open_at.pop()] = offset + 1
    line_start = len(text) - len(text.lstrip())
    pairs = sorted(closed)
    for position in open_at:
        if text[position] != "<":
            following = bisect(pairs, position)
            at_line_start = position == line_start or following == len(pairs) or text[position] == "["
            closed[position] = len(text) if at_line_start else closed[pairs[following]]
    forgotten = () if goes_on else {position for position in open_at if position != line_start}
    outermost: dict[int, int] = {}
    end = 0
    for start in sorted(closed):
        if start >= end:
            end = closed[start]
            if start in forgotten:
                following = bisect(pairs, start)
                before_pair = pairs[following] if following < len(pairs) else len(text)
                if stop := NEXT_SENTENCE.search(text, start, before_pair):
                    end = stop.end()
            outermost[start] = end
    return outermost


def first_unopened_closer(text: str) -> int:
    """Return where a line ends a bracket that an earlier line opened: "and sits down) Hi."; -1 if nowhere."""
    level = 0
    for match in BRACKET.finditer(text):
        level += (match[0] in "([") - (match[0] in ")]")
        if level < 0:
            return match.start()
    return -1


def outside(text: str) -> str:
    """Return the text without what stands in brackets, blanks folded.

    >>> outside("Joey (to Ross) and Phoebe")
    'Joey and Phoebe'
    """
    if not BRACKET.search(text):
        return " ".join(text.split())
    spans = match_brackets(text)
    kept, offset = [], 0
    for start, end in spans.items():
        kept.append(text[offset:start])
        offset = end
    return " ".join(" ".join([*kept, text[offset:]]).split())
