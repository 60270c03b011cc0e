"""builders.check: every violation is a row here that spoils a good folder and expects the line that names it."""

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
from invented import write_pages

from builders import build, check, explain
from builders.schema import FEATURES

pytestmark = pytest.mark.slow  # each case builds a folder or starts a heavy library

LINES, NAMED, CHUNKS, CHAT = (f"{config}/train-00000-of-00001.parquet" for config in FEATURES)
FIRST = "s01e03_c01_u0000"  # the first line of the split train
SECOND = "s01e03_c01_u0001"  # the first line that answers somebody
PROMPT = "is not a system message, then user and assistant in turns, a user last"
SPEECH = "My violin number 3 is bigger than yours, 0 times."
BY_HASH = ("sha256", "bytes, not", "its files make it", "does not follow")  # what any edit of a file breaks as well
Spoil = Callable[[Path], object]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("check")
    pages = write_pages(home / "pages")
    assert build.main(["--pages", str(pages), "--out", str(home / "out"), "--jobs", "1", "--no-cache"]) == 0
    return home / "out"


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "friends-lines"))


def violations(folder: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The violations printed, without those of hashes that any edit of a file breaks."""
    capsys.readouterr()
    code = check.main([str(folder)])
    printed = capsys.readouterr().out.splitlines()
    found = [line.removeprefix("violation: ") for line in printed if line.startswith("violation: ")]
    assert code == (1 if found else 0)
    return [line for line in found if not any(word in line for word in BY_HASH)]


def table(path: str, change: Callable[[pa.Table], pa.Table]) -> Spoil:
    """Writes the file again, changed."""
    return lambda folder: pq.write_table(change(pq.read_table(folder / path, partitioning=None)), folder / path)


def rows(path: str, change: Callable[[list[dict]], list[dict] | None]) -> Spoil:
    """Writes the file again with other rows; `change` edits the list or returns another one."""

    def changed(old: pa.Table) -> pa.Table:
        values = old.to_pylist()
        return pa.Table.from_pylist(change(values) or values, schema=old.schema)

    return table(path, changed)


def cell(path: str, row: int, column: str, value: object) -> Spoil:
    return rows(path, lambda values: values[row].update({column: value}))


def manifest(change: Callable[[dict], object]) -> Spoil:
    def spoil(folder: Path) -> None:
        values = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        change(values)
        (folder / "manifest.json").write_text(json.dumps(values), encoding="utf-8")

    return spoil


def text(path: str, old: str, new: str) -> Spoil:
    def spoil(folder: Path) -> None:
        before = (folder / path).read_text(encoding="utf-8")
        assert old in before
        (folder / path).write_text(before.replace(old, new, 1), encoding="utf-8")

    return spoil


def in_all_configs(row: int, column: str, value: object) -> Spoil:
    """A line changed in `lines` and `named_lines` alike."""

    def spoil(folder: Path) -> None:
        for path in (LINES, NAMED):
            cell(path, row, column, value)(folder)

    return spoil


def test_a_good_folder(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main([str(built)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{built}: 48 lines, 48 named_lines, 8 chunks, 40 chat",
        "0 violations, 0 warnings",
    ]


def test_the_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build.main(["--out", str(tmp_path / "sample"), "--jobs", "1", "--no-cache"]) == 0
    assert violations(tmp_path / "sample", capsys) == []


def test_specials_are_season_or_episode_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages = write_pages(tmp_path / "pages", range(3), season=0)
    assert build.main(["--pages", str(pages), "--out", str(tmp_path / "out"), "--jobs", "1", "--no-cache"]) == 0
    assert violations(tmp_path / "out", capsys) == []
    assert explain.main([str(tmp_path / "out"), "s00e00_c01_u0000", "--pages", str(pages)]) == 0


# Files and hashes: here the lines about hashes are what is expected.


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        pytest.param(lambda f: (f / LINES).unlink(), f"{LINES}: is missing", id="missing Parquet"),
        pytest.param(lambda f: (f / "plots/speakers.png").unlink(), "plots/speakers.png: is missing", id="missing plot"),
        pytest.param(lambda f: (f / "README.md").unlink(), "README.md: is missing", id="missing card"),
        pytest.param(lambda f: (f / "stats.json").unlink(), "stats.json: is missing", id="missing statistics"),
        pytest.param(lambda f: (f / "load.py").touch(), "load.py: is not in manifest.json", id="foreign file"),
        pytest.param(lambda f: (f / "lines/x.parquet").touch(), "lines/x.parquet: is not in manifest.json", id="in a config"),
        pytest.param(lambda f: (f / "link").symlink_to(f / "lines"), "link: is not in manifest.json", id="foreign link"),
        pytest.param(text("README.md", "Friends", "FRIENDS"), "README.md: has not the sha256 of manifest.json", id="card edited"),
        pytest.param(text("stats.json", "{", "{ "), "stats.json: has", id="other length"),
        pytest.param(cell(LINES, 0, "text", "Oh."), f"{LINES}: has", id="row edited"),
        pytest.param(cell(LINES, 0, "text", "Oh."), "README.md: config lines has version", id="version by content"),
        pytest.param(lambda f: (f / LINES).write_bytes(b"PAR1"), f"{LINES}: is no Parquet file: ", id="no Parquet"),
        pytest.param(rows(LINES, lambda r: r[:-1]), f"{LINES}: has 23 rows, not 24 as in manifest.json", id="row gone"),
        pytest.param(rows(CHUNKS, lambda r: r[:-1]), "stats.json: says 8 chunks, there are 7", id="chunk gone"),
        pytest.param(
            manifest(lambda m: m["configs"]["lines"]["splits"]["train"].update(rows=25)),
            f"{LINES}: has 24 rows, not 25 as in manifest.json",
            id="row count",
        ),
        pytest.param(
            manifest(lambda m: m["files"]["README.md"].update(sha256="0" * 64)),
            "README.md: has not the sha256 of manifest.json",
            id="hash",
        ),
        pytest.param(
            manifest(lambda m: m["files"].pop(CHUNKS)),
            f"manifest.json: configs: chunks.train and files do not agree on '{CHUNKS}'",
            id="not listed",
        ),
        pytest.param(
            manifest(lambda m: m["files"].update({"../secret": m["files"]["README.md"]})),
            "manifest.json: files: '../secret' leaves the folder",
            id="outside",
        ),
        pytest.param(
            manifest(lambda m: m["configs"]["chunks"].update(version="1.2.3")),
            "manifest.json: configs: chunks.version does not follow from the hashes",
            id="version of a config",
        ),
        pytest.param(manifest(lambda m: m["configs"].pop("chunks")), "manifest.json: configs: 'chunks' is missing", id="no config"),
        pytest.param(manifest(lambda m: m["configs"].pop("chat")), "stats.json: says 40 chat, there are 0", id="no chat"),
        pytest.param(manifest(lambda m: m["show"].pop("cast")), "manifest.json: show.cast: Field required", id="no cast"),
        pytest.param(manifest(lambda m: m.update(version="1.0")), "manifest.json: version: String should match", id="version"),
        pytest.param(manifest(lambda m: m.pop("pages")), "manifest.json: pages: Field required", id="no pages"),
        pytest.param(manifest(lambda m: m.update(configs=3)), "manifest.json: configs: Input should be", id="type"),
        pytest.param(text("README.md", "num_examples: 24", "num_examples: 25"), "README.md: config lines has other row counts than the manifest", id="card: rows"),
        pytest.param(text("README.md", f"path: {LINES}", "path: x"), "README.md: config lines lists other files than the manifest", id="card: files"),
        pytest.param(text("README.md", "config_name: chunks", "config_name: talk"), "README.md: config chunks is not in its metadata", id="card: config"),
        pytest.param(text("README.md", "---", "--- {[:"), "README.md: its metadata cannot be read: ", id="card: no YAML"),
        pytest.param(text("stats.json", "{", "["), "stats.json: cannot be read", id="statistics: no JSON"),
    ],
)  # fmt: skip
def test_files(spoil: Spoil, expected: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(folder)
    capsys.readouterr()
    assert check.main([str(folder)]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert [line for line in printed if line.startswith(f"violation: {expected}")]


@pytest.mark.parametrize("name", [".git/config", ".gitattributes", ".cache/huggingface/x", "lines/.DS_Store"])
def test_files_that_come_from_elsewhere(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).touch()
    assert violations(folder, capsys) == []


# Schema.


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(lambda t: t.drop_columns("cue"), f"{LINES}: column cue: is missing", id="missing"),
        pytest.param(lambda t: t.append_column("mood", pa.nulls(len(t))), f"{LINES}: column mood: is unknown", id="unknown"),
        pytest.param(
            lambda t: t.set_column(7, "scene", t["scene"].cast(pa.int64())),
            f"{LINES}: column scene: is of type int64, not int32",
            id="type",
        ),
        pytest.param(lambda t: t.select(["season", "id", *t.column_names[2:]]), f"{LINES}: columns are in the order season, id, ", id="order"),
        pytest.param(
            lambda t: t.replace_schema_metadata({b"huggingface": json.dumps({"info": {"features": {"id": {"dtype": "int8", "_type": "Value"}}}})}),
            f"{LINES}: the Features in its metadata are not those of builders.schema",
            id="metadata",
        ),
        pytest.param(
            lambda t: t.replace_schema_metadata(),
            f"{LINES}: the Features in its metadata are not those of builders.schema",
            id="no metadata",
        ),
    ],
)  # fmt: skip
def test_schema(
    change: Callable[[pa.Table], pa.Table], expected: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table(LINES, change)(folder)
    [line] = violations(folder, capsys)
    assert line.startswith(expected)


# Rows.


def turn(number: int, key: str, value: str | None) -> Spoil:
    return rows(CHUNKS, lambda values: values[0]["turns"][number].update({key: value}))


def message(column: str, number: int, key: str, value: str | None) -> Spoil:
    return rows(CHAT, lambda values: values[0][column][number].update({key: value}))


def swap(values: list[dict]) -> list[dict]:
    return [values[1], values[0], *values[2:]]


def move_line(values: list[dict]) -> None:
    """The last line of the first chunk → the second chunk, with all that belongs to it."""
    first, second = values[:2]
    for column in ("line_ids", "turns"):
        second[column].insert(0, first[column].pop())
    for chunk in (first, second):
        chunk["text"] = "\n".join(f"{turn['speaker']}: {turn['text']}" for turn in chunk["turns"])
        chunk["speakers"] = list(dict.fromkeys(turn["speaker"] for turn in chunk["turns"]))
    moved = "Monica: (smiling) My scarf number 3 is bigger than yours, 5 times.\n"
    second["text_with_directions"] = moved + second["text_with_directions"]


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        pytest.param(cell(LINES, 2, "speaker", None), [f"{LINES}: row 2 (s01e03_c01_u0002), column speaker: is null"], id="null speaker"),
        pytest.param(in_all_configs(2, "speaker", " "), [f"{path}: row 2 (s01e03_c01_u0002), column speaker: {rule}" for path in (LINES, NAMED) for rule in ("is blank: ' '", "is not the speakers: ' '")], id="blank speaker"),
        pytest.param(in_all_configs(2, "speaker", "Joey and Ross"), [f"{LINES}: row 2 (s01e03_c01_u0002), column speaker: is not the speakers: 'Joey and Ross'"], id="another speaker"),
        pytest.param(in_all_configs(2, "speakers", []), [f"{LINES}: row 2 (s01e03_c01_u0002), column speakers: is empty: []"], id="no speakers"),
        pytest.param(in_all_configs(2, "speakers", ["Joey", ""]), [f"{LINES}: row 2 (s01e03_c01_u0002), column speakers: has an entry that is null or blank: ['Joey', '']"], id="blank name"),
        pytest.param(in_all_configs(2, "speakers", ["Joey", "Joey"]), [f"{LINES}: row 2 (s01e03_c01_u0002), column speakers: names somebody twice: ['Joey', 'Joey']"], id="name twice"),
        pytest.param(cell(LINES, 2, "text", ""), [f"{LINES}: row 2 (s01e03_c01_u0002), column text: is blank: ''"], id="empty text"),
        pytest.param(cell(LINES, 2, "text_with_directions", None), [f"{LINES}: row 2 (s01e03_c01_u0002), column text_with_directions: is null"], id="null text"),
        pytest.param(in_all_configs(2, "cue", None), [f"{LINES}: row 2 (s01e03_c01_u0002), column cue: is null"], id="null cue"),
        pytest.param(in_all_configs(2, "directions", [None]), [f"{LINES}: row 2 (s01e03_c01_u0002), column directions: has an entry that is null or blank: [None]"], id="null direction"),
        pytest.param(in_all_configs(2, "position", -1), [f"{LINES}: row 2 (s01e03_c01_u0002), column position: is below 0: -1", f"{LINES}: row 2 (s01e03_c01_u0002), column id: is of another position than the row says: 's01e03_c01_u0002'"], id="position"),
        pytest.param(in_all_configs(2, "scene", 0), [f"{LINES}: row 2 (s01e03_c01_u0002), column scene: is below 1: 0", f"{LINES}: row 2 (s01e03_c01_u0002), column id: is of another season, episode or scene than the row says: 's01e03_c01_u0002'"], id="scene"),
        pytest.param(in_all_configs(2, "season", None), [f"{LINES}: row 2 (s01e03_c01_u0002), column season: is null", f"{LINES}: row 2 (s01e03_c01_u0002), column season: differs within the episode: None instead of 1"], id="season"),
        pytest.param(in_all_configs(2, "episodes", [4]), [f"{LINES}: row 2 (s01e03_c01_u0002), column episodes: do not begin with the episode: [4]"], id="episodes"),
        pytest.param(in_all_configs(2, "episodes", [3, 2]), [f"{LINES}: row 2 (s01e03_c01_u0002), column episodes: are not in ascending order: [3, 2]"], id="episodes out of order"),
        pytest.param(in_all_configs(2, "episode_title", "The One"), [f"{LINES}: row 2 (s01e03_c01_u0002), column episode_title: differs within the episode: 'The One' instead of 'The One With The Violin'"], id="title"),
        pytest.param(in_all_configs(2, "scene_heading", None), [f"{LINES}: row 2 (s01e03_c01_u0002), column scene_heading: differs within the scene: None instead of '[Scene: Room 1, all look at a violin.]'"], id="heading"),
        pytest.param(cell(LINES, 2, "id", None), [f"{LINES}: row 2, column id: is null"], id="null id"),
        pytest.param(cell(LINES, 2, "id", "Joey"), [f"{LINES}: row 2 (Joey), column id: is not of the form s01e01_c03_u0012: 'Joey'"], id="id"),
        pytest.param(cell(LINES, 2, "id", "s01e03_c01_u0001"), [f"{LINES}: row 1 (s01e03_c01_u0001), column id: stands twice: 's01e03_c01_u0001'", f"{LINES}: row 2 (s01e03_c01_u0001), column id: stands twice: 's01e03_c01_u0001'"], id="id twice"),
        pytest.param(rows(LINES, swap), [f"{LINES}: row 1 ({FIRST}), column id: comes before the row above it: '{FIRST}'"], id="order"),
        pytest.param(rows(LINES, lambda r: r[1:]), [f"{NAMED}: row 0 ({FIRST}), column id: is no row of lines", f"{CHUNKS}: row 0 (s01e03_c01_k01), column line_ids: {FIRST} is no line of this split"], id="line gone"),
        pytest.param(rows(NAMED, lambda r: r[1:]), [f"{LINES}: row 0 ({FIRST}), column id: is no row of named_lines"], id="named line gone"),
        pytest.param(cell(NAMED, 0, "text", SPEECH), [f"{NAMED}: row 0 ({FIRST}), column text: is not as in lines: '{SPEECH}' instead of 'Rachel: {SPEECH}'"], id="no name"),
        pytest.param(cell(NAMED, 0, "cue", "RACH"), [f"{NAMED}: row 0 ({FIRST}), column cue: is not as in lines: 'RACH' instead of 'Rachel'"], id="named cue"),
        pytest.param(rows(CHUNKS, lambda r: r[1:]), [f"{LINES}: row 0 ({FIRST}), column id: is in no chunk", f"{LINES}: row 5 (s01e03_c01_u0005), column id: is in no chunk"], id="chunk gone"),
        pytest.param(cell(CHUNKS, 0, "line_ids", [FIRST]), [f"{CHUNKS}: row 0 (s01e03_c01_k01), column turns: are not as many as the line_ids: [", f"{LINES}: row 5 (s01e03_c01_u0005), column id: is in no chunk"], id="line_ids"),
        pytest.param(rows(CHUNKS, lambda r: r[0]["line_ids"].__setitem__(1, FIRST)), [f"{CHUNKS}: row 0 (s01e03_c01_k01), column line_ids: {FIRST} stands in a second place", f"{LINES}: row 1 (s01e03_c01_u0001), column id: is in no chunk"], id="line twice"),
        pytest.param(rows(CHUNKS, lambda r: r[0]["line_ids"].reverse()), [f"{CHUNKS}: row 0 (s01e03_c01_k01), column line_ids: {FIRST} is out of order"], id="line order"),
        pytest.param(rows(CHUNKS, move_line), [f"{CHUNKS}: row 1 (s01e03_c02_k01), column scene: is not that of its lines: s01e03_c01_u0005: 1 instead of 2"], id="line of another scene"),
        pytest.param(turn(0, "text", "Oh."), [f"{CHUNKS}: row 0 (s01e03_c01_k01), column turns: text of {FIRST} is not that of lines: 'Oh.' instead of '{SPEECH}'", f"{CHUNKS}: row 0 (s01e03_c01_k01), column text: is not its turns: "], id="turn"),
        pytest.param(turn(0, "speaker", None), [f"{CHUNKS}: row 0 (s01e03_c01_k01), column turns: has a null or blank turn: ["], id="null turn"),
        pytest.param(cell(CHUNKS, 0, "text", "Rachel: Oh."), [f"{CHUNKS}: row 0 (s01e03_c01_k01), column text: is not its turns: 'Rachel: Oh.' instead of "], id="chunk text"),
        pytest.param(cell(CHUNKS, 0, "text_with_directions", "Oh."), [f"{CHUNKS}: row 0 (s01e03_c01_k01), column text_with_directions: {FIRST} is not in it"], id="chunk as printed"),
        pytest.param(cell(CHUNKS, 0, "speakers", ["Joey"]), [f"{CHUNKS}: row 0 (s01e03_c01_k01), column speakers: are not those of its lines: ['Joey'] instead of ["], id="chunk speakers"),
        pytest.param(cell(CHUNKS, 0, "id", FIRST), [f"{CHUNKS}: row 0 ({FIRST}), column id: is not of the form s01e01_c03_k02: '{FIRST}'"], id="chunk id"),
        pytest.param(cell(CHUNKS, 0, "source", "0104.html"), [f"{CHUNKS}: row 0 (s01e03_c01_k01), column source: is '0104.html', by manifest.json '0103.html'"], id="source"),
        pytest.param(cell(CHUNKS, 0, "dup_cluster", "x"), [f"{CHUNKS}: row 0 (s01e03_c01_k01), column dup_cluster: is not that of its lines: {FIRST}: None instead of 'x'"], id="cluster of a chunk"),
        pytest.param(rows(CHAT, lambda r: r[1:]), [f"{LINES}: row 1 ({SECOND}), column id: is no row of chat"], id="chat row gone"),
        pytest.param(cell(CHAT, 0, "id", FIRST), [f"{CHAT}: row 0 ({FIRST}), column id: is no line that answers somebody", f"{CHAT}: row 0 ({FIRST}), column id: is of another position than the row says: '{FIRST}'"], id="chat row of an opening line"),
        pytest.param(cell(CHAT, 0, "id", "s01e03_c01_k01"), [f"{CHAT}: row 0 (s01e03_c01_k01), column id: is not of the form s01e01_c03_u0012: "], id="chat id"),
        pytest.param(cell(CHAT, 0, "position", 2), [f"{CHAT}: row 0 ({SECOND}), column position: is not what lines make it: 2 instead of 1"], id="chat position"),
        pytest.param(cell(CHAT, 0, "character", "Ross"), [f"{CHAT}: row 0 ({SECOND}), column character: is not what lines make it: 'Ross' instead of 'Phoebe'"], id="character"),
        pytest.param(cell(CHAT, 0, "dup_cluster", "x"), [f"{CHAT}: row 0 ({SECOND}), column dup_cluster: is not what lines make it: 'x' instead of None"], id="cluster of a chat row"),
        pytest.param(message("completion", 0, "content", "Oh."), [f"{CHAT}: row 0 ({SECOND}), column completion: is not what lines make it: "], id="completion"),
        pytest.param(message("completion", 0, "role", "user"), [f"{CHAT}: row 0 ({SECOND}), column completion: is not one message of the assistant: "], id="role of the completion"),
        pytest.param(cell(CHAT, 0, "completion", []), [f"{CHAT}: row 0 ({SECOND}), column completion: is not one message of the assistant: []"], id="no completion"),
        pytest.param(message("prompt", 1, "content", " "), [f"{CHAT}: row 0 ({SECOND}), column prompt: has a null or blank message: "], id="blank message"),
        pytest.param(message("prompt", 1, "content", None), [f"{CHAT}: row 0 ({SECOND}), column prompt: has a null or blank message: "], id="null message"),
        pytest.param(cell(CHAT, 0, "prompt", [None]), [f"{CHAT}: row 0 ({SECOND}), column prompt: has a null or blank message: [None]"], id="no message"),
        pytest.param(cell(CHAT, 0, "prompt", []), [f"{CHAT}: row 0 ({SECOND}), column prompt: {PROMPT}: []"], id="no prompt"),
        pytest.param(message("prompt", 1, "role", "assistant"), [f"{CHAT}: row 0 ({SECOND}), column prompt: {PROMPT}: ["], id="assistant last"),
        pytest.param(rows(CHAT, lambda r: r[0]["prompt"].__delitem__(0)), [f"{CHAT}: row 0 ({SECOND}), column prompt: {PROMPT}: ["], id="no system message"),
        pytest.param(message("prompt", 1, "content", "Oh."), [f"{CHAT}: row 0 ({SECOND}), column prompt: is not what lines make it: "], id="another prompt"),
        pytest.param(manifest(lambda m: m["parameters"].update(character="Ross")), [f"{CHAT}: row 0 ({SECOND}), column id: is no line that answers somebody"], id="another character"),
        pytest.param(manifest(lambda m: m["parameters"].pop("character")), [f"{CHAT}: row 0 ({SECOND}), column id: is no line that answers somebody"], id="nobody"),
        pytest.param(manifest(lambda m: m["parameters"].update(chunk_chars=200)), [f"{CHUNKS}: row 0 (s01e03_c01_k01), column text: is longer than 200 characters: "], id="chunk too long"),
    ],
)  # fmt: skip
def test_rows(spoil: Spoil, expected: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(folder)
    found = violations(folder, capsys)
    for line in expected:
        assert [other for other in found if other.startswith(line)], "\n".join(found)


# Splits.


def test_an_episode_in_two_splits(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for config in FEATURES:
        test, validation = (f"{config}/{split}-00000-of-00001.parquet" for split in ("test", "validation"))
        moved = pq.read_table(folder / test).slice(0, 1)
        table(validation, lambda t, moved=moved: pa.concat_tables([t, moved]))(folder)
    found = violations(folder, capsys)
    place = "lines/validation-00000-of-00001.parquet: row 12 (s01e02_c01_u0000), column id"
    assert f"{place}: episode s01e02 belongs to test by manifest.json" in found


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        pytest.param(manifest(lambda m: m["splits"]["test"].append("s01e03")), "manifest.json: splits: s01e03 is in train and in test", id="two splits"),
        pytest.param(manifest(lambda m: m["splits"]["test"].append("s09e09")), "manifest.json: s09e09 is in splits alone", id="no such page"),
        pytest.param(manifest(lambda m: m["splits"]["test"].clear()), "lines/test-00000-of-00001.parquet: row 0 (s01e02_c01_u0000), column id: episode 's01e02' is not in manifest.json", id="not listed"),
        pytest.param(manifest(lambda m: m["pages"][0].update(split="test")), "manifest.json: pages: 0101.html is of test, its episode of validation", id="page"),
        pytest.param(manifest(lambda m: m["configs"]["chunks"]["splits"].pop("test")), "manifest.json: configs: chunks and lines have not the same splits", id="config without a split"),
    ],
)  # fmt: skip
def test_splits(spoil: Spoil, expected: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(folder)
    if "configs" in expected:  # else only the version is named
        from builders.manifest import content_version

        change = manifest(
            lambda m: m["configs"]["chunks"].update(
                version=content_version(f"{s} {f['sha256']}" for s, f in m["configs"]["chunks"]["splits"].items())
            )
        )
        change(folder)
    assert expected in violations(folder, capsys)


def test_a_repeated_scene_in_two_splits(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held_out = "lines/test-00000-of-00001.parquet"
    for path in (LINES, held_out):
        rows(path, lambda values: [row | {"dup_cluster": "x"} if row["scene"] == 1 else row for row in values])(folder)
    expected = f"{held_out}: row 0 (s01e02_c01_u0000), column dup_cluster: s01e02_c01 repeats a scene in train: x"
    assert expected in violations(folder, capsys)


def test_many_alike_are_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows(LINES, lambda values: [row | {"cue": None} for row in values])(folder)
    found = [line for line in violations(folder, capsys) if line.startswith(f"{LINES}: ") and "cue: is null" in line]
    assert len(found) == check.ALIKE + 1
    assert found[-1] == f"{LINES}: column cue: is null: 4 more like these"


# Use.


@pytest.mark.parametrize("content", [None, "", "[]", '{"dataset": "other", "files": {}}'])
def test_no_dataset(content: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)
    assert check.main([str(tmp_path)]) == 2
    assert (
        capsys.readouterr().err
        == f"error: {tmp_path}: no dataset folder (no manifest.json of ours); builders.build makes one\n"
    )


@pytest.mark.slow
def test_as_typed(built: Path) -> None:
    command = [sys.executable, "-m", "builders.check"]
    run = subprocess.run([*command, str(built)], capture_output=True, text=True)
    assert run.returncode == 0
    assert run.stderr == ""
    assert run.stdout.endswith("0 violations, 0 warnings\n")
    missing = subprocess.run(command, capture_output=True, text=True, cwd=built.parent)
    assert missing.returncode == 2
    assert (
        missing.stderr
        == "error: friends-lines: no dataset folder (no manifest.json of ours); builders.build makes one\n"
    )
