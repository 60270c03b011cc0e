"""Every private name of a library that train uses, and every place where it changes one.

Written for torch 2.13, transformers 5.23, TRL 1.16, PEFT 0.21 and bitsandbytes 0.49. Each function is asked for what it
does by tests/train/test_upstream.py, which fails when a name is gone. `AdapterTrainer` lists the methods that it
overrides, of which `_save` and `_save_checkpoint` are private. Heavy imports are inside the functions.
"""

import logging
import warnings
from collections.abc import Callable
from dataclasses import fields
from typing import Any

CHATTY = ("bitsandbytes.autograd._functions", "bitsandbytes.backends.cpu.ops")  # at every 8-bit layer: it casts
OLD_NAME = (
    "`is_gradient_checkpointing` is deprecated"  # PEFT 0.21 asks for it under the name of before transformers 5.23
)


def silence_known_warnings() -> None:
    """Silence what libraries say of each other and of every layer; all else is shown."""
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", OLD_NAME, FutureWarning)


def with_installed_names(settings: dict[str, Any]) -> dict[str, Any]:
    """Return fields of SFTConfig under the names of the installed version: transformers 5.23 renamed two of them."""
    from trl.trainer.sft_config import SFTConfig

    known = {field.name for field in fields(SFTConfig)}
    older = {"activation_checkpointing": "gradient_checkpointing"}
    older["activation_checkpointing_kwargs"] = "gradient_checkpointing_kwargs"
    return {name if name in known else older.get(name, name): value for name, value in settings.items()}


def attention_of(config: Any) -> Any:
    """Return the attention kernel that config.json asks for: a name, or code on the Hub."""
    return getattr(config, "_attn_implementation", None)


def replace_renderer(wrap: Callable[[Any], Any]) -> None:
    """Replace the function that renders chat templates by what `wrap` makes of it: TRL calls it too, deep inside."""
    from transformers import tokenization_utils_base as library

    library.render_jinja_template = wrap(library.render_jinja_template)


def forget_adapter_names(model: Any) -> None:
    """Reset the adapter names of the rows, which PEFT keeps in hooks after a forward pass that failed."""
    from peft.tuners.lora import LoraLayer

    layers: list[Any] = [module for module in model.modules() if isinstance(module, LoraLayer)]
    for layer in layers:
        layer._forward_pre_hooks.clear()
        layer._forward_pre_hooks_with_kwargs.clear()


def set_read_tokens(trainer: Any, tokens: float) -> None:
    """Set the tokens read so far, which TRL counts from 0 in a resumed run."""
    trainer._total_train_tokens = tokens


def count_read_tokens(trainer: Any, tokens: int) -> None:
    """Add to the tokens read so far, as TRL's own loss does, and log them as it does."""
    trainer._total_train_tokens += tokens
    log_mean(trainer, "num_tokens", trainer._total_train_tokens)


def log_mean(trainer: Any, name: str, value: float) -> None:
    """Log a value with the loss of the next step, in place of TRL's mean over its batches."""
    trainer._metrics["train"][name] = [value]


def forget_means(trainer: Any) -> None:
    """Forget what TRL counted of the batches so far."""
    for means in trainer._metrics.values():
        means.clear()
    set_read_tokens(trainer, 0)


def forget_eval_means(trainer: Any) -> None:
    """Drop TRL's means over the batches of an evaluation, where a short batch counts as much as a full one."""
    trainer._metrics["eval"].clear()
