"""The export command: each format is read back as its reader would, and gives the rows of the dataset again."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from invented import page

from builders import build, export
from friends_corpus.core import files

pytestmark = pytest.mark.slow  # each case builds a folder or starts a heavy library

CONFIGS = ("lines", "named_lines", "chunks", "chat")
HOSTILE = (
    "=1+2",
    "+1 for that, “really”?",
    "-- what?",
    "@Ross, no, wait",
    '=HYPERLINK("x", "y")',
    "'=quoted",
    "''-twice",
    "＝full width",
    'She said "no", twice; and left…',
)
UNSAFE = tuple("=+-@\t\r\n＝＋－＠")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("export")
    (home / "pages").mkdir()
    for number in range(1, 5):
        extra = "\n".join(f"<p><b>Joey and Ross:</b> {text}</p>" for text in HOSTILE[number - 1 :: 4])  # not all in all
        (home / "pages" / f"010{number}.html").write_text(page(number, extra=extra), encoding="utf-8")
    out = home / "friends-lines"
    assert build.main(["--pages", str(home / "pages"), "--out", str(out), "--jobs", "1", "--no-cache"]) == 0
    return out


def rows(folder: Path, config: str, split: str = "*") -> list[dict[str, Any]]:
    splits = ("train", "validation", "test") if split == "*" else (split,)
    return [row for name in splits for row in pq.read_table(next((folder / config).glob(f"{name}-*"))).to_pylist()]


def run(folder: Path, out: Path, format: str, *options: str) -> int:
    return export.main([str(folder), "--format", format, "--out", str(out), *options])


def test_the_hostile_lines_are_in_the_dataset(folder: Path) -> None:
    texts = {row["text"] for row in rows(folder, "lines")}
    assert {"=1+2", "-- what?", "'=quoted", "''-twice"} <= texts


# JSON lines


@pytest.mark.parametrize("config", CONFIGS)
def test_jsonl(config: str, folder: Path, tmp_path: Path) -> None:
    assert run(folder, tmp_path / "out", "jsonl") == 0
    for split in ("train", "validation", "test"):
        path = tmp_path / "out" / config / f"{split}.jsonl"
        expected = rows(folder, config, split)
        assert [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] == expected
        column = "prompt" if config == "chat" else "text"
        assert pd.read_json(path, lines=True)[column].tolist() == [row[column] for row in expected]
        loaded = load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
        assert loaded.to_list() == expected


# CSV


def unescape(cell: str) -> str:
    """What the documentation tells a reader to do."""
    return re.sub(r"^'(?='*[=+\-@\t\r\n＝＋－＠])", "", cell)


@pytest.mark.parametrize("config", CONFIGS)
def test_csv_gives_the_rows_back(config: str, folder: Path, tmp_path: Path) -> None:
    assert run(folder, tmp_path / "out", "csv", "--config", config) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == [config]
    read = []
    for split in ("train", "validation", "test"):
        with (tmp_path / "out" / config / f"{split}.csv").open(encoding="utf-8-sig", newline="") as file:
            read += list(csv.DictReader(file))
    expected = rows(folder, config)
    assert len(read) == len(expected)
    for got, row in zip(read, expected, strict=True):
        assert list(got) == list(row)
        for column, value in row.items():
            cell = unescape(got[column])
            if isinstance(value, list):
                assert json.loads(cell) == value
            else:
                assert cell == ("" if value is None else str(value))


@pytest.mark.attack("secrets and text", "formulas in cells")
def test_no_cell_is_a_formula(folder: Path, tmp_path: Path) -> None:
    run(folder, tmp_path / "out", "csv")
    seen = 0
    for path in (tmp_path / "out").rglob("*.csv"):
        content = path.read_bytes()
        assert content.startswith(b"\xef\xbb\xbf")  # or Excel takes it for the system's old encoding
        with path.open(encoding="utf-8-sig", newline="") as file:
            cells = [cell for record in csv.reader(file) for cell in record]
        assert not [cell for cell in cells if cell.startswith(UNSAFE)]
        seen += sum(cell.startswith("'") for cell in cells)
    assert seen > 10


def test_csv_as_pandas_reads_it(folder: Path, tmp_path: Path) -> None:
    run(folder, tmp_path / "out", "csv", "--config", "lines")
    frame = pd.read_csv(tmp_path / "out" / "lines" / "train.csv")
    expected = rows(folder, "lines", "train")
    assert frame.columns[0] == "id"
    assert frame["season"].tolist() == [1] * len(expected)
    assert frame["text"].map(unescape).tolist() == [row["text"] for row in expected]
    assert frame["speakers"].map(json.loads).tolist() == [row["speakers"] for row in expected]
    assert frame["dup_cluster"].isna().tolist() == [row["dup_cluster"] is None for row in expected]


# ConvoKit: its package has no wheel, so what follows is the part of its loader that its documentation describes.
# https://convokit.cornell.edu/documentation/data_format.html


def load_corpus(folder: Path) -> tuple[dict, dict, dict, dict]:
    """Utterances, speakers, conversations and meta, by id; opened in the system's encoding, as ConvoKit does."""
    names = ("speakers", "conversations", "corpus", "index")
    speakers, conversations, meta, index = (
        json.loads((folder / f"{name}.json").read_text(encoding="ascii")) for name in names
    )
    lines = (folder / "utterances.jsonl").read_text(encoding="ascii").splitlines()
    utterances = {utterance["id"]: utterance for utterance in map(json.loads, lines)}
    assert set(index) == {
        *(f"{kind}-index" for kind in ("utterances", "speakers", "conversations", "overall")),
        *("vectors", "version"),
    }
    for utterance in utterances.values():
        assert set(utterance) >= {"id", "speaker", "conversation_id", "reply_to", "timestamp", "text"}
    things = {
        "utterances": [utterance["meta"] for utterance in utterances.values()],
        "speakers": [speaker["meta"] for speaker in speakers.values()],
        "conversations": [conversation["meta"] for conversation in conversations.values()],
        "overall": [meta],
    }
    for kind, metas in things.items():
        types = index[f"{kind}-index"]
        for values in metas:
            assert set(values) == set(types)
            for name, value in values.items():
                assert value is None or [str(type(value))] == types[name]
    return utterances, speakers, conversations, meta


