"""Other people's readers on a built folder: DuckDB, Polars, pandas, and Croissant's own validator and loader."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from builders import build

pytestmark = pytest.mark.slow  # each case builds a folder or starts a heavy library

CONFIGS = ("lines", "named_lines", "chunks", "chat")
duckdb = pytest.importorskip("duckdb")
polars = pytest.importorskip("polars")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("interop") / "friends-lines"
    assert build.main(["--out", str(out), "--jobs", "1", "--no-cache"]) == 0
    return out


def rows(folder: Path, config: str) -> list[dict[str, Any]]:
    """In the order in which the file names sort."""
    return [row for path in sorted((folder / config).iterdir()) for row in pq.read_table(path).to_pylist()]


@pytest.mark.parametrize("config", CONFIGS)
def test_duckdb(config: str, folder: Path) -> None:
    result = duckdb.sql(f"from '{folder}/{config}/*.parquet' order by filename, file_row_number")
    expected = rows(folder, config)
    assert [dict(zip(result.columns, row, strict=True)) for row in result.fetchall()] == expected


def test_duckdb_queries_what_is_nested(folder: Path) -> None:
    query = f"select count(*) from '{folder}/lines/*.parquet' where list_contains(speakers, 'Joey')"
    assert duckdb.sql(query).fetchall() == [(sum("Joey" in row["speakers"] for row in rows(folder, "lines")),)]
    query = f"select sum(len(list_filter(turns, lambda t: t.speaker = 'Joey'))) from '{folder}/chunks/*.parquet'"
    turns = [turn for row in rows(folder, "chunks") for turn in row["turns"]]
    assert duckdb.sql(query).fetchall() == [(sum(turn["speaker"] == "Joey" for turn in turns),)]
    query = f"select sum(length(completion[1].content)) from '{folder}/chat/*.parquet'"
    answers = [row["completion"][0]["content"] for row in rows(folder, "chat")]
    assert duckdb.sql(query).fetchall() == [(sum(map(len, answers)),)]


@pytest.mark.parametrize("config", CONFIGS)
def test_polars(config: str, folder: Path) -> None:
    frame = polars.read_parquet(folder / config / "*.parquet")
    assert frame.to_dicts() == rows(folder, config)
    assert frame.schema["season"] == polars.Int32
    assert frame.schema["written_by"] == polars.List(polars.String)
    lazy = polars.scan_parquet(folder / config / "*.parquet").filter(polars.col("scene") == 1).select("id").collect()
    assert lazy["id"].to_list() == [row["id"] for row in rows(folder, config) if row["scene"] == 1]


@pytest.mark.parametrize("config", CONFIGS)
def test_pandas(config: str, folder: Path) -> None:
    frame = pd.concat([pd.read_parquet(path) for path in sorted((folder / config).iterdir())])
    expected = rows(folder, config)
    assert frame.columns.tolist() == list(expected[0])
    for column in ("id", "season", "episode_title"):
        assert frame[column].tolist() == [row[column] for row in expected]
    assert frame["dup_cluster"].isna().all()
    assert [list(names) for names in frame["written_by"]] == [row["written_by"] for row in expected]
    assert frame["scene_heading"].isna().tolist() == [row["scene_heading"] is None for row in expected]


# Croissant


@pytest.fixture(scope="module")
def croissant(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "croissant.json").read_text(encoding="utf-8"))


def test_croissant_names_every_parquet_file(croissant: dict[str, Any], folder: Path) -> None:
    files = {f["contentUrl"]: f for f in croissant["distribution"] if f["@type"] == "cr:FileObject"}
    assert set(files) == {path.relative_to(folder).as_posix() for path in folder.rglob("*.parquet")}
    for path, file in files.items():
        content = (folder / path).read_bytes()
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
        assert file["contentSize"] == f"{len(content)} B"
    assert "invented" in croissant["description"]
    assert not [key for key in croissant if key.startswith("date")]


def test_croissant_is_in_the_manifest(folder: Path) -> None:
    files = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    assert files["croissant.json"]["sha256"] == hashlib.sha256((folder / "croissant.json").read_bytes()).hexdigest()


def text(value: Any) -> Any:
    """Croissant's loader gives text as bytes, and struct keys with their whole path."""
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, list):
        return [text(item) for item in value]
    if isinstance(value, dict):
        return {key.rpartition("/")[2]: text(item) for key, item in value.items()}
    return value


@pytest.mark.slow
def test_croissant_is_valid_and_loads_the_rows(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    with caplog.at_level(logging.WARNING):
        dataset = mlcroissant.Dataset(folder / "croissant.json")
    issues = dataset.metadata.ctx.issues
    assert not issues.errors
    assert [warning for warning in issues.warnings if "datePublished" not in warning] == []
    assert not [record for record in caplog.records if "context" in record.message]
    for config in CONFIGS:
        loaded = [text(record) for record in dataset.records(config)]
        splits = [record.pop("split") for record in loaded]
        assert loaded == rows(folder, config)
        assert sorted(set(splits)) == ["test", "train", "validation"]
