"""Patterns with words of one show: its name, the start of its titles, the places of its scenes."""

import re
from dataclasses import dataclass
from functools import cache

from .config import Show

NEVER = "(?!)"


@dataclass(frozen=True, slots=True)
class Wording:
    """All are matched against a line with its blanks folded, whatever its case."""

    name: re.Pattern[str]
    title: re.Pattern[str]
    title_prefix: re.Pattern[str]
    bare_transition: re.Pattern[str]
    place: re.Pattern[str]
    bare_place: re.Pattern[str]
    navigation: re.Pattern[str]


@cache
def wording(show: Show) -> Wording:
    """Return the patterns of a show.

    >>> from friends_corpus.show.config import friends
    >>> words = wording(friends())
    >>> bool(words.title.match("Friends 9.08: The One With A Title")), words.title_prefix.sub("", "908 - The One")
    (True, 'The One')
    """
    name = re.escape(show.title)
    titles = _any(show.titles)
    places = _any(show.places)
    location = rf"(?:{places}|apartment|coffee ?house|hallway|office|hospital|restaurant|street|airport|museum|bedroom)"
    return Wording(
        name=re.compile(rf"(?i)\W*{name}\W*"),  # a heading that only names the show
        title=re.compile(  # "The One With …", "908 - The One …", "Friends: The Last One", "Episode 5.01: The One …"
            rf"(?i)\W*(?:{name}\b\W*)?(?:episode\b\W*)?[\d\W]{{0,12}}{titles}\b"
            r"|\W*\d{3,4}(?: ?[-–/] ?\d{2,4})? ?[-–:.] +\w"  # "912 - TOW …"
        ),
        title_prefix=re.compile(rf"(?i)^.{{0,40}}?(?=\b{titles}\b)|^\W*(?:\d[\d\s–-]{{0,12}}[:.–-]\s*)?"),  # "908 - "
        bare_transition=re.compile(  # without brackets, a line of its own: "CUT TO: …", "-Cut to Rachel", "Later on."
            r"(?i)\W*(?:cut(?: back)? to|time[ -]?lapse|flashback) ?:.*|[-–] ?cuts? to\b.*"
            r"|\W*(?:later(?: on| that (?:day|night|evening)| in the (?:day|evening))?|meanwhile|time[ -]?lapse"
            r"|flash ?back|the next (?:day|morning|night)"
            rf"|back (?:at|to|in) .{{0,50}}(?:{location}|['’]s)|cut to .{{0,60}})\W*"
        ),
        place=re.compile(  # a bracketed line that only names a place: "(at Central Perk)", "[Monica and Rachel's]"
            r"(?i)[(\[{<*\s]*"
            r"(?:at (?!(?:this|that|once|first|last|the (?:same|moment|end|time))\b)[^.,]{1,40}(?:[.,].*)?"
            rf"|(?:{places}|(?:[\w.]+(?: and |, ?))*[\w.]+['’]s?(?: apartment| place| house| office)?)(?:[.,] .*)?)"
            r"[.)\]*\s]*"
        ),
        bare_place=re.compile(  # the same without brackets: "Ross and Rachel's Apartment", "Central Perk."
            r"(?:[A-Z][\w.'’]*(?:,? and |, | ))*(?i:" + location + r")\W*"
        ),
        navigation=re.compile(  # "Back to the index", "Previous | Home | Next"
            r"(?i)[\W_]*+(?:(?:back|return|go|home|next|prev(?:ious)?|index|main|top|up|menu|page|episodes?|seasons?|list"
            rf"|guide|transcripts?|scripts?|{name}|to|the|of|\d+)\b[\W_]*+)++"
        ),
    )


def _any(words: tuple[str, ...]) -> str:
    """Return a pattern for any of them, blanks as printed; one that never matches where there are none."""
    return "(?:" + ("|".join(r"\s+".join(map(re.escape, word.split())) for word in words) or NEVER) + ")"
