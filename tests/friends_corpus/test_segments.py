"""What each line of a page is: kinds of segments, scenes, credits; as table rows."""

import pytest

from friends_corpus.core.model import Segment, StageDirection
from friends_corpus.parsing.script import read_script

CUE = "<p><b>Joey:</b> Hi.</p>"
HEAD = "<h1>The One With The Test</h1>"


def segments_of(html: str, name: str = "0101.html") -> tuple[Segment, ...]:
    return read_script(name, html.encode())[0]


def kind_of(line: str, before: str = HEAD + CUE, after: str = CUE) -> str:
    """The kind of the one segment that `line` makes between two pieces of a page."""
    text = " ".join(read_script("0101.html", (line + CUE).encode())[0][0].text.split())
    kinds = {s.kind for s in segments_of(before + line + after) if " ".join(s.text.split()) == text}
    assert len(kinds) == 1, kinds
    return kinds.pop()


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("<p>[Scene: Central Perk.]</p>", "heading"),
        ("<p>[Scene, Central Perk.]</p>", "heading"),
        ("<p>[Scene Central Perk.]</p>", "heading"),
        ("<p>[SCENE: Central Perk.]</p>", "heading"),
        ("<p>(Scene: Central Perk.)</p>", "heading"),
        ("<p>Scene: Central Perk.</p>", "heading"),
        ("<p>[Scene: Central Perk. They sit.)</p>", "heading"),
        ("<p>[Scene: Central Perk.</p>", "heading"),
        ("<p><b>[Scene: Central Perk.]</b></p>", "heading"),
        ("<p>[Tag Scene: Central Perk.]</p>", "heading"),
        ("<p><b>(at Central Perk)</b></p>", "heading"),
        ("<p>[at Monica and Rachel's]</p>", "heading"),
        ("<p>[Central Perk]</p>", "heading"),
        ("<p>Monica and Chandler's Apartment.</p>", "heading"),
        ("<h3>London</h3>", "heading"),
        ("<p>[New Scene: A bar.]</p>", "heading"),
        ("<p>[Closing Credits Scene: A bar.]</p>", "heading"),
        ("<p>{Scene: A bar.}</p>", "heading"),
        ("<p>[Scence: A bar.]</p>", "heading"),
        ("<p>[Csene: A bar.]</p>", "heading"),
        ("<p>[Scne: A bar.]</p>", "heading"),
        ("<p>]Scene: A bar.]</p>", "heading"),
        ("<p>[Joey sees: a bar.]</p>", "direction"),
        ("<p>End of the episode</p>", "marker"),
        ("<p>[Central&nbsp;Perk]</p>", "heading"),
        ("<br><br>Central Perk.<br><br>", "heading"),
        ("<p>[Flashback scene: A bar.]</p>", "transition"),
        ("<p>[Time&nbsp;Lapse]</p>", "transition"),
        ("<p><b>Opening&nbsp; Credits</b></p>", "marker"),
        ("<p>[Cut to the hallway.]</p>", "transition"),
        ("<p>(Cut to the hallway.)</p>", "transition"),
        ("<p>CUT TO: the hallway.</p>", "transition"),
        ("<p>-Cuts to Monica (she waits)</p>", "transition"),
        ("<p>[Time Lapse]</p>", "transition"),
        ("<p>Time lapse, later.</p>", "transition"),
        ("<p>Time Lapse. Ross is still there.</p>", "transition"),
        ("<p>Later, at the hall.</p>", "transition"),
        ("<p>Flashback, ten years ago.</p>", "transition"),
        ("<p>Cuts to the hall.</p>", "transition"),
        ("<p>Cut back to the hall.</p>", "transition"),
        ("<p>Cut to the hall where everybody has been waiting for the cake since the early morning.</p>", "transition"),
        ("<p>Fade In: The hall.</p>", "transition"),
        ("<p><b>Fade In:</b> The hall.</p>", "transition"),
        ("<p>[Quick cut to the hall.]</p>", "transition"),
        ("<p>[Camera cuts to the hall.]</p>", "transition"),
        ("<p><b>TIME LAPSE</b></p>", "transition"),
        ("<p>[Flashback to the beach.]</p>", "transition"),
        ("<p>[Later, they are asleep.]</p>", "transition"),
        ("<p>Later on.</p>", "transition"),
        ("<p align=center><b>Opening Credits</b></p>", "marker"),
        ("<p>[ OPENING CREDITS ]</p>", "marker"),
        ("<p><b>Commercial Break</b></p>", "marker"),
        ("<p>COMMERICAL BREAK</p>", "marker"),
        ("<h2>COMMERCIAL BREAK</h2>", "marker"),
        ("<p>THE END</p>", "marker"),
        ("<p>[END TAG]</p>", "marker"),
        ("<p>To Be Continued......</p>", "marker"),
        ("<p>[INTRO]</p>", "marker"),
        ("<p>Part II</p>", "marker"),
        ("<p><b>Part II:</b></p>", "marker"),
        ("<p><b>Part Two: The Eggs</b></p>", "marker"),
        ("<p>End of Part One</p>", "marker"),
        ("<p>* * *</p>", "marker"),
        ("<p>-----</p>", "marker"),
        ("<p>Written by: Jane Doe</p>", "credit"),
        ("<p><b>Part II Written by:</b> Jane Doe</p>", "credit"),
        ("<p><b>Teleplay by:</b> Jane Doe</p>", "credit"),
        ("<p>(Ross enters.)</p>", "direction"),
        ("<p>[Ross enters.]</p>", "direction"),
        ("<p>&lt;Ross enters.&gt;</p>", "direction"),
        ("<p>(Ross enters.</p>", "direction"),
        ("<p>(At this moment Ross enters.)</p>", "direction"),
        ("<p>Ross opens the door.</p>", "direction"),
        ("<p>They sit.)</p>", "direction"),
        ("<p>They sit.]</p>", "direction"),
        ("<p>[At this point Ross leaves.]</p>", "direction"),
        ("<p>[at the same time]</p>", "direction"),
        ("<p>{Transcriber's Note: the tape was torn.}</p>", "note"),
        ("<p>(Note: the tape was torn.)</p>", "note"),
        ("<p>Transcriber's Note: the tape was torn.</p>", "note"),
        ("<p><b>Present Day</b></p>", "caption"),
        ("<p>Present Day</p>", "caption"),
        ("<p>Two weeks later</p>", "caption"),
        ("<p><b>An hour later:</b></p>", "caption"),
        ("<br><b>Six months earlier</b><br>", "caption"),
        ("<p>1987</p>", "caption"),
        ("<p>[Scene a park.]</p>", "heading"),
        ("<p>[Scene at the hall]</p>", "heading"),
        ("<p>Scene 2. A park.</p>", "heading"),
        ("<p><b>SCENE ONE:</b> A park.</p>", "heading"),
        ("<p>[Sene: A park.]</p>", "heading"),
        ("<p>[Joey's place, later.]</p>", "heading"),
        ("<p>[At the reception, they dance.]</p>", "heading"),
    ],
)
def test_kind_of_line(line: str, kind: str) -> None:
    assert kind_of(line) == kind


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("<p>Written by: Jane Doe</p>", "credit"),
        ("<p>Originally written by Jane Doe</p>", "credit"),
        ("<p>Part I Written by: Jane Doe</p>", "credit"),
        ("<p>Teleplay by: Jane Doe</p>", "credit"),
        ("<p>Teleplay: Jane Doe</p>", "credit"),
        ("<p>Story by Jane Doe</p>", "credit"),
        ("<p>Directed by: Jane Doe</p>", "credit"),
        ("<p>Aired: 31/02/2005</p>", "credit"),
        ("<p>Transcribed by: Jane Doe</p>", "credit"),
        ("<p>Additional transcribing by: Jane Doe</p>", "credit"),
        ("<p>With Minor Adjustments by: Jane Doe</p>", "credit"),
        ("<p>Minor additions and adjustments by Jane Doe.</p>", "credit"),
        ("<p>Final check by Jane</p>", "credit"),
        ("<p>HTMLed by: Jane Doe</p>", "credit"),
        ("<p>Back to the index</p>", "dropped:navigation"),
        ("<p>&lt;&lt; Previous | Home | Next &gt;&gt;</p>", "dropped:navigation"),
        ("<p>Original air date: 31/02/2005</p>", "credit"),
        ("<h3>Written by: Jane Doe</h3>", "credit"),
        ("<p><b>Friends: The One With The Test</b></p>", "title"),
        ("<p><b>Episode 5.01: The One With The Test</b></p>", "title"),
        ("<p><b>The One With The Test: Part One</b></p>", "title"),
        ("<p>Dedicated to everybody who types.</p>", "note"),
        ("<p><font size=6><b>908 - The One With The Test</b></font></p>", "title"),
    ],
)
def test_kind_of_header_line(line: str, kind: str) -> None:
    assert kind_of(line, before="", after=CUE) == kind


