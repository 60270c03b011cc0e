"""python -m builders.build: build the dataset folder `friends-lines` from a folder of transcripts."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from friends_corpus.core.cli import Failed, InputError, exit_code, positive
from friends_corpus.core.versions import version

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from friends_corpus.core.manifest import Parameters
    from friends_corpus.show.config import Show

    from .folder.up_to_date import Outcome
    from .page_cache.pages import ReadPage, Result

FEW_NAMES = 8  # pages in one form that are named one by one
OBJECTS_BETWEEN_COLLECTIONS = 200_000  # new ones, less the freed; Python's default is 700


@dataclass(frozen=True, slots=True)
class Request:
    """What decides the bytes of the folder."""

    show: Show
    pages: Sequence[Path]
    parameters: Parameters
    version: str
    keep_going: bool
    overwrite: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code: 0 built, 1 could not write, 2 bad usage or input, 130 interrupted."""
    options = parser().parse_args(arguments)
    folder = options.out or "the dataset folder"
    built: list[Outcome] = []
    return exit_code(lambda: built.append(run(options)), f"{folder} is unchanged", options.out) or exit_code(
        lambda: report(built[0]), f"{folder} is complete", "stdout"
    )


def run(options: argparse.Namespace) -> Outcome:
    """Build what the command line asks for. Raises InputError, Failed, OSError."""
    if options.engine == "datatrove" and options.no_cache:
        raise InputError("--engine datatrove needs the cache; leave out --no-cache")
    if options.engine != "datatrove" and options.tasks:
        raise InputError("--tasks needs --engine datatrove; without it use --jobs")

    from concurrent.futures.process import BrokenProcessPool

    from friends_corpus.core.cache import open_cache
    from friends_corpus.show.options import read_show_options
    from friends_corpus.show.page_names import find_pages

    from .configs.chat import main_character

    show = read_show_options(options)
    request = Request(
        show,
        find_pages(options.pages or show.sample),
        {"chunk_chars": options.chunk_chars, "character": main_character(options.character, show.cast)},
        options.version,
        options.keep_going,
        options.overwrite,
    )
    out = (options.out or Path(show.dataset)).resolve()  # a link keeps pointing to the folder that changes
    cache = None if options.no_cache else open_cache("pages")
    try:
        if options.engine == "datatrove":  # without the lock of a build, which the engine's processes would keep
            from .page_cache.datatrove_engine import ReadShare, run_tasks

            if cache is None or open_cache("tasks") is None:
                raise InputError("--engine datatrove needs a cache that can be written; set XDG_CACHE_HOME")
            share = ReadShare([page.absolute() for page in request.pages], cache, show.source)
            run_tasks(share, options.tasks or options.jobs, options.jobs)
        return build(request, out, options.jobs, cache)
    except BrokenProcessPool:
        raise Failed("a worker process died, perhaps out of memory; try --jobs 1") from None


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="python -m builders.build", description=__doc__)
    add = parser.add_argument
    add("--pages", type=Path, metavar="DIR", help="folder of *.html transcript pages (default: the invented sample)")
    add("--out", type=Path, metavar="DIR", help="dataset folder (default: friends-lines; TITLE-lines of another show)")
    from friends_corpus.show.options import add_show_options

    add_show_options(parser)
    add("--jobs", type=positive, default=os.cpu_count() or 1, metavar="N", help="processes (default: all cores)")
    add("--chunk-chars", type=positive, default=1200, metavar="N", help="maximum characters of a chunk (default: 1200)")
    add(
        "--character",
        default="all",
        metavar="NAME",
        help="who answers in chat: a main character (default: %(default)s)",
    )
    add("--version", type=version, default="1.0.0", metavar="X.Y.Z", help="version of the dataset (default: 1.0.0)")
    add("--no-cache", action="store_true", help="parse every page again and cache nothing")
    add(
        "--engine",
        choices=["processes", "datatrove"],
        default="processes",
        help="how pages are read in parallel (default: %(default)s)",
    )
    add("--tasks", type=positive, metavar="N", help="number of datatrove tasks (default: as --jobs)")
    add("--keep-going", action="store_true", help="leave out pages that fail, and list them in the manifest")
    add("--overwrite", action="store_true", help="also replace files of an earlier build that were changed since")
    return parser


