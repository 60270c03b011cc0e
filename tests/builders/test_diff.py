"""builders.diff: each change of a page or of the folder, the rows it reports and the version it asks for."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from invented import page, write_pages

from builders import build, diff
from builders.configs.schema import CONFIGS

pytestmark = pytest.mark.slow  # each case builds a folder or starts a heavy library


def make(pages: Path, out: Path, version: str = "1.0.0", *options: str) -> Path:
    arguments = ["--pages", str(pages), "--out", str(out), "--jobs", "1", "--no-cache", "--version", version, *options]
    assert build.main(arguments) == 0
    return out


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("diff")
    return make(write_pages(home / "pages"), home / "old")


@pytest.fixture
def pages(old: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(old.parent / "pages", tmp_path / "pages"))


@pytest.fixture
def new(old: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(old, tmp_path / "new"))


def run(old: Path, new: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, list[str]]:
    capsys.readouterr()
    code = diff.main([str(old), str(new), *options])
    return code, capsys.readouterr().out.splitlines()


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


def table(folder: Path, path: str, change: Callable[[pa.Table], pa.Table]) -> None:
    pq.write_table(change(pq.read_table(folder / path, partitioning=None)), folder / path)


def manifest(folder: Path, change: Callable[[dict], object]) -> None:
    values = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    change(values)
    (folder / "manifest.json").write_text(json.dumps(values), encoding="utf-8")


def test_nothing_changed(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(old, old, capsys) == (
        0,
        [
            "lines: no change in 48 rows",
            "named_lines: no change in 48 rows",
            "chunks: no change in 8 rows",
            "chat: no change in 40 rows",
            "speakers: no change in 6 rows",
            "step: none; the version stays 1.0.0, which is right",
        ],
    )


def test_a_text_is_a_patch(old: Path, pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(pages / "0103.html", "My violin number 3 is bigger than yours, 0 times.", "My violin is best.")
    code, printed = run(old, make(pages, tmp_path / "new", "1.0.1"), capsys)
    assert code == 0
    assert printed == [
        "lines: 48 rows before, 48 after: 0 added, 0 removed, 1 changed",
        "  changed text: 1: s01e03_c01_u0000",
        "  changed text_with_directions: 1: s01e03_c01_u0000",
        "named_lines: 48 rows before, 48 after: 0 added, 0 removed, 1 changed",
        "  changed text: 1: s01e03_c01_u0000",
        "  changed text_with_directions: 1: s01e03_c01_u0000",
        "chunks: 8 rows before, 8 after: 0 added, 0 removed, 1 changed",
        "  changed turns: 1: s01e03_c01_k01",
        "  changed text: 1: s01e03_c01_k01",
        "  changed text_with_directions: 1: s01e03_c01_k01",
        "chat: 40 rows before, 40 after: 0 added, 0 removed, 4 changed",
        "  changed prompt: 4: s01e03_c01_u0001, s01e03_c01_u0002, s01e03_c01_u0003, s01e03_c01_u0004",
        "speakers: 6 rows before, 6 after: 0 added, 0 removed, 1 changed",
        "  changed words: 1: rachel-green",
        "step: patch; the version goes from 1.0.0 to 1.0.1, which is right",
    ]


def test_rows_are_minor(old: Path, pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pages / "0105.html").write_text(page(5), encoding="utf-8")
    (pages / "0104.html").unlink()
    code, printed = run(old, make(pages, tmp_path / "new", "1.0.9"), capsys)
    assert code == 1
    assert printed[0].startswith("lines: 48 rows before, 48 after: 12 added, 12 removed, ")
    assert printed[1:3] == [
        "  added: s01e05_c01_u0000, s01e05_c01_u0001, s01e05_c01_u0002, s01e05_c01_u0003, s01e05_c01_u0004, …",
        "  removed: s01e04_c01_u0000, s01e04_c01_u0001, s01e04_c01_u0002, s01e04_c01_u0003, s01e04_c01_u0004, …",
    ]
    assert printed[-1] == ("step: minor; the version goes from 1.0.0 to 1.0.9, which is too little: at least 1.1.0")


def test_longer_chunks_are_minor(old: Path, pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, printed = run(old, make(pages, tmp_path / "new", "1.1.0", "--chunk-chars", "150"), capsys)
    assert code == 0
    assert printed[:2] == ["lines: no change in 48 rows", "named_lines: no change in 48 rows"]
    assert printed[-1] == "step: minor; the version goes from 1.0.0 to 1.1.0, which is right"


def test_a_row_that_changes_its_split_is_minor(old: Path, new: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"lines/{split}-00000-of-00001.parquet" for split in ("test", "validation")]
    for name, other in zip(names, reversed(names), strict=True):
        shutil.copy(old / name, new / other)
    code, printed = run(old, new, capsys)
    assert code == 1
    assert printed[:2] == [
        "lines: 48 rows before, 48 after: 0 added, 0 removed, 24 changed",
        "  changed split: 24: s01e02_c01_u0000, s01e02_c01_u0001, s01e02_c01_u0002, s01e02_c01_u0003, s01e02_c01_u0004, …",
    ]


SCENE = CONFIGS["lines"].features.arrow_schema.get_field_index("scene")


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        pytest.param(lambda t: t.drop_columns("cue"), "column 'cue' was removed", id="gone"),
        pytest.param(
            lambda t: t.append_column("mood", pa.array(["sad"] * len(t))), "column 'mood' was added", id="new"
        ),
        pytest.param(
            lambda t: t.set_column(SCENE, "scene", t["scene"].cast(pa.int64())),
            "column 'scene' changed its type from int32 to int64",
            id="type",
        ),
        pytest.param(
            lambda t: t.select(["season", "id", *t.column_names[2:]]), "the columns are in another order", id="order"
        ),
    ],
)
def test_a_schema_is_major(
    change: Callable[[pa.Table], pa.Table], difference: str, old: Path, new: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for split in ("train", "validation", "test"):
        table(new, f"lines/{split}-00000-of-00001.parquet", change)
    manifest(new, lambda values: values.update(version="1.9.9"))
    code, printed = run(old, new, capsys)
    assert code == 1
    assert printed[0] == "lines: 48 rows before, 48 after: 0 added, 0 removed, 0 changed"
    assert printed[1] == f"  schema: {difference}"
    assert printed[-1] == "step: major; the version goes from 1.0.0 to 1.9.9, which is too little: at least 2.0.0"


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        pytest.param(lambda t: t.drop_columns("cue"), "column 'cue' was removed", id="gone"),
        pytest.param(
            lambda t: t.set_column(SCENE, "scene", t["scene"].cast(pa.int64())),
            "column 'scene' changed its type from int32 to int64",
            id="type",
        ),
    ],
)
@pytest.mark.parametrize("splits", [["train"], ["train", "test"]], ids=" and ".join)
def test_a_schema_of_some_splits_is_major(
    splits: list[str],
    change: Callable[[pa.Table], pa.Table],
    difference: str,
    old: Path,
    new: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for split in splits:
        table(new, f"lines/{split}-00000-of-00001.parquet", change)
    code, printed = run(old, new, capsys)
    assert code == 1
    assert printed[:2] == [
        "lines: 48 rows before, 48 after: 0 added, 0 removed, 0 changed",
        f"  schema: in {' and '.join(splits)}: {difference}",
    ]
    assert printed[-1].startswith("step: major; ")


def test_a_config_that_goes_or_comes(old: Path, new: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest(new, lambda values: values["configs"].pop("chunks"))
    code, printed = run(old, new, capsys)
    assert code == 1
    assert "chunks: 8 rows before, 0 after: 0 added, 8 removed, 0 changed" in printed
    assert "  schema: the config was removed" in printed
    assert printed[-1].startswith("step: major; ")
    code, printed = run(new, old, capsys)
    assert printed[-1].startswith("step: minor; ")


def test_one_character_instead_of_all_is_minor(
    old: Path, pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, printed = run(old, make(pages, tmp_path / "new", "1.1.0", "--character", "Ross"), capsys)
    assert code == 0
    assert [line for line in printed if "added" in line] == [
        "chat: 40 rows before, 6 after: 0 added, 34 removed, 0 changed"
    ]
    assert printed[-1] == "step: minor; the version goes from 1.0.0 to 1.1.0, which is right"


def test_another_order_is_a_patch(old: Path, new: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table(new, "chunks/train-00000-of-00001.parquet", lambda t: t.take([1, 0, 2, 3]))
    code, printed = run(old, new, capsys)
    assert code == 1
    assert printed[3] == "  rows are in another order"
    assert printed[-1].startswith("step: patch; the version stays 1.0.0, which is too little: at least 1.0.1")


@pytest.mark.parametrize(
    ("old_version", "new_version", "step", "enough"),
    [
        ("1.0.0", "1.0.0", "none", True),
        ("1.0.0", "1.0.1", "none", True),
        ("1.0.1", "1.0.0", "none", False),
        ("1.0.0", "1.0.0", "patch", False),
        ("1.0.9", "1.0.10", "patch", True),
        ("1.0.0", "1.1.0", "patch", True),
        ("1.9.0", "1.10.0", "minor", True),
        ("1.2.3", "1.3.0", "minor", True),
        ("1.2.3", "1.2.9", "minor", False),
        ("1.2.3", "2.0.0", "minor", True),
        ("1.2.3", "1.9.0", "major", False),
        ("1.2.3", "2.0.0", "major", True),
        ("2.0.0", "1.0.0", "major", False),
    ],
)
def test_versions(old_version: str, new_version: str, step: str, enough: bool) -> None:
    old, new = diff.parsed(old_version), diff.parsed(new_version)
    assert (new >= diff.raised(old, step)) is enough
    assert ("too little" not in diff.verdict(old, new, step)) is enough


def test_json(old: Path, pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(pages / "0103.html", "My violin", "My “violin”")
    (pages / "0104.html").unlink()
    new = make(pages, tmp_path / "new", "1.1.0")
    report = tmp_path / "changes.json"
    assert run(old, new, capsys, "--json", str(report))[0] == 0
    changes = json.loads(report.read_text(encoding="utf-8"))
    assert run(old, new, capsys, "--json", str(report))[0] == 2  # a file that is there stays
    assert {key: changes[key] for key in ("old", "new", "step", "at_least", "enough")} == {
        "old": "1.0.0",
        "new": "1.1.0",
        "step": "minor",
        "at_least": "1.1.0",
        "enough": True,
    }
    lines = changes["configs"]["lines"]
    assert (lines["rows_old"], lines["rows_new"], len(lines["removed"]), lines["added"]) == (48, 36, 12, [])
    assert lines["changed"] == {"s01e03_c01_u0000": ["text", "text_with_directions"]}
    assert run(old, new, capsys, "--json", str(tmp_path / "nowhere" / "x.json"))[0] == 1


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(lambda f: (f / "manifest.json").unlink(), "(no manifest.json of ours)", id="none"),
        pytest.param(
            lambda f: manifest(f, lambda m: m.update(version="new")), "manifest.json: version: ", id="version"
        ),
        pytest.param(lambda f: manifest(f, lambda m: m.pop("configs")), "manifest.json: configs: ", id="configs"),
        pytest.param(
            lambda f: (f / "lines/train-00000-of-00001.parquet").unlink(), "run: python -m builders.check", id="file"
        ),
        pytest.param(
            lambda f: (f / "lines/train-00000-of-00001.parquet").write_bytes(b""), "no Parquet file: ", id="no Parquet"
        ),
        pytest.param(
            lambda f: table(f, "chunks/train-00000-of-00001.parquet", lambda t: pa.concat_tables([t, t])),
            "duplicate id s01e03_c01_k01; run: python -m builders.check",
            id="id twice",
        ),
    ],
)
def test_no_dataset(
    spoil: Callable[[Path], object], message: str, old: Path, new: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(new)
    for pair in ([old, new], [new, old]):
        assert diff.main([str(folder) for folder in pair]) == 2
        [error] = capsys.readouterr().err.splitlines()
        assert error.startswith("error: ")
        assert str(new) in error
        assert message in error


@pytest.mark.slow
def test_as_typed(old: Path) -> None:
    command = [sys.executable, "-m", "builders.diff", "old", "old"]
    run = subprocess.run(command, capture_output=True, text=True, cwd=old.parent)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.endswith("step: none; the version stays 1.0.0, which is right\n")
