"""The output folder: staged beside the old one, complete, then swapped in. Everything in it may be published."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cards.render import render
from friends_corpus.core import files
from friends_corpus.core.cli import InputError
from train.dataset.formatting import messages_of
from train.training.checkpoints import (
    BAD,
    UNFINISHED,
    checkpoints,
    differences,
    is_checkpoint,
    newest_good,
    remove,
    run_of,
    step_of,
)
from train.training.metrics import metrics_line

from .loss_plot import draw_losses
from .run_record import Facts, Run

OURS = (
    "adapter_model.safetensors",
    "adapter_config.json",
    "run.json",
    "README.md",
    "samples.md",
    "metrics.jsonl",
    "loss.png",
)
Sample = dict[str, str]  # prompt, base, tuned
LIVE = "running.jsonl"  # the numbers of a run that is going on
FINISHED = "finished"  # a file in checkpoints that were kept on purpose
TOKENIZER = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
)


def check_replaceable(output: Path) -> None:
    """Raises InputError if `output` holds anything that a training run did not write, for it will be replaced."""
    if not os.path.lexists(output):
        return
    if not output.is_dir() or output.is_symlink():
        raise InputError(f"{output} is not a folder; choose another --output")
    for path in sorted(output.iterdir()):
        if path.name not in (*OURS, *TOKENIZER, LIVE) and not is_checkpoint(path) and not is_checkpoint(path, BAD):
            raise InputError(
                f"{output} holds {path.name!r}, which no training wrote; choose another --output or move it away"
            )


def start_in(output: Path) -> None:
    """Makes `output` if need be. Raises InputError if a run that was not finished left checkpoints in it."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        begun = [path for path in checkpoints(output) if not (path / FINISHED).exists()]
        if begun:
            raise InputError(
                f"{output} holds an unfinished run, {step_of(begun[0])} steps done; add --resume to go on with it, "
                f"remove {output}/checkpoint-* to begin again, or choose another --output"
            )
        remove(output)
    except OSError as error:
        raise InputError(f"cannot write {output}: {error.strerror}; choose another --output") from None


def resume_from(output: Path, run: Facts) -> Path | None:
    """The newest whole checkpoint of just this run; None, and a line that says so, where none was ever finished.

    Raises InputError if there are only damaged ones, if it is of a finished run, or if anything is not as it was.
    """
    found, told = newest_good(output)
    for line in told:
        print(f"resume    {line}", flush=True)
    if found is None:
        if any(UNFINISHED not in line for line in told):
            raise InputError(f"{output} holds no checkpoint that can be used; leave out --resume to begin again")
        print(f"resume    nothing to go on with in {output}: beginning at step 0", flush=True)
        start_in(output)
        return None
    if (found / FINISHED).exists():
        raise InputError(f"{found} is of a finished run; leave out --resume to train anew")
    then = run_of(found)
    changed = differences({**then, "shared_out": None}, {**run, "shared_out": None}, new_keys=False)
    if changed:
        raise InputError(
            f"{found} is of another run: {'; '.join(changed)}; go on with what it was, or leave out --resume and "
            "choose another --output"
        )
    print(f"resume    from {found}", flush=True)
    if then.get("shared_out") != run.get("shared_out"):
        print("          (steps are shared out otherwise now: the same rows, but sums in another order)", flush=True)
    return found


@contextmanager
def locked(output: Path) -> Iterator[None]:
    """Keeps other runs out of `output`; the lock ends with the process, however that ends. Raises InputError."""
    with ExitStack() as stack:
        try:
            stack.enter_context(files.locked(output))
            files.heal(output)
        except BlockingIOError:
            raise InputError(f"another run is writing {output}; wait for it, or choose another folder") from None
        except OSError as error:
            raise InputError(f"cannot write {output}: {error.strerror}; choose another folder") from None
        yield


@contextmanager
def staged(output: Path, keep_checkpoints: bool) -> Iterator[Path]:
    """A fresh folder beside `output` to be filled; it takes the place of `output` if the block ends well."""
    with files.staged(output) as staging:
        yield staging
        for path in staging.iterdir():
            path.chmod(0o644)  # safetensors writes 0600
        for path in checkpoints(output) if keep_checkpoints else ():
            kept = shutil.copytree(path, staging / path.name)  # a copy: until the swap the run can be resumed
            (kept / FINISHED).touch()


@dataclass(frozen=True)
class Outcome:
    """What is written of a finished run beside its adapter."""

    run: Run
    samples: list[Sample]
    history: list[dict[str, Any]]  # as logged: losses of steps and evaluations, the samples written at each of those


def write_run(folder: Path, outcome: Outcome) -> None:
    """run.json, samples.md, metrics.jsonl, the plot of the losses and the card, all from the same numbers."""
    run, samples, history = outcome.run, outcome.samples, outcome.history
    grown = [entry for entry in history if entry.get("samples")]
    logged = [entry for entry in history if "loss" in entry or "eval_loss" in entry]
    values = dict(run) | {"samples": samples, "grown": grown, "adapter": "."}
    values["asked"] = messages_of(samples[0]["prompt"]) if run["dataset"]["conversation"] else None
    (folder / "metrics.jsonl").write_text("".join(map(metrics_line, logged)), encoding="utf-8")
    draw_losses(logged, folder / "loss.png")
    (folder / "run.json").write_text(json.dumps(run, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "samples.md").write_text(render("samples.md", values), encoding="utf-8")
    (folder / "README.md").write_text(render("adapter.md", values), encoding="utf-8")


def show_samples(samples: list[Sample]) -> None:
    """The samples on the screen, base above tuned."""
    for sample in samples:
        print("\n" + sample["prompt"])
        for who, text in (("base ", sample["base"]), ("tuned", sample["tuned"])):
            print(f"  {who} │ " + text.strip().replace("\n", "\n        │ "))
    sys.stdout.flush()
