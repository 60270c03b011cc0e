"""Structured files of others in the place of ours: every command that reads one ends in a line, soon, with exit code 2.

Each row spoils one file in every way below: other content, other values at each key, no file at all. `build`, `check`
and `fetch` say some of it otherwise (1: violations), and some of it is no fault. None may be a traceback or exit 70.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from invented import write_pages

from builders import build, check, diff, explain, export
from friends_corpus import parse
from friends_corpus.core.cli import exit_code
from friends_corpus.core.parquet import read_rows, read_table
from friends_corpus.core.reader import Unreadable

ROOT = Path(__file__).parents[1]
EARLIER = ROOT / "tests" / "guards" / "earlier_run"
SECONDS = 20  # of a command; all ways together take a few
ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**400,
    0.5,
    float("nan"),
    "",
    "\ud800\x1b[31m\u202e",
    "../../../etc/passwd",
    [],
    {},
    [[]],
    {"": {}},
)
CONTENTS: dict[str, bytes] = {
    "empty": b"",
    "null": b"null",
    "list": b"[]",
    "text": b'"x"',
    "number": b"1",
    "many-digits": b"9" * 100_000,
    "NaN": b"NaN",
    "deep": b"[" * 100_000,
    "deep-keys": b'{"a":' * 100_000,
    "NUL": b"\0" * 100,
    "no-text": b"\xff\xfe\xff",
    "two-keys": b'{"a": 1, "a": 2}',
    "large": b" " * 50_000_000,
    "aliases": b"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b]\n",
    "backslashes": b"(" * 5_000 + b"a*" * 5_000,
}
Act = Callable[[Path], int]


def ways(path: Path, values: Any) -> Iterator[str]:
    """Spoil a file in one way after another, and name each."""
    good = path.read_bytes()
    for name, content in CONTENTS.items():
        path.write_bytes(content)
        yield name
    for name, content in {
        "mark": b"\xef\xbb\xbf" + good,
        "utf-16": good.decode().encode("utf-16"),
        "half": good[: len(good) // 2],
        "NUL-inside": good.replace(b'"', b'"\0', 9),
    }.items():
        path.write_bytes(content)
        yield name
    for place in places(values):
        for odd in ODD:
            spoilt = copy.deepcopy(values)
            inner = spoilt
            for key in place[:-1]:
                inner = inner[key]
            inner[place[-1]] = odd
            path.write_text(json.dumps(spoilt), encoding="utf-8")
            yield f"{'.'.join(map(str, place))} = {odd!r:.20}"
        del inner[place[-1]]
        path.write_text(json.dumps(spoilt), encoding="utf-8")
        yield f"no {'.'.join(map(str, place))}"
    path.unlink()
    yield "missing"
    path.mkdir()
    yield "folder"
    path.rmdir()
    os.mkfifo(path)
    yield "pipe"
    path.unlink()
    path.symlink_to("nowhere")
    yield "dangling"
    path.unlink()
    path.symlink_to(path)
    yield "link-to-itself"
    path.unlink()
    path.symlink_to("/dev/zero")
    yield "device"
    path.unlink()
    path.write_bytes(good)


def places(values: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where each kind of value stands: of a list the first one, of a mapping the first few."""
    inner = values.items() if isinstance(values, dict) else enumerate(values[:1]) if isinstance(values, list) else ()
    for key, value in [*inner][:40]:
        yield (*place, key)
        if len(place) < 5:
            yield from places(value, (*place, key))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("foreign")
    pages = write_pages(home / "pages", (1, 2))
    shutil.copytree(ROOT / "tests" / "harbour_lights", home / "show")
    assert build.main(["--pages", str(pages), "--out", str(home / "out"), "--jobs", "1", "--no-cache"]) == 0
    shutil.copytree(home / "out", home / "other")
    for name in ("adapter", "checkpoint-6", "friends-lines"):
        shutil.copytree(EARLIER / name, home / name)
    shutil.copy(EARLIER / "recipe.yaml", home / "recipe.yaml")
    (home / "prompts.yaml").write_text("- {id: a, kind: persona, text: Hi}\n", encoding="utf-8")
    shutil.copy(ROOT / "train" / "bases" / "smollm2-135m.yaml", home / "base.yaml")
    return home


