"""TRL's SFTTrainer, and the places where it needs a hand. Heavy: imported inside `main()` only.

It overrides six methods of TRL 1.16 and transformers 5.23: `_save`, `_save_checkpoint`, `create_scheduler`,
`get_batch_samples`, `compute_loss` and `evaluate`; docs/architecture.md says why.
"""

import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from accelerate.utils import gather_object, send_to_device
from safetensors import SafetensorError
from transformers import PrinterCallback, Trainer
from trl.trainer.sft_trainer import SFTTrainer

from friends_corpus.core.cli import InputError, in_short
from friends_corpus.core.files import mark
from train.dataset.formatting import IGNORED
from train.models.eval_mode import eval_mode
from train.models.upstream import count_read_tokens, forget_eval_means, log_mean
from train.runtime.distributed import most
from train.settings.sft_fields import LOSS_FIELDS, SftSettings

from .checkpoints import remove, remove_old, seal

FEW_LOGITS = 2**26  # 256 MB in float32
SHOWN = 80  # characters of a row in a message


class NotSaved(Exception):
    """A checkpoint could not be written; the earlier ones are as they were."""


class AdapterTrainer(SFTTrainer):
    """SFTTrainer that saves the adapter alone, seals its checkpoints, and evaluates by `held_out_loss`.

    `run` is what a checkpoint must say of its run, `sample` writes the sample generations of an evaluation; both are
    set after the trainer is made.
    """

    run: Mapping[str, Any] = {}
    turns: Any = None  # the base's TurnFormat
    sample: Callable[[], list[dict[str, str]]] | None = None
    trained_tokens = 0  # those with a label, of all steps and processes
    budget: int | None = None  # of trained_tokens
    last_batches: Sequence[Mapping[str, Any]] = ()  # of the last step

    def __init__(self, **settings: Any) -> None:
        try:
            super().__init__(**settings)
        except ValueError as error:
            why = in_short(error)
            raise InputError(f"sft: {why}; change it with --set sft.FIELD=VALUE, or choose another --base") from None
        self.remove_callback(PrinterCallback)  # progress is ours
        defaults = {field.name: field.default for field in fields(SftSettings)}
        other_loss = any(getattr(self.args, name) != defaults[name] for name in LOSS_FIELDS)
        self.with_trl_loss = other_loss or self.aux_loss_enabled
        self.model.config.get_text_config().output_router_logits = False  # generating fails on them; TRL asks itself
        self.vocabulary: int = self.model.config.get_text_config().vocab_size
        self.weights = train_in_float32(self.model)  # how many are trained

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        if self.args.should_save:  # rank 0
            self.save_adapter(output_dir or self.args.output_dir, state_dict)

    def save_adapter(self, folder: Any, state_dict: dict[str, Any] | None = None) -> None:
        """Write the adapter alone."""
        model: Any = self.model
        model.save_pretrained(folder, state_dict=state_dict, save_embedding_layers=False)

    def train_exactly(self, tokens: int) -> None:
        """Make the run end after exactly so many trained tokens. Raises InputError if no row has any."""
        self.budget, self.args.max_steps = tokens, steps_for(self, tokens)

    def create_scheduler(self, num_training_steps: int, *rest: Any, **named: Any) -> Any:
        """Create the scheduler with at least one step after the warm-up, which starts at learning rate 0."""
        self.args.warmup_steps = min(self.args.get_warmup_steps(num_training_steps), num_training_steps - 1)
        return super().create_scheduler(num_training_steps, *rest, **named)

    def get_batch_samples(self, epoch_iterator: Iterator[Any], num_batches: int, device: Any) -> Any:
        """Return the batches of a step and their trained tokens, cut at the token budget and counted."""
        batches = list(itertools.islice(epoch_iterator, num_batches))
        if batches:
            ranks, mine = self.accelerator.num_processes, self.accelerator.process_index
            counts = self.accelerator.gather(torch.stack([count_trained(batch) for batch in batches]))
            if self.budget is not None:
                in_turn = counts.view(
                    ranks, -1
                ).T.flatten()  # as batches are dealt out: one to each rank, then the next
                before = (in_turn.cumsum(0) - in_turn)[mine::ranks]
                for batch, of_others in zip(batches, before.tolist(), strict=True):
                    keep_first(batch["labels"], self.budget - self.trained_tokens - of_others)
            total = self.trained_tokens + int(counts.sum())
            self.trained_tokens = total if self.budget is None else min(total, self.budget)
            self.last_batches = batches
            log_mean(self, "trained_tokens", self.trained_tokens)
        return super().get_batch_samples(iter(batches), num_batches, device)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Return the cross-entropy over the trained tokens, divided by `num_items_in_batch` (None: their number)."""
        following = inputs["labels"][:, 1:]
        positions = (following != IGNORED).any(dim=0).nonzero().flatten()
        logits_of_one = len(positions) * len(following) * self.vocabulary
        if most(logits_of_one) > FEW_LOGITS or (
            self.with_trl_loss and self.model.training
        ):  # on all ranks: both gather
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        if self.model.training:
            read = inputs.get("attention_mask", torch.ones_like(inputs["input_ids"])).sum()  # packed: no padding
            count_read_tokens(self, int(self.accelerator.gather(read).sum()))
        without_labels = {name: value for name, value in inputs.items() if name != "labels"}
        predicted = model(**without_labels, use_cache=False, logits_to_keep=positions).logits.float()
        total = functional.cross_entropy(
            predicted.flatten(0, 1), following[:, positions].flatten(), ignore_index=IGNORED, reduction="sum"
        )
        if num_items_in_batch is None:
            return total / (following != IGNORED).sum().clamp(min=1)
        return total / max(num_items_in_batch, 1) * self.accelerator.num_processes  # whose gradients are averaged

    def last_rows(self) -> str:
        """Say how the rows of the last step begin."""
        tokenizer: Any = self.processing_class
        rows = gather_object([row[:60].tolist() for batch in self.last_batches for row in batch["input_ids"]])
        starts = [tokenizer.decode(row, skip_special_tokens=True)[:SHOWN] for row in rows]
        return "the batch begins " + " and ".join(f"“{' '.join(text.split())}…”" for text in starts[:3])

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
        with all_or_nothing(folder):
            if self.args.should_save:
                remove(folder)
                mark(folder, folder.name)
        self.accelerator.wait_for_everyone()
        with all_or_nothing(folder):
            Trainer._save_checkpoint(self, model, trial)  # TRL's also writes a model card into the output folder
        self.accelerator.wait_for_everyone()  # each rank puts its random state there
        if self.args.should_save:
            with all_or_nothing(folder):
                seal(folder, self.run)
            remove_old(folder.parent)
        self.accelerator.wait_for_everyone()

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Log validation loss and samples; the random state is as if nothing had been asked."""
        with random_state_restored():
            loss, tokens = held_out_loss(self)
            forget_eval_means(self)
            self.log({"eval_loss": loss, "eval_tokens": tokens})  # a loss that is NaN ends the run here
            samples = self.sample() if self.sample else []
        self.state.log_history.append({"step": self.state.global_step, "samples": samples})
        return {"eval_loss": loss}