def test_convokit(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "corpus"
    assert run(folder, out, "convokit") == 0
    lines = rows(folder, "lines")
    assert f"{out / 'utterances.jsonl'}  {len(lines)} rows" in capsys.readouterr().out
    assert {path.name for path in out.iterdir()} == {
        *("utterances.jsonl", "speakers.json", "conversations.json", "corpus.json", "index.json")
    }
    utterances, speakers, conversations, meta = load_corpus(out)
    assert [(u["id"], u["text"], u["speaker"]) for u in utterances.values()] == [
        (row["id"], row["text"], row["speaker"]) for row in lines
    ]
    assert set(speakers) == {row["speaker"] for row in lines}
    assert speakers["Joey and Ross"]["meta"]["lines"] == len(HOSTILE)
    assert len(conversations) == len({(row["id"].split("_u")[0]) for row in lines}) == 8
    assert meta["version"] == "1.0.0"
    for id, conversation in conversations.items():
        assert utterances[id]["reply_to"] is None  # a conversation is named after its first utterance
        members = [u for u in utterances.values() if u["conversation_id"] == id]
        scene = [row for row in lines if row["id"].split("_u")[0] == id.split("_u")[0]]
        assert [u["id"] for u in members] == [row["id"] for row in scene]
        assert [u["reply_to"] for u in members] == [None, *(row["id"] for row in scene[:-1])]
        assert sorted(members, key=lambda u: u["timestamp"]) == members
        assert conversation["meta"]["scene_heading"] == scene[0]["scene_heading"]
        assert conversation["meta"]["split"] in ("train", "validation", "test")


# The command


@pytest.mark.attack("the user's files", "outputs of exports and reports")
def test_what_appears_while_an_export_works_is_kept(folder: Path, tmp_path: Path, monkeypatch: Any) -> None:
    real, out = files.sync, tmp_path / "out"

    def meanwhile(written: Path) -> None:
        real(written)
        out.mkdir()
        (out / "notes.txt").write_text("mine")

    monkeypatch.setattr(files, "sync", meanwhile)
    assert run(folder, out, "csv") == 2
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (out / "notes.txt").read_text() == "mine"


@pytest.mark.attack("the user's files", "outputs of exports and reports")
def test_out_is_never_overwritten(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    assert run(folder, tmp_path / "mine", "csv") == 2
    assert "choose another --out" in capsys.readouterr().err
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "thesis.txt"]
    assert run(folder, tmp_path / "mine" / "thesis.txt", "csv") == 2
    (tmp_path / "empty").mkdir()
    assert run(folder, tmp_path / "empty", "csv", "--config", "chunks") == 0


def test_a_default_folder(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert export.main([str(folder), "--format", "jsonl", "--config", "chunks"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["friends-lines-jsonl"]


def test_bad_folders(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, tmp_path / "out", "csv") == 2
    assert "no dataset folder" in capsys.readouterr().err
    broken = tmp_path / "broken"
    (broken / "lines").mkdir(parents=True)
    manifest = (folder / "manifest.json").read_text(encoding="utf-8")
    for spoilt, said in (
        ('{"builder": "friends-corpus", "files": {}}', "manifest.json: dataset: Field required"),
        (manifest.replace('"lines": {\n', '"lynes": {\n', 1), "has no config lines; it has lynes, "),
        (manifest[:999], "manifest.json: cannot be read ("),
    ):
        (broken / "manifest.json").write_text(spoilt, encoding="utf-8")
        assert run(broken, tmp_path / "out", "convokit") == 2
        assert said in capsys.readouterr().err
    (broken / "manifest.json").write_text(manifest, encoding="utf-8")
    assert run(broken, tmp_path / "out", "csv", "--config", "lines") == 2
    assert "build the dataset again" in capsys.readouterr().err
    (broken / "lines" / "train-00000-of-00001.parquet").write_bytes(b"PAR1 nonsense")
    assert run(broken, tmp_path / "out", "csv", "--config", "lines") == 2
    assert not (tmp_path / "out").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken"]


@pytest.mark.parametrize(
    "options", [["--format", "xml"], [], ["--format", "convokit", "--config", "chunks"], ["--format", "jsonl", "--raw"]]
)
def test_usage(options: list[str], folder: Path) -> None:
    with pytest.raises(SystemExit) as exit:
        export.main([str(folder), *options])
    assert exit.value.code == 2
