"""Who speaks in what a model wrote: lines that begin with a name and a colon, and what only looks like one.

“Joey: Hey!” is dialogue and “Overview: Bees make honey.” is none, though both begin alike. What tells is the whole
answer: it is dialogue if a cue in it names somebody known (of the cast, or whom the prompt names), if a name speaks
twice, or if something is said as only people say it (“I”, “Oh”, a question to “you”). Then all its cues are people but
for LABELS, else none is.

Patterns, not judges. Known to be wrong: descriptions of known people (“Joey: an actor”), headings of a text in the
first person (“Holiday: I got up late.”), and people whom nobody knows, who speak once each and say no such thing.
"""

import re
from collections.abc import Sequence

from train.adapters.run_record import FRIENDS

USER = ("user", "you", "human")  # what models call the one who asks
SELF = ("assistant", "ai", "bot", "chatbot", "me")  # and themselves
_WORD = r"[^\W\d_a-z][^\W\d_]*(?:['’-][^\W\d_]+)*\.?"  # "Joey", "MONICA", "O'Brien", "Mrs."
NAME = rf"{_WORD}(?: {_WORD}){{0,2}}(?: (?:No\. ?|#)?\d{{1,2}})?"  # "Mrs. Geller", "Passenger #1"
_BETWEEN = r"(?:,? and | & |, |/)"
ASIDE = r"\([^()\n]*\)|\[[^\[\]\n]*\]"  # "(to Ross)", "[on phone]"
CUE = re.compile(  # "Joey: ", "**Chandler and Joey** (together):", "ROSS (to Joey): " where a line begins
    rf"[^\w\n]*(?P<names>{NAME}(?:{_BETWEEN}{NAME})*)\**(?: (?:{ASIDE}))? ?:\**(?=\s|\Z)"
)
SPOKEN = re.compile(  # "Well, I do.", "I'm tired", "Oh, fine", "What do you want?"; not "World War I began."
    r"(?:^|[^\w\s]\s*|\b[a-z]\S* )I [a-z]|\bI['’][a-z]|\b[Mm]e\b|\b[Yy]ou\b[^.!]*\?"
    r"|^\W*(?i:(?:oh|ah|hey|hi|hello|yeah|wow|uh|um|huh|gosh)\b|(?:yes|no|okay|ok|well|so|thanks|sorry|look|right)[,!?…])"
)
_PART = r"(?:[^\W\d_a-z][\w.'’-]*|#|#?\d+|an?d?|&)"  # "Ross", "#1", "an" of "and"
UNFINISHED = re.compile(  # "Chandler an", "**Ro", "Ross (to": what may become a cue, and one cannot say yet
    rf"\W*(?:{_PART}(?:[ ,/]+{_PART})*[ ,/]*\** ?(?:[(\[][^()\[\]\n]*[)\]]?)? ?:?\**)?"
)
ITEM = re.compile(r"[ \t]*(?:[-•+]|\*(?!\*)|\d+[.)])[ \t]")  # "- Food: grass", "2. Food: grass": a list, no speech
NAMES = re.compile(_BETWEEN)
NUMBER = re.compile(r" (?:No\. ?|#)?\d+$")  # of "Step 2"
# Words that an assistant sets before a colon in an answer with people in it, or before words of its own; of several
# words in front of a colon, the last decides.
LABELS = frozenset(
    "act address advice also analysis answer answers bonus but caption caveat challenge chapter chorus comment "
    "conclusion cons context date day description dinner directions disclaimer email ending english episode example "
    "examples exercise explanation fact finally first formal french friday from german goal greeting haiku hello "
    "hey hi hint hmm idea important informal ingredients input instruction instructions introduction italian item "
    "joke latin lesson letter level limerick line location lunch material materials message method mistake monday "
    "moral morning name news next no note notes number objective ode offer oh ok okay option original output p.s "
    "page paragraph part phase place plot poem prep problem prompt pros ps question questions quote re reason "
    "recipe remember reminder reply response result revised round rule saturday scenario scene season second "
    "section sentence setting solution source spanish stage stanza step steps story subject summary sunday sure "
    "task text theme third thought thoughts thursday time tip tips title to topic total translation tuesday verse "
    "version warning wednesday week well year yes".split()
)
ARTICLES = {"a", "an", "the"}  # no names: "a friend", "the waiter"
LETTERS = ("a", "q")  # of "Q: … A: …", a question and its answer; where a B speaks too, A is somebody


