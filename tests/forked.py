"""Runs of `train.sft` in several ranks that share one import: torch is loaded once, then each case forks its ranks.

`python tests/forked.py CASES.json` runs them one after the other and prints their exit codes. What a rank says goes to
NAME.RANK.out and NAME.RANK.err. There is no launcher that could end a rank which waits for one that is gone.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import torch

from train import sft
from train.training import callbacks, trainer


def poison_the_second(rank: int) -> None:
    """The loss of rank 1 is no number in step 2."""
    real = trainer.AdapterTrainer.compute_loss

    def compute_loss(self: Any, *rest: Any, **named: Any) -> Any:
        loss = real(self, *rest, **named)
        return loss * float("nan") if rank == 1 and self.state.global_step == 1 and self.model.training else loss

    trainer.AdapterTrainer.compute_loss = compute_loss


def no_memory_for_the_second(rank: int) -> None:
    """Rank 1 has too little memory for step 3."""
    real = trainer.AdapterTrainer.training_step

    def training_step(self: Any, *rest: Any, **named: Any) -> Any:
        if rank == 1 and self.state.global_step == 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return real(self, *rest, **named)

    trainer.AdapterTrainer.training_step = training_step


def no_room_for_the_first(rank: int) -> None:
    """Rank 0 cannot seal the checkpoint of step 2."""
    real = trainer.seal

    def seal(folder: Path, run: Any) -> None:
        if folder.name == "checkpoint-2":
            raise OSError(28, "No space left on device")
        real(folder, run)

    trainer.seal = seal


def end_the_second(rank: int) -> None:
    """Rank 1 alone gets SIGTERM in step 2."""
    real = callbacks.Watch.on_step_end

    def on_step_end(self: Any, args: Any, state: Any, control: Any, **rest: Any) -> Any:
        if rank == 1 and state.global_step == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return real(self, args, state, control, **rest)

    callbacks.Watch.on_step_end = on_step_end


HARMS = {
    harm.__name__: harm for harm in (poison_the_second, no_memory_for_the_second, no_room_for_the_first, end_the_second)
}


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def as_rank(rank: int, ranks: int, port: int, case: dict[str, Any]) -> int:
    """In a process of its own: the command, as a launcher would run it."""
    for stream, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{case['name']}.{rank}.{name}", os.O_CREAT | os.O_WRONLY | os.O_TRUNC), stream)
    if ranks > 1:
        given = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": ranks, "LOCAL_WORLD_SIZE": ranks, "MASTER_PORT": port}
        os.environ |= {key: str(value) for key, value in given.items()} | {"MASTER_ADDR": "127.0.0.1"}
    if case.get("harm"):
        HARMS[case["harm"]](rank)
    return sft.main(case["arguments"])


def main() -> None:
    codes = {}
    for case in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        port, started = free_port(), []
        for rank in range(case["ranks"]):
            process = os.fork()
            if process == 0:
                code = 99  # a traceback
                try:
                    code = as_rank(rank, case["ranks"], port, case)
                finally:
                    sys.stdout.flush()
                    sys.stderr.flush()
                    sys.excepthook(*sys.exc_info()) if sys.exc_info()[0] else None
                    os._exit(code)
            started.append(process)
        codes[case["name"]] = [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in started]
    print(json.dumps(codes))


if __name__ == "__main__":
    main()
