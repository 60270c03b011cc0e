"""`python -m friends_corpus.parse`: rows, and one line for each thing that is wrong."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from friends_corpus.parse import main
from friends_corpus.show.config import friends
from friends_corpus.show.page_names import SAMPLE, identify

SAMPLE_LINES = 990  # as written, counted by hand from the sources of the sample pages


def test_sample_pages_give_every_line_that_was_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines, segments = tmp_path / "lines.jsonl", tmp_path / "segments.jsonl"
    assert main([str(SAMPLE), "--lines", str(lines), "--segments", str(segments)]) == 0
    rows = [json.loads(row) for row in lines.read_text(encoding="utf-8").splitlines()]
    assert list(rows[0]) == [
        "page", "season", "episode", "episodes", "scene", "position", "speakers", "cue", "text", "text_with_directions",
        "segments",
    ]  # fmt: skip
    assert SAMPLE_LINES - 10 < len(rows) <= SAMPLE_LINES  # a turn without speech is no line
    assert list(json.loads(segments.read_text(encoding="utf-8").splitlines()[0])) == ["page", "order", "kind", "text"]
    assert f"{len(rows)} lines" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("0101.html", b"", "no visible text"),
        ("0101.html", b"<p> &nbsp; </p>", "no visible text"),
        ("0101.html", b"\x89PNG\r\n\x1a\n\0\0\0", "binary data"),
        ("0101.html", b"<h1>404 Not Found</h1><p>The page is gone.</p>", "no speaker label"),
        ("0212-0223.html", b"<p><b>Joey:</b> Hi.</p>", "cannot tell the season and episode"),
        ("readme.html", b"<p><b>Joey:</b> Hi.</p>", "cannot tell the season and episode of 'readme.html'"),
    ],
)
def test_bad_page_is_named_and_the_others_are_written(
    name: str, data: bytes, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pages, out = tmp_path / "pages", tmp_path / "lines.jsonl"
    pages.mkdir()
    (pages / name).write_bytes(data)
    (pages / "0102.html").write_bytes(b"<p><b>Joey:</b> Hi.</p>")
    assert main([str(pages), "--lines", str(out)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {pages / name}: ") and message in error and error.count("\n") == 1
    assert json.loads(out.read_text())["page"] == "0102.html"


@pytest.mark.parametrize("option", ["--lines", "--segments"])
def test_a_file_that_is_there_stays(option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, other = tmp_path / "0102.html", {"--lines": "--segments", "--segments": "--lines"}[option]
    page.write_bytes(b"<p><b>Joey:</b> Hi.</p>")
    assert main([str(page), option, str(page), other, str(tmp_path / "new")]) == 2
    assert "0102.html is there already" in capsys.readouterr().err
    assert page.read_bytes() == b"<p><b>Joey:</b> Hi.</p>"
    assert [path.name for path in tmp_path.iterdir()] == ["0102.html"]


def test_missing_and_empty_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for where in (tmp_path / "nowhere", tmp_path):
        assert main([str(where)]) == 2
        assert capsys.readouterr().err.startswith(f"error: {where}: no ")


def test_two_outputs_in_one_file_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    same = ["--lines", str(tmp_path / "out.jsonl"), "--segments", str(tmp_path / "." / "out.jsonl")]
    assert main([str(tmp_path), *same]) == 2
    assert capsys.readouterr().err.startswith("error: --segments and --lines are both")


def test_help_is_enough() -> None:
    run = subprocess.run([sys.executable, "-m", "friends_corpus.parse", "--help"], capture_output=True, text=True)
    assert run.returncode == 0 and "--segments" in run.stdout and "Example" in run.stdout


@pytest.mark.parametrize(
    ("name", "season", "numbers", "variant"),
    [
        ("0101.html", 1, (1,), ""),
        ("1017-1018.html", 10, (17, 18), ""),
        ("0212-13.htm", 2, (12, 13), ""),
        ("0423.html", 4, (23, 24), ""),
        ("0624.html", 6, (24, 25), ""),
        ("0423uncut.html", 4, (23, 24), "uncut"),
        ("07outtakes.html", 7, (), "outtakes"),
        ("0423UNCUT.HTML", 4, (23, 24), "uncut"),
        ("friends.s03e04.html", 3, (4,), ""),
    ],
)
def test_what_a_file_name_says(name: str, season: int, numbers: tuple[int, ...], variant: str) -> None:
    source = identify(name, "", friends())
    assert (source.season, source.numbers, source.variant) == (season, numbers, variant)


def test_page_url() -> None:
    assert friends().page_url("0101.html") == "https://fangj.github.io/friends/season/0101.html"
