"""Which files a folder has, what a page in a file is called, and which episodes it holds.

Facts about single pages live in the show's show.yaml.
"""

import re
import sys
from pathlib import Path

from friends_corpus.core.cli import InputError
from friends_corpus.core.model import ParseError

from .config import FRIENDS, Show, Source

SAMPLE = FRIENDS / "sample"

SUFFIXES = frozenset(".html .htm .shtml .xhtml .txt .gz".split())
MOST_EPISODES = 60  # of a season: "1994" is a year
PAGE_NAME = re.compile(r"(\d\d)(\d\d)(?:-(?:\1)?(\d\d))?")  # 0101, 0212-0213, 0212-13
LOOSE_NAME = re.compile(  # s01e02, S1 E2, friends_s01e02
    r"(?i)(?<![^\W_])s(?:eason)?[ _.-]?(\d{1,2})[ _.-]?e(?:p|pisode)?[ _.-]?(\d{1,2})(?!\d)"
)
NUMBERS = re.compile(r"(?<![\d-])(\d{1,2})[x.-](\d\d)(?![\d-])")  # 1x01, 1.01, 1-01
LEADING = re.compile(r"(?:ep(?:isode)?[ _.-]?)?(\d{1,2})(\d\d)(?:-(?:\1)?(\d\d))?(?=$|[ _.,()-])")  # 101, ep0101
DIGIT = re.compile(r"\d")  # in the name of a text file that is a transcript
INDEX = frozenset("index default contents".split())  # files that list transcripts and are none
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
    stem = Path(name.lower().removesuffix(".gz")).stem
    if stem in show.pages:
        return show.pages[stem]
    for match in (
        PAGE_NAME.fullmatch(stem),
        LOOSE_NAME.search(stem),
        TITLE_NUMBER.match(heading),
        NUMBERS.search(stem),
        LEADING.match(stem),
    ):
        if match:
            season, first, *rest = (int(group) for group in match.groups() if group)
            last = rest[0] if rest else first
            if first <= last <= min(first + 2, MOST_EPISODES):
                return Source(season, tuple(range(first, last + 1)))
    raise ParseError(
        f"cannot tell the season and episode of {name!r}; name the file like 0101.html (season 1, episode 1) "
        "or 0212-0213.html (two parts)"
    )


def find_pages(where: Path) -> list[Path]:
    """Return the transcripts of a folder (HTML, text, *.gz), sorted by name; a file stands for itself.

    Raises InputError for a missing path, an empty folder and a folder without pages.
    """
    if where.is_file():
        return [where]
    if not where.exists():
        raise InputError(f"{where}: no such file or folder; give a folder of transcript pages (*.html)")
    paths = sorted(path for path in where.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    pages = [
        path for path in paths if path.stem.lower() not in INDEX and (path.suffix != ".txt" or DIGIT.search(path.stem))
    ]
    for path in sorted(set(paths).difference(pages)):
        print(f"note: {path} is skipped: by its name it is an index or notes, not a transcript", file=sys.stderr)
    if not pages:
        raise InputError(
            f"{where}: no transcripts (*.html, *.txt) here; friends_corpus.fetch gets them, {SAMPLE} has some"
        )
    return pages
