"""python -m builders.build: a folder of transcript pages → the `friends-lines` dataset folder."""

from __future__ import annotations

import argparse
import gc
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from friends_corpus.core.cli import Failed, InputError, exit_code

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from friends_corpus.show.config import Show

    from .page_cache.pages import Result

OBJECTS_BETWEEN_COLLECTIONS = 200_000  # new ones, less the freed; Python's default is 700
VERSION = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}")  # "1.0.0"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code: 0 built, 1 could not write, 2 bad usage or input, 130 interrupted."""
    options = parser().parse_args(arguments)
    folder = options.out or "the dataset folder"
    built: list[tuple[Mapping[str, Any], str]] = []
    return exit_code(lambda: built.append(run(options)), f"{folder} is as it was", options.out) or exit_code(
        lambda: report(*built[0]), f"{folder} is whole, as it was asked for", "stdout"
    )


def run(options: argparse.Namespace) -> tuple[Mapping[str, Any], str]:
    """One build as it was asked for; returns what `report` prints. Raises InputError, Failed, OSError."""
    if options.engine == "datatrove" and options.no_cache:
        raise InputError("--engine datatrove hands the pages over in the cache; leave out --no-cache")
    if options.engine != "datatrove" and options.tasks:
        raise InputError("--tasks is for --engine datatrove; --jobs is the number of processes")

    from concurrent.futures.process import BrokenProcessPool

    from friends_corpus.show.config import FRIENDS, read_show
    from friends_corpus.show.page_names import find_pages

    from .configs.chat import main_character

    show = read_show(options.show or FRIENDS)
    try:
        return build(
            show=show,
            pages=find_pages(options.pages or show.sample),
            out=options.out or Path(show.dataset),
            jobs=options.jobs,
            parameters={
                "chunk_chars": options.chunk_chars,
                "character": main_character(options.character, show.cast),
            },
            version=options.version,
            use_cache=not options.no_cache,
            keep_going=options.keep_going,
            tasks=(options.tasks or options.jobs) if options.engine == "datatrove" else None,
        )
    except BrokenProcessPool:
        raise Failed("a worker process died, perhaps out of memory; try --jobs 1") from None


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m builders.build", description=__doc__)
    add = parser.add_argument
    add("--pages", type=Path, metavar="DIR", help="folder of *.html transcript pages (default: the invented sample)")
    add("--out", type=Path, metavar="DIR", help="dataset folder (default: friends-lines; TITLE-lines of another show)")
    add(
        "--show",
        type=Path,
        metavar="DIR",
        help="folder with show.yaml and speakers.csv of another show than Friends",
    )
    add("--jobs", type=positive, default=os.cpu_count() or 1, metavar="N", help="processes (default: all cores)")
    add("--chunk-chars", type=positive, default=1200, metavar="N", help="longest text of a chunk (default: 1200)")
    add(
        "--character",
        default="all",
        metavar="NAME",
        help="who answers in chat: a main character (default: %(default)s)",
    )
    add("--version", type=version, default="1.0.0", metavar="X.Y.Z", help="version of the dataset (default: 1.0.0)")
    add("--no-cache", action="store_true", help="parse every page anew, and keep nothing for the next build")
    add("--engine", choices=["processes", "datatrove"], default="processes", help="what reads the pages (%(default)s)")
    add("--tasks", type=positive, metavar="N", help="tasks that datatrove cuts the pages into (default: as --jobs)")
    add("--keep-going", action="store_true", help="leave out pages that fail, and list them in the manifest")
    return parser


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def version(text: str) -> str:
    """Three numbers, as tags on the Hub have them."""
    if not VERSION.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form 1.0.0")
    return text


def build(
    show: Show,
    pages: Sequence[Path],
    out: Path,
    jobs: int,
    parameters: Mapping[str, Any],
    version: str,
    use_cache: bool,
    keep_going: bool,
    tasks: int | None = None,
) -> tuple[Mapping[str, Any], str]:
    """Reads the pages, then writes the folder `out` in place of what is there; `tasks`: for the engine datatrove.

    `parameters` (`chunk_chars`, `character`) stand in the manifest. Returns what `report` prints.

    A folder that a build of the same pages and parameters wrote is kept, if its files are still those.
    """
    from friends_corpus.core.files import heal

    from .folder.lock import check_replaceable, locked
    from .folder.up_to_date import fingerprint, recall, remember

    out = out.resolve()  # a link keeps pointing to the folder that changes
    kept = open_cache() if use_cache else None
    if tasks:
        read_with_engine(pages, tasks, jobs, kept, show)
    with locked(out) as lock, rare_collection():
        heal(out)
        check_replaceable(out)
        mark = fingerprint(pages, [show.version, parameters, version, keep_going]) if kept else None
        if kept and mark and (said := recall(kept, mark, out)):
            return said, f"kept {out.name}, version {version}: nothing has changed"

        from tqdm import tqdm

        from .page_cache.pages import open_pool, read_files
        from .reports.plots import import_matplotlib

        def progress(found: Iterable[list[Result]]) -> Iterable[list[Result]]:
            return tqdm(found, "pages", len(pages), unit="page")

        with open_pool(jobs, len(pages), lock) as pool:
            results = read_files(pages, pool, kept, progress, show.folder, meanwhile=import_writers)
            if pool:
                pool.submit(import_matplotlib)  # which will draw, while this process has rows to make
            said = write(results, out, show, parameters, version, keep_going, pool)
        if kept and mark:
            remember(kept, mark, out, said)
        return said, f"wrote {out.name}, version {version}"


