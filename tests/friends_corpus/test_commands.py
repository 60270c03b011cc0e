"""The doors: `friends-corpus`, `python -m PACKAGE`, `make`, and what they say where a package is not installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from friends_corpus.core.commands import COMMANDS, main

ROOT = Path(__file__).parents[2]
PACKAGES = ("friends_corpus", "builders", "train")
EARLIER = ROOT / "tests" / "guards" / "earlier_run"
DATASET, ADAPTER, BASE = (str(EARLIER / name) for name in ("friends-lines", "adapter", "base"))


def run(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_table_names_every_command() -> None:
    modules = [
        f"{package}.{path.stem}"
        for package in PACKAGES
        for path in (ROOT / package).glob("*.py")
        if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
    ]
    assert sorted(COMMANDS.values()) == sorted(modules)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_all_commands_are_listed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert [name for name, _ in lines] == list(COMMANDS)
    assert all(len(purpose) > 20 for _, purpose in lines)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_lists_its_own_commands(package: str, tmp_path: Path) -> None:
    listed = run("-m", package, cwd=tmp_path, PYTHONPATH=str(ROOT))
    names = [line.split()[2] for line in listed.stdout.splitlines()]
    assert names == [module for module in COMMANDS.values() if module.startswith(f"{package}.")]
    asked = run("-m", package, "something", cwd=tmp_path, PYTHONPATH=str(ROOT))
    assert (asked.returncode, asked.stdout) == (2, "")
    assert package in asked.stderr


def test_an_unknown_command_gets_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["publish-datset", "x"]) == 2
    assert "publish-dataset" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        pytest.param(["check", "--help"], 0, "FOLDER", id="help"),
        pytest.param(["check", "nowhere"], 2, "nowhere", id="its-own-code"),
        pytest.param(["diff", "one"], 2, "usage", id="usage"),
    ],
)
def test_a_command_ends_as_it_does_alone(arguments: list[str], code: int, word: str) -> None:
    script = "import sys; from friends_corpus.core.commands import main; sys.exit(main())"
    done = run("-c", script, *arguments)
    alone = run("-m", COMMANDS[arguments[0]], *arguments[1:])
    assert (done.returncode, done.stdout, done.stderr) == (alone.returncode, alone.stdout, alone.stderr)
    assert done.returncode == code
    assert word in done.stdout + done.stderr


NOTHING_INSTALLED = {
    "fetch": ["--source", "http://127.0.0.1:9/index.html"],
    "parse": ["page.html"],
    "build": ["--no-cache", "--jobs", "1"],
    "check": [DATASET],
    "diff": [DATASET, DATASET],
    "explain": [DATASET, "s01e01_c01_u0000"],
    "export": [DATASET, "--format", "csv"],
    "publish-dataset": [DATASET, "ana/friends"],
    "sft": ["--dataset", "chunks"],
    "compare": ["--adapters", f"chunks={ADAPTER}"],
    "report": ["results.json"],
    "chat": [ADAPTER],
    "merge": [ADAPTER],
    "bench": ["--data", DATASET],
    "publish-adapter": [ADAPTER, "ana/friends"],
}


@pytest.mark.parametrize("name", NOTHING_INSTALLED)
def test_without_any_package_a_command_says_so_in_one_line(name: str, tmp_path: Path) -> None:
    """A fresh clone and the system's Python; `lesson` runs the others."""
    arguments = ("-S", "-m", COMMANDS[name], *NOTHING_INSTALLED[name])
    done = run(*arguments, cwd=tmp_path, PYTHONPATH=str(ROOT), PYTHONDONTWRITEBYTECODE="1")
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert [line for line in done.stderr.splitlines() if "pip install" in line] == done.stderr.splitlines()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("missing", "module", "arguments", "remedy"),
    [
        pytest.param(
            "datasets", "builders.build", ["--no-cache", "--jobs", "1"], "pip install '.'", id="build-datasets"
        ),
        pytest.param("pandas", "builders.build", ["--no-cache", "--jobs", "1"], "pip install '.'", id="build-pandas"),
        pytest.param("pandas", "builders.check", ["friends-lines"], "pip install '.'", id="check-pandas"),
        pytest.param(
            "transformers",
            "train.sft",
            ["--dataset", "chunks", "--data", DATASET, "--base", BASE, "--dry-run"],
            "pip install '.[train]'",
            id="sft-transformers",
        ),
        pytest.param("torch", "train.merge", [ADAPTER, "--base", BASE], "pip install '.[train]'", id="merge-torch"),
    ],
)
def test_without_one_package_a_command_says_which(
    missing: str, module: str, arguments: list[str], remedy: str, tmp_path: Path
) -> None:
    if module == "builders.check":
        assert run("-m", "builders.build", "--no-cache", cwd=tmp_path, PYTHONPATH=str(ROOT)).returncode == 0
    script = f"import runpy, sys; sys.modules[{missing!r}] = None; runpy.run_module({module!r}, None, '__main__', True)"
    done = run("-c", script, *arguments, cwd=tmp_path, PYTHONPATH=str(ROOT))
    assert done.returncode in (1, 2), done.stderr
    assert "Traceback" not in done.stderr
    assert missing in done.stderr.splitlines()[-1]
    assert remedy in done.stderr.splitlines()[-1]


def test_make_alone_only_lists_its_targets() -> None:
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    listed = {line.split()[1] for line in done.stdout.splitlines()}
    assert listed >= {"demo", "lesson", "test", "test-fast", "lint", "clean", "help"}
    asked = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert asked.stdout == done.stdout
