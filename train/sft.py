"""`python -m train.sft --dataset chunks`: one dataset, one base model, one adapter.

Linear: read the recipe, find base and data, load, train once, compare, write. Heavy imports come after the checks that
need none, so that `--help` and most mistakes answer at once.
"""

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from friends_corpus.core.cli import BAD_INPUT, FAILED, INTERRUPTED, Failed, InputError, exit_code, in_short, reraise
from friends_corpus.core.visible import screened
from train.models.base import locate
from train.models.device import choose_device
from train.models.lora_weights import layers_of
from train.settings.base_preset import BITS, find_base
from train.training.sft_config import describe_adapter, lora_config, sft_config

from .adapters.output_folder import (
    LIVE,
    Outcome,
    check_replaceable,
    locked,
    none_left_empty,
    show_samples,
    staged,
    start,
    write_run,
)
from .adapters.run_record import Run, facts_of, results_of
from .dataset.formatting import check_row_ends
from .dataset.loading import check_folder, find_data, load_data, tokenize_data
from .runtime import distributed
from .runtime.logging import quiet
from .runtime.memory import explained
from .runtime.signals import RESUMABLE, Stop, Terminated
from .settings.base_preset import packaged
from .settings.batching import share_out
from .settings.recipe import load_recipe, read_overrides
from .training.base_checks import load_checked, stored_share
from .training.dry_run import dry_run
from .training.preflight import check_machine, check_tracker
from .training.setup import Setup, described, introduce

FLAGS = {  # what the flags set in the recipe
    "base": "base",
    "max_tokens": "max_tokens",
    "max_steps": "sft.max_steps",
    "max_length": "sft.max_length",
    "text_field": "sft.dataset_text_field",
    "learning_rate": "sft.learning_rate",
    "seed": "sft.seed",
    "eval_tokens": "eval.tokens",
    "evaluations": "eval.evaluations",
}
say = partial(print, flush=True)


class Parser(argparse.ArgumentParser):
    """argparse whose errors are one line, like all others of this command."""

    def error(self, message: str) -> NoReturn:
        """Raise InputError instead of printing the usage and exiting."""
        raise InputError(f"{message}; see python -m train.sft --help")


def tokens_or_all(text: str) -> int | None:
    """Return the value of --eval-tokens: a number, or None for "all"."""
    return None if text == "all" else int(text)


def make_parser() -> Parser:
    """Return the parser of the command line; absent settings are left to the recipe and the base."""
    parser = Parser(
        prog="python -m train.sft",
        description="Train a LoRA adapter on a friends-lines dataset. Exit codes: 0 done; 1 it failed on the way; 2 a "
        "mistake in what was asked; 75 ended by SIGTERM (add --resume to continue); 130 interrupted.",
        epilog="Several GPUs, such as the two T4 of a free Kaggle machine: accelerate launch --config_file "
        "train/accelerate/ddp.yaml -m train.sft …, one process per GPU (on a T4 in float16, the adapter in float32).",
    )
    absent = argparse.SUPPRESS
    number = {"type": int, "metavar": "N"}
    names, bases = (", ".join(sorted(packaged(folder))) for folder in ("recipes", "bases"))
    add: Any = parser.add_argument
    add("--dataset", metavar="NAME", help=f"{names}: the config to train on, and its recipe; or give --recipe")
    add("--recipe", type=Path, metavar="FILE", help="your own recipe YAML instead of train/recipes/DATASET.yaml")
    add("--data", metavar="FOLDER|HUB-ID", help="the dataset (default: ./friends-lines, built from samples if absent)")
    add("--base", metavar="NAME", default=absent, help=f"{bases}, a YAML like those, a Hub id, or a folder")
    add("--bits", type=int, choices=BITS, help="how the base is stored while training (default: 8)")
    add("--batch-size", **number, help="sequences per forward pass; the size of a step stays, more needs more memory")
    add("--gradient-checkpointing", action="store_true", help="compute activations twice to save memory; same result")
    add("--max-steps", **number, default=absent, help="stop after N steps instead of the recipe's epochs")
    add("--max-tokens", **number, default=absent, help="stop after exactly N trained tokens: the last step is cut")
    columns = "column to train on (default: the recipe's; text_with_directions: as printed)"
    add("--text-field", metavar="COLUMN", default=absent, help=columns)
    add("--learning-rate", type=float, metavar="RATE", default=absent, help="default: the base's, else the recipe's")
    add("--seed", **number, default=absent, help="of the order of rows, the adapter and samples (default: 42)")
    add("--eval-tokens", type=tokens_or_all, metavar="N|all", default=absent, help="held-out tokens to score each time")
    add("--evaluations", **number, default=absent, help="held-out loss and samples, N times on the way")
    any_setting = "any setting of a recipe, such as sft.weight_decay=0.01 or lora.r=8; may be repeated"
    add("--set", action="append", default=[], metavar="SECTION.FIELD=VALUE", dest="settings", help=any_setting)
    add("--max-length", **number, default=absent, help="tokens of a sequence; what is longer is cut or split")
    add("--device", choices=("cpu", "cuda"), help="compute there (default: on a GPU if torch can use one)")
    add("--end-token", metavar="TOKEN", help="that ends a turn (default: as the chat template of the base has it)")
    trackers = "tensorboard, trackio or wandb, if installed (default: none)"
    add("--report-to", default="none", metavar="NAME", help=trackers)
    add("--output", type=Path, metavar="FOLDER", help="default: adapters/DATASET")
    dry = "run all checks, show the tokens and estimate the time; write nothing"
    add("--dry-run", action="store_true", help=dry)
    add("--resume", action="store_true", help="resume from the newest valid OUTPUT/checkpoint-N of the same run")
    add("--keep-checkpoints", action="store_true", help="leave all of OUTPUT/checkpoint-N there, not the newest alone")
    add(
        "--overwrite",
        action="store_true",
        help="train anew, over a finished run or changed files of ours",
    )
    add("--push-to", metavar="USER/NAME", help="when done, publish with `python -m train.publish OUTPUT USER/NAME`")
    return parser