def test_a_page_that_opens_its_scenes_by_that_word_names_none_by_a_place() -> None:
    scenes = "<p>[Scene: A park.]</p>" * 3
    assert kind_of("<p>[at Central Perk]</p>", before=HEAD + scenes + CUE) == "direction"
    assert kind_of("<p>[at Central Perk]</p>") == "heading"


@pytest.mark.parametrize(
    ("line", "kinds"),
    [
        ("<p>[Scene: A hall.] (Ross sits)</p>", ["heading", "direction"]),
        ("<p>(Ross sits.) [Scene: A hall.]</p>", ["direction", "heading"]),
        ("<p>[Scene: A hall.] [Ross sits]</p>", ["heading", "direction"]),
    ],
)
def test_a_heading_and_more_in_a_line(line: str, kinds: list[str]) -> None:
    for before in (HEAD, HEAD + CUE):
        found = [segment.kind for segment in segments_of(before + line + CUE)]
        assert found[-5:-3] == kinds


@pytest.mark.parametrize("label", ["Story Lady", "Final Contestant", "Episode Announcer", "Blind Date"])
def test_a_speaker_of_the_first_line_is_no_credit(label: str) -> None:
    _, episode = read_script("0101.html", f"{HEAD}<p><b>{label}:</b> Eggs.</p>{CUE}".encode())
    assert [utterance.cue for utterance in episode.utterances()] == [label, "Joey"]


