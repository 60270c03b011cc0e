"""The pages read anew, without any cache, and all that a build would make of them compared with the folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from builders.assemble import Corpus, assemble
from builders.configs.tables import RowSettings, make_rows
from builders.folder.violation import Violation
from builders.folder.write import STATS
from builders.page_cache.pages import open_pool, read_files
from builders.page_cache.select_pages import select_pages
from builders.reports.page_stats import page_facts
from friends_corpus.core.manifest import MANIFEST, Manifest
from friends_corpus.show.config import Show

from .recompute import compare

BY_PAGES = "is not what the pages make it"


def check_pages(manifest: Manifest, corpus: Corpus, pages: Sequence[Path], show: Show) -> list[Violation]:
    """Compare a corpus, which follows from the folder's rows, with that of the pages.

    Of other pages, or another show, nothing else is compared.
    """
    with open_pool(os.cpu_count() or 1, len(pages)) as pool:
        results = [page for file in read_files(pages, pool, None, show.folder) for page in file.pages]
    listed = {page["page"]: page["sha256"] for page in (*manifest["pages"], *manifest["failed_pages"])}
    read = {page.name: page.sha256 for page in results}
    if wrong := compare(MANIFEST, BY_PAGES, [corpus.show, listed], [show.facts, read]):
        return wrong
    selection = select_pages(results)
    tables = make_rows([page.episode for page in selection.shipped], RowSettings.of(show.facts, corpus.parameters))
    made = assemble(tables, page_facts(selection, show), show.facts, corpus.parameters)
    found = compare(MANIFEST, BY_PAGES, [corpus.pages, corpus.failed_pages], [made.pages, made.failed_pages])
    for config, table in made.tables.items():
        rows, expected = ({row["id"]: row for row in each.to_pylist()} for each in (corpus.tables[config], table))
        found += compare(config, BY_PAGES, rows, expected)
    return found + compare(STATS, BY_PAGES, corpus.stats, made.stats)
