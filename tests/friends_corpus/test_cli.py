"""How commands end: their exit codes and the one line they say."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from friends_corpus.core.cli import Failed, InputError, exit_code

FULL_DISK = OSError(28, "No space left on device")
NO_FILE = FileNotFoundError(2, "No such file or directory", "a.txt")


def raising(error: BaseException) -> Callable[[], int]:
    def work() -> int:
        raise error

    return work


@pytest.mark.parametrize(
    ("work", "code", "said"),
    [
        pytest.param(lambda: None, 0, [], id="done"),
        pytest.param(lambda: 3, 3, [], id="its-own-code"),
        pytest.param(raising(InputError("a: no such file; give one")), 2, ["a: no such file; give one"], id="input"),
        pytest.param(raising(InputError("a is odd", "b is\n odd")), 2, ["a is odd", "b is odd"], id="several"),
        pytest.param(raising(Failed("no answer")), 1, ["no answer"], id="failed"),
        pytest.param(raising(Failed("terminated", 143)), 143, ["terminated"], id="failed-code"),
        pytest.param(raising(FULL_DISK), 1, ["out: No space left on device; all is kept"], id="disk"),
        pytest.param(raising(NO_FILE), 1, ["a.txt: No such file or directory; all is kept"], id="file"),
        pytest.param(raising(MemoryError()), 1, ["out of memory; all is kept"], id="memory"),
        pytest.param(raising(KeyboardInterrupt()), 130, ["interrupted; all is kept"], id="ctrl-c"),
    ],
)
def test_how_it_ends(work: Callable[[], int | None], code: int, said: list[str], capsys: Any) -> None:
    assert exit_code(work, "all is kept", Path("out")) == code
    assert capsys.readouterr().err.splitlines() == [f"error: {line}" for line in said]


def test_a_bug_is_no_message() -> None:
    with pytest.raises(ZeroDivisionError):
        exit_code(lambda: 1 // 0, "all is kept")


@pytest.mark.parametrize("lines", [1, 100_000])
def test_a_reader_that_has_enough(lines: int) -> None:
    """`command | head`: found at the first full buffer, or only when what is left is flushed."""
    code = f"from friends_corpus.core.cli import exit_code\nexit(exit_code(lambda: print('line\\n' * {lines}), 'kept'))"
    run = subprocess.Popen([sys.executable, "-c", f"input()\n{code}"], stdin=-1, stdout=-1, stderr=-1)
    assert run.stdin and run.stdout and run.stderr
    run.stdout.close()
    run.stdin.write(b"\n")
    run.stdin.flush()
    assert run.wait(60) == 141
    assert run.stderr.read() == b""
