"""python -m friends_corpus.fetch: download the transcripts that an index page lists, for builders.build.

Asks one page at a time, slowly, and obeys robots.txt. A second run moves no page that has not changed; a run that was
interrupted resumes. In the folder, pages.jsonl says where each page came from and when.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from .core.cli import FAILED, Failed, exit_code

if TYPE_CHECKING:
    from .crawling.archive import Archive
    from .crawling.links import Get, Wanted
    from .crawling.site import Access
    from .crawling.transport import Limits
    from .show.config import Show

TERMINATED = 143  # exit code: 128 + SIGTERM
DELAY = 1.0


class Terminated(BaseException):
    """SIGTERM came."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 all is here, 1 pages failed, 2 bad usage, 130 or 143 ended."""
    options = parser().parse_args(arguments)

    import stamina.instrumentation

    from .crawling.site import Access, SiteError
    from .show.config import FRIENDS, read_show

    stamina.instrumentation.set_on_retry_hooks([])  # retries are not news, failures are: they come as a table
    kept = f"what was fetched is kept in {options.out}; run the same command again to resume"

    def work() -> int:
        try:
            with terminable():
                show = read_show(options.show or FRIENDS)
                access = Access(options.delay, options.allow_host, options.warc)
                failed = fetch(options.source or show.archive, options.out, show, access)
        except SiteError as error:
            raise Failed(f"{error}; {kept}") from None
        except Terminated:
            raise Failed(f"terminated; {kept}", TERMINATED) from None
        return FAILED if failed else 0

    return exit_code(work, kept, options.out)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m friends_corpus.fetch", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--source", metavar="WHERE", help="fangj (default), the address of an index page, or a folder with index.html")
    add("--out", type=Path, default=Path("data/raw"), metavar="DIR", help="folder of the pages (default: %(default)s)")
    add(
        "--delay",
        type=seconds,
        default=DELAY,
        metavar="S",
        help="minimum seconds between requests (default: %(default)g)",
    )
    add(
        "--allow-host", action="append", default=[], metavar="H", help="a host whose address may be private; repeatable"
    )
    add(
        "--show",
        type=Path,
        metavar="DIR",
        help="folder of another show, with show.yaml and speakers.csv (default: Friends)",
    )
    add("--warc", type=Path, metavar="FILE", help="also write every page as it came to a new WARC file (*.warc.gz)")
    return parser


