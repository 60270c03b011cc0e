"""Files → read pages: the one function that runs per file, alone, in a process pool, or from the cache."""

import hashlib
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter

from friends_corpus.core import cache
from friends_corpus.core.fingerprint import hash_code
from friends_corpus.core.model import Episode, Line, Page, ParseError, Segment
from friends_corpus.formats.pages import read_pages
from friends_corpus.parsing.normalise import normalise
from friends_corpus.parsing.script import parse_page
from friends_corpus.parsing.version import PARSER_VERSION
from friends_corpus.show.config import FRIENDS, Show, read_show
from friends_corpus.show.page_names import file_name, page_name

READER = hash_code("builders", ["page_cache"])  # what is kept of a page, and how it is encoded
NO_LABEL = "dropped:no_label"
FILES_PER_TASK = 4  # parsing one page is so quick that handing out single ones costs time


@dataclass(frozen=True, slots=True)
class ReadPage:
    """A page that is a transcript. `kinds`: kind of segment → (segments, characters), over the whole page.

    `sha256` is that of its file, `locator` says where the page is in it, if the file holds others.
    """

    name: str
    sha256: str
    episode: Episode[Line]
    kinds: Mapping[str, tuple[int, int]]
    locator: str = ""
    notes: tuple[str, ...] = ()  # what was guessed


@dataclass(frozen=True, slots=True)
class FailedPage:
    """A page that cannot be used, and why; `sha256` is empty where not even the bytes could be read."""

    name: str
    sha256: str
    error: str
    locator: str = ""


ShowSource = tuple[Path, Path | None, str]  # folder, table of pages, names of columns
Result = ReadPage | FailedPage
RESULTS = TypeAdapter(list[Result])  # to JSON


class ReadFile(NamedTuple):
    """The pages of a file, and the entry of the cache that was not as it was kept, if there was one."""

    pages: list[Result]
    refused: list[Path]


@contextmanager
def open_pool(jobs: int, files: int, lock: int | None = None) -> Iterator[Executor | None]:
    """Start processes for a build of so many files; None where it needs none; `lock` is a file they must not keep."""
    if min(jobs, files) <= 1:
        yield None
        return
    workers = min(jobs, -(-files // FILES_PER_TASK))
    with ProcessPoolExecutor(workers, initializer=_start_worker, initargs=(os.getpid(), lock)) as pool:
        yield pool


def read_files(
    paths: Sequence[Path], pool: Executor | None, cache_folder: Path | None, show: ShowSource = (FRIENDS, None, "")
) -> Iterator[ReadFile]:
    """Return the pages of each file in the order given; the other processes begin at once."""
    read = partial(read_file, cache_folder=cache_folder, show=show)
    return pool.map(read, paths, chunksize=FILES_PER_TASK) if pool else map(read, paths)


@contextmanager
def beside(pool: Executor | None, work: Callable[..., object], *arguments: object) -> Iterator[Callable[[], object]]:
    """Run `work(*arguments)` in another process while the block runs, or here and first where there is none.

    The block gets a function that waits for it and raises what failed there.
    """
    if pool is None:
        result = work(*arguments)
        yield lambda: result
        return
    begun = pool.submit(work, *arguments)
    try:
        yield begun.result
    finally:
        wait([begun])


def _start_worker(parent: int, lock: int | None) -> None:
    """Leave Ctrl-C and the lock to the build, and end when that is killed (a worker would wait for ever)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if lock is not None:
        with suppress(OSError):
            os.close(lock)

    end_with(parent)


def end_with(parent: int) -> None:
    """End this process when its parent is gone."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def read_file(path: Path, cache_folder: Path | None, show: ShowSource = (FRIENDS, None, "")) -> ReadFile:
    """Return the pages of one file as episodes of normalised lines, or why they cannot be had.

    The show comes as what it is read from: other processes read it again.
    """
    about = read_show(*show)
    name = file_name(path, about)
    try:
        data = path.read_bytes()
    except OSError as error:
        return ReadFile([FailedPage(name, "", f"{name}: cannot be read: {error.strerror}")], [])
    sha256 = hashlib.sha256(data).hexdigest()
    key = hashlib.sha256(json.dumps([READER, name, sha256, PARSER_VERSION + about.version]).encode()).hexdigest()
    refused: list[Path] = []
    if cache_folder and (kept := cache.load(cache_folder, key, list[Result], refused)):
        return ReadFile(kept, refused)
    try:
        results = [_read_page(page, name, sha256, about) for page in read_pages(name, data, about)]
    except ParseError as error:
        results = [_failed(name, "", sha256, error)]
    except Exception as error:
        error.add_note(f"while reading the file {name}")  # a bug of ours: say where
        raise
    if cache_folder:
        cache.store(cache_folder, key, RESULTS.dump_python(results, mode="json"))
    return ReadFile(results, refused)


def _read_page(page: Page, file: str, sha256: str, show: Show) -> Result:
    try:
        segments, printed = parse_page(page, file, show)
    except ParseError as error:
        return _failed(file, page.locator, sha256, error)
    episode = normalise(printed, show)
    kinds = count_kinds(segments, {order for line in episode.utterances() for order in line.segments})
    return ReadPage(episode.page, sha256, episode, kinds, page.locator, page.notes)


def _failed(file: str, locator: str, sha256: str, error: ParseError) -> FailedPage:
    name = page_name(file, locator)
    return FailedPage(name, sha256, str(error) if name in str(error) else f"{name}: {error}", locator)


def count_kinds(segments: Iterable[Segment], in_turns: Collection[int]) -> dict[str, tuple[int, int]]:
    """Map kind to (segments, characters), kinds sorted; speech that is in no turn has no label and is dropped.

    >>> segments = [Segment(0, "speech", "Hello?"), Segment(1, "cue", "Joey"), Segment(2, "speech", "Hi.")]
    >>> count_kinds(segments, {1, 2})
    {'cue': (1, 4), 'dropped:no_label': (1, 6), 'speech': (1, 3)}
    """
    number: Counter[str] = Counter()
    characters: Counter[str] = Counter()
    for segment in segments:
        kind = NO_LABEL if segment.kind == "speech" and segment.order not in in_turns else segment.kind
        number[kind] += 1
        characters[kind] += len(segment.text)
    return {kind: (number[kind], characters[kind]) for kind in sorted(number)}
