"""Resolve cues to people. Spellings, abbreviations and who is meant where are data, in speakers.csv.

A row of speakers.csv is (cue, speaker, full_name, episodes): the printed label, the display name, the full name where
it differs, and the seasons or episodes it holds for ("s09 s10", "s02e13"; empty: everywhere else).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from friends_corpus.core.ids import speaker_id

BRACKETED = re.compile(r"[(\[<{][^)\]>}]*[)\]>}]?")  # "(to Ross)" in a label
NOT_IN_KEY = re.compile(r"[^\w/&,'\s+-]")  # "Mr. Geller", "Mr.Geller" and "MR GELLER" are one key
SPACES = re.compile(r"\s+")
LIST = re.compile(r"\s*(?:,\s*(?:and|&)\s|,|&|\+|/|\band\b)\s*", re.I)  # "Ross, Rachel, and Phoebe", "PHOE/MNCA"
COUPLE = re.compile(r"(?i)(mr|mrs|ms|dr)\.? (?:and|&) (mr|mrs|ms|dr)\.? (.+)")  # "Mr. and Mrs. Geller"
APOSTROPHES = str.maketrans(dict.fromkeys("’‘´`", "'"))
WORD = re.compile(r"[^\W\d_][\w'’.]*")
PROSE_LABEL = re.compile(  # "Joey raises his hand", "Amy and Rachel at same time": one or two names, then prose
    r"((?:[A-Z][\w'’.]* )+?)(?:and ((?:[A-Z][\w'’.]* )+?))?(?=[a-z])(?!(?:and|or|of|the|but|except)\b)"
)
FIXED_KINDS = ("main", "group", "thing")  # others are "recurring" or "guest", by their episodes
KEEP_CAPITALS = frozenset(("TV", "PA", "PBS", "DJ", "MC", "VCR", "II", "III"))


def key(cue: str) -> str:
    """Return a label without case, brackets, dots and doubled blanks: what the table is looked up by.

    >>> key("Mr.  GELLER (on phone)")
    'mr geller'
    """
    text = BRACKETED.sub(" ", cue).translate(APOSTROPHES).replace(".", " ")
    return SPACES.sub(" ", NOT_IN_KEY.sub("", text)).strip(" ,'-").casefold()


@dataclass(frozen=True, slots=True)
class Person:
    """A table row: display name, full name where one is known (else ""), the episodes it is limited to, the label."""

    speaker: str
    full_name: str
    episodes: tuple[str, ...]
    cue: str


@dataclass(frozen=True, slots=True)
class Known:
    """What a show's files tell of a speaker: full name, and the kind where it is one of FIXED_KINDS; else ""."""

    full_name: str = ""
    kind: str = ""


