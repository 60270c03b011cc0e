"""Compute again what follows from the rows or the pages, and compare: statistics, splits, quality report, card.

Taken as they stand are what only the pages tell (builders.reports.page_stats: drops, unknown cues, scenes), what the
manifest says of the show, the pages and the software, sizes in memory, and the pictures. All else follows from these
and the rows, by `assemble`, which made it: by today's, so that a folder of another version may have another card.
"""

import json
import os
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pyarrow as pa

from builders.assemble import Corpus, assemble
from builders.configs.lines import Row
from builders.configs.schema import CONFIGS, to_table
from builders.configs.speakers import known_in, speaker_rows
from builders.configs.tables import RowSettings, Tables, make_rows
from builders.folder.violation import Violation, differ
from builders.folder.write import STATS, derived_files
from builders.page_cache.pages import open_pool, read_files
from builders.page_cache.select_pages import select_pages
from builders.reports.croissant import CROISSANT, make_croissant
from builders.reports.page_stats import PageFacts, PageRow, PageStats, dropped_kinds, page_facts
from builders.splitting.leakage import abridged
from friends_corpus.core.cli import in_short
from friends_corpus.core.ids import episode_of, numbers_of, scene_of
from friends_corpus.core.manifest import MANIFEST, Manifest
from friends_corpus.core.reader import Unreadable, faults, json_values, load
from friends_corpus.show import config as shows

from .integrity import Part

BY_ROWS, BY_MANIFEST = "does not follow from the rows", "does not follow from the manifest"
BY_PAGES = "does not follow from the pages"
NOTHING = "nothing"


def check_derived(folder: Path, manifest: Manifest, parts: Sequence[Part]) -> tuple[list[Violation], Corpus | None]:
    """Assemble the corpus again from rows which are sound and of which none is missing, and compare.

    Returns the corpus too, or None where stats.json does not say what only the pages tell.
    """
    kept, wrong = read_json(folder / STATS)
    if wrong := wrong or [Violation(STATS, fault) for fault in faults(kept, PageStats)]:
        return wrong, None
    facts = read_page_facts(manifest, kept)
    tables = gather(parts)
    corpus = assemble(tables, facts, manifest["show"], manifest["parameters"])
    violations = [*check_repeats(parts, manifest, corpus), *check_speakers(tables)]
    if corpus.pages != manifest["pages"]:
        return violations, corpus  # in other splits all numbers are others
    violations += compare(MANIFEST, BY_ROWS, {"leakage": manifest["leakage"]}, {"leakage": abridged(corpus.leakage)})
    if wrong := [*check_page_stats(facts.stats, tables["lines"], manifest)]:
        return violations + wrong, corpus
    for name, text in derived_files(manifest, corpus).items():
        if name == STATS:
            violations += compare(STATS, BY_ROWS, kept, json.loads(text))
        elif name != CROISSANT:
            violations += compare_text(folder / name, text)
    return violations, corpus


def check_speakers(tables: Tables) -> list[Violation]:
    """Compare the rows of `speakers` with those that follow from the names and ids of all lines."""
    rows, expected = (
        {row["speaker_id"]: row for row in made}
        for made in (tables["speakers"].to_pylist(), speaker_rows(tables["lines"], known_in(tables["speakers"])))
    )
    return compare("speakers", "does not follow from lines", rows, expected)


def check_pages(manifest: Manifest, corpus: Corpus, pages: Sequence[Path], show: shows.Show) -> list[Violation]:
    """Compare the corpus of the rows with that of the pages, read without a cache; of other pages or shows, no more."""
    with open_pool(os.cpu_count() or 1, len(pages)) as pool:
        results = [page for file in read_files(pages, pool, None, show.source) for page in file.pages]
    listed = {page["page"]: page["sha256"] for page in (*manifest["pages"], *manifest["failed_pages"])}
    read = {page.name: page.sha256 for page in results}
    if other := compare(MANIFEST, BY_PAGES, [corpus.show, listed], [show.facts, read]):
        return other
    selection = select_pages(results)
    settings = RowSettings.of(show.facts, corpus.parameters)
    tables = make_rows([page.episode for page in selection.shipped], settings, show.known)
    made = assemble(tables, page_facts(selection, show), show.facts, corpus.parameters)
    violations = compare(MANIFEST, BY_PAGES, [corpus.pages, corpus.failed_pages], [made.pages, made.failed_pages])
    for config in made.tables:
        key = CONFIGS[config].key
        rows, expected = ({row[key]: row for row in of.tables[config].to_pylist()} for of in (corpus, made))
        violations += compare(config, BY_PAGES, rows, expected)
    return violations + compare(STATS, BY_PAGES, corpus.stats, made.stats)


def check_croissant(folder: Path, manifest: Manifest) -> list[Violation]:
    """Compare croissant.json with what follows from the manifest alone."""
    recorded, wrong = read_json(folder / CROISSANT)
    return wrong or compare(CROISSANT, BY_MANIFEST, recorded, make_croissant(manifest))


def read_page_facts(manifest: Manifest, stats: PageStats) -> PageFacts:
    """Take what only the pages tell from manifest.json and stats.json."""
    rows: list[PageRow] = [
        {
            "episode": page["episode"],
            "page": page["page"],
            "episodes": page["episodes"],
            "scenes": page["scenes"],
            "unknown_cues": page["unknown_cues"],
            "notes": page["notes"],
            "dropped": page["dropped"],
        }
        for page in stats["pages_table"]
    ]
    pages = [page.copy() for page in manifest["pages"]]
    for page in pages:
        page.pop("split", None)
        page.pop("repeats", None)
    return PageFacts(pages, manifest["failed_pages"], {**stats, "pages_table": rows}, manifest["sample"])


