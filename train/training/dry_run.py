"""`train.sft --dry-run`: show the tokens, count them and estimate the time. Imports nothing heavy."""

import time
from collections.abc import Sequence
from dataclasses import fields
from functools import partial
from itertools import groupby, islice
from typing import Any

from train.dataset.formatting import IGNORED, count_duplicate_bos, count_ends, documents
from train.models.turn_format import TurnFormat
from train.runtime.memory import GB
from train.settings.recipe import Recipe, as_json

from .preflight import Needs

MEASURED_STEPS = 3
SHOWN = 1500  # characters of the first sequence
say = partial(print, flush=True)


def dry_run(trainer: Any, recipe: Recipe, rows: Any, needs: Needs) -> None:
    """Print how the rows are trained: `rows` before packing, `trainer` with its packed sequences."""
    turns: TurnFormat = trainer.turns
    tokenizer = turns.tokenizer
    sequences = trainer.train_dataset
    say("\nrecipe, where it differs from the libraries' defaults")
    for key, value in as_json(recipe).items():
        if not isinstance(value, dict):
            say(f"  {key:<36}{value!r}")
            continue
        defaults = {field.name: field.default for field in fields(getattr(recipe, key))}
        for name, setting in value.items():
            if setting != defaults[name]:
                say(f"  {f'{key}.{name}':<36}{setting!r}")
    say("\nfirst sequence; « and » mark trained tokens (each row ends with the EOS token)")
    say("  " + mark(tokenizer, sequences[0]["input_ids"], sequences[0]["labels"])[:SHOWN].replace("\n", "\n  "))
    say(f"\ndata\n  {'ends':<28}{turns.described}\n  {'longest sequence':<28}{recipe.sft.max_length:,} tokens")
    for name, value in measures(turns, sequences, rows, recipe).items():
        say(f"  {name:<28}{value}")
    seconds = time_steps(trainer)
    steps = trainer.set_initial_training_values(trainer.args, trainer.get_train_dataloader())[-1]
    say(
        f"\nrun\n"
        f"  {'steps':<28}{steps:,}\n"
        f"  {'seconds a step, measured':<28}{seconds:.2f}\n"
        f"  {'time for all steps':<28}{duration(seconds * steps)}, evaluations apart\n"
        f"  {'memory, at least':<28}{needs.memory / GB:.1f} GB\n"
        f"  {'disk for checkpoints':<28}{needs.disk / GB:.2f} GB\n\n"
        "rehearsed: a step, samples, saving and reading back; nothing was trained and nothing was written"
    )


def mark(tokenizer: Any, ids: Sequence[int], labels: Sequence[int]) -> str:
    """Return the tokens as text, with trained parts between « and »."""
    text = ""
    for trained, stretch in groupby(zip(ids, labels, strict=True), key=lambda pair: pair[1] != IGNORED):
        decoded = tokenizer.decode([token for token, _ in stretch])
        text += f"«{decoded}»" if trained else decoded
    return text


def measures(turns: TurnFormat, sequences: Any, rows: Any, recipe: Recipe) -> dict[str, str]:
    """Count rows and tokens: shares that are packed, truncated or trained, and the tokens per epoch."""
    pieces, most = list(documents(sequences)), recipe.sft.max_length
    split = recipe.sft.packing and recipe.sft.packing_strategy == "bfd_split"
    tokens = sum(len(ids) for ids, _ in pieces)
    trained = sum(label != IGNORED for _, labels in pieces for label in labels)
    lengths = [len(ids) for ids in rows["input_ids"]]
    longer = sum(length > most for length in lengths)
    return {
        "rows": f"{len(rows):,}, in {len(pieces):,} pieces and {len(sequences):,} packed sequences",
        "tokens per epoch": f"{tokens:,}, {share(trained, tokens)} of them trained",
        "rows with a trained end": share(count_ends(turns, sequences), len(rows)),
        "rows with a duplicate BOS": f"{count_duplicate_bos(turns, sequences):,}",
        "rows longer than a sequence": f"{longer:,}, {'split' if split else 'cut at its end'}",
        "tokens cut off": share(sum(lengths) - tokens, sum(lengths)),
        "padding": share(sum(len(ids) for ids in sequences["input_ids"]) - tokens, tokens),
    }


def time_steps(trainer: Any) -> float:
    """Return the median seconds of a forward and backward pass over one step's batches."""
    model = trainer.model.train()
    count = trainer.args.gradient_accumulation_steps
    batches = iter(trainer.get_train_dataloader())
    times = []
    for _ in range(MEASURED_STEPS + 1):
        began = time.monotonic()
        step = list(islice(batches, count)) or list(islice(batches := iter(trainer.get_train_dataloader()), count))
        trainer.current_gradient_accumulation_steps = len(step)
        for batch in step:
            trainer.training_step(model, batch)
        model.zero_grad()
        times.append(time.monotonic() - began)
    return sorted(times[1:])[MEASURED_STEPS // 2]


def share(part: int, whole: int) -> str:
    """Return a percentage.

    >>> share(1, 8), share(0, 0)
    ('12.5 %', '0.0 %')
    """
    return f"{100 * part / whole if whole else 0:.1f} %"


def duration(seconds: float) -> str:
    """Return a duration in hours and minutes.

    >>> duration(5), duration(90), duration(8000)
    ('5 s', '2 min', '2 h 13 min')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
