"""One run in several processes, a rank each, started by `accelerate launch` with a file of `train/accelerate`.

Every rank has a copy of the model and works through its share of a step's sequences; the gradients are averaged. All
ranks read, score and generate the same. Rank 0 alone speaks, locks and writes: what only one may do is done
`from_first`, and all ranks get what came of it, an error too. So all end alike, and none waits for one that is gone.

The named case is the free Kaggle machine with two T4: one process per GPU, float16 with a GradScaler, and the adapter
in float32, which that needs.
"""

import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import TypeVar, cast

from friends_corpus.core import cli
from friends_corpus.core.cli import InputError
from train.settings.batching import divisors
from train.settings.sft_fields import SftSettings

Made = TypeVar("Made")
PATIENCE = timedelta(minutes=30)  # with a rank that downloads the base
# how PyTorch says that another process is gone: gloo on CPUs, NCCL and its watchdog on GPUs
GONE = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "NCCL", "gloo")


def rank() -> int:
    """Return the rank of this process."""
    return int(os.environ.get("RANK", 0)) if "LOCAL_RANK" in os.environ else 0


def count() -> int:
    """Return the number of processes that the launcher started, 1 without one."""
    return int(os.environ.get("WORLD_SIZE", 1)) if "LOCAL_RANK" in os.environ else 1


def sharded() -> bool:
    """Tell whether the launcher asked for FSDP, where each rank keeps a shard of the base."""
    return os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"


def config_file(name: str) -> str:
    """Return the path of the packaged config `ddp` or `fsdp2`, as it can be typed here."""
    path = Path(str(files("train") / "accelerate" / f"{name}.yaml"))
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def check_launch(bits: int, sft: SftSettings) -> None:
    """Raise InputError if GPUs would be idle without a launcher, or if the base cannot be sharded."""
    import torch

    cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if sharded() and bits in (4, 8):
        raise InputError(
            f"FSDP cannot shard weights in {bits} bits; launch with --config_file {config_file('ddp')}, "
            "or add --bits 16"
        )
    if sharded() and not cards:
        raise InputError(f"FSDP needs GPUs here; launch with --config_file {config_file('ddp')}")
    if cards > 1 and "LOCAL_RANK" not in os.environ:
        raise InputError(f"{cards} GPUs are visible and a process trains on one; run: {command(sft, cards)}")


def command(sft: SftSettings, cards: int) -> str:
    """Return the command that trains on all GPUs that can share a step, with these arguments."""
    asked = shlex.join(["-m", "train.sft", *sys.argv[1:]])
    usable = max(n for n in divisors(sft.per_device_train_batch_size * sft.gradient_accumulation_steps) if n <= cards)
    if usable == 1:
        return f"CUDA_VISIBLE_DEVICES=0 python {asked}"
    return f"accelerate launch --config_file {shlex.quote(config_file('ddp'))} --num_processes {usable} {asked}"


def join() -> None:
    """Join the other ranks, each on its own GPU if there are any. Does nothing without a launcher.

    As accelerate would a little later, but without importing huggingface_hub before it is told that it is offline.
    """
    if count() == 1:
        return
    import torch

    backend = "gloo"
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        backend = "cuda:nccl,cpu:gloo" if sharded() else "nccl"
    torch.distributed.init_process_group(backend, timeout=PATIENCE)


def leave() -> None:
    """Leave the process group after a good end."""
    if count() > 1:
        import torch

        torch.distributed.destroy_process_group()


def from_first(make: Callable[[], Made]) -> Made:
    """Run `make()` on rank 0 and return its result, or raise its error, on every rank."""
    made: list[Made | None] = [None]

    def on_first() -> None:
        if rank() == 0:
            made[0] = make()

    everywhere(on_first)
    if count() > 1:
        import torch

        torch.distributed.broadcast_object_list(made)
    return cast("Made", made[0])


def everywhere(check: Callable[[], None]) -> None:
    """Run `check` on every rank; an error on one is raised on all."""
    errors: list[Exception | None] = [None] * count()
    try:
        check()
    except Exception as error:
        errors[rank()] = error
    if count() > 1:
        import torch

        torch.distributed.all_gather_object(errors, errors[rank()])
    for problem in filter(None, errors):
        raise problem


def most(value: float) -> float:
    """Return the largest of the ranks' values."""
    if count() == 1:
        return value
    import torch

    seen = torch.tensor(value, dtype=torch.float64, device="cuda" if torch.cuda.is_available() else "cpu")
    torch.distributed.all_reduce(seen, torch.distributed.ReduceOp.MAX)
    return float(seen)


@contextmanager
def only_first_speaks() -> Iterator[None]:
    """Silence stdout and stderr of all ranks but the first."""
    if rank() == 0:
        yield
        return
    with Path(os.devnull).open("w", encoding="utf-8") as nothing, redirect_stdout(nothing), redirect_stderr(nothing):
        yield


def complain(message: str, own: bool = False) -> None:
    """Print an error in one line, on rank 0 alone unless it is this rank's `own`."""
    if rank() == 0:
        cli.complain(message)
    elif own:
        cli.complain(f"rank {rank()}: {message}")


def is_peer_gone(error: BaseException) -> bool:
    """Tell whether an error only means that another rank ended, which has said why.

    >>> is_peer_gone(RuntimeError("[gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:4711"))
    True
    """
    return any(words in str(error) for words in GONE)
