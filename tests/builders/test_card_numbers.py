"""The numbers of the card are those of its rows, counted again over the written Parquet files."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from invented import write_pages

from builders import build

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    parent = tmp_path_factory.mktemp("numbers")
    pages = write_pages(parent / "pages")
    silent = "<p>[Scene: A park where nobody speaks.]</p><p>(A dog barks.)</p><p>[Scene: A hall.]</p><p><b>Joey and Ross:</b> Hi.</p>"
    path = pages / "0103.html"
    path.write_text(path.read_text(encoding="utf-8").replace("<p><b>End", f"{silent}<p><b>End"), encoding="utf-8")
    out = parent / "friends-lines"
    assert build.main(["--pages", str(pages), "--out", str(out), "--jobs", "1", "--no-cache"]) == 0
    return out


def rows(folder: Path, config: str, split: str = "*") -> list[dict[str, Any]]:
    paths = sorted(folder.glob(f"{config}/{split}-*.parquet"))
    return [row for path in paths for row in pq.read_table(path, partitioning=None).to_pylist()]


def cells(card: str, first: str) -> list[list[str]]:
    """The cells of the table rows that begin with `first`."""
    return [line.strip("| ").split(" | ") for line in card.splitlines() if line.startswith(f"| {first} |")]


def test_totals_splits_and_speakers(folder: Path) -> None:
    card = (folder / "README.md").read_text(encoding="utf-8")
    lines = rows(folder, "lines")
    scenes = {row["id"].rpartition("_")[0] for row in lines}
    words = sum(len(row["text"].split()) for row in lines)
    counts = [len(scenes), len(lines), words, len(rows(folder, "chunks")), len(rows(folder, "chat"))]
    assert cells(card, "all") == [["all", "4", *(f"{count:,}" for count in counts)]]
    for split in ("train", "validation", "test"):
        part = rows(folder, "lines", split)
        [row] = cells(card, f"`{split}`")[:1]
        assert row[2] == f"{len(part):,}"
        assert f"{len(part) / len(lines) * 100:.1f} % of the lines in `{split}`" in card
    named = Counter(name for row in lines for name in row["speakers"])
    assert f"{len(named)} different display names" in card
    for name, count in named.items():
        assert [name, str(count)] in cells(card, name)


def test_speakers_are_those_of_the_lines(folder: Path) -> None:
    lines, speakers = rows(folder, "lines"), rows(folder, "speakers")
    counts = Counter(id for row in lines for id in row["speaker_ids"])
    assert {row["speaker_id"]: row["lines"] for row in speakers} == counts
    assert all(len(row["speakers"]) == len(row["speaker_ids"]) for row in lines)


def test_the_filter_of_the_card_works(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    card = (folder / "README.md").read_text(encoding="utf-8")
    [call] = re.findall(r"one_speaker = load_dataset\((.*)\)\n", card)
    joey = eval(
        f"load_dataset({call.replace('NAME', 'Joey')}, cache_dir={str(tmp_path)!r})", {"load_dataset": load_dataset}
    )
    assert {row["speaker"] for split in joey.values() for row in split} == {"Joey"}
