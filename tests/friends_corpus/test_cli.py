"""How commands end: their exit codes and the one line they say."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from friends_corpus.core.cli import Failed, InputError, exit_code

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "friends_corpus" / "sample"
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


@pytest.mark.attack("the user's files", "outputs that are no place for one")
@pytest.mark.slow
@pytest.mark.parametrize("output", ["file", "file/below", "link", "loop", "loop/below", ".", "..", "~", "x" * 300])
@pytest.mark.parametrize(
    "command", ["builders.build --out", f"friends_corpus.parse {SAMPLE} --lines"], ids=["build", "parse"]
)
def test_an_output_that_is_no_place_for_one(tmp_path: Path, command: str, output: str) -> None:
    """It is refused in one line, and all that lies there stays."""
    (tmp_path / "file").write_text("mine")
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "mine").write_text("mine")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "loop").symlink_to("loop")
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    words = [*command.split(), output.replace("~", str(tmp_path / "real"))]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path / "real"),
        "XDG_CACHE_HOME": f"{tmp_path}-cache",
    }
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode in (1, 2), done
    assert "Traceback" not in done.stderr
    assert sum(line.startswith("error: ") for line in done.stderr.splitlines()) == 1
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*")) == before
    assert (tmp_path / "file").read_text() == (tmp_path / "real" / "mine").read_text() == "mine"
