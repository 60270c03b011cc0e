"""python -m builders.check: check a dataset folder: its manifest, the rules for rows, and what follows from them.

Statistics, leakage certificate, splits, quality report, card and croissant.json are made again from rows and manifest
and compared; what only the pages tell is verified with --pages, which reads all of them anew, without the cache. A
folder is checked by the version that built it; another one may word the card differently.

Violations (a wrong hash, an empty speaker, a line missing from chunks, …) are printed one per line and make the exit
code 1. Warnings are what looks wrong and may be right; they never do.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from friends_corpus.core.cli import exit_code

from .folder.violation import Violation

if TYPE_CHECKING:
    from friends_corpus.core.manifest import Manifest

    from .assemble import Corpus
    from .checks.integrity import Part
    from .reports.warnings import Suspicion

VIOLATED = 1
LOOKED_AT = ("id", "speaker", "speakers", "cue", "text", "text_with_directions")  # by find_suspicions
ALIKE = 20  # violations of one kind in one file that are printed each


@dataclass(frozen=True, slots=True)
class Report:
    """What is wrong with a folder, what looks wrong, and how many rows each config has.

    `complete`: whether rows and manifest are sound, so that all that follows from them could be compared as well.
    """

    violations: Sequence[Violation]
    suspicions: Sequence[Suspicion]
    rows: Mapping[str, int]
    complete: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 valid, 1 violations, 2 bad usage or no dataset folder."""
    parser = argparse.ArgumentParser(prog="python -m builders.check", description=__doc__)
    add = parser.add_argument
    add("folder", type=Path, nargs="?", default=Path("friends-lines"), metavar="FOLDER", help="dataset folder")
    add("--pages", type=Path, metavar="DIR", help="folder of the pages of that build, to compare with them too")
    add("--show", type=Path, metavar="DIR", help="folder of the show the dataset was built with (default: Friends)")
    options = parser.parse_args(arguments)
    return exit_code(lambda: check(options.folder, options.pages, options.show), "nothing was changed")


def check(folder: Path, pages: Path | None, show: Path | None) -> int:
    """Check a folder, print the result and return the exit code. Raises InputError."""
    report = check_folder(folder, pages, show)
    rows = ", ".join(f"{number:,} {config}" for config, number in report.rows.items())
    print(f"{folder}: {rows or 'no rows could be read'}")
    for text in [*describe_suspicions(report.suspicions), *describe_violations(report.violations)]:
        print(text)
    if not report.complete:
        print("skipped until rows and manifest are valid: statistics, splits, card, pages")
    print(f"{counted(len(report.violations), 'violation')}, {counted(len(report.suspicions), 'warning')}")
    return VIOLATED if report.violations else 0


def check_folder(folder: Path, pages: Path | None = None, show: Path | None = None) -> Report:
    """Run all checks on a folder; each step relies on the ones before it. Raises InputError."""
    from friends_corpus.core.manifest import MANIFEST, Manifest
    from friends_corpus.core.reader import Unreadable, faults
    from friends_corpus.show.config import FRIENDS, read_show
    from friends_corpus.show.page_names import find_pages

    from .checks.cross_config import check_agreement
    from .checks.integrity import check_files, read_parts
    from .checks.manifest_rules import check_config_names, check_listing
    from .checks.recompute import check_croissant, check_derived, check_pages
    from .checks.row_rules import check_rows
    from .folder.manifest import read_manifest

    try:
        values = read_manifest(folder)
    except Unreadable as error:
        return Report([Violation(MANIFEST, "cannot be read", detail=error.why)], [], {}, complete=False)
    manifest = cast(Manifest, values)
    if wrong := [Violation(MANIFEST, fault) for fault in faults(values, Manifest)] or check_config_names(manifest):
        return Report(wrong, [], {}, complete=False)  # nothing can be looked up in it
    parts, violations = read_parts(folder, manifest)
    violations = check_listing(manifest) + violations
    broken = {part.path: check_rows(part) for part in parts}
    violations += [violation for group in broken.values() for violation in group]
    violations += check_agreement([part for part in parts if not broken[part.path]], manifest)
    readable = len(parts) == sum(len(described["splits"]) for described in manifest["configs"].values())
    complete = readable and not violations
    corpus: Corpus | None = None
    if complete:
        violations, corpus = check_derived(folder, manifest, parts)
        if pages and corpus:
            violations += check_pages(manifest, corpus, find_pages(pages), read_show(show or FRIENDS))
    warnings = corpus.warnings if corpus and not violations else find_warnings(parts, manifest, readable)
    rows: Counter[str] = Counter()
    for part in parts:
        rows[part.config] += len(part.rows)
    violations = [*check_files(folder, manifest), *violations, *check_croissant(folder, manifest)]
    return Report(violations, warnings, rows, complete)


def find_warnings(parts: Sequence[Part], manifest: Manifest, readable: bool) -> list[Suspicion]:
    """Look over the lines that are whole; where all can be read, an episode without lines is a warning too."""
    from .configs.schema import to_table
    from .reports.warnings import find_suspicions

    lines = [row for part in parts if part.config == "lines" for row in part.rows]
    whole = [row for row in lines if all(row[column] is not None for column in LOOKED_AT)]
    episodes = {id for ids in manifest["splits"].values() for id in ids} if readable else set[str]()
    return find_suspicions(to_table("lines", whole), episodes)


def describe_suspicions(suspicions: Sequence[Suspicion]) -> Iterator[str]:
    """Describe each kind of warning in one line: how many, and the first few."""
    from .reports.warnings import count_suspicions

    for row in count_suspicions(suspicions):
        examples = "; ".join(" ".join(f"{hit['id']} {hit['excerpt']}".split()) for hit in row["examples"])
        yield f"warning: {row['kind']}: {row['count']:,} ({row['meaning']}), for example {examples}"


def describe_violations(violations: Iterable[Violation]) -> Iterator[str]:
    """Describe each violation in one line; repeats in one file are cut short and counted."""
    alike: dict[tuple[str, str, str], list[Violation]] = {}
    for violation in violations:
        alike.setdefault((violation.file, violation.column, violation.rule), []).append(violation)
    for (file, column, rule), group in alike.items():
        yield from (f"violation: {violation}" for violation in group[:ALIKE])
        if len(group) > ALIKE:
            where = f"{file}: column {column}" if column else file
            yield f"violation: {where}: {rule}: {len(group) - ALIKE:,} more"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where needed.

    >>> counted(1, "warning"), counted(1200, "warning")
    ('1 warning', '1,200 warnings')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


if __name__ == "__main__":
    sys.exit(main())
