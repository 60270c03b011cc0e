"""What holds for any bytes: a ParseError or a page in which no character is lost, invented or said twice."""

import contextlib
import itertools
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from friends_corpus.core.model import ParseError
from friends_corpus.formats.html import read_blocks
from friends_corpus.parsing.brackets import match_brackets
from friends_corpus.parsing.normalise import clean, normalise
from friends_corpus.parsing.script import read_script

SOUP = st.sampled_from(
    "<p>|</p>|<br>|<b>|</b>|<strong>|</strong>|<font color=blue>|</font>|<div>|</div>|<h1>|</h1>|<!--|-->|<td>|<pre>|</pre>|"
    "Joey:|ROSS:|Phoebe (to Ross):|Joey and Ross:|Man #2:|All:|[Scene: A park.]|[Scene: A park|[Cut to|(|)|[|]|{|}|&lt;|&gt;|"
    "(waves)|[waves)|Written by: A B|Transcribed by: x@example.org|The End|Opening Credits|&nbsp;|&#146;|&amp|’|…|\n|\r\n|"
    " | Hi there.|Rule one: no.|at 8:30|-|:|::|\x0b|\x85|\xad|<|>|&|<title>|<script>x</script>|</html>".split("|")
)
PAGE = st.lists(SOUP, max_size=60).map("".join)


def visible(text: str) -> str:
    return re.sub(r"\s", "", text)


@settings(max_examples=300, deadline=None)
@given(PAGE)
def test_segments_are_the_visible_text_and_lines_are_their_segments(soup: str) -> None:
    data = ("<p><b>Joey:</b> Hi.</p>" + soup).encode()
    segments, printed = read_script("0101.html", data)
    assert "".join(s.text for s in segments) == "".join(block.text + "\n" for block in read_blocks(data))
    assert [s.order for s in segments] == list(range(len(segments)))
    assert all(s.text.strip() for s in segments)
    seen: list[int] = []
    for line in normalise(printed).utterances():
        parts = [segments[order] for order in line.segments]
        cue = "".join(part.text for part in parts if part.kind == "cue")
        said = "".join(part.text for part in parts if part.kind not in ("cue", "punctuation"))
        assert visible(line.cue) == visible(cue).strip("-–>()[]")
        assert visible(line.text_with_directions) == visible(said)
        assert line.speakers and all(line.speakers)
        assert list(line.segments) == sorted(line.segments)
        seen += line.segments
    assert len(seen) == len(set(seen))


@pytest.mark.attack("hostile pages", "random markup")
@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=2000))
def test_any_bytes_give_a_page_or_a_parse_error(data: bytes) -> None:
    try:
        segments, _ = read_script("0101.html", data)
    except ParseError as error:
        assert str(error)
    else:
        assert "".join(s.text for s in segments) == "".join(block.text + "\n" for block in read_blocks(data))


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="([{<)]}> ab.", max_size=60))
def test_brackets_are_disjoint_and_inside_the_text(text: str) -> None:
    spans = list(match_brackets(text).items())
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))


@given(st.text(max_size=80))
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert clean(clean(text)) == clean(text)


TURNS = st.lists(
    st.tuples(
        st.sampled_from(["Joey", "Ross", "Mrs. Abernathy"]), st.sampled_from(["Hi.", "It’s — (waves) fine.", "No…"])
    ),
    min_size=1,
    max_size=6,
)


@pytest.mark.parametrize(
    "dialect",
    [
        lambda page: page.replace("\n", "\r\n"),
        lambda page: page.replace("> ", ">&nbsp;"),
        lambda page: re.sub(r"<(/?)(\w+)", lambda tag: f"<{tag[1]}{tag[2].upper()}", page),
        lambda page: page.replace("<b>", "<strong>").replace("</b>", "</strong>"),
        lambda page: page.replace(":</b>", "</b>:"),
        lambda page: page.replace("<p><b>", "<b>\n<p>"),
        lambda page: page.replace("</p>", ""),
        lambda page: page.replace("</p>\n<p>", "<br>\n"),
        lambda page: f"<table><tr><td><div><font size=3>{page}</div></table>",
        lambda page: page.replace("<p>", "<!-- Ross: no --><p align=left>"),
        lambda page: page.replace("</b>", "</b><script>Ross: no</script>"),
    ],
)
@settings(max_examples=20, deadline=None)
@given(turns=TURNS)
def test_markup_does_not_change_the_lines(dialect, turns: list[tuple[str, str]]) -> None:  # type: ignore[no-untyped-def]
    page = "<p>[Scene: A park.]</p>\n" + "\n".join(f"<p><b>{name}:</b> {text}</p>" for name, text in turns)

    def lines(html: str, encoding: str = "utf-8") -> list[tuple[str, ...]]:
        episode = normalise(read_script("0101.html", html.encode(encoding))[1])
        return [(*line.speakers, line.text, str(line.scene)) for line in episode.utterances()]

    expected = lines(page)
    assert len(expected) == len(turns)
    assert lines(dialect(page)) == expected
    assert lines(dialect(page), "cp1252") == expected


@pytest.mark.attack("hostile pages", "pages that cost memory or time")
@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    [
        "(",
        "<",
        ")",
        "()",
        "<b>",
        "<br>",
        "<div>",
        "<!--",
        "</",
        "<a b=c ",
        "a ",
        "Joey: Hi. ",
        "<b>Xx:</b> Hi. ",
        "@",
        "a@b.c ",
        "\xa0",
    ],
)
def test_no_explosion_on_hostile_repetition(unit: str) -> None:
    """Not a speed test: 16 times the page may take 64 times as long, where a quadratic rule takes 256.

    Such a margin, the best of several tries and CPU seconds of this process alone: a busy machine does not fail it.
    """

    def seconds(size: int) -> float:
        data = (
            "<p>Written by: " + unit * (size // len(unit)) + "<p><b>Joey:</b> " + unit * (size // len(unit))
        ).encode()
        start = time.process_time()
        with contextlib.suppress(ParseError):
            normalise(read_script("0101.html", data)[1])
        return time.process_time() - start

    small = max(min(seconds(20_000) for _ in range(3)), 0.01)
    assert any(seconds(320_000) < 64 * small for _ in range(3))
