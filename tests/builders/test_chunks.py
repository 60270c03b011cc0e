"""Turns → chunks: what goes together, in which order, and where the directions go."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from invented import direction, episode

from builders.configs.chunks import chunk_rows, pack, printed_turns
from builders.configs.lines import Row, line_rows
from builders.configs.named_lines import name_lines, named
from builders.configs.schema import to_table
from friends_corpus.core.model import Episode, Line


def chunks_of(made: Episode[Line], limit: int) -> list[Row]:
    return chunk_rows(line_rows(made), printed_turns(made), limit)


# "Joey: " is six characters and the line break between turns is one.
@pytest.mark.parametrize(
    ("texts", "limit", "expected"),
    [
        pytest.param([], 20, [], id="no turns"),
        pytest.param(["a"], 20, [["a"]], id="one turn"),
        pytest.param(["a", "b"], 15, [["a", "b"]], id="just fits"),
        pytest.param(["a", "b", "c", "d"], 14, [["a"], ["b"], ["c", "d"]], id="one character too many"),
        pytest.param(["a", "b", "c"], 15, [["a", "b", "c"]], id="lone leftover joins"),
        pytest.param(["a", "b", "c", "d"], 15, [["a", "b"], ["c", "d"]], id="two left stay"),
        pytest.param(["x" * 99, "a", "b"], 15, [["x" * 99], ["a", "b"]], id="too long stands alone first"),
        pytest.param(["a", "x" * 99, "b", "c"], 15, [["a"], ["x" * 99], ["b", "c"]], id="too long in the middle"),
        pytest.param(["a", "b", "x" * 99], 15, [["a", "b"], ["x" * 99]], id="too long last stands alone"),
        pytest.param(["x" * 99, "a"], 15, [["x" * 99], ["a"]], id="nothing joins a too long one"),
        pytest.param(["x" * 99], 15, [["x" * 99]], id="only a too long one"),
        pytest.param(["x" * 9], 15, [["x" * 9]], id="exactly the limit alone"),
    ],
)
def test_pack(texts: list[str], limit: int, expected: list[list[str]]) -> None:
    packed = pack([len(named("Joey", text)) for text in texts], limit)
    assert [[texts[number] for number in chunk] for chunk in packed] == expected


TURNS = st.lists(st.integers(1, 60).map(lambda size: ("Joey", "x" * size)), max_size=25)


@settings(max_examples=200, deadline=None)
@given(scenes=st.lists(TURNS, min_size=1, max_size=4), limit=st.integers(1, 120))
def test_no_line_is_lost_repeated_or_moved(scenes: list[list[tuple[str, str]]], limit: int) -> None:
    made = episode(*scenes)
    chunks = chunks_of(made, limit)
    lines = line_rows(made)
    assert [id for chunk in chunks for id in chunk["line_ids"]] == [line["id"] for line in lines]
    texts = {row["id"]: named(row["speaker"], row["text"]) for row in lines}
    for chunk in chunks:
        assert chunk["text"] == "\n".join(texts[id] for id in chunk["line_ids"])
        assert {id.split("_")[1] for id in chunk["line_ids"]} == {f"c{chunk['scene']:02d}"}
    for scene in range(1, len(scenes) + 1):
        sizes = [chunk for chunk in chunks if chunk["scene"] == scene]
        assert all(len(chunk["text"]) <= limit or len(chunk["turns"]) == 1 for chunk in sizes[:-1])
        for chunk in sizes[-1:]:
            without_last = chunk["text"].rpartition("\n")[0]
            assert len(chunk["text"]) <= limit or len(without_last) <= limit


def test_row() -> None:
    made = episode(
        [("Joey and Ross", "Hi.", "(waving) Hi."), ("Monica", "Oh."), ("Joey", "Bye.")],
        page="0615-0616.html",
        headings=["[Scene: A kitchen]"],
    )
    [row] = chunks_of(made, 1200)
    assert row == {
        "id": "s06e15_c01_k01",
        "season": 6,
        "episode": 15,
        "episodes": [15],
        "episode_title": "The One With The Kettle",
        "written_by": ["A. Writer"],
        "transcribed_by": ["A. Fan"],
        "scene": 1,
        "scene_heading": "[Scene: A kitchen]",
        "line_ids": ["s06e15_c01_u0000", "s06e15_c01_u0001", "s06e15_c01_u0002"],
        "speakers": ["Joey", "Ross", "Monica"],
        "speaker_ids": ["joey", "ross", "monica"],
        "turns": [
            {"speaker": "Joey and Ross", "text": "Hi."},
            {"speaker": "Monica", "text": "Oh."},
            {"speaker": "Joey", "text": "Bye."},
        ],
        "text": "Joey and Ross: Hi.\nMonica: Oh.\nJoey: Bye.",
        "text_with_directions": "Joey and Ross: (waving) Hi.\nMonica: Oh.\nJoey: Bye.",
        "source": "0615-0616.html",
        "dup_cluster": None,
    }


def test_directions_stand_where_they_were_printed() -> None:
    made = episode(
        [
            direction("(Enter Joey)"),
            ("Joey", "aaaa"),
            direction("(A bell)"),
            ("Ross", "", "(nods)"),
            ("Ross", "bbbb"),
            direction("(Between)"),
            ("Joey", "cccc"),
            ("Ross", "dddd"),
            ("Ross", "", "(shrugs)"),
            direction("(They leave)"),
        ]
    )
    first, second = chunks_of(made, 25)
    assert first["text"] == "Joey: aaaa\nRoss: bbbb"
    assert first["text_with_directions"] == "(Enter Joey)\nJoey: aaaa\n(A bell)\nRoss: (nods)\nRoss: bbbb"
    assert second["text_with_directions"] == "(Between)\nJoey: cccc\nRoss: dddd\nRoss: (shrugs)\n(They leave)"
    assert [id[-4:] for id in first["line_ids"] + second["line_ids"]] == ["0000", "0002", "0003", "0004"]


def test_a_scene_without_speech_has_no_chunk_and_keeps_its_number() -> None:
    made = episode([("Joey", "Hi.")], [direction("(Night.)"), ("Ross", "", "(snores)")], [("Ross", "Morning.")])
    assert [row["id"] for row in chunks_of(made, 1200)] == ["s01e01_c01_k01", "s01e01_c03_k01"]


def test_lines_and_named_lines_are_the_same_rows() -> None:
    made = episode([("Joey", "Hi.", "(waving) Hi."), ("Ross", "", "(nods)"), ("Joey and Ross", "Oh.")])
    lines = line_rows(made)
    with_names = name_lines(to_table("lines", lines)).to_pylist()
    assert [row["position"] for row in lines] == [0, 2]
    assert [row["text"] for row in with_names] == ["Joey: Hi.", "Joey and Ross: Oh."]
    assert [row["text_with_directions"] for row in with_names] == ["Joey: (waving) Hi.", "Joey and Ross: Oh."]
    texts = ("text", "text_with_directions")
    for line, other in zip(lines, with_names, strict=True):
        assert {k: v for k, v in line.items() if k not in texts} == {k: v for k, v in other.items() if k not in texts}
