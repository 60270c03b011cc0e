"""Who speaks in what a model wrote: lines that begin with a name and a colon, and what only looks like one.

Patterns, not judges: a label that LABELS does not have is taken for a name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_WORD = r"[^\W\d_a-z][^\W\d_]*(?:['’-][^\W\d_]+)*\.?"  # "Joey", "MONICA", "O'Brien", "Mrs."
NAME = rf"{_WORD}(?: {_WORD}){{0,2}}(?: (?:No\. ?|#)?\d{{1,2}})?"  # "Mrs. Geller", "Passenger #1"
_BETWEEN = r"(?:,? and | & |, |/)"
ASIDE = r"\([^()\n]*\)|\[[^\[\]\n]*\]"  # "(to Ross)", "[on phone]"
CUE = re.compile(  # "Joey: ", "**Chandler and Joey** (together):", "ROSS (to Joey): " where a line begins
    rf"[^\w\n]*(?P<names>{NAME}(?:{_BETWEEN}{NAME})*)\**(?: (?:{ASIDE}))? ?:\**(?=\s|\Z)"
)
SPEECH = re.compile(r"[ \t]+[^\s\d]")  # behind a cue, " Hey"; "Flour: 2 cups" is none, and no name stands alone
HEADLINE = re.compile(  # behind a cue, " A Hero in Need of a Home": three words or more, the longer ones in capitals
    r"[ \t]+(?:[^\W\d_a-z][\w’'-]*|\w{1,3})(?:,? (?:[^\W\d_a-z][\w’'-]*|\w{1,3})){2,}\Z"
)
_PART = r"(?:[^\W\d_a-z][\w.'’-]*|#|#?\d+|an?d?|&)"  # "Ross", "#1", "an" of "and"
UNFINISHED = re.compile(  # "Chandler an", "**Ro", "Ross (to": what may become a cue, and one cannot say yet
    rf"\W*(?:{_PART}(?:[ ,/]+{_PART})*[ ,/]*\** ?(?:[(\[][^()\[\]\n]*[)\]]?)? ?:?\**)?"
)
ITEM = re.compile(r"[ \t]*(?:[-•+]|\*(?!\*)|\d+[.)])[ \t]")  # "- Food: grass", "2. Food: grass": a list, no speech
NAMES = re.compile(_BETWEEN)
NUMBER = re.compile(r" (?:No\. ?|#)?\d+$")  # of "Step 2"
# Labels that an assistant sets before a colon, and that nobody is called. Of several words, the last decides.
LABELS = frozenset(
    "act address also answer answers but caption caveat chapter chorus conclusion cons date day december "
    "description dinner directions disclaimer ending episode example examples exercise fact february finally first "
    "friday from haiku hello hey hi hint idea important ingredients input instructions introduction item january joke "
    "july lesson level limerick line location lunch march material materials method monday moral morning name "
    "next note notes november number objective october ode oh ok okay option output p.s page paragraph part phase "
    "place plot poem prep problem pros ps question questions re reason recipe remember reply response result round "
    "rule saturday scene season second section september setting solution source stage stanza step steps story "
    "subject summary sunday task third thursday time tip tips title to topic total translation tuesday verse warning "
    "wednesday week well year yes".split()
)
LETTERS = ("a", "q")  # of "Q: … A: …", a question and its answer; where a B speaks too, A is somebody


def turns(text: str) -> list[str]:
    """The names before a colon that begin a line of dialogue, in order; a line that several speak counts for each.

    Lines of a list ("- Food: grass"), labels ("Note: …"), quantities ("Flour: 2 cups") and headlines ("Lost Parrot: A
    Hero Comes Home") are not dialogue.

    >>> turns("Joey: Hey!\\nRoss and Rachel: Hi!\\nNote: they are friends.")
    ['Joey', 'Ross', 'Rachel']
    """
    found = [(cue(line), line) for line in text.split("\n")]
    names = [name for one, line in found if one and is_said(line[one[1] :]) for name in one[0]]
    somebody = any(name.lower() == "b" for name in names)
    return [name for name in names if somebody or name.lower() not in LETTERS]


def is_said(text: str) -> bool:
    """Whether it may be speech, what stands behind a cue.

    >>> is_said(" Hey!"), is_said(" 2 cups"), is_said(" A Hero in Need of a Home"), is_said(" Oh My God!")
    (True, False, False, True)
    """
    return bool(SPEECH.match(text)) and not HEADLINE.match(text)


def cue(line: str) -> tuple[list[str], int] | None:
    """The names of the cue that a line begins with, and where it ends; None if it begins with none.

    >>> cue("Joey (to Ross): Hey!"), cue("Fun fact: alpacas hum."), cue("Chandler and Joey:")
    ((['Joey'], 15), None, (['Chandler', 'Joey'], 18))
    """
    found = None if ITEM.match(line) else CUE.match(line)
    names = NAMES.split(found["names"]) if found else []
    return (names, found.end()) if found and not any(map(is_label, names)) else None


def is_label(name: str) -> bool:
    """Whether it is no name but a word that is set before a colon.

    >>> is_label("Fun fact"), is_label("P.S."), is_label("Step 2"), is_label("Dear Ross"), is_label("Joey")
    (True, True, True, True, False)
    """
    words = NUMBER.sub("", name).lower().split()
    return words[-1].strip(".") in LABELS or words[0] == "dear"


def may_become_cue(line: str) -> bool:
    """Whether more text could make a cue of a line that is not all there yet.

    >>> [may_become_cue(line) for line in ("", "Chandler an", "**Ross (to", "Hey you", "Joey: Hey")]
    [True, True, True, False, False]
    """
    return UNFINISHED.fullmatch(line) is not None


def are_same(names: Sequence[str], others: Sequence[str | None]) -> bool:
    """Whether they are the same people in the same order.

    >>> are_same(["JOEY"], ["Joey"]), are_same(["Chandler", "Joey"], ["Joey"])
    (True, False)
    """
    return len(names) == len(others) and all(map(is_same, names, others))


def is_same(name: str | None, other: str | None) -> bool:
    """Whether two names may be one person's, however much of them is said: "JOEY", "Joey Tribbiani".

    >>> is_same("CHANDLER", "Chandler Bing"), is_same("Okafor", "Ms. Okafor"), is_same("Ross", None)
    (True, True, False)
    """
    mine, theirs = (set((one or "").replace(".", "").casefold().split()) for one in (name, other))
    return bool(mine and theirs) and (mine <= theirs or theirs <= mine)
