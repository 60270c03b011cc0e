"""What a loaded base must be like: its tokens, its ends, its context. Heavy imports are inside the functions."""

from typing import Any

from friends_corpus.core.cli import InputError
from train.models.loading import load_base
from train.models.turn_format import TurnFormat, no_end, turn_format_of
from train.runtime.memory import explained

from .setup import Setup


def load_checked(setup: Setup) -> tuple[Any, TurnFormat]:
    """Load the base model and find its turn format. Raises InputError, Failed."""
    with explained(setup.lighter, setup.device, lambda: "while the base model was loaded"):
        model, tokenizer = load_base(setup.base, setup.source, setup.device)
    if setup.data.record["conversation"] and tokenizer.chat_template is None:
        raise InputError(
            f"{setup.base.model} has no chat template; --dataset {setup.recipe.dataset} needs an instruct model"
        )
    turns = turn_format_of(model, tokenizer, setup.base.end_token)
    if setup.data.record["conversation"] and turns.turn_end is None:
        raise no_end()
    return model, turns