def cleared(path: Path) -> Path:
    shutil.rmtree(path, ignore_errors=True)
    return path


def reading(read: Callable[[Path], object]) -> Act:
    def work(home: Path) -> None:
        read(home)

    return lambda home: exit_code(lambda: work(home), "nothing was written")


def read_recipe(home: Path) -> object:
    from train.settings.recipe import load_recipe

    return load_recipe(None, home / "recipe.yaml", {})


def read_base(home: Path) -> object:
    from train.settings.base_preset import find_base

    return find_base(str(home / "base.yaml"), None)


def read_prompts(home: Path) -> object:
    from train.comparison.prompts import load_prompts

    return load_prompts(home / "prompts.yaml")


def read_adapter(home: Path) -> object:
    from train.adapters.loading import read_run

    return read_run(home / "adapter")


def read_for_bench(home: Path) -> object:
    from train.bench import read_card

    return read_card(home / "adapter")


def read_for_training(home: Path) -> object:
    from train.dataset.loading import load_data

    return load_data(home / "friends-lines", "chunks", "text")


def read_checkpoint(home: Path) -> object:
    from train.training.checkpoints import fault, listed, read_seal

    return fault(home / "checkpoint-6"), listed(home / "checkpoint-6"), read_seal(home / "checkpoint-6")


def replace_adapter(home: Path) -> object:
    from train.adapters.output_folder import check_replaceable

    return check_replaceable(home / "adapter", True)


ACTS: dict[str, tuple[str, Act]] = {  # what is read → the file, the command
    "check-manifest": ("out/manifest.json", lambda home: check.main([str(home / "out")])),
    "check-statistics": ("out/stats.json", lambda home: check.main([str(home / "out")])),
    "check-croissant": ("out/croissant.json", lambda home: check.main([str(home / "out")])),
    "diff": ("out/manifest.json", lambda home: diff.main([str(home / "other"), str(home / "out")])),
    "explain": ("out/manifest.json", lambda home: explain.main([str(home / "out"), "s01e01_c01_u0000", "--pages", str(home / "pages")])),
    "export-csv": ("out/manifest.json", lambda home: export.main([str(home / "out"), "--format", "csv", "--out", str(cleared(home / "csv"))])),
    "export-convokit": ("out/manifest.json", lambda home: export.main([str(home / "out"), "--format", "convokit", "--out", str(cleared(home / "kit"))])),
    "build-over": ("other/manifest.json", lambda home: build.main(["--pages", str(home / "pages"), "--out", str(home / "other"), "--jobs", "1", "--no-cache"])),
    "parse-show": ("show/show.yaml", lambda home: parse.main([str(home / "show" / "sample"), "--show", str(home / "show")])),
    "parse-speakers": ("show/speakers.csv", lambda home: parse.main([str(home / "show" / "sample"), "--show", str(home / "show")])),
    "recipe": ("recipe.yaml", reading(read_recipe)),
    "base-preset": ("base.yaml", reading(read_base)),
    "prompts": ("prompts.yaml", reading(read_prompts)),
    "run": ("adapter/run.json", reading(read_adapter)),
    "bench-run": ("adapter/run.json", reading(read_for_bench)),
    "replace-run": ("adapter/run.json", reading(replace_adapter)),
    "train-manifest": ("friends-lines/manifest.json", reading(read_for_training)),
    "seal": ("checkpoint-6/seal.json", reading(read_checkpoint)),
}  # fmt: skip
SLOW = {"build-over", "check-statistics", "check-croissant", "check-manifest", "parse-show"}  # a second each


def values_of(path: Path) -> Any:
    with suppress(ValueError):
        return json.loads(path.read_bytes())
    return yaml.safe_load(path.read_bytes()) if path.suffix == ".yaml" else None


