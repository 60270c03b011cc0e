"""The explain command: where a row comes from, and a reason for every label of every page at hand."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from invented import write_pages
from real import PAGES, needs_pages

from builders import build, explain
from builders.interop.cue_reasons import describe_speakers, find_label
from friends_corpus.formats.html import read_blocks
from friends_corpus.parsing.habits import Rule, read_habits
from friends_corpus.parsing.script import read_script
from friends_corpus.show.config import FRIENDS, friends, read_show
from friends_corpus.show.page_names import SAMPLE, find_pages

pytestmark = pytest.mark.slow  # each case builds a folder or starts a heavy library

DIALECTS = sorted((Path(__file__).parents[1] / "pages").glob("*.html"))
REASONS = {rule.value for rule in Rule}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """pages/, friends-lines/ built from them, and sample/ built from the sample."""
    home = tmp_path_factory.mktemp("explain")
    pages = write_pages(home / "pages", range(1, 6))
    again = (pages / "0101.html").read_text(encoding="utf-8")
    start, end = again.index("<p>[Scene"), again.index("<p>(They leave.)</p>")
    clip = (pages / "0105.html").read_text(encoding="utf-8").replace("<p><b>End</b></p>", again[start:end])
    (pages / "0105.html").write_text(clip, encoding="utf-8")
    assert build.main(["--pages", str(pages), "--out", str(home / "friends-lines"), "--jobs", "1", "--no-cache"]) == 0
    assert build.main(["--out", str(home / "sample"), "--jobs", "1", "--no-cache"]) == 0
    return home


def run(home: Path, row: str, *options: str) -> int:
    return explain.main([str(home / "friends-lines"), row, "--pages", str(home / "pages"), *options])


def test_a_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(home, "s01e01_c01_u0001") == 0
    out = capsys.readouterr().out
    page = (home / "pages" / "0101.html").read_bytes()
    for expected in (
        "s01e01_c01_u0001: a row of lines and named_lines, split train",
        "    Monica: My tuba number 1 is bigger than yours, 1 times.",
        "chunk     s01e01_c01_k01",
        "chat      the row with the same id: You are Monica from Friends. You are talking with Ross.",
        "repeats   d001: the scenes s01e01_c01, s01e05_c03 repeat each other",
        "page      0101.html: season 1, episode 1, “The One With The Ladder”",
        "url       https://fangj.github.io/friends/season/0101.html",
        f"sha256    {hashlib.sha256(page).hexdigest()}, as in the manifest",
        "scene     1: [Scene: Room 1, all look at a ladder.]",
        "direction           (smiling)",
        "label     “Monica:”, bold, begins a line",
        "accepted  the show knows every name in it",
        "speaker   Monica: “Monica”; speakers.csv: monica → Monica (Monica Geller), in every episode",
        "made of   cue, punctuation, direction, speech (segments ",
    ):
        assert expected in out


def test_the_printed_text_around_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    segments, _ = read_script("0102.html", (home / "pages" / "0102.html").read_bytes())
    for context in (0, 2, 999):
        assert run(home, "s01e02_c02_u0007", "--context", str(context)) == 0
        out = capsys.readouterr().out
        marked = [line for line in out.splitlines() if line.startswith("> ")]
        shown = [line for line in out.splitlines() if line[:2] in ("> ", "  ") and line[2:8].strip().isdecimal()]
        assert [line.split()[2] for line in marked] == ["cue", "punctuation", "direction", "speech"]
        assert len(shown) == min(4 + 2 * context, len(segments))
        orders = [int(line[2:8]) for line in shown]
        assert orders == list(range(orders[0], orders[0] + len(orders)))
        for line, order in zip(shown, orders, strict=True):
            assert line.endswith(f"{segments[order].kind:<19} {' '.join(segments[order].text.split())}")


def test_a_chunk(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [chunk] = [row for row in rows(home, "chunks") if row["id"] == "s01e03_c01_k01"]
    assert run(home, "s01e03_c01_k01") == 0
    out = capsys.readouterr().out
    assert all(f"    {line}" in out for line in chunk["text"].splitlines())
    assert [line.split()[1] for line in out.splitlines() if line.startswith("why ")] == chunk["line_ids"]
    assert "repeats   none" in out


def rows(home: Path, config: str, name: str = "friends-lines") -> list[dict]:
    return pq.read_table(home / name / config).to_pylist()


@pytest.mark.parametrize("config", ["lines", "chunks"])
def test_every_row_of_the_sample(config: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for row in rows(home, config, "sample")[:: 29 if config == "lines" else 9]:
        assert explain.main([str(home / "sample"), row["id"]]) == 0
        out = capsys.readouterr().out
        assert "none: an invented page of this project" in out
        assert {line[14:] for line in out.splitlines() if line.startswith("    accepted  ")} <= REASONS
        for speaker in row["speakers"]:
            assert f"speaker   {speaker}: " in out


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ("s01e01_c01_u0099", "lines has no such row"),
        ("s01e01_c01_k09", "chunks has no such row"),
        ("s01e99_c01_u0000", "no episode s01e99"),
        ("s01e01", "is not a row id"),
        ("../../etc/passwd", "is not a row id"),
        ("", "is not a row id"),
    ],
)
def test_unknown_ids(row: str, named: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(home, row) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert named in printed.err
    assert printed.err.startswith("error: ")


def test_another_page_is_refused(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(home / "pages", tmp_path / "pages")
    changed = tmp_path / "pages" / "0101.html"
    changed.write_bytes(changed.read_bytes() + b"\n")
    options = [str(home / "friends-lines"), "s01e01_c01_u0001", "--pages", str(tmp_path / "pages")]
    assert explain.main(options) == 1
    printed = capsys.readouterr()
    assert hashlib.sha256(changed.read_bytes()).hexdigest() in printed.err
    assert printed.out == ""
    changed.unlink()
    assert explain.main(options) == 2
    assert "--pages" in capsys.readouterr().err


def test_another_edition_of_the_show_is_refused(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show = tmp_path / "show"
    show.mkdir()
    for name in ("show.yaml", "speakers.csv", "episodes.csv"):
        shutil.copy(FRIENDS / name, show / name)
    assert run(home, "s01e01_c01_u0001", "--show", str(show)) == 0
    table = (show / "speakers.csv").read_text(encoding="utf-8").replace("\nMonica,", "\nMonica B,", 1)
    (show / "speakers.csv").write_text(table, encoding="utf-8")
    read_show.cache_clear()
    capsys.readouterr()
    assert run(home, "s01e01_c01_u0001", "--show", str(show)) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(
        f"error: {show}: show.yaml and speakers.csv are version {read_show(show).version} of "
    )
    built = json.loads((home / "friends-lines" / "manifest.json").read_text(encoding="utf-8"))["show"]["version"]
    assert f"was built with version {built}; give the folder of that version with --show" in printed.err


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        pytest.param(lambda m: {name: m[name] for name in ("builder", "files")}, "dataset: Field required", id="bare"),
        pytest.param(lambda m: m | {"pages": []}, "manifest.json lists no page of s01e01", id="no page"),
        pytest.param(lambda m: m | {"configs": {}}, "manifest.json lists no lines of train", id="no configs"),
        pytest.param(lambda m: "", "manifest.json: cannot be read (", id="empty"),
    ],
)
def test_a_manifest_in_which_nothing_is_found(
    spoil: Callable[[dict], object], named: str, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(home / "friends-lines", tmp_path / "friends-lines"))
    spoilt = spoil(json.loads((folder / "manifest.json").read_text(encoding="utf-8")))
    (folder / "manifest.json").write_text(json.dumps(spoilt) if spoilt else "", encoding="utf-8")
    assert explain.main([str(folder), "s01e01_c01_u0001", "--pages", str(home / "pages")]) == 2
    [error] = capsys.readouterr().err.splitlines()
    assert error.startswith(f"error: {folder}")
    assert named in error


def test_no_dataset_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain.main([str(tmp_path), "s01e01_c01_u0001"]) == 2
    assert "no dataset folder" in capsys.readouterr().err


def test_a_row_of_another_parser_is_refused(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "friends-lines"
    shutil.copytree(home / "friends-lines", folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    split = next(split for split, ids in manifest["splits"].items() if "s01e01" in ids)
    path = folder / manifest["configs"]["lines"]["splits"][split]["path"]
    table = pq.read_table(path)
    texts = [f"{text}!" for text in table["text"].to_pylist()]
    pq.write_table(table.set_column(table.column_names.index("text"), "text", [texts]), path)
    options = [str(folder), "s01e01_c01_u0001", "--pages", str(home / "pages")]
    assert explain.main(options) == 1
    assert "another version of the parser" in capsys.readouterr().err
    path.write_bytes(b"PAR1 nonsense")
    assert explain.main(options) == 2
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("context", ["-1", "two"])
def test_usage(context: str, home: Path) -> None:
    with pytest.raises(SystemExit) as exit:
        run(home, "s01e01_c01_u0001", "--context", context)
    assert exit.value.code == 2


# The reason of each kind of label, as table rows.


@pytest.mark.parametrize(
    ("line", "label", "rule"),
    [
        ("<b>Joey:</b> Hi.", "“Joey:”, bold, begins a line", Rule.KNOWN),
        ("<b>Joey</b> (to Ross): Hi.", "“Joey (to Ross):”, partly bold, begins", Rule.KNOWN),
        ("PHOE/MNCA: Hi.", "“PHOE/MNCA:”, plain, begins a line", Rule.KNOWN),
        ("<b>Chandler.</b> Well, hi.", "“Chandler.”, bold, begins a line", Rule.KNOWN),
        ("<b>Zelda:</b> Hi.", "“Zelda:”, bold, begins a line", Rule.BOLD_ELSEWHERE),
        ("<b>Story Teller:</b> Hi.", "“Story Teller:”, bold, begins a line", Rule.BOLD),
        ("Joey raises his hand: Hi.", "“Joey raises his hand:”, plain", Rule.PROSE),
        ("Strange Woman: Hi.", "“Strange Woman:”, plain", Rule.PART),
        ("<b>Joey:</b> Hi. <b>Ross:</b> Hi.", "“Ross:”, bold, stands inside a line", Rule.KNOWN),
        ("<b>Joey:</b> Hi. Ross: Hi.", "“Ross:”, plain, stands inside a line", Rule.KNOWN),
        ("<b>Zelda:</b> Hi.</p><p><b>Joey:</b> Hi. Zelda: Hi.", "“Zelda:”, plain, stands inside", Rule.BOLD_ELSEWHERE),
        ("<b>Zed:</b> Hi.</p><p><b>Joey:</b> Hi. Zed, Joey: Hi.", "“Zed, Joey:”, plain, stands inside", Rule.CAST),
        ("<b>Joey:</b> Hi. <b>Guy #7:</b> Hi.", "“Guy #7:”, bold, stands inside a line", Rule.BOLD_PART),
        ("JOEY: Hi.</p><p>" * 5 + "BAKER: Hi.", "“BAKER:”, plain, begins a line", Rule.CAPITALS),
    ],
)
def test_reasons(line: str, label: str, rule: Rule) -> None:
    page = f"<h1>The One</h1><p>[Scene: A park.]</p><p><b>Ross:</b> Hi.</p><p>{line}</p>".encode()
    found = labels("0101.html", page)[-1]
    assert f"“{found.printed}”, {found.weight}, {found.place}".startswith(label)
    assert found.reason == rule.value


def labels(name: str, data: bytes) -> list:
    segments, episode = read_script(name, data)
    blocks = read_blocks(data)
    habits = read_habits(blocks, episode.id, friends())
    return [find_label(blocks, segments, habits, turn.parts[0].order) for turn in episode.utterances()]


@pytest.mark.parametrize(
    ("cue", "episode", "expected"),
    [
        ("Joey", "s01e01", ["Joey: “Joey”; speakers.csv: joey → Joey (Joey Tribbiani), in every episode"]),
        ("Joey raises his hand", "s09e08", ["Joey: starts a label written as prose, “Joey raises his hand”; a name"]),
        ("Zelda", "s01e01", ["Zelda: as printed; neither in speakers.csv nor of the cast"]),
        (
            "Joey and Zelda",
            "s01e01",
            ["Joey: “Joey” in a list of names; ", "Zelda: as printed; neither in speakers.csv nor of the cast"],
        ),
        ("Ross, Rachel, and Joey", "s01e01", ["Ross: “Ross” in", "Rachel: “Rachel” in", "Joey: “Joey” in"]),
    ],
)
def test_speakers(cue: str, episode: str, expected: list[str]) -> None:
    described = [*describe_speakers(cue, episode, friends())]
    assert len(described) == len(expected)
    for line, start in zip(described, expected, strict=True):
        assert line.startswith(start)


def test_the_scope_of_a_table_row() -> None:
    cue, person = next((cue, people[0]) for cue, people in friends().people.rows.items() if people[0].episodes)
    [described] = describe_speakers(cue, f"{person.episodes[0]}e01"[:6], friends())
    assert described.endswith(f"only in {', '.join(person.episodes)}")


def test_a_table_row_that_another_one_precedes_in_some_episodes(tmp_path: Path) -> None:
    (tmp_path / "show.yaml").write_text("title: X\ncast: {Ann: Ann Lee}")
    rows = ["Cook,Ben,,", "Cook,Cy,,s01 s02e03", "Ann,Ann,Ann Lee,", "Cap,Ann,Ann Lee,"]
    (tmp_path / "speakers.csv").write_text("\n".join(["cue,speaker,full_name,episodes", *rows]))
    show = read_show(tmp_path)
    assert [*describe_speakers("Cook", "s02e01", show)] == [
        "Ben: “Cook”; speakers.csv: cook → Ben, in every episode but s01, s02e03"
    ]
    assert [*describe_speakers("Cook", "s01e04", show)] == ["Cy: “Cook”; speakers.csv: cook → Cy, only in s01, s02e03"]
    assert [*describe_speakers("Ann", "s01e01", show)] == [
        "Ann: “Ann”; speakers.csv: ann → Ann (Ann Lee), in every episode"
    ]
    assert [*describe_speakers("ANN LEE", "s01e01", show)] == [
        "Ann: “ANN LEE”; show.yaml: ann lee → Ann (Ann Lee), in every episode"
    ]


@pytest.mark.parametrize("path", [*find_pages(SAMPLE), *DIALECTS], ids=lambda path: path.stem)
def test_every_label_has_a_reason(path: Path) -> None:
    name = path.name if path.parent == SAMPLE else "0101.html"
    found = labels(name, path.read_bytes())
    assert found
    assert {label.reason for label in found} <= REASONS


@pytest.mark.slow
@needs_pages
def test_every_label_of_the_real_pages_has_a_reason() -> None:
    for path in find_pages(PAGES):
        assert {label.reason for label in labels(path.name, path.read_bytes())} <= REASONS, path.name
