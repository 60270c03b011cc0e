"""Which files a folder has, what a page in a file is called, and which episodes it holds.

Facts about single pages live in the show's show.yaml.
"""

from __future__ import annotations

import re
from pathlib import Path

from friends_corpus.core.cli import InputError
from friends_corpus.core.model import ParseError

from .config import FRIENDS, Show, Source

SAMPLE = FRIENDS / "sample"

PAGE_NAME = re.compile(r"(\d\d)(\d\d)(?:-(?:\1)?(\d\d))?")  # 0101, 0212-0213, 0212-13
LOOSE_NAME = re.compile(r"(?i)\bs(?:eason)?[ _.-]?(\d{1,2})[ _.-]?e(?:pisode)?[ _.-]?(\d{1,2})\b")  # s01e02, S1 E2
TITLE_NUMBER = re.compile(r"^\s*(\d{1,2})(\d\d)(?:\s*[-–/&]\s*(?:\1)?(\d\d))?\s*[-–:.]\s")  # "908 - The One With …"


def page_name(file: str, locator: str) -> str:
    """Return the name of a page, by which rows, the manifest and messages call it.

    >>> page_name("0101.html", ""), page_name("both.html", "S01E03")
    ('0101.html', 'both.html#S01E03')
    """
    return f"{file}#{locator}" if locator else file


def file_of(page: str, locator: str) -> str:
    """Return the name of the file that a page is in: the inverse of `page_name`.

    >>> file_of("0101.html", ""), file_of("both.html#S01E03", "S01E03")
    ('0101.html', 'both.html')
    """
    return page.removesuffix(f"#{locator}") if locator else page


def identify(name: str, heading: str, show: Show) -> Source:
    """Tell the season and numbers of a page by the name of its file or its locator there, else by its heading.

    Raises ParseError if neither says. What the show's own table says comes first.

    >>> from friends_corpus.show.config import friends
    >>> identify("0212-0213.html", "", friends())
    Source(season=2, numbers=(12, 13), variant='')
    >>> identify("07outtakes.html", "", friends()).variant
    'outtakes'
    >>> identify("my page.html", "908 - The One With A Title", friends())
    Source(season=9, numbers=(8,), variant='')
    """
    stem = Path(name).stem.lower()
    if stem in show.pages:
        return show.pages[stem]
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
    """Return the *.html and *.htm files of a folder, sorted by name; a file stands for itself.

    Raises InputError for a missing path, an empty folder and a folder without pages.
    """
    if where.is_file():
        return [where]
    if not where.exists():
        raise InputError(f"{where}: no such file or folder; give a folder of transcript pages (*.html)")
    pages = sorted(path for path in where.iterdir() if path.suffix.lower() in (".html", ".htm") and path.is_file())
    if not pages:
        raise InputError(f"{where}: no *.html pages in this folder; friends_corpus.fetch gets them, {SAMPLE} has some")
    return pages
