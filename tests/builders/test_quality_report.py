"""The quality report: every suspicion found in a row of its own, numbers per page, plots with the same bytes."""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from invented import episode, page, write_pages
from markdown_it import MarkdownIt
from matplotlib.patches import StepPatch

from builders import build, check
from builders.configs.lines import Row, line_rows
from builders.configs.schema import to_table
from builders.reports import plots, warnings
from builders.reports.warnings import EXAMPLES, MEANINGS, Suspicion, count_suspicions, find_suspicions

pytestmark = pytest.mark.slow  # each case builds a folder or starts a heavy library

IMAGE = re.compile(r"!\[([^]]+)\]\(([^)]+)\)")  # "![Lines per speaker](plots/speakers.png)"


def look(rows: list[Row], episodes: list[str]) -> list[Suspicion]:
    """The suspicions in these rows of `lines`."""
    return find_suspicions(to_table("lines", rows), episodes)


def found(
    text: str, printed: str = "", speaker: str = "Joey", heading: str | None = "[Scene: Here]"
) -> list[Suspicion]:
    """The suspicions in a scene of this one line, after one by Ross."""
    made = episode([("Ross", "How are you?"), (speaker, text, printed or text)], headings=[heading])
    return look(line_rows(made), ["s01e01"])


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        pytest.param("I am fine.", [], id="nothing"),
        pytest.param("Fine. Ross: And you?", ["label in text"], id="label"),
        pytest.param("Fine. ROSS : And you?", ["label in text"], id="label in capitals"),
        pytest.param("Fine. WAITER: And you?", ["label in text"], id="unknown label in capitals"),
        pytest.param("Ross: And you?", ["label in text"], id="label first"),
        pytest.param("Maybe. Bellhop: Your bags?", ["label in text"], id="unknown label after a sentence"),
        pytest.param("Maybe! Old Man in the Back of Bus #2: “Yes.”", ["label in text"], id="long unknown label"),
        pytest.param("Listen: it is 5:30, TV time: now", [], id="colons"),
        pytest.param("Bellhop: Your bags", [], id="prose before a colon first"),
        pytest.param("Oh. Question: Why? Listen: No. Here's the thing: We are late", [], id="prose before a colon"),
        pytest.param("There are rules. One: no books. Behold: the jaw", [], id="small letter after a colon"),
        pytest.param("I am (fine.", ["bracket in speech", "unbalanced brackets"], id="bracket"),
        pytest.param("The cafÃ© is open", ["mojibake"], id="utf-8 as cp1252"),
        pytest.param("Iâ€™m fine", ["mojibake"], id="quote"),
        pytest.param("I\ufffdm fine", ["mojibake"], id="replacement"),
        pytest.param("I\x92m fine", ["mojibake"], id="C1"),
        pytest.param("I'm\u200b fine", ["mojibake"], id="zero width"),
        pytest.param("Zoë’s café — déjà vu, ¿qué? Âge", [], id="accents"),
        pytest.param("<b>I am fine", ["markup"], id="tag"),
        pytest.param("You &amp; me", ["markup"], id="entity"),
        pytest.param("<smiles> I <3 you & AT&T; R&B", [], id="no tag"),
        pytest.param("Write to fan@example.org", ["address"], id="e-mail"),
        pytest.param("See www.example.org", ["address"], id="web"),
        pytest.param("Awww... @ home", [], id="no address"),
        pytest.param("I  am fine", ["odd blanks"], id="two blanks"),
        pytest.param("I am\nfine", ["odd blanks"], id="line break"),
        pytest.param("...", ["no word"], id="dots"),
        pytest.param("No. " * 249 + "No.", [], id="999 characters"),
        pytest.param("No. " * 250 + "No.", ["long line"], id="1,003 characters"),
    ],
)
def test_suspicions_in_a_text(text: str, kinds: list[str]) -> None:
    assert [suspicion.kind for suspicion in found(text)] == kinds


@pytest.mark.parametrize(
    ("printed", "kinds"),
    [
        pytest.param("(waving) Hi. [They leave.]", [], id="balanced"),
        pytest.param("(waving Hi.", ["unbalanced brackets"], id="open"),
        pytest.param("Hi. They leave.)", ["unbalanced brackets"], id="closed"),
        pytest.param("(waving] Hi.", ["unbalanced brackets"], id="mixed"),
        pytest.param("(to www.example.org) Hi.", ["address"], id="address in a direction"),
    ],
)
def test_suspicions_in_the_printed_text(printed: str, kinds: list[str]) -> None:
    assert [suspicion.kind for suspicion in found("Hi.", printed)] == kinds


