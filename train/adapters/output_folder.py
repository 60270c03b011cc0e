"""The output folder: staged beside the old one, complete, then swapped in. Everything in it may be published."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cards.render import render
from friends_corpus.core import files
from friends_corpus.core.cli import InputError
from friends_corpus.core.manifest import File
from friends_corpus.core.ownership import Listed, check_ours, describe, describe_files, read_listed
from friends_corpus.core.reader import faults, json_values
from train.dataset.formatting import messages_of
from train.training.checkpoints import (
    BAD,
    FINISHED,
    SEAL,
    UNFINISHED,
    checkpoints,
    differences,
    is_checkpoint,
    listed,
    newest_good,
    read_seal,
    remove_all,
    step_of,
)
from train.training.metrics import metrics_line

from .loading import read_record
from .loss_plot import draw_losses
from .run_record import Facts, Run, upgrade

RECORD = "run.json"
LENGTH = ("recipe.sft.max_steps", "recipe.sft.num_train_epochs", "recipe.max_tokens")
OURS = (
    "adapter_model.safetensors",
    "adapter_config.json",
    RECORD,
    "README.md",
    "samples.md",
    "metrics.jsonl",
    "loss.png",
)
Sample = dict[str, str]  # prompt, base, tuned
LIVE = "running.jsonl"  # the numbers of a run that is going on
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


def check_replaceable(output: Path, overwrite: bool = False) -> None:
    """Refuse an `output` with anything that no training wrote, or that was changed since. Raises InputError, OSError.

    `overwrite`: also what was changed may be replaced, and files of version 0.1, which listed no hashes.
    """
    if not os.path.lexists(output):
        return
    if not output.is_dir() or output.is_symlink() or not output.name:
        raise InputError(f"{output} is not a folder; choose another --output")
    own: dict[str, File | None] = {LIVE: None} if is_live(output / LIVE) else {}
    for path in output.iterdir():
        if is_checkpoint(path) or is_checkpoint(path, BAD):
            own |= dict.fromkeys(f"{path.name}/{name}" for name in listed(path))
    check_ours(output, {**own, **_recorded(output, overwrite)}, "training", overwrite)


def _recorded(output: Path, overwrite: bool) -> Listed:
    """List what run.json lists, and itself. Raises InputError where it is of version 0.1 and may not be replaced."""
    own = read_listed(output / RECORD)
    if own is not None:
        return {RECORD: None, **own}
    try:
        read_record(output)
    except InputError:
        return {}
    if not overwrite:
        raise InputError(f"{output} is of version 0.1, which listed no hashes; add --overwrite to replace its files")
    return dict.fromkeys((*OURS, *TOKENIZER))


def is_live(path: Path) -> bool:
    """Tell whether a running.jsonl is ours: every line is just as a run writes it."""
    if path.is_symlink() or not path.is_file():
        return False
    *lines, torn = path.read_text(encoding="utf-8", errors="replace").split("\n")
    try:
        entries = [json_values(line.encode()) for line in lines]
    except (ValueError, RecursionError):
        return False
    own = all(isinstance(entry, dict) and "step" in entry for entry in entries)
    return (
        own
        and [metrics_line(entry) for entry in entries] == [f"{line}\n" for line in lines]
        and (not torn or torn.startswith('{"'))
    )


def start_in(output: Path) -> None:
    """Make `output` if need be. Raises InputError if an unfinished run left checkpoints in it."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        begun = [path for path in checkpoints(output) if not (path / FINISHED).exists()]
        if begun:
            raise InputError(
                f"{output} holds an unfinished run, {step_of(begun[0])} steps done; add --resume to continue it, "
                f"remove {output}/checkpoint-* to begin again, or choose another --output"
            )
        remove_all(output)
    except OSError as error:
        raise InputError(f"cannot write {output}: {error.strerror}; choose another --output") from None


def resume_from(output: Path, run: Facts) -> Path | None:
    """Return the newest valid checkpoint of this run, or None with a note if there is none.

    Raises InputError if there are only damaged ones, if it is of a finished run, or if anything is not as it was.
    """
    checkpoint, notes = newest_good(output)
    for line in notes:
        print(f"resume    {line}", flush=True)
    if checkpoint is None:
        if any(UNFINISHED not in line for line in notes):
            raise InputError(f"{output} holds no checkpoint that can be used; leave out --resume to begin again")
        print(f"resume    no checkpoint in {output}; starting at step 0", flush=True)
        start_in(output)
        return None
    then: Any = read_seal(checkpoint)["run"]
    upgrade(then)
    for fault in faults(then, Facts):
        raise InputError(f"{checkpoint / SEAL}: {fault}; leave out --resume to begin again")
    changed = changed_since(then, run, "shared_out")
    if changed and only_longer(changed):
        steps: Any = dict(run["recipe"]["sft"]).get("max_steps", -1)
        if 0 < steps <= step_of(checkpoint):
            raise InputError(f"{checkpoint} is beyond --max-steps {steps}; ask for more than {step_of(checkpoint)}")
        print(f"resume    longer now: {'; '.join(changed)}", flush=True)
    elif changed:
        raise InputError(
            f"{checkpoint} is of another run: {'; '.join(changed)}; resume it with its settings, or leave out --resume "
            "and choose another --output"
        )
    print(f"resume    from {checkpoint}", flush=True)
    if then.get("shared_out") != run.get("shared_out"):
        print("          (steps are shared out otherwise now: the same rows, but sums in another order)", flush=True)
    return checkpoint


