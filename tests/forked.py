"""Commands that share one import of torch: a server imports the libraries once, then forks a process for each command.

`run` is `subprocess.run` for the commands of `train`, in milliseconds instead of ten seconds; `run_together` starts
several at once, as a launcher starts ranks. The server has no network, no Hub and an empty HF_HOME: a command that
needs others starts in a process of its own. There is no launcher that could end a rank which waits for one that is gone.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import types
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[1]
CANARY = "hf_" + "canary0123456789ABCDEF"  # in two parts: secret scanners must not trip over it
HASH_SEED = "5"
LEAVING = [0]
PRELOADED = (
    *("torch", "torch._dynamo", "transformers", "transformers.models.llama.modeling_llama", "datasets", "peft"),
    *("trl", "trl.trainer.sft_trainer", "accelerate", "bitsandbytes", "pandas", "matplotlib.figure", "gguf"),
)


@dataclass(frozen=True)
class Command:
    """What stands after `python` on a command line, and where and with what it runs."""

    arguments: tuple[str, ...]
    folder: str
    environment: dict[str, str]
    output: str  # stdout goes to OUTPUT.out, stderr to OUTPUT.err
    input: str = os.devnull  # a file
    harm: str = ""  # a call of tests/harms.py: "kill_after_step(8)"


def run(
    *arguments: str, cwd: Path, typed: bytes = b"", harm: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `python ARGUMENTS` in a fork of the server; `environment` is added to this process's own."""
    with tempfile.TemporaryDirectory() as folder:
        streams = Path(folder) / "command"
        (Path(folder) / "typed").write_bytes(typed)
        surroundings = (str(cwd), settings() | environment, str(streams), str(Path(folder) / "typed"))
        command = Command(arguments, *surroundings, harm)
        [code] = run_together([command])
        out, err = (streams.with_suffix(suffix).read_text(encoding="utf-8") for suffix in (".out", ".err"))
    return subprocess.CompletedProcess([sys.executable, *arguments], code, out, err)


def run_together(commands: Sequence[Command]) -> list[int]:
    """Run all at the same time, each in a fork of the server; the exit codes, -N where signal N ended it."""
    server = started()
    assert server.stdin is not None and server.stdout is not None
    try:
        server.stdin.write(json.dumps([asdict(command) for command in commands]) + "\n")
        server.stdin.flush()
        codes: list[int] = json.loads(server.stdout.readline())
    except BaseException:  # a time limit of pytest, Ctrl-C: nothing of it may answer the next request
        os.killpg(server.pid, signal.SIGKILL)
        started.cache_clear()
        raise
    return codes


@cache
def home() -> str:
    """The server's HF_HOME, removed at exit."""
    folder = tempfile.TemporaryDirectory(prefix="hf-home-")
    atexit.register(folder.cleanup)
    return folder.name


def settings() -> dict[str, str]:
    """What the server is started with, and each command unless it says otherwise: nothing that a test set before."""
    ours = {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", "PYTHONHASHSEED": HASH_SEED, "HF_TOKEN": CANARY}
    kept = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    return kept | ours | {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": home()}


@cache
def started() -> subprocess.Popen[str]:
    """Start the server of this test process, which ends with it."""
    command = [sys.executable, str(Path(__file__))]
    server = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=settings(), start_new_session=True
    )
    atexit.register(server.kill)
    return server


# --- in the server ---------------------------------------------------------------------------------------------------


def become(command: Command) -> None:
    """In a process of its own: be `python ARGUMENTS`, from its streams to what it leaves by."""
    for stream, name in ((0, command.input), (1, f"{command.output}.out"), (2, f"{command.output}.err")):
        os.dup2(os.open(name, os.O_CREAT | os.O_WRONLY | os.O_TRUNC if stream else os.O_RDONLY), stream)
    sys.stdin = open(0, errors=sys.stdin.errors, closefd=False)  # noqa: SIM115  the server's has read ahead
    os.environ.clear()
    os.environ.update(command.environment)
    os.chdir(command.folder)
    if command.harm:
        import harms

        eval(command.harm, vars(harms))
    first, *rest = command.arguments
    sys.path[0] = command.folder
    sys.argv = [first, *rest[1:]]
    try:
        if first == "-m":
            runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        elif first == "-c":
            sys.modules["__main__"] = main = types.ModuleType("__main__")
            exec(compile(rest[0], "<string>", "exec"), main.__dict__)
        else:
            sys.argv = [first, *rest]
            runpy.run_path(first, run_name="__main__")
    except BaseException as error:
        code = error.code if isinstance(error, SystemExit) else 1
        LEAVING.append(code if isinstance(code, int) else int(code is not None))
        raise


def leave() -> None:
    """End at once with the last code: to take apart what was imported needs half a second."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(LEAVING[-1])


def main() -> None:
    """Import, then answer each line of commands with a line of exit codes."""
    atexit.register(leave)  # the first registered is the last to run
    for name in PRELOADED:
        import_module(name)
    gc.freeze()
    for line in sys.stdin:
        processes = []
        for fields in json.loads(line):
            process = os.fork()
            if process == 0:
                become(Command(**fields))
                return
            processes.append(process)
        codes = [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in processes]
        print(json.dumps(codes), flush=True)


if __name__ == "__main__":
    main()