def hurried(act: Act, home: Path) -> int:
    """Do it, or fail after some seconds."""

    def late(*_: object) -> None:
        raise AssertionError("it hangs")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        return act(home)
    finally:
        signal.alarm(0)


@pytest.mark.slow
@pytest.mark.attack("foreign files", "a structured file of any content")
@pytest.mark.parametrize("name", ACTS)
def test_a_spoilt_file_is_a_line(
    name: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil_all(name, home, tmp_path, monkeypatch, capsys, every=61 if name in SLOW else 13)


@pytest.mark.soak
@pytest.mark.parametrize("name", ACTS)
def test_a_file_spoilt_in_every_way_is_a_line(
    name: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil_all(name, home, tmp_path, monkeypatch, capsys, every=1)


def spoil_all(name: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, every: int) -> None:
    """Spoil a file in all ways that spoil the whole of it, and in each so many others."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    file, act = ACTS[name]
    kept = (home / file).read_bytes()
    bad = []
    for number, way in enumerate(ways(home / file, values_of(home / file))):
        if " = " in way and number % every:
            continue
        capsys.readouterr()
        code = hurried(act, home)
        said = capsys.readouterr().err
        if code not in (0, 1, 2) or "Traceback" in said or (code == 2 and len(said.splitlines()) != 1):
            bad.append(f"{way}: {code}: {said[:300]}")
    (home / file).unlink(missing_ok=True)
    (home / file).write_bytes(kept)
    assert not bad, "\n".join(bad[:20])


def repeated(text: str, times: int) -> pa.Table:
    return pa.table({"id": pa.DictionaryArray.from_arrays(pa.array([0] * times, pa.int32()), pa.array([text]))})


def no_text() -> pa.Table:
    return pa.table({"id": pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff\xfe"]).buffers())})


@pytest.mark.attack("foreign files", "a Parquet file that says or holds too much")
@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(lambda: pa.table({"id": ["x"] * 5_100_000}), "5,100,000 rows", id="rows"),
        pytest.param(lambda: pa.table({f"c{number}": [1] for number in range(300)}), "300 columns", id="columns"),
        pytest.param(lambda: pa.table({"id": ["y" * 90_000_000] * 6}), "bytes uncompressed", id="long-texts"),
        pytest.param(lambda: repeated("y" * 1_000_000, 1_000_000), "dictionary", id="one-text-a-million-times"),
        pytest.param(no_text, "UTF8", id="no-text"),
        pytest.param(lambda: b"", "no Parquet file", id="empty"),
        pytest.param(lambda: b"PAR1" + b"\xff" * 40 + b"PAR1", "no Parquet file", id="no-metadata"),
        pytest.param(lambda: None, "No such file", id="missing"),
        pytest.param(os.mkfifo, "pipe or a device", id="pipe"),
        pytest.param(Path.mkdir, "", id="folder"),
    ],
)
def test_a_hostile_parquet_file(make: Callable[..., Any], words: str, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    content = make(path) if make in (os.mkfifo, Path.mkdir) else make()
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        pq.write_table(
            content, path, compression="zstd", use_dictionary=["id"] if "id" in content.column_names else False
        )
    for read in (read_table, lambda path: [*read_rows(path)]):
        with pytest.raises(Unreadable, match=words) as caught:
            read(path)
        assert str(path) in str(caught.value)


def test_a_parquet_file_is_read_as_it_is(tmp_path: Path) -> None:
    table = pa.table({"id": ["a", None], "turns": [[{"role": "user"}], []]}).replace_schema_metadata(
        {"huggingface": "{}"}
    )
    pq.write_table(table, tmp_path / "x.parquet")
    pq.write_table(table.slice(0, 0), tmp_path / "y.parquet")
    assert read_table(tmp_path / "x.parquet").equals(pq.read_table(tmp_path / "x.parquet"), check_metadata=True)
    assert [*read_rows(tmp_path / "x.parquet")] == table.to_pylist()
    assert read_table(tmp_path / "y.parquet").schema == pq.read_schema(tmp_path / "y.parquet")