@screened()
def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code.

    0: done; 1: it failed on the way (NaN, disk full); 2: a mistake in what was asked; 75: SIGTERM came, add --resume to
    continue; 130: Ctrl-C. All but 0 after one line on stderr. With --push-to the code of `train.publish` if
    that is not 0: before training it is asked whether it could.
    """
    environment = dict(os.environ)  # a run puts HF_HUB_OFFLINE into ours
    try:
        args = make_parser().parse_args(argv)
        pushes = args.push_to and distributed.rank() == 0
        if pushes and (code := publish("--check-access", args.push_to, environment=environment)):
            return code
        with distributed.only_first_speaks(), Stop().listening() as stop, ExitStack() as until_the_end:
            output = run(args, stop, until_the_end)
        if pushes and not args.dry_run:
            return publish(str(output), args.push_to, environment=environment)
    except InputError as error:
        distributed.complain(str(error))
        return BAD_INPUT
    except Failed as error:
        distributed.complain(str(error), error.own)
        return error.code
    except Terminated:
        distributed.complain("ended by SIGTERM; checkpoints are kept; add --resume to continue")
        return RESUMABLE
    except KeyboardInterrupt:
        distributed.complain("interrupted; checkpoints are kept; add --resume to continue")
        return INTERRUPTED
    except Exception as error:
        if distributed.count() == 1 or not distributed.is_peer_gone(error):
            return exit_code(partial(reraise, error), "checkpoints are kept; add --resume to continue")
        distributed.complain("another rank ended and says why; checkpoints are kept; add --resume to continue", True)
        return FAILED
    return 0


def publish(*arguments: str, environment: dict[str, str]) -> int:
    """Run the publisher's command and return its exit code: training itself never pushes."""
    sys.stdout.flush()
    return subprocess.run([sys.executable, "-m", "train.publish", *arguments], env=environment, check=False).returncode


