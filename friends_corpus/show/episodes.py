"""The episodes of a show, as its episodes.csv lists them, and which of them a printed title means."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rapidfuzz import fuzz, process

from friends_corpus.core.cli import InputError
from friends_corpus.core.reader import csv_values, load

COLUMNS = ("season", "episode", "title", "aliases", "directed_by", "written_by", "air_date", "us_viewers_millions")
FORM = f"the first line must be {','.join(COLUMNS)}; season and episode are numbers, other titles are parted by |"
ALIKE = 88  # of 100: a title with a misspelling, "THE ONE WITH THE SONOGRAM AT THE ENDD"
PART = re.compile(  # "(Part 2)", ": Part One", "part II", "(1)", "Parts 1 & 2"
    r"(?i)\W*(?:\bparts?\s+(?P<first>[12]|one|two|ii?)(?:\s*(?:&|and|-|/)\s*(?P<second>[2]|two|ii))?\b|\((?P<bare>[12])\))\W*$"
)
ABBREVIATED = re.compile(r"(?i)^\W*tow\b")  # "TOW The Thumb"
NOT_IN_TITLE = re.compile(r"[^\w]+")
SECOND = frozenset(("2", "two", "ii"))


@dataclass(frozen=True, slots=True)
class EpisodeFacts:
    """An episode as it was aired. Empty text: not known."""

    season: int
    number: int
    title: str
    aliases: tuple[str, ...] = ()
    directed_by: str = ""
    written_by: str = ""
    air_date: str = ""
    us_viewers_millions: str = ""


class EpisodeList:
    """The episodes of a show in order, found by their titles."""

    def __init__(self, episodes: Sequence[EpisodeFacts] = ()) -> None:
        self.episodes = tuple(sorted(episodes, key=lambda episode: (episode.season, episode.number)))
        self._by_title: dict[str, list[EpisodeFacts]] = defaultdict(list)
        for episode in self.episodes:
            for title in dict.fromkeys(_key(title) for title in (episode.title, *episode.aliases)):
                self._by_title[title].append(episode)

    def find(self, text: str, loosely: bool = False) -> list[EpisodeFacts]:
        """Return the episodes with a title, several where they share it; `loosely`: also if it is misspelt.

        >>> episodes = EpisodeList([EpisodeFacts(1, 1, "The Kettle: Part 1"), EpisodeFacts(1, 2, "The Kettle: Part 2")])
        >>> [[match.number for match in episodes.find(title)] for title in ("THE KETTLE", "Kettle (2)")]
        [[1, 2], [2]]
        """
        title = _key(text)
        matches = self._by_title.get(title, [])
        if not matches and loosely and len(title) > 5:
            near = process.extractOne(title, self._by_title.keys(), scorer=fuzz.ratio, score_cutoff=ALIKE)
            matches = self._by_title[near[0]] if near else []
        part = PART.search(text)
        if part and len(matches) > 1 and not part["second"]:
            second = (part["first"] or part["bare"]).lower() in SECOND
            return [matches[-1] if second else matches[0]]
        return matches


def _key(title: str) -> str:
    """Return what two spellings of a title share."""
    plain = ABBREVIATED.sub("the one with", PART.sub("", title).replace("&", " and ").replace("’", "'"))
    words = NOT_IN_TITLE.sub(" ", plain.replace("'", "").casefold()).split()
    return " ".join(word for word in words if word not in ("the", "a", "an"))


def read_episodes(path: Path) -> EpisodeList:
    """Return the episodes in a file; none where there is no file. Raises InputError."""
    if not path.exists():
        return EpisodeList()
    lines = load(path, csv_values, FORM)
    rows = [*lines.items()]
    if [cells for _, cells in rows[:1]] != [[*COLUMNS]]:
        raise InputError(f"{path}: {FORM}")
    episodes = []
    for place, cells in rows[1:]:
        if len(cells) != len(COLUMNS) or not (cells[0].isdigit() and cells[1].isdigit() and cells[2].strip()):
            raise InputError(f"{path}: {place}: {FORM}")
        aliases = tuple(alias.strip() for alias in cells[3].split("|") if alias.strip())
        episodes.append(EpisodeFacts(int(cells[0]), int(cells[1]), cells[2], aliases, *cells[4:]))
    return EpisodeList(episodes)
