"""Which bracket closes which, in the hand of people who mix, forget and nest them. Linear in the text."""

from __future__ import annotations

OPENERS, CLOSERS = "([{<", ")]}>"
PARTNER = dict(zip(CLOSERS, OPENERS, strict=True))


def match_brackets(text: str) -> dict[int, int]:
    """Position of an opening bracket → position after its closing one, for the outermost pairs of a line.

    A closer takes the nearest opener of its kind, else the nearest of any kind ("[waves)"). An opener that nothing
    closes reaches to the end of the line. `<` and `>` count only in pairs: alone they are signs, not brackets.

    >>> match_brackets("(a [b] c) d [e)"), match_brackets("(to Ross. Hi"), match_brackets("a < b), :(")
    ({0: 9, 12: 15}, {0: 12}, {9: 10})
    """
    closed: dict[int, int] = {}
    open_at: list[int] = []
    for offset, char in enumerate(text):
        if char in OPENERS:
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
    for position in open_at:
        if text[position] != "<":
            closed[position] = len(text)
    outermost: dict[int, int] = {}
    end = 0
    for start in sorted(closed):
        if start >= end:
            end = outermost[start] = closed[start]
    return outermost


def is_left_open(text: str) -> bool:
    """Whether the first bracket of a line is not closed in it: "[Scene: Central Perk, later"."""
    spans = match_brackets(text)
    return bool(spans) and spans[min(spans)] == len(text) and text.rstrip()[-1:] not in CLOSERS


def closes_before_it_opens(text: str) -> bool:
    """Whether a line holds the end of a bracket that an earlier line opened: "and sits down)"."""
    level = 0
    for char in text:
        level += (char in "([") - (char in ")]")
        if level < 0:
            return True
    return False


def outside(text: str) -> str:
    """The text without what stands in brackets, blanks folded.

    >>> outside("Joey (to Ross) and Phoebe")
    'Joey and Phoebe'
    """
    spans = match_brackets(text)
    kept, offset = [], 0
    for start, end in spans.items():
        kept.append(text[offset:start])
        offset = end
    return " ".join(" ".join([*kept, text[offset:]]).split())
