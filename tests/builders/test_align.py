"""The align command: another edition of the same dialogue is found again, whatever its shape, and nothing else is."""

from __future__ import annotations

import csv
import itertools
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from invented import write_pages
from real import PAGES, needs_pages

from builders import align, build
from builders.interop.alignment import align as align_words
from builders.interop.alignment import words_of
from friends_corpus.core.ids import numbers_of

ANNOTATIONS = PAGES.parent / "annotations"
LONG = "so what do you say we all go down to the pier and feed the gulls"


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        pytest.param([LONG, "Yeah."], [LONG, "Yeah."], [(0, 0), (1, 1)], id="same"),
        pytest.param([LONG, "Yeah!"], [LONG.upper(), "yeah"], [(0, 0), (1, 1)], id="case-and-punctuation"),
        pytest.param(["Hi, André, how is the café today?"], ["Hi Andre, how is the cafe today?"], [(0, 0)], id="accents"),
        pytest.param([LONG, "No.", "Why?"], [LONG, "Why?"], [(0, 0), (2, 1)], id="a-line-that-they-lack"),
        pytest.param([LONG, "Why?"], [LONG, "No.", "Why?"], [(0, 0), (1, 2)], id="a-line-that-we-lack"),
        pytest.param([LONG + ". And you there, come along!"], [LONG, "And you there, come along!"], [(0, 0), (0, 1)], id="merged"),
        pytest.param([LONG, "And you there, come along!"], [LONG + " and you there come along"], [(0, 0), (1, 0)], id="split"),
        pytest.param([LONG], [LONG.replace("gulls", "geese").replace("pier", "shore")], [(0, 0)], id="other-words"),
        pytest.param([LONG], [LONG + " (they leave) Later that day"], [(0, 0)], id="glued-direction"),
        pytest.param([LONG], ["There is nothing here that anybody would want to read aloud."], [], id="other-text"),
        pytest.param(["Yeah.", *["one two three four five six"] * 3], ["Yeah.", *["seven eight nine ten"] * 9], [], id="a-word-is-chance"),
        pytest.param(["Yeah."], ["Yeah."], [(0, 0)], id="a-short-episode"),
        pytest.param(["…", LONG], ["", LONG], [(1, 1)], id="without-words"),
        pytest.param([], [LONG], [], id="nothing-here"),
        pytest.param([LONG], [], [], id="nothing-there"),
    ],
)  # fmt: skip
def test_utterances_are_matched(ours: Sequence[str], theirs: Sequence[str], expected: list[tuple[int, int]]) -> None:
    matches = align_words([words_of(text) for text in ours], [words_of(text) for text in theirs])
    assert [(here, there) for match in matches for here in match.ours for there in match.theirs] == expected


