"""A show: its title, cast, page facts and speakers, read from a folder with show.yaml and speakers.csv.

*Friends* is the built-in one, in the same form: show.yaml, speakers.csv and sample/ of this package's own folder.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from .command import InputError, did_you_mean
from .speakers import People, Person

FRIENDS = Path(__file__).parent
COLUMNS = ["cue", "speaker", "full_name", "episodes"]
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
        return f"s{self.season:02d}" + (f"e{self.numbers[0]:02d}" if self.numbers else "")


@dataclass(frozen=True, slots=True, eq=False)
class Show:
    """All that this project knows about a show and does not read off its pages."""

    folder: Path
    title: str
    cast: Mapping[str, str]  # the main characters: display name → full name
    years: str  # "1994–2004"
    owner: str  # of the scripts
    archive: str  # address of the transcripts' index; "" where there is none
    pages_at: str  # folder of the pages, below `archive`
    titles: tuple[str, ...]  # how episode titles begin: "The One"
    places: tuple[str, ...]  # that scenes are often named by: "Central Perk"
    pages: Mapping[str, Source]  # pages whose file name does not say what they hold, by that name without suffix
    people: People
    version: str  # 16 hex digits, of the content of both files

    @property
    def slug(self) -> str:
        """The title as a part of file names: "harbour-lights"."""
        return NOT_IN_SLUG.sub("-", self.title.casefold()).strip("-") or "show"

    @property
    def dataset(self) -> str:
        """The name of the dataset built from it: "friends-lines"."""
        return f"{self.slug}-lines"

    @property
    def sample(self) -> Path:
        """The pages that are built where none are given."""
        return self.folder / "sample"

    def page_url(self, name: str) -> str:
        """The address of an archive page; "" where the show has no archive.

        >>> friends().page_url("0101.html")
        'https://fangj.github.io/friends/season/0101.html'
        """
        return f"{self.archive}{self.pages_at}{name}" if self.archive else ""


def friends() -> Show:
    """The built-in show.

    >>> friends().title, list(friends().cast), friends().dataset
    ('Friends', ['Chandler', 'Joey', 'Monica', 'Phoebe', 'Rachel', 'Ross'], 'friends-lines')
    """
    return read_show(FRIENDS)


@cache
def read_show(folder: Path) -> Show:
    """The show of a folder. Raises InputError."""
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
    cast = {str(name): str(full or "") for name, full in fields["cast"].items()}
    known = [Person(name, full, (), label) for name, full in cast.items() for label in (name, full) if label]
    return Show(
        folder,
        title,
        cast,
        fields["years"],
        fields["owner"],
        archive,
        fields["pages_at"],
        tuple(map(str, fields["titles"])),
        tuple(map(str, fields["places"])),
        {str(name).lower(): _source(facts, str(name), page) for name, page in fields["pages"].items()},
        People([*people, *known]),
        sha256(printed + b"\0" + rows).hexdigest()[:16],
    )


TYPES: Mapping[str, type] = {
    **dict.fromkeys(("title", "years", "owner", "archive", "pages_at"), str),
    **dict.fromkeys(("titles", "places"), list),
    **dict.fromkeys(("cast", "pages"), dict),
}


def _checked(file: Path, settings: object, types: Mapping[str, type], required: tuple[str, ...]) -> dict[str, Any]:
    """The settings with every key there and of its type."""
    if not isinstance(settings, dict):
        raise InputError(f"{file}: must hold keys and values: {', '.join(types)}")
    for name, value in settings.items():
        if name not in types:
            hint = did_you_mean(str(name), types) or f" (known are {', '.join(types)})"
            raise InputError(f"{file}: unknown key {name!r}{hint}")
        if not isinstance(value, types[name]):
            raise InputError(f"{file}: {name} must be of type {types[name].__name__}, not {value!r}")
    if missing := [name for name in required if name not in settings]:
        raise InputError(f"{file}: no {missing[0]}; add it")
    return {name: settings.get(name, kind()) for name, kind in types.items()}


def _source(file: Path, name: str, page: object) -> Source:
    try:
        fields = _checked(file, page, PAGE_KEYS, required=("season", "episodes"))
        numbers = [int(number) for number in fields["episodes"]]
    except (TypeError, ValueError) as error:
        raise InputError(f"{file}: pages: {name}: {str(error).removeprefix(f'{file}: ')}") from None
    return Source(fields["season"], tuple(numbers), fields["variant"])


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