def turns(text: str, known: Sequence[str | None] = (), cast: Sequence[str] = FRIENDS.names) -> list[str]:
    """Return the names that begin lines of dialogue, in order; a line with several speakers counts for each.

    `known`: people besides the `cast`. Lines of a list ("- Food: grass") and labels are not dialogue.

    >>> turns("Joey: Hey!\\nRoss and Gus: Hi!\\nNote: they are friends."), turns("Gus: Bees make honey.")
    (['Joey', 'Ross', 'Gus'], [])
    >>> turns("Gus: Bees make honey.\\nGus: And wax."), turns("Gus: I make honey."), turns("Gus: Bees.", ["Gus"])
    (['Gus', 'Gus'], ['Gus'], ['Gus'])
    """
    lines = [(names, line[end:].strip()) for line in text.split("\n") for names, end in [cue(line) or ([], 0)]]
    cues = [(names, speech) for names, speech in lines if speech]
    names = [name for one, _ in cues for name in one] if is_dialogue(cues, [*known, *cast]) else []
    return [name for name in names if not is_letter(name, names)]


def is_dialogue(cues: Sequence[tuple[Sequence[str], str]], known: Sequence[str | None]) -> bool:
    """Tell whether the cues of an answer are people who speak.

    >>> is_dialogue([(["Gus"], "Bees.")], []), is_dialogue([(["Gus"], "Bees."), (["Gus"], "Wax.")], [])
    (False, True)
    """
    names = [name.casefold() for of, _ in cues for name in of]
    return (
        any(is_known(name, known) for name in names)
        or len(set(names)) < len(names)
        or any(SPOKEN.search(speech) for of, speech in cues if of)
    )


def is_letter(name: str, names: Sequence[str]) -> bool:
    """Tell whether a name is the Q or A of a question and answer, and nobody's name.

    >>> is_letter("A", ["Q", "A"]), is_letter("A", ["A", "B"]), is_letter("Al", ["Al"])
    (True, False, False)
    """
    return name.lower() in LETTERS and not any(other.lower() == "b" for other in names)


def is_known(name: str, known: Sequence[str | None]) -> bool:
    """Tell whether a name is one of `known`, or what models call themselves and the user.

    >>> is_known("Joey Tribbiani", ["Joey"]), is_known("Gus", ["Gus"]), is_known("User", []), is_known("About Me", [])
    (True, True, True, False)
    """
    return name.lower() in (*USER, *SELF) or any(is_same(name, other) for other in known)


def cue(line: str) -> tuple[list[str], int] | None:
    """Return the names of the cue that begins a line, and its end, or None.

    >>> cue("Joey (to Ross): Hey!"), cue("Fun fact: alpacas hum."), cue("Chandler and Joey:")
    ((['Joey'], 15), None, (['Chandler', 'Joey'], 18))
    """
    match = None if ITEM.match(line) else CUE.match(line)
    names = NAMES.split(match["names"]) if match else []
    return (names, match.end()) if match and not any(map(is_label, names)) else None


def is_label(name: str) -> bool:
    """Tell whether a name is really a word that is set before a colon, as in "Note:".

    >>> is_label("Fun fact"), is_label("P.S."), is_label("Step 2"), is_label("Dear Ross"), is_label("Joey")
    (True, True, True, True, False)
    """
    words = NUMBER.sub("", name).lower().split()
    return words[-1].strip(".") in LABELS or words[0] == "dear"


def may_become_cue(line: str) -> bool:
    """Tell whether an incomplete line could still become a cue.

    >>> [may_become_cue(line) for line in ("", "Chandler an", "**Ross (to", "Hey you", "Joey: Hey")]
    [True, True, True, False, False]
    """
    return UNFINISHED.fullmatch(line) is not None


def are_same(names: Sequence[str], others: Sequence[str | None]) -> bool:
    """Tell whether two lists are the same people in the same order.

    >>> are_same(["JOEY"], ["Joey"]), are_same(["Chandler", "Joey"], ["Joey"])
    (True, False)
    """
    return len(names) == len(others) and all(map(is_same, names, others))


def is_same(name: str | None, other: str | None) -> bool:
    """Tell whether two names may be one person's: "JOEY", "Joey Tribbiani".

    >>> is_same("CHANDLER", "Chandler Bing"), is_same("Okafor", "Ms. Okafor"), is_same("Ross", None)
    (True, True, False)
    >>> is_same("A", "a friend"), is_same("Friend", "a friend")
    (False, True)
    """
    mine, theirs = (set((one or "").replace(".", "").casefold().split()) - ARTICLES for one in (name, other))
    return bool(mine and theirs) and (mine <= theirs or theirs <= mine)