class People:
    """Whom the labels of a show mean: its speakers.csv, ready to be asked.

    >>> people = People([Person("Joey", "Joey Tribbiani", (), "Joey"), Person("Ross", "", ("s02",), "Man In Hat")])
    >>> people.resolve("JOEY", "s01e01"), people.resolve("Man in hat", "s01e01"), people.resolve("Man in hat", "s02e01")
    (('Joey',), ('Man In Hat',), ('Ross',))
    """

    def __init__(self, rows: Sequence[Person]) -> None:
        by_key: dict[str, list[Person]] = {}
        for row in rows:
            by_key.setdefault(key(row.cue), []).append(row)
        self.rows: Mapping[str, tuple[Person, ...]] = {  # by key, those with an episode scope first
            cue: tuple(sorted(people, key=lambda person: not person.episodes)) for cue, people in by_key.items()
        }
        self.by_speaker: dict[str, list[Person]] = {}  # those of an episode first, then those with a full name
        for row in sorted(rows, key=lambda person: (not person.episodes, not person.full_name)):
            self.by_speaker.setdefault(row.speaker, []).append(row)
        self._found = lru_cache(maxsize=4096)(self._find)  # an episode asks for the same labels again and again

    def lookup(self, cue: str, episode_id: str) -> Person | None:
        """Return the row for one name in one episode; None where the table does not have it."""
        rows = self.rows.get(key(cue), ())
        return next((row for row in rows if not row.episodes or episode_id.startswith(row.episodes)), None)

    def resolve(self, cue: str, episode_id: str) -> tuple[str, ...]:
        """Return the display names a printed cue means; never empty. Unknown cues stay as printed, title-cased.

        With the table of *Friends*, "PHOE/MNCA" means Phoebe and Monica, "Joey raises his hand" means Joey.
        """
        return self._found(cue, episode_id)[0]

    def full_name(self, speaker: str, episode_id: str) -> str:
        """Return the full name of whom a display name means in an episode; "" where the table has none.

        >>> people = People([Person("Mike", "Mike Hannigan", ("s09",), "Mike"), Person("Mike", "", (), "Mike")])
        >>> people.full_name("Mike", "s09e03"), people.full_name("Mike", "s01e01")
        ('Mike Hannigan', '')
        """
        rows = self.by_speaker.get(speaker, ())
        return next((row.full_name for row in rows if not row.episodes or episode_id.startswith(row.episodes)), "")

    def ids(self, speakers: Iterable[str], episode_id: str) -> tuple[str, ...]:
        """Return the id of each speaker of an episode: one person one id, two persons two ids."""
        return tuple(speaker_id(self.full_name(speaker, episode_id) or speaker) for speaker in speakers)

    def is_known(self, cue: str, episode_id: str) -> bool:
        """Tell whether the table says who speaks: every name listed, or a listed name followed by prose."""
        return self._found(cue, episode_id)[1] != "unknown"

    def is_listed(self, cue: str, episode_id: str) -> bool:
        """Tell whether every name of the cue stands in the table, with nothing else in the label."""
        return self._found(cue, episode_id)[1] == "listed"

    def _find(self, cue: str, episode_id: str) -> tuple[tuple[str, ...], str]:
        """Return the people, and how they were found: "listed", "prose" or "unknown"."""
        person = self.lookup(cue, episode_id)
        if person:
            return (person.speaker,), "listed"
        plain, parts = split_names(cue)
        people = [self.lookup(part, episode_id) for part in parts]
        known = [person for person in people if person]
        if len(parts) > 1 and len(known) == len(parts):
            return tuple(dict.fromkeys(person.speaker for person in known)), "listed"
        actors = self._leading_names(plain, episode_id)
        if actors:
            return actors, "prose"
        if len(parts) > 1 and "/" in plain and known:
            return (known[0].speaker,), "unknown"  # "Phoebe/Waitress": the person in a part
        names = (person.speaker if person else title_case(part) for person, part in zip(people, parts, strict=True))
        return tuple(dict.fromkeys(names)) or (title_case(cue) or "?",), "unknown"

    def _leading_names(self, label: str, episode_id: str) -> tuple[str, ...]:
        """Return who acts in a label of prose: "Ross and Rachel looking up" → Ross, Rachel; () if nobody known."""
        match = PROSE_LABEL.match(label)
        people = [self.lookup(name, episode_id) for name in match.groups() if name] if match else []
        return tuple(person.speaker for person in people if person) if people and all(people) else ()


def split_names(cue: str) -> tuple[str, list[str]]:
    """Return a cue without its brackets, and the names that it lists.

    >>> split_names("Ross, Rachel, and Phoebe (together)")[1], split_names("Mr. and Mrs. Geller")[1]
    (['Ross', 'Rachel', 'Phoebe'], ['Mr. Geller', 'Mrs. Geller'])
    """
    plain = SPACES.sub(" ", BRACKETED.sub(" ", cue)).strip(" ,;.:-")
    if couple := COUPLE.fullmatch(plain):
        return plain, [f"{couple[1]}. {couple[3]}", f"{couple[2]}. {couple[3]}"]
    return plain, [part for part in LIST.split(plain) if part]


def title_case(label: str) -> str:
    """Turn capitals to title case, first letters up, the rest as printed.

    >>> title_case("OLD WOMAN’S VOICE"), title_case("TV announcer"), title_case("Joey's Hand Twin")
    ("Old Woman's Voice", 'TV Announcer', "Joey's Hand Twin")
    """

    def fold(match: re.Match[str]) -> str:
        word = match[0]
        if word.isupper() and len(word) > 1 and word not in KEEP_CAPITALS and word.count(".") < 2:
            word = word[0] + word[1:].lower()
        return word[0].upper() + word[1:]

    return WORD.sub(fold, SPACES.sub(" ", label.translate(APOSTROPHES)).strip())
