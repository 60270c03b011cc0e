"""What is counted in an answer: small pure functions of a text and, where it matters, of what was asked.

They are patterns, not judges: each docstring says what is counted, and where the pattern is known to be wrong. None is
"there is nothing to count here", which is left out of means and is not zero.
"""

import re
from collections.abc import Sequence

from train.adapters.run_record import FRIENDS
from train.generation.turns import ASIDE, NAME, SELF, USER, is_same, turns

_GAP = r"[^\[\]\n]*\b(?i:your|name|insert|fill|date|address|number|company)\b"  # "[Company Name": to be filled in
_ACTION = (  # "Scene: a kitchen", "to Ross", "sighs", "Joey walks in", "both are laughing"
    r"(?:(?i:scene|cut|fade|enter|exit|pause|silence|aside)|to|on|in|at|from|into"
    r"|(?:[^\W\d_][\w'’-]* ){0,2}(?!this\b)[a-z]{2,}(?:s|ing|ed))(?![^\W_])"
)
DIRECTION = re.compile(  # where a sentence could begin; the end of an answer may cut a bracket off
    r"(?:^|[.!?…:—\"”)]\s?)[ \t]*(?:"
    r"\(+(?![ivx]+\)|\w\))(?=[^\W\d_])(?:[^()\n]|\([^()\n]*\)|\n(?!\n))+(?:\)|\Z)"  # "(sighs)", "(He (Joey) leaves)"
    rf"|\[(?!{_GAP}){_ACTION}[^\[\]\n]*(?:\](?!\()|\Z)"  # "[Scene: a kitchen]", not "[Landlord]"
    rf"|(?P<mark>\*\*?|__?){_ACTION}[^*_:\n]*(?<=\S)(?P=mark)(?![*_:,]| [a-z]))"  # "*waves*", "_sighs_"
    rf"|^{NAME} (?:{ASIDE}):",  # "Ross (to Joey):"
    re.M,
)
HEY = re.compile(r"\bhe+y+\b", re.I)  # "Hey", "heyyy"
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")  # "don't", "I", "1994"
STOP_WORDS = frozenset(
    "a about above after again all also am an and any are aren't as at be because been before being below between "
    "both but by can can't cause causes could describe did didn't do does doesn't doing don't down each else ever "
    "every explain few five for four from get gets give gives go got had has have having he help her here hers "
    "him his how i i'm i've if in into is isn't it its just kind know let like list lot made make makes making "
    "many may me means might mine more most much must my name need new no nor not now of off on once one only or "
    "other our out over own please really said same say see sentence sentences she short should so some something "
    "sort such take takes tell than that that's the their them then there these they thing things think this "
    "those three through to today too two under up us use very want was way we well were what what's when where "
    "which while who who's why will with won't word words would write you you're your yours".split()
)
ENDINGS = ("ingly", "edly", "ings", "ing", "ies", "ied", "ly", "es", "ed", "er", "s", "e", "y")  # the longest first


def _of(name: str, names: Sequence[str | None]) -> bool:
    return any(is_same(name, other) for other in names)


def others(text: str, plays: str | None, user: str | None, cast: Sequence[str] = FRIENDS.names) -> list[str]:
    """Return the turns of everybody but the assistant's character and the user.

    >>> others("Friend: Hm.\\nRoss: Hey!\\nBen: Oh.\\nRoss: So?", plays="Friend", user="Ben")
    ['Ross', 'Ross']
    """
    return [name for name in turns(text, [plays, user], cast) if not _of(name, [plays, user, *USER, *SELF])]


def script(text: str, plays: str | None, user: str | None, cast: Sequence[str] = FRIENDS.names) -> float:
    """Tell whether any line begins with a speaker's name and a colon.

    >>> script("Joey: Hey!", None, None), script("Ben: Aye.", None, "Ben"), script("Ben: Aye.", None, None)
    (1.0, 1.0, 0.0)
    """
    return float(bool(turns(text, [plays, user], cast)))


def other_speakers(text: str, plays: str | None, user: str | None, cast: Sequence[str] = FRIENDS.names) -> float:
    """Count the people who speak, other than the assistant's character and the user.

    >>> other_speakers("Ross: Hey!\\nROSS: So?\\nJoey: Hey!", None, None)
    2.0
    """
    people: list[str] = []
    for name in others(text, plays, user, cast):
        if not _of(name, people):
            people.append(name)
    return float(len(people))


