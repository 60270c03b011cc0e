"""What is found before the first step: each fault in one line with its cause and a way out, and nothing left behind."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bases import STYLES, write_base
from tiny import list_files, write_dataset

from train import sft
from train.training import rehearsal

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from matrix import CLASSES, run_class

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_environment")]
RUN = "--data friends-lines --base base --output out --max-steps 2 --evaluations 0"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_dataset(tmp_path / "friends-lines", {"train": 6, "validation": 2, "test": 1})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def quantized(base: Path) -> None:
    config = base / "config.json"
    fault = {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}
    config.write_text(json.dumps(json.loads(config.read_text()) | fault))


def nothing(base: Path) -> None: ...


def pads_beyond(base: Path) -> None:
    config = base / "tokenizer_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"pad_token": "[PAD]"}))


def special_beyond(base: Path) -> None:
    config = base / "tokenizer_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"extra_special_tokens": ["<|extra|>"]}))


@pytest.mark.parametrize(
    ("name", "changes", "spoil", "options", "words"),
    [
        pytest.param("OPT", {}, nothing, "", ["packed rows", "--set sft.packing=false"], id="opt-leaks"),
        pytest.param("BLOOM", {}, nothing, "", ["packed rows", "--set sft.packing=false"], id="bloom-leaks"),
        pytest.param("LFM2 (hybrid)", {}, nothing, "", ["packed", "--set sft.packing=false"], id="hybrid"),
        pytest.param("Mamba", {}, nothing, "", ["choose another --base"], id="mamba"),
        pytest.param("T5", {}, nothing, "", ["encoder-decoder"], id="encoder-decoder"),
        pytest.param("Llama", {}, quantized, "", ["bitsandbytes", "--bits"], id="quantized-already"),
        pytest.param("Llama", {}, special_beyond, "", ["<|extra|>", "resize_token_embeddings"], id="special-beyond"),
        pytest.param(
            "Llama", {"max_position_embeddings": 200}, nothing, "", ["200 tokens", "sft.max_length=200"], id="context"
        ),
        pytest.param(
            "Qwen2",
            {"tie_word_embeddings": True},
            nothing,
            "--set lora.target_modules=[q_proj,lm_head]",
            ["lm_head", "tie_word_embeddings", "all-linear"],
            id="tied",
        ),
        pytest.param(
            "Qwen2", {}, nothing, "--set lora.target_modules=[q_proj,embed_tokens]", ["embed_tokens"], id="embedding"
        ),
    ],
)
def test_refused_before_the_first_step(
    home: Path,
    name: str,
    changes: dict[str, Any],
    spoil: Callable[[Path], None],
    options: str,
    words: list[str],
    capsys: Any,
) -> None:
    spoil(write_base(home / "base", name, "chatml", **changes))
    for dry in ("--dry-run", ""):
        assert sft.main([*f"--dataset chunks {RUN} {dry}".split(), *options.split()]) == 2
        errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1
        assert all(word in errors[0] for word in words), errors[0]
    assert not list(home.glob("out/checkpoint-*"))


def test_a_pad_token_beyond_the_embedding_is_not_used(home: Path, capsys: Any) -> None:
    pads_beyond(write_base(home / "base", "Llama", "llama3"))
    assert sft.main(f"--dataset chat {RUN}".split()) == 0
    assert "[PAD]" in capsys.readouterr().out
    assert json.loads((home / "out/tokenizer_config.json").read_text())["pad_token"] == STYLES["llama3"].eos


def test_an_adapter_that_cannot_be_read_back(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def unreadable(*_: Any) -> None:
        raise KeyError("lora_A")

    write_base(home / "base", "Llama", "chatml")
    monkeypatch.setattr(rehearsal, "read_adapter", unreadable)
    assert sft.main(f"--dataset chunks {RUN}".split()) == 2
    assert "saved adapter" in capsys.readouterr().err


@pytest.mark.parametrize("dataset", ["chunks", "chat"])
def test_losses_are_the_same_with_and_without(home: Path, dataset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_base(home / "base", "Llama", "llama3")
    run = f"--dataset {dataset} {RUN} --set lora.lora_dropout=0.1".split()
    assert sft.main(run) == 0
    rehearsed = (home / "out/metrics.jsonl").read_text()
    shutil.rmtree("out")
    monkeypatch.setattr(rehearsal, "rehearse", lambda *_: None)
    assert sft.main(run) == 0
    assert (home / "out/metrics.jsonl").read_text() == rehearsed


def test_rows_whose_prompt_fills_the_sequence_are_left_out(home: Path, capsys: Any) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = home / "friends-lines/chat/train-00000-of-00001.parquet"
    rows = pq.read_table(path).to_pylist()
    for row in rows[::2]:
        row["prompt"][1]["content"] = "kettle " * 400
    pq.write_table(pa.Table.from_pylist(rows), path)
    list_files(home / "friends-lines")
    write_base(home / "base", "Llama", "llama3")
    for options in ("", " --set sft.packing=false", " --dry-run"):
        shutil.rmtree("out", ignore_errors=True)
        assert sft.main(f"--dataset chat {RUN} --max-length 256{options}".split()) == 0
        printed = capsys.readouterr().out
        assert f"{len(rows[::2]):,} of {len(rows):,} rows are left out" in printed
    assert "256 tokens" in printed


def test_no_row_is_left(home: Path, capsys: Any) -> None:
    write_base(home / "base", "Llama", "llama3")
    assert sft.main(f"--dataset chat {RUN} --max-length 8".split()) == 2
    assert "sft.max_length" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["Gemma 3 multimodal", "OPT", "Qwen3-MoE"])
def test_part_of_the_matrix(home: Path, name: str) -> None:
    row = run_class(name, "gemma")
    assert row.verdict(), row
    assert row.stored is not None and 0 < row.stored < 1
    assert name in CLASSES