def read_with_engine(pages: Sequence[Path], tasks: int, jobs: int, kept: Path | None, show: Show) -> None:
    """All pages into the cache; without the lock of a build, which the engine's processes would keep."""
    from .page_cache.datatrove_engine import run_tasks

    if kept is None:
        raise InputError("--engine datatrove hands the pages over in the cache, which cannot be written")
    run_tasks(pages, tasks, jobs, kept, show.folder)


def import_writers() -> None:
    """What writing needs and takes a second or two to import, while other processes read the pages."""
    from .folder import write  # noqa: F401


@contextmanager
def rare_collection() -> Iterator[None]:
    """With Python's search for dead cycles a few times a build, not thousands of times: a tenth of its time went there.

    Not without it: each page leaves some of them. Other processes that are started meanwhile do the same.
    """
    usual = gc.get_threshold()
    gc.freeze()  # what was imported stays
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


def report(said: Mapping[str, Any], end: str) -> None:
    """What a build has to say: the summary on stdout, the pages that it left out on stderr."""
    print(said["summary"])
    for error in said["left_out"]:
        print(f"warning: left out: {error}", file=sys.stderr)
    print(f"\n{end}")


def open_cache() -> Path | None:
    """The cache folder, or None and a warning where it cannot be written."""
    from .page_cache.cache import cache_folder

    folder = cache_folder(os.environ, Path.home())
    probe = folder / f".probe.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        print(f"warning: no cache, {folder}: {error.strerror}", file=sys.stderr)
        return None
    return folder


def write(
    results: Sequence[Result],
    out: Path,
    show: Show,
    parameters: Mapping[str, Any],
    version: str,
    keep_going: bool,
    pool: Executor | None,
) -> dict[str, Any]:
    """Read pages → the folder. Returns what `report` prints. `pool`: other processes, if there are any."""
    from .page_cache.select_pages import identity, is_sample, page_entry, sort_out

    shipped, left_out, failed = sort_out(results)
    if failed and not keep_going:
        remedy = "--keep-going leaves them out" if shipped else "none is a transcript"
        raise InputError(*(page.error for page in failed), f"{len(failed)} of {len(results)} pages failed; {remedy}")
    if not shipped:
        raise InputError(*(page.error for page in failed), "no page to build a dataset from")

    from friends_corpus.core.files import staged

    from .configs.chat import characters_of
    from .configs.tables import make_rows
    from .folder.write import write_dataset
    from .page_cache.pages import beside
    from .reports.page_stats import tell
    from .reports.plots import count, draw_plots
    from .reports.quality import quality_stats
    from .reports.stats import compute_stats
    from .reports.summary import summary
    from .splitting.duplicates import find_duplicates, scene_texts
    from .splitting.leakage import certify
    from .splitting.splits import assign_splits

    episodes = [page.episode for page in shipped]
    characters = characters_of(parameters["character"], show.cast)
    rows = make_rows(episodes, show.title, characters, parameters["chunk_chars"])
    if not len(rows.tables["lines"]):
        raise InputError("no page has a spoken line")
    duplicates = find_duplicates(scene_texts(rows.tables["lines"]))
    rows = rows.marked(duplicates.clusters())
    repeats = duplicates.episodes()
    splits = assign_splits((episode.id for episode in episodes), train_only=repeats)
    told = tell(shipped, show)
    stats = compute_stats(told, rows, splits, characters)
    not_shipped = [{**identity(page), "reason": reason} for page, reason in left_out]
    listed = [page_entry(page, splits, repeats) for page in shipped] + not_shipped
    with (
        staged(out) as folder,
        beside(pool, draw_plots, folder, count(rows.tables), stats, parameters["chunk_chars"]) as drawn,
    ):
        leakage = certify(duplicates, splits)
        stats = stats | quality_stats(told, rows.tables["lines"], leakage) | {"leakage": leakage}
        write_dataset(
            folder=folder,
            show=show,
            version=version,
            sample=is_sample(page.sha256 for page in shipped),
            parameters=parameters,
            rows={config: table for config, table in rows.tables.items() if len(table)},
            splits=splits,
            stats=stats,
            pages=sorted(listed, key=lambda page: str(page["page"])),
            failed_pages=[{**identity(page), "error": page.error} for page in failed],
            drawn=drawn,
        )
    return {"summary": summary(stats, not_shipped, len(failed)), "left_out": [page.error for page in failed]}


if __name__ == "__main__":
    sys.exit(main())
