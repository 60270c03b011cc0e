"""builders.check: every violation is a row here that spoils a good folder and expects the line that names it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from invented import page, write_pages

from builders import build, check, explain
from builders.configs.schema import CONFIGS

pytestmark = pytest.mark.slow  # each case builds a folder or starts a heavy library

BY_EPISODE = [name for name, config in CONFIGS.items() if not config.whole]
LINES, NAMED, CHUNKS, CHAT, SPEAKERS = (f"{config}/train-00000-of-00001.parquet" for config in CONFIGS)
FIRST = "s01e03_c01_u0000"  # the first line of the split train
SECOND = "s01e03_c01_u0001"  # the first line that answers somebody
PROMPT = "is not a system message, then user and assistant in turns, a user last"
SPEECH = "My violin number 3 is bigger than yours, 0 times."
BY_HASH = ("sha256", "bytes, not", "follow from the hashes")  # what any edit of a file breaks as well
HARBOUR = Path(__file__).parents[1] / "harbour_lights"
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


def violations(folder: Path, capsys: pytest.CaptureFixture[str], by_hash: Sequence[str] = BY_HASH) -> list[str]:
    """The violations printed, without those of hashes that any edit of a file breaks."""
    capsys.readouterr()
    code = check.main([str(folder)])
    printed = capsys.readouterr().out.splitlines()
    found = [line.removeprefix("violation: ") for line in printed if line.startswith("violation: ")]
    assert code == (1 if found else 0)
    return [line for line in found if not any(word in line for word in by_hash)]


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
        f"{built}: 48 lines, 48 named_lines, 8 chunks, 40 chat, 6 speakers",
        "0 violations, 0 warnings",
    ]


def test_the_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build.main(["--out", str(tmp_path / "sample"), "--jobs", "1", "--no-cache"]) == 0
    assert violations(tmp_path / "sample", capsys) == []


def test_what_is_odd_on_a_page_is_no_violation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A label that is but a bracket, a turn without speech with a line about somebody, a direction in words of the speech."""
    odd = "<p>- (MACHINE--JOEY'S VOICE): Hi.</p>\n<p><b>Ross:</b> (nods)</p>\n<p>Monica opens her front door.</p>\n<p>...</p>"
    odd += "<p><b>Joey:</b> Meanwhile, I slept.</p><p>Meanwhile</p><p>I was there.</p>"
    pages = write_pages(tmp_path / "pages")
    (pages / "0105.html").write_text(page(5, extra=f"<p>[Scene: A room]</p>\n{odd}"), encoding="utf-8")
    assert build.main(["--pages", str(pages), "--out", str(tmp_path / "out"), "--jobs", "1", "--no-cache"]) == 0
    assert violations(tmp_path / "out", capsys) == []


def test_specials_are_season_or_episode_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages = write_pages(tmp_path / "pages", range(3), season=0)
    assert build.main(["--pages", str(pages), "--out", str(tmp_path / "out"), "--jobs", "1", "--no-cache"]) == 0
    assert violations(tmp_path / "out", capsys) == []
    assert explain.main([str(tmp_path / "out"), "s00e00_c01_u0000", "--pages", str(pages)]) == 0


# Files and hashes: here the lines about hashes are what is expected.


