"""The build on datatrove: the same bytes, resumed where it was killed; and folders that need no new build."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from pathlib import Path

import pytest
from invented import write_pages

from builders import build
from builders.folder import up_to_date
from builders.page_cache import datatrove_engine
from friends_corpus.core.files import sha256_of

needs_datatrove = pytest.mark.skipif(not importlib.util.find_spec("datatrove"), reason="pip install '.[scale]'")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "friends-corpus" / "pages"


def run(pages: Path, out: Path, *options: str) -> int:
    return build.main(["--pages", str(pages), "--out", str(out), "--jobs", "1", *options])


def tree(out: Path) -> dict[str, str]:
    return {path.relative_to(out).as_posix(): sha256_of(path) for path in sorted(out.rglob("*")) if path.is_file()}


def test_without_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(datatrove_engine, "find_spec", lambda name: None)
    pages = write_pages(tmp_path / "pages")
    assert run(pages, tmp_path / "out", "--engine", "datatrove", "--tasks", "2") == 2
    [error] = capsys.readouterr().err.splitlines()
    assert "pip install '.[scale]'" in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "word"), [(["--engine", "datatrove", "--no-cache"], "--no-cache"), (["--tasks", "2"], "--tasks")]
)
def test_options_that_exclude_each_other(
    options: list[str], word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(write_pages(tmp_path / "pages"), tmp_path / "out", *options) == 2
    [error] = capsys.readouterr().err.splitlines()
    assert word in error


def test_the_tasks_share_the_pages(tmp_path: Path, own_cache: Path) -> None:
    pages = sorted(write_pages(tmp_path / "pages").iterdir())
    own_cache.mkdir(parents=True)
    for rank in range(3):
        datatrove_engine.ReadShare(pages, own_cache)(None, rank, 3)
        assert len(list(own_cache.iterdir())) == (2, 3, 4)[rank]


def test_other_pages_are_other_tasks(tmp_path: Path, own_cache: Path) -> None:
    pages = sorted(write_pages(tmp_path / "pages").iterdir())
    first = datatrove_engine.task_folder(pages, 2, own_cache)
    assert first == datatrove_engine.task_folder(pages, 2, own_cache)
    assert first != datatrove_engine.task_folder(pages, 3, own_cache)
    pages[0].write_text(pages[1].read_text())
    assert first != datatrove_engine.task_folder(pages, 2, own_cache)


@needs_datatrove
@pytest.mark.slow
def test_same_bytes_and_resumed_when_killed(tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = write_pages(tmp_path / "pages", range(1, 60))
    (pages / "0160.html").write_text("no transcript")
    assert run(pages, tmp_path / "expected", "--no-cache", "--keep-going") == 0
    out = tmp_path / "out"
    arguments = ["--pages", str(pages), "--out", str(out), "--keep-going", "--jobs", "2"]
    command = [sys.executable, "-m", "builders.build", *arguments, "--engine", "datatrove", "--tasks", "30"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    done = own_cache.with_name("tasks")
    while process.poll() is None and len(list(done.glob("*/completions/*"))) < 3:
        time.sleep(0.005)
    helpers = below(process.pid)
    process.kill()
    process.wait()
    until = time.monotonic() + 60
    while any(map(command_line, helpers)):  # they end by themselves
        assert time.monotonic() < until
        time.sleep(0.01)
    completed = {path: path.stat().st_mtime_ns for path in done.glob("*/completions/*")}
    assert completed
    assert not out.exists()
    assert subprocess.run(command, capture_output=True).returncode == 0
    assert len(list(done.glob("*/completions/*"))) == 30
    assert all(path.stat().st_mtime_ns == time_ns for path, time_ns in completed.items())
    assert tree(out) == tree(tmp_path / "expected")
    orphans = [line for line in processes() if str(out) in line]
    assert orphans == []


def below(process: int) -> list[Path]:
    """Its children and theirs."""
    listed = Path(f"/proc/{process}/task/{process}/children")
    children = [int(number) for number in listed.read_text().split()] if listed.exists() else []
    return [Path("/proc", str(child)) for child in children] + [path for child in children for path in below(child)]


def command_line(process: Path) -> str:
    """Empty if it ended, whether or not anybody has asked how."""
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""


def processes() -> list[str]:
    return [command_line(path) for path in Path("/proc").glob("[0-9]*")]


# A folder that is already what the build would write.


def test_an_unchanged_folder_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages, out = write_pages(tmp_path / "pages"), tmp_path / "out"
    (pages / "0105.html").write_text("no transcript")
    run(pages, out, "--keep-going")
    first, number = capsys.readouterr(), out.stat().st_ino
    assert run(pages, out, "--keep-going") == 0
    again = capsys.readouterr()
    assert out.stat().st_ino == number
    assert again.out.splitlines()[-1] == "kept out, version 1.0.0: nothing has changed"
    assert again.out.splitlines()[:-1] == first.out.splitlines()[:-1]
    assert again.err.splitlines()[-1:] == first.err.splitlines()[-1:]


@pytest.mark.parametrize("what", ["page", "version", "chunks", "character", "damage", "missing", "no cache"])
def test_a_changed_one_is_built_anew(what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages, out = write_pages(tmp_path / "pages"), tmp_path / "out"
    run(pages, out)
    before = tree(out)
    options = {
        "version": ["--version", "1.0.1"],
        "chunks": ["--chunk-chars", "99"],
        "character": ["--character", "Joey"],
        "no cache": ["--no-cache"],
        "damage": ["--overwrite"],
    }
    if what == "page":
        write_pages(pages, [5])
    elif what == "damage":
        (out / "README.md").write_text("edited")
    elif what == "missing":
        (out / "stats.json").unlink()
    capsys.readouterr()
    assert run(pages, out, *options.get(what, [])) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("wrote out")
    assert (tree(out) == before) == (what in ("damage", "missing", "no cache"))


def test_other_code_builds_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    pages = sorted(write_pages(tmp_path / "pages").iterdir())
    mark = up_to_date.fingerprint(pages, [1200])
    assert mark == up_to_date.fingerprint(list(reversed(pages)), [1200])
    installed = tmp_path / "site" / f"{up_to_date.LIBRARIES[0]}-0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Version: 0\n", encoding="utf-8")
    monkeypatch.syspath_prepend(installed.parent)  # another version of a library
    assert mark != up_to_date.fingerprint(pages, [1200])
    assert up_to_date.fingerprint([tmp_path / "nowhere"], [1200]) is None
