"""python -m builders.diff: show what changed between two builds, and the version number that this needs.

A changed schema is a major step, rows that come or go (or change their split) a minor one, other text in a row that
stays a patch. The exit code is 1 where the version of NEW does not follow: less of a step than that.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from friends_corpus.core.cli import InputError, exit_code

if TYPE_CHECKING:
    from .interop.config_diff import ConfigChanges

TOO_LITTLE = 1
EXAMPLES = 5
Version = tuple[int, int, int]
STEPS = ("none", "patch", "minor", "major")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 version right, 1 version too low, 2 bad usage or folder."""
    parser = argparse.ArgumentParser(prog="python -m builders.diff", description=__doc__)
    parser.add_argument("old", type=Path, metavar="OLD", help="dataset folder")
    parser.add_argument("new", type=Path, metavar="NEW", help="dataset folder")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all changes, with every id, to FILE")
    options = parser.parse_args(arguments)
    return exit_code(lambda: diff(options), "nothing was changed", options.json)


def diff(options: argparse.Namespace) -> int:
    """Print the changes and the verdict and return the exit code. Raises InputError, OSError."""
    old, new, changes = compare(options.old, options.new)
    step = max((change.step() for change in changes.values()), key=STEPS.index, default="none")
    enough = new >= raised(old, step)
    for name, change in changes.items():
        print("\n".join(describe(name, change)))
    print(verdict(old, new, step))
    if options.json:
        from friends_corpus.core.files import open_new

        from .folder.manifest import to_json

        report = {
            "old": written(old),
            "new": written(new),
            "step": step,
            "at_least": written(raised(old, step)),
            "enough": enough,
            "configs": {name: change.to_json() for name, change in changes.items()},
        }
        with open_new(options.json) as file:
            file.write(to_json(report))
    return 0 if enough else TOO_LITTLE


def compare(old: Path, new: Path) -> tuple[Version, Version, dict[str, ConfigChanges]]:
    """Compare two folders: both versions and the changes of each config, in the new folder's order."""
    from .folder.manifest import need_manifest
    from .interop.config_diff import compare_config, read_config

    before, after = need_manifest(old), need_manifest(new)
    changes = {}
    for config in [*after["configs"], *(name for name in before["configs"] if name not in after["configs"])]:
        try:
            sides = [
                read_config(folder, manifest["configs"][config]["splits"]) if config in manifest["configs"] else None
                for folder, manifest in ((old, before), (new, after))
            ]
        except (OSError, ValueError) as error:
            raise InputError(f"{error}; run: python -m builders.check") from None
        changes[config] = compare_config(*sides)
    return parsed(before["version"]), parsed(after["version"]), changes


def parsed(version: str) -> Version:
    """Return a version as three numbers.

    >>> parsed("1.0.2")
    (1, 0, 2)
    """
    major, minor, patch = map(int, version.split("."))
    return major, minor, patch


def written(version: Version) -> str:
    """Return a version as text.

    >>> written((1, 0, 2))
    '1.0.2'
    """
    return ".".join(map(str, version))


def raised(version: Version, step: str) -> Version:
    """Return the lowest version that is one step above another.

    >>> [written(raised((1, 4, 2), step)) for step in ("none", "patch", "minor", "major")]
    ['1.4.2', '1.4.3', '1.5.0', '2.0.0']
    """
    major, minor, patch = version
    return {
        "none": version,
        "patch": (major, minor, patch + 1),
        "minor": (major, minor + 1, 0),
        "major": (major + 1, 0, 0),
    }[step]


def verdict(old: Version, new: Version, step: str) -> str:
    """Say in one line whether the new version is high enough.

    >>> print(verdict((1, 0, 0), (1, 0, 1), "minor"))
    step: minor; the version goes from 1.0.0 to 1.0.1, which is too little: at least 1.1.0
    """
    least = raised(old, step)
    judged = "which is right" if new == least else "which is enough" if new > least else "which is too little"
    remedy = "" if new >= least else f": at least {written(least)}"
    moved = f"stays {written(old)}" if new == old else f"goes from {written(old)} to {written(new)}"
    return f"step: {step}; the version {moved}, {judged}{remedy}"


def describe(name: str, change: ConfigChanges) -> list[str]:
    """Describe the changes of a config, each kind with a few examples."""
    if change.step() == "none":
        return [f"{name}: no change in {change.rows_new:,} rows"]
    counts = f"{len(change.added):,} added, {len(change.removed):,} removed, {len(change.changed):,} changed"
    lines = [f"{name}: {change.rows_old:,} rows before, {change.rows_new:,} after: {counts}"]
    lines += [f"  schema: {difference}" for difference in change.schema]
    lines += [f"  added: {examples(change.added)}"] if change.added else []
    lines += [f"  removed: {examples(change.removed)}"] if change.removed else []
    lines += [f"  changed {column}: {len(ids):,}: {examples(ids)}" for column, ids in change.columns().items()]
    return [*lines, *(["  rows are in another order"] if change.reordered else [])]


def examples(ids: Sequence[str]) -> str:
    """Return the first few ids as text.

    >>> examples(["a", "b"]), examples(["a"] * 7)
    ('a, b', 'a, a, a, a, a, …')
    """
    return ", ".join([*ids[:EXAMPLES], *(["…"] if len(ids) > EXAMPLES else [])])


if __name__ == "__main__":
    sys.exit(main())
