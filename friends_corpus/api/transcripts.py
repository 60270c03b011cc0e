"""Read transcript pages into episodes, scenes and lines, without writing a dataset folder."""

from __future__ import annotations

import difflib
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from friends_corpus.core.ids import line_id, scene_of
from friends_corpus.core.model import Episode, Line, ParseError
from friends_corpus.formats.pages import read_pages
from friends_corpus.parsing.normalise import normalise
from friends_corpus.parsing.script import parse_page
from friends_corpus.show.config import Show, friends, read_show
from friends_corpus.show.page_names import find_pages, page_name

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class SpokenLine:
    """A turn with speech, and where it stands; ids and columns are those of the dataset's `lines`."""

    id: str
    season: int
    episode: int | None
    episode_title: str
    scene: int
    scene_heading: str | None
    position: int
    speaker: str
    speakers: tuple[str, ...]
    speaker_ids: tuple[str, ...]
    cue: str
    text: str
    text_with_directions: str
    directions: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class SpokenScene:
    """A scene in which somebody speaks."""

    id: str
    heading: str | None
    lines: tuple[SpokenLine, ...]

    @property
    def speakers(self) -> tuple[str, ...]:
        """Who speaks, in order of first appearance."""
        return tuple(dict.fromkeys(name for line in self.lines for name in line.speakers))


@dataclass(frozen=True, slots=True, eq=False)
class Transcripts:
    """The episodes of some pages, in order; `failed` says of each page that could not be used why."""

    show: Show
    episodes: tuple[Episode[Line], ...]
    failed: tuple[str, ...] = ()

    def lines(self, speaker: str = "") -> list[SpokenLine]:
        """Return all lines, or those of one speaker: by display name, full name or id, in any case.

        Raises ValueError for a speaker whom neither the pages nor the show know.

        >>> [line.text for line in Transcripts(friends(), (read_page(PAGE, "0101.html"),)).lines(speaker="joey")]
        ['Hi.', 'Oh.']
        """
        lines = [line for episode in self.episodes for line in spoken_lines(episode)]
        if not speaker:
            return lines
        name = speaker.casefold().strip()
        people = self.show.people
        matches = [
            line
            for line in lines
            if name in line.speaker_ids
            or any(
                name in (display.casefold(), people.full_name(display, line.id).casefold()) for display in line.speakers
            )
        ]
        known = {display.casefold(): display for line in lines for display in line.speakers}
        known |= {display.casefold(): display for display in people.by_speaker}
        if not matches and name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = (
                f"did you mean {known[close[0]]!r}?"
                if close
                else f"speakers are {', '.join(sorted(known.values())[:9])}"
            )
            raise ValueError(f"nobody is called {speaker!r}; {hint}")
        return matches

    def scenes(self) -> list[SpokenScene]:
        """Return the scenes in which somebody speaks.

        >>> [scene.speakers for scene in Transcripts(friends(), (read_page(PAGE, "0101.html"),)).scenes()]
        [('Joey', 'Ross')]
        """
        return [
            SpokenScene(id, members[0].scene_heading, tuple(members))
            for id, group in groupby(self.lines(), key=lambda line: scene_of(line.id))
            if (members := list(group))
        ]

    def pairs(self) -> list[tuple[SpokenLine, SpokenLine]]:
        """Return adjacency pairs: a line and the next one of its scene, where somebody else speaks that.

        >>> [(a.text, b.text) for a, b in Transcripts(friends(), (read_page(PAGE, "0101.html"),)).pairs()]
        [('Hi.', 'Hey.'), ('Hey.', 'Oh.')]
        """
        pairs = (pair for scene in self.scenes() for pair in pairwise(scene.lines))
        return [(line, answer) for line, answer in pairs if line.speaker_ids != answer.speaker_ids]

    def to_pandas(self) -> pd.DataFrame:
        """Return a DataFrame with a row for each line."""
        import pandas as pd

        return pd.DataFrame([asdict(line) for line in self.lines()], columns=[*SpokenLine.__dataclass_fields__])


PAGE = """<h1>The One</h1><p>[Scene: A park.]</p>
<p><b>Joey:</b> Hi.</p><p><b>Ross:</b> (waving) Hey.</p><p><b>Joey:</b> Oh.</p>"""  # of the examples here


def read(
    pages: str | os.PathLike[str], show: str | os.PathLike[str] | None = None, variants: bool = False
) -> Transcripts:
    """Read a folder of pages, or one file; `show` is the folder of another show than *Friends*.

    Uncut pages and outtakes are left out unless `variants`. A page that cannot be read, or whose episode another page
    has, is left out with a UserWarning and listed in `failed`. Raises InputError for a folder without pages.
    """
    about = read_show(Path(show)) if show else friends()
    episodes: dict[str, Episode[Line]] = {}
    failed: list[str] = []
    for path in find_pages(Path(pages)):
        try:
            for episode in read_episodes(path.read_bytes(), path.name, about):
                key = f"{episode.id}{episode.variant}"
                if episode.variant and not variants:
                    continue
                if key in episodes:
                    failed.append(f"{episode.page}: {episodes[key].page} has episode {episode.id} too; remove one")
                episodes.setdefault(key, episode)
        except (ParseError, OSError) as error:
            failed.append(f"{path.name}: {error}")
    for reason in failed:
        warnings.warn(f"left out: {reason}", stacklevel=2)
    ordered = sorted(episodes.values(), key=lambda episode: (episode.season, episode.numbers))
    return Transcripts(about, tuple(ordered), tuple(failed))


def read_page(
    page: bytes | str | os.PathLike[str], name: str = "", show: str | os.PathLike[str] | None = None
) -> Episode[Line]:
    """Return the episode on a page: its bytes, its text, or its path. Raises ParseError.

    `name` is a file name that tells season and episode ("0101.html"); the path has one, a text may need it.

    >>> [(line.speaker, line.text) for line in read_page(PAGE, "0101.html").utterances()]
    [('Joey', 'Hi.'), ('Ross', 'Hey.'), ('Joey', 'Oh.')]
    """
    if isinstance(page, str) and ("<" in page or "\n" in page):
        page = f"\ufeff{page}".encode()  # the mark says UTF-8, whatever the page says of itself
    if not isinstance(page, bytes):
        name, page = name or Path(page).name, Path(page).read_bytes()
    episodes = list(read_episodes(page, name or "page", read_show(Path(show)) if show else friends()))
    if len(episodes) != 1:
        raise ParseError(f"{len(episodes)} episodes in one file; friends_corpus.read reads them all")
    return episodes[0]


def read_episodes(data: bytes, name: str, show: Show) -> Iterator[Episode[Line]]:
    """Yield the episodes of a file. Raises ParseError, which names the page."""
    for page in read_pages(name, data):
        try:
            _, printed = parse_page(page, name, show)
        except ParseError as error:
            raise ParseError(f"{page_name(name, page.locator)}: {error}") from None
        yield normalise(printed, show)


def spoken_lines(episode: Episode[Line]) -> Sequence[SpokenLine]:
    """Return the turns of an episode that have speech."""
    return [
        SpokenLine(
            line_id(episode.id, line.scene, line.position),
            episode.season,
            episode.numbers[0] if episode.numbers else None,
            episode.title,
            line.scene,
            episode.scenes[line.scene - 1].heading,
            line.position,
            line.speaker,
            line.speakers,
            line.speaker_ids,
            line.cue,
            line.text,
            line.text_with_directions,
            line.directions,
            episode.page,
        )
        for line in episode.utterances()
        if line.text
    ]