def build(request: Request, out: Path, jobs: int, cache: Path | None) -> Outcome:
    """Read the pages, then write the folder `out` in place of what is there.

    A folder that a build of the same pages and parameters wrote is kept, if its files are still those.
    """
    from friends_corpus.core.files import heal

    from .folder.lock import check_replaceable, locked
    from .folder.up_to_date import fingerprint, recall, remember
    from .page_cache.pages import open_pool

    with locked(out) as lock, infrequent_gc():
        heal(out)
        check_replaceable(out, request.overwrite)
        decides = [request.show.version, request.parameters, request.version, request.keep_going]
        mark = fingerprint(request.pages, decides) if cache else None
        if mark and (kept := recall(mark, out)):
            return {**kept, "end": f"kept {out.name}, version {request.version}: nothing has changed"}
        with open_pool(jobs, len(request.pages), lock) as pool:
            outcome = write(request, read(request, cache, pool), out, pool)
        if mark:
            remember(mark, out, outcome)
        return outcome


def read(request: Request, cache: Path | None, pool: Executor | None) -> list[Result]:
    """Read all pages, in the other processes if there are any."""
    from tqdm import tqdm

    from friends_corpus.core.cache import report as report_refused

    from .page_cache.pages import read_files
    from .reports.plots import import_matplotlib

    results = read_files(request.pages, pool, cache, request.show.source)
    if pool:
        pool.submit(import_matplotlib)  # after the pages: one of them will draw, while this process has rows to make
        from .folder import write  # noqa: F401  (a second or two, while the others read)
    files = list(tqdm(results, "pages", len(request.pages), unit="page"))
    report_refused([entry for file in files for entry in file.refused])
    return [page for file in files for page in file.pages]


def say_forms(pages: Sequence[ReadPage]) -> None:
    """Print which forms the pages have, with the names of those in rarer ones, and what was guessed."""
    forms: dict[str, list[str]] = {}
    for page in pages:
        forms.setdefault(page.episode.form, []).append(page.name)
    for form, names in sorted(forms.items(), key=lambda item: -len(item[1])):
        listed = f": {', '.join(names)}" if len(names) <= FEW_NAMES else ""
        print(f"form      {form}, {len(names)} {'page' if len(names) == 1 else 'pages'}{listed}", file=sys.stderr)
    for page in pages:
        for note in page.notes:
            print(f"note: {page.name}: {note}", file=sys.stderr)


@contextmanager
def infrequent_gc() -> Iterator[None]:
    """Run the garbage collector a few times per build instead of thousands; it took a tenth of the time.

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


def report(outcome: Outcome) -> None:
    """Print what a build has to say: the summary on stdout, on stderr the pages left out and those to look at."""
    print(outcome["summary"])
    for warning in outcome["warnings"]:
        print(f"warning: {warning}", file=sys.stderr)
    print(f"\n{outcome['end']}")


def write(request: Request, results: Sequence[Result], out: Path, pool: Executor | None) -> Outcome:
    """Write the folder of the pages that were read. `pool`: other processes, if there are any."""
    from friends_corpus.core.files import staged
    from friends_corpus.parsing.coverage import doubts

    from .assemble import assemble
    from .configs.tables import RowSettings, make_rows
    from .folder.lock import check_replaceable
    from .folder.write import write_dataset
    from .page_cache.pages import ReadPage, beside
    from .page_cache.select_pages import select_pages
    from .reports.page_stats import page_facts
    from .reports.plots import draw_plots, plot_data
    from .reports.summary import summary

    selection = select_pages(results)
    failed, shipped = selection.failed, selection.shipped
    if failed and not request.keep_going:
        remedy = "--keep-going leaves them out" if shipped else "none is a transcript"
        raise InputError(*(page.error for page in failed), f"{len(failed)} of {len(results)} pages failed; {remedy}")
    if not shipped:
        raise InputError(*(page.error for page in failed), "no pages to build a dataset from")
    show, parameters = request.show.facts, request.parameters
    tables = make_rows([page.episode for page in shipped], RowSettings.of(show, parameters), request.show.known)
    if not len(tables["lines"]):
        raise InputError("no page has a line of dialogue; run python -m friends_corpus.parse on one of them")
    say_forms([page for page in results if isinstance(page, ReadPage)])
    corpus = assemble(tables, page_facts(selection, request.show), show, parameters)
    drawing = plot_data(corpus.tables), corpus.stats, parameters["chunk_chars"]
    check = partial(check_replaceable, out, request.overwrite)
    with staged(out, check) as folder, beside(pool, draw_plots, folder, *drawing) as drawn:
        write_dataset(folder, corpus, request.version, drawn)
    return {
        "summary": summary(corpus.stats, corpus.pages, len(failed)),
        "warnings": [
            *(f"left out: {page.error}" for page in failed),
            *(doubt for page in shipped for doubt in doubts(page.episode)),
        ],
        "end": f"wrote {out.name}, version {request.version}",
    }


if __name__ == "__main__":
    sys.exit(main())
