"""Attacks everything that is marked @pytest.mark.attack(area, name) in tests/, and writes what came of it.

    python benchmarks/attack.py [--out FILE] [--table]

The counts go to benchmarks/results/attack.json and to the table of docs/reliability.md; --table only writes the table
again. A test counts as one attack, or as many as it says with record_property("tried", n). Nothing is asked of any
machine but this one: a test that tries fails. It ends after LONGEST seconds, finished or not.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "attack.json"
PAGE = ROOT / "docs" / "reliability.md"
LONGEST = 1500  # seconds
AREAS = (
    *("adapters", "code and addresses", "the user's files", "the page", "caches", "foreign files", "secrets and text"),
    *("fetch", "hostile pages", "publish faults", "kill -9", "supply chain"),
)
MARK = re.compile(r'pytest\.mark\.attack\("([^"]+)", "([^"]+)"\)')  # @pytest.mark.attack("the page", "other names")
HERE = re.compile(r"(::ffff:)?127\.|::1$|localhost$|0\.0\.0\.0$|::$|$")  # "127.0.0.1"
TABLE = re.compile(r"(<!-- attacks -->\n).*?(<!-- /attacks -->)", re.S)


class Counts:
    """A pytest plugin: what was tried, survived and lost, by area and attack."""

    def __init__(self) -> None:
        self.tried: dict[tuple[str, str], int] = defaultdict(int)
        self.lost: dict[tuple[str, str], int] = defaultdict(int)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test once: when it has run, or when its set-up or its end fails."""
        told: dict[str, Any] = dict(report.user_properties)
        if "attack" in told and (report.when == "call" or report.failed) and not report.skipped:
            area, name = told["attack"]
            self.tried[area, name] += told.get("tried", 1) if report.when == "call" else report.when == "setup"
            self.lost[area, name] += report.failed

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of the table, in its order."""
        keys = sorted(self.tried, key=lambda key: (AREAS.index(key[0]), key[1]))
        return [
            {"area": area, "attack": name, "tried": self.tried[area, name], "lost": self.lost[area, name]}
            for area, name in keys
        ]


def marked() -> set[tuple[str, str]]:
    """Return the areas and attacks that tests are marked with, without importing any."""
    return {found for path in (ROOT / "tests").rglob("test_*.py") for found in MARK.findall(path.read_text("utf-8"))}


def table(figures: dict[str, Any]) -> str:
    """Return the table of docs/reliability.md."""
    lines = ["| area | attack | tried | survived | lost |", "|---|---|---:|---:|---:|"]
    for row in figures["rows"]:
        survived = row["tried"] - row["lost"]
        lines.append(f"| {row['area']} | {row['attack']} | {row['tried']:,} | {survived:,} | {row['lost']} |")
    tried, lost = (sum(row[key] for row in figures["rows"]) for key in ("tried", "lost"))
    lines.append(f"| **all** | | **{tried:,}** | **{tried - lost:,}** | **{lost}** |")
    return "\n".join(lines) + "\n"


def pytest_configure() -> None:
    """Let this process, and those of xdist (which load this as a plugin), connect to loopback only."""

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
            host = str(arguments[1][0])
            if HERE.match(host) is None:
                raise ConnectionRefusedError(f"make attack asks no other machine, but this asks {host}")

    sys.addaudithook(audit)


def main() -> None:
    """Run the tests, count, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FILE")
    parser.add_argument("--table", action="store_true", help="write the table again, from FILE")
    options = parser.parse_args()
    code = 0
    if not options.table:
        from build import device

        counts, began = Counts(), time.monotonic()
        limits = ["--session-timeout", str(LONGEST), "--timeout", "300"]
        spread = ["--numprocesses", "2", "--dist", "loadfile", "-p", "attack"]
        code = pytest.main(["-q", "-m", "attack and not soak", *limits, *spread, str(ROOT / "tests")], [counts])
        figures = {"device": device(), "seconds": round(time.monotonic() - began), "rows": counts.rows()}
        options.out.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    written = table(json.loads(options.out.read_text("utf-8")))
    PAGE.write_text(TABLE.sub(lambda found: found[1] + written + found[2], PAGE.read_text("utf-8")), encoding="utf-8")
    print(written, end="")
    sys.exit(code)


if __name__ == "__main__":
    main()
