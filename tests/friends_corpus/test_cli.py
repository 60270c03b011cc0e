"""How commands end: their exit codes and the one line they say."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from friends_corpus.core.cli import BUG, Failed, InputError, exit_code

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


NETRC = "machine a.org login ana password tr0ub4dor"
KEY = "-----BEGIN PRIVATE KEY-----\nMIIabcdef\n-----END PRIVATE KEY-----"
TOKEN = "hf_" + "aB3" * 12


def told() -> int:
    raise KeyError(
        f"GET https://ana:pass1234@example.org with {TOKEN} and {os.environ['MY_API_KEY']} and {NETRC} and {KEY}\x1b[31m\n\ud800"
    )


def recursive() -> int:
    return recursive()


@pytest.mark.attack("foreign files", "an error that nobody foresaw")
@pytest.mark.parametrize(
    ("work", "name"),
    [
        pytest.param(lambda: 1 // 0, "ZeroDivisionError", id="arithmetic"),
        pytest.param(told, "KeyError", id="secrets-in-it"),
        pytest.param(recursive, "RecursionError", id="recursion"),
        pytest.param(raising(ImportError("half a package")), "ImportError", id="import"),
        pytest.param(raising(ValueError("x" * 10_000_000)), "ValueError", id="long"),
        pytest.param(raising(type("Odd", (Exception,), {"__str__": lambda _: 1 // 0})()), "Odd", id="no-message"),
        pytest.param(raising(ExceptionGroup("two", [ValueError("a"), OSError("b")])), "ExceptionGroup", id="several"),
    ],
)
def test_a_bug_is_a_line_and_a_log(
    work: Callable[[], int], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("MY_API_KEY", "correct horse battery")
    assert exit_code(work, "all is kept") == BUG == 70
    [line] = capsys.readouterr().err.splitlines()
    [log] = tmp_path.iterdir()
    text = log.read_text(encoding="utf-8")
    assert all(words in line for words in ("a bug of ours", name, "all is kept", "CONTRIBUTING.md", str(log)))
    assert len(line) < 600
    assert "Traceback" in text
    assert name in text
    assert log.stat().st_mode & 0o077 == 0
    assert not any(secret in line + text for secret in (TOKEN, "pass1234", "correct horse", "r0ub4dor", "MIIabcdef"))


def test_a_bug_where_no_log_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    assert exit_code(lambda: 1 // 0, "all is kept") == BUG
    [line] = capsys.readouterr().err.splitlines()
    assert "ZeroDivisionError" in line
    assert "no log could be written" in line


@pytest.mark.attack("foreign files", "an error before the command has begun")
@pytest.mark.parametrize(
    ("statement", "code", "words"),
    [
        pytest.param("1 // 0", 70, "ZeroDivisionError", id="bug"),
        pytest.param("raise KeyboardInterrupt", 130, "interrupted", id="ctrl-c"),
        pytest.param("raise MemoryError", 1, "out of memory", id="memory"),
        pytest.param("import nothing_of_the_kind", 2, "pip install", id="no-package"),
        pytest.param("raise OSError(28, 'No space left on device')", 1, "No space left", id="disk"),
    ],
)
def test_what_is_raised_outside_of_a_command(statement: str, code: int, words: str, tmp_path: Path) -> None:
    script = f"from friends_corpus.core.cli import show_no_tracebacks\nshow_no_tracebacks()\n{statement}"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == code
    [line] = done.stderr.splitlines()
    assert words in line
    assert len([*tmp_path.iterdir()]) == (code == 70)


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
        "XDG_STATE_HOME": f"{tmp_path}-state",
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
