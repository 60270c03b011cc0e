"""What of an answer is the friend's: models write on for others, or begin with them. Names are those of `turns.py`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from train.adapters.run_record import FRIENDS
from train.generation.turns import (
    SELF,
    SPOKEN,
    USER,
    are_same,
    cue,
    is_dialogue,
    is_known,
    is_letter,
    may_become_cue,
)

LETTERS = re.compile(r"[^\W\d_]+")  # "ross" of "ross (to joey):hi"
TIGHT = re.compile(r":\**(?=[\w\"“'‘…¿¡])")  # ":" of "Ross:hi", ":**" of "**Ross:**hi"; not of "Ross :)"


@dataclass(frozen=True)
class Turn:
    """What of an answer is the friend's."""

    text: str
    ended: bool = False  # somebody else's turn begins after it
    others: tuple[str, ...] = ()  # who spoke before it, as the model wrote; that is left out


def own_turn(text: str, friend: str | None, user: str | None, ended: bool, cast: Sequence[str] = FRIENDS.names) -> Turn:
    """Return the character's first turn of a script.

    Whose turn begins a cue says ("Ross: …"); what has none before it is the friend's, whose own cue is not shown. If
    nobody is played, whoever speaks first is shown, with the name. While more text may come (not `ended`), a last line
    is held back that could become a cue, or whose cue is dialogue only if what it says is spoken: what was shown once
    is never taken back.

    >>> own_turn("Hey!\\nRoss: Hi.", "Joey", "Ben", ended=True)
    Turn(text='Hey!', ended=True, others=())
    >>> own_turn("Ross: Hi.\\nJoey: Hey!\\nRo", "Joey", "Ben", ended=False)
    Turn(text='Hey!', ended=False, others=('Ross',))
    """
    known, speakers, speaks = [friend, user, *cast], [friend], True
    shown: list[str] = []
    others: list[str] = []
    cues: list[tuple[list[str], str]] = []
    seen: list[str] = []  # the names of all cues
    *whole, last = text.lstrip().split("\n")
    for line in [*whole, last] if ended or not may_become_cue(with_capitals(last, known)) else whole:
        names, end = known_cue(line, known) or ([], 0)
        seen += names
        if any(is_letter(name, seen) and not is_known(name, known) for name in names):
            names, end = [], 0
        unfinished = line is last and not ended
        cues.append((names, "" if unfinished else line[end:].strip()))
        dialogue = bool(names) and is_dialogue(cues, known)
        if names and unfinished and not dialogue:
            break
        if dialogue:
            speakers = speakers if friend or any(shown) else [*names]
            speaks = are_own(names, speakers)
            if not speaks and any(shown):
                return Turn("\n".join(shown).strip(), True, tuple(others))
            others += [] if speaks else [name for name in names if name not in others]
        if speaks:
            shown.append(line[end:].lstrip() if are_own(names, [friend]) else line)
    return Turn("\n".join(shown).strip(), False, tuple(others))


def are_own(names: Sequence[str], speakers: Sequence[str | None]) -> bool:
    """Tell whether a cue names the speakers, or what a model calls itself.

    >>> are_own(["JOEY"], ["Joey"]), are_own(["Assistant"], ["Joey"]), are_own(["Ross"], ["Joey"]), are_own([], [])
    (True, True, False, False)
    """
    return bool(names) and (are_same(names, speakers) or all(name.lower() in SELF for name in names))


def known_cue(line: str, known: Sequence[str | None]) -> tuple[list[str], int] | None:
    """Return the `cue` of a line; names of known people also in lower case, without a space after the colon.

    >>> [known_cue(line, ["Ross", "Ben"]) for line in ("ross:hi", "Ben:Hi", "gus: hi", "It is 12:30")]
    [(['Ross'], 5), (['Ben'], 4), None, None]
    """
    usual = cue(line)
    match = usual or cue(TIGHT.sub(r"\g<0> ", with_capitals(line, known), count=1))
    names = match[0] if match else []
    if any(" " in name and SPOKEN.search(name) for name in names):  # "Hey Ross: listen" calls him
        return None
    return match if usual or all(is_known(name, known) for name in names) else None


def with_capitals(line: str, known: Sequence[str | None]) -> str:
    """Capitalise the words of a line that begin a known name.

    >>> with_capitals("ross and mon", ["Ross", "Monica"]), with_capitals("gus met ben", ["Ben"])
    ('Ross and Mon', 'gus met Ben')
    """
    words = " ".join(filter(None, (*USER, *SELF, *known))).casefold().split()

    def capital(match: re.Match[str]) -> str:
        named = any(word.startswith(match[0].casefold()) for word in words)
        return match[0][0].upper() + match[0][1:] if named else match[0]

    return LETTERS.sub(capital, line)