@pytest.mark.parametrize(
    "line",
    [
        "Transcribed by: Jane, jane@example.org",
        "Back to the episode guide",
        "© 1996 somebody",
        "Home | jane@example.org",
        "Transcribed by Jane Doe",
        "http://www.example.org/friends",
        "Fin.",
    ],
)
def test_the_foot_of_a_page_without_an_end_is_no_speech(line: str) -> None:
    segments, episode = read_script("0101.html", f"{HEAD}{CUE}<p>{line}</p>".encode())
    assert [utterance.text for utterance in episode.utterances()] == ["Hi."]
    assert "@" not in "".join(s.text for s in segments if not s.kind.startswith("dropped:"))


@pytest.mark.parametrize("line", ["Go home!", "Next season?"])
def test_an_exclamation_ends_a_page_as_speech(line: str) -> None:
    _, episode = read_script("0101.html", f"{HEAD}{CUE}<p>{line}</p>".encode())
    assert [utterance.text for utterance in episode.utterances()] == [f"Hi. {line}"]


@pytest.mark.parametrize(
    ("line", "kinds"),
    [
        ("<b>Joey:</b> Hi. <b>CLOSING&nbsp;CREDITS</b>", ["cue", "punctuation", "speech", "marker"]),
        ("<b>Joey:</b> This is <b>the end</b>", ["cue", "punctuation", "speech"]),
        ("Ending Credits (Ross is at a tub.)", ["marker", "direction"]),
        ("OPENING CREDITS [Scene: A tub.]", ["marker", "heading"]),
    ],
)
def test_a_marker_in_one_line_with_something_else(line: str, kinds: list[str]) -> None:
    assert [segment.kind for segment in segments_of(f"{HEAD}{CUE}<p>{line}</p>")][4:] == kinds


@pytest.mark.parametrize(
    "heading", ["<h3>Commercial Break<h3>[Scene: A park.]<br>", "<h3>The One With The Test<br><br>", "<h3>The One<br>"]
)
def test_a_heading_left_open_swallows_no_lines(heading: str) -> None:
    _, episode = read_script("0101.html", f"{heading}JOEY: Hi.<br>ROSS: Yo.<br><br>JOEY: Bye.<br>".encode())
    assert [utterance.cue for utterance in episode.utterances()] == ["JOEY", "ROSS", "JOEY"]


@pytest.mark.parametrize(
    "line",
    [
        "<p>Transcribed by: Jane Doe</p>",
        "<p>Back to index</p>",
        "<p>Visit my page!</p>",
        "<p><b>Disclaimer:</b> not ours.</p>",
    ],
)
def test_nothing_after_the_end_is_speech(line: str) -> None:
    kinds = [segment.kind for segment in segments_of(HEAD + CUE + "<p>The End</p>" + line)]
    assert kinds[-1] in ("credit", "dropped:navigation")


def test_a_scene_after_the_end_still_counts() -> None:
    _, episode = read_script("0101.html", (HEAD + CUE + "<p>[END]</p><p>[Tag Scene: A bar.]</p>" + CUE).encode())
    assert [scene.heading for scene in episode.scenes] == [None, "[Tag Scene: A bar.]"]


