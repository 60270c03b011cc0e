"""Caches: whose they are, what is believed of them, and that nothing in them or about them stops a run."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from friends_corpus.core import cache as caches
from friends_corpus.core import files
from friends_corpus.core.cache import kept_folder, load, open_cache, store

VALUE = {"joey": ["Hey, Ross, is that a sourdough starter?"]}
Schema = dict[str, list[str]]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    return tmp_path


@pytest.fixture
def cache() -> Path:
    opened = open_cache("pages")
    assert opened
    return opened


def key(home: Path) -> Path:
    return home / ".local" / "state" / "friends-corpus" / "key"


@pytest.mark.parametrize(
    ("variable", "value", "root"),
    [
        pytest.param("XDG_CACHE_HOME", "own", "own", id="absolute"),
        pytest.param("XDG_CACHE_HOME", None, ".cache", id="relative-is-ignored"),
        pytest.param("XDG_CACHE_HOME", "", ".cache", id="empty"),
    ],
)
def test_where_it_is(home: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str | None, root: str) -> None:
    monkeypatch.setenv(variable, str(home / value) if value else "cache" if value is None else "")
    opened = open_cache("base")
    assert opened == home / root / "friends-corpus" / "base"
    assert opened.stat().st_mode & 0o777 == 0o700
    assert key(home).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in key(home).parent.iterdir()] == ["key"]


def test_kept_and_loaded(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert load(cache, "a", Schema) is None
    store(cache, "a", VALUE)
    assert load(cache, "a", Schema) == VALUE
    assert capsys.readouterr().err == ""


def resign(path: Path, payload: bytes) -> None:
    path.write_bytes(caches._sign(path, payload) + b"\n" + payload)


def other_key(path: Path) -> None:
    entry = path.read_bytes()
    key(path.parents[3]).write_bytes(b"x" * 32)
    store(path.parent, path.name, VALUE)
    assert path.read_bytes() != entry
    key(path.parents[3]).unlink()


def of_another_name(path: Path) -> None:
    store(path.parent, "b", VALUE)
    (path.parent / "b").replace(path)


def of_another_kind(path: Path) -> None:
    other = open_cache("builds")
    assert other
    store(other, path.name, VALUE)
    (other / path.name).replace(path)


def checksum_alone(path: Path) -> None:
    payload = json.dumps(VALUE).encode()
    path.write_bytes(files.hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload)


def as_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def as_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def of_a_terabyte(path: Path) -> None:
    os.truncate(path, 1 << 40)


def put(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


ENTRIES = [
    pytest.param(put(b""), id="empty"),
    pytest.param(put(b"\n"), id="one-line-end"),
    pytest.param(put(b"nonsense"), id="nonsense"),
    pytest.param(put(b"\xff\xfe\n\x80\x04."), id="a-pickle"),
    pytest.param(put(b"0" * 64 + b"\n{}"), id="zero-signature"),
    pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-9]), id="truncated"),
    pytest.param(lambda path: path.write_bytes(path.read_bytes() + b" "), id="longer"),
    pytest.param(lambda path: path.write_bytes(path.read_bytes().replace(b"Ross", b"Rosa")), id="edited"),
    pytest.param(lambda path: path.write_bytes(path.read_bytes().upper()), id="signature-in-capitals"),
    pytest.param(checksum_alone, id="checksum-without-a-key"),
    pytest.param(other_key, id="another-key"),
    pytest.param(of_another_name, id="another-name"),
    pytest.param(of_another_kind, id="another-kind"),
    pytest.param(as_link, id="link"),
    pytest.param(as_pipe, id="pipe"),
    pytest.param(as_folder, id="folder"),
    pytest.param(of_a_terabyte, id="terabyte"),
    pytest.param(lambda path: resign(path, b"[1, 2]"), id="another-class"),
    pytest.param(lambda path: resign(path, b'{"joey": [{"a": 1}]}'), id="another-schema"),
    pytest.param(lambda path: resign(path, b"null"), id="null"),
    pytest.param(lambda path: resign(path, b"{"), id="no-json"),
    pytest.param(lambda path: resign(path, b"\xff"), id="no-text"),
    pytest.param(lambda path: resign(path, b"[" * 200_000), id="deep"),
]


@pytest.mark.attack("caches", "an entry that is not as it was stored")
@pytest.mark.parametrize("spoil", ENTRIES)
def test_a_spoilt_entry_is_a_miss_and_reported(
    spoil: Callable[[Path], object], cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store(cache, "a", VALUE)
    spoil(cache / "a")
    assert load(cache, "a", Schema) is None
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: ")
    assert str(cache / "a") in line
    refused: list[Path] = []
    assert load(cache, "a", Schema, refused) is None
    assert refused == [cache / "a"]
    assert capsys.readouterr().err == ""
    store(cache, "a", VALUE)  # it mends what can be mended; a folder stays where it is
    assert (load(cache, "a", Schema, refused) == VALUE) == (not (cache / "a").is_dir())


def other_user(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    stat = Path.stat

    def mine_alone(path: Path, **options: Any) -> os.stat_result:
        status = stat(path, **options)
        own = path.is_relative_to(home / ".local")
        return os.stat_result((*status[:4], mine + 1, *status[5:])) if own else status

    monkeypatch.setattr(Path, "stat", mine_alone)


def folder_mode(name: str, mode: int) -> Callable[[Path, pytest.MonkeyPatch], object]:
    return lambda home, _: (home / ".cache" / "friends-corpus" / name).chmod(mode)


def linked(home: Path, to: str) -> None:
    root = home / ".cache" / "friends-corpus"
    root.rename(home / "elsewhere")
    root.symlink_to(home / to)


def replaced_by_file(name: str) -> Callable[[Path, pytest.MonkeyPatch], object]:
    def replace(home: Path, _: pytest.MonkeyPatch) -> None:
        (home / name).rename(home / "away")
        (home / name).write_text("a file")

    return replace


def key_file(change: Callable[[Path], object]) -> Callable[[Path, pytest.MonkeyPatch], object]:
    return lambda home, _: change(key(home))


def no_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)


def full_disk(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(caches, "write_whole", refuse)


def read_only_disk(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object, *_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system", str(path))

    mkdir = Path.mkdir
    monkeypatch.setattr(Path, "chmod", refuse)
    monkeypatch.setattr(
        Path,
        "mkdir",
        lambda path, *a, **o: mkdir(path, *a, **o) if path.is_dir() or "cache" not in str(path) else refuse(path),
    )
    monkeypatch.setattr(caches, "locked", refuse)


NOTHING, READ, ALL = "nothing is believed", "entries are read", "as ever"
PLACES = [
    pytest.param(folder_mode("", 0o777), NOTHING, "friends-corpus: others have access", id="for-all-to-write"),
    pytest.param(folder_mode("", 0o770), NOTHING, "friends-corpus: others have access", id="for-the-group-to-write"),
    pytest.param(folder_mode("pages", 0o777), NOTHING, "pages: others have access", id="the-kind-for-all-to-write"),
    pytest.param(folder_mode("pages", 0o1777), NOTHING, "pages: others have access", id="sticky"),
    pytest.param(folder_mode("", 0o755), ALL, "", id="for-all-to-read"),
    pytest.param(other_user, NOTHING, "friends-corpus: others have access", id="of-another-user"),
    pytest.param(read_only_disk, READ, "", id="read-only-disk"),
    pytest.param(full_disk, READ, "", id="full-disk"),
    pytest.param(lambda home, _: linked(home, "elsewhere"), ALL, "", id="own-link"),
    pytest.param(lambda home, _: linked(home, "nowhere"), NOTHING, "friends-corpus", id="dangling-link"),
    pytest.param(lambda home, _: linked(home, ".cache/friends-corpus"), NOTHING, "friends-corpus", id="circular-link"),
    pytest.param(replaced_by_file(".cache"), NOTHING, ".cache", id="cache-is-a-file"),
    pytest.param(replaced_by_file(".cache/friends-corpus"), NOTHING, "friends-corpus", id="root-is-a-file"),
    pytest.param(replaced_by_file(".cache/friends-corpus/pages"), NOTHING, "pages", id="kind-is-a-file"),
    pytest.param(no_home, NOTHING, "neither XDG_CACHE_HOME nor HOME", id="no-home"),
    pytest.param(lambda home, patch: patch.setenv("HOME", "home"), NOTHING, "nor HOME", id="relative-home"),
    pytest.param(
        lambda home, patch: patch.setenv("XDG_STATE_HOME", str(home / ".cache")), NOTHING, "outside", id="key-in-cache"
    ),
    pytest.param(key_file(lambda path: path.chmod(0o644)), NOTHING, "key: others have access", id="key-for-all"),
    pytest.param(key_file(lambda path: path.chmod(0o640)), NOTHING, "key: others have access", id="key-for-group"),
    pytest.param(key_file(lambda path: path.parent.chmod(0o777)), NOTHING, "others have access", id="key-in-public"),
    pytest.param(key_file(lambda path: path.write_bytes(b"")), NOTHING, "key", id="empty-key"),
    pytest.param(key_file(lambda path: path.write_bytes(b"x" * 99)), NOTHING, "key", id="long-key"),
    pytest.param(key_file(as_link), NOTHING, "key", id="key-is-a-link"),
    pytest.param(key_file(as_pipe), NOTHING, "key", id="key-is-a-pipe"),
    pytest.param(key_file(as_folder), NOTHING, "key", id="key-is-a-folder"),
    pytest.param(replaced_by_file(".local"), NOTHING, ".local", id="state-is-a-file"),
]


@pytest.mark.attack("caches", "a folder or a key that is not this user's alone, or not there")
@pytest.mark.parametrize(("spoil", "trust", "word"), PLACES)
def test_a_spoilt_place_is_reported_and_passed_by(
    spoil: Callable[[Path, pytest.MonkeyPatch], object],
    trust: str,
    word: str,
    home: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store(cache, "a", VALUE)
    monkeypatch.chdir(home)
    spoil(home, monkeypatch)
    opened = open_cache("pages")
    lines = capsys.readouterr().err.splitlines()
    assert [word in line and line.startswith("warning: ") for line in lines] == [True] * bool(word), lines
    assert (opened is None) == (trust == NOTHING)
    if opened:
        assert load(opened, "a", Schema) == VALUE
        store(opened, "b", VALUE)
    assert (kept_folder("pages", "folder", lambda folder: (folder / "x").write_text("made")) / "x").is_file()
    assert bool(opened and (opened / "b").exists()) == (trust == ALL)


def fill(folder: Path) -> None:
    (folder / "config.json").write_text("{}")
    (folder / "sub").mkdir()
    (folder / "sub" / "model.safetensors").write_bytes(b"weights")


def without_seal(folder: Path) -> None:
    folder.with_name(f"{folder.name}.files").unlink()


def of_another_folder(folder: Path) -> None:
    """Another model and its own, valid seal, under this name."""
    other = kept_folder("base", "other", lambda made: (made / "config.json").write_text("other"))
    for suffix in ("", ".files"):
        name = f"{folder.name}{suffix}"
        folder.with_name(name).rename(folder.with_name(f"{name}.was"))
        other.with_name(f"other{suffix}").rename(folder.with_name(name))


def moved_and_linked(folder: Path) -> None:
    folder.rename(folder.with_name("moved"))
    folder.symlink_to("moved")


def link_inside(folder: Path) -> None:
    (folder / "config.json").rename(folder.with_name("config"))
    (folder / "config.json").symlink_to("../config")


def dangling(folder: Path) -> None:
    folder.rename(folder.with_name("moved"))
    folder.symlink_to("nowhere")


def file_instead(folder: Path) -> None:
    folder.rename(folder.with_name("moved"))
    folder.write_text("a file")


FOLDERS = [
    pytest.param(lambda folder: (folder / "sub" / "model.safetensors").write_bytes(b"Weights"), id="edited"),
    pytest.param(lambda folder: (folder / "sub" / "model.safetensors").write_bytes(b""), id="truncated"),
    pytest.param(lambda folder: (folder / "config.json").unlink(), id="missing-file"),
    pytest.param(lambda folder: (folder / "adapter_config.json").write_text("{}"), id="one-file-more"),
    pytest.param(lambda folder: os.mkfifo(folder / "adapter_config.json"), id="one-pipe-more"),
    pytest.param(lambda folder: (folder / "adapter_config.json").symlink_to("config.json"), id="one-link-more"),
    pytest.param(link_inside, id="a-link-to-the-same-bytes"),
    pytest.param(without_seal, id="no-seal"),
    pytest.param(lambda folder: folder.with_name("x.files").write_bytes(b""), id="empty-seal"),
    pytest.param(of_another_folder, id="another-model-under-the-name"),
    pytest.param(moved_and_linked, id="link"),
    pytest.param(dangling, id="dangling-link"),
    pytest.param(file_instead, id="file"),
]


@pytest.mark.attack("caches", "a converted base that is not the one that was kept")
@pytest.mark.parametrize("spoil", FOLDERS)
def test_a_spoilt_folder_is_made_anew(
    spoil: Callable[[Path], object], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = kept_folder("base", "x", fill)
    times = folder.stat().st_ino
    assert kept_folder("base", "x", fill).stat().st_ino == times
    assert capsys.readouterr().err == ""
    spoil(folder)
    again = kept_folder("base", "x", fill)
    assert again == folder
    [line] = capsys.readouterr().err.splitlines()
    assert str(folder) in line
    assert not folder.is_symlink()
    assert sorted(path.name for path in folder.rglob("*")) == ["config.json", "model.safetensors", "sub"]
    assert (folder / "sub" / "model.safetensors").read_bytes() == b"weights"
    assert kept_folder("base", "x", lambda _: pytest.fail("made again")) == folder
    assert capsys.readouterr().err == ""


def test_a_foreign_lock_or_leftover_does_not_stop_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cache = open_cache("base")
    assert cache
    (cache / ".x.lock").write_text("not ours")
    folder = kept_folder("base", "x", fill)
    assert (folder / "config.json").is_file()
    assert not folder.is_relative_to(cache)
    assert "lock" in capsys.readouterr().err


def test_a_temporary_folder_goes_with_the_process(home: Path) -> None:
    code = (
        "from friends_corpus.core.cache import kept_folder\n"
        "print(kept_folder('base', 'x', lambda folder: (folder / 'a').touch()))"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": "/dev/null"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert "warning: no cache" in done.stderr
    assert Path(done.stdout.strip()).is_relative_to(home)
    assert not Path(done.stdout.strip()).exists()


def at_once(home: str, barrier: Any, results: Any) -> None:
    os.environ["HOME"] = home
    barrier.wait()
    cache = open_cache("pages")
    assert cache
    made: list[int] = []
    folder = kept_folder("base", "x", lambda folder: (made.append(1), fill(folder)))
    for number in range(20):
        store(cache, f"entry {number}", VALUE)
    results.put(
        (caches._key().hex(), len(made), all(load(cache, f"entry {n}", Schema) for n in range(20)), folder.name)
    )


@pytest.mark.attack("caches", "several processes at once on an empty cache")
def test_several_processes_at_once(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(4), context.Queue()
    processes = [context.Process(target=at_once, args=(str(home), barrier, results)) for _ in range(4)]
    for process in processes:
        process.start()
    found = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert len({name for name, *_ in found}) == 1
    assert sum(made for _, made, *_ in found) == 1
    assert all(whole for _, _, whole, _ in found)
    assert capfd.readouterr().err == ""
    assert [path.name for path in key(home).parent.iterdir()] == ["key"]
