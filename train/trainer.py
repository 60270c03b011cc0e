"""TRL's SFTTrainer, and the four places where it needs a hand. Heavy: imported inside `main()` only.

What is different from TRL 1.16, and why:

- The adapter is trained in float32. TRL casts the LoRA weights of a quantised model to bfloat16; fp16 autocast (a T4)
  cannot scale their gradients, PEFT reads them back as float32, so that a resumed run would differ, and small updates
  get lost in 8 bits of mantissa. It costs 10 MB. (The loss of the first 14 steps at 1e-3 was the same either way.)
- Saving writes the adapter alone. TRL's writes a pickle of its arguments, and a model card into the output folder at
  every checkpoint, over the one that is there.
- Held-out loss goes through the forward that is trained. In eval mode on a CPU, bitsandbytes' 8-bit layers change to
  another function (activations rounded to int8 too), and 4-bit layers repack their weights for good.
- Held-out loss is the mean over tokens; Trainer's is a mean of batch means, where a short last window weighs as much
  as a full one.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import torch
from bitsandbytes.nn.modules import Linear4bit, Linear8bitLt
from tqdm import tqdm
from transformers.trainer_callback import TrainerCallback
from trl.trainer.sft_trainer import SFTTrainer

from .recipe import Recipe


class AdapterTrainer(SFTTrainer):
    """SFTTrainer that saves the adapter alone: no pickle, no card, no look at the Hub for the embedding's size."""

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        model: Any = self.model
        model.save_pretrained(output_dir or self.args.output_dir, save_embedding_layers=False)

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Nothing: the card is rendered from cards/adapter.md, once, at the end."""


def train_in_float32(model: Any) -> int:
    """Makes the trainable weights float32 again, in place and before there is an optimizer; returns their number."""
    trainable = [weight for weight in model.parameters() if weight.requires_grad]
    for weight in trainable:
        weight.data = weight.data.float()
    return sum(weight.numel() for weight in trainable)


def as_trained(model: Any) -> None:
    """Eval mode (no dropout) that keeps the quantised layers' forward of training; a GPU has only one in 8 bits."""
    model.eval()
    for layer in model.modules():
        if isinstance(layer, (Linear8bitLt, Linear4bit)):
            layer.train()


def held_out_loss(trainer: Any) -> tuple[float, int]:
    """Mean cross-entropy in nats per token over the trainer's eval rows, and the number of tokens scored."""
    model = trainer.model
    was_training = model.training
    as_trained(model)
    loss, tokens = 0.0, 0
    with torch.no_grad():
        for batch in trainer.get_eval_dataloader():
            batch = trainer._prepare_inputs(batch)
            tokens += int((batch["labels"][:, 1:] != -100).sum())
            with trainer.compute_loss_context_manager():
                loss += trainer.compute_loss(model, batch, num_items_in_batch=1).item()
    model.train(was_training)
    return loss / tokens, tokens


def generate(model: Any, tokenizer: Any, recipe: Recipe) -> list[str]:
    """What the model writes after each of the recipe's prompts, in one batch, stripped; the same for the same seed."""
    as_trained(model)
    side, tokenizer.padding_side = tokenizer.padding_side, "left"
    batch = tokenizer(list(recipe.prompts), return_tensors="pt", padding=True).to(model.device)
    tokenizer.padding_side = side
    chosen = {"temperature": recipe.sample_temperature, "top_k": 0} if recipe.sample_temperature else {}
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        ids = model.generate(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            max_new_tokens=recipe.sample_tokens,
            do_sample=bool(chosen),
            use_cache=True,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            **chosen,
        )
    new = ids[:, batch["input_ids"].shape[1] :]
    return [text.strip() for text in tokenizer.batch_decode(new, skip_special_tokens=True)]


def compare(model: Any, tokenizer: Any, recipe: Recipe) -> list[dict[str, str]]:
    """Each prompt with its continuation by the base (adapter switched off) and by the tuned model."""
    tuned = generate(model, tokenizer, recipe)
    with model.disable_adapter():
        base = generate(model, tokenizer, recipe)
    return [{"prompt": p, "base": b, "tuned": t} for p, b, t in zip(recipe.prompts, base, tuned, strict=True)]


class Progress(TrainerCallback):
    """Loss, tokens/s and time left: a bar on a terminal, about ten lines elsewhere. Keeps the losses in `losses`."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.tokens = 0
        self.seconds = 0.0
        self._bar: tqdm[Any] | None = None
        self._start = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **unused: Any) -> None:
        """Starts the clock, and the bar if anyone can see it move."""
        self._start = time.monotonic()
        if sys.stderr.isatty():
            self._bar = tqdm(total=state.max_steps, desc="training", unit="step", dynamic_ncols=True)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **unused: Any) -> None:
        """Notes the loss of a step (mean nats per token) and shows it."""
        if not logs or "loss" not in logs:
            return
        self.losses.append(float(logs["loss"]))
        self.tokens = int(logs["num_tokens"])
        self.seconds = time.monotonic() - self._start
        step, last = state.global_step, state.max_steps
        rate = f"loss {self.losses[-1]:.3f}  {self.tokens / self.seconds:.0f} tokens/s"
        if self._bar is not None:
            self._bar.set_postfix_str(rate, refresh=False)
            self._bar.update(step - self._bar.n)
        elif step == last or step % max(1, last // 10) == 0 or step == 1:
            left = self.seconds / step * (last - step)
            print(f"training  step {step}/{last}  {rate}  {left:.0f} s left", file=sys.stderr, flush=True)

    def on_train_end(self, args: Any, state: Any, control: Any, **unused: Any) -> None:
        """Leaves the finished bar on the screen."""
        if self._bar is not None:
            self._bar.close()
