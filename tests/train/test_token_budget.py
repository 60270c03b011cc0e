"""`train.sft --max-tokens N`: a run learns exactly N tokens, whatever a row, a window, a step or an epoch holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import huggingface_hub  # noqa: F401  reads HF_HUB_OFFLINE when imported: now, not after `quiet` has set it
import pytest
from tiny import make_trainer, write_dataset, write_model

from train import sft
from train.comparison.arms import budget, check_runs
from train.settings.base_preset import find_base
from train.settings.recipe import load_recipe

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_environment")]
BASE = """\
model: tiny
wheel: null
gguf: null
bits: 32
sft:
  max_length: 32
  per_device_train_batch_size: 2
  gradient_accumulation_steps: 3
  activation_checkpointing: false
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("budget")
    write_dataset(home / "friends-lines", {"train": 24, "validation": 6, "test": 2})
    write_dataset(home / "few", {"train": 3})
    write_model(home / "tiny", chat=True)
    return home


def trained(home: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[dict[str, Any], list[Any]]:
    """run.json of a run, and what was logged of its steps."""
    monkeypatch.chdir(home)
    asked = ["--base", "tiny", "--bits", "32", "--evaluations", "0", "--output", "out", "--overwrite", *arguments]
    assert sft.main(asked) == 0
    logged = [json.loads(line) for line in (home / "out" / "metrics.jsonl").read_text().splitlines()]
    return json.loads((home / "out" / "run.json").read_text()), [entry for entry in logged if "loss" in entry]


def test_all_four_formats_learn_as_much(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = 700
    configs = ("lines", "named_lines", "chunks", "chat")
    runs = {name: trained(home, monkeypatch, "--dataset", name, "--max-tokens", str(tokens))[0] for name in configs}
    assert {name: run["trained_tokens"] for name, run in runs.items()} == dict.fromkeys(configs, tokens)
    assert budget(runs) == tokens
    assert not any("equally many" in note for note in check_runs(runs, any_budget=False))


@pytest.mark.parametrize("short", [0, 17], ids=lambda short: f"{short}-tokens-before-a-step-ends")
def test_steps_are_counted_in_the_order_in_which_they_come(home: Path, tmp_path: Path, short: int) -> None:
    """Over the border of an epoch whose last step is smaller, with batches of two windows, three of them a step."""
    (home / "base.yaml").write_text(BASE, encoding="utf-8")
    base, _ = find_base(str(home / "base.yaml"), None)
    recipe = load_recipe("named_lines", None, {"sft.seed": 3})
    trainer = make_trainer(home / "few", recipe, base, home / "tiny", tmp_path / "free")
    trainer.args.max_steps = 7
    trainer.train()
    learnt = [entry["trained_tokens"] for entry in trainer.state.log_history if "loss" in entry]
    epochs = [entry["epoch"] for entry in trainer.state.log_history if "loss" in entry]
    assert epochs[-1] > 2, "else no border is passed"
    for steps in (1, 4, 7):
        trainer = make_trainer(home / "few", recipe, base, home / "tiny", tmp_path / f"cut{steps}")
        trainer.train_exactly(learnt[steps - 1] - short)
        assert trainer.args.max_steps == steps
        trainer.train()
        seen = [entry["trained_tokens"] for entry in trainer.state.log_history if "loss" in entry]
        assert seen == [*learnt[: steps - 1], learnt[steps - 1] - short]


@pytest.mark.parametrize("few_logits", [0, 2**26], ids=["head-of-TRL", "own-head"])
def test_what_is_cut_is_not_learnt(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few_logits: int
) -> None:
    """The loss of the last step is the mean over the tokens that are left of it."""
    import torch

    monkeypatch.setattr("train.training.trainer.FEW_LOGITS", few_logits)
    base, _ = find_base(str(home / "tiny"), 32)
    recipe = load_recipe("lines", None, {})
    trainer = make_trainer(home / "few", recipe, base, home / "tiny", tmp_path)
    first = [window["input_ids"] for window in trainer.train_dataset]
    trainer.train_exactly(5)
    with torch.no_grad():
        batch = next(iter(trainer.get_train_dataloader()))
        ids = batch["input_ids"][:1]
        assert ids[0].tolist() in first
        rest = {name: value for name, value in batch.items() if name not in ("input_ids", "labels")}
        logits = trainer.model(input_ids=ids, use_cache=False, **rest).logits[0]
        loss = torch.nn.functional.cross_entropy(logits[:5], ids[0, 1:6]).item()
    trainer.train()
    [logged] = [entry for entry in trainer.state.log_history if "loss" in entry]
    assert logged["loss"] == pytest.approx(loss, abs=1e-4)


def test_nothing_to_learn(home: Path, tmp_path: Path) -> None:
    from friends_corpus.core.cli import InputError

    base, _ = find_base(str(home / "tiny"), 32)
    trainer = make_trainer(home / "few", load_recipe("lines", None, {}), base, home / "tiny", tmp_path)
    trainer.train_dataset = trainer.train_dataset.map(lambda row: {"labels": [-100] * len(row["labels"])})
    with pytest.raises(InputError, match="no token of the rows is trained"):
        trainer.train_exactly(5)


@pytest.mark.parametrize("dataset", ["lines", "chat"])
def test_a_run_of_one_step_learns(home: Path, monkeypatch: pytest.MonkeyPatch, dataset: str) -> None:
    """It would be all warm-up, whose first step has the learning rate 0."""
    from safetensors.torch import load_file

    _, [step] = trained(home, monkeypatch, "--dataset", dataset, "--max-steps", "1")
    assert step["learning_rate"] == load_recipe(dataset, None, {"base": str(home / "tiny")}).sft.learning_rate
    weights = load_file(home / "out" / "adapter_model.safetensors")
    assert any(weight.any() for name, weight in weights.items() if "lora_B" in name), "B starts at zero"
