"""A file that holds several episodes, in a format invented here, on its way through cache, build, check and explain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from invented import page, write_pages

from builders import build, check, explain
from builders.page_cache import pages as page_cache
from friends_corpus import parse
from friends_corpus.core.files import sha256_of
from friends_corpus.core.model import Page, ParseError
from friends_corpus.formats import pages as formats
from friends_corpus.parsing.script import parse_page, read_script
from friends_corpus.show.config import friends

NEXT = "<!-- next -->"  # parts the episodes of an invented file; the first line of each is its locator


def read_both(name: str, data: bytes, show: Any = None) -> list[Page]:
    """Read the invented format; any other file is one page, as ever."""
    parts = data.decode().split(NEXT)
    if len(parts) == 1:
        return formats_read_pages(name, data)
    pages = [
        (locator, formats_read_pages(name, text.encode())) for locator, _, text in (p.partition("\n") for p in parts)
    ]
    return [Page(page.blocks, locator) for locator, [page] in pages]


formats_read_pages = formats.read_pages


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The episodes 1 and 2 in one file, 3 and 4 in their own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for module in (formats, page_cache, parse):
        monkeypatch.setattr(module, "read_pages", read_both)
    folder = write_pages(tmp_path / "pages", [3, 4])
    (folder / "both.html").write_text(NEXT.join(f"S01E0{n}\n{page(n)}" for n in (1, 2)), encoding="utf-8")
    return folder


def run(pages: Path, out: Path, *options: str) -> int:
    return build.main(["--pages", str(pages), "--out", str(out), "--jobs", "1", *options])


def rows(out: Path, config: str) -> list[dict]:
    return pq.read_table(out / config).to_pylist()


def tree(out: Path) -> dict[str, str]:
    return {path.relative_to(out).as_posix(): sha256_of(path) for path in sorted(out.rglob("*")) if path.is_file()}


def test_the_rows_are_those_of_two_files(pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(pages, tmp_path / "friends-lines") == 0
    assert "3/3" in capsys.readouterr().err  # the progress bar counts files
    assert run(write_pages(tmp_path / "apart"), tmp_path / "expected") == 0
    for config in ("lines", "chunks", "chat"):
        made, expected = rows(tmp_path / "friends-lines", config), rows(tmp_path / "expected", config)
        assert [{**row, "source": ""} for row in made] == [{**row, "source": ""} for row in expected]
    sources = {row["id"][:6]: row["source"] for row in rows(tmp_path / "friends-lines", "lines")}
    assert (sources["s01e01"], sources["s01e02"]) == ("both.html#S01E01", "both.html#S01E02")
    assert sources["s01e03"] == "0103.html"
    assert check.main([str(tmp_path / "friends-lines")]) == 0


def test_the_manifest_says_where_in_the_file_a_page_is(pages: Path, tmp_path: Path) -> None:
    assert run(pages, tmp_path / "out") == 0
    entries = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))["pages"]
    assert [(entry["page"], entry.get("locator"), entry["episode"]) for entry in entries] == [
        ("0103.html", None, "s01e03"),
        ("0104.html", None, "s01e04"),
        ("both.html#S01E01", "S01E01", "s01e01"),
        ("both.html#S01E02", "S01E02", "s01e02"),
    ]
    assert {entry["sha256"] for entry in entries[2:]} == {sha256_of(pages / "both.html")}


def test_the_cache_keeps_both(pages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(pages, tmp_path / "first") == 0
    assert len(list((tmp_path / "cache" / "friends-corpus" / "pages").iterdir())) == 3
    monkeypatch.setattr(page_cache, "read_pages", None)  # not called again
    assert run(pages, tmp_path / "again" / "first") == 0
    assert tree(tmp_path / "again" / "first") == tree(tmp_path / "first")


def test_one_of_them_fails(pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = f"S01E01\n{page(1)}{NEXT}S01E02\n<p>Nobody speaks.</p>{NEXT}S01E03\n{page(3)}"
    (pages / "both.html").write_text(broken, encoding="utf-8")
    for _ in range(2):  # read, then cached
        assert run(pages, tmp_path / "out") == 2
        errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
        assert len(errors) == 3
        assert "both.html#S01E02" in errors[0]
        assert "0103.html and both.html#S01E03" in errors[1]
        assert "2 of 5 pages" in errors[2]
    assert run(pages, tmp_path / "out", "--keep-going") == 0
    written = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert [(entry["page"], entry["locator"]) for entry in written["failed_pages"]] == [
        ("both.html#S01E02", "S01E02"),
        ("both.html#S01E03", "S01E03"),
    ]
    assert "both.html#S01E01" in {entry["page"] for entry in written["pages"]}
    assert check.main([str(tmp_path / "out")]) == 0


def test_explain_reads_the_page_of_the_row(pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "friends-lines"
    assert run(pages, out) == 0
    capsys.readouterr()
    assert explain.main([str(out), "s01e02_c01_u0001", "--pages", str(pages)]) == 0
    printed = capsys.readouterr().out
    assert "both.html#S01E02: season 1, episode 2" in printed
    assert f"{friends().page_url('both.html')}\n" in printed
    assert sha256_of(pages / "both.html") in printed
    assert next(row for row in rows(out, "lines") if row["id"] == "s01e02_c01_u0001")["text"] in printed
    (pages / "both.html").write_text(page(2), encoding="utf-8")
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    for entry in manifest["pages"]:
        entry["sha256"] = sha256_of(pages / "both.html")
    (out / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert explain.main([str(out), "s01e02_c01_u0001", "--pages", str(pages)]) == 1
    assert "no page both.html#S01E02" in capsys.readouterr().err


def test_every_character_of_each_page_is_in_its_segments(pages: Path) -> None:
    for found in read_both("both.html", (pages / "both.html").read_bytes()):
        segments, episode = parse_page(found, "both.html", friends())
        assert "".join(segment.text for segment in segments) == "".join(f"{block.text}\n" for block in found.blocks)
        assert episode.id == found.locator.lower()


def test_parse_names_the_pages(pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines, both = tmp_path / "lines.jsonl", pages / "both.html"
    assert parse.main([str(both), "--lines", str(lines)]) == 0
    names = [json.loads(line)["page"] for line in lines.read_text(encoding="utf-8").splitlines()]
    assert list(dict.fromkeys(names)) == ["both.html#S01E01", "both.html#S01E02"]
    lines.unlink()
    both.write_text(f"S01E01\n<p>Nobody speaks.</p>{NEXT}S01E02\n{page(2)}", encoding="utf-8")
    assert parse.main([str(both), "--lines", str(lines)]) == 2
    printed = capsys.readouterr()
    assert f"{both}#S01E01: " in printed.err
    assert "1 pages failed" in printed.out
    assert len(lines.read_text(encoding="utf-8").splitlines()) == 12


def test_a_locator_that_names_no_episode_leaves_it_to_the_heading() -> None:
    [found] = formats_read_pages("0101.html", b"<h1>908 - The One</h1><p><b>Joey:</b> Hi.</p>")
    _, episode = parse_page(Page(found.blocks, "3"), "0101.html", friends())
    assert (episode.page, episode.id) == ("0101.html#3", "s09e08")
    [found] = formats_read_pages("0101.html", b"<h1>The One</h1><p><b>Joey:</b> Hi.</p>")
    with pytest.raises(ParseError, match="season and episode of '3'"):
        parse_page(Page(found.blocks, "3"), "0101.html", friends())


def test_one_page_was_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("friends_corpus.parsing.script.read_pages", read_both)
    with pytest.raises(ParseError, match="2 episodes in one file"):
        read_script("both.html", f"1\n<p>a</p>{NEXT}2\n<p>b</p>".encode())
