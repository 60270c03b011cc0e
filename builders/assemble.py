"""Assemble a Corpus from rows: duplicates, splits, leakage, warnings and statistics, in this order.

`build` takes the facts of the pages from the pages and writes what comes out; `check` takes them from a folder,
assembles again from its rows, and compares.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from friends_corpus.core.manifest import FailedPage, Leakage, Page, Parameters, Show, Split

from .configs.chat import characters_of
from .configs.tables import Tables, mark_repeats
from .reports.page_stats import PageFacts
from .reports.stats import Stats, compute_numbers, page_table
from .reports.warnings import Suspicion, count_suspicions, find_leaks, find_suspicions
from .splitting.duplicates import Duplicates, find_duplicates, scene_texts
from .splitting.leakage import measure_leakage
from .splitting.splits import assign_splits


@dataclass(frozen=True, slots=True)
class Corpus:
    """All that a dataset folder says: rows, splits and what follows from them."""

    show: Show
    parameters: Parameters
    sample: bool  # whether all pages are the project's invented ones
    tables: Tables  # `dup_cluster` filled in
    splits: Mapping[str, Split]  # by episode id
    pages: Sequence[Page]  # those shipped have their split
    failed_pages: Sequence[FailedPage]
    duplicates: Duplicates
    leakage: Leakage
    warnings: Sequence[Suspicion]
    stats: Stats


def assemble(tables: Tables, page_facts: PageFacts, show: Show, parameters: Parameters) -> Corpus:
    """Make the corpus of the rows of all configs."""
    duplicates = find_duplicates(scene_texts(tables["lines"]))
    clusters, repeats = duplicates.clusters(), duplicates.episodes()
    tables = {config: mark_repeats(table, clusters) for config, table in tables.items()}
    splits = assign_splits(page_facts.episodes, train_only=repeats)
    pages = [with_split(page, splits, page.get("episode") in repeats) for page in page_facts.pages]
    leakage = measure_leakage(duplicates, splits)
    warnings = find_suspicions(tables["lines"], page_facts.episodes) + find_leaks(leakage)
    characters = characters_of(parameters["character"], show["cast"])
    stats: Stats = {
        **compute_numbers(tables, page_facts.stats, splits, characters),
        "pages_table": page_table(page_facts.stats["pages_table"], tables["lines"], warnings),
        "suspicions": count_suspicions(warnings),
        "leakage": leakage,
    }
    return Corpus(
        show,
        parameters,
        page_facts.sample,
        tables,
        splits,
        pages,
        page_facts.failed,
        duplicates,
        leakage,
        warnings,
        stats,
    )


def with_split(page: Page, splits: Mapping[str, Split], repeats: bool) -> Page:
    """Return a page of the manifest with its split, and marked if its episode repeats another one."""
    if "episode" not in page:
        return page
    placed: Page = {**page, "split": splits[page["episode"]]}
    return {**placed, "repeats": True} if repeats else placed
