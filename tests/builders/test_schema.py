"""The published columns: exactly those of the design, typed, described, and the same for every reader."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, Features, List, Value
from invented import episode

from builders.configs.chat import chat_rows
from builders.configs.chunks import chunk_rows, printed_turns
from builders.configs.lines import line_rows
from builders.configs.named_lines import name_lines
from builders.configs.schema import CONFIGS, meaning, to_table, type_name
from builders.configs.speakers import speaker_rows
from friends_corpus.core.persona import listed
from friends_corpus.show.speakers import Known

LINES = (
    "id season episode episodes episode_title written_by transcribed_by scene scene_heading position speaker speakers "
    "speaker_ids cue text text_with_directions directions source dup_cluster"
)
CHUNKS = (
    "id season episode episodes episode_title written_by transcribed_by scene scene_heading line_ids speakers speaker_ids turns "
    "text text_with_directions source dup_cluster"
)
CHAT = (
    "id season episode episodes episode_title written_by transcribed_by scene scene_heading position character speaker_ids prompt "
    "completion source dup_cluster"
)
SPEAKERS = "speaker_id name full_name other_names labels kind lines words episodes first_episode last_episode"
ROWS = {
    "lines": line_rows,
    "named_lines": lambda made: name_lines(to_table("lines", line_rows(made))).to_pylist(),
    "chunks": lambda made: chunk_rows(line_rows(made), printed_turns(made), 1200),
    "chat": lambda made: chat_rows(line_rows(made), "Friends", ["Joey", "Ross"]),
    "speakers": lambda made: speaker_rows(to_table("lines", line_rows(made)), {"joey": Known("", "main")}),
}
EPISODE = episode(
    [("Joey", "Hi.", "(waving) Hi.")],
    [("Ross and Joey", "Where am I?"), ("Monica", "Here."), ("Joey", "Oh.")],
    headings=[None, "[Scene: A kitchen]"],
)


@pytest.mark.parametrize(
    ("config", "columns"),
    [("lines", LINES), ("named_lines", LINES), ("chunks", CHUNKS), ("chat", CHAT), ("speakers", SPEAKERS)],
)
def test_columns(config: str, columns: str) -> None:
    assert list(CONFIGS[config].features) == columns.split()
    assert list(ROWS[config](EPISODE)[0]) == columns.split()
    assert all(meaning(config, column) and type_name(config, column) for column in columns.split())


@pytest.mark.parametrize("config", CONFIGS)
def test_parquet_gives_the_rows_and_the_features_back(config: str, tmp_path: Path) -> None:
    rows = ROWS[config](EPISODE)
    pq.write_table(to_table(config, rows), tmp_path / "rows.parquet")
    assert pq.read_table(tmp_path / "rows.parquet").to_pylist() == rows
    loaded = Dataset.from_parquet(str(tmp_path / "rows.parquet"), cache_dir=str(tmp_path / "cache"))
    assert loaded.features == CONFIGS[config].features
    assert loaded.to_list() == rows


def test_types() -> None:
    assert CONFIGS["lines"].features["episodes"] == List(Value("int32"))
    assert CONFIGS["chunks"].features["turns"] == List({"speaker": Value("string"), "text": Value("string")})
    assert CONFIGS["chat"].features["prompt"] == List({"role": Value("string"), "content": Value("string")})
    assert isinstance(CONFIGS["lines"].features, Features)
    assert to_table("lines", []).schema.field("season").type == pa.int32()


def test_no_heading_is_null() -> None:
    assert [row["scene_heading"] for row in line_rows(EPISODE)] == [None, *["[Scene: A kitchen]"] * 3]


def test_wrong_columns_are_refused() -> None:
    row = line_rows(EPISODE)[0]
    with pytest.raises(ValueError, match="columns"):
        to_table("lines", [{**row, "mood": "happy"}])
    with pytest.raises(ValueError, match="columns"):
        to_table("chunks", [row])


def test_a_wrong_type_is_refused() -> None:
    with pytest.raises((pa.ArrowInvalid, pa.ArrowTypeError)):
        to_table("lines", [{**line_rows(EPISODE)[0], "season": "one"}])


def test_nobody_has_no_display_name() -> None:
    with pytest.raises(ValueError, match="name"):
        listed([])
