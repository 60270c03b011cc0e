"""Titles and credits, as the heads of pages print them."""

from __future__ import annotations

import pytest

from friends_corpus.parsing.script import read_script

REST = "<p>[Scene: A park.]</p><p><b>Joey:</b> Hey.</p>"


@pytest.mark.parametrize(
    ("head", "title"),
    [
        ("<h1>912 - TOW The Kettle</h1>", "TOW The Kettle"),
        ("<p>912 - TOW The Kettle</p>", "TOW The Kettle"),
        ("<p><b>Friends</b></p><p><b>0912: Kettles</b></p>", "Kettles"),
        ("<h1>The One With The “Kettle”</h1>", "The One With The “Kettle”"),
        ('<h1>The One With "Tea" and "Milk"</h1>', 'The One With "Tea" and "Milk"'),
        ("<h1>“The One With A Kettle”</h1>", "The One With A Kettle"),
        ("<p><b>Titre US :</b> The One With The Kettle</p><p><b>Titre FR :</b> La bouilloire</p>", "The One With The Kettle"),
        ("<p><b>Original title:</b> The One With The Kettle</p>", "The One With The Kettle"),
    ],
)  # fmt: skip
def test_titles(head: str, title: str) -> None:
    _, episode = read_script("0912.html", (head + REST).encode())
    assert episode.title == title
    assert [turn.cue for turn in episode.utterances()] == ["Joey"]


@pytest.mark.parametrize(
    ("line", "written", "transcribed"),
    [
        ("Originally written by ???.", (), ()),
        ("Written by: .", (), ()),
        ("Written by unknown yet", (), ()),
        ("Transcribed by: Me", (), ()),
        ("Written by: Jane Doe, Jr. & John Roe", ("Jane Doe, Jr.", "John Roe"), ()),
        ("Transcribed by: Ann Poe with corrections by John Roe", (), ("Ann Poe", "John Roe")),
        ("Transcribed by: Ann Poe, additional information by John Roe, Sr.", (), ("Ann Poe", "John Roe, Sr.")),
        ("Transcribed by: Ann Poe with minor additions from Bo and Cy", (), ("Ann Poe", "Bo", "Cy")),
        ("Transcribed by: Josh Hodge, Joshua Hodge and JOSH HODGE", (), ("Joshua Hodge",)),
        ("Écrit par Jane Doe", ("Jane Doe",), ()),
    ],
)
def test_credits(line: str, written: tuple[str, ...], transcribed: tuple[str, ...]) -> None:
    page = f"<h1>The One</h1><p>{line}</p>{REST}"
    _, episode = read_script("0912.html", page.encode())
    assert (episode.written_by, episode.transcribed_by) == (written, transcribed)
    assert [turn.cue for turn in episode.utterances()] == ["Joey"]


@pytest.mark.parametrize(
    ("page", "direction"),
    [
        ("<p><b>Joey:</b> Tea. (He bangs on<br>the counter)</p>", "(He bangs on the counter)"),
        ("<p><b>Joey:</b> Tea. (He bangs<br>on the<br>counter) Now!</p>", "(He bangs on the counter)"),
    ],
)
def test_a_direction_torn_over_lines_is_whole(page: str, direction: str) -> None:
    segments, episode = read_script("0912.html", (REST + page).encode())
    assert [" ".join(s.text.split()) for s in segments if s.kind == "direction"] == [direction]
    assert [turn.text for turn in episode.utterances()][-1].replace("\n", " ").startswith(f"Tea. {direction}")


@pytest.mark.parametrize(
    "line",
    ["Joey makes a noise that tells us how hot it is.", "***The kettle boils over on you.***", "Joey points, as the light shows us."],
)  # fmt: skip
def test_narration_is_no_speech(line: str) -> None:
    _, episode = read_script("0912.html", f"{REST}<p>{line}</p><p><b>Ross:</b> Ow.</p>".encode())
    assert [turn.text for turn in episode.utterances()] == ["Hey.", "Ow."]
