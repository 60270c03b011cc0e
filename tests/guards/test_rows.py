"""No row of any config changes unnoticed: each has its hash in tests/guards/rows."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
from real import PAGES, needs_pages, skip_unless

ROOT = Path(__file__).parents[2]
HASHES: dict[str, Any] = runpy.run_path(str(ROOT / "benchmarks" / "row_hashes.py"))
RECORDED_PAGES = 61
pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("name", "pages"),
    [pytest.param("sample", None, id="sample"), pytest.param("pages", PAGES, id="pages", marks=needs_pages)],
)
def test_every_row_is_as_recorded(name: str, pages: Path | None, tmp_path: Path) -> None:
    if pages:
        skip_unless(RECORDED_PAGES)
    hashes = HASHES["build"](pages, tmp_path / "friends-lines")
    changed = list(HASHES["changed_rows"](hashes, HASHES["RECORDED"] / name))
    assert not changed, "list and explain them in the commit, then: python benchmarks/row_hashes.py --record"


def test_a_changed_a_new_and_a_lost_row_are_named(tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("s01e01_c01 AAAAAA BBBBBB\ns01e01_c02 CCCCCC\n")
    now = {"lines": {"s01e01_c01": [("s01e01_c01_u0000", "AAAAAA"), ("s01e01_c01_u0001", "XXXXXX"), ("x_u0002", "D")]}}
    assert list(HASHES["changed_rows"](now, tmp_path)) == [
        "lines s01e01_c01_u0001",
        "lines x_u0002 is new",
        "lines s01e01_c02: row 1 is gone",
    ]