def run(args: argparse.Namespace, stop: Stop, until_the_end: ExitStack) -> Path:
    """Train once, from top to bottom, and return the folder written, which stays locked `until_the_end`."""
    started = time.monotonic()
    setup = set_up(args, until_the_end)
    recipe, data, output, facts = setup.recipe, setup.data, setup.output, facts_of(setup)
    begin = partial(start, output, facts, args.resume, args.overwrite)
    done, checkpoint = (False, None) if args.dry_run else distributed.from_first(begin)
    if done:
        return output
    needs = check_machine(setup)
    model, turns = load_checked(setup)
    introduce(setup, stored := stored_share(model, setup.base.bits))
    train_rows, evaluated = tokenize_data(data, turns, recipe)

    # importing these takes seconds, so the mistakes above come first
    from .training.callbacks import Progress, Watch
    from .training.loop import score, train
    from .training.rehearsal import attempt, rehearse
    from .training.samples import compare, write_samples
    from .training.trainer import AdapterTrainer

    progress, watch = Progress(), Watch(stop, output / LIVE, recipe.eval.evaluations)
    until_the_end.enter_context(explained(setup.lighter, setup.device, watch.where))
    folder, evaluate = Path(tempfile.gettempdir()) if args.dry_run else output, bool(evaluated and watch.evaluations)
    bare = layers_of(model)
    with attempt("the set-up of training"):
        trainer: Any = AdapterTrainer(
            model=model,
            args=sft_config(setup.fitted, setup.device, folder, evaluate, args.report_to),
            train_dataset=train_rows,
            eval_dataset=evaluated,
            processing_class=turns.tokenizer,
            peft_config=lora_config(recipe, model),
            callbacks=[watch, progress],
        )
    watch.trainer, trainer.run, trainer.turns = trainer, facts, turns
    trainer.sample = partial(write_samples, trainer.model, turns, recipe, data.record["conversation"])
    if recipe.max_tokens:
        trainer.train_exactly(recipe.max_tokens)
    describe_adapter(trainer.model.peft_config["default"], setup.base.model, setup.source.revision)
    say(f"adapter   {described(recipe.lora)}: {trainer.weights:,} weights in float32")
    if odd := check_row_ends(turns, trainer.train_dataset, len(train_rows)):
        say(f"note      {odd}")
    rehearse(trainer, recipe, data.record["conversation"], bare)
    if args.dry_run:
        dry_run(trainer, recipe, train_rows, needs)
        return output
    before = score("before", trainer)
    train(trainer, checkpoint, recipe.sft.learning_rate, stop)
    after = score("after", trainer)
    if after and not math.isfinite(after[0]):
        raise Failed("the validation loss is NaN or infinite, so no adapter was written; try a lower --learning-rate")
    samples = compare(trainer.model, turns, recipe, data.record["conversation"])
    show_samples(samples)
    record: Run = {
        **facts,
        "device": asdict(setup.device),
        "stored_share": round(stored, 4),
        "adapter_weights": trainer.weights,
        **results_of(trainer.state.log_history, before, after),
        "steps": trainer.state.global_step,
        "tokens_per_second": round(progress.speed, 1),
        "seconds": round(time.monotonic() - started, 1),
        "files": {},  # listed when they are there
    }
    outcome = Outcome(record, samples, trainer.state.log_history)
    save(trainer, outcome, output, args.keep_checkpoints, args.overwrite)
    size = (output / "adapter_model.safetensors").stat().st_size / 1e6
    say(f"\nwrote     {output} ({size:.0f} MB adapter) in {time.monotonic() - started:.0f} s")
    return output


def set_up(args: argparse.Namespace, until_the_end: ExitStack) -> Setup:
    """Choose and find what a run computes with, and lock its output folder. Raises InputError."""
    settings = read_overrides(args.settings)
    for flag, path in FLAGS.items():
        if flag in args:
            if path in settings:
                raise InputError(f"--set {path} and --{flag.replace('_', '-')} set the same; give one of them")
            settings[path] = getattr(args, flag)
    if args.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # before torch looks
    recipe = load_recipe(args.dataset, args.recipe, settings)
    base, folder = find_base(recipe.base, args.bits)
    base = replace(base, end_token=args.end_token or base.end_token)
    step = share_out(recipe.sft, distributed.count(), args.batch_size, args.gradient_checkpointing)
    output: Path = args.output or Path("adapters") / recipe.dataset
    check_replaceable(output, args.overwrite)
    check_tracker(args.report_to)
    distributed.join()
    dataset = distributed.from_first(lambda: find_data(args.data))
    if isinstance(dataset, Path):
        check_folder(dataset, recipe.dataset)
    if not args.dry_run:  # which makes no folder, and may stand beside a run
        distributed.from_first(lambda: until_the_end.enter_context(none_left_empty(output)))
        distributed.from_first(lambda: until_the_end.enter_context(locked(output)))
    quiet(offline=isinstance(dataset, Path) and (folder is not None or base.wheel is not None))
    data = load_data(dataset, recipe.dataset, recipe.sft.dataset_text_field)
    source = distributed.from_first(lambda: locate(base, folder))
    distributed.check_launch(base.bits, recipe.sft)
    device = choose_device(base.bits)
    if args.device not in (None, device.kind):
        raise InputError("--device cuda: torch can use no GPU here; leave it out to compute on the CPU")
    return Setup(recipe, base, folder is not None, step, output, data, source, device)


def save(trainer: Any, outcome: Outcome, output: Path, keep_checkpoints: bool, overwrite: bool) -> None:
    """Replace `output` by the adapter and the record of its run. Raises Failed."""
    check = partial(check_replaceable, output, overwrite)  # again: a run takes long, and may have had company
    gathered = trainer.accelerator.get_state_dict(trainer.model) if distributed.sharded() else None

    def write() -> None:
        with staged(output, keep_checkpoints, check) as staging:
            trainer._save(str(staging), gathered)
            trainer.processing_class.save_pretrained(staging)
            write_run(staging, outcome)

    try:
        distributed.from_first(write)
    except (OSError, RuntimeError, InputError) as error:
        reason, remedy = in_short(error), "" if isinstance(error, InputError) else "make room and "
        raise Failed(f"{output} could not be written: {reason}; {remedy}add --resume: it is all trained") from None
    distributed.leave()


if __name__ == "__main__":
    sys.exit(main())
