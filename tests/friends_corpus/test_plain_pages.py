"""Pages without bold labels, and plain text: the labels are learnt from the page itself, whatever the show knows."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from friends_corpus.core.model import ParseError
from friends_corpus.formats.pages import read_pages
from friends_corpus.parsing.normalise import normalise
from friends_corpus.parsing.script import read_script
from friends_corpus.show.config import Show, friends, read_show
from friends_corpus.show.page_names import find_pages, identify

LINES = ["Ann: Is that tea?", "Bo: It is.", "Ann: Mine?", "Bo: Yours.", "Ann: Thanks.", "Bo: Any time."]


@pytest.fixture(scope="module")
def untold(tmp_path_factory: pytest.TempPathFactory) -> Show:
    """A show of which nothing but the title is known."""
    folder = tmp_path_factory.mktemp("show")
    (folder / "show.yaml").write_text("title: The Kettle\n")
    (folder / "speakers.csv").write_text("cue,speaker,full_name,episodes\n")
    return read_show(folder)


def turns(text: str, show: Show) -> list[tuple[str, str]]:
    segments, episode = read_script("0101.txt", text.encode(), show)
    joined = "".join("".join(segment.text.split()) for segment in segments)
    if "<" not in text:
        assert joined == "".join(text.split())  # every visible character, once and in order
    return [(" and ".join(line.speakers), line.text) for line in normalise(episode, show).utterances() if line.text]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(["Cy: Post!"], [("Cy", "Post!")], id="a-name-seen-once"),
        pytest.param(["OLD MAN: Post!"], [("Old Man", "Post!")], id="capitals"),
        pytest.param(["Ann and Bo: Ha!"], [("Ann and Bo", "Ha!")], id="several"),
        pytest.param(["Ann, Zed, and Bo: Ha!"], [("Ann and Zed and Bo", "Ha!")], id="several-and-one-seen-once"),
        pytest.param(["Woman on Bus: Ha!"], [("Woman On Bus", "Ha!")], id="a-part"),
        pytest.param(["Ann (waving): Ha!"], [("Ann", "Ha!")], id="direction-in-the-label"),
        pytest.param(["Cy: I had", "a dream: it rained", "all day."], [("Cy", "I had a dream: it rained all day.")], id="wrapped"),
        pytest.param(["Cy: Two things.", "Rule one: never ask."], [("Cy", "Two things. Rule one: never ask.")], id="a-rule"),
        pytest.param(["Cy: Oh.", "Here's the thing: no."], [("Cy", "Oh. Here's the thing: no.")], id="speech"),
        pytest.param(["Time: later", "Cy: Oh."], [("Cy", "Oh.")], id="a-fact"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["text", "html"])
def test_labels_are_learnt(lines: list[str], expected: list[tuple[str, str]], form: str, untold: Show) -> None:
    page = [*LINES, *lines]
    text = "\n".join(page) if form == "text" else "".join(f"<p>{line}</p>" for line in page)
    read = turns(text, untold)
    assert read[: len(LINES) - 1] == [tuple(line.split(": ")) for line in LINES[:-1]]
    assert read[-1] == expected[-1]


def test_few_labels_prove_nothing(untold: Show) -> None:
    with pytest.raises(ParseError):
        read_script("0101.txt", b"Note: this is a letter.\nDear reader: hello.\nMy point: none.\n", untold)


def test_a_bold_page_is_read_by_its_bold_labels() -> None:
    page = (
        "".join(f"<p><b>{name}:</b> Hi.</p>" for name in ("Joey", "Ross") * 3) + "<p>Tip: hold on.</p><p>Tip: sit.</p>"
    )
    assert ("Tip", "sit.") not in turns(page, friends())


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        pytest.param("Ann: Hi.\r\nBo:  Hey.".encode("utf-16"), ["Ann: Hi.", "Bo: Hey."], id="utf-16"),
        pytest.param("Ann: Hi\u2026\n\n\nBo: Hé.".encode("cp1252"), ["Ann: Hi…", "Bo: Hé."], id="windows"),
        pytest.param(b"Ann: 1 < 2 > 0\rBo: Hey.", ["Ann: 1 < 2 > 0", "Bo: Hey."], id="signs-and-no-tags"),
        pytest.param(gzip.compress(b"Ann: Hi."), ["Ann: Hi."], id="gzip-of-text"),
        pytest.param(gzip.compress(b"<p>Ann: Hi.</p><p>Bo: Hey."), ["Ann: Hi.", "Bo: Hey."], id="gzip-of-html"),
        pytest.param(b"", [], id="empty"),
    ],
)
def test_the_format_is_told_by_content(data: bytes, texts: list[str]) -> None:
    [page] = read_pages("x", data)
    assert [block.text for block in page.blocks] == texts


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"Ann: Hi.\0", id="binary"),
        pytest.param(gzip.compress(b"Ann: Hi.")[:-4], id="gzip-cut-off"),
        pytest.param(b"\x1f\x8bAnn: Hi.", id="no-gzip"),
        pytest.param(gzip.compress(b"Ann: Hi.\n" * 4_000_000), id="gzip-of-36-MB"),
    ],
)
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(ParseError):
        read_pages("x", data)


@pytest.mark.parametrize(
    ("name", "season", "numbers"),
    [
        ("101.html", 1, (1,)),
        ("1x01 - The Kettle.htm", 1, (1,)),
        ("Friends 1.01 - The Kettle.html", 1, (1,)),
        ("friends_s01e01.html", 1, (1,)),
        ("ep0101.html", 1, (1,)),
        ("0101 The Kettle.html", 1, (1,)),
        ("1-01.html", 1, (1,)),
        ("1017.txt", 10, (17,)),
        ("0615-0616.html", 6, (15, 16)),
        ("0101.html.gz", 1, (1,)),
    ],
)
def test_names_of_files(name: str, season: int, numbers: tuple[int, ...]) -> None:
    source = identify(name, "", friends())
    assert (source.season, source.numbers) == (season, numbers)


@pytest.mark.parametrize("name", ["kettle.html", "1994 x.html", "notes 2024-01-05.txt"])
def test_what_a_name_does_not_tell(name: str) -> None:
    with pytest.raises(ParseError, match="cannot tell the season and episode"):
        identify(name, "", friends())


def test_an_index_is_skipped_with_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("0101.txt", "index.html", "0102.html.gz", "notes.pdf", "notes.txt"):
        (tmp_path / name).write_text("x")
    assert [path.name for path in find_pages(tmp_path)] == ["0101.txt", "0102.html.gz"]
    assert "index.html is skipped" in capsys.readouterr().err
