"""python -m train.bench: the same few training steps in every precision this device can do, as a table.

From one full-precision base, with the recipe, the rows and the code of train.sft, in 32, 16, 8 and 4 bits (--bits for
fewer), each in a process of its own, so that its peak memory is its own. The first step warms up and is not timed.
What this device cannot do is named with the reason. With --card OUT the recipe and the base are those of that adapter,
and the table goes into its card. Exit codes: 0 measured, 1 nothing could be, 2 a mistake in what was asked.
"""

import argparse
import json
import math
import multiprocessing
import re
import resource
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from cards.render import render
from friends_corpus.core.cli import Failed, InputError, exit_code, in_short
from friends_corpus.core.files import check_new, open_new
from friends_corpus.core.reader import check_regular, checked, faults
from train.models.base import Source, locate
from train.models.device import choose_device, processor
from train.models.loading import load_base
from train.settings.base_preset import BITS, Base, find_base

from .adapters.loading import read_record
from .adapters.output_folder import rewrite
from .adapters.run_record import software
from .dataset.loading import check_folder, find_data, load_data
from .runtime.logging import quiet
from .settings.base_preset import packaged
from .settings.recipe import Recipe, load_recipe

STEPS = 12
SAME_LOSS = 0.1  # nats: more than the difference between seeds after a few steps
BLOCK = re.compile(r"<!-- quantisation -->\n.*?<!-- /quantisation -->", re.S)  # what is replaced in a card
PEAK = re.compile(r"VmHWM:\s+(\d+) kB")  # "VmHWM:    123456 kB"
say = partial(print, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code (see above), after one line on stderr if it is not 0."""
    args = parser().parse_args(arguments)
    return exit_code(lambda: bench(args), "nothing was written", args.out)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m train.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--dataset", default="chunks", help=f"{', '.join(sorted(packaged('recipes')))} (default: chunks)")
    add("--data", metavar="FOLDER|HUB-ID", help="the dataset (default: ./friends-lines, built from samples if absent)")
    add("--base", metavar="NAME", help=f"{', '.join(sorted(packaged('bases')))}, a YAML like those, a Hub id, a folder")
    add("--steps", type=int, default=STEPS, metavar="N", help=f"steps in each precision (default: {STEPS})")
    add("--bits", type=int, nargs="+", choices=BITS, default=sorted(BITS, reverse=True), help="default: all")
    add("--out", type=Path, metavar="FILE", help="also write the figures as JSON")
    add("--card", type=Path, metavar="OUT", help="measure for this adapter of train.sft, and put the table in its card")
    return parser


def bench(args: argparse.Namespace) -> int:
    """Measure all precisions, then write the table, the JSON and the card. Raises InputError, OSError."""
    if args.steps < 2:
        raise InputError(f"--steps is {args.steps}; it must be 2 or more, as the first is not timed")
    if args.out:
        check_new(args.out)
    other = {"base": args.base} if args.base else {}
    recipe, sha256 = read_card(args.card) if args.card else (load_recipe(args.dataset, None, other), None)
    recipe = replace(recipe, max_tokens=None, sft=replace(recipe.sft, max_steps=args.steps))
    if args.card and not args.base and (Path(recipe.base).exists() or recipe.base.endswith((".yaml", ".yml"))):
        raise InputError(f"{args.card} was trained on {recipe.base!r}, which is a path here; give it with --base")
    base, folder = find_base(args.base or recipe.base, None)
    dataset = find_data(args.data)
    if isinstance(dataset, Path):
        check_folder(dataset, recipe.dataset)
    source = locate(base, folder)
    if sha256 and source.sha256 != sha256:
        raise InputError(f"{args.card} was trained on another base than {base.model} as it is here; give its --base")
    say(f"base      {base.model}, from {source.described}")
    sft = recipe.sft
    tokens = sft.max_length * sft.per_device_train_batch_size * sft.gradient_accumulation_steps
    say(f"training  {recipe.dataset}, {args.steps} steps of at most {tokens:,} tokens in each precision")
    rows = []
    for bits in dict.fromkeys(args.bits):
        rows.append({"bits": bits} | in_own_process(recipe, replace(base, bits=bits), source, dataset))
        say(line(rows[-1]))
    measured = {
        "device": next((row["device"] for row in rows if "device" in row), None),
        "base": base.model,
        "base_sha256": source.sha256,
        "dataset": recipe.dataset,
        "steps": args.steps,
        "rows": rows,
        "advice": advice(rows),
        "software": software(),
    }
    say(f"advice    {measured['advice']}")
    if args.out:
        with open_new(args.out) as file:
            file.write(json.dumps(measured, indent=2, ensure_ascii=False) + "\n")
        say(f"wrote     {args.out}")
    if not measured["device"]:
        raise Failed("nothing could be measured; the reasons stand above")
    if args.card:
        card = args.card / "README.md"
        rewrite(args.card, card.name, with_block(card.read_text(encoding="utf-8"), measured))
        say(f"wrote     {card}, its table of precisions")
    return 0


def read_card(adapter: Path) -> tuple[Recipe, str | None]:
    """Return the recipe of an adapter and the sha256 of its base, if its card has a place for the table."""
    run = read_record(adapter)
    recorded: Mapping[str, Any] = run["recipe"]
    values = {field.name: recorded[field.name] for field in fields(Recipe) if field.name in recorded}
    for fault in faults(values, Recipe):
        raise InputError(f"{adapter / 'run.json'}: recipe.{fault}; it is not what this train.sft writes; train again")
    try:
        check_regular(adapter / "README.md")
        card = (adapter / "README.md").read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InputError(f"{adapter / 'README.md'} cannot be read ({in_short(error)}); train again") from None
    if not BLOCK.search(card):
        raise InputError(f"{adapter / 'README.md'} has no <!-- quantisation --> block; train again, or use --out")
    return checked(values, Recipe), run["base"].get("sha256")


def with_block(card: str, measured: Mapping[str, Any]) -> str:
    """Return the card with the table of precisions filled in."""
    block = render("quantisation.md", measured)
    return BLOCK.sub(lambda _: f"<!-- quantisation -->\n{block}<!-- /quantisation -->", card, count=1)


def in_own_process(recipe: Recipe, base: Base, source: Source, dataset: Path | str) -> dict[str, Any]:
    """Run `measure` in a new process; return {"failed": reason} if this device cannot do it."""
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            return pool.submit(measure, recipe, base, source, dataset).result()
    except BrokenProcessPool:
        return {"failed": "its process was killed: the machine has too little memory for it"}


def measure(recipe: Recipe, base: Base, source: Source, dataset: Path | str) -> dict[str, Any]:
    """Train `recipe.sft.max_steps` steps and return the measurements; bad input is raised.

    Memory in GB: of the process on a CPU, as allocated on a GPU; `memory_load` up to the first step, `memory` after.
    """
    quiet(offline=isinstance(dataset, Path) and source.folder is not None)
    data = load_data(dataset, recipe.dataset, recipe.sft.dataset_text_field)

    import torch

    from .training.callbacks import Clock
    from .training.sft_config import lora_config, sft_config
    from .training.trainer import AdapterTrainer

    clock = Clock()
    try:
        device = choose_device(base.bits)
        model, tokenizer = load_base(base, source, device)
        with tempfile.TemporaryDirectory() as folder:
            settings = sft_config(recipe, device, Path(folder))
            settings.save_strategy = "no"  # only the steps are of interest
            trainer: Any = AdapterTrainer(
                model=model,
                args=settings,
                train_dataset=data.train,
                processing_class=tokenizer,
                peft_config=lora_config(recipe, model),
                callbacks=[clock],
            )
            memory_load = peak_memory(device.kind, reset=True)
            trainer.train()
    except (ImportError, RuntimeError, ValueError, MemoryError) as error:
        return {"failed": in_short(error) or type(error).__name__}
    logged = [entry for entry in trainer.state.log_history if "loss" in entry]
    timed = logged[-1]["num_tokens"] - logged[0]["num_tokens"]
    return {
        "device": device.name if device.kind == "cuda" else f"{processor()}, {torch.get_num_threads()} threads",
        "dtype": device.dtype,
        "tokens_per_second": round(timed / (clock.ends[-1] - clock.ends[0]), 1),
        "memory_load": memory_load,
        "memory": peak_memory(device.kind, reset=False),
        "loss_first": round(logged[0]["loss"], 4),
        "loss_last": round(logged[-1]["loss"], 4),
    }


def peak_memory(kind: str, reset: bool) -> float:
    """Return the peak memory so far in GB; `reset` starts the next measurement here if the system can."""
    if kind == "cuda":
        import torch

        peak = torch.cuda.max_memory_allocated()
        if reset:
            torch.cuda.reset_peak_memory_stats()
        return float(round(peak / 1e9, 2))
    status = Path("/proc/self/status")
    match = PEAK.search(status.read_text()) if status.is_file() else None
    kilobytes = int(match[1]) if match else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if reset and match:
        with suppress(OSError):  # where it is forbidden, both figures are of the whole process
            Path("/proc/self/clear_refs").write_text("5")  # the kernel's word for: forget the peak
    return round(kilobytes * 1024 / 1e9, 2)


def line(row: Mapping[str, Any]) -> str:
    """Return the line of one precision for the screen.

    >>> line({"bits": 4, "failed": "ImportError: no bitsandbytes"})
    ' 4 bits   not here: ImportError: no bitsandbytes'
    """
    if "failed" in row:
        return f"{row['bits']:2} bits   not here: {row['failed']}"
    return (
        f"{row['bits']:2} bits   {row['tokens_per_second']:8,.1f} tokens/s   peak {row['memory']:.2f} GB "
        f"({row['memory_load']:.2f} loading)   loss {row['loss_first']:.3f} → {row['loss_last']:.3f}   {row['dtype']}"
    )


def advice(rows: Sequence[Mapping[str, Any]]) -> str:
    """Recommend the fastest precision that learns as well, and the smallest if that is another.

    >>> figures = {"memory_load": 1.0, "loss_last": 2.0}
    >>> advice([{"bits": 32, "tokens_per_second": 180.0, "memory": 2.0} | figures,
    ...         {"bits": 8, "tokens_per_second": 150.0, "memory": 2.5} | figures])
    '--bits 32 is the fastest here, 180 tokens/s, and none takes less memory'
    """
    measured = [row for row in rows if "failed" not in row]
    numbers = [row for row in measured if math.isfinite(row["loss_last"])]
    best = min((row["loss_last"] for row in numbers), default=0.0)
    good = [row for row in numbers if row["loss_last"] <= best + SAME_LOSS]
    if not good:
        return "no precision can be recommended: none was measured, or its loss is NaN or infinite"
    fast = max(good, key=lambda row: row["tokens_per_second"])
    small = min(good, key=lambda row: row["memory"])
    text = f"--bits {fast['bits']} is the fastest here, {fast['tokens_per_second']:,.0f} tokens/s"
    if small["memory"] < fast["memory"]:
        share = small["tokens_per_second"] / fast["tokens_per_second"]
        text += (
            f"; if memory is short, --bits {small['bits']} takes {small['memory']:.2f} GB instead of "
            f"{fast['memory']:.2f} at {100 * share:.0f} % of that speed"
        )
    else:
        text += ", and none takes less memory"
    worse = ", ".join(str(row["bits"]) for row in measured if row not in good)
    return text + (f"; the loss at {worse} bits is worse" if worse else "")


if __name__ == "__main__":
    sys.exit(main())