def other_turns(text: str, plays: str | None, user: str | None, cast: Sequence[str] = FRIENDS.names) -> float:
    """Count the turns of those others.

    >>> other_turns("Ross: Hey!\\nRoss: So?\\nJoey: Hey!", None, None)
    3.0
    """
    return float(len(others(text, plays, user, cast)))


def user_turns(text: str, user: str | None, cast: Sequence[str] = FRIENDS.names) -> float:
    """Count the turns written for the user: by name, or as "User:" or "You:".

    >>> user_turns("Friend: No.\\nBen: Why?", "Ben"), user_turns("User: And now?", None), user_turns("Ben: Why?", None)
    (1.0, 1.0, 0.0)
    """
    return float(sum(_of(name, [user, *USER]) for name in turns(text, [user], cast)))


def directions(text: str) -> float:
    """Tell whether there is a stage direction: (…), […] or *…* at the start of a sentence or after a name.

    Square brackets and stars need a verb or a word of the stage, for they are also gaps ("[Landlord]") and emphasis.
    Known to be wrong: directions in the middle of a sentence are missed, as asides of ordinary prose stand there; a
    sentence in round brackets counts, too, though ordinary prose has such; of "*Sighs*" and "*Alpacas*" neither does.

    >>> directions("(sighs) Fine."), directions("Ross (to Joey): Fine."), directions("Alpacas (Vicugna pacos) hum.")
    (1.0, 1.0, 0.0)
    """
    return float(bool(DIRECTION.search(text)))


def hey(text: str) -> float:
    """Tell whether the text has the word "Hey".

    >>> hey("Ross: Heyyy!"), hey("They say hello.")
    (1.0, 0.0)
    """
    return float(bool(HEY.search(text)))


def words(text: str) -> list[str]:
    """Return the words in lower case.

    >>> words("Don't, ROSS!")
    ["don't", 'ross']
    """
    return [word.lower().replace("’", "'") for word in WORD.findall(text)]


def distinct(text: str, n: int) -> float | None:
    """Return the share of distinct n-grams, or None if there are none.

    >>> distinct("no no no yes", 1), distinct("no no no yes", 2), distinct("no", 2)
    (0.5, 0.6666666666666666, None)
    """
    tokens = words(text)
    runs = list(zip(*(tokens[start:] for start in range(n)), strict=False))
    return len(set(runs)) / len(runs) if runs else None


def repetition(text: str) -> float | None:
    """Return the share of 4-grams that occurred before, or None with fewer than four words.

    >>> repetition("I am so tired. I am so tired."), repetition("I am so tired.")
    (0.2, 0.0)
    """
    share = distinct(text, 4)
    return None if share is None else round(1 - share, 12)


def stem(word: str) -> str:
    """Return a word without its ending; at least three letters stay.

    >>> [stem(word) for word in ("alpacas", "cooking", "cooked", "cook", "flies", "is")]
    ['alpaca', 'cook', 'cook', 'cook', 'fli', 'is']
    """
    return next((word[: -len(end)] for end in ENDINGS if word.endswith(end) and len(word) - len(end) >= 3), word)


def content(text: str) -> set[str]:
    """Return the stems of the content words: no stop words, no single letters.

    >>> sorted(content("Tell me about alpacas and the wool of an alpaca."))
    ['alpaca', 'wool']
    """
    return {stem(word.removesuffix("'s")) for word in words(text) if word not in STOP_WORDS and len(word) > 1}


def overlap(text: str, asked: str) -> float | None:
    """Return the share of the question's content words that the answer repeats: a weak sign of staying on topic.

    A good answer may use other words, a bad one may repeat the question, and a longer one has more room. None if the
    question has no content word.

    >>> overlap("Alpacas hum.", "Do alpacas spit?"), overlap("Hey!", "Do alpacas spit?"), overlap("I.", "Who are you?")
    (0.5, 0.0, None)
    """
    expected = content(asked)
    return len(expected & content(text)) / len(expected) if expected else None
