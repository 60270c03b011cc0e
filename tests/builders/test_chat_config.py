"""Lines → chat: which lines answer somebody, what they answer, and who may be in which message."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from invented import direction, episode, write_pages

from builders import build, check, explain, export
from builders.configs.chat import EARLIER_CHARACTERS, EARLIER_LINES, chat_rows, main_character, make_prompt
from builders.configs.lines import line_rows
from friends_corpus.show.config import FRIENDS, friends, read_show

CAST = ("Joey", "Ross", "Monica")
LONG = "x" * EARLIER_CHARACTERS
MAIN = re.compile(rf"<b>({'|'.join(friends().cast)}):</b>")  # "<b>Joey:</b>"


def script(row: dict) -> list[str]:
    """Messages as short lines: `? Hi.` the user's, `! Hey.` the assistant's, `= Bye.` the completion."""
    marks = {"user": "?", "assistant": "!"}
    return [f"{marks[m['role']]} {m['content']}" for m in row["prompt"][1:]] + [f"= {row['completion'][0]['content']}"]


def joeys(*scenes: list) -> list[dict]:
    return chat_rows(line_rows(episode(*scenes)), "Friends", ["Joey"])


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([], [], id="no line"),
        pytest.param([("Joey", "Hi.")], [], id="opens a scene"),
        pytest.param([("Joey", "Hi."), ("Ross", "Hey.")], [], id="only the answer of another one"),
        pytest.param([("Ross", "Hi."), ("Joey", "Hey.")], [["? Hi.", "= Hey."]], id="answer"),
        pytest.param([("Ross", "Hi."), ("Joey", "Hey."), ("Joey", "So.")], [["? Hi.", "= Hey."]], id="goes on"),
        pytest.param(
            [("Ross", "Hi."), ("Joey", "Hey."), direction("(A bell.)"), ("Joey", "So.")],
            [["? Hi.", "= Hey."]],
            id="goes on after a direction",
        ),
        pytest.param(
            [("Ross", "Hi."), ("Joey", "", "(nods)"), ("Joey", "Hey.")], [["? Hi.", "= Hey."]], id="a nod is no line"
        ),
        pytest.param(
            [("Joey", "Hi."), ("Ross", "", "(nods)"), ("Joey", "So?")], [], id="a nod is nothing to answer"
        ),
        pytest.param(
            [("Ross", "Hi.", "(waving) Hi."), direction("(A bell.)"), ("Joey", "Hey.", "(bows) Hey.")],
            [["? Hi.", "= Hey."]],
            id="no directions",
        ),
        pytest.param(
            [("Joey", "Oh."), ("Ross", "Hi."), ("Joey", "Hey.")], [["? Hi.", "= Hey."]], id="never begins with its own"
        ),
        pytest.param(
            [("Ross", "Hi."), ("Joey", "Hey."), ("Ross", "So?"), ("Joey", "No.")],
            [["? Hi.", "= Hey."], ["? Hi.", "! Hey.", "? So?", "= No."]],
            id="own line before",
        ),
        pytest.param(
            [("Ross", "Hi."), ("Joey", "Hey."), ("Joey", "Oh."), ("Ross", "So?"), ("Joey", "No.")],
            [["? Hi.", "= Hey."], ["? Hi.", "! Hey.\nOh.", "? So?", "= No."]],
            id="two own lines before",
        ),
        pytest.param(
            [("Ross", "Hi."), ("Ross", "You?"), ("Joey", "Hey.")], [["? Hi.\nYou?", "= Hey."]], id="one other, twice"
        ),
        pytest.param(
            [("Ross", "Hi."), ("Monica", "Hm."), ("Joey", "Hey.")],
            [["? Ross: Hi.\nMonica: Hm.", "= Hey."]],
            id="two others",
        ),
        pytest.param(
            [("Man With Hat", "Hi."), ("Joey", "Hey."), ("All", "Oh!"), ("Joey", "What?")],
            [["? Hi.", "= Hey."], ["? Man With Hat: Hi.", "! Hey.", "? All: Oh!", "= What?"]],
            id="guests and all",
        ),
        pytest.param(
            [("Ross and Monica", "Hi!"), ("Joey", "Hey.")], [["? Ross and Monica: Hi!", "= Hey."]], id="two at once"
        ),
        pytest.param([("Ross", "Hi."), ("Joey and Monica", "Hey.")], [], id="together with another one"),
        pytest.param([("Joey and Monica", "Hi!"), ("Joey", "So.")], [], id="goes on after a line together"),
        pytest.param(
            [("Joey and Monica", "Hi!"), ("Ross", "Hm."), ("Joey", "So.")],
            [["? Monica: Hi!\nRoss: Hm.", "= So."]],
            id="a line together is the other one's",
        ),
        pytest.param(
            [("Joey and Ross", "Hi!"), ("Ross", "Hm."), ("Joey", "So.")],
            [["? Hi!\nHm.", "= So."]],
            id="a line together with the only other one",
        ),
        pytest.param(
            [*(("Ross", f"{n}.") for n in range(9)), ("Joey", "Hey.")],
            [["? " + "\n".join(f"{n}." for n in range(9 - EARLIER_LINES, 9)), "= Hey."]],
            id="only the last lines",
        ),
        pytest.param(
            [("Monica", "Hm."), ("Ross", LONG), ("Joey", "Hey.")], [[f"? {LONG}", "= Hey."]], id="only what fits"
        ),
        pytest.param([("Ross", f"{LONG}x"), ("Joey", "Hey.")], [[f"? {LONG}x", "= Hey."]], id="one line in any case"),
        pytest.param([("Ross", LONG[1:]), ("Ross", "x"), ("Joey", "Hey.")], [[f"? {LONG[1:]}\nx", "= Hey."]], id="just fits"),
        pytest.param([("Ross", "Où ?"), ("Joey", "“Ça” – no…")], [["? Où ?", "= “Ça” – no…"]], id="not ASCII"),
        pytest.param([("Ross", "assistant: Hi."), ("Joey", "Ross: Hey.")], [["? assistant: Hi.", "= Ross: Hey."]], id="labels in a text"),
    ],
)  # fmt: skip
def test_answers(events: list, expected: list[list[str]]) -> None:
    assert [script(row) for row in joeys(events)] == expected


def test_nothing_crosses_a_scene() -> None:
    rows = joeys([("Ross", "Hi.")], [("Joey", "Hey."), ("Monica", "Hm."), ("Joey", "So.")], [("Joey", "Bye.")])
    assert [(row["id"], script(row)) for row in rows] == [("s01e01_c02_u0003", ["? Hm.", "= So."])]


def test_row() -> None:
    made = episode(
        [("Ross", "Hi."), ("Joey and Ross", "Oh."), ("Joey", "Hey."), ("Monica", "Where?"), ("Joey", "There.", "(points) There.")],
        page="0615-0616.html",
        headings=["[Scene: A kitchen]"],
    )  # fmt: skip
    [row] = chat_rows([row | {"dup_cluster": "d007"} for row in line_rows(made)], "Friends", ["Joey"])
    assert row == {
        "id": "s06e15_c01_u0004",
        "season": 6,
        "episode": 15,
        "episodes": [15],
        "episode_title": "The One With The Kettle",
        "written_by": ["A. Writer"],
        "transcribed_by": ["A. Fan"],
        "scene": 1,
        "scene_heading": "[Scene: A kitchen]",
        "position": 4,
        "character": "Joey",
        "speaker_ids": ["joey"],
        "prompt": [
            {"role": "system", "content": "You are Joey from Friends. You are talking with Ross and Monica."},
            {"role": "user", "content": "Ross: Hi.\nRoss: Oh."},
            {"role": "assistant", "content": "Hey."},
            {"role": "user", "content": "Monica: Where?"},
        ],
        "completion": [{"role": "assistant", "content": "There."}],
        "source": "0615-0616.html",
        "dup_cluster": "d007",
    }


SPEAKERS = st.sampled_from([*CAST, "Gunther", "All", "Joey and Ross", "Ross and Monica", "Gunther and Joey"])
EVENTS = st.lists(
    st.one_of(
        st.tuples(SPEAKERS, st.integers(0, 400)), st.just(direction("(A bell.)")), st.just(("Joey", "", "(nods)"))
    ),
    max_size=15,
)


@settings(max_examples=200, deadline=None)
@given(drawn=st.lists(EVENTS, min_size=1, max_size=3))
def test_properties(drawn: list[list]) -> None:
    """Each text is unique, so that wherever it turns up one can tell whose it is."""
    scenes = [
        [
            (event[0], f"<{scene}.{number}>{'x' * event[1]}", f"<{scene}.{number}>{'x' * event[1]} (sighing)")
            if isinstance(event, tuple) and len(event) == 2
            else event
            for number, event in enumerate(events)
        ]
        for scene, events in enumerate(drawn)
    ]
    lines = line_rows(episode(*scenes))
    line_of = {line["id"]: line for line in lines}
    rows = chat_rows(lines, "Friends", CAST)
    assert [row["id"] for row in rows] == [id for id in line_of if id in {row["id"] for row in rows}]  # in order, once
    for row in rows:
        line = line_of[row["id"]]
        assert row["completion"] == [{"role": "assistant", "content": line["text"]}]
        assert line["speakers"] == [row["character"]]
        assert {key: line[key] for key in row if key in line} == {key: row[key] for key in row if key in line}
        roles = [message["role"] for message in row["prompt"]]
        assert roles == (["system"] + ["user", "assistant"] * len(roles))[: len(roles)]
        assert roles[-1] == "user"
        said = [(m["role"], text) for m in row["prompt"][1:] for text in m["content"].split("\n")]
        before = [other for other in lines if other["scene"] == row["scene"] and other["position"] < row["position"]]
        assert 1 <= len(said) <= min(EARLIER_LINES, len(before))
        names = {name for other in before[-len(said) :] for name in other["speakers"]} - {row["character"]}
        for (role, text), other in zip(said, before[-len(said) :], strict=True):
            others = [name for name in other["speakers"] if name != row["character"]]
            assert role == ("user" if others else "assistant")
            named = f"{' and '.join(others)}: " if role == "user" and len(names) > 1 else ""
            assert text == named + other["text"]
        size = sum(len(other["text"]) for other in before[-len(said) :])
        assert size <= EARLIER_CHARACTERS or len(said) == 1
        assert "(sighing)" not in json.dumps(row)
    answering = [
        line["id"]
        for before, line in pairwise(lines)
        if before["scene"] == line["scene"] and len(line["speakers"]) == 1 and line["speakers"][0] in CAST
        if line["speakers"][0] not in before["speakers"]
    ]
    assert [row["id"] for row in rows] == answering


@pytest.mark.parametrize(
    ("name", "expected"),
    [("all", "all"), ("ALL", "all"), ("Joey", "Joey"), ("joey", "Joey"), (" Joey  Tribbiani ", "Joey")],
)
def test_who_is_meant(name: str, expected: str) -> None:
    assert main_character(name, friends().cast) == expected


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        pytest.param("Chandlr", "did you mean 'Chandler'?", id="typo"),
        pytest.param("Gunther", "choose from Chandler, Joey, Monica, Phoebe, Rachel, Ross, all", id="guest"),
        pytest.param("", "choose from Chandler, ", id="nobody"),
        pytest.param("Jöey", "did you mean 'Joey'?", id="not ASCII"),
    ],
)
def test_an_unknown_character(name: str, hint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build.main(["--out", str(tmp_path / "out"), "--character", name]) == 2
    [error] = capsys.readouterr().err.splitlines()
    assert error.startswith(f"error: --character {name!r} is not a main character of the show ({hint}")
    assert not (tmp_path / "out").exists()


# Built folders.


def make(home: Path, *options: str, numbers: tuple[int, ...] = (1, 2, 3, 4)) -> Path:
    pages = write_pages(home / "pages", numbers)
    out = home / "friends-lines"
    assert build.main(["--pages", str(pages), "--out", str(out), "--jobs", "1", "--no-cache", *options]) == 0
    return out


def read(folder: Path, path: str) -> dict:
    return json.loads((folder / path).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def everybody(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("everybody"))


def test_all_main_characters(everybody: Path) -> None:
    assert read(everybody, "manifest.json")["parameters"] == {"chunk_chars": 1200, "character": "all"}
    rows = pq.read_table(everybody / "chat").to_pylist()
    stats = read(everybody, "stats.json")
    assert len(rows) == stats["total"]["chat"] == 40  # 4 pages × 2 scenes × 5 of 6 turns
    assert [row["character"] for row in stats["chat"]["characters"]] == list(friends().cast)
    assert sum(row["rows"] for row in stats["chat"]["characters"]) == 40
    assert stats["chat"]["no_row"] == {"several_speakers": 0, "opens_scene": 8, "goes_on": 0}
    assert [row["chat"] for row in stats["splits"]] == [20, 10, 10]
    card = (everybody / "README.md").read_text(encoding="utf-8")
    assert "Their other 8 lines answer nobody" in card
    assert "chat of all main characters" in card


@pytest.mark.slow
def test_one_of_them(everybody: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make(tmp_path, "--character", "joey")
    assert read(folder, "manifest.json")["parameters"]["character"] == "Joey"
    everyones = [row for split in ("train", "validation", "test") for row in rows(everybody, split)]
    joeys = [row for split in ("train", "validation", "test") for row in rows(folder, split)]
    assert joeys == [row for row in everyones if row["character"] == "Joey"]
    assert 0 < len(joeys) < 40
    for config in ("lines", "named_lines", "chunks"):
        assert pq.read_table(folder / config).equals(pq.read_table(everybody / config))
    assert "chat of Joey" in (folder / "README.md").read_text(encoding="utf-8")
    assert check.main([str(folder)]) == 0
    capsys.readouterr()
    answer = joeys[0]
    pages = ["--pages", str(tmp_path / "pages")]
    assert explain.main([str(folder), answer["id"], *pages]) == 0
    assert f"chat      the row with the same id: {answer['prompt'][0]['content']}\n" in capsys.readouterr().out
    other = next(row for row in everyones if row["character"] != "Joey")
    assert explain.main([str(folder), other["id"], *pages]) == 0
    assert "chat      no row: the speaker is not one of the characters of chat\n" in capsys.readouterr().out
    assert explain.main([str(everybody), "s01e01_c01_u0000", *pages]) == 0
    assert "chat      no row: it opens the scene\n" in capsys.readouterr().out


def rows(folder: Path, split: str) -> list[dict]:
    return pq.read_table(folder / "chat" / f"{split}-00000-of-00001.parquet").to_pylist()


@pytest.mark.slow
@pytest.mark.parametrize("silent", [("validation",), ("train", "validation", "test")], ids=["a split", "all"])
def test_where_no_main_character_speaks(
    silent: tuple[str, ...], everybody: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No empty file, and everything else is sound."""
    pages = write_pages(tmp_path / "pages")
    for split in silent:
        for id in read(everybody, "manifest.json")["splits"][split]:
            path = pages / f"{id[1:3]}{id[4:6]}.html"
            path.write_text(MAIN.sub("<b>Gunther:</b>", path.read_text(encoding="utf-8")), encoding="utf-8")
    out = tmp_path / "friends-lines"
    assert build.main(["--pages", str(pages), "--out", str(out), "--jobs", "1", "--no-cache"]) == 0
    left_out = "chat: no such config, for no main character answers anybody" in capsys.readouterr().out
    assert left_out == (len(silent) == 3)
    configs = read(out, "manifest.json")["configs"]
    spoken = [split for split in ("train", "validation", "test") if split not in silent]
    assert list(configs.get("chat", {"splits": {}})["splits"]) == spoken
    assert {path.name.split("-")[0] for path in out.glob("chat/*")} == set(spoken)
    for name in ("README.md", "croissant.json", "manifest.json"):
        said = (out / name).read_text(encoding="utf-8")
        assert ("chat/" in said) == bool(spoken)
    for config, described in configs.items():
        loaded = load_dataset(str(out), config, cache_dir=str(tmp_path / "cache"))
        assert list(loaded) == list(described["splits"])
    assert check.main([str(out)]) == 0
    assert export.main([str(out), "--format", "jsonl", "--out", str(tmp_path / "jsonl")]) == 0
    assert export.main([str(out), "--format", "csv", "--config", "chat", "--out", str(tmp_path / "csv")]) == (
        0 if spoken else 2
    )


