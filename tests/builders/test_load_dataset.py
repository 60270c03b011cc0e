"""The folder as its readers load it: verbatim, offline, and never an earlier build out of the cache of `datasets`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from datasets import DatasetDict, load_dataset
from invented import page, write_pages

from builders import build
from builders.configs.schema import CONFIGS

Load = Callable[..., DatasetDict]


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    return write_pages(tmp_path / "pages")


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """`load_dataset` as typed in the folder above friends-lines, with one cache for the whole test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return lambda *arguments, **options: load_dataset(
        "friends-lines", *arguments, cache_dir=str(tmp_path / "hf"), **options
    )


def rebuild(pages: Path, *options: str) -> None:
    out = pages.parent / "friends-lines"
    assert build.main(["--pages", str(pages), "--out", str(out), "--jobs", "1", *options]) == 0


@pytest.mark.parametrize("config", CONFIGS)
def test_rows_and_features(config: str, pages: Path, load: Load) -> None:
    rebuild(pages)
    dataset = load(config)
    assert list(dataset) == (["train"] if CONFIGS[config].whole else ["train", "validation", "test"])
    for split, rows in dataset.items():
        assert rows.features == CONFIGS[config].features
        assert rows.to_list() == pq.read_table(f"friends-lines/{config}/{split}-00000-of-00001.parquet").to_pylist()


def test_the_default_config_and_streaming(pages: Path, load: Load) -> None:
    rebuild(pages)
    assert load()["train"].features == CONFIGS["lines"].features
    assert load()["train"].to_list() == load("lines")["train"].to_list()
    assert next(iter(load("chunks", split="test", streaming=True))) == load("chunks", split="test")[0]


def test_few_pages_have_only_train(tmp_path: Path, load: Load) -> None:
    rebuild(write_pages(tmp_path / "two pages", [1, 2]))
    assert list(load("chunks")) == ["train"]


def test_a_rebuild_is_visible_at_once(pages: Path, load: Load) -> None:
    rebuild(pages)
    before = {config: load(config)["train"].to_list() for config in CONFIGS}
    for path in pages.iterdir():  # the same number of rows, another word
        path.write_text(path.read_text(encoding="utf-8").replace("bigger than", "better than"), encoding="utf-8")
    rebuild(pages)
    assert load("speakers")["train"].to_list() == before["speakers"]
    for config in [config for config in CONFIGS if not CONFIGS[config].whole]:
        rows = load(config)["train"].to_list()
        assert len(rows) == len(before[config])
        assert all(
            "better than" in (row["completion"][0]["content"] if config == "chat" else row["text"]) for row in rows
        )
    code = f"""
from datasets import load_dataset
rows = load_dataset("friends-lines", "chunks", cache_dir={str(pages.parent / "hf")!r})["train"]
assert all("better than" in row["text"] for row in rows), rows[0]
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=pages.parent, env=os.environ | {"HF_HUB_OFFLINE": "1"})


def test_going_back_to_earlier_pages(pages: Path, load: Load) -> None:
    rebuild(pages)
    before = load("chunks")["train"].to_list()
    (pages / "0105.html").write_text(page(5), encoding="utf-8")
    rebuild(pages)
    assert load("chunks")["train"].to_list() != before
    (pages / "0105.html").unlink()
    rebuild(pages)
    assert load("chunks")["train"].to_list() == before


def test_other_parameters_are_visible(pages: Path, load: Load) -> None:
    rebuild(pages)
    before = load("chunks")["train"].num_rows
    rebuild(pages, "--chunk-chars", "150")
    assert load("chunks")["train"].num_rows > before


def test_no_code_in_the_folder(pages: Path, load: Load) -> None:
    rebuild(pages)
    suffixes = {path.suffix for path in Path("friends-lines").rglob("*") if path.is_file()}
    assert suffixes == {".md", ".json", ".parquet", ".png"}