@pytest.mark.parametrize(
    ("credits", "written_by", "transcribed_by"),
    [
        ("<p>Written by: A. B. &amp; C D<br>Transcribed by: E F</p>", ("A. B.", "C D"), ("E F",)),
        ("<p>Story by: A B<br>Teleplay by: C D, E F and G H</p>", ("A B", "C D", "E F", "G H"), ()),
        ("<p>Transcribed by <a href='mailto:x@example.org'>E F</a> [x@example.org]</p>", (), ("E F",)),
        ("<p>Transcribed by: A (a@example.org) and B (b@example.org)</p>", (), ("A", "B")),
        ("<p>Transcribed by: E F<br>With Minor Adjustments by: Gil Hop.</p>", (), ("E F", "Gil Hop")),
        ("<p>Story By: A B Teleplay By: C D</p>", ("A B", "C D"), ()),
        ("<p>Originally written by A B, transcribed by C D with help from E F</p>", ("A B",), ("C D", "E F")),
        ("<p>Directed by: Q R (Yes, that one.)</p>", (), ()),
        ("<p>Written &amp; Directed by: A B</p>", ("A B",), ()),
        ("<p>(written by A B)</p>", ("A B",), ()),
        ("<p>Part I Story by: A B Part I Teleplay by: C D</p>", ("A B", "C D"), ()),
    ],
)
def test_credits_keep_names_and_drop_addresses(
    credits: str, written_by: tuple[str, ...], transcribed_by: tuple[str, ...]
) -> None:
    segments, episode = read_script("0101.html", (HEAD + credits + CUE).encode())
    assert (episode.written_by, episode.transcribed_by) == (written_by, transcribed_by)
    assert "@" not in "".join(s.text for s in segments if s.kind != "dropped:address")


@pytest.mark.parametrize(
    ("heading", "title"),
    [
        ("<h1>The One With The Test</h1>", "The One With The Test"),
        ("<h1>908 - The One With The Test</h1>", "The One With The Test"),
        ("<h1>1017-1018 - The Last One</h1>", "The Last One"),
        ("<h2>FRIENDS</h2><h2>THE ONE WITH JOEY'S TEST</h2>", "The One With Joey's Test"),
        ("<h1>Friends<br>919 - The one with tests</h1>", "The one with tests"),
        ("<p><b>The One With The Test</b></p>", "The One With The Test"),
        ("<p><b>Episode 5.01: The One With The Test</b></p>", "The One With The Test"),
        ("<p>The One With The Test</p>", "The One With The Test"),
        ("<h1>The One<br>With The Test</h1>", "The One With The Test"),
        ("<h1>The One With The Test</h1><h2>Part 1</h2>", "The One With The Test"),
        ("<h1>&quot;The One With The Test&quot;</h1>", "The One With The Test"),
    ],
)
def test_title(heading: str, title: str) -> None:
    assert read_script("0101.html", (heading + "<p>[Scene: A park.]</p>" + CUE).encode())[1].title == title


def test_cold_open_before_the_first_heading_is_scene_one() -> None:
    _, episode = read_script("0101.html", (HEAD + CUE + "<p>[Scene: A park.]</p>" + CUE).encode())
    assert [scene.heading for scene in episode.scenes] == [None, "[Scene: A park.]"]


def test_directions_stand_between_the_turns_they_were_printed_between() -> None:
    _, episode = read_script("0101.html", (HEAD + CUE + "<p>(Pause.)</p><p>[Cut to Ross.]</p>" + CUE).encode())
    events = [e.text if isinstance(e, StageDirection) else e.cue for e in episode.scenes[0].events]
    assert events == ["Joey", "(Pause.)", "[Cut to Ross.]", "Joey"]


def test_direction_over_two_lines() -> None:
    segments = segments_of(HEAD + "<p>[Scene: A park.]</p><p>(Joey walks in<br>and sits down)</p>" + CUE)
    assert [s.kind for s in segments] == ["title", "heading", "direction", "cue", "punctuation", "speech"]
    assert segments[2].text == "(Joey walks in\nand sits down)\n"


def test_heading_glued_to_the_end_of_a_speech_opens_a_scene() -> None:
    _, episode = read_script("0101.html", (HEAD + "<p><b>Joey:</b> Bye. [Scene: A park.]</p>" + CUE).encode())
    assert [len(scene.events) for scene in episode.scenes] == [1, 1]


def test_marker_and_heading_in_one_line() -> None:
    segments = segments_of(HEAD + CUE + "<p>OPENING CREDITS [Scene: A bar.]</p>" + CUE)
    assert [s.kind for s in segments][4:6] == ["marker", "heading"]


def test_cold_open_line_that_talks_about_a_story_is_no_credit() -> None:
    _, episode = read_script("0101.html", (HEAD + "<p>Ross: I told the story: you hid.</p>" + CUE).encode())
    assert episode.written_by == () and [u.cue for u in episode.utterances()] == ["Ross", "Joey"]
