"""The build command: what it writes, what it refuses, and that nothing that goes wrong harms an earlier build."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from invented import direction, episode, page, write_pages

from builders import build
from builders.page_cache.pages import RESULTS, FailedPage, ReadPage, Result
from builders.reports import plots
from friends_corpus.core import files
from friends_corpus.core.cache import load, open_cache, store
from friends_corpus.core.files import sha256_of
from friends_corpus.core.model import Episode, Line

CONFIGS = ("lines", "named_lines", "chunks", "chat")
SPLITS = ("train", "validation", "test")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "friends-corpus" / "pages"


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    return write_pages(tmp_path / "pages")


def run(pages: Path, out: Path, *options: str) -> int:
    return build.main(["--pages", str(pages), "--out", str(out), "--jobs", "1", *options])


def tree(out: Path) -> dict[str, str]:
    return {path.relative_to(out).as_posix(): sha256_of(path) for path in sorted(out.rglob("*")) if path.is_file()}


def manifest(out: Path) -> dict:
    return json.loads((out / "manifest.json").read_text(encoding="utf-8"))


def beside(out: Path) -> list[str]:
    return sorted(path.name for path in out.parent.iterdir() if path.name.startswith(f".{out.name}"))


def test_the_folder(pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "friends-lines"
    assert run(pages, out) == 0
    parquet = {f"{config}/{split}-00000-of-00001.parquet" for config in CONFIGS for split in SPLITS}
    parquet.add("speakers/train-00000-of-00001.parquet")
    plots = {"plots/speakers.png", "plots/lengths.png"}  # nothing was dropped
    assert set(tree(out)) == {
        "README.md",
        "manifest.json",
        "stats.json",
        "quality.md",
        "croissant.json",
        *plots,
        *parquet,
    }
    assert beside(out) == []
    written = manifest(out)
    assert {path: entry["sha256"] for path, entry in written["files"].items()} | {
        "manifest.json": sha256_of(out / "manifest.json")
    } == tree(out)
    for config in CONFIGS:
        assert {split: pq.read_metadata(out / part["path"]).num_rows for split, part in splits_of(written, config)} == {
            split: part["rows"] for split, part in splits_of(written, config)
        }
    assert [entry["page"] for entry in written["pages"]] == ["0101.html", "0102.html", "0103.html", "0104.html"]
    assert written["pages"][0]["sha256"] == hashlib.sha256((pages / "0101.html").read_bytes()).hexdigest()
    printed = capsys.readouterr()
    assert "season 1" in printed.out
    assert "unknown cues: 0" in printed.out
    assert "48" in printed.out  # 4 pages × 2 scenes × 6 turns
    assert "4/4" in printed.err  # the progress bar


def splits_of(written: dict, config: str) -> list[tuple[str, dict]]:
    return list(written["configs"][config]["splits"].items())


def test_rows(pages: Path, tmp_path: Path) -> None:
    out = tmp_path / "friends-lines"
    run(pages, out)
    rows = {config: pq.read_table(out / config).to_pylist() for config in CONFIGS}
    assert len(rows["lines"]) == len(rows["named_lines"]) == 48
    ids = [row["id"] for row in rows["lines"]]
    assert len(set(ids)) == 48
    assert {id for row in rows["chunks"] for id in row["line_ids"]} == set(ids)
    first = next(row for row in rows["named_lines"] if row["id"] == "s01e01_c01_u0000")
    assert first["text"] == "Ross: My cactus number 1 is bigger than yours, 0 times."
    assert first["text_with_directions"] == "Ross: (smiling) My cactus number 1 is bigger than yours, 0 times."
    assert first["episode_title"] == "The One With The Ladder"
    assert (first["written_by"], first["transcribed_by"]) == (["Wanda Writer"], ["Fred Fan"])
    assert first["source"] == "0101.html"


def test_splits_are_the_same_in_every_config(pages: Path, tmp_path: Path) -> None:
    out = tmp_path / "friends-lines"
    run(pages, out)
    splits = manifest(out)["splits"]
    assert sorted(id for ids in splits.values() for id in ids) == ["s01e01", "s01e02", "s01e03", "s01e04"]
    for config in CONFIGS:
        for split in SPLITS:
            ids = pq.read_table(out / config / f"{split}-00000-of-00001.parquet", columns=["id"])["id"].to_pylist()
            assert sorted({id.partition("_")[0] for id in ids}) == splits[split]


def test_below_three_pages_only_train(tmp_path: Path) -> None:
    out = tmp_path / "friends-lines"
    assert run(write_pages(tmp_path / "pages", [1, 2]), out) == 0
    assert [path.name for path in sorted(out.rglob("*.parquet"))] == ["train-00000-of-00001.parquet"] * 5


def test_same_bytes_whatever_the_cache_and_the_directory(
    pages: Path, tmp_path: Path, own_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(pages, tmp_path / "first" / "friends-lines")
    expected = tree(tmp_path / "first" / "friends-lines")
    assert len(list(own_cache.iterdir())) == 4
    run(pages, tmp_path / "cached")
    assert tree(tmp_path / "cached") == expected
    for number, entry in enumerate(sorted(own_cache.iterdir())):
        kept = entry.read_bytes()
        entry.write_bytes([b"", b"nonsense", kept[:-9], kept.replace(b"Ross", b"Rosa")][number])
    cache = open_cache("pages")
    assert cache
    store(cache, min(own_cache.iterdir()).name, [{"name": "an entry of another shape"}])
    capsys.readouterr()
    run(pages, tmp_path / "broken cache")
    assert "made anew: 4 in the cache" in capsys.readouterr().err
    assert tree(tmp_path / "broken cache") == expected
    run(pages, tmp_path / "mended cache", "--jobs", "2")
    assert "warning" not in capsys.readouterr().err
    assert tree(tmp_path / "mended cache") == expected
    other = write_pages(tmp_path / "elsewhere" / "other order", [4, 2, 3, 1])
    run(other, tmp_path / "uncached", "--no-cache")
    assert tree(tmp_path / "uncached") == expected


def test_same_bytes_with_two_processes(pages: Path, tmp_path: Path) -> None:
    write_pages(pages, range(5, 14))
    run(pages, tmp_path / "one", "--no-cache")
    assert run(pages, tmp_path / "two", "--no-cache", "--jobs", "2") == 0
    assert tree(tmp_path / "two") == tree(tmp_path / "one")


def test_no_cache_keeps_nothing(pages: Path, tmp_path: Path, own_cache: Path) -> None:
    run(pages, tmp_path / "out", "--no-cache")
    assert not own_cache.exists()


def test_a_cache_that_cannot_be_written_is_a_warning(
    pages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert run(pages, tmp_path / "out") == 0
    assert "warning: no cache" in capsys.readouterr().err


@pytest.mark.attack("caches", "a page of the cache with other words, at each level of trust")
@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize(
    ("where", "mode", "warning"),
    [
        pytest.param("pages", 0o700, "warning: not as they were kept, so made anew: 4 in the cache", id="edited"),
        pytest.param("pages", 0o777, "warning: no cache, ", id="for-all-to-write"),
        pytest.param("", 0o777, "warning: no cache, ", id="the-root-for-all-to-write"),
    ],
)
def test_no_false_row_out_of_the_cache(
    where: str,
    mode: int,
    warning: str,
    jobs: str,
    pages: Path,
    tmp_path: Path,
    own_cache: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(pages, tmp_path / "first" / "out")
    for entry in own_cache.iterdir():
        entry.write_bytes(entry.read_bytes().replace(b"Ross", b"Rosa").replace(b"violin", b"tuba"))
    (own_cache.parent / where).chmod(mode)
    capsys.readouterr()
    assert run(pages, tmp_path / "out", "--jobs", jobs) == 0
    assert next(line for line in capsys.readouterr().err.splitlines() if "warning" in line).startswith(warning)
    assert tree(tmp_path / "out") == tree(tmp_path / "first" / "out")


def test_cached_pages_are_the_same_objects_again(tmp_path: Path) -> None:
    made = episode([("Joey", "Hi.", "(waving) Hi."), direction("(Enter Ross)")], [], headings=[None, "[Scene: “x”]"])
    results = [ReadPage("both.html#1", "0" * 64, made, {"cue": (1, 4)}, "1"), FailedPage("b.html#2", "", "b", "2")]
    cache = open_cache("pages")
    assert cache
    store(cache, "key", RESULTS.dump_python(results, mode="json"))
    assert load(cache, "key", list[Result]) == results
    assert isinstance(made, Episode)
    assert isinstance(made.scenes[0].events[0], Line)


def test_no_machine_paths(pages: Path, tmp_path: Path) -> None:
    out = tmp_path / "friends-lines"
    (pages / "0199.html").write_text("<p>Nobody speaks.</p>")
    run(pages, out, "--keep-going")
    for path in out.rglob("*"):
        if path.is_file():
            assert str(tmp_path).encode() not in path.read_bytes()
            assert str(Path.home()).encode() + b"/" not in path.read_bytes()


# Bad pages and bad input: one line per problem, exit code 2, nothing written.


@pytest.mark.parametrize(
    ("files", "named"),
    [
        pytest.param(None, "pages", id="missing folder"),
        pytest.param({}, "pages", id="empty folder"),
        pytest.param({"notes.pdf": b"Joey: Hi."}, "pages", id="no html"),
        pytest.param({"0101.html": b""}, "0101.html", id="empty page"),
        pytest.param({"0101.html": b"<p>Our holidays were fine.</p>"}, "0101.html", id="no cue"),
        pytest.param({"0101.html": random.Random(0).randbytes(5000)}, "0101.html", id="binary"),
        pytest.param({"0101.html": b"\x89PNG\r\n\x1a\n" + bytes(3000)}, "0101.html", id="picture"),
        pytest.param({"holidays.html": page(1).encode()}, "holidays.html", id="no number"),
        pytest.param({"07outtakes.html": page(1).encode()}, "no page", id="only outtakes"),
    ],
)
@pytest.mark.parametrize("keep_going", [[], ["--keep-going"]], ids=["strict", "keep going"])
def test_bad_input(
    files: dict[str, bytes] | None,
    named: str,
    keep_going: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if files is not None:
        (tmp_path / "pages").mkdir()
        for name, content in files.items():
            (tmp_path / "pages" / name).write_bytes(content)
    assert run(tmp_path / "pages", tmp_path / "out", *keep_going) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if "page/s" not in line and line]
    assert errors
    assert all(line.startswith("error: ") for line in errors)
    assert named in errors[0]
    assert not (tmp_path / "out").exists()
    assert beside(tmp_path / "out") == []


def test_every_bad_page_is_listed(pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("0105.html", "0107.html"):
        (pages / name).write_text("<p>Nobody speaks.</p>")
    assert run(pages, tmp_path / "out") == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert "0105.html" in errors[0]
    assert "0107.html" in errors[1]
    assert "2 of 6 pages" in errors[2]
    assert "--keep-going" in errors[2]


def test_keep_going_builds_the_rest(pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(pages, tmp_path / "good")
    bad = pages / "0105.html"
    bad.write_text("<p>Nobody speaks.</p>")
    assert run(pages, tmp_path / "out", "--keep-going") == 0
    assert "warning: left out: " in capsys.readouterr().err
    [failed] = manifest(tmp_path / "out")["failed_pages"]
    assert failed["page"] == "0105.html"
    assert failed["sha256"] == sha256_of(bad)
    assert "0105.html" in failed["error"]
    assert "0105.html" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    parquet = {name: digest for name, digest in tree(tmp_path / "out").items() if name.endswith(".parquet")}
    assert parquet.items() <= tree(tmp_path / "good").items()


def test_a_page_that_cannot_be_opened(pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def deny(self: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "read_bytes", deny)
        assert run(pages, tmp_path / "out", "--no-cache") == 2
    assert "error: 0101.html: cannot be read: Permission denied" in capsys.readouterr().err


@pytest.mark.parametrize("second", ["s01e02.html", "0102-0103.html"])
def test_the_same_episode_twice(second: str, pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pages / second).write_text(page(2), encoding="utf-8")
    assert run(pages, tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert "0102.html" in error
    assert second in error
    assert "season 1 episode" in error


def test_variants_are_read_but_not_shipped(pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pages / "07outtakes.html").write_text(page(9), encoding="utf-8")
    assert run(pages, tmp_path / "out") == 0
    assert "07outtakes.html (variant: outtakes)" in capsys.readouterr().out
    entry = next(entry for entry in manifest(tmp_path / "out")["pages"] if entry["page"] == "07outtakes.html")
    assert entry["reason"] == "variant: outtakes"
    assert set(pq.read_table(tmp_path / "out" / "lines")["season"].to_pylist()) == {1}


@pytest.mark.parametrize(
    "options",
    [["--jobs", "0"], ["--chunk-chars", "-1"], ["--version", "1.0"], ["--version", "v1.0.0"], ["--pagse", "x"]],
    ids=" ".join,
)
def test_usage(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        build.main(options)
    assert exit.value.code == 2
    assert options[-1] in capsys.readouterr().err


def test_help_needs_no_heavy_import() -> None:
    heavy = "{'torch', 'datasets', 'pandas', 'pyarrow', 'bs4'}"
    code = f"import sys, builders.build as b; b.parser().format_help(); sys.exit(len({heavy} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)


# The output folder: only our own is replaced, whole or not at all.


@pytest.mark.attack("the user's files", "outputs of a build")
def test_foreign_folders_are_refused(pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "precious"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    assert run(pages, out) == 2
    assert "precious" in capsys.readouterr().err
    assert run(pages, out / "thesis.txt") == 2
    assert tree(out) == {"thesis.txt": hashlib.sha256(b"years of work").hexdigest()}


@pytest.mark.attack("the user's files", "outputs of a build")
def test_foreign_files_in_our_folder_are_not_deleted(
    pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    run(pages, out)
    (out / "notes").mkdir()
    (out / "notes" / "mine.txt").touch()
    before = tree(out)
    assert run(pages, out) == 2
    assert "notes/mine.txt" in capsys.readouterr().err
    assert tree(out) == before


@pytest.mark.attack("the user's files", "outputs of a build")
@pytest.mark.parametrize("name", ["README.md", "stats.json", "lines/train-00000-of-00001.parquet"])
def test_an_edited_file_stops_a_rebuild_by_its_name(
    name: str, pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    run(pages, out)
    with (out / name).open("a") as file:
        file.write("mine")
    before = tree(out)
    for version in ("1.0.0", "1.1.0"):
        assert run(pages, out, "--version", version) == 2
        said = capsys.readouterr().err
        assert name in said and "--overwrite" in said
        assert tree(out) == before
    (out / "notes.txt").touch()
    assert run(pages, out, "--overwrite") == 2
    assert "notes.txt" in capsys.readouterr().err
    (out / "notes.txt").unlink()
    assert run(pages, out, "--overwrite") == 0
    assert tree(out)[name] != before[name]
    assert run(pages, out) == 0
    assert "nothing has changed" in capsys.readouterr().out


@pytest.mark.attack("the user's files", "outputs of a build")
def test_what_appears_while_a_build_works_is_kept(pages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    run(pages, out)
    real = files.sync

    def meanwhile(folder: Path) -> None:
        real(folder)
        (out / "notes.txt").write_text("mine")

    monkeypatch.setattr(files, "sync", meanwhile)
    assert run(pages, out, "--version", "1.1.0") == 2
    assert (out / "notes.txt").read_text() == "mine"
    assert manifest(out)["version"] == "1.0.0"
    assert beside(out) == []


@pytest.mark.attack("the user's files", "outputs of a build")
def test_leftovers_of_the_users_stay(pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in (".out.old", ".out.building-1", ".out.0d1fa973"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "thesis.txt").write_text("years of work")
    assert run(pages, tmp_path / "out") == 0
    said = capsys.readouterr().err
    for name in (".out.old", ".out.building-1", ".out.0d1fa973"):
        assert said.count(name) == 1
        assert (tmp_path / name / "thesis.txt").read_text() == "years of work"


def test_an_empty_folder_and_a_link_are_fine(pages: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert run(pages, tmp_path / "link") == 0
    assert (tmp_path / "link").is_symlink()
    assert "manifest.json" in tree(tmp_path / "real")


@pytest.mark.parametrize("exchange", [True, False], ids=["exchanged", "renamed"])
def test_a_rebuild_replaces_the_folder(
    exchange: bool, pages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exchange:
        monkeypatch.setattr(files, "exchange", lambda left, right: False)
    out = tmp_path / "out"
    run(pages, out)
    write_pages(pages, [5, 6])
    assert run(pages, out, "--version", "1.1.0") == 0
    assert manifest(out)["version"] == "1.1.0"
    assert len(manifest(out)["pages"]) == 6
    assert beside(out) == []


@pytest.mark.attack("the user's files", "failures while replacing")
def test_a_full_disk_leaves_the_old_folder(
    pages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    run(pages, out)
    before = tree(out)
    write_pages(pages, [5])

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    assert run(pages, out) == 1
    assert f"error: {out}: No space left on device; {out} is unchanged" in capsys.readouterr().err
    assert tree(out) == before
    assert beside(out) == []


def test_what_a_killed_build_left_is_tidied_up(pages: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(pages, out)
    before = tree(out)
    files.mark(tmp_path / ".out.0d1fa973", "out")
    out.rename(tmp_path / ".out.0d1fa973" / files.OLD)  # killed between two renames
    (tmp_path / ".out.0d1fa973" / files.NEW).mkdir()
    (tmp_path / ".out.0d1fa973" / files.NEW / "README.md").touch()
    (tmp_path / ".out.lock").touch()
    assert run(tmp_path / "nowhere", out) == 2  # not even a page: nothing is touched
    (pages / "0105.html").write_text("no transcript")
    assert run(pages, out) == 2
    assert tree(out) == before
    assert beside(out) == []


def test_one_build_at_a_time(pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (tmp_path / ".out.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert run(pages, tmp_path / "out") == 2
        assert "another build is writing" in capsys.readouterr().err
        assert run(pages, tmp_path / "elsewhere") == 0
    assert run(pages, tmp_path / "out") == 0


# Slow: whole builds in processes of their own.


def start(pages: Path, out: Path, *options: str, hash_seed: str = "0") -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "builders.build", "--pages", str(pages), "--out", str(out), *options]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


@pytest.mark.slow
def test_a_report_that_cannot_be_printed_is_no_failed_build(pages: Path, tmp_path: Path) -> None:
    build, export = tmp_path / "built", tmp_path / "exported"
    for command, said in (
        (["builders.build", "--pages", pages, "--out", build, "--jobs", "1"], f"{build} is complete"),
        (["builders.export", build, "--format", "csv", "--out", export], f"{export} is whole"),
    ):
        with Path("/dev/full").open("w") as full:
            run = subprocess.run([sys.executable, "-m", *map(str, command)], stdout=full, stderr=-1, text=True)
        assert run.returncode == 1
        assert run.stderr.splitlines()[-1] == f"error: stdout: No space left on device; {said}"
    assert manifest(build)["version"] == "1.0.0"
    assert len(list(export.rglob("*.csv"))) == 13


@pytest.mark.slow
def test_same_bytes_in_any_process(tmp_path: Path) -> None:
    pages = write_pages(tmp_path / "pages", range(1, 24))
    for name, seed, options in [("a", "1", ["--jobs", "1"]), ("b", "2", ["--jobs", "3"]), ("c", "3", ["--no-cache"])]:
        assert start(pages, tmp_path / name, *options, hash_seed=seed).wait() == 0
    assert tree(tmp_path / "a") == tree(tmp_path / "b") == tree(tmp_path / "c")


WRITES = ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree", "ctypes.dlsym")


def copy_at_each_moment(pages: Path, out: Path, copies: Path) -> int:
    """Build in a forked process that copies the folder of `out` before each file operation; how many there were.

    A copy is what a kill at that moment leaves: what was written and not flushed is in neither.
    """
    copies.mkdir()
    process = os.fork()
    if process:
        assert os.waitpid(process, 0)[1] == 0
        return len(list(copies.iterdir()))
    copying = False

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal copying
        around = f"/{out.name}" in str(arguments) or f"/.{out.name}." in str(arguments) or event == "ctypes.dlsym"
        if event in WRITES and around and not copying:
            copying = True
            shutil.copytree(out.parent, copies / str(len(list(copies.iterdir()))), symlinks=True)
            copying = False

    code = 1
    try:
        sys.addaudithook(hook)
        code = run(pages, out)
    finally:
        os._exit(code)


def no_drawing(folder: Path, *_: object) -> None:
    """The file operations of the plots without the time to draw them."""
    (folder / "plots").mkdir()
    (folder / "plots" / "speakers.png").write_bytes(b"picture")


@pytest.mark.attack("kill -9", "a build, at every file operation")
@pytest.mark.slow
@pytest.mark.parametrize("exchange", [True, False], ids=["exchanged", "renamed"])
def test_killed_at_any_file_operation(exchange: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not exchange:
        monkeypatch.setattr(files, "exchange", lambda left, right: False)
    monkeypatch.setattr(plots, "draw_plots", no_drawing)
    old, new = write_pages(tmp_path / "old pages"), write_pages(tmp_path / "new pages", [1, 2, 3, 4, 5])
    out = tmp_path / "folder" / "out"
    out.parent.mkdir()
    run(new, out)
    finished = tree(out)
    run(old, out)
    before = tree(out)
    seen = set()
    moments = copy_at_each_moment(new, out, tmp_path / "copies")
    assert moments > 20
    for moment in range(moments):
        shutil.rmtree(out.parent)
        shutil.copytree(tmp_path / "copies" / str(moment), out.parent, symlinks=True)
        if not exchange and not out.exists():  # between the two renames; the next build puts it back
            with files.locked(out):
                files.heal(out)
        assert tree(out) in (before, finished)
        seen.add(tree(out) == finished)
        assert run(old, out) == 0
        assert tree(out) == before
        assert beside(out) == []
    assert seen == {False, True}


@pytest.mark.attack("kill -9", "a build, at random moments")
@pytest.mark.slow
def test_killed_at_random_moments(tmp_path: Path) -> None:
    old, new = write_pages(tmp_path / "old pages"), write_pages(tmp_path / "new pages", range(1, 40))
    out = tmp_path / "out"
    run(new, out)
    finished = tree(out)
    run(old, out)
    before = tree(out)
    began = time.monotonic()
    assert start(new, tmp_path / "timed", "--jobs", "2", "--no-cache").wait() == 0
    whole = time.monotonic() - began
    chance = random.Random(5)
    for _ in range(6):
        process = start(new, out, "--jobs", "2", "--no-cache")
        time.sleep(chance.uniform(0.1, whole))
        process.kill()
        process.wait()
        assert tree(out) in (before, finished)
        assert run(old, out) == 0  # at once: the dead build's workers hold no lock
        assert tree(out) == before


@pytest.mark.slow
def test_two_builds_at_once(tmp_path: Path) -> None:
    folders = [write_pages(tmp_path / "a", [1, 2, 3]), write_pages(tmp_path / "b", [4, 5, 6])]
    for number, pages in enumerate(folders):
        run(pages, tmp_path / f"expected{number}")
    processes = [start(pages, tmp_path / "out", "--jobs", "1") for pages in folders]
    errors = [process.communicate()[1].decode() for process in processes]
    codes = [process.returncode for process in processes]
    assert 0 in codes
    assert all(code == 0 or "another build is writing" in error for code, error in zip(codes, errors, strict=True))
    assert tree(tmp_path / "out") in [tree(tmp_path / "expected0"), tree(tmp_path / "expected1")]
    assert beside(tmp_path / "out") == []
