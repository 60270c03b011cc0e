"""`python -m train.bench`: precisions measured one by one, advice out of the figures, the table in a card."""

from __future__ import annotations

import json
import re
import subprocess
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest
from forked import run
from tiny import write_dataset, write_model

from train import bench
from train.models.base import Source
from train.settings.base_preset import find_base
from train.settings.recipe import as_json, load_recipe

ROOT = Path(__file__).parents[2]
CARD = "# An adapter\n\n<!-- quantisation -->\nnot measured\n<!-- /quantisation -->\n\nThe end.\n"


def figures(bits: int, speed: float, memory: float, loss: float = 2.0) -> dict[str, Any]:
    """One measured precision."""
    return {
        "bits": bits,
        "device": "a CPU",
        "dtype": "float32",
        "tokens_per_second": speed,
        "memory_load": 3.0,
        "memory": memory,
        "loss_first": 3.0,
        "loss_last": loss,
    }


FAST, SMALL, FAILED = figures(32, 180, 2.5), figures(8, 150, 1.5), {"bits": 4, "failed": "no kernel | for this"}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        pytest.param(
            [FAST, SMALL, FAILED],
            "--bits 32 is the fastest here, 180 tokens/s; if memory is short, --bits 8 takes 1.50 GB instead of 2.50 "
            "at 83 % of that speed",
            id="two",
        ),
        pytest.param(
            [figures(32, 90, 2.5), SMALL],
            "--bits 8 is the fastest here, 150 tokens/s, and none takes less memory",
            id="one-is-both",
        ),
        pytest.param(
            [FAST, figures(4, 200, 1.0, loss=2.2)],
            "--bits 32 is the fastest here, 180 tokens/s, and none takes less memory; the loss at 4 bits is worse",
            id="worse",
        ),
        pytest.param(
            [figures(16, 200, 1.0, loss=float("nan")), FAST],
            "--bits 32 is the fastest here, 180 tokens/s, and none takes less memory; the loss at 16 bits is worse",
            id="no-number",
        ),
        pytest.param(
            [FAILED], "no precision can be recommended: none was measured, or its loss is NaN or infinite", id="nothing"
        ),
    ],
)
def test_advice(rows: list[dict[str, Any]], said: str) -> None:
    assert bench.advice(rows) == said


def test_the_table_goes_into_the_card_and_can_be_measured_again() -> None:
    measured = {"device": "a CPU", "base": "someone/tiny", "dataset": "chunks", "steps": 12, "advice": "--bits 32"}
    card = bench.with_block(CARD, measured | {"rows": [FAST, FAILED]})
    assert "| 32 bits | float32 | 180 | 2.50 GB | 3.000 → 2.000 |" in card
    assert r"| 4 bits | not possible: no kernel \| for this | | | |" in card
    assert "not measured" not in card
    again = bench.with_block(card, measured | {"rows": [SMALL]})
    assert "| 32 bits" not in again
    for text in (card, again):
        assert text.startswith("# An adapter\n\n<!-- quantisation -->\n")
        assert text.endswith("<!-- /quantisation -->\n\nThe end.\n")


def test_a_killed_process_is_a_reason_not_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pool:
        def __init__(self, *_: Any, **__: Any) -> None: ...

        def __enter__(self) -> Pool:
            return self

        def __exit__(self, *_: object) -> None: ...

        def submit(self, *_: Any) -> Any:
            raise BrokenProcessPool

    monkeypatch.setattr(bench, "ProcessPoolExecutor", Pool)
    base, _ = find_base("smollm2-135m", 4)
    row = bench.in_own_process(load_recipe("chunks", None, {}), base, Source(None, "", None), Path())
    assert bench.line({"bits": 4} | row) == (
        " 4 bits   not here: its process was killed: the machine has too little memory for it"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param("--steps 1", "--steps is 1; it must be 2 or more", id="steps"),
        pytest.param("--dataset chunk", "unknown dataset 'chunk' (did you mean 'chunks'?)", id="dataset"),
        pytest.param("--base smollm", "no base model 'smollm' (did you mean 'smollm2-135m'?)", id="base"),
        pytest.param("--data nowhere", "no dataset folder 'nowhere'", id="data"),
        pytest.param("--card nowhere", "nowhere/run.json: cannot be read", id="card"),
        pytest.param("--card plain", "plain/README.md has no <!-- quantisation --> block", id="card-without-block"),
    ],
)
def test_mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, arguments: str, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    write_adapter(tmp_path / "plain", "tiny", "0" * 64).joinpath("README.md").write_text("# plain\n", encoding="utf-8")
    assert bench.main(arguments.split()) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"error: {message}")
    assert printed.err.count("\n") == 1


