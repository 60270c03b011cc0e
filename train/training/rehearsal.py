"""A rehearsal before the first step: what is first needed at the end is tried at the start. Heavy: loads torch.

Random state, weights and optimizer are as they were: a run's losses are the same with and without it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from accelerate.utils import send_to_device

from friends_corpus.core.cli import Failed, InputError, in_short
from train.dataset.formatting import documents
from train.models.eval_mode import eval_mode
from train.models.lora_weights import Layers, read_adapter
from train.models.upstream import forget_means
from train.runtime import distributed
from train.runtime.memory import is_out_of_memory
from train.settings.recipe import Recipe

from .samples import generate
from .trainer import random_state_restored

SHORT = 32  # tokens of a row
ANOTHER = "choose another --base"
APART = "train its rows one by one: --set sft.packing=false"
EXACT, ROUNDED = 1e-4, 0.05  # mean difference of logits, in their standard deviations: in float32, in 16 bits


@contextmanager
def attempt(what: str, remedy: str = ANOTHER) -> Iterator[None]:
    """Say in one line what failed, and the way out. Raises InputError."""
    try:
        yield
    except (InputError, Failed):
        raise
    except Exception as error:  # of any library, for any reason
        if is_out_of_memory(error):
            raise
        reason = in_short(error) or type(error).__name__
        raise InputError(f"{what} fails with this base, so nothing was trained ({reason}); {remedy}") from None


def rehearse(trainer: Any, recipe: Recipe, conversation: bool, layers: Layers) -> None:
    """Try what the run will need on two short rows. `layers` are those of the bare base. Raises InputError."""
    check_ids(trainer)
    if distributed.sharded():  # the weights are put together by the trainer itself
        return
    rows = [
        {"input_ids": ids[-SHORT:], "labels": labels[-SHORT:]}
        for ids, labels in islice(documents(trainer.train_dataset), 2)
    ]
    was_training = trainer.model.training
    with random_state_restored():
        with attempt("a forward and backward pass", f"{APART}, or {ANOTHER}" if recipe.sft.packing else ANOTHER):
            step(trainer, rows)
            if recipe.sft.packing:
                check_packing(trainer, rows)
        with attempt("generating a sample"):
            short = replace(recipe, samples=replace(recipe.samples, max_new_tokens=2))
            generate(trainer.model, trainer.turns, short, conversation)
            with trainer.model.disable_adapter():
                generate(trainer.model, trainer.turns, short, conversation)
        with attempt("reading the saved adapter back", f"set other lora.target_modules, or {ANOTHER}"):
            check_saved(trainer, layers)
    trainer.model.train(was_training)


def check_ids(trainer: Any) -> None:
    """Raise InputError if a token of the rows is beyond the embedding of the base."""
    size = trainer.model.get_input_embeddings().weight.shape[0]
    for ids, _ in documents(trainer.train_dataset):
        if max(ids) >= size:
            token = trainer.turns.tokenizer.convert_ids_to_tokens(max(ids))
            raise InputError(
                f"a row holds {token!r}, token {max(ids)}, and the base knows {size}; take it out of the texts, or "
                f"resize the base (model.resize_token_embeddings({max(ids) + 1}), save_pretrained)"
            )


def step(trainer: Any, rows: list[dict[str, Any]]) -> None:
    """Run one forward and backward pass as a step does, and forget it."""
    batch = send_to_device(trainer.data_collator([packed(rows)] if trainer.padding_free else rows), trainer.args.device)
    trainer.model.train()
    with trainer.compute_loss_context_manager():
        trainer.accelerator.backward(trainer.compute_loss(trainer.model, batch))
    trainer.model.zero_grad(set_to_none=True)
    forget_means(trainer)


def packed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return rows as one packed sequence."""
    columns = {name: [value for row in rows for value in row[name]] for name in ("input_ids", "labels")}
    return columns | {"seq_lengths": [len(row["input_ids"]) for row in rows]}


def packing_error(trainer: Any, rows: list[dict[str, Any]]) -> float:
    """Return how far the logits of the last packed row are from those of the row alone, in standard deviations."""

    def logits(rows: list[dict[str, Any]]) -> torch.Tensor:
        batch = send_to_device(trainer.data_collator([packed(rows)]), trainer.args.device)
        del batch["labels"]
        with trainer.compute_loss_context_manager():
            computed: torch.Tensor = trainer.model(**batch, use_cache=False).logits[0, -len(rows[-1]["input_ids"]) :]
        return computed.float()

    with eval_mode(trainer.model):
        together, alone = logits(rows), logits(rows[-1:])
    return float((together - alone).abs().mean() / alone.std().clamp(min=1e-9))


def check_packing(trainer: Any, rows: list[dict[str, Any]]) -> None:
    """Raise InputError unless the second of two packed rows computes what it does alone."""
    difference = packing_error(trainer, rows)
    exact = trainer.model.dtype == torch.float32 and not (trainer.args.bf16 or trainer.args.fp16)
    if not difference <= (EXACT if exact else ROUNDED):
        raise InputError(
            f"packed rows read one another in this base: the logits of one differ by {difference:.2g} standard "
            f"deviations from those of the row alone; {APART}"
        )


def check_saved(trainer: Any, layers: Layers) -> None:
    """Save the adapter, and read it back as `compare`, `chat` and `merge` do. Raises InputError, ValueError."""
    from peft import get_peft_model_state_dict

    if not trainer.args.should_save:
        return
    with TemporaryDirectory() as folder:
        trainer.save_adapter(folder)
        weights = read_adapter(Path(folder), layers).weights
    for name, weight in get_peft_model_state_dict(trainer.model, save_embedding_layers=False).items():
        if not weights[name].equal(weight.cpu()):
            raise ValueError(f"{name} is not as it was")