def test_suspicions_elsewhere() -> None:
    assert [s.kind for s in found("Hi.", speaker="Joey, who has been here for a very long time")] == ["long speaker"]
    assert [s.kind for s in found("Hi.", heading="[]")] == ["empty heading"]
    assert [s.kind for s in found("Hi.", heading="[Scene: cafÃ©]")] == ["mojibake"]
    assert found("Hi.", heading=None) == []
    [repeated] = look(line_rows(episode([("Joey", "What are you doing here?")] * 2)), [])
    assert (repeated.kind, repeated.id) == ("repeated line", "s01e01_c01_u0001")
    assert look(line_rows(episode([("Joey", "No!")] * 2)), []) == []
    [long] = look(line_rows(episode([("Joey", f"Number {n}.") for n in range(121)])), [])
    assert (long.kind, long.id, long.excerpt) == ("long scene", "s01e01_c01_u0000", "121 turns")
    assert look([], ["s01e01"]) == [Suspicion("no lines", "s01e01", "")]


def test_every_kind_has_a_meaning_and_examples_are_few() -> None:
    many = [Suspicion("markup", f"s01e01_c01_u{n:04d}", "<b>") for n in range(7)] + [
        Suspicion("label in text", "x", "")
    ]
    [labels, markup] = count_suspicions(many)
    assert (labels["kind"], labels["count"]) == ("label in text", 1)
    assert (markup["count"], len(markup["examples"])) == (7, EXAMPLES)
    used = set(re.findall(r'Suspicion\("([a-z -]+)", ', Path(warnings.__file__).read_text(encoding="utf-8")))
    assert used
    assert used <= MEANINGS.keys()


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [*"aé5 :()[]{}<>&@.,\n\t\0\x85\xa0ÃÂ", "  ", "www.", "http://", "Joey", "JOEY:", "&amp;", "x" * 1001]
        ),
        max_size=6,
    ),
    st.sampled_from(warnings.READ),
)
def test_one_pattern_tells_which_lines_to_read(parts: list[str], column: str) -> None:
    row = line_rows(episode([("Joey", "Hi.")]))[0] | {column: "".join(parts)}
    if [*warnings._in_line(row, {"joey"})]:
        assert len(warnings._worth_reading(to_table("lines", [row]))) == 1


def test_hostile_texts_take_no_time() -> None:
    row: Row = line_rows(episode([("Joey", "x")]))[0]
    for text in (
        "(" * 100_000,
        "Joey " * 50_000,
        "A. " * 50_000,
        "A of the " * 20_000,
        "@" * 100_000,
        "www." * 50_000,
        "<b" * 50_000,
        "A" * 100_000 + ":",
    ):
        look([row | {"text": text, "text_with_directions": text}], [])


# The report in the folder.


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("quality")
    pages = write_pages(home / "pages")
    extra = "<p><b>Man | $x$ <i>*</i>:</b> cafÃ© <b>Ross</b> [x](y)</p><p><b>Zelda:</b> (nods)</p>"
    (pages / "0105.html").write_text(page(5, extra=extra), encoding="utf-8")
    assert build.main(["--pages", str(pages), "--out", str(home / "out"), "--jobs", "1", "--no-cache"]) == 0
    return home / "out"


def test_report(folder: Path) -> None:
    report = (folder / "quality.md").read_text(encoding="utf-8")
    assert re.findall(r"^#+ (.*)$", report, re.M) == ["Quality report", "Warnings", "Plots", "Pages"]
    stats = json.loads((folder / "stats.json").read_text(encoding="utf-8"))
    [first, *_, last] = stats["pages_table"]
    assert first == {
        "episode": "s01e01",
        "page": "0101.html",
        "episodes": [1],
        "scenes": 2,
        "lines": 12,
        "unknown_cues": 0,
        "notes": 0,
        "dropped": 0,
        "warnings": 0,
        "duplicated_scenes": 0,
    }
    assert (last["lines"], last["unknown_cues"], last["warnings"]) == (13, 1, 1)
    assert "| s01e01 | 0101.html | 2 | 12 | 0 | 0 | 0 | 0 | 0 |" in report
    [mojibake] = stats["suspicions"]
    assert (mojibake["kind"], mojibake["count"]) == ("mojibake", 1)
    assert mojibake["examples"][0]["id"] in report
    html = MarkdownIt("commonmark").enable("table").render(report)
    assert "<a " not in html
    for table in re.findall(r"<table>.*?</table>", html, re.S):
        assert len({len(re.findall(r"<t[dh]", row)) for row in re.findall(r"<tr>.*?</tr>", table, re.S)}) == 1


