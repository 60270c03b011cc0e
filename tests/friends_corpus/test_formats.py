"""Formats, told by content: Markdown, MHTML, tables, several episodes in one file; and what names the episode."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import build, check, explain
from friends_corpus import parse
from friends_corpus.core.cli import InputError
from friends_corpus.core.model import ParseError
from friends_corpus.formats.pages import read_pages
from friends_corpus.parsing.normalise import normalise
from friends_corpus.parsing.script import parse_page
from friends_corpus.show.config import Show, friends, read_columns, read_pages_table, read_show
from friends_corpus.show.episodes import EpisodeFacts, EpisodeList
from friends_corpus.show.page_names import find_pages, identify

TALK = "".join(f"Joey: Number {n} is cold.\nRoss: It is not {n}.\n" for n in range(4))
KAGGLE = b'author,quote,episode_number,episode_title,season\nJoey,"Hey, you",1,The Kettle,1.0\nRoss,Not me,1,The Kettle,1.0\n'
R_TABLE = (
    b"text,speaker,season,episode,scene,utterance\nHey,Joey Tribbiani,1,2,1,1\n[Ross sits],Scene Directions,1,2,1,2\n"
    b"Not me,Ross Geller,1,2,2,3\nBye,Joey Tribbiani,1,3,1,1\n"
)
MARKDOWN = (
    b"# The One With The Kettle\n\n**Joey:** (sits) Hey, the **red** one?\n\n> kettle: a pot\n\n**Ross**: Not *me*.\n"
)
SAVED = (
    b'From: <Saved by Blink>\nMIME-Version: 1.0\nContent-Type: multipart/related;\n\ttype="text/html";\n\tboundary="--x"\n\n'
    b"----x\nContent-Type: text/html; charset=windows-1252\nContent-Transfer-Encoding: quoted-printable\n\n"
    b"<p><b>Joey:</b> It=92s a long =\nline.</p><p><b>Ross:</b> Yes=85</p>\n----x--\n"
)


def turns(data: bytes, name: str = "0101.html", show: Show | None = None) -> list[list[tuple[str, str, int]]]:
    """Speaker, text and scene of each line, for each page of a file."""
    about = show or friends()
    episodes = [normalise(parse_page(page, name, about)[1], about) for page in read_pages(name, data, about)]
    return [
        [(line.speakers[0], line.text, line.scene) for line in episode.utterances() if line.text]
        for episode in episodes
    ]


def with_episodes(tmp_path: Path, titles: list[str]) -> Show:
    (tmp_path / "show.yaml").write_text("title: Steam Trek\ntitles: [The Day]\n", encoding="utf-8")
    rows = "".join(f"{1 + n // 3},{1 + n % 3},{title},,,,,\n" for n, title in enumerate(titles))
    header = "season,episode,title,aliases,directed_by,written_by,air_date,us_viewers_millions\n"
    (tmp_path / "episodes.csv").write_text(header + rows, encoding="utf-8")
    return read_show(tmp_path)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(MARKDOWN, [[("Joey", "Hey, the red one?", 1), ("Ross", "Not me.", 1)]], id="markdown"),
        pytest.param(SAVED, [[("Joey", "It's a long line.", 1), ("Ross", "Yes...", 1)]], id="mhtml"),
        pytest.param(KAGGLE, [[("Joey", "Hey, you", 1), ("Ross", "Not me", 1)]], id="kaggle"),
        pytest.param(KAGGLE.replace(b",", b"\t").replace(b'"Hey\t you"', b"Hey, you"), [[("Joey", "Hey, you", 1), ("Ross", "Not me", 1)]], id="tsv"),
        pytest.param(R_TABLE, [[("Joey", "Hey", 1), ("Ross", "Not me", 2)], [("Joey", "Bye", 1)]], id="R"),
        pytest.param(b"\xef\xbb\xbfcharacter,line\nJoey,Hey\n", [[("Joey", "Hey", 1)]], id="byte-order-mark"),
    ],
)  # fmt: skip
def test_formats_are_told_by_their_content(data: bytes, expected: list[Any], packed: bool) -> None:
    assert turns(gzip.compress(data) if packed else data) == expected


def test_parquet() -> None:
    import pandas as pd

    buffer = io.BytesIO()
    pd.DataFrame(
        {"speaker": ["Joey", None], "text": ["Hey", "(a bell)"], "season": [2, 2], "episode": [3, 3]}
    ).to_parquet(buffer)
    [page] = read_pages("lines.parquet", buffer.getvalue())
    assert page.locator == "S02E03"
    assert turns(buffer.getvalue(), "lines.parquet") == [[("Joey", "Hey", 1)]]


def test_other_columns_are_named(tmp_path: Path) -> None:
    (tmp_path / "show.yaml").write_text("title: Steam Trek\n", encoding="utf-8")
    show = read_show(tmp_path, None, "speaker=who,text=what")
    assert turns(b"who,what\nHolm,Tea.\n", show=show) == [[("Holm", "Tea.", 1)]]
    with pytest.raises(ParseError, match=r"no column 'who' \(it has a, b\)"):
        read_pages("0101.csv", b"a,b\n1,2\n", show)
    with pytest.raises(InputError, match="did you mean 'speaker'"):
        read_columns("speker=who")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"speaker,text,season,episode\nJoey,Hey,1,one\n", "row 2: .* must be numbers", id="episode"),
        pytest.param(b"PAR1 nonsense", "a Parquet file that cannot be read", id="parquet"),
        pytest.param(
            b"MIME-Version: 1.0\nContent-Type: multipart/related\n\nnothing", "without an HTML part", id="mhtml"
        ),
    ],
)
def test_damaged_files(data: bytes, message: str) -> None:
    with pytest.raises(ParseError, match=message):
        read_pages("x.csv", data)


HEADS = {
    "titles": ("THE KETTLE", "The Day of the Lamp", "THE DAY OF THE MAP"),
    "numbers": ("Episode 1", "Episode 2: The Day of the Lamp", "EPISODE 3"),
    "codes": ("S01E01", "1x02 - The Day of the Lamp", "s01e03 The Day"),
    "misspelt": ("The Kettle", "The Day of the Lammp", "The Day of the Map"),
    "by-its-place": ("The Kettle", "The Day Of Something Else", "The Day of the Map"),
}


@pytest.mark.parametrize("end", ["\n", "\nEND\n\n"], ids=["blank", "END"])
@pytest.mark.parametrize("heads", HEADS.values(), ids=HEADS.keys())
def test_several_episodes_in_one_text(tmp_path: Path, heads: tuple[str, ...], end: str) -> None:
    show = with_episodes(tmp_path, ["The Kettle", "The Day of the Lamp", "The Day of the Map", "The Other"])
    pages = read_pages("all.txt", end.join(f"{head}\n{TALK}" for head in heads).encode(), show)
    assert [page.locator for page in pages] == ["S01E01", "S01E02", "S01E03"]
    assert ["Something Else" in note for page in pages for note in page.notes] == (
        ["Something Else" in heads[1]] * ("Something Else" in heads[1])
    )
    for page in pages:
        assert len([*parse_page(page, "all.txt", show)[1].utterances()]) == 8


def test_a_shared_title_counts_in_order(tmp_path: Path) -> None:
    show = with_episodes(tmp_path, ["The Kettle", "The Kettle", "The Lamp"])
    pages = read_pages(
        "all.txt", "\n".join(f"{head}\n{TALK}" for head in ("The Kettle", "The Kettle", "The Lamp")).encode(), show
    )
    assert [page.locator for page in pages] == ["S01E01", "S01E02", "S01E03"]
    assert all("taken in order" in note for page in pages for note in page.notes)


def test_a_boundary_without_a_number_fails_with_its_line(tmp_path: Path) -> None:
    show = with_episodes(tmp_path, ["The Kettle", "The Lamp", "The Map", "The Cup"])
    text = f"The Kettle\n{TALK}\nThe Day Unknown\n{TALK}\nThe Cup\n{TALK}"
    with pytest.raises(ParseError, match="line 10, “The Day Unknown”, begins an episode, and nothing says which"):
        read_pages("all.txt", text.encode(), show)


def test_a_file_whose_name_says_its_episode_is_one_page(tmp_path: Path) -> None:
    show = with_episodes(tmp_path, ["The Kettle", "The Lamp"])
    [page] = read_pages("0101.txt", f"The Kettle\n{TALK}\nThe Lamp\n{TALK}".encode(), show)
    assert page.locator == ""


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        pytest.param("THE KETTLE, PART TWO", [2], id="part-two"),
        pytest.param("the kettle (1)", [1], id="bare"),
        pytest.param("Kettle: Parts 1 & 2", [1, 2], id="both"),
        pytest.param("The Ketle of the Long Night", [3], id="misspelt"),
        pytest.param("Something else", [], id="unknown"),
    ],
)
def test_titles(text: str, numbers: list[int]) -> None:
    listed = [EpisodeFacts(1, 1, "The Kettle: Part 1"), EpisodeFacts(1, 2, "The Kettle: Part 2")]
    listed.append(EpisodeFacts(1, 3, "The Kettle of the Long Night"))
    assert [episode.number for episode in EpisodeList(listed).find(text, loosely=True)] == numbers


def test_the_episodes_of_friends() -> None:
    episodes = friends().episodes
    assert len(episodes.episodes) > 230
    assert [found.number for found in episodes.find("THE ONE WHERE IT ALL BEGAN")] == [1]
    assert [found.number for found in episodes.find("TOW the Thumb")] == [3]


@pytest.mark.parametrize(
    ("name", "season", "number"),
    [
        pytest.param("season1/ep1.html", 1, 1, id="folder"),
        pytest.param("Season 02/12 - The Kettle.txt", 2, 12, id="folder-and-title"),
        pytest.param("s3/episode_4.md", 3, 4, id="short"),
    ],
)
def test_names_in_folders(name: str, season: int, number: int) -> None:
    source = identify(name, "", friends())
    assert (source.season, source.numbers) == (season, (number,))


def test_a_table_of_pages_says_what_names_do_not(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "walk.html").write_text("<p><b>Joey:</b> Hey.</p><p><b>Ross:</b> Ow.</p>", encoding="utf-8")
    assert parse.main([str(tmp_path / "pages")]) == 2
    assert "pages.csv" in capsys.readouterr().err
    (tmp_path / "pages.csv").write_text("file,season,episode\nwalk.html,3,4-5\n", encoding="utf-8")
    table = ["--pages-table", str(tmp_path / "pages.csv")]
    pages, out = ["--pages", str(tmp_path / "pages")], str(tmp_path / "out")
    assert build.main([*pages, *table, "--out", out, "--jobs", "1", "--no-cache"]) == 0
    assert check.main([out, *pages, *table]) == 0
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert [page["episode"] for page in manifest["pages"]] == ["s03e04"]
    assert explain.main([out, "s03e04_c01_u0000", *pages, *table]) == 0


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n",
        "file,season,episode\nx.html,one,2\n",
        "file,season,episode\nx.html,1\n",
        "file,season,episode\nx.html,1,2-\n",
    ],
    ids=["header", "season", "short", "episode"],
)
def test_a_wrong_table_of_pages(tmp_path: Path, text: str) -> None:
    (tmp_path / "pages.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"pages\.csv"):
        read_pages_table(tmp_path / "pages.csv")


def test_a_folder_of_mixed_forms_builds(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    (pages / "season1").mkdir(parents=True)
    (pages / "0101.html").write_text("<p><b>Joey:</b> Hey.</p><p><b>Ross:</b> Ow.</p>", encoding="utf-8")
    (pages / "0102.md").write_bytes(MARKDOWN)
    (pages / "0103.mhtml").write_bytes(SAVED)
    (pages / "0104.csv").write_bytes(b"speaker,text\nJoey,Hey\nRoss,Ow\n")
    (pages / "0105.txt.gz").write_bytes(gzip.compress(TALK.encode()))
    (pages / "season1" / "ep6.txt").write_text(TALK, encoding="utf-8")
    (pages / "readme.md").write_text("Collected by hand.", encoding="utf-8")
    assert [path.name for path in find_pages(pages)] == [
        "0101.html",
        "0102.md",
        "0103.mhtml",
        "0104.csv",
        "0105.txt.gz",
        "ep6.txt",
    ]
    out = tmp_path / "out"
    assert build.main(["--pages", str(pages), "--out", str(out), "--jobs", "1", "--no-cache"]) == 0
    assert check.main([str(out), "--pages", str(pages)]) == 0
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert [page["episode"] for page in manifest["pages"]] == [f"s01e0{n}" for n in range(1, 7)]
    assert explain.main([str(out), "s01e04_c01_u0001", "--pages", str(pages)]) == 0


PIECES = [
    "**Joey:** Hi",
    "\n",
    "# The One",
    "> note",
    "author,quote",
    "Joey,Hi",
    '"',
    ",",
    "\t",
    "S01E02",
    "Episode 3",
    "END",
    "PAR1",
]
PIECES += [
    "MIME-Version: 1.0\n",
    "Content-Type: multipart/related\n\n",
    "The One With The Thumb",
    "[Scene: A park.]",
    "\\",
    "*",
    "_",
]


@given(st.lists(st.sampled_from(PIECES), max_size=40), st.sampled_from(["all.txt", "x.csv", "0101.md"]))
def test_nothing_is_worse_than_a_parse_error(pieces: list[str], name: str) -> None:
    try:
        for page in read_pages(name, "".join(pieces).encode()):
            parse_page(page, name, friends())
    except ParseError as error:
        assert "\n" not in str(error)