def test_matches_are_in_order_and_apart() -> None:
    rng = random.Random(5)
    words = [f"w{number}" for number in range(40)]
    for _ in range(200):
        sides = [[tuple(rng.choices(words, k=rng.randint(0, 9))) for _ in range(rng.randint(0, 30))] for _ in "ab"]
        sides[1][: len(sides[0]) // 2] = sides[0][: len(sides[0]) // 2]
        matches = align_words(*sides)
        for before, after in itertools.pairwise(matches):
            assert before.ours.stop <= after.ours.start
            assert before.theirs.stop <= after.theirs.start


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("align")
    out = home / "friends-lines"
    assert (
        build.main(["--pages", str(write_pages(home / "pages")), "--out", str(out), "--jobs", "1", "--no-cache"]) == 0
    )
    return out


def lines(folder: Path) -> list[dict[str, Any]]:
    rows = [row for path in folder.glob("lines/*.parquet") for row in pq.read_table(path).to_pylist()]
    return sorted(rows, key=lambda row: numbers_of(row["id"]))


def emory(rows: Sequence[dict[str, Any]]) -> str:
    episodes: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        turns = episodes.setdefault(row["episode"], [])
        id = f"s01_e{row['episode']:02d}_c01_u{len(turns) + 1:03d}"
        turns.append({"utterance_id": id, "speakers": [row["speaker"]], "transcript": row["text"], "note": None})
        silent = {"utterance_id": f"{id}9", "speakers": [], "transcript": "", "transcript_with_note": "(nods)"}
        turns.append(silent)
    return json.dumps(
        {"season_id": "s01", "episodes": [{"scenes": [{"utterances": turns}]} for turns in episodes.values()]}
    )


def table(path: Path, header: str, rows: Sequence[Sequence[object]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header.split(","), *rows])
    return path


def references(folder: Path, home: Path) -> dict[str, Path]:
    rows = lines(folder)
    (home / "emory").mkdir()
    (home / "emory" / "friends_season_01.json").write_text(emory(rows))
    ids = [f"s01_e{row['episode']:02d}_c{row['scene']:02d}_u{number:03d}" for number, row in enumerate(rows)]
    (home / "utterances.jsonl").write_text(
        "".join(json.dumps({"id": id, "speaker": row["speaker"], "text": row["text"]}) + "\n" for id, row in zip(ids, rows, strict=True))
    )  # fmt: skip
    numbered = [(row["text"], row["speaker"], 1, row["episode"], row["scene"], at) for at, row in enumerate(rows)]
    meld = [(at, row["text"], row["speaker"], "joy", 7 - at % 7, at, 1, row["episode"], f"00:{at // 60:02d}:{at % 60:02d},000") for at, row in enumerate(rows)]  # fmt: skip
    random.Random(3).shuffle(meld)
    return {
        "emory": home / "emory",
        "emory-file": home / "emory" / "friends_season_01.json",
        "convokit": home / "utterances.jsonl",
        "r": table(home / "r.csv", "text,speaker,season,episode,scene,utterance", numbered),
        "meld": table(
            home / "meld.csv",
            "Sr No.,Utterance,Speaker,Emotion,Dialogue_ID,Utterance_ID,Season,Episode,StartTime",
            meld,
        ),
    }


@pytest.mark.parametrize("form", ["emory", "emory-file", "convokit", "r", "meld"])
def test_every_shape_gives_the_same_pairs(
    folder: Path, tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "alignment.parquet"
    assert align.main([str(folder), str(references(folder, tmp_path)[form]), "--out", str(out)]) == 0
    rows = pq.read_table(out).to_pylist()
    assert [row["id"] for row in rows] == [line["id"] for line in lines(folder)]
    assert {(row["match"], row["similarity"]) for row in rows} == {("exact", 1.0)}
    assert f"{len(rows)} of {len(rows)} spoken utterances of the reference (100.00%)" in capsys.readouterr().out


def test_what_differs_is_named_listed_and_counted(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [row for row in lines(folder) if row["episode"] in (1, 2)]
    rows[1] = {**rows[1], "text": rows[1]["text"].upper() + "!!"}
    half = rows[4]["text"].split()
    parts = [{**rows[4], "text": " ".join(words)} for words in (half[: len(half) // 2], half[len(half) // 2 :])]
    changed = [
        *rows[:4],
        *parts,
        *rows[5:],
        {**rows[0], "text": "Nobody ever said this here."},
        {**rows[0], "episode": 77},
    ]
    reference = tmp_path / "one.json"
    reference.write_text(emory(changed))
    carry = table(
        tmp_path / "e.csv", "season,episode,scene,utterance,emotion", [(1, 1, 1, 3, "joy"), (1, 99, 1, 1, "fear")]
    )
    out, errata = tmp_path / "a.parquet", tmp_path / "errata.csv"
    arguments = [str(folder), str(reference), "--out", str(out), "--errata", str(errata), "--carry", f"{carry}:emotion"]
    assert align.main(arguments) == 0
    pairs = pq.read_table(out).to_pylist()
    by_line = {pair["id"]: pair for pair in pairs}
    assert by_line[rows[1]["id"]]["match"] == "words"
    assert [pair["match"] for pair in pairs if pair["id"] == rows[4]["id"]] == ["merged", "merged"]
    assert by_line[rows[1]["id"]]["emotion"] == "joy"  # the third utterance: one of two has no speech
    assert [pair["reference_id"] for pair in pairs if pair["id"] is None and pair["match"] == "none"]
    with errata.open(encoding="utf-8-sig", newline="") as file:
        listed = list(csv.DictReader(file))
    assert {row["match"] for row in listed} == {"merged", "none"}
    assert "Nobody ever said this here." in {row["reference_text"] for row in listed}
    printed = capsys.readouterr().out
    assert "1 of episodes that the dataset does not have" in printed
    assert "emotion: 1 of 2 rows" in printed
    assert align.main(arguments) == 2  # the files are there
    assert "a.parquet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        pytest.param("x.json", "{", "cannot be read", id="no-json"),
        pytest.param("x.json", '{"episodes": [{"scenes": 3}]}', "episodes.0.scenes", id="other-json"),
        pytest.param("x.json", emory([]).replace("[]", '[{"scenes": [{"utterances": [{"utterance_id": "u1", "speakers": [], "transcript": "a"}]}]}]'), "'u1' is not an id", id="other-ids"),
        pytest.param("x.jsonl", '{"id": "s01_e01_c01_u001"}\n', "line 1", id="other-lines"),
        pytest.param("x.csv", "a,b\n1,2\n", "columns are a, b", id="other-columns"),
        pytest.param("x.csv", "text,speaker,season,episode,scene,utterance\nHi,Ann,one,1,1,1\n", "season is 'one'", id="no-number"),
        pytest.param("x.csv", "text,speaker,season,episode,scene,utterance\nHi,Ann,1\n", "row 1", id="short-row"),
        pytest.param("x.csv", "", "no rows", id="empty"),
    ],
)  # fmt: skip
def test_a_reference_of_another_shape_is_refused(
    folder: Path, tmp_path: Path, name: str, content: str, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text(content)
    assert align.main([str(folder), str(tmp_path / name), "--out", str(tmp_path / "a.parquet")]) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert named in error
    assert name in error
    assert not (tmp_path / "a.parquet").exists()


@pytest.mark.slow
@needs_pages
def test_the_open_pages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not ANNOTATIONS.is_dir():
        pytest.skip(f"no other editions at {ANNOTATIONS}")
    out = tmp_path / "friends-lines"
    assert build.main(["--pages", str(PAGES), "--out", str(out)]) == 0
    capsys.readouterr()
    for name in ("emory", "convokit"):
        arguments = [str(out), str(ANNOTATIONS / name), "--out", str(tmp_path / f"{name}.parquet")]
        assert align.main([*arguments, "--carry", f"{ANNOTATIONS / 'emotions.csv'}:emotion"]) == 0
        share = float(capsys.readouterr().out.partition("(")[2].partition("%")[0])
        assert share >= 99.3
        pairs = [pair for pair in pq.read_table(tmp_path / f"{name}.parquet").to_pylist() if pair["match"] != "none"]
        assert [pair["id"] for pair in pairs] == sorted((pair["id"] for pair in pairs), key=numbers_of)
        assert sum(pair["emotion"] is not None for pair in pairs) >= 3_300


@needs_pages
def test_the_text_of_other_episodes_does_not_align() -> None:
    if not ANNOTATIONS.is_dir():
        pytest.skip(f"no other editions at {ANNOTATIONS}")
    from builders.interop.reference import read_reference

    episodes: dict[tuple[int, int], list[tuple[str, ...]]] = {}
    for turn in read_reference(ANNOTATIONS / "emory"):
        episodes.setdefault((turn.season, turn.episode), []).append(words_of(turn.text))
    sides = list(episodes.values())
    aligned = sum(len(match.theirs) for pair in itertools.pairwise(sides) for match in align_words(*pair))
    assert aligned <= 0.01 * sum(map(len, sides))