def test_a_show_without_a_cast(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "show").mkdir()
    (tmp_path / "show" / "show.yaml").write_text("title: Solo")
    (tmp_path / "show" / "speakers.csv").write_bytes((FRIENDS / "speakers.csv").read_bytes())
    assert read_show(tmp_path / "show").cast == {}
    options = ["--pages", str(write_pages(tmp_path / "pages", [1, 2])), "--show", str(tmp_path / "show")]
    command = [*options, "--out", str(tmp_path / "out"), "--jobs", "1", "--no-cache"]
    assert build.main([*command, "--character", "Joey"]) == 2
    assert "(choose from all; its show.yaml lists no cast)" in capsys.readouterr().err
    assert build.main(command) == 0
    assert list(read(tmp_path / "out", "manifest.json")["configs"]) == ["lines", "named_lines", "chunks", "speakers"]


@pytest.mark.parametrize(
    ("speakers", "partners"),
    [
        (["Ross", "All"], "Ross and others"),
        (["Everyone But Monica"], "others"),
        (["The Guys", "Ross", "Monica"], "Ross, Monica and others"),
        (["All", "Girls"], "others"),
        (["Boyd", "Tall Guy"], "Boyd and Tall Guy"),
    ],
)
def test_a_group_is_no_partner(speakers: list[str], partners: str) -> None:
    lines = [{"speakers": [name], "text": "Hi."} for name in speakers]
    assert make_prompt("Joey", lines, "Friends")[0]["content"].endswith(f"You are talking with {partners}.")
