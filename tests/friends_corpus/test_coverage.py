"""Nothing wrecked passes for a success: pages of which little is read fail, what may be right is a warning."""

from __future__ import annotations

from pathlib import Path

import pytest

from friends_corpus.core.model import ParseError
from friends_corpus.parse import main
from friends_corpus.parsing.coverage import doubts
from friends_corpus.parsing.normalise import normalise
from friends_corpus.parsing.script import read_script

GOOD = "<p><b>Joey:</b> Who took the kettle?</p><p><b>Ross:</b> Not me.</p>"


def paragraphs(*lines: str) -> str:
    return "".join(f"<p>{line}</p>" for line in lines)


@pytest.mark.parametrize(
    ("page", "words"),
    [
        pytest.param(GOOD + "tea and more tea " * 400, "one turn of 'Ross'", id="one-turn-of-thousands-of-characters"),
        pytest.param(GOOD * 5 + paragraphs("Holm is: no", *["Holm: Tea.", "Vega: Hot?"] * 6), "12 lines inside speech", id="labels-inside-speech"),
        pytest.param(paragraphs(*["holm came in and sat down by the stove."] * 40) + "<p>Joey: Hi.</p>", "of the text", id="few-labels"),
        pytest.param(paragraphs("holm came in.", "he sat down."), "no speaker label such as 'Joey:' in 2 lines", id="no-label"),
    ],
)  # fmt: skip
def test_a_wrecked_page_fails(page: str, words: str) -> None:
    with pytest.raises(ParseError, match=words) as error:
        read_script("0101.html", page.encode())
    assert "NAME:" in str(error.value) and "remove" not in str(error.value)


@pytest.mark.parametrize(
    ("page", "words"),
    [
        pytest.param(GOOD + "tea and more tea " * 150, "were labels missed", id="a-long-turn"),
        pytest.param("<p><b>Joey:</b> Hi.</p>" * 40 + GOOD, "Joey has 41 of 42 lines", id="one-speaker"),
        pytest.param("<p><b>Joey:</b> Hi.</p>" * 20 + GOOD, "", id="few-lines-prove-nothing"),
    ],
)
def test_what_may_be_right_is_a_warning(
    page: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, episode = read_script("0101.html", page.encode())
    assert bool(words) == bool([*doubts(normalise(episode))])
    (tmp_path / "0101.html").write_text(page)
    assert main([str(tmp_path)]) == 0
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    "form",
    [
        pytest.param("<p>Joey: Who took the {0}kettle?<br>{1}</p><p>Ross: Not me.<br>{2}</p>", id="below-a-break"),
        pytest.param("<p>Joey: Who took the kettle?</p><p>{1}</p><p>Ross: Not me.</p><p>{2}</p>", id="paragraphs"),
    ],
)
@pytest.mark.parametrize(
    "translation",
    [("乔伊：水壶呢？", "罗斯：不是我。"), ("Джоуи: где чайник?", "Росс: не я."), ("水壶呢？", "不是我。")],
    ids=["chinese", "russian", "without-labels"],
)
def test_a_translation_is_left_out_and_counted(
    form: str, translation: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = form.format("", *translation)
    segments, episode = read_script("0101.html", page.encode())
    lines = [(line.speakers[0], line.text) for line in normalise(episode).utterances()]
    assert lines == [("Joey", "Who took the kettle?"), ("Ross", "Not me.")]
    assert [s.text.strip() for s in segments if s.kind == "dropped:translation"] == list(translation)
    (tmp_path / "0101.html").write_text(page, encoding="utf-8")
    assert main([str(tmp_path)]) == 0
    assert "2 lines left out as a translation" in capsys.readouterr().out


def test_foreign_words_are_no_translation() -> None:
    _, episode = read_script("0101.html", (GOOD + "<p><b>Joey:</b> Привет!</p>").encode())
    assert [turn.text for turn in episode.utterances()][-1] == "Привет!"