@contextmanager
def all_or_nothing(folder: Path) -> Iterator[None]:
    """Remove all files written to `folder` if one of them cannot be written. Raises NotSaved."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        with suppress(OSError, InputError):
            remove(folder)  # half of it would only take space
        raise NotSaved(f"{folder} could not be written: {in_short(error)}") from error


@contextmanager
def random_state_restored() -> Iterator[None]:
    """Restore the random state of Python, NumPy and PyTorch afterwards."""
    python, numbers = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        yield
    random.setstate(python)
    np.random.set_state(numbers)


def train_in_float32(model: Any) -> int:
    """Convert the trainable weights to float32 in place, before there is an optimizer; return their number."""
    trainable = [weight for weight in model.parameters() if weight.requires_grad]
    for weight in trainable:
        weight.data = weight.data.float()
    return sum(weight.numel() for weight in trainable)


def count_trained(batch: Mapping[str, Any]) -> torch.Tensor:
    """Count the tokens of a batch that have a label; the first token of a row has none."""
    return (batch["labels"][:, 1:] != IGNORED).sum()


def keep_first(labels: torch.Tensor, number: int) -> None:
    """Mask all labels but the first `number`, in place, in the order of the rows.

    >>> labels = torch.tensor([[7, 7, IGNORED, 7], [7, 7, 7, 7]])
    >>> keep_first(labels, 3)
    >>> labels.tolist()
    [[7, 7, -100, 7], [7, 7, -100, -100]]
    """
    following = labels[:, 1:]
    known = following != IGNORED
    following[known.flatten().cumsum(0).view_as(known) > number] = IGNORED


def steps_for(trainer: Any, tokens: int) -> int:
    """Return the optimizer steps that `tokens` trained tokens take, counted in training order."""
    each = trainer.args.gradient_accumulation_steps
    steps: list[int] = []  # the tokens trained in each
    with random_state_restored():
        batches = trainer.get_train_dataloader()
        for epoch in itertools.count():
            batches.set_epoch(epoch)
            counts = trainer.accelerator.reduce(torch.stack([count_trained(batch) for batch in batches])).tolist()
            steps += [sum(counts[start : start + each]) for start in range(0, len(counts), each)]
            if sum(steps) >= tokens:
                break
            if not any(steps):
                raise InputError(
                    "no token of the rows is trained; give other rows with --data, or another --text-field"
                )
    return next(number for number, seen in enumerate(itertools.accumulate(steps), start=1) if seen >= tokens)


@contextmanager
def cross_entropy_alone(trainer: Any) -> Iterator[None]:
    """Compute TRL's loss without what a recipe can add to it, then restore its settings."""
    kept = trainer.args.loss_type, trainer.label_smoother, trainer.aux_loss_enabled
    trainer.args.loss_type, trainer.label_smoother, trainer.aux_loss_enabled = "nll", None, False
    try:
        yield
    finally:
        trainer.args.loss_type, trainer.label_smoother, trainer.aux_loss_enabled = kept


def held_out_loss(trainer: Any) -> tuple[float, int]:
    """Return the mean cross-entropy in nats per token over the eval rows, and the number of tokens.

    Whatever loss is trained, this one is comparable: without label smoothing, DFT and auxiliary losses.
    """
    loss, tokens = 0.0, 0
    ranks = trainer.accelerator.num_processes
    with eval_mode(trainer.model), cross_entropy_alone(trainer):
        for row in trainer.eval_dataset:  # one at a time, and every rank all of them
            batch = send_to_device(trainer.data_collator([row]), trainer.accelerator.device)
            tokens += int(count_trained(batch))
            with trainer.compute_loss_context_manager():
                # TRL multiplies by the ranks
                loss += trainer.compute_loss(trainer.model, batch, num_items_in_batch=ranks).item()
    return loss / tokens, tokens
