"""A show: its title, cast, page facts and speakers, read from a folder with show.yaml and speakers.csv.

*Friends* is the built-in one, in the same form: show.yaml, speakers.csv and sample/ of this package's own folder.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from unicodedata import combining

from friends_corpus.core import manifest
from friends_corpus.core.cli import InputError, did_you_mean
from friends_corpus.core.ids import episode_id

from .speakers import People, Person

FRIENDS = Path(__file__).parents[1]  # show.yaml, speakers.csv and sample/ lie at the root of the package
COLUMNS = ["cue", "speaker", "full_name", "episodes"]
NUMBERS = range(100)  # of seasons and episodes: ids and speakers.csv name them by two digits; 0 is for specials
PAGE_KEYS = {"season": int, "episodes": list, "variant": str}
NOT_IN_SLUG = re.compile(r"[^a-z0-9]+")  # "Harbour Lights" → "harbour-lights"
URL = re.compile(r"https?://[^\s<>|()\[\]`]+")


@dataclass(frozen=True, slots=True)
class Source:
    """What a page is: season, episode numbers (two on a two-part page, none for outtakes), variant."""

    season: int
    numbers: tuple[int, ...]
    variant: str = ""

    @property
    def id(self) -> str:
        """`s06e15`, or `s07` for a page without a number."""
        return episode_id(self.season, self.numbers[0] if self.numbers else None)


@dataclass(frozen=True, slots=True, eq=False)
class About:
    """What a dataset says of its show: enough to write its card."""

    title: str
    years: str  # "1994–2004"
    owner: str  # of the scripts
    archive: str  # address of the transcripts' index; "" where there is none
    pages_at: str  # folder of the pages, below `archive`

    @property
    def slug(self) -> str:
        """The title as a part of file names, accents left out.

        >>> About("Café Noir!", "", "", "", "").slug
        'cafe-noir'
        """
        letters = (char for char in unicodedata.normalize("NFKD", self.title.casefold()) if not combining(char))
        return NOT_IN_SLUG.sub("-", "".join(letters)).strip("-") or "show"

    @property
    def dataset(self) -> str:
        """The name of the dataset built from it: "friends-lines"."""
        return f"{self.slug}-lines"

    def page_url(self, name: str) -> str:
        """Return the address of an archive page; "" where the show has no archive.

        >>> friends().page_url("0101.html")
        'https://fangj.github.io/friends/season/0101.html'
        """
        return f"{self.archive}{self.pages_at}{name}" if self.archive else ""


def about(show: manifest.Show) -> About:
    """Return the show of a manifest with what follows from it: names, addresses of pages."""
    return About(show["title"], show["years"], show["owner"], show["archive"], show["pages_at"])


@dataclass(frozen=True, slots=True, eq=False)
class Show(About):
    """All that this project knows about a show and does not read off its pages."""

    folder: Path
    cast: Mapping[str, str]  # the main characters: display name → full name
    titles: tuple[str, ...]  # how episode titles begin: "The One"
    places: tuple[str, ...]  # that scenes are often named by: "Central Perk"
    pages: Mapping[str, Source]  # pages whose file name does not say what they hold, by that name without suffix
    people: People
    cast_only: frozenset[Person]  # of these people, those that speakers.csv does not list
    version: str  # 16 hex digits, of the content of both files

    @property
    def facts(self) -> manifest.Show:
        """What the manifest of a dataset says of the show."""
        return {
            "title": self.title,
            "years": self.years,
            "owner": self.owner,
            "archive": self.archive,
            "pages_at": self.pages_at,
            "cast": list(self.cast),
            "version": self.version,
        }

    @property
    def sample(self) -> Path:
        """The pages that are built where none are given."""
        return self.folder / "sample"


def friends() -> Show:
    """Return the built-in show.

    >>> friends().title, list(friends().cast), friends().dataset
    ('Friends', ['Chandler', 'Joey', 'Monica', 'Phoebe', 'Rachel', 'Ross'], 'friends-lines')
    """
    return read_show(FRIENDS)


@cache
def read_show(folder: Path) -> Show:
    """Return the show of a folder. Raises InputError."""
    import yaml

    facts, table = folder / "show.yaml", folder / "speakers.csv"
    try:
        printed = facts.read_bytes()
        rows = table.read_bytes() if table.exists() else b"cue,speaker,full_name,episodes\n"
        settings = yaml.safe_load(printed.decode("utf-8"))
        people = list(_read_people(table, rows.decode("utf-8-sig")))
    except FileNotFoundError:
        raise InputError(f"{facts}: no such file; a show folder holds show.yaml and speakers.csv") from None
    except OSError as error:
        raise InputError(f"{error.filename}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{folder}: show.yaml and speakers.csv must be UTF-8 text: {error}") from None
    except yaml.YAMLError as error:
        raise InputError(f"{facts}: no YAML: {' '.join(str(error).split())}") from None
    fields = _checked(facts, settings, {**TYPES}, required=("title",))
    title = fields["title"].strip()
    archive = fields["archive"]
    if not title or (archive and not (URL.fullmatch(archive) and archive.endswith("/"))):
        raise InputError(f"{facts}: title must not be empty, archive must be a web address that ends with /")
    cast = {name: str(full or "") for name, full in fields["cast"].items()}
    known = [Person(name, full, (), label) for name, full in cast.items() for label in (name, full) if label]
    return Show(
        title,
        fields["years"],
        fields["owner"],
        archive,
        fields["pages_at"],
        folder,
        cast,
        tuple(map(str, fields["titles"])),
        tuple(map(str, fields["places"])),
        {name.lower(): _source(facts, name, page) for name, page in fields["pages"].items()},
        People([*people, *known]),
        frozenset(known) - frozenset(people),
        sha256(printed + b"\0" + rows).hexdigest()[:16],
    )


TYPES: Mapping[str, type] = {
    **dict.fromkeys(("title", "years", "owner", "archive", "pages_at"), str),
    **dict.fromkeys(("titles", "places"), list),
    **dict.fromkeys(("cast", "pages"), dict),
}


def _checked(file: Path, settings: object, types: Mapping[str, type], required: tuple[str, ...]) -> dict[str, Any]:
    """Return the settings with every key there and of its type; a key inside a setting is text."""
    if not isinstance(settings, dict):
        raise InputError(f"{file}: must hold keys and values: {', '.join(types)}")
    for name, value in settings.items():
        if name not in types:
            hint = did_you_mean(str(name), types) or f" (known are {', '.join(types)})"
            raise InputError(f"{file}: unknown key {name!r}{hint}")
        if not isinstance(value, types[name]):
            raise InputError(f"{file}: {name} must be of type {types[name].__name__}, not {value!r}")
        if isinstance(value, dict) and (numbers := [key for key in value if not isinstance(key, str)]):
            raise InputError(f'{file}: {name}: the key {numbers[0]!r} is no text; quote it, as in "0101"')  # 0101 is 65
    if missing := [name for name in required if name not in settings]:
        raise InputError(f"{file}: no {missing[0]}; add it")
    return {name: settings.get(name, kind()) for name, kind in types.items()}


def _source(file: Path, name: str, page: object) -> Source:
    try:
        fields = _checked(file, page, PAGE_KEYS, required=("season", "episodes"))
    except InputError as error:
        raise InputError(f"{file}: pages: {name}: {str(error).removeprefix(f'{file}: ')}") from None
    season, numbers = fields["season"], fields["episodes"]
    if not all(type(number) is int and number in NUMBERS for number in (season, *numbers)):
        raise InputError(f"{file}: pages: {name}: season and episodes must be whole numbers from 0 to 99")
    if sorted(set(numbers)) != numbers:
        raise InputError(f"{file}: pages: {name}: episodes must be in ascending order, not {numbers}")
    return Source(season, tuple(numbers), fields["variant"])


def _read_people(file: Path, text: str) -> list[Person]:
    reader = csv.DictReader(text.splitlines())
    if reader.fieldnames != COLUMNS:
        raise InputError(f"{file}: the first line must be {','.join(COLUMNS)}")
    people = []
    for row in reader:
        if None in row or None in row.values() or not row["cue"] or not row["speaker"]:
            raise InputError(f"{file}, line {reader.line_num}: needs {len(COLUMNS)} columns, cue and speaker filled")
        people.append(Person(row["speaker"], row["full_name"], tuple(row["episodes"].split()), row["cue"]))
    return people
