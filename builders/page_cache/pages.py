"""Pages → read pages: the one function that runs per page, alone, in a process pool, or from the cache."""

from __future__ import annotations

import hashlib
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

from friends_corpus.core.model import Episode, Line, ParseError, Segment
from friends_corpus.parsing.normalise import normalise
from friends_corpus.parsing.script import parse_page
from friends_corpus.parsing.version import PARSER_VERSION
from friends_corpus.show.config import FRIENDS, read_show

from . import cache

NO_LABEL = "dropped:no_label"
PAGES_PER_TASK = 4  # parsing one page is so quick that handing out single ones costs time


@dataclass(frozen=True, slots=True)
class ReadPage:
    """A page that is a transcript. `kinds`: kind of segment → (segments, characters), over the whole page."""

    name: str
    sha256: str
    episode: Episode[Line]
    kinds: Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class FailedPage:
    """A page that cannot be used, and why; `sha256` is empty where not even the bytes could be read."""

    name: str
    sha256: str
    error: str


@contextmanager
def open_pool(jobs: int, pages: int, lock: int | None = None) -> Iterator[Executor | None]:
    """Other processes for a build of so many pages; None where it needs none. `lock` is a file they must not keep."""
    if min(jobs, pages) <= 1:
        yield None
        return
    workers = min(jobs, -(-pages // PAGES_PER_TASK))
    with ProcessPoolExecutor(workers, initializer=_start_worker, initargs=(os.getpid(), lock)) as pool:
        yield pool


def read_pages(
    paths: Sequence[Path],
    pool: Executor | None,
    cache_folder: Path | None,
    progress: Callable[[Iterable[ReadPage | FailedPage]], Iterable[ReadPage | FailedPage]] = iter,
    show: Path = FRIENDS,
    meanwhile: Callable[[], object] = bool,
) -> list[ReadPage | FailedPage]:
    """Every page in the order given, whatever the number of processes. `show` is the folder of the show.

    `meanwhile` is called while other processes read; not where there are none.
    """
    read = partial(read_page, cache_folder=cache_folder, show_folder=show)
    if pool is None:
        return list(progress(map(read, paths)))
    found = pool.map(read, paths, chunksize=PAGES_PER_TASK)  # begins at once
    meanwhile()
    return list(progress(found))


@contextmanager
def beside(pool: Executor | None, work: Callable[..., object], *arguments: object) -> Iterator[Callable[[], object]]:
    """`work(*arguments)` in another process while the block runs, or here and first where there is none.

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
    """A worker leaves Ctrl-C and the lock to the build, and ends when that is killed (else it would wait for ever)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if lock is not None:
        with suppress(OSError):
            os.close(lock)

    end_with(parent)


def end_with(parent: int) -> None:
    """Ends this process when its parent is gone."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def read_page(path: Path, cache_folder: Path | None, show_folder: Path = FRIENDS) -> ReadPage | FailedPage:
    """One page file as an episode of normalised lines. The show comes as its folder: other processes read it again."""
    show = read_show(show_folder)
    name = os.fsencode(path.name).decode("utf-8", "replace")
    try:
        data = path.read_bytes()
    except OSError as error:
        return FailedPage(name, "", f"{name}: cannot be read: {error.strerror}")
    sha256 = hashlib.sha256(data).hexdigest()
    key = cache.key(name, sha256, PARSER_VERSION + show.version)
    if cache_folder and (kept := cache.load(cache_folder, key)):
        return ReadPage(name, sha256, cache.decode(kept["episode"]), _pairs(kept["kinds"]))
    try:
        segments, parsed = parse_page(name, data, show)
        episode = normalise(parsed, show)
    except ParseError as error:
        return FailedPage(name, sha256, str(error) if name in str(error) else f"{name}: {error}")
    except Exception as error:
        error.add_note(f"while reading the page {name}")  # a bug of ours: say where
        raise
    kinds = count_kinds(segments, {order for line in episode.utterances() for order in line.segments})
    if cache_folder:
        with suppress(OSError):  # the cache only saves time; a full disk is reported where it matters
            cache.store(cache_folder, key, {"episode": cache.encode(episode), "kinds": kinds})
    return ReadPage(name, sha256, episode, kinds)


def count_kinds(segments: Iterable[Segment], in_turns: Collection[int]) -> dict[str, tuple[int, int]]:
    """Kind → (segments, characters), kinds sorted; speech that is in no turn counts as dropped, for it has no label.

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


def _pairs(kinds: Mapping[str, Sequence[int]]) -> dict[str, tuple[int, int]]:
    return {kind: (segments, characters) for kind, (segments, characters) in kinds.items()}
