"""What a loaded base must be like: its tokens, its ends, its context. Heavy imports are inside the functions."""

from typing import Any

from friends_corpus.core.cli import InputError
from train.models.loading import load_base
from train.models.turn_format import TurnFormat, no_end, turn_format_of
from train.runtime.memory import explained
from train.settings.recipe import Recipe

from .setup import Setup

CONTEXT = ("max_position_embeddings", "n_positions", "max_seq_len", "max_sequence_length")  # names in configs


def load_checked(setup: Setup) -> tuple[Any, TurnFormat]:
    """Load the base model and find its turn format. Raises InputError, Failed."""
    with explained(setup.lighter, setup.device, lambda: "while the base model was loaded"):
        model, tokenizer = load_base(setup.base, setup.source, setup.device)
    if setup.data.record["conversation"] and tokenizer.chat_template is None:
        raise InputError(
            f"{setup.base.model} has no chat template; --dataset {setup.recipe.dataset} needs an instruct model"
        )
    check_tokens(model, tokenizer)
    check_context(model, setup.recipe.sft.max_length)
    check_targets(model, setup.recipe)
    turns = turn_format_of(model, tokenizer, setup.base.end_token)
    if setup.data.record["conversation"] and turns.turn_end is None:
        raise no_end()
    return model, turns


def check_tokens(model: Any, tokenizer: Any) -> None:
    """Raise InputError if the embedding lacks a special token."""
    size = model.get_input_embeddings().weight.shape[0]
    for number, token in zip(tokenizer.all_special_ids, tokenizer.all_special_tokens, strict=True):
        if number >= size:
            raise InputError(
                f"{token!r} is token {number} of the tokenizer, and the base knows {size}; resize it "
                f"(model.resize_token_embeddings({len(tokenizer)}), save_pretrained), or choose another --base"
            )


def check_context(model: Any, length: int) -> None:
    """Raise InputError if sequences are longer than the base can read."""
    config = model.config.get_text_config()
    context = next((value for name in CONTEXT if isinstance(value := getattr(config, name, None), int)), None)
    if context is not None and 0 < context < length:
        raise InputError(
            f"sft.max_length is {length}, and the base reads {context} tokens; add --set sft.max_length={context}"
        )


def check_targets(model: Any, recipe: Recipe) -> None:
    """Raise InputError if LoRA would go on the embedding that the head shares: merging changes both."""
    head, embedding, targets = model.get_output_embeddings(), model.get_input_embeddings(), recipe.lora.target_modules
    if isinstance(targets, str) or head is None or head.weight is not embedding.weight:
        return
    for name, layer in model.named_modules():
        if layer in (head, embedding) and any(f".{name}".endswith(f".{target}") for target in targets):
            raise InputError(
                f"lora.target_modules: {name} shares its weights with the embedding (tie_word_embeddings), and an "
                "adapter on one of them cannot be merged; leave it out, or set all-linear"
            )


def stored_share(model: Any, bits: int) -> float:
    """Return the share of all weights that are really stored in these bits."""
    from bitsandbytes.nn.modules import Params4bit

    inside = total = 0
    for weight in {id(weight): weight for weight in model.parameters()}.values():
        packed = isinstance(weight, Params4bit) and weight.quant_state is not None
        count = weight.quant_state.shape.numel() if packed else weight.numel()
        total += count
        inside += count if (4 if packed else 8 * weight.element_size()) == bits else 0
    return inside / total
