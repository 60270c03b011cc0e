"""What can befall a run of `train.sft` in a process of its own. Each is called before the command; loads torch.

They use what the libraries offer: callbacks of transformers, hooks of a module, and Python's audit hooks, which see a
file before it is opened.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import torch
import transformers.trainer
from transformers import TrainerCallback

RANK = int(os.environ.get("RANK", "0"))


def after_step(step: int, harm: Callable[[Any], None]) -> None:
    """Call `harm` with the model when that step is done, before the run's own callbacks."""

    class Harm(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            if state.global_step == step:
                harm(rest["model"])

    transformers.trainer.DEFAULT_CALLBACKS.append(Harm)


def on_open(path: str, harm: Callable[[], None]) -> None:
    """Call `harm` before a file whose path contains `path` is opened."""

    def hook(event: str, arguments: Any) -> None:
        if event == "open" and path in str(arguments[0]):
            harm()

    sys.addaudithook(hook)


def send(number: int) -> None:
    os.kill(os.getpid(), number)


def kill_after_step(step: int) -> None:
    after_step(step, lambda _: send(signal.SIGKILL))


def kill_on_open(path: str) -> None:
    on_open(path, lambda: send(signal.SIGKILL))


def end_after_step(step: int, rank: int = 0) -> None:
    """That rank alone gets SIGTERM."""
    if rank == RANK:
        after_step(step, lambda _: send(signal.SIGTERM))


def poison_after_step(step: int, rank: int = 0) -> None:
    """From the next step on the loss of that rank is NaN."""
    if rank == RANK:
        after_step(step, lambda model: next(p for p in model.parameters() if p.requires_grad).data.fill_(float("nan")))


def no_memory_after_step(step: int, rank: int) -> None:
    """That rank has too little memory for the next step."""

    def fail(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    if rank == RANK:
        after_step(step, lambda model: model.register_forward_pre_hook(fail))


def no_room_for(path: str, rank: int) -> None:
    """That rank finds a full disk when it opens a file whose path contains `path`."""

    def fail() -> None:
        raise OSError(28, "No space left on device")

    if rank == RANK:
        on_open(path, fail)
