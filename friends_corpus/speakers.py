"""Cue → people. Spellings, abbreviations and who is meant where are data: speakers.csv.

A row of speakers.csv is (cue, speaker, full_name, episodes): the printed label, the display name, the full name where
it differs, and the seasons or episodes it holds for ("s09 s10", "s02e13"; empty: everywhere else).
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

TABLE = files(__package__) / "speakers.csv"

BRACKETED = re.compile(r"[(\[<{][^)\]>}]*[)\]>}]?")  # "(to Ross)" in a label
NOT_IN_KEY = re.compile(r"[^\w/&,' +-]")  # "Mr. Geller" and "MR GELLER" are one key
SPACES = re.compile(r"\s+")
LIST = re.compile(r"\s*(?:,\s*(?:and|&)\s|,|&|\+|/|\band\b)\s*", re.I)  # "Ross, Rachel, and Phoebe", "PHOE/MNCA"
COUPLE = re.compile(r"(?i)(mr|mrs|ms|dr)\.? and (mr|mrs|ms|dr)\.? (.+)")  # "Mr. and Mrs. Geller"
WORD = re.compile(r"[^\W\d_][\w'’.]*")
KEEP_CAPITALS = frozenset(("TV", "PA", "PBS", "DJ", "MC", "VCR", "II", "III"))


def key(cue: str) -> str:
    """A label without case, brackets, dots and doubled blanks: what the table is looked up by.

    >>> key("Mr.  GELLER (on phone)")
    'mr geller'
    """
    text = BRACKETED.sub(" ", cue).replace("’", "'").replace("‘", "'")
    return SPACES.sub(" ", NOT_IN_KEY.sub("", text)).strip(" ,'-").casefold()


@dataclass(frozen=True, slots=True)
class Person:
    """A display name, the full name where one is known (else ""), and the episodes a table row is limited to."""

    speaker: str
    full_name: str
    episodes: tuple[str, ...]


@cache
def table() -> dict[str, tuple[Person, ...]]:
    """key → rows, those with an episode scope first."""
    rows: dict[str, list[Person]] = {}
    for row in csv.DictReader(TABLE.read_text(encoding="utf-8").splitlines()):
        person = Person(row["speaker"], row["full_name"], tuple(row["episodes"].split()))
        rows.setdefault(key(row["cue"]), []).append(person)
    return {cue: tuple(sorted(people, key=lambda person: not person.episodes)) for cue, people in rows.items()}


def lookup(cue: str, episode_id: str) -> Person | None:
    """The table's person for one name in one episode; None where the table does not have it."""
    for person in table().get(key(cue), ()):
        if not person.episodes or any(episode_id.startswith(scope) for scope in person.episodes):
            return person
    return None


@lru_cache(maxsize=4096)
def resolve(cue: str, episode_id: str) -> tuple[str, ...]:
    """The display names a printed cue means; never empty. Unknown cues stay as printed, title-cased.

    >>> resolve("PHOE/MNCA", "s02e07")
    ('Phoebe', 'Monica')
    >>> resolve("Joey raises his hand", "s09e08")
    ('Joey',)
    >>> resolve("MAN WITH HAT", "s01e01")
    ('Man With Hat',)
    """
    return _resolve(cue, episode_id)[0]


@lru_cache(maxsize=4096)
def is_known(cue: str, episode_id: str) -> bool:
    """Whether the table says who speaks: every name listed, or a listed name followed by prose."""
    return _resolve(cue, episode_id)[1] != "unknown"


@lru_cache(maxsize=4096)
def is_listed(cue: str, episode_id: str) -> bool:
    """Whether every name of the cue stands in the table, with nothing else in the label."""
    return _resolve(cue, episode_id)[1] == "listed"


def _resolve(cue: str, episode_id: str) -> tuple[tuple[str, ...], str]:
    """The people, and how they were found: "listed", "prose" or "unknown"."""
    person = lookup(cue, episode_id)
    if person:
        return (person.speaker,), "listed"
    plain = SPACES.sub(" ", BRACKETED.sub(" ", cue)).strip(" ,;.:-")
    couple = COUPLE.fullmatch(plain)
    parts = [part for part in LIST.split(plain) if part]
    if couple:
        parts = [f"{couple[1]}. {couple[3]}", f"{couple[2]}. {couple[3]}"]
    people = [lookup(part, episode_id) for part in parts]
    known = [person for person in people if person]
    if len(parts) > 1 and len(known) == len(parts):
        return tuple(dict.fromkeys(person.speaker for person in known)), "listed"
    actors = _leading_names(plain, episode_id)
    if actors:
        return actors, "prose"
    if len(parts) > 1 and "/" in plain and known:
        return (known[0].speaker,), "unknown"  # "Phoebe/Waitress": the person in a part
    names = (person.speaker if person else title_case(part) for person, part in zip(people, parts, strict=True))
    return tuple(dict.fromkeys(names)) or (title_case(cue) or "?",), "unknown"


PROSE_LABEL = re.compile(  # "Joey raises his hand", "Amy and Rachel at same time": one or two names, then prose
    r"((?:[A-Z][\w'’.]* )+?)(?:and ((?:[A-Z][\w'’.]* )+?))?(?=[a-z])(?!(?:and|or|of|the|but|except)\b)"
)


def _leading_names(label: str, episode_id: str) -> tuple[str, ...]:
    """Who acts in a label written as prose: "Ross and Rachel looking up" → Ross, Rachel; () if nobody known does."""
    match = PROSE_LABEL.match(label)
    people = [lookup(name, episode_id) for name in match.groups() if name] if match else []
    return tuple(person.speaker for person in people if person) if people and all(people) else ()


def title_case(label: str) -> str:
    """Capitals to title case, first letters up, the rest as printed.

    >>> title_case("OLD WOMAN’S VOICE"), title_case("TV announcer"), title_case("Joey's Hand Twin")
    ("Old Woman's Voice", 'TV Announcer', "Joey's Hand Twin")
    """

    def fold(match: re.Match[str]) -> str:
        word = match[0]
        if word.isupper() and len(word) > 1 and word not in KEEP_CAPITALS and word.count(".") < 2:
            word = word[0] + word[1:].lower()
        return word[0].upper() + word[1:]

    return WORD.sub(fold, SPACES.sub(" ", label.replace("’", "'")).strip())