def changed_since(then: Any, run: Facts, *ignored: str) -> list[str]:
    """List in what `run` differs from the facts of an earlier one."""
    if then["base"]["source"] == "folder" == run["base"]["source"]:  # known by its hash, not by its name
        then["base"]["model"] = then["recipe"]["base"] = run["base"]["model"]
    without = dict.fromkeys(ignored)
    return differences({name: then.get(name) for name in run} | without, {**run, **without}, new_keys=False)


def only_longer(changed: list[str]) -> bool:
    """Tell whether two runs differ in nothing but their length."""
    return all(line.partition(" ")[0] in LENGTH for line in changed)


def start(output: Path, run: Facts, resume: bool, overwrite: bool) -> tuple[bool, Path | None]:
    """Tell whether this run is finished already; if not, prepare `output`, and return what to resume from."""
    if not overwrite and is_finished(output, run, resume):
        return True, None
    if resume:
        return False, resume_from(output, run)
    start_in(output)
    return False, None


def is_finished(output: Path, run: Facts, resume: bool) -> bool:
    """Tell whether `output` holds just this run, finished, and say so. Raises InputError if it holds another one."""
    try:
        then: Any = read_record(output) if (output / RECORD).is_file() else None
    except InputError:  # check_replaceable has the say on it
        then = None
    if then is None:
        return False
    changed = changed_since(then, run, "shared_out", "software")
    if not changed:
        scored = then.get("losses", {}).get("validation_end")
        loss = f", validation loss {scored:.3f}" if scored else ""
        print(
            f"finished  {output} holds this run: {then.get('steps')} steps{loss}; --overwrite trains it anew",
            flush=True,
        )
    elif not (resume and only_longer(changed)):
        longer = "add --resume to extend it" if only_longer(changed) else "add --overwrite to replace it"
        raise InputError(
            f"{output} holds a finished run: {'; '.join(changed[:3])}; {longer}, or choose another --output"
        )
    elif not any(is_checkpoint(path) for path in output.iterdir()):
        raise InputError(f"{output} holds no checkpoint to extend its run from; add --overwrite to train it anew")
    return not changed


@contextmanager
def none_left_empty(output: Path) -> Iterator[None]:
    """Remove the folders that a start made for `output` if nothing came of it."""
    made = [path for path in (output, *output.parents) if not path.exists()]
    try:
        yield
    finally:
        for path in made:
            with suppress(OSError):  # it is not empty
                path.rmdir()


@contextmanager
def locked(output: Path) -> Iterator[None]:
    """Keep other runs out of `output` until the process ends. Raises InputError."""
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
def staged(output: Path, keep_checkpoints: bool, check: Callable[[], None] = lambda: None) -> Iterator[Path]:
    """Yield a new folder that replaces `output` if the block ends well and `check` passes."""
    with files.staged(output, check) as staging:
        yield staging
        for path in staging.iterdir():
            path.chmod(0o644)  # safetensors writes 0600
        for path in checkpoints(output)[: None if keep_checkpoints else 1]:  # the newest, so that more steps can follow
            kept = shutil.copytree(path, staging / path.name)  # a copy: until the swap the run can be resumed
            (kept / FINISHED).touch()


@dataclass(frozen=True)
class Outcome:
    """What is written of a finished run beside its adapter."""

    run: Run
    samples: list[Sample]
    history: list[dict[str, Any]]  # as logged: losses of steps and evaluations, the samples written at each of those


def write_run(folder: Path, outcome: Outcome) -> None:
    """Write samples.md, metrics.jsonl, the loss plot, the card, and last run.json, which lists all files."""
    run, samples, history = outcome.run, outcome.samples, outcome.history
    grown = [entry for entry in history if entry.get("samples")]
    logged = [entry for entry in history if "loss" in entry or "eval_loss" in entry]
    values = dict(run) | {"samples": samples, "grown": grown, "adapter": "."}
    values["asked"] = messages_of(samples[0]["prompt"]) if run["dataset"]["conversation"] else None
    (folder / "metrics.jsonl").write_text("".join(map(metrics_line, logged)), encoding="utf-8")
    draw_losses(logged, folder / "loss.png")
    (folder / "samples.md").write_text(render("samples.md", values), encoding="utf-8")
    (folder / "README.md").write_text(render("adapter.md", values), encoding="utf-8")
    write_record(folder, {**run, "files": describe_files(folder, RECORD)})


def write_record(folder: Path, run: Run) -> None:
    """Write run.json."""
    files.write_whole(folder / RECORD, json.dumps(run, indent=2, ensure_ascii=False) + "\n")


def rewrite(folder: Path, name: str, text: str) -> None:
    """Replace a file of an adapter, and its hash in run.json unless somebody has changed the file before."""
    own = read_listed(folder / RECORD) or {}
    as_written = own.get(name) == describe(folder / name)
    files.write_whole(folder / name, text)
    if as_written:
        run = read_record(folder)
        run["files"] = {**own, name: describe(folder / name)}
        write_record(folder, run)


def show_samples(samples: list[Sample]) -> None:
    """Print the samples, the base above the tuned model."""
    for sample in samples:
        print("\n" + sample["prompt"])
        for who, text in (("base ", sample["base"]), ("tuned", sample["tuned"])):
            print(f"  {who} │ " + text.strip().replace("\n", "\n        │ "))
    sys.stdout.flush()