def seconds(text: str) -> float:
    """Read a number of seconds, 0 to 3600."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0 to 3600")
    return value


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does: files are closed, half-written ones removed."""

    def terminate(number: int, frame: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def warn(text: str) -> None:
    """Print a line on stderr, beside the progress bar."""
    from tqdm import tqdm

    tqdm.write(text, file=sys.stderr)


def fetch(source: str, out: Path, show: Show, access: Access) -> int:
    """Bring all pages that the index of `source` lists to the folder `out`, and return how many failed.

    Raises Failed, SiteError, OSError.
    """
    from .crawling.archive import Archive

    with ExitStack() as stack:
        index_url, get = connect(stack, source, show, access)
        archive = stack.enter_context(Archive.opened(out))
        if archive.healed:
            print(f"{out}: the last run was cut off while writing; its last line is dropped", file=sys.stderr)
        if archive.unreadable:
            print(f"warning: {out}/pages.jsonl: {archive.unreadable} lines cannot be read", file=sys.stderr)
        archive.begin(index_url)
        pages = list_pages(archive, get, index_url, show)
        failures, counts = fetch_pages(archive, pages, partial(bring, archive, get, show=show), access.limits)
        archive.end(index_url, counts)
    report(out, failures, counts)
    return len(failures)


def connect(stack: ExitStack, source: str, show: Show, access: Access) -> tuple[str, Get]:
    """Return the address of the index page, and what gets a page: from a folder's files, or from a site."""
    from importlib.metadata import metadata

    from .crawling.archive import recorded
    from .crawling.links import local
    from .crawling.site import ROBOT, Site, canonical
    from .crawling.transport import Downloader, PageError
    from .show.config import friends

    if source == "fangj":
        source = friends().archive
    if not source:
        raise Failed(f"the show {show.title} names no archive; say where its pages are with --source")
    if "://" not in source:
        if access.warc:
            raise Failed("--warc records what a site sends; leave it out with a folder as --source")
        folder = Path(source).resolve()
        if not (folder / "index.html").is_file():
            raise Failed(f"{source}: no index.html in this folder; --source takes a folder with one, or an address")
        return (folder / "index.html").as_uri(), local(folder, access.limits)
    try:
        index_url = canonical(source, "")
    except PageError as error:
        raise Failed(f"--source {source}: {error}") from None
    about = metadata("friends-corpus")
    agent = f"{ROBOT}/{about['Version']} (+{about['Summary']})"
    downloader = stack.enter_context(closing(Downloader(agent, access.allowed, access.limits)))
    get = Site(downloader, access.delay, access.limits, access.clock, warn).get
    if not access.warc:
        return index_url, get
    try:
        return index_url, stack.enter_context(recorded(get, access.warc, agent))
    except ImportError:
        raise Failed("--warc needs warcio: pip install '.[warc]'") from None
    except FileExistsError:
        raise Failed(f"{access.warc} is there already; --warc writes a new file") from None


def list_pages(archive: Archive, get: Get, url: str, show: Show) -> list[Wanted]:
    """Return what the index lists; fetched, unless the run that is continued has it. Raises Failed without a page."""
    from .crawling.archive import INDEX
    from .crawling.links import read_index
    from .crawling.transport import PageError

    if not (INDEX in archive.checked and archive.state(INDEX, url) == "good"):
        try:
            bring(archive, get, INDEX, url)
        except PageError as error:
            archive.fail(INDEX, url, str(error), error.status)
            raise Failed(f"{url}: {error}; without the index no page can be fetched") from None
    html = (archive.folder / INDEX).read_bytes()
    try:
        pages = list(read_index(html, archive.stored[INDEX]["final_url"], show))
    except PageError as error:
        raise Failed(f"{url}: {error}") from None
    if not any(page.name for page in pages):
        raise Failed(f"{url}: no link to a transcript page on it; --source takes the page that lists the episodes")
    return pages


def fetch_pages(
    archive: Archive, pages: Sequence[Wanted], bring_page: Callable[[str, str], bool], limits: Limits
) -> tuple[list[tuple[Wanted, str]], Counter[str]]:
    """Fetch all pages, one after the other; return those that failed, with reasons, and the counts."""
    from tqdm import tqdm

    from .crawling.transport import PageError

    failures: list[tuple[Wanted, str]] = []
    counts = Counter({"fetched": 0, "unchanged": 0, "failed": 0})
    in_a_row = 0
    for page in tqdm(pages, "fetch", unit="page"):
        state = archive.state(page.name, page.url) if page.name else ""
        if state == "good" and page.name in archive.checked:
            counts["already here"] += 1
            continue
        if state == "damaged":
            warn(f"{page.name}: not the bytes that were fetched; fetching it again")
        try:
            if page.error:
                raise PageError(page.error)
            counts["fetched" if bring_page(page.name, page.url) else "unchanged"] += 1
            in_a_row = 0
        except PageError as error:
            archive.fail(page.name, page.url, str(error), error.status)
            failures.append((page, str(error)))
            counts["failed"] += 1
            in_a_row = in_a_row + 1 if error.site else 0
            if in_a_row == limits.site_errors:
                report(archive.folder, failures, counts)
                raise Failed(
                    f"the site failed to serve {in_a_row} pages in a row, {page.url} last: {error}; what was fetched is"
                    f" kept in {archive.folder}; run the same command again later"
                ) from None
    return failures, counts


def bring(archive: Archive, get: Get, name: str, url: str, show: Show | None = None) -> bool:
    """Bring one page to the archive; False if it is here unchanged. `show`: check that it is a transcript.

    Raises PageError, SiteError, OSError.
    """
    from .crawling.links import check_transcript
    from .crawling.transport import PageError

    good = archive.state(name, url) == "good"
    reply = get(url, archive.validators(name) if good else {})
    if reply.status == 304:
        archive.confirm(name, url, reply)
        return False
    if show:
        if twin := archive.twin(name, reply.body):
            raise PageError(f"no transcript of its own: the same bytes as {twin}", status=200)
        check_transcript(name, reply.body, show)
    return archive.keep(name, url, reply)


def report(out: Path, failures: Sequence[tuple[Wanted, str]], counts: Mapping[str, int]) -> None:
    """Print the table of failed pages on stderr, and the counts on stdout."""
    if failures:
        print(f"{len(failures)} {'page' if len(failures) == 1 else 'pages'} failed:", file=sys.stderr)
        width = max(len(page.name) for page, _ in failures)
        for page, error in failures:
            print(f"  {page.name:{width}}  {ascii(page.url)[1:-1]}  {ascii(error)[1:-1]}", file=sys.stderr)
    summary = ", ".join(f"{count} {what}" for what, count in counts.items() if count or what != "already here")
    print(f"{out}: {summary}")


if __name__ == "__main__":
    sys.exit(main())
