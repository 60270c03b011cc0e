"""What is checked before a model loads, and what `--dry-run` says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import huggingface_hub  # noqa: F401  reads HF_HUB_OFFLINE when imported: now, not after `quiet` has set it
import pytest
from tiny import write_dataset, write_model

from friends_corpus.core.cli import InputError
from train import sft
from train.models.base import locate
from train.models.device import Device
from train.settings.base_preset import find_base
from train.settings.recipe import load_recipe
from train.training import preflight
from train.training.dry_run import documents, mark
from train.training.preflight import Needs, check_bits, check_room, estimate

pytestmark = pytest.mark.usefixtures("own_environment")
CPU = Device("cpu", "CPU", "float32", None)
GB = 10**9


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("preflight")
    write_dataset(home / "friends-lines", {"train": 24, "validation": 6, "test": 2})
    write_model(home / "tiny", hub_id="someone/tiny-llama")
    return home


@pytest.mark.parametrize(
    ("memory", "disk", "free", "left", "message"),
    [
        pytest.param(10, 1, 20, 2, None, id="enough"),
        pytest.param(10, 1, None, 2, None, id="nobody-knows"),
        pytest.param(
            30, 1, 20, 2, "training needs at least 90.0 GB of cpu memory (weights 30.0, adapter 30.0,", id="memory"
        ),
        pytest.param(1, 3, 20, 2, "need 3.00 GB and 2.00 GB are free; make room", id="disk"),
    ],
)
def test_room(
    memory: int, disk: int, free: int | None, left: int, message: str | None, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(preflight, "free_memory", lambda device: free and free * 3 * GB)
    monkeypatch.setattr(preflight.shutil, "disk_usage", lambda path: type("U", (), {"free": left * GB}))
    needs = Needs(memory * GB, memory * GB, memory * GB, disk * GB)
    if message is None:
        check_room(needs, CPU, tmp_path / "not" / "there")
    else:
        with pytest.raises(InputError, match=re.escape(message)):
            check_room(needs, CPU, tmp_path / "not" / "there")


def test_what_is_learnt_is_marked() -> None:
    class Words:
        def decode(self, ids: list[int]) -> str:
            return "".join("abcdefgh"[i] for i in ids)

    assert mark(Words(), [0, 1, 2, 3, 4], [-100, 1, 2, -100, 4]) == "a«bc»d«e»"
    windows = [{"input_ids": [0, 1, 2], "labels": [0, 1, 2], "seq_lengths": [2, 1]}, {"input_ids": [3], "labels": [3]}]
    assert list(documents(windows)) == [([0, 1], [0, 1]), ([2], [2]), ([3], [3])]


@pytest.mark.slow
@pytest.mark.parametrize("bits", [4, 8, 16, 32])
def test_bits_work_here(bits: int) -> None:
    check_bits(bits, CPU)


@pytest.mark.slow
def test_bits_that_do_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    import bitsandbytes.nn.modules as modules

    def broken(*arguments: Any, **named: Any) -> None:
        raise RuntimeError("no kernel image is available")

    monkeypatch.setattr(modules, "Linear8bitLt", broken)
    with pytest.raises(InputError, match="8 bits do not work on this cpu"):
        check_bits(8, CPU)


@pytest.mark.slow
def test_the_estimate_counts_what_is_there(home: Path) -> None:
    """Against the real model: every weight in its bits, the adapter as PEFT makes it."""
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM

    recipe = load_recipe("chunks", None, {"base": str(home / "tiny")})
    base, folder = find_base(str(home / "tiny"), 32)
    needs = estimate(recipe, base, locate(base, folder), CPU)
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    assert needs.weights == sum(weight.numel() for weight in model.parameters()) * 4
    adapted = get_peft_model(model, sft.lora_config(recipe, model))
    assert needs.adapter == sum(w.numel() for w in adapted.parameters() if w.requires_grad) * 16
    eight = estimate(recipe, find_base(str(home / "tiny"), 8)[0], locate(base, folder), CPU)
    assert eight.weights < needs.weights
    assert eight.work == needs.work > 0


@pytest.mark.slow
def test_dry_run(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(home)
    before = sorted(home.rglob("*"))
    assert sft.main("--dataset lines --base tiny --dry-run --output here --learning-rate 2e-3".split()) == 0
    said = capsys.readouterr().out
    assert "sft.learning_rate                   0.002" in said
    assert re.search(r"«<s>[^»]+</s>", said)
    rows = int(re.search(r"rows +([\d,]+), in", said)[1].replace(",", ""))  # type: ignore[index]
    assert rows > 100
    for line in (
        "rows with a trained end +100.0 %",
        "rows with a duplicate BOS +0\n",
        "tokens cut off +0.0 %",
        "padding +0",
    ):
        assert re.search(line, said), line
    for line in (
        r"tokens per epoch +[\d,]+, 100.0 %",
        r"steps +\d+\n",
        r"a step, measured +\d+\.\d\d",
        "memory, at least",
    ):
        assert re.search(line, said), line
    assert sorted(home.rglob("*")) == before