BASE_OF = {"model": "tiny", "wheel": None, "gguf": None, "bits": 8, "source": "folder"}


def write_adapter(folder: Path, base: str, sha256: str) -> Path:
    """What bench reads of an adapter: the recipe, the base, and a card with a place for the table."""
    folder.mkdir()
    recipe = as_json(load_recipe("chunks", None, {"sft.seed": 7, "sft.gradient_accumulation_steps": 8})) | {
        "base": base
    }
    (folder / "run.json").write_text(
        json.dumps({"recipe": recipe, "base": BASE_OF | {"sha256": sha256}, "dataset": {"config": "chunks"}}),
        encoding="utf-8",
    )
    (folder / "README.md").write_text(CARD, encoding="utf-8")
    return folder


@pytest.mark.slow
def test_two_precisions_of_a_tiny_llama(tmp_path: Path) -> None:
    """8 and 32 bits, each in its own process; the figures stand on the screen, in the JSON and in the card alike."""
    from safetensors.torch import load_file, save_file

    from friends_corpus.core.files import sha256_of

    write_dataset(tmp_path / "friends-lines", {"train": 12, "validation": 2})
    model = write_model(tmp_path / "tiny", hub_id="someone/tiny")
    weights = load_file(model / "model.safetensors")
    larger = {name: weight * 10 if weight.ndim > 1 else weight for name, weight in weights.items()}
    save_file(larger, model / "model.safetensors", metadata={"format": "pt"})  # as made, 8 bits lose nothing of it
    adapter = write_adapter(tmp_path / "adapter", "tiny", sha256_of(model / "model.safetensors"))
    write_adapter(tmp_path / "other", "tiny", "0" * 64)

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run("-m", "train.bench", *arguments, cwd=tmp_path, PATH="", HOME=str(tmp_path))

    done = command(*"--card adapter --base tiny --bits 8 32 --steps 3 --out bench.json".split())
    assert (done.returncode, done.stderr) == (0, "")
    measured = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))
    assert [row["bits"] for row in measured["rows"]] == [8, 32]
    assert (measured["base"], measured["dataset"], measured["steps"]) == ("someone/tiny", "chunks", 3)
    assert re.search(r", \d+ threads$", measured["device"])
    for row in measured["rows"]:
        assert row["tokens_per_second"] > 0
        assert 0 < row["loss_last"] < row["loss_first"]
        assert 0.01 < row["memory"] < 100
        assert bench.line(row) in done.stdout
    eight, full = measured["rows"]
    assert eight["loss_first"] == pytest.approx(full["loss_first"], abs=0.05)
    assert eight["loss_first"] != full["loss_first"]
    assert f"advice    {bench.advice(measured['rows'])}\n" in done.stdout
    card = (adapter / "README.md").read_text(encoding="utf-8")
    assert f"{full['loss_first']:.3f} → {full['loss_last']:.3f}" in card
    assert "not measured" not in card
    assert sorted(path.name for path in adapter.iterdir()) == ["README.md", "run.json"]

    refused = command("--card", "other")
    assert (refused.returncode, "give it with --base" in refused.stderr) == (2, True)
    refused = command("--card", "other", "--base", "tiny")
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: other was trained on another base than someone/tiny as it is here")
