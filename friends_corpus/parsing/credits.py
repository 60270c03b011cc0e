"""Read the title, writers and transcribers of an episode from its title and credit segments."""

import re

from friends_corpus.core.model import Segment
from friends_corpus.show.config import Show
from friends_corpus.show.speakers import title_case
from friends_corpus.show.wording import wording

WRITTEN = re.compile(
    r"(?i)\b(?:written|teleplay|story|écrit|scénario|scritto|geschrieben|escrito)(?: ?(?:by|par|de|da|von|por)\b)?"
    r" ?:? ?(.*)"
)  # "Teleplay by: Jane Doe & John Roe"
TWO_DEEDS = re.compile(
    r"(?i)\b(written|teleplay|story) ?(?:and|&) ?(?:directed|teleplay|story)\b"
)  # "Written & Directed"
TRANSCRIBED = re.compile(  # "Transcribed by: Jane Doe", "Minor additions and adjustments by Jane Doe"
    r"(?i)\b(?:transcri\w+|adjust\w+|additions|help|check|html\w*) ?(?:by\b|from\b|:) ?:? ?(.*)"
)
NAME_LIST = re.compile(  # "Jane Doe, John Roe, Jr. & Ann Poe", "Jane Doe with corrections by Ann Poe"
    r"(?i)(?:,? with|,? and|,)? (?:(?:minor|some|additional|further) )?"
    r"(?:corrections?|additions?|adjustments?|information|help)\b[^,&;/]*?\b(?:by|from) "
    r"|(?:,(?! ?(?:[js]r|ii|iii|ph\.?d|m\.?d)\b) ?(?:and )?| ?& ?| and |;|/)(?:compiled by )?"
)
NOBODY = re.compile(  # "???.", "unknown yet", "Me"
    r"(?i)[\W_]*(?:(?:un|not )known(?: yet)?|me|myself|tb[ad]|n/?a|some(?:body|one)|nobody|various)?[\W_]*"
)
FULL_STOP = re.compile(r"(?<=\w\w)(?<!\b[JS]r)\.$")  # of a sentence, not of an initial
CREDIT_START = re.compile(  # the second credit of a line: "Story by: Jane Doe Teleplay by: John Roe"
    r"(?i)(?:[,;]|(?<![ \xa0]))[ \xa0]+(?:and )?"  # from the first blank of many only: linear
    r"(?=(?:part \w+ )?(?:with (?:help|minor)|teleplay|story|written|transcribed|directed|produced)\b"
    r"[^:\n]{0,25}?(?:\bby\b|\bfrom\b|:))"
)
QUOTE = re.compile(r'["“”]')
ASIDE = re.compile(r"[(\[][^)\]]*[)\]]?")  # "(Yeah, that one.)"
TITLE_GOES_ON = re.compile(r"(?:With|Where|When|After|That|In|At|Of|And|The)\b", re.I)  # "The One<br>With A Kettle"


def read_credits(segments: tuple[Segment, ...], show: Show) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Return title, writers and transcribers from their segments; addresses are not among the names."""
    titles = [" ".join(segment.text.split()) for segment in segments if segment.kind == "title"]
    words = wording(show)
    titles = [words.title_prefix.sub("", title) for title in titles if not words.name.fullmatch(title)]
    first = next((number for number, title in enumerate(titles) if words.title.match(title)), 0)
    title = " ".join(titles[first : first + 1])
    for more in titles[first + 1 :]:
        if words.title.match(more) or not TITLE_GOES_ON.match(more):
            break
        title += f" {more}"
    written: dict[str, None] = {}
    transcribed: dict[str, None] = {}
    credits = (segment for segment in segments if segment.kind in ("credit", "dropped:address"))
    text = "".join(s.text if s.kind == "credit" else s.text[len(s.text.rstrip()) :] for s in credits)
    for line in CREDIT_START.sub("\n", TWO_DEEDS.sub(r"\1", text)).splitlines():
        line = " ".join(ASIDE.sub(" ", line.strip(" ()[]")).split())
        for pattern, people in ((TRANSCRIBED, transcribed), (WRITTEN, written)):
            if match := pattern.search(line):
                names = (FULL_STOP.sub("", name.strip(" :")) for name in NAME_LIST.split(match[1]))
                names = (show.credits.get(name.casefold(), name) for name in names if not NOBODY.fullmatch(name))
                people.update(dict.fromkeys(names))
                break
    title = title.strip()
    if (inner := title.strip(' "“”')) and not QUOTE.search(inner):  # all of it is quoted, or a quote is left over
        title = inner
    return (title_case(title) if title.isupper() else title), tuple(written), tuple(transcribed)
