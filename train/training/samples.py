"""Sample generations of a run: what base and tuned model make of the recipe's prompts. Heavy: loads torch."""

from typing import Any

import torch

from train.dataset.formatting import asked
from train.models.eval_mode import eval_mode
from train.models.turn_format import TurnFormat, without_thoughts
from train.settings.recipe import Recipe


def generate(model: Any, turns: TurnFormat, recipe: Recipe, conversation: bool) -> list[str]:
    """Continue each of the recipe's prompts, in one batch, the same for the same seed."""
    tokenizer = turns.tokenizer
    ids = asked(turns, recipe.samples.prompts, conversation)
    batch = tokenizer.pad({"input_ids": ids}, padding_side="left", return_tensors="pt").to(model.device)
    chosen = {"temperature": recipe.samples.temperature, "top_k": 0} if recipe.samples.temperature else {}
    with eval_mode(model), torch.random.fork_rng():
        torch.manual_seed(recipe.sft.seed)
        ids = model.generate(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            max_new_tokens=recipe.samples.max_new_tokens,
            do_sample=bool(chosen),
            use_cache=True,
            eos_token_id=list(turns.ends),
            pad_token_id=tokenizer.pad_token_id,
            **chosen,
        )
    texts = tokenizer.batch_decode(ids[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    return [without_thoughts(text).strip() for text in texts]


def write_samples(model: Any, turns: TurnFormat, recipe: Recipe, conversation: bool) -> list[dict[str, str]]:
    """Continue each of the recipe's prompts."""
    texts = generate(model, turns, recipe, conversation)
    return [{"prompt": prompt, "text": text} for prompt, text in zip(recipe.samples.prompts, texts, strict=True)]


def compare(model: Any, turns: TurnFormat, recipe: Recipe, conversation: bool) -> list[dict[str, str]]:
    """Return each prompt with its continuation by the base (adapter disabled) and by the tuned model."""
    tuned = generate(model, turns, recipe, conversation)
    with model.disable_adapter():
        base = generate(model, turns, recipe, conversation)
    return [{"prompt": p, "base": b, "tuned": t} for p, b, t in zip(recipe.samples.prompts, base, tuned, strict=True)]