def gather(parts: Sequence[Part]) -> Tables:
    """Return the rows of all splits in the order in which a build makes them."""
    rows: dict[str, list[Row]] = {config: [] for config in CONFIGS}
    for part in parts:
        rows[part.config] += part.rows
    for config in rows:
        rows[config].sort(key=lambda row: numbers_of(row[CONFIGS[config].key]))
    return {config: to_table(config, values) for config, values in rows.items()}


def check_repeats(parts: Sequence[Part], manifest: Manifest, corpus: Corpus) -> Iterator[Violation]:
    """Compare marks of rows and pages, and splits, with those that follow from which scenes repeat each other."""
    clusters = corpus.duplicates.clusters()
    for part in parts:
        for number, row in enumerate(part.rows if "dup_cluster" in CONFIGS[part.config].features else ()):
            cluster = clusters.get(scene_of(row["id"]))
            if row["dup_cluster"] != cluster:
                yield part.wrong(number, "dup_cluster", BY_ROWS, differ(row["dup_cluster"], cluster))
    for page, made in zip(manifest["pages"], corpus.pages, strict=True):
        for key, marks in (
            ("repeats", (page.get("repeats", False), made.get("repeats", False))),
            ("split", (page.get("split"), made.get("split"))),
        ):
            if marks[0] != marks[1]:
                yield Violation(MANIFEST, BY_ROWS, detail=f"pages: {page['page']}: {key}: {differ(*marks)}")


def check_page_stats(pages: PageStats, lines: pa.Table, manifest: Manifest) -> Iterator[Violation]:
    """Check the page statistics against the rows, the manifest and each other."""
    shipped = {page["episode"]: page["page"] for page in manifest["pages"] if "episode" in page}
    table = {page["episode"]: page for page in pages["pages_table"]}
    if [(page["episode"], page["page"]) for page in pages["pages_table"]] != sorted(shipped.items()):
        yield Violation(STATS, f"pages_table: has different pages than {MANIFEST}")
        return
    rows = lines.select(["id", "episodes", "scene"]).to_pylist()
    for row in {episode_of(row["id"]): row for row in rows}.values():  # the last of each episode
        page = table[episode_of(row["id"])]
        if page["episodes"] != row["episodes"] or page["scenes"] < row["scene"]:
            yield Violation(STATS, BY_ROWS, detail=f"pages_table: {page['page']}: episodes or scenes")
    notes = pages["segments"].get("note", {"count": 0})["count"]
    dropped = sum(count["count"] for count in dropped_kinds(pages["segments"]).values())
    for column, counted, expected in (
        ("notes", sum(page["notes"] for page in pages["pages_table"]), notes),
        ("dropped", sum(page["dropped"] for page in pages["pages_table"]), dropped),
    ):
        if counted != expected:
            yield Violation(STATS, f"pages_table: {column} differs from segments")
    if not dropped_kinds(pages["segments"]).items() <= pages["dropped"].items():
        yield Violation(STATS, "dropped: is not that of segments")
    if manifest["dropped"] != pages["dropped"]:
        yield Violation(MANIFEST, f"dropped: differs from {STATS}")


def read_json(path: Path) -> tuple[Any, list[Violation]]:
    """Return the JSON values of a file, or the violation if it cannot be read."""
    try:
        return load(path, json_values, "build the dataset again"), []
    except Unreadable as error:
        return None, [Violation(path.name, "cannot be read", detail=error.why)]


def compare(file: str, rule: str, recorded: Any, expected: Any) -> list[Violation]:
    """Yield a violation for each value of a JSON file that differs from the expected one."""
    return [Violation(file, rule, detail=difference) for difference in differences(recorded, expected)]


def differences(recorded: Any, expected: Any, path: str = "") -> Iterator[str]:
    """Yield where and how two JSON values differ.

    >>> [*differences({"total": {"lines": 7}, "x": [1]}, {"total": {"lines": 8}, "x": [1, 2]})]
    ['total.lines: 7 instead of 8', 'x: [1] instead of [1, 2]']
    """
    if isinstance(recorded, dict) and isinstance(expected, dict):
        for key in expected | recorded:
            yield from differences(recorded.get(key, NOTHING), expected.get(key, NOTHING), f"{path}.{key}".strip("."))
    elif isinstance(recorded, list) and isinstance(expected, list) and len(recorded) == len(expected):
        for number, pair in enumerate(zip(recorded, expected, strict=True)):
            yield from differences(*pair, f"{path}.{number}".strip("."))
    elif recorded != expected:
        yield f"{path}: {differ(recorded, expected)}".removeprefix(": ")


def compare_text(path: Path, expected: str) -> list[Violation]:
    """Yield a violation for the first line of a text file that differs."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        return [Violation(path.name, "cannot be read", detail=in_short(error))]
    for number, (recorded, line) in enumerate(zip_longest(lines, expected.splitlines(), fillvalue=NOTHING), start=1):
        if recorded != line:
            return [Violation(path.name, BY_ROWS, detail=f"line {number}: {differ(recorded, line)}")]
    return []
