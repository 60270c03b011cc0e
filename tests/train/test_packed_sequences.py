"""What `AdapterTrainer` computes by itself is what TRL computes, and rows in one window do not see each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny import make_trainer, write_dataset, write_model

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_environment")]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("head")
    write_dataset(home / "friends-lines", {"train": 12, "validation": 3})
    write_model(home / "tiny", chat=True)
    return home


def trainer_of(home: Path, dataset: str, packing: str) -> Any:
    """For the tiny Llama in 32 bits, two windows of 128 tokens at once."""
    from train.settings.base_preset import find_base
    from train.settings.recipe import load_recipe

    settings = {"base": str(home / "tiny"), "sft.max_steps": 1, "eval.evaluations": 0, "sft.max_length": 128}
    settings |= {"sft.per_device_train_batch_size": 2, "sft.activation_checkpointing": False}
    settings |= {"sft.packing": packing != "none", "sft.packing_strategy": "bfd" if packing == "none" else packing}
    recipe = load_recipe(dataset, None, settings)
    base, _ = find_base(str(home / "tiny"), 32)
    return make_trainer(home / "friends-lines", recipe, base, home / "tiny", home / "out")


@pytest.mark.parametrize("items", [pytest.param(None, id="mean"), pytest.param(37, id="of-a-step")])
@pytest.mark.parametrize(
    ("dataset", "packing"),
    [
        pytest.param("chunks", "bfd_split", id="packed"),
        pytest.param("lines", "none", id="padded"),
        pytest.param("chat", "bfd", id="completions"),
    ],
)
def test_same_loss_and_gradient(
    home: Path, monkeypatch: pytest.MonkeyPatch, dataset: str, packing: str, items: int | None
) -> None:
    import torch

    from train.training import trainer as module

    trainer = trainer_of(home, dataset, packing)
    batch = next(iter(trainer.get_train_dataloader()))
    assert ("attention_mask" in batch) is (packing == "none")
    found = []
    for most in (0, 2**26):  # TRL's head, ours
        monkeypatch.setattr(module, "FEW_LOGITS", most)
        trainer._total_train_tokens = 0
        loss = trainer.compute_loss(trainer.model, dict(batch), num_items_in_batch=items and torch.tensor(items))
        loss.backward()
        norm = torch.cat([w.grad.flatten() for w in trainer.model.parameters() if w.grad is not None])
        found.append((loss.item(), norm, trainer._total_train_tokens))
        trainer.model.zero_grad()
    (theirs, their_gradient, their_count), (ours, our_gradient, our_count) = found
    assert ours == pytest.approx(theirs, rel=1e-5)
    torch.testing.assert_close(our_gradient, their_gradient, rtol=1e-3, atol=1e-6)
    assert our_gradient.abs().max() > 1e-5
    assert our_count == their_count > 0


def test_packed_rows_do_not_see_each_other(home: Path) -> None:
    import torch

    from train.dataset.formatting import documents

    trainer = trainer_of(home, "lines", "bfd_split")
    window = trainer.train_dataset[0]
    assert len(window["seq_lengths"]) > 3
    batch = trainer.data_collator([window])
    batch.pop("labels")
    model = trainer.model.eval()
    with torch.no_grad():
        packed = model(**batch, use_cache=False).logits[0]
        alone = [model(input_ids=torch.tensor([ids]), use_cache=False).logits[0] for ids, _ in documents([window])]
        mixed = model(input_ids=batch["input_ids"], use_cache=False).logits[0]
    torch.testing.assert_close(packed, torch.cat(alone), rtol=1e-4, atol=1e-5)
    assert (mixed - packed).abs().max() > 1e-2  # without their positions they would
