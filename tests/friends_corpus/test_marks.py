"""Labels that no colon sets off: by a style, a cell, a class, a line of their own, capitals, a dash; learnt from the page."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from friends_corpus.formats.pages import read_pages
from friends_corpus.parsing.habits import Rule, read_habits
from friends_corpus.parsing.labels import find_cues
from friends_corpus.parsing.normalise import normalise
from friends_corpus.parsing.script import read_script
from friends_corpus.show.config import Show, read_show

TURNS = [
    ("Holm", "Who moved the kettle?"),
    ("Vega", "Not me, of course."),
    ("Holm", "(sits) Really?"),
    ("Cook", "Tea!"),
] * 3
TURNS += [("Old Man", "It was <i>never</i> here."), ("Vega", "Oh."), ("Holm", "Fine.")]


@pytest.fixture(scope="module")
def untold() -> Show:
    """A show of which nothing but the title is known."""
    folder = Path(tempfile.mkdtemp())
    (folder / "show.yaml").write_text("title: Steam Trek\n")
    return read_show(folder)


def lines(page: str, show: Show) -> list[tuple[str, str]]:
    _, episode = read_script("0101.html", page.encode(), show)
    return [(" and ".join(line.speakers), line.text) for line in normalise(episode, show).utterances() if line.text]


FORMS = [
    pytest.param(lambda name, text: f"<i>{name}</i>{text}<br>\n", Rule.STYLED, id="italic"),
    pytest.param(lambda name, text: f"<p><em>{name}</em> {text}</p>", Rule.STYLED, id="emphasis-in-paragraphs"),
    pytest.param(lambda name, text: f"<p><b>{name}</b> {text}</p>", Rule.STYLED, id="bold-without-colon"),
    pytest.param(lambda name, text: f"<p><span class='who'>{name}</span> {text}</p>", Rule.STYLED, id="class"),
    pytest.param(lambda name, text: f"<font color='#f00'>{name}</font> {text}<br>", Rule.STYLED, id="colour"),
    pytest.param(lambda name, text: f"<p><u>{name}</u> - {text}</p>", Rule.STYLED, id="underlined-and-a-dash"),
    pytest.param(lambda name, text: f"<tr><td>{name}</td><td>{text}</td></tr>", Rule.OWN_LINE, id="cells"),
    pytest.param(lambda name, text: f"<dt>{name}</dt><dd>{text}</dd>", Rule.OWN_LINE, id="definition-list"),
    pytest.param(lambda name, text: f"<p class='character'>{name.upper()}</p><p class='dialogue'>{text}</p>", Rule.OWN_LINE, id="classes-of-lines"),
    pytest.param(lambda name, text: f"<p><b>{name.upper()}</b><br>{text}</p>", Rule.OWN_LINE, id="bold-own-line"),
    pytest.param(lambda name, text: f"<p>{name.upper()}<br>{text}</p>", Rule.OWN_LINE, id="capitals-own-line"),
    pytest.param(lambda name, text: f"<p>{name}<br>{text}</p>", Rule.OWN_LINE, id="own-line"),
    pytest.param(lambda name, text: f"<p>{name.upper()} {text}</p>", Rule.CAPITALS_ALONE, id="capitals"),
    pytest.param(lambda name, text: f"<p>{name} - {text}</p>", Rule.SET_APART, id="dash"),
    pytest.param(lambda name, text: f"<p>{name} — {text}</p>", Rule.SET_APART, id="long-dash"),
    pytest.param(lambda name, text: f"<p>{name} | {text}</p>", Rule.SET_APART, id="bar"),
    pytest.param(lambda name, text: f"<p>[{name}] {text}</p>", Rule.SET_APART, id="brackets"),
    pytest.param(lambda name, text: f"<p>{name}： {text}</p>", Rule.PLAIN, id="full-width-colon"),
    pytest.param(lambda name, text: f"<p>{name}: {text}</p>", Rule.PLAIN, id="colon"),
]  # fmt: skip


@pytest.mark.parametrize(("form", "rule"), FORMS)
def test_a_mark_is_learnt_from_the_page(form: Callable[[str, str], str], rule: Rule, untold: Show) -> None:
    page = "<html><body>" + "".join(form(*turn) for turn in TURNS) + "</body></html>"
    plain = [(name, text.replace("(sits) ", "").replace("<i>", "").replace("</i>", "")) for name, text in TURNS]
    assert lines(page, untold) == plain
    blocks = read_pages("x", page.encode())[0].blocks
    habits = read_habits(blocks, "s01e01", untold)
    assert {cue.rule for block in blocks for cue in find_cues(block, habits)} - {Rule.PART} == {rule}


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        pytest.param("<s>The galley. Holm is there.</s>\n{}<s>The bridge. Vega sits.</s>\n{}", 2, id="headings-in-a-style"),
        pytest.param("<p class='scene'>The galley.</p>{}<p class='action'>They wait.</p>{}", 1, id="headings-by-class"),
        pytest.param("<p>[Galley]</p>{}<p>(They wait.)</p>{}<p>[Bridge]</p>{}", 2, id="places-in-brackets"),
        pytest.param("<p>INT. GALLEY - NIGHT</p>{}<p>EXT. STREET - DAY</p>{}", 2, id="slug-lines"),
        pytest.param("<p>[Setting: The galley.]</p>{}<p>[Laughter]</p>{}<p>[Pause]</p>{}", 1, id="short-actions"),
        pytest.param("<h3>[Galley]</h3>{}<h3>(They wait.)</h3>{}", 1, id="a-heading-that-is-a-direction"),
    ],
)  # fmt: skip
def test_scenes(page: str, expected: int, untold: Show) -> None:
    turns = "".join(f"<i>{name}</i> {text}<br>\n" for name, text in TURNS)
    _, episode = read_script("0101.html", page.replace("{}", turns).encode(), untold)
    assert len([scene for scene in episode.scenes if scene.heading]) == expected
    assert not {"Galley", "Bridge", "INT"} & {utterance.cue for utterance in episode.utterances()}


def test_what_no_label_begins_is_no_speech_where_all_turns_are_marked(untold: Show) -> None:
    page = (
        "<p>The galley at noon.</p><p><i>Holm</i> Who came?</p><p><i>Vega</i> Nobody.</p><p>Disclaimer: mind the steam.</p>"
        "<p><i>Woman on deck: the wind</i></p><p><i>Holm</i> Odd.</p><p><i>Vega</i> Quite.</p><p>Voice: Attention.</p>"
    )
    expected = [
        ("Holm", "Who came?"),
        ("Vega", "Nobody."),
        ("Holm", "Odd."),
        ("Vega", "Quite."),
        ("Voice", "Attention."),
    ]
    assert lines(page, untold) == expected


@pytest.mark.parametrize(
    "page",
    [
        pytest.param("<p><b>Joey:</b> <i>Now</i> then.</p><p><i>Never</i> again.</p><p><i>Never</i> ever.</p>" * 3, id="emphasis"),
        pytest.param("<p><b>Joey:</b> So.</p><p>Well - no.</p><p>Yes - no.</p>" * 5, id="dashes-in-speech"),
    ],
)  # fmt: skip
def test_no_mark_is_learnt_beside_bold_labels(page: str, untold: Show) -> None:
    assert {speaker for speaker, _ in lines(page, untold)} == {"Joey"}
