"""A show: its title, cast, page facts and speakers, read from a folder with show.yaml and speakers.csv.

*Friends* is the built-in one, in the same form: show.yaml, speakers.csv and sample/ of this package's own folder.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Required
from unicodedata import combining

from pydantic import AfterValidator, Field
from typing_extensions import TypedDict

from friends_corpus.core import manifest
from friends_corpus.core.cli import InputError, did_you_mean
from friends_corpus.core.ids import episode_id, speaker_id
from friends_corpus.core.reader import Text, closed, csv_values, read, yaml_values

from .episodes import EpisodeList, read_episodes
from .speakers import Known, People, Person

FRIENDS = Path(__file__).parents[1]  # show.yaml, speakers.csv and sample/ lie at the root of the package
COLUMNS = ("cue", "speaker", "full_name", "episodes")
FORM = f"the first line must be {','.join(COLUMNS)}, and each needs {len(COLUMNS)} columns, cue and speaker filled"
NOT_IN_SLUG = re.compile(r"[^a-z0-9]+")  # "Harbour Lights" → "harbour-lights"
EPISODES = re.compile(r"(\d{1,2})(?:\s*-\s*(\d{1,2}))?")  # "3", "12-13"
NEEDS = ("speaker", "text", "season", "episode", "title", "scene")  # what a table of lines may have
URL = re.compile(r"https?://[^\s<>|()\[\]`]+")


def ascending(numbers: tuple[int, ...]) -> tuple[int, ...]:
    """The numbers themselves, if each is above the one before. Raises ValueError."""
    if sorted(set(numbers)) != [*numbers]:
        raise ValueError("they must be in ascending order")
    return numbers


Number = Annotated[int, Field(ge=0, le=99)]  # ids and speakers.csv name it by two digits; 0 is for specials


@closed
@dataclass(frozen=True, slots=True)
class Source:
    """What a page is: season, episode numbers (two on a two-part page, none for outtakes), variant."""

    season: Number
    numbers: Annotated[tuple[Number, ...], AfterValidator(ascending), Field(alias="episodes")]
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
    credits: Mapping[str, str]  # a spelling in the credits, case folded → the name: "josh hodge" → "Joshua Hodge"
    pages: Mapping[str, Source]  # pages whose file name does not say what they hold, by that name without suffix
    people: People
    cast_only: frozenset[Person]  # of these people, those that speakers.csv does not list
    episodes: EpisodeList  # of episodes.csv; none where there is no such file
    version: str  # 16 hex digits, of the content of these files
    columns: Mapping[str, str]  # what tables call their columns: {"speaker": "author"}
    source: tuple[Path, Path | None, str]  # what `read_show` made it of: for other processes
    kinds: dict[str, str]  # speaker id → "main", "group" or "thing"

    @property
    def known(self) -> Mapping[str, Known]:
        """What the files tell of each speaker, by id."""
        full_names = (row.full_name for rows in self.people.by_speaker.values() for row in rows if row.full_name)
        names = {speaker_id(name): name for name in full_names}
        return {id: Known(names.get(id, ""), self.kinds.get(id, "")) for id in names | self.kinds}

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


@closed
class ShowFile(TypedDict, total=False):
    """What show.yaml may hold; a cast without full names has none for values."""

    title: Required[str]
    years: str
    owner: str
    archive: str
    pages_at: str
    titles: list[str]
    places: list[str]
    cast: dict[str, str | None]
    credits: dict[str, list[str]]
    pages: dict[str, Source]
    groups: list[str]
    things: list[str]


@cache
def read_show(folder: Path, pages_table: Path | None = None, columns: str = "") -> Show:
    """Return the show of a folder; a table of pages and names of columns are added to it. Raises InputError."""
    facts, table, listed = (folder / name for name in ("show.yaml", "speakers.csv", "episodes.csv"))
    file = read(facts, yaml_values, ShowFile, "a show folder holds show.yaml and speakers.csv")
    title, archive = file["title"].strip(), file.get("archive", "")
    if not title or (archive and not (URL.fullmatch(archive) and archive.endswith("/"))):
        raise InputError(f"{facts}: title must not be empty, archive must be a web address that ends with /")
    lines = read(table, csv_values, dict[str, tuple[Text, Text, str, str]], FORM) if table.exists() else {"": COLUMNS}
    if [*lines.values()][:1] != [COLUMNS]:
        raise InputError(f"{table}: {FORM}")
    people = [
        Person(speaker, full, tuple(episodes.split()), cue) for cue, speaker, full, episodes in [*lines.values()][1:]
    ]
    cast = {name: full or "" for name, full in file.get("cast", {}).items()}
    known = [Person(name, full, (), label) for name, full in cast.items() for label in (name, full) if label]
    printed = table.read_bytes() if table.exists() else f"{','.join(COLUMNS)}\n".encode()
    episodes = b"\0" + listed.read_bytes() if listed.exists() else b""
    listed_pages = read_pages_table(pages_table) if pages_table else {}
    added = repr((listed_pages, columns)).encode() if listed_pages or columns else b""
    return Show(
        title,
        file.get("years", ""),
        file.get("owner", ""),
        archive,
        file.get("pages_at", ""),
        folder,
        cast,
        tuple(file.get("titles", ())),
        tuple(file.get("places", ())),
        {alias.casefold(): name for name, aliases in file.get("credits", {}).items() for alias in aliases},
        {name.lower(): source for name, source in file.get("pages", {}).items()} | listed_pages,
        People([*people, *known]),
        frozenset(known) - frozenset(people),
        read_episodes(listed),
        sha256(facts.read_bytes() + b"\0" + printed + episodes + added).hexdigest()[:16],
        read_columns(columns),
        (folder, pages_table, columns),
        {
            **{speaker_id(full or name): "main" for name, full in cast.items()},
            **{speaker_id(name): "group" for name in file.get("groups", ())},
            **{speaker_id(name): "thing" for name in file.get("things", ())},
        },
    )


def read_pages_table(path: Path) -> dict[str, Source]:
    """Return what a table says of pages by their file names without suffix: file,season,episode. Raises InputError."""
    form = "the first line must be file,season,episode, and each needs three columns: walk.html,1,3 or two.html,2,12-13"
    lines = read(path, csv_values, dict[str, tuple[Text, Text, Text]], form)
    if [*lines.values()][:1] != [("file", "season", "episode")]:
        raise InputError(f"{path}: {form}")
    pages = {}
    for place, (file, season, episode) in [*lines.items()][1:]:
        numbers = EPISODES.fullmatch(episode.strip())
        if not season.strip().isdigit() or not numbers or int(season) > 99:
            raise InputError(f"{path}: {place}: season {season!r:.40}, episode {episode!r:.40}; {form}")
        first, last = int(numbers[1]), int(numbers[2] or numbers[1])
        pages[Path(file.strip().lower().removesuffix(".gz")).stem] = Source(int(season), tuple(range(first, last + 1)))
    return pages


def read_columns(text: str) -> dict[str, str]:
    """Return {"speaker": "author"} of "speaker=author,text=quote". Raises InputError.

    >>> read_columns("speaker=author, text=quote")
    {'speaker': 'author', 'text': 'quote'}
    """
    columns = {}
    for part in filter(None, text.split(",")):
        need, equals, name = (piece.strip() for piece in part.partition("="))
        if need not in NEEDS or not (equals and name):
            near = did_you_mean(need, NEEDS)
            raise InputError(
                f"--columns {text!r:.80}: {part!r:.40} is not NEED=COLUMN{near}; NEED is {', '.join(NEEDS)}"
            )
        columns[need] = name
    return columns