@pytest.mark.attack("foreign files", "folders of a dataset")
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
        pytest.param(text("README.md", "Friends", "FRIENDS"), "README.md: does not have the sha256 in manifest.json", id="card edited"),
        pytest.param(text("stats.json", "{", "{ "), "stats.json: has", id="other length"),
        pytest.param(cell(LINES, 0, "text", "Oh."), f"{LINES}: has", id="row edited"),
        pytest.param(lambda f: (f / LINES).write_bytes(b"PAR1"), f"{LINES}: cannot be read: no Parquet file: ", id="no Parquet"),
        pytest.param(rows(LINES, lambda r: r[:-1]), f"{LINES}: has 23 rows, not 24 as in manifest.json", id="row gone"),
        pytest.param(
            rows(CHUNKS, lambda r: r[:-1]),
            f"{CHUNKS}: lacks a row that follows from lines: s01e04_c02_k01",
            id="chunk gone",
        ),
        pytest.param(
            manifest(lambda m: m["configs"]["lines"]["splits"]["train"].update(rows=25)),
            f"{LINES}: has 24 rows, not 25 as in manifest.json",
            id="row count",
        ),
        pytest.param(
            manifest(lambda m: m["files"]["README.md"].update(sha256="0" * 64)),
            "README.md: does not have the sha256 in manifest.json",
            id="hash",
        ),
        pytest.param(
            manifest(lambda m: m["files"].pop(CHUNKS)),
            f"manifest.json: files: '{CHUNKS}' is missing",
            id="not listed",
        ),
        pytest.param(
            manifest(lambda m: m["files"].update({"../secret": m["files"]["README.md"]})),
            "manifest.json: files: '../secret' is not a file that a build writes",
            id="outside",
        ),
        *(
            pytest.param(manifest(lambda m, path=path: m["files"].pop(path)), f"manifest.json: files: '{path}' is missing", id=f"{path} not listed")
            for path in ("README.md", "stats.json", "quality.md", "croissant.json", "plots/lengths.png")
        ),
        *(
            pytest.param(manifest(lambda m, path=path: m["files"].update({path: m["files"]["README.md"]})), f"manifest.json: files: '{path}' is not a file that a build writes", id=f"{path} listed")
            for path in ("load.py", "lines/extra.parquet", "plots/dropped.png")
        ),
        pytest.param(
            manifest(lambda m: m["files"][LINES].update(sha256="0" * 64)),
            f"manifest.json: configs: lines.train and files disagree about '{LINES}'",
            id="two hashes",
        ),
        pytest.param(
            manifest(lambda m: m["configs"]["lines"]["splits"]["train"].update(path="x")),
            "manifest.json: configs.lines.splits.train.path: ",
            id="elsewhere",
        ),
        pytest.param(
            manifest(lambda m: m["configs"]["chunks"].update(version="1.2.3")),
            "manifest.json: configs: chunks.version does not follow from the hashes",
            id="version of a config",
        ),
        pytest.param(manifest(lambda m: m["configs"].pop("chunks")), "manifest.json: configs: 'chunks' is missing", id="no config"),
        pytest.param(manifest(lambda m: m["configs"].update(talk=m["configs"]["chat"])), "manifest.json: configs: 'talk' is unknown", id="a config too many"),
        pytest.param(manifest(lambda m: m["configs"].update(chat=None)), "manifest.json: configs.chat: Input should be", id="null config"),
        pytest.param(manifest(lambda m: m["configs"].pop("chat")), f"{CHAT}: is missing: it follows from lines", id="no chat"),
        pytest.param(manifest(lambda m: m["show"].pop("cast")), "manifest.json: show.cast: Field required", id="no cast"),
        pytest.param(manifest(lambda m: m.update(version="1.0")), "manifest.json: version: String should match", id="version"),
        pytest.param(manifest(lambda m: m.pop("pages")), "manifest.json: pages: Field required", id="no pages"),
        pytest.param(manifest(lambda m: m.update(configs=3)), "manifest.json: configs: Input should be", id="type"),
        pytest.param(manifest(lambda m: m["parameters"].update(chunk_chars="1200")), "manifest.json: parameters.chunk_chars: Input should be", id="chunk_chars"),
        pytest.param(manifest(lambda m: m["parameters"].update(character=None)), "manifest.json: parameters.character: Input should be", id="null character"),
        pytest.param(manifest(lambda m: m["parameters"].pop("character")), "manifest.json: parameters.character: Field required", id="nobody"),
        pytest.param(manifest(lambda m: m.update(software={})), "manifest.json: software.parser: Field required", id="software"),
        pytest.param(manifest(lambda m: m.update(failed_pages=5)), "manifest.json: failed_pages: Input should be", id="failed pages"),
        pytest.param(manifest(lambda m: m.pop("leakage")), "manifest.json: leakage: Field required", id="no certificate"),
        pytest.param(manifest(lambda m: m["pages"][0].update(sha256="xyz")), "manifest.json: pages.0.sha256: String should match", id="hash of a page"),
        pytest.param(manifest(lambda m: m["pages"][0].update(episode=None)), "manifest.json: pages.0.episode: Input should be", id="null episode"),
        pytest.param(manifest(lambda m: m["pages"].append(m["pages"][0])), "manifest.json: pages: '0101.html' is listed 2 times", id="page twice"),
        pytest.param(manifest(lambda m: m["pages"][0].update(reason="x")), "manifest.json: pages: 0101.html must have either an episode and a split, or a reason", id="page shipped and not"),
        pytest.param(manifest(lambda m: m.update(sample=True)), "manifest.json: sample: True, but the hashes", id="sample"),
        pytest.param(manifest(lambda m: m.update(dataset="../x")), "manifest.json: dataset: with that title it must be friends-lines", id="name"),
        pytest.param(manifest(lambda m: m["parameters"].update(character="Nobody")), "manifest.json: parameters: the show has no character 'Nobody'", id="character"),
        pytest.param(lambda f: (f / "manifest.json").write_bytes(b""), "manifest.json: cannot be read: ", id="empty manifest"),
        pytest.param(lambda f: (f / "manifest.json").write_bytes((f / "manifest.json").read_bytes()[:999]), "manifest.json: cannot be read: ", id="truncated manifest"),
        pytest.param(lambda f: (f / "manifest.json").write_bytes(b"\xff"), "manifest.json: cannot be read: ", id="manifest in no UTF-8"),
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
        pytest.param(lambda t: t.select(["season", "id", *t.column_names[2:]]), f"{LINES}: has its columns in the order season, id, ", id="order"),
        pytest.param(
            lambda t: t.replace_schema_metadata({b"huggingface": json.dumps({"info": {"features": {"id": {"dtype": "int8", "_type": "Value"}}}})}),
            f"{LINES}: the Features in its metadata are not those of builders.configs.schema",
            id="metadata",
        ),
        pytest.param(
            lambda t: t.replace_schema_metadata(),
            f"{LINES}: the Features in its metadata are not those of builders.configs.schema",
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


def script(change: Callable[[list[str]], list[str]]) -> Spoil:
    """The first chunk as printed with other lines."""
    column = "text_with_directions"
    return rows(CHUNKS, lambda r: r[0].update({column: "\n".join(change(r[0][column].split("\n")))}))


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
        pytest.param(in_all_configs(2, "cue", " "), [f"{LINES}: row 2 (s01e03_c01_u0002), column cue: is blank, though somebody is named: ' '"], id="blank cue"),
        pytest.param(in_all_configs(2, "directions", ["(never printed)"]), [f"{LINES}: row 2 (s01e03_c01_u0002), column directions: are not in text_with_directions, in this order: ['(never printed)']"], id="direction never printed"),
        pytest.param(in_all_configs(2, "directions", []), [f"{LINES}: row 2 (s01e03_c01_u0002), column text: is not text_with_directions without the directions: 'My cactus"], id="direction left out"),
        pytest.param(in_all_configs(2, "text_with_directions", "(smiling) Something else."), [f"{LINES}: row 2 (s01e03_c01_u0002), column text: is not text_with_directions without the directions: 'My cactus"], id="printed otherwise"),
        pytest.param(in_all_configs(2, "directions", [None]), [f"{LINES}: row 2 (s01e03_c01_u0002), column directions: has an entry that is null or blank: [None]"], id="null direction"),
        pytest.param(in_all_configs(2, "position", -1), [f"{LINES}: row 2 (s01e03_c01_u0002), column position: is below 0: -1", f"{LINES}: row 2 (s01e03_c01_u0002), column id: is of another position than the row says: 's01e03_c01_u0002'"], id="position"),
        pytest.param(in_all_configs(2, "scene", 0), [f"{LINES}: row 2 (s01e03_c01_u0002), column scene: is below 1: 0", f"{LINES}: row 2 (s01e03_c01_u0002), column id: is of another season, episode or scene than the row says: 's01e03_c01_u0002'"], id="scene"),
        pytest.param(in_all_configs(2, "season", None), [f"{LINES}: row 2 (s01e03_c01_u0002), column season: is null"], id="season"),
        pytest.param(in_all_configs(2, "episodes", [4]), [f"{LINES}: row 2 (s01e03_c01_u0002), column episodes: do not begin with the episode: [4]"], id="episodes"),
        pytest.param(in_all_configs(2, "episodes", [3, 2]), [f"{LINES}: row 2 (s01e03_c01_u0002), column episodes: are not in ascending order: [3, 2]"], id="episodes out of order"),
        pytest.param(in_all_configs(2, "episode_title", "The One"), [f"{LINES}: row 2 (s01e03_c01_u0002), column episode_title: differs within the episode: 'The One' instead of 'The One With The Violin'"], id="title"),
        pytest.param(in_all_configs(2, "scene_heading", None), [f"{LINES}: row 2 (s01e03_c01_u0002), column scene_heading: differs within the scene: None instead of '[Scene: Room 1, all look at a violin.]'"], id="heading"),
        pytest.param(cell(LINES, 2, "id", None), [f"{LINES}: row 2, column id: is null"], id="null id"),
        pytest.param(cell(LINES, 2, "id", "Joey"), [f"{LINES}: row 2 (Joey), column id: is not of the form s01e01_c03_u0012: 'Joey'"], id="id"),
        pytest.param(cell(LINES, 2, "id", "s01e03_c01_u0001"), [f"{LINES}: row 1 (s01e03_c01_u0001), column id: stands twice: 's01e03_c01_u0001'", f"{LINES}: row 2 (s01e03_c01_u0001), column id: stands twice: 's01e03_c01_u0001'"], id="id twice"),
        pytest.param(rows(LINES, swap), [f"{LINES}: row 1 ({FIRST}), column id: comes before the row above it: '{FIRST}'"], id="order"),
        pytest.param(rows(LINES, lambda r: r[1:]), [f"{NAMED}: row 0 ({FIRST}), column id: follows from no line", f"{CHUNKS}: row 0 (s01e03_c01_k01), column line_ids: does not follow from lines: ['{FIRST}', "], id="line gone"),
        pytest.param(rows(NAMED, lambda r: r[1:]), [f"{NAMED}: lacks a row that follows from lines: {FIRST}"], id="named line gone"),
        pytest.param(cell(NAMED, 0, "text", SPEECH), [f"{NAMED}: row 0 ({FIRST}), column text: does not follow from lines: '{SPEECH}' instead of 'Rachel: {SPEECH}'"], id="no name"),
        pytest.param(cell(NAMED, 0, "cue", "RACH"), [f"{NAMED}: row 0 ({FIRST}), column cue: does not follow from lines: 'RACH' instead of 'Rachel'"], id="named cue"),
        pytest.param(rows(CHUNKS, lambda r: r[1:]), [f"{CHUNKS}: lacks a row that follows from lines: s01e03_c01_k01"], id="chunk gone"),
        pytest.param(cell(CHUNKS, 0, "line_ids", [FIRST]), [f"{CHUNKS}: row 0 (s01e03_c01_k01), column turns: are not as many as the line_ids: ["], id="line_ids"),
        pytest.param(rows(CHUNKS, lambda r: r[0]["line_ids"].__setitem__(1, FIRST)), [f"{CHUNKS}: row 0 (s01e03_c01_k01), column line_ids: does not follow from lines: "], id="line twice"),
        pytest.param(rows(CHUNKS, lambda r: r[0]["line_ids"].reverse()), [f"{CHUNKS}: row 0 (s01e03_c01_k01), column line_ids: does not follow from lines: ['s01e03_c01_u0005', "], id="line order"),
        pytest.param(rows(CHUNKS, move_line), [f"{CHUNKS}: row 1 (s01e03_c02_k01), column line_ids: does not follow from lines: ['s01e03_c01_u0005', "], id="line of another scene"),
        pytest.param(turn(0, "text", "Oh."), [f"{CHUNKS}: row 0 (s01e03_c01_k01), column turns: does not follow from lines: "], id="turn"),
        pytest.param(turn(0, "speaker", None), [f"{CHUNKS}: row 0 (s01e03_c01_k01), column turns: has a null or blank turn: ["], id="null turn"),
        pytest.param(cell(CHUNKS, 0, "text", "Rachel: Oh."), [f"{CHUNKS}: row 0 (s01e03_c01_k01), column text: does not follow from lines: 'Rachel: Oh.' instead of "], id="chunk text"),
        pytest.param(cell(CHUNKS, 0, "text_with_directions", "Oh."), [f"{CHUNKS}: row 0 (s01e03_c01_k01), column text_with_directions: lacks a turn of its lines: 'Rachel: (smiling)"], id="chunk as printed"),
        pytest.param(script(lambda lines: ["Ross: I never said this.", *lines]), [f"{CHUNKS}: row 0 (s01e03_c01_k01), column text_with_directions: has a turn that is not one of its lines: 'Ross: I never said this.'"], id="invented turn"),
        pytest.param(script(lambda lines: [lines[1], lines[0], *lines[2:]]), [f"{CHUNKS}: row 0 (s01e03_c01_k01), column text_with_directions: has a turn that is not one of its lines: 'Phoebe: (smiling)"], id="turns out of order"),
        pytest.param(script(lambda lines: lines[:-1]), ["stats.json: does not follow from the rows: between_turns.count: 8 instead of 7"], id="direction between turns left out"),
        pytest.param(cell(CHUNKS, 0, "speakers", ["Joey"]), [f"{CHUNKS}: row 0 (s01e03_c01_k01), column speakers: does not follow from lines: ['Joey'] instead of ["], id="chunk speakers"),
        pytest.param(cell(CHUNKS, 0, "id", FIRST), [f"{CHUNKS}: row 0 ({FIRST}), column id: is not of the form s01e01_c03_k02: '{FIRST}'"], id="chunk id"),
        pytest.param(cell(CHUNKS, 0, "source", "0104.html"), [f"{CHUNKS}: row 0 (s01e03_c01_k01), column source: does not follow from lines: '0104.html' instead of '0103.html'"], id="source"),
        pytest.param(cell(CHUNKS, 0, "dup_cluster", "x"), [f"{CHUNKS}: row 0 (s01e03_c01_k01), column dup_cluster: does not follow from lines: 'x' instead of None"], id="cluster of a chunk"),
        pytest.param(rows(CHAT, lambda r: r[1:]), [f"{CHAT}: lacks a row that follows from lines: {SECOND}"], id="chat row gone"),
        pytest.param(cell(CHAT, 0, "id", FIRST), [f"{CHAT}: row 0 ({FIRST}), column id: is of another position than the row says: '{FIRST}'"], id="chat row of an opening line"),
        pytest.param(cell(CHAT, 0, "id", "s01e03_c01_k01"), [f"{CHAT}: row 0 (s01e03_c01_k01), column id: is not of the form s01e01_c03_u0012: "], id="chat id"),
        pytest.param(cell(CHAT, 0, "position", 2), [f"{CHAT}: row 0 ({SECOND}), column id: is of another position than the row says: "], id="chat position"),
        pytest.param(cell(CHAT, 0, "source", "x"), [f"{CHAT}: row 0 ({SECOND}), column source: does not follow from lines: 'x' instead of '0103.html'"], id="chat source"),
        pytest.param(cell(CHAT, 0, "character", "Ross"), [f"{CHAT}: row 0 ({SECOND}), column character: does not follow from lines: 'Ross' instead of 'Phoebe'"], id="character"),
        pytest.param(cell(CHAT, 0, "dup_cluster", "x"), [f"{CHAT}: row 0 ({SECOND}), column dup_cluster: does not follow from lines: 'x' instead of None"], id="cluster of a chat row"),
        pytest.param(message("completion", 0, "content", "Oh."), [f"{CHAT}: row 0 ({SECOND}), column completion: does not follow from lines: "], id="completion"),
        pytest.param(message("completion", 0, "role", "user"), [f"{CHAT}: row 0 ({SECOND}), column completion: is not one message of the assistant: "], id="role of the completion"),
        pytest.param(cell(CHAT, 0, "completion", []), [f"{CHAT}: row 0 ({SECOND}), column completion: is not one message of the assistant: []"], id="no completion"),
        pytest.param(message("prompt", 1, "content", " "), [f"{CHAT}: row 0 ({SECOND}), column prompt: has a null or blank message: "], id="blank message"),
        pytest.param(message("prompt", 1, "content", None), [f"{CHAT}: row 0 ({SECOND}), column prompt: has a null or blank message: "], id="null message"),
        pytest.param(cell(CHAT, 0, "prompt", [None]), [f"{CHAT}: row 0 ({SECOND}), column prompt: has a null or blank message: [None]"], id="no message"),
        pytest.param(cell(CHAT, 0, "prompt", []), [f"{CHAT}: row 0 ({SECOND}), column prompt: {PROMPT}: []"], id="no prompt"),
        pytest.param(message("prompt", 1, "role", "assistant"), [f"{CHAT}: row 0 ({SECOND}), column prompt: {PROMPT}: ["], id="assistant last"),
        pytest.param(rows(CHAT, lambda r: r[0]["prompt"].__delitem__(0)), [f"{CHAT}: row 0 ({SECOND}), column prompt: {PROMPT}: ["], id="no system message"),
        pytest.param(message("prompt", 1, "content", "Oh."), [f"{CHAT}: row 0 ({SECOND}), column prompt: does not follow from lines: "], id="another prompt"),
        pytest.param(manifest(lambda m: m["parameters"].update(character="Ross")), [f"{CHAT}: row 0 ({SECOND}), column id: follows from no line"], id="another character"),
        pytest.param(manifest(lambda m: m["parameters"].update(chunk_chars=200)), [f"{CHUNKS}: row 0 (s01e03_c01_k01), column text: does not follow from lines: "], id="chunk too long"),
    ],
)  # fmt: skip
def test_rows(spoil: Spoil, expected: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(folder)
    found = violations(folder, capsys)
    for line in expected:
        assert [other for other in found if other.startswith(line)], "\n".join(found)


# Splits.


def test_an_episode_in_two_splits(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for config in BY_EPISODE:
        test, validation = (f"{config}/{split}-00000-of-00001.parquet" for split in ("test", "validation"))
        moved = pq.read_table(folder / test).slice(0, 1)
        table(validation, lambda t, moved=moved: pa.concat_tables([t, moved]))(folder)
    found = violations(folder, capsys)
    place = "lines/validation-00000-of-00001.parquet: row 12 (s01e02_c01_u0000), column id"
    assert f"{place}: episode s01e02 belongs to test, says manifest.json" in found


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        pytest.param(manifest(lambda m: m["splits"]["test"].append("s01e03")), "manifest.json: splits: s01e03 is in train and in test", id="two splits"),
        pytest.param(manifest(lambda m: m["splits"]["test"].append("s09e09")), "manifest.json: s09e09 is only in splits", id="no such page"),
        pytest.param(manifest(lambda m: m["splits"]["test"].clear()), "lines/test-00000-of-00001.parquet: row 0 (s01e02_c01_u0000), column id: episode 's01e02' is not in manifest.json", id="not listed"),
        pytest.param(manifest(lambda m: m["pages"][0].update(split="test")), "manifest.json: pages: 0101.html is in test, its episode in validation", id="page"),
        pytest.param(manifest(lambda m: m["configs"]["chunks"]["splits"].pop("test")), "manifest.json: configs: chunks and lines have different splits", id="config without a split"),
    ],
)  # fmt: skip
def test_splits(spoil: Spoil, expected: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(folder)
    if "configs" in expected:  # else only the version is named
        from friends_corpus.core.manifest import content_version

        change = manifest(
            lambda m: m["configs"]["chunks"].update(version=content_version(m["configs"]["chunks"]["splits"]))
        )
        change(folder)
    assert expected in violations(folder, capsys)


# What follows from the rows.


def derived(line: str) -> str:
    return f"{line.partition(': ')[0]}: does not follow from the rows: {line.partition(': ')[2]}"


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        *(
            pytest.param(text("stats.json", old, new), derived(f"stats.json: {said}"), id=f"statistics: {said.partition(':')[0]}")
            for old, new, said in (
                ('"lines": 48', '"lines": 7', "total.lines: 7 instead of 48"),
                ('"words": ', '"words": 1', "total.words: 1"),
                ('"episodes": 4', '"episodes": 7', "total.episodes: 7 instead of 4"),
                ('"speaker": "Joey"', '"speaker": "Ann"', "speakers.1.speaker: 'Ann' instead of 'Joey'"),
                ('"shared_scenes": 0', '"shared_scenes": 9', "leakage.splits.0.shared_scenes: 9 instead of 0"),
                ('"name": "Wanda Writer"', '"name": "W."', "written_by.0.name: 'W.' instead of 'Wanda Writer'"),
                ('"longest": ', '"longest": 9', "line_characters.longest: 9"),
            )
        ),
        pytest.param(text("stats.json", '"total": {', '"total": [], "x": {'), derived("stats.json: total: [] instead of {"), id="no totals"),
        pytest.param(text("stats.json", '"total": {', '"total": null, "x": {'), derived("stats.json: total: None instead of {"), id="null totals"),
        pytest.param(text("stats.json", "{", "["), "stats.json: cannot be read: ", id="statistics: no JSON"),
        pytest.param(lambda f: (f / "stats.json").write_text("[]"), "stats.json: Input should be", id="statistics: a list"),
        pytest.param(text("stats.json", '"scenes": 2,\n      "unknown', '"scenes": 1,\n      "unknown'), derived("stats.json: pages_table: 0101.html: episodes or scenes"), id="fewer scenes than in rows"),
        pytest.param(text("stats.json", '"page": "0101.html"', '"page": "x.html"'), "stats.json: pages_table: has different pages than manifest.json", id="statistics: pages"),
        pytest.param(text("stats.json", '"notes": 0', '"notes": 1'), "stats.json: pages_table: notes differs from segments", id="notes"),
        pytest.param(text("stats.json", '"dropped": {}', '"dropped": {"x": {"count": 1, "characters": 1}}'), "manifest.json: dropped: differs from stats.json", id="dropped"),
        pytest.param(text("README.md", "48 speaker-attributed", "5,000 speaker-attributed"), derived("README.md: line "), id="card: a number"),
        pytest.param(text("README.md", "num_examples: 24", "num_examples: 25"), derived("README.md: line "), id="card: rows"),
        pytest.param(text("README.md", f"path: {LINES}", "path: x"), derived("README.md: line "), id="card: files"),
        pytest.param(text("README.md", "config_name: chunks", "config_name: talk"), derived("README.md: line "), id="card: config"),
        pytest.param(text("README.md", "dtype: int32", "dtype: string"), derived("README.md: line "), id="card: type"),
        pytest.param(text("README.md", "  default: true\n", ""), derived("README.md: line "), id="card: default"),
        pytest.param(text("README.md", "---", "--- {[:"), derived("README.md: line 1: '--- {[:' instead of '---'"), id="card: no YAML"),
        pytest.param(text("README.md", "Version 1.0.0", "Version 9.0.0"), derived("README.md: line "), id="card: version"),
        pytest.param(lambda f: (f / "README.md").write_text(""), derived("README.md: line 1: 'nothing' instead of '---'"), id="card: empty"),
        pytest.param(lambda f: (f / "README.md").write_bytes(b"\xff"), "README.md: cannot be read: ", id="card: no UTF-8"),
        pytest.param(lambda f: (f / "quality.md").write_text("All is well."), derived("quality.md: line 1: 'All is well.' instead of "), id="quality report"),
        pytest.param(text("croissant.json", '"sha256": "', '"sha256": "0'), "croissant.json: does not follow from the manifest: distribution.0.", id="croissant: hash"),
        pytest.param(text("croissant.json", "{", "["), "croissant.json: cannot be read: ", id="croissant: no JSON"),
        pytest.param(manifest(lambda m: m.update(version="7.7.7")), "croissant.json: does not follow from the manifest: version: '1.0.0' instead of '7.7.7'", id="version"),
        pytest.param(manifest(lambda m: m["leakage"]["splits"][0].update(shared_scenes=9)), derived("manifest.json: leakage.splits.0.shared_scenes: 9 instead of 0"), id="certificate"),
        pytest.param(manifest(lambda m: m["leakage"].pop("rule")), "manifest.json: leakage.rule: Field required", id="leakage: no rule"),
        pytest.param(manifest(lambda m: m["pages"][0].update(repeats=True)), derived("manifest.json: pages: 0101.html: repeats: True instead of False"), id="page"),
    ],
)  # fmt: skip
def test_what_follows_from_the_rows(
    spoil: Spoil, expected: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(folder)
    found = violations(folder, capsys, by_hash=["sha256 of"])
    assert [line for line in found if line.startswith(expected)], "\n".join(found)


def test_it_is_not_compared_with_rows_that_are_not_sound(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text("README.md", "48 speaker", "5 speaker")(folder)
    in_all_configs(2, "cue", " ")(folder)
    check.main([str(folder)])
    printed = capsys.readouterr().out
    assert "README.md: is not what" not in printed
    assert "\nskipped until rows and manifest are valid: statistics, splits" in printed


def everywhere(change: Callable[[dict], object]) -> Spoil:
    """All rows of all configs and splits, changed alike."""

    def spoil(folder: Path) -> None:
        for path in sorted(folder.glob("*/*.parquet")):
            rows(path.relative_to(folder).as_posix(), lambda values: [change(row) for row in values] and None)(folder)

    return spoil


def marked(row: dict, scene: str, cluster: str | None) -> None:
    if row.get("id", "").startswith(scene):
        row["dup_cluster"] = cluster


@pytest.fixture(scope="module")
def with_a_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-two episodes, one of which, s01e05, would be held out if it did not repeat a scene of s01e01."""
    home = tmp_path_factory.mktemp("clip")
    pages = write_pages(home / "pages", range(1, 23))
    first = (pages / "0101.html").read_text(encoding="utf-8")
    clip = first[first.index("<p>[Scene") : first.index("<p>(They leave.)</p>")]
    text("0105.html", "<p><b>End</b></p>", clip)(pages)
    assert build.main(["--pages", str(pages), "--out", str(home / "out"), "--jobs", "1", "--no-cache"]) == 0
    return home / "out"


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        pytest.param(everywhere(lambda row: marked(row, "s01e05_c03", None)), "lines/train-00000-of-00001.parquet: row {row} (s01e05_c03_u0012), column dup_cluster: does not follow from the rows: None instead of 'd001'", id="blanked"),
        pytest.param(everywhere(lambda row: marked(row, "s01e05_c03", "d002")), "lines/train-00000-of-00001.parquet: row {row} (s01e05_c03_u0012), column dup_cluster: does not follow from the rows: 'd002' instead of 'd001'", id="another"),
        pytest.param(everywhere(lambda row: marked(row, "s01e05_c03", "d001") or marked(row, "s01e05_c02", "d001")), "lines/train-00000-of-00001.parquet: row {row} (s01e05_c02_u0006), column dup_cluster: does not follow from the rows: 'd001' instead of None", id="invented"),
        pytest.param(manifest(lambda m: [page.pop("repeats", None) for page in m["pages"]]), "manifest.json: does not follow from the rows: pages: 0105.html: repeats: False instead of True", id="pages"),
        pytest.param(manifest(lambda m: m["leakage"].update(train_only=["s01e01"])), "manifest.json: does not follow from the rows: leakage.train_only: ['s01e01'] instead of ['s01e01', 's01e05']", id="certificate"),
    ],
)  # fmt: skip
def test_repeats_are_found_again(
    spoil: Spoil, expected: str, with_a_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(with_a_clip, tmp_path / "out"))
    assert violations(folder, capsys) == []
    ids = pq.read_table(folder / LINES, columns=["id"])["id"].to_pylist()
    spoil(folder)
    expected = expected.replace(
        "{row}", str(ids.index(expected.partition("(")[2].partition(")")[0])) if "{row}" in expected else ""
    )
    assert expected in violations(folder, capsys)


def test_an_episode_that_repeats_others_cannot_be_held_out(
    with_a_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(with_a_clip, tmp_path / "out"))
    for config in BY_EPISODE:
        train, test = (f"{config}/{split}-00000-of-00001.parquet" for split in ("train", "test"))
        moved = [row for row in pq.read_table(folder / train).to_pylist() if row["id"].startswith("s01e05")]
        rows(train, lambda values: [row for row in values if not row["id"].startswith("s01e05")])(folder)
        rows(test, lambda values, moved=moved: moved + values)(folder)  # s01e05 comes before s01e10

    def move(m: dict) -> None:
        m["splits"]["train"].remove("s01e05")
        m["splits"]["test"].append("s01e05")
        next(page for page in m["pages"] if page["episode"] == "s01e05")["split"] = "test"
        for config in CONFIGS:
            for entry in m["configs"][config]["splits"].values():
                entry["rows"] = len(pq.read_table(folder / entry["path"]))

    manifest(move)(folder)
    found = violations(folder, capsys)
    assert "manifest.json: does not follow from the rows: pages: 0105.html: split: 'test' instead of 'train'" in found


def test_many_alike_are_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows(LINES, lambda values: [row | {"cue": None} for row in values])(folder)
    found = [line for line in violations(folder, capsys) if line.startswith(f"{LINES}: ") and "cue: is null" in line]
    assert len(found) == check.ALIKE + 1
    assert found[-1] == f"{LINES}: column cue: is null: 4 more"


# The pages, read anew.


def test_the_pages_are_those_of_the_folder(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main([str(built), "--pages", str(built.parent / "pages")]) == 0
    assert capsys.readouterr().out.endswith("0 violations, 0 warnings\n")


@pytest.mark.attack("caches", "rows that are not what the pages make them, in a folder that agrees with itself")
@pytest.mark.parametrize(
    ("old", "false", "expected"),
    [
        pytest.param("bigger", "smaller", "lines: does not follow from the pages: s01e01_c01_u0000.text: ", id="text"),
        pytest.param("<b>Joey:</b>", "<b>Ross:</b>", "lines: does not follow from the pages: s01e0", id="speaker"),
        pytest.param(
            "<p>(They leave.)</p>", "", "stats.json: does not follow from the pages: segments.", id="direction"
        ),
        pytest.param("<p>(They leave.)</p>", "<p><b>Joey:</b> Bye.</p>", "'nothing'", id="a-line-more"),
    ],
)
def test_false_rows_are_found_by_the_pages(
    old: str, false: str, expected: str, built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pages, out = Path(shutil.copytree(built.parent / "pages", tmp_path / "pages")), tmp_path / "out"
    for path in pages.iterdir():
        assert old in path.read_text(encoding="utf-8")
        path.write_text(path.read_text(encoding="utf-8").replace(old, false), encoding="utf-8")
    assert build.main(["--pages", str(pages), "--out", str(out), "--jobs", "1", "--no-cache"]) == 0
    hashes = {entry["page"]: entry["sha256"] for entry in json.loads((built / "manifest.json").read_text())["pages"]}
    manifest(lambda m: [entry.update(sha256=hashes[entry["page"]]) for entry in m["pages"]])(out)
    assert violations(out, capsys) == []
    assert check.main([str(out), "--pages", str(built.parent / "pages")]) == 1
    assert expected in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "options", "expected"),
    [
        pytest.param(lambda pages: write_pages(pages, [7]), [], "0107.html: 'nothing' instead of", id="a-page-more"),
        pytest.param(lambda pages: (pages / "0102.html").unlink(), [], "instead of 'nothing'", id="a-page-less"),
        pytest.param(lambda pages: (pages / "0102.html").write_text("new"), [], "0102.html: ", id="another-page"),
        pytest.param(lambda pages: None, ["--show", str(HARBOUR)], "0.title: 'Friends'", id="another-show"),
    ],
)
def test_other_pages_are_named_and_nothing_more(
    change: Spoil, options: list[str], expected: str, built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = Path(shutil.copytree(built.parent / "pages", tmp_path / "pages"))
    change(pages)
    assert check.main([str(built), "--pages", str(pages), *options]) == 1
    found = [line for line in capsys.readouterr().out.splitlines() if line.startswith("violation: ")]
    assert all(line.startswith("violation: manifest.json: does not follow from the pages: ") for line in found)
    assert any(expected in line for line in found)


def test_no_pages(built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main([str(built), "--pages", str(tmp_path / "nowhere")]) == 2
    assert f"error: {tmp_path / 'nowhere'}: no such file" in capsys.readouterr().err


# Use.


@pytest.mark.parametrize("content", [None, "[]", '{"dataset": "other", "files": {}}'])
def test_no_dataset(content: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)
    assert check.main([str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert f"no dataset folder {tmp_path}" in error
    assert "builders.build" in error


@pytest.mark.slow
def test_as_typed(built: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run = subprocess.run([sys.executable, "-m", "builders.check", str(built)], capture_output=True, text=True)
    assert run.returncode == 0
    assert run.stderr == ""
    assert run.stdout.endswith("0 violations, 0 warnings\n")
    monkeypatch.chdir(built.parent)
    assert check.main([]) == 2
    error = capsys.readouterr().err
    assert "no dataset folder friends-lines" in error
    assert "builders.build" in error
