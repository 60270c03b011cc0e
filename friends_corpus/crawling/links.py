"""Find the transcript pages that an index page links to, and their file names; read a folder as a site."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit
from urllib.request import url2pathname

import httpx2
from lxml.etree import HTMLParser

from friends_corpus.core.model import ParseError
from friends_corpus.formats.html import CONTROLS, decode
from friends_corpus.parsing.script import read_script
from friends_corpus.show.config import Show, Source
from friends_corpus.show.page_names import identify

from .site import canonical, same_site
from .transport import Limits, PageError, Reply

NAME = re.compile(r"[a-z0-9-]{1,40}")  # "0212-0213", "07outtakes"
OTHER_FILE = re.compile(r"(?i)\.(?:css|js|png|jpe?g|gif|ico|svg|pdf|zip|gz|xml|rss|txt|mp3|rtf|doc)$")  # "logo.gif"
NO_PAGES = frozenset(("mailto", "javascript", "tel", "data", "news"))  # schemes of links that are not for fetching
Get = Callable[[str, Mapping[str, str]], Reply]  # (address, headers that make it conditional) → the answer


MOST_LINKS = 5_000  # on an index; the one of Friends has about 240
LONGEST_ADDRESS, LONGEST_TITLE = 2_000, 300  # characters


@dataclass(frozen=True, slots=True)
class Wanted:
    """A page of the index: its address, and the name of its file here; an `error` for one that is not fetched."""

    url: str
    name: str
    error: str = ""


def read_index(html: bytes, url: str, show: Show) -> Iterator[Wanted]:
    """Yield the pages that an index page at `url` links to, each once, under the names they get here.

    Links within the page, mail addresses and the like, and files that are no pages are left out; any other link whose
    page cannot be told, or is at another site, comes with an error. Raises PageError for more than MOST_LINKS.

    >>> from friends_corpus.show.config import friends
    >>> list(read_index(b'<a href="season/0101.html#top">Pilot</a>', "http://a.org/", friends()))
    [Wanted(url='http://a.org/season/0101.html', name='0101.html', error='')]
    """
    text = CONTROLS.sub("", decode(html).replace("\0", ""))
    parser = HTMLParser(target=_Links())
    parser.feed(text or " ")
    index: _Links = parser.close()
    base_url = url
    with suppress(ValueError):
        base_url = urljoin(url, index.base)
    mirror = url.startswith("file:")
    here = urldefrag(url)[0]
    seen = {here, here.removesuffix("index.html")}
    names: dict[str, str] = {}
    for href, words in index.links:
        if len(href) > LONGEST_ADDRESS:
            yield Wanted(href[:100], "", f"skipped: an address of {len(href):,} characters")
            continue
        try:
            target = urldefrag(urljoin(base_url, href))[0] if mirror else canonical(base_url, href)
        except (PageError, ValueError):
            scheme = href.partition(":")[0].lower()
            if scheme not in NO_PAGES:
                yield Wanted(href, "", "skipped: no web address")
            continue
        path = urlsplit(target).path
        if target in seen or OTHER_FILE.search(path):
            continue
        seen.add(target)
        try:
            source = identify(unquote(path.rpartition("/")[2]), " ".join(" ".join(words).split())[:LONGEST_TITLE], show)
            name = file_name(source, show)
        except ParseError:
            name = ""
        here_too = target.startswith("file:") if mirror else same_site(url, target)
        if not here_too:
            if name:
                yield Wanted(target, "", "skipped: at another site than the index")
        elif not name:
            yield Wanted(target, "", "skipped: cannot tell the season and episode from its name")
        elif name in names:
            yield Wanted(target, "", f"skipped: is {name} as well, like {names[name]}")
        else:
            names[name] = target
            yield Wanted(target, name)


class _Links:
    """What the parser calls: collects the address and the text of every link, however deep it stands."""

    def __init__(self) -> None:
        self.base = ""
        self.links: list[tuple[str, list[str]]] = []
        self._open = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        address = attributes.get("href")
        if address is None:
            return
        if tag == "base":
            self.base = self.base or address
        elif tag == "a":
            if len(self.links) == MOST_LINKS:
                raise PageError(
                    f"more than {MOST_LINKS:,} links on it; --source takes the page that lists the episodes"
                )
            self.links.append((address.strip(), []))
            self._open = True

    def end(self, tag: str) -> None:
        self._open = self._open and tag != "a"

    def data(self, text: str) -> None:
        if self._open:
            self.links[-1][1].append(text)

    def close(self) -> _Links:
        return self


def file_name(source: Source, show: Show) -> str:
    """Return the file name that says what a page is, the show's own one if it has one. Raises ParseError.

    >>> from friends_corpus.show.config import friends
    >>> [file_name(Source(*page), friends()) for page in ((1, (1,)), (2, (12, 13)), (4, (23, 24)), (7, (), "outtakes"))]
    ['0101.html', '0212-0213.html', '0423.html', '07outtakes.html']
    """
    own = [stem for stem, page in show.pages.items() if page == source]
    numbered = "-".join(f"{source.season:02d}{number:02d}" for number in source.numbers[:1] + source.numbers[1:][-1:])
    for stem in (*own, numbered):
        if NAME.fullmatch(stem) and identify(f"{stem}.html", "", show) == source:
            return f"{stem}.html"
    raise ParseError("no file name for this page")


def local(folder: Path, limits: Limits) -> Get:
    """Get pages of a local mirror, by their file:// addresses; never a file outside of `folder`."""

    def get(url: str, headers: Mapping[str, str]) -> Reply:
        try:
            path = Path(url2pathname(urlsplit(url).path)).resolve()
            if not path.is_relative_to(folder):
                raise PageError(f"outside of {folder}")
            if not path.is_file():
                raise PageError("no such file")
            if path.stat().st_size > limits.inflated:
                raise PageError(f"larger than {limits.inflated:,} bytes")
            return Reply(url, 200, httpx2.Headers(), path.read_bytes())
        except (OSError, ValueError) as error:
            raise PageError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None

    return get


def check_transcript(name: str, body: bytes, show: Show) -> None:
    """Refuse what is no transcript, whatever its status said, a "soft 404". Raises PageError.

    >>> from friends_corpus.show.config import friends
    >>> check_transcript("0101.html", b"<h1>Oops</h1><p><b>Error:</b> not found</p>", friends())
    Traceback (most recent call last):
    friends_corpus.crawling.transport.PageError: no transcript: fewer than two speakers
    """
    try:
        _, episode = read_script(name, body, show)
    except ParseError as error:
        raise PageError(f"no transcript: {error}", status=200) from None
    if len({utterance.cue for utterance in episode.utterances()}) < 2:
        raise PageError("no transcript: fewer than two speakers", status=200)
