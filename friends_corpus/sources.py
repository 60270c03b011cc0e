"""Where pages come from, and which episodes a page holds. Facts live in tables here, never in the parser."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from .model import ParseError

ARCHIVE = "https://fangj.github.io/friends/"
SAMPLE = Path(__file__).parent / "sample"

PAGE_NAME = re.compile(r"(\d\d)(\d\d)(?:-(?:\1)?(\d\d))?")  # 0101, 0212-0213, 0212-13
LOOSE_NAME = re.compile(r"(?i)\bs(?:eason)?[ _.-]?(\d{1,2})[ _.-]?e(?:pisode)?[ _.-]?(\d{1,2})\b")  # s01e02, S1 E2
TITLE_NUMBER = re.compile(r"^\s*(\d{1,2})(\d\d)(?:\s*[-–/&]\s*(?:\1)?(\d\d))?\s*[-–:.]\s")  # "908 - The One With …"

# Pages whose file name does not say what they hold, each with its reason.
SPECIAL_PAGES: dict[str, tuple[int, tuple[int, ...], str]] = {
    "0423": (4, (23, 24), ""),  # London, both parts on one page
    "0423uncut": (4, (23, 24), "uncut"),  # the same episode with the scenes cut for broadcast
    "0523": (5, (23, 24), ""),  # Las Vegas, both parts on one page
    "0624": (6, (24, 25), ""),  # the proposal, both parts on one page
    "0723": (7, (23, 24), ""),  # the wedding, both parts on one page
    "0823": (8, (23, 24), ""),  # the baby, both parts on one page
    "07outtakes": (7, (), "outtakes"),  # a clip special without an episode number
}


class SourceError(ValueError):
    """A folder or file that cannot serve as input; the message names it and the remedy."""


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


def identify(name: str, heading: str) -> Source:
    """The season and numbers of a page from its file name, else from the number in its heading.

    Raises ParseError if neither says. Source of the facts: the archive's index.

    >>> identify("0212-0213.html", "")
    Source(season=2, numbers=(12, 13), variant='')
    >>> identify("07outtakes.html", "").variant
    'outtakes'
    >>> identify("my page.html", "908 - The One With A Title")
    Source(season=9, numbers=(8,), variant='')
    """
    stem = Path(name).stem.lower()
    if stem in SPECIAL_PAGES:
        return Source(*SPECIAL_PAGES[stem])
    for match in (PAGE_NAME.fullmatch(stem), LOOSE_NAME.search(stem), TITLE_NUMBER.match(heading)):
        if match:
            season, first, *rest = (int(group) for group in match.groups() if group)
            last = rest[0] if rest else first
            if first <= last <= first + 2:
                return Source(season, tuple(range(first, last + 1)))
    raise ParseError(
        f"cannot tell the season and episode of {name!r}; name the file like 0101.html (season 1, episode 1) "
        "or 0212-0213.html (two parts)"
    )


def find_pages(where: Path) -> list[Path]:
    """The *.html and *.htm files of a folder, sorted by name; a file stands for itself.

    Raises SourceError for a missing path, an empty folder and a folder without pages.
    """
    if where.is_file():
        return [where]
    if not where.exists():
        raise SourceError(f"{where}: no such file or folder; give a folder of transcript pages (*.html)")
    pages = sorted(path for path in where.iterdir() if path.suffix.lower() in (".html", ".htm") and path.is_file())
    if not pages:
        raise SourceError(f"{where}: no *.html pages in this folder; pages come from {ARCHIVE} or {SAMPLE}")
    return pages


def page_url(name: str) -> str:
    """The address of an archive page.

    >>> page_url("0101.html")
    'https://fangj.github.io/friends/season/0101.html'
    """
    return f"{ARCHIVE}season/{name}"