def test_the_command_prints_what_the_report_shows(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main([str(folder)]) == 0
    printed = capsys.readouterr().out
    assert "warning: mojibake: 1 (" in printed
    assert printed.endswith("0 violations, 1 warning\n")


def test_no_warnings(tmp_path: Path) -> None:
    write_pages(tmp_path / "pages")
    build.main(["--pages", str(tmp_path / "pages"), "--out", str(tmp_path / "out"), "--jobs", "1", "--no-cache"])
    assert "\nNone.\n" in (tmp_path / "out" / "quality.md").read_text(encoding="utf-8")
    assert not (tmp_path / "out" / "plots" / "dropped.png").exists()


def test_pages_that_repeat_scenes(tmp_path: Path) -> None:
    pages = write_pages(tmp_path / "pages")
    (pages / "0201.html").write_text((pages / "0101.html").read_text(encoding="utf-8"), encoding="utf-8")
    build.main(["--pages", str(pages), "--out", str(tmp_path / "out"), "--jobs", "1", "--no-cache"])
    stats = json.loads((tmp_path / "out" / "stats.json").read_text(encoding="utf-8"))
    repeats = {row["page"]: row["duplicated_scenes"] for row in stats["pages_table"] if row["duplicated_scenes"]}
    assert repeats == {"0101.html": 2, "0201.html": 2}


def test_plots_in_the_card_and_the_report(folder: Path) -> None:
    drawn = {path.relative_to(folder).as_posix() for path in (folder / "plots").iterdir()}
    assert drawn == {"plots/speakers.png", "plots/lengths.png", "plots/dropped.png"}
    listed = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    assert drawn | {"quality.md"} <= listed.keys()
    for name in ("README.md", "quality.md"):
        images = IMAGE.findall((folder / name).read_text(encoding="utf-8"))
        assert {path for _, path in images} == drawn
        assert all(caption for caption, _ in images)
    for path in drawn:
        data = (folder / path).read_bytes()
        width, height = struct.unpack(">II", data[16:24])
        assert data.startswith(b"\x89PNG")
        assert 400 <= width <= 960  # 960 is the widest that a card shows without shrinking its letters
        assert 120 <= height <= 960
        assert len(data) < 150_000
        assert b"Software" not in data
        assert b"tIME" not in data


@pytest.mark.slow
def test_plots_are_the_same_whatever_the_settings_of_the_user(folder: Path, tmp_path: Path) -> None:
    """A matplotlibrc in the working folder, a home that cannot be written, other hashing, a second process."""
    (tmp_path / "matplotlibrc").write_text("font.size: 30\nsavefig.dpi: 30\naxes.facecolor: red\n")
    pages = folder.parent / "pages"
    environment = os.environ | {
        "HOME": "/nonexistent",
        "PYTHONHASHSEED": "7",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    environment.pop("MPLCONFIGDIR", None)
    command = [sys.executable, "-m", "builders.build", "--pages", str(pages), "--out", "out", "--jobs", "2"]
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "atplotlib" not in run.stderr
    for path in ("quality.md", *(f"plots/{name}.png" for name in ("speakers", "lengths", "dropped"))):
        assert (tmp_path / "out" / path).read_bytes() == (folder / path).read_bytes(), path


@pytest.mark.parametrize("longest", [1, 2, 3, 40, 5000])
def test_lengths_of_any_size(longest: int) -> None:
    lengths = {"median": 1, "longest": longest}
    counts = plots.PlotData({}, [1, longest], [1, longest])
    stats: Any = {"line_characters": lengths, "chunk_characters": lengths}
    with plots.fixed_style():
        figure = plots.draw_lengths(counts, stats, 1200)
        [bars] = figure.axes[0].patches
        assert isinstance(bars, StepPatch)
        assert sum(bars.get_data()[0]) == 2


def test_labels_stay_inside_the_picture() -> None:
    names = ["Mother Of The Groom And Everyone Else", "$x$ \\frac", "Zoë", *(f"Man #{n}" for n in range(40))]
    stats = {
        "seasons": [{"season": season} for season in range(1, 11)],
        "speakers": [{"speaker": name, "lines": 1} for name in names],
    }
    counts = plots.PlotData({(name, 1): 1200 for name in names}, [], [])
    dropped = {name: {"count": 1, "characters": 10**6 + number} for number, name in enumerate(names)}
    with plots.fixed_style():
        for figure in (plots.draw_speakers(counts, stats), plots.draw_dropped(dropped)):
            box = figure.get_tightbbox()
            width, height = figure.get_size_inches()
            assert box.x0 >= 0, box
            assert box.y0 >= 0, box
            assert box.x1 <= width, box
            assert box.y1 <= height, box
