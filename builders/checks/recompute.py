"""What follows from the rows, made again and compared: statistics, certificate, splits, quality report, card.

Taken as they stand are what only the pages tell (builders.reports.page_stats: drops, unknown cues, scenes), what the
manifest says of the show, the pages and the software, sizes in memory, and the pictures. All else follows from these
and the rows, by the functions that wrote it: by today's, so that a folder of another version may have another card.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from builders.configs.chat import candidates, characters_of
from builders.configs.lines import Row
from builders.configs.schema import FEATURES, to_table
from builders.configs.tables import Rows
from builders.folder.manifest import about, check_shape
from builders.folder.violation import Violation, differ
from builders.folder.write import CARD, STATS, example
from builders.reports.card import render_card
from builders.reports.croissant import CROISSANT, make_croissant
from builders.reports.page_stats import dropped_kinds
from builders.reports.quality import REPORT, quality_stats, render_quality
from builders.reports.stats import compute_stats
from builders.splitting.duplicates import Duplicates, find_duplicates, scene_texts
from builders.splitting.leakage import abridged, certify
from builders.splitting.splits import assign_splits
from friends_corpus.core.cli import in_short
from friends_corpus.core.ids import episode_of, numbers_of, scene_of
from friends_corpus.core.manifest import MANIFEST, Count, Natural

from .integrity import Part

BY_ROWS, BY_MANIFEST = "is not what the rows make it", "is not what the manifest makes it"
NOTHING = "nothing"


class ToldPage(BaseModel):
    """A page, as only it can tell."""

    episode: str
    page: str
    episodes: list[int]
    scenes: Natural
    unknown_cues: Natural
    notes: Natural
    dropped: Natural


class UnknownCue(BaseModel):
    """A label that the show does not know."""

    cue: str
    lines: Natural
    first_in: str


class Told(BaseModel):
    """What `builders.reports.page_stats` put into stats.json."""

    pages_table: list[ToldPage]
    unknown_cues: list[UnknownCue]
    segments: dict[str, Count]
    dropped: dict[str, Count]


def check_derived(folder: Path, manifest: Mapping[str, Any], parts: Sequence[Part]) -> list[Violation]:
    """All that follows from rows which are sound and of which none is missing, and from a manifest that is."""
    splits = {id: split for split, ids in manifest["splits"].items() for id in ids}
    rows = gather(parts, manifest)
    duplicates = find_duplicates(scene_texts(rows.tables["lines"]))
    certificate = certify(duplicates, splits)
    found = [*check_repeats(parts, manifest, duplicates)]
    found += compare(MANIFEST, BY_ROWS, {"leakage": manifest["leakage"]}, {"leakage": abridged(certificate)})
    kept, wrong = read_json(folder / STATS)
    if wrong := wrong or check_shape(kept, Told, STATS):
        return found + wrong
    told = Told.model_validate(kept).model_dump()
    if wrong := [*check_told(told, rows, manifest)]:
        return found + wrong
    stats = compute_stats(told, rows, splits, made_for(manifest))
    stats |= quality_stats(told, rows.tables["lines"], certificate) | {"leakage": certificate}
    found += compare(STATS, BY_ROWS, kept, stats)
    found += compare_text(folder / REPORT, render_quality(stats))
    return found + compare_text(folder / CARD, make_card(manifest, rows, stats))


def check_croissant(folder: Path, manifest: Mapping[str, Any]) -> list[Violation]:
    """croissant.json, which follows from the manifest alone."""
    made = make_croissant(about(manifest), manifest["version"], manifest["sample"], manifest["configs"])
    found, wrong = read_json(folder / CROISSANT)
    return wrong or compare(CROISSANT, BY_MANIFEST, found, made)


def made_for(manifest: Mapping[str, Any]) -> list[str]:
    """Who answers in chat."""
    return characters_of(manifest["parameters"]["character"], manifest["show"]["cast"])


def gather(parts: Sequence[Part], manifest: Mapping[str, Any]) -> Rows:
    """The rows of all splits in the order in which a build makes them."""
    rows: dict[str, list[Row]] = {config: [] for config in FEATURES}
    for part in parts:
        rows[part.config] += part.rows
    for config in rows:
        rows[config].sort(key=lambda row: numbers_of(row["id"]))
    no_chat = Counter(reason for _, _, reason in candidates(rows["lines"], made_for(manifest)) if reason)
    return Rows({config: to_table(config, values) for config, values in rows.items()}, no_chat)


def make_card(manifest: Mapping[str, Any], rows: Rows, stats: Mapping[str, Any]) -> str:
    """README.md as a build would write it."""
    return render_card(
        show=about(manifest),
        version=manifest["version"],
        sample=manifest["sample"],
        parameters=manifest["parameters"],
        software=manifest["software"],
        configs=manifest["configs"],
        examples={config: example(rows.tables[config]) for config in manifest["configs"]},
        stats=stats,
        pages=manifest["pages"],
        failed_pages=manifest["failed_pages"],
    )


def check_repeats(parts: Sequence[Part], manifest: Mapping[str, Any], duplicates: Duplicates) -> Iterator[Violation]:
    """Marks of rows and pages, and splits, are those that follow from which scenes repeat each other."""
    clusters, repeats = duplicates.clusters(), duplicates.episodes()
    for part in parts:
        for number, row in enumerate(part.rows):
            cluster = clusters.get(scene_of(row["id"]))
            if row["dup_cluster"] != cluster:
                yield part.wrong(number, "dup_cluster", BY_ROWS, differ(row["dup_cluster"], cluster))
    pages = [page for page in manifest["pages"] if "episode" in page]
    for page in pages:
        marks = page.get("repeats", False), page["episode"] in repeats
        if marks[0] != marks[1]:
            yield Violation(MANIFEST, BY_ROWS, detail=f"pages: {page['page']}: repeats: {differ(*marks)}")
    expected = assign_splits((page["episode"] for page in pages), train_only=repeats)
    for page in pages:
        if page["split"] != expected[page["episode"]]:
            belongs = differ(page["split"], expected[page["episode"]])
            yield Violation(MANIFEST, BY_ROWS, detail=f"pages: {page['page']}: split: {belongs}")


def check_told(told: Mapping[str, Any], rows: Rows, manifest: Mapping[str, Any]) -> Iterator[Violation]:
    """What only the pages tell, as far as it stands elsewhere too: in rows, in the manifest, or in itself."""
    shipped = {page["episode"]: page["page"] for page in manifest["pages"] if "episode" in page}
    table = {page["episode"]: page for page in told["pages_table"]}
    if [(page["episode"], page["page"]) for page in told["pages_table"]] != sorted(shipped.items()):
        yield Violation(STATS, f"pages_table: has other pages than {MANIFEST}")
        return
    lines = rows.tables["lines"].select(["id", "episodes", "scene"]).to_pylist()
    for row in {episode_of(row["id"]): row for row in lines}.values():  # the last of each episode
        page = table[episode_of(row["id"])]
        if page["episodes"] != row["episodes"] or page["scenes"] < row["scene"]:
            yield Violation(STATS, BY_ROWS, detail=f"pages_table: {page['page']}: episodes or scenes")
    for column, counts in (
        ("notes", [counts for kind, counts in told["segments"].items() if kind == "note"]),
        ("dropped", dropped_kinds(told["segments"]).values()),
    ):
        if sum(page[column] for page in told["pages_table"]) != sum(count["count"] for count in counts):
            yield Violation(STATS, f"pages_table: {column} are not those of segments")
    if not dropped_kinds(told["segments"]).items() <= told["dropped"].items():
        yield Violation(STATS, "dropped: is not that of segments")
    if manifest["dropped"] != told["dropped"]:
        yield Violation(MANIFEST, f"dropped: is not that of {STATS}")


def read_json(path: Path) -> tuple[Any, list[Violation]]:
    """What is in the file, or why that cannot be said."""
    try:
        return json.loads(path.read_text(encoding="utf-8")), []
    except (OSError, ValueError) as error:
        return None, [Violation(path.name, "cannot be read", detail=in_short(error))]


def compare(file: str, rule: str, found: Any, expected: Any) -> list[Violation]:
    """A violation for each value of a JSON file that is another one."""
    return [Violation(file, rule, detail=said) for said in differences(found, expected)]


def differences(found: Any, expected: Any, place: str = "") -> Iterator[str]:
    """Where and how two JSON values differ.

    >>> [*differences({"total": {"lines": 7}, "x": [1]}, {"total": {"lines": 8}, "x": [1, 2]})]
    ['total.lines: 7 instead of 8', 'x: [1] instead of [1, 2]']
    """
    if isinstance(found, dict) and isinstance(expected, dict):
        for key in expected | found:
            yield from differences(found.get(key, NOTHING), expected.get(key, NOTHING), f"{place}.{key}".strip("."))
    elif isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        for number, pair in enumerate(zip(found, expected, strict=True)):
            yield from differences(*pair, f"{place}.{number}".strip("."))
    elif found != expected:
        yield f"{place}: {differ(found, expected)}".removeprefix(": ")


def compare_text(path: Path, expected: str) -> list[Violation]:
    """The first line of a text file that is another one."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        return [Violation(path.name, "cannot be read", detail=in_short(error))]
    for number, (found, line) in enumerate(zip_longest(lines, expected.splitlines(), fillvalue=NOTHING), start=1):
        if found != line:
            return [Violation(path.name, BY_ROWS, detail=f"line {number}: {differ(found, line)}")]
    return []
