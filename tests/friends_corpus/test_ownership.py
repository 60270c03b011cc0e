"""Only what is ours by a record or a marker is replaced or removed; all else stays, byte for byte."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from friends_corpus.core.cli import InputError
from friends_corpus.core.files import MARKER, OLD, heal, locked, mark, open_new, replacing, staged, sweep, write_whole
from friends_corpus.core.ownership import check_ours, describe_files, read_listed

RECORD = "record.json"


def tree(folder: Path) -> dict[str, str]:
    """Every file, link and empty folder below a folder, with what is in it."""
    return {
        str(path.relative_to(folder)): str(path.readlink()) if path.is_symlink() else path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or not path.is_dir()
    }


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    folder = tmp_path / "ours"
    (folder / "sub").mkdir(parents=True)
    (folder / "README.md").write_text("a card")
    (folder / "sub" / "rows").write_text("rows")
    (folder / RECORD).write_text(json.dumps({"files": describe_files(folder, RECORD)}))
    return folder


def link(path: Path) -> None:
    """Put a link to a copy in the place of a file."""
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


@pytest.mark.attack("the user's files", "files in an output folder")
@pytest.mark.parametrize(
    ("harm", "named", "with_overwrite"),
    [
        pytest.param(lambda f: None, "", True, id="as-written"),
        pytest.param(lambda f: (f / "README.md").unlink(), "", True, id="missing"),
        pytest.param(lambda f: (f / ".DS_Store").touch(), "", True, id="of-a-desktop"),
        pytest.param(lambda f: (f / "README.md").write_text("my card"), "README.md", True, id="edited"),
        pytest.param(lambda f: (f / "README.md").write_text("b card"), "README.md", True, id="edited-same-size"),
        pytest.param(lambda f: (f / "sub" / "rows").write_text(""), "sub/rows", True, id="edited-below"),
        pytest.param(lambda f: (f / "notes.txt").touch(), "notes.txt", False, id="foreign"),
        pytest.param(lambda f: (f / "sub" / "rows.bak").touch(), "sub/rows.bak", False, id="foreign-below"),
        pytest.param(lambda f: (f / ".hidden").touch(), ".hidden", False, id="hidden"),
        pytest.param(lambda f: link(f / "README.md"), "README.md", False, id="a-link-for-a-file"),
        pytest.param(lambda f: (f / "sub2").symlink_to("sub"), "sub2", False, id="a-link-to-a-folder"),
        pytest.param(lambda f: (f / "gone").symlink_to("nowhere"), "gone", False, id="a-link-to-nothing"),
        pytest.param(
            lambda f: (f / ".DS_Store").symlink_to("sub"), ".DS_Store", False, id="a-link-named-as-a-desktops"
        ),
        pytest.param(lambda f: os.mkfifo(f / "pipe"), "pipe", False, id="a-pipe"),
    ],
)
def test_only_what_is_listed_and_unchanged_may_be_replaced(
    ours: Path, harm: Callable[[Path], None], named: str, with_overwrite: bool
) -> None:
    harm(ours)
    for overwrite in (False, True):
        listed = {RECORD: None, **(read_listed(ours / RECORD) or {})}
        if not named or (overwrite and with_overwrite):
            check_ours(ours, listed, "build", overwrite)
        else:
            with pytest.raises(InputError) as error:
                check_ours(ours, listed, "build", overwrite)
            assert named in str(error.value) and "move it away" in str(error.value)


@pytest.mark.attack("the user's files", "records that list no hashes")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"files": ["a"]}',
        '{"files": {"a": {"bytes": 1}}}',
        '{"files": {"a": null}}',
        "[" * 100_000,
    ],
)
def test_what_lists_no_hashes_lists_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / RECORD).write_text(text)
    assert read_listed(tmp_path / RECORD) is None


def full(folder: Path) -> None:
    folder.mkdir()
    (folder / "years").write_text("of work")


def marked_for(target: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        mark(folder, target)
        (folder / "half").write_text("x")

    return make


def marker(folder: Path, text: str) -> None:
    folder.mkdir()
    (folder / MARKER).write_text(text)
    (folder / "years").write_text("of work")


def marked_elsewhere(folder: Path) -> None:
    """A link to a folder that is marked."""
    marked_for("out")(folder.with_name("real"))
    folder.symlink_to("real")


@pytest.mark.attack("the user's files", "names like our leftovers")
@pytest.mark.parametrize(
    ("name", "make", "kept"),
    [
        pytest.param(".out.0d1fa973", marked_for("out"), False, id="marked"),
        pytest.param(".out.0d1fa973", Path.mkdir, False, id="killed-before-its-marker"),
        pytest.param(".out.0d1fa973", full, True, id="random-name-alone"),
        pytest.param(".out.0d1fa973", marked_for("other"), True, id="marked-for-another"),
        pytest.param(".out.0d1fa973", lambda f: marker(f, ""), True, id="empty-marker-and-a-file"),
        pytest.param(".out.0d1fa973", lambda f: marker(f, '{"tool": "npm", "target": "out"}'), True, id="other-tool"),
        pytest.param(".out.0d1fa973", lambda f: marker(f, "["), True, id="no-json"),
        pytest.param(
            ".out.0d1fa973", lambda f: full(f.joinpath(MARKER)) if f.mkdir() is None else None, True, id="folder"
        ),
        pytest.param(".out.0d1fa973", marked_elsewhere, True, id="a-link"),
        pytest.param(".out.0d1fa973", lambda f: f.write_text("mine") and None, True, id="a-file"),
        pytest.param(".out.old", full, True, id="old"),
        pytest.param(".out.building-99999", full, True, id="building"),
        pytest.param(".out.building-mine", marked_for("out"), True, id="another-name-marked"),
        pytest.param(".out.12345.part", lambda f: f.write_text("mine") and None, True, id="part"),
        pytest.param(".out.part", lambda f: f.write_text("mine") and None, True, id="part-without-number"),
    ],
)
def test_leftovers_without_our_marker_are_reported_and_never_deleted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, make: Callable[[Path], None], kept: bool
) -> None:
    make(tmp_path / name)
    before = tree(tmp_path)
    for tidy in (lambda: heal(tmp_path / "out"), lambda: sweep(tmp_path)):
        tidy()
        assert os.path.lexists(tmp_path / name) == kept
        assert tree(tmp_path) == (before if kept else {})
        assert capsys.readouterr().err.count(name) == kept


@pytest.mark.attack("the user's files", "names like our leftovers")
def test_other_names_are_nobody_s_leftovers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in (".outer.old", ".out.d", ".out.gitignore", ".x.out.0d1fa973", "out.old"):
        (tmp_path / name).write_text("mine")
    marked_for("outer")(tmp_path / ".outer.0d1fa973")
    heal(tmp_path / "out")
    assert (tmp_path / ".outer.0d1fa973" / "half").exists()
    assert capsys.readouterr().err == ""


def test_a_folder_that_a_kill_left_aside_is_put_back_once(tmp_path: Path) -> None:
    """On systems without an exchange of names; a new folder of that name is never replaced by it."""
    for there in (False, True):
        marked_for("out")(tmp_path / ".out.0d1fa973")
        full(tmp_path / ".out.0d1fa973" / OLD)
        if there:
            (tmp_path / "out" / "years").write_text("newer")
        heal(tmp_path / "out")
        assert tree(tmp_path) == {"out/years": "newer" if there else "of work"}


@pytest.mark.attack("the user's files", "failures while replacing")
def test_a_failed_rename_puts_the_old_folder_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full(tmp_path / "out")
    monkeypatch.setattr("friends_corpus.core.files.exchange", lambda left, right: False)
    real = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError(28, "No space left on device")
        return real(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", failing)
        with pytest.raises(OSError, match="No space"), staged(tmp_path / "out") as folder:
            (folder / "new").touch()
    assert tree(tmp_path) == {"out/years": "of work"}


@pytest.mark.attack("the user's files", "failures while replacing")
def test_a_last_check_keeps_what_came_meanwhile(tmp_path: Path) -> None:
    full(tmp_path / "out")

    def check() -> None:
        raise InputError("not yours")

    with pytest.raises(InputError), staged(tmp_path / "out", check) as folder:
        (folder / "new").touch()
    assert tree(tmp_path) == {"out/years": "of work"}


def test_names_are_never_the_same_and_old_ones_are_not_written_to(tmp_path: Path) -> None:
    seen = set()
    for _ in range(5):
        with replacing(tmp_path / "a", durable=False) as part:
            seen.add(part.parent.name)
            assert (part.parent / MARKER).is_file()
            part.touch()
    assert len(seen) == 5
    (tmp_path / f".a.{os.getpid()}.part").write_text("mine")
    (tmp_path / "target").write_text("mine")
    (tmp_path / "a").unlink()
    (tmp_path / "a").symlink_to("target")
    write_whole(tmp_path / "a", "ours")
    assert (tmp_path / "target").read_text() == (tmp_path / f".a.{os.getpid()}.part").read_text() == "mine"
    assert not (tmp_path / "a").is_symlink()


@pytest.mark.attack("the user's files", "locks that are none")
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda path: path.write_text("mine"), id="a-file"),
        pytest.param(lambda path: path.symlink_to("real"), id="a-link"),
        pytest.param(lambda path: path.symlink_to("nowhere"), id="a-link-to-nothing"),
        pytest.param(full, id="a-folder"),
    ],
)
def test_a_lock_that_is_none_stays(tmp_path: Path, make: Callable[[Path], object]) -> None:
    (tmp_path / "real").write_text("mine")
    make(tmp_path / ".out.lock")
    before = tree(tmp_path)
    with pytest.raises(OSError, match=r"\.out\.lock"), locked(tmp_path / "out"):
        pass
    assert tree(tmp_path) == before


@pytest.mark.attack("the user's files", "locks that are none")
def test_a_lock_that_somebody_wrote_to_stays(tmp_path: Path) -> None:
    with locked(tmp_path / "out"):
        (tmp_path / ".out.lock").write_text("mine")
    assert tree(tmp_path) == {".out.lock": "mine"}


@pytest.mark.attack("the user's files", "files in an output folder")
def test_a_file_that_is_there_is_no_new_output(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("mine", "link"):
        with pytest.raises(InputError, match=f"{name} is there already"):
            open_new(tmp_path / name)
    with open_new(tmp_path / "new") as file:
        file.write("ours")
    with open_new(Path(os.devnull)) as file:
        file.write("gone")
    assert tree(tmp_path) == {"link": "nowhere", "mine": "mine", "new": "ours"}
