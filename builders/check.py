"""python -m builders.check: is a dataset folder what its manifest says, and are its rows sound?

Violations (a wrong hash, an empty speaker, a line missing from chunks, …) are printed one per line and make the exit
code 1. Warnings are what looks wrong and may be right; they never do.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from friends_corpus.command import exit_code

if TYPE_CHECKING:
    from .suspicions import Suspicion
    from .violation import Violation

VIOLATED = 1
LOOKED_AT = ("id", "speaker", "speakers", "cue", "text", "text_with_directions")  # by find_suspicions
ALIKE = 20  # violations of one kind in one file that are printed each


@dataclass(frozen=True, slots=True)
class Report:
    """What is wrong with a folder, what looks wrong, and how many rows each config has."""

    violations: Sequence[Violation]
    suspicions: Sequence[Suspicion]
    rows: dict[str, int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code: 0 sound, 1 violated, 2 bad usage or no dataset folder."""
    options = parser().parse_args(arguments)
    return exit_code(lambda: check(options.folder), "nothing was changed")


def check(folder: Path) -> int:
    """Prints what was found; returns the exit code. Raises InputError."""
    from .manifest import need_manifest

    need_manifest(folder)
    report = check_folder(folder)
    rows = ", ".join(f"{number:,} {config}" for config, number in report.rows.items())
    print(f"{folder}: {rows or 'no rows could be read'}")
    for text in [*describe_suspicions(report.suspicions), *describe_violations(report.violations)]:
        print(text)
    print(f"{counted(len(report.violations), 'violation')}, {counted(len(report.suspicions), 'warning')}")
    return VIOLATED if report.violations else 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m builders.check", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("friends-lines"), metavar="FOLDER", help="dataset")
    return parser


def check_folder(folder: Path) -> Report:
    """Reads everything in the folder; files that cannot be read are violations, and the rest is still checked."""
    from .agreement import check_agreement
    from .card_check import check_card
    from .integrity import check_files, check_manifest, read_parts
    from .manifest import read_manifest
    from .rules import check_rows
    from .schema import to_table
    from .suspicions import find_suspicions

    manifest = read_manifest(folder) or {}
    violations = check_manifest(manifest)
    if violations:
        return Report(violations, [], {})  # nothing can be looked up in it
    violations = check_files(folder, manifest)
    parts, unreadable = read_parts(folder, manifest)
    violations += unreadable
    for part in parts:
        violations += check_rows(part)
    violations += check_agreement(parts, manifest)
    violations += check_card(folder, manifest, parts)
    rows: dict[str, int] = {}
    for part in parts:
        rows[part.config] = rows.get(part.config, 0) + len(part.rows)
    lines = [row for part in parts if part.config == "lines" for row in part.rows]
    whole = [row for row in lines if all(row[column] is not None for column in LOOKED_AT)]
    readable = len(parts) == sum(len(described["splits"]) for described in manifest["configs"].values())
    episodes = {id for ids in manifest["splits"].values() for id in ids} if readable else set[str]()
    return Report(violations, find_suspicions(to_table("lines", whole), episodes), rows)


def describe_suspicions(found: Sequence[Suspicion]) -> list[str]:
    """One line per kind: how many, and the first few."""
    from .suspicions import count_suspicions

    described = []
    for row in count_suspicions(found):
        examples = "; ".join(" ".join(f"{hit['id']} {hit['excerpt']}".split()) for hit in row["examples"])
        described.append(f"warning: {row['kind']}: {row['count']:,} ({row['meaning']}), for example {examples}")
    return described


def describe_violations(found: Iterable[Violation]) -> list[str]:
    """One line each; of many alike in one file, the first ones and how many more there are."""
    alike: dict[tuple[str, str, str], list[Violation]] = {}
    for violation in found:
        alike.setdefault((violation.file, violation.column, violation.rule), []).append(violation)
    described = []
    for (file, column, rule), group in alike.items():
        described += [f"violation: {violation}" for violation in group[:ALIKE]]
        if len(group) > ALIKE:
            place = f"{file}: column {column}" if column else file
            described.append(f"violation: {place}: {rule}: {len(group) - ALIKE:,} more like these")
    return described


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "warning"), counted(1200, "warning")
    ('1 warning', '1,200 warnings')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


if __name__ == "__main__":
    sys.exit(main())
