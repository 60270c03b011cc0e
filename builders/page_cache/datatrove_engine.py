"""Reading pages on an existing engine, datatrove: many tasks, on one machine or on a cluster, resumed where killed.

A task reads every N-th file into the page cache; the build finds the pages there, signed with the same user's key.
Finished tasks are marked in a folder beside that cache, named by the pages' content, the parser and N.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from friends_corpus.core.cache import report
from friends_corpus.core.cli import InputError
from friends_corpus.core.files import sha256_of
from friends_corpus.parsing.version import PARSER_VERSION
from friends_corpus.show.config import FRIENDS, read_show

from .pages import READER, ShowSource, end_with, read_file

MISSING = "--engine datatrove needs the package datatrove; install it with: pip install '.[scale]'"


def run_tasks(share: ReadShare, tasks: int, jobs: int) -> Path:
    """Read all pages in `tasks` tasks, `jobs` at once; return the folder with the tasks' logs."""
    if find_spec("datatrove") is None:
        raise InputError(MISSING)
    from datatrove.executor import LocalPipelineExecutor  # type: ignore[import-untyped,unused-ignore]
    from datatrove.utils.logging import logger  # type: ignore[import-untyped,unused-ignore]

    logs = task_folder(share.pages, tasks, share.cache_folder, share.show)
    logger.remove()  # each task sets up its own and writes it to that folder, too
    with _ending_together():
        LocalPipelineExecutor(pipeline=[share], tasks=tasks, workers=min(jobs, tasks), logging_dir=str(logs)).run()
    return logs


@dataclass(frozen=True)
class ReadShare:
    """A datatrove pipeline step (for any executor): reads the pages of one task into the cache, passes nothing on."""

    pages: Sequence[Path] = field(repr=False)
    cache_folder: Path
    show: ShowSource = (FRIENDS, None, "")

    def __call__(self, data: object, rank: int, world_size: int) -> None:
        """Read the pages of task `rank` of `world_size`."""
        for page in self.pages[rank::world_size]:
            report(read_file(page, self.cache_folder, self.show).refused)


@contextmanager
def _ending_together() -> Iterator[None]:
    """End forked processes with this one: datatrove's manager would outlive a killed build."""
    parent, within = os.getpid(), [True]

    def watch() -> None:
        if within and os.getppid() == parent:
            end_with(parent)

    os.register_at_fork(after_in_child=watch)  # for good, so it asks whether it still holds
    try:
        yield
    finally:
        within.clear()


def task_folder(pages: Sequence[Path], tasks: int, cache_folder: Path, show: ShowSource = (FRIENDS, None, "")) -> Path:
    """Return where the tasks of just these pages, in this order, by this parser, are logged and marked."""
    contents = [(page.name, sha256_of(page) if os.access(page, os.R_OK) else "") for page in pages]
    key = json.dumps([READER, PARSER_VERSION, read_show(*show).version, tasks, contents]).encode(
        "utf-8", "surrogateescape"
    )
    return cache_folder.with_name("tasks") / hashlib.sha256(key).hexdigest()[:16]
