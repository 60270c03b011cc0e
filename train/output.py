"""The output folder: staged beside the old one, complete, then swapped in. Everything in it may be published."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cards.render import render

from .recipe import InputError

LIBRARIES = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "bitsandbytes",
    "accelerate",
    "datasets",
    "tokenizers",
    "safetensors",
)
OURS = ("adapter_model.safetensors", "adapter_config.json", "run.json", "README.md", "samples.md")
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
        if path.name not in OURS + TOKENIZER and not is_checkpoint(path):
            raise InputError(
                f"{output} holds {path.name!r}, which no training wrote; choose another --output or move it away"
            )


def is_checkpoint(path: Path) -> bool:
    """True of OUT/checkpoint-12: state of a run that is going on, never published."""
    return path.is_dir() and path.name.startswith("checkpoint-") and path.name.removeprefix("checkpoint-").isdigit()


def start_in(output: Path) -> None:
    """Makes `output` if need be, and removes the checkpoints that an earlier, unfinished run left in it."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        for path in output.glob("checkpoint-*"):
            if is_checkpoint(path):
                shutil.rmtree(path)
    except OSError as error:
        raise InputError(f"cannot write {output}: {error.strerror}; choose another --output") from None


@contextmanager
def staged(output: Path, keep_checkpoints: bool) -> Iterator[Path]:
    """A fresh folder beside `output` to be filled; it takes the place of `output` if the block ends well."""
    staging = output.with_name(f".{output.name}.new")
    shutil.rmtree(staging, ignore_errors=True)  # of a run that was killed
    staging.mkdir(parents=True)
    try:
        yield staging
        for path in staging.iterdir():
            path.chmod(0o644)  # safetensors writes 0600
        for path in sorted(output.glob("checkpoint-*")) if keep_checkpoints else ():
            path.rename(staging / path.name)
        swap(staging, output)
    finally:
        shutil.rmtree(staging, ignore_errors=True)  # after a swap this is the old folder


def swap(staging: Path, output: Path) -> None:
    """Puts `staging` in the place of `output` in one step of the kernel where it can, else in two renames."""
    if not output.exists():
        staging.rename(output)
        return
    try:  # renameat2(AT_FDCWD, …, RENAME_EXCHANGE): two names change places; Python has no name for it
        renameat2 = ctypes.CDLL(None).renameat2
        exchanged = renameat2(-100, os.fsencode(staging), -100, os.fsencode(output), ctypes.c_uint(2)) == 0
    except (OSError, AttributeError):
        exchanged = False
    if not exchanged:
        old = output.with_name(f".{output.name}.old")
        output.rename(old)
        staging.rename(output)
        shutil.rmtree(old)


def software() -> dict[str, str]:
    """The versions that decide what a run computes."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


def write_run(folder: Path, run: Mapping[str, Any], samples: list[dict[str, str]]) -> None:
    """run.json, samples.md and the card, all from the same numbers."""
    values = dict(run) | {"samples": samples, "adapter": "."}
    (folder / "run.json").write_text(json.dumps(run, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "samples.md").write_text(render("samples.md", values), encoding="utf-8")
    (folder / "README.md").write_text(render("adapter.md", values), encoding="utf-8")


def show_samples(samples: list[dict[str, str]]) -> None:
    """The samples on the screen, base above tuned."""
    for sample in samples:
        print("\n" + sample["prompt"])
        for who, text in (("base ", sample["base"]), ("tuned", sample["tuned"])):
            print(f"  {who} │ " + text.strip().replace("\n", "\n        │ "))
    sys.stdout.flush()
