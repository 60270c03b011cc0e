"""The dataset card: metadata that the Hub accepts, numbers that were computed, text that cannot break it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import DatasetCard
from invented import page, write_pages
from markdown_it import MarkdownIt

from builders import build, check
from builders.configs.schema import CONFIGS

HOSTILE = 'The One | With <script>alert("x")</script>\n---\n[a](javascript:b) `c` *d* {{ stats }} {% raw %}'
LEAKAGE = {
    "rule": {
        **dict.fromkeys(("scene_characters", "shingle_words", "run_words", "passage_runs", "stock_scenes"), 13),
        **dict.fromkeys(("same", "seen"), 0.8),
    },
    **dict.fromkeys(("clusters", "clustered_scenes", "near_duplicates", "clips", "passages", "seen_episodes"), 1),
    "splits": [
        {
            "split": "test",
            "against": "train",
            "scenes": 1,
            "shared_scenes": 0,
            "largest_jaccard": None,
            "runs": 1,
            "shared_runs": 1,
            "shared_runs_share": 1.0,
            "within_target": False,
            "phrases": 3,
            "stock_phrases": [{"phrase": HOSTILE, "scene": "s01e01_c01", "times": 1}],
        }
    ],
}
TABLE_ROW = re.compile(r"^\|.*\|$", re.M)  # "| season | episodes |"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("card")
    pages = write_pages(home / "pages")
    (pages / "0201.html").write_text(page(7, title=HOSTILE), encoding="utf-8")
    (pages / "07outtakes.html").write_text(page(8), encoding="utf-8")
    (pages / "0301.html").write_text("<p>no transcript</p>", encoding="utf-8")
    arguments = ["--pages", str(pages), "--out", str(home / "friends-lines"), "--no-cache", "--keep-going"]
    assert build.main([*arguments, "--jobs", "1", "--version", "2.3.4", "--chunk-chars", "400"]) == 0
    return home / "friends-lines"


@pytest.fixture(scope="module")
def card(folder: Path) -> DatasetCard:
    return DatasetCard.load(folder / "README.md")


@pytest.fixture(scope="module")
def stats(folder: Path) -> dict:
    return json.loads((folder / "stats.json").read_text(encoding="utf-8"))


def test_metadata(card: DatasetCard, folder: Path) -> None:
    data = card.data.to_dict()
    assert data["license"] == "other"
    assert data["license_name"]
    assert data["language"] == ["en"]
    assert data["task_categories"] == ["text-generation"]
    assert data["size_categories"] == ["n<1K"]
    assert [config["config_name"] for config in data["configs"]] == [
        "lines",
        "named_lines",
        "chunks",
        "chat",
        "speakers",
    ]
    assert [config["config_name"] for config in data["configs"] if config.get("default")] == ["lines"]
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    for config in data["configs"]:
        assert re.fullmatch(r"\d+\.\d+\.\d+", config["version"])
        assert config["version"] == manifest["configs"][config["config_name"]]["version"]
        assert all((folder / file["path"]).is_file() for file in config["data_files"])
    assert {info["config_name"] for info in data["dataset_info"]} == set(CONFIGS)


def test_sections(card: DatasetCard) -> None:
    headings = re.findall(r"^## (.*)$", card.text, re.M)
    expected = ["Configs", "Intended and unsuitable uses", "Licence", "What is in it", "Fields", "Splits"]
    assert headings == [
        *expected,
        "How it was made",
        "Known limits",
        "Credits",
        "Personal data",
        "How to cite",
        "Reproduce",
    ]
    assert "More Information Needed" not in card.content
    assert "belong to their owner" in card.text
    assert "Wanda Writer (5)" in card.text
    assert "Fred Fan (5)" in card.text
    assert "Version 2.3.4" in card.text


def test_numbers(card: DatasetCard, stats: dict) -> None:
    total = stats["total"]
    assert total == {
        "pages": 5,
        "episodes": 5,
        "scenes": 10,
        "lines": 60,
        "chunks": total["chunks"],
        "chat": 50,
        "speakers": 6,
        "words": total["words"],
        "characters": total["characters"],
    }
    assert [row["season"] for row in stats["seasons"]] == [1, 2]
    for row in [*stats["seasons"], {"season": "all", **total}]:
        cells = [str(row[name]) for name in ("season", "episodes", "scenes", "lines", "words", "chunks", "chat")]
        assert f"| {' | '.join(cells)} |" in card.text
    assert sum(row["lines"] for row in stats["splits"]) == total["lines"]
    assert sum(row["pages"] for row in stats["splits"]) == 5
    assert "up to 400 characters" in card.text


def test_the_sample_says_that_it_is_invented(card: DatasetCard, tmp_path: Path) -> None:
    assert "sample pages" not in card.text
    assert build.main(["--out", str(tmp_path / "out"), "--jobs", "1", "--no-cache"]) == 0
    assert "No line is from the series." in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["sample"] is True
    assert all(manifest["splits"][split] for split in ("train", "validation", "test"))
    assert manifest["failed_pages"] == []


def test_what_is_where(tmp_path: Path) -> None:
    """Nothing vanishes silently: each kind and each drop of the pages is on the card with its number."""
    odd = (
        "<p>[Scene: A park.]</p>\n<p>Hello there, who is speaking?</p>\n<p><b>Joey:</b> Hi.</p>\n"
        "<p><b>Ross:</b> (nods)</p>\n<p>[Scene: A street.]</p>\n<p>(Night.)</p>\n<p><b>Ross:</b> (nods)</p>\n"
        "<p>[Scene: A room.]</p>\n<p><b>Joey:</b> Oh.</p>"
    )
    pages = write_pages(tmp_path / "pages")
    (pages / "0105.html").write_text(page(5, extra=odd), encoding="utf-8")
    assert build.main(["--pages", str(pages), "--out", str(tmp_path / "out"), "--jobs", "1", "--no-cache"]) == 0
    stats = json.loads((tmp_path / "out" / "stats.json").read_text(encoding="utf-8"))
    assert stats["dropped"] == {
        "no_label": {"count": 1, "characters": len("Hello there, who is speaking?\n")},
        "no_speech": {"count": 1, "characters": len("(nods)")},
        "scene_without_speech": {"count": 3, "characters": len("[Scene: A street.](Night.)(nods)")},
    }
    assert stats["between_turns"] == {"count": 11, "characters": 10 * len("(They leave.)") + len("Ross: (nods)")}
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    for kind, counts in stats["segments"].items():
        assert kind.startswith("dropped:") or f"| {kind} | {counts['count']} | {counts['characters']:,} | " in text
    assert "| no\\_label | 1 | 30 | speech under nobody's label; in no row |" in text
    assert (
        "| scene\\_without\\_speech | 3 | 32 | scenes in which nobody speaks: heading, directions, such turns;" in text
    )
    assert "- 11 lines of the scripts (142 characters) are only in `chunks.text_with_directions`" in text
    assert check.main([str(tmp_path / "out")]) == 0


def test_every_reason_is_listed(card: DatasetCard, stats: dict) -> None:
    assert all(reason.replace("_", "\\_") in card.text for reason in stats["dropped"])
    assert "| 07outtakes.html | variant: outtakes |" in card.text
    assert "0301.html" in card.text


def test_tables_are_whole(card: DatasetCard) -> None:
    html = MarkdownIt("commonmark").enable("table").render(card.text)
    rows = TABLE_ROW.findall(card.text)
    assert html.count("<tr>") == len(rows) - html.count("<table>")  # all but the lines of dashes
    for table in re.findall(r"<table>.*?</table>", html, re.S):
        columns = {len(re.findall(r"<t[dh]", row)) for row in re.findall(r"<tr>.*?</tr>", table, re.S)}
        assert len(columns) == 1
    assert html.count("<td><code>") >= sum(len(config.features) for config in CONFIGS.values())


def test_text_from_pages_is_only_text(folder: Path) -> None:
    rows = (folder / "README.md").read_text(encoding="utf-8")
    html = MarkdownIt("commonmark").enable("table").render(rows.split("---\n", 2)[2])
    assert "<script" not in html
    assert 'href="javascript' not in html


def test_a_hostile_title_and_name_in_the_card(tmp_path: Path) -> None:
    """Straight through the renderer, with the text in every place where text from pages goes."""
    from builders.reports.card import render_card
    from friends_corpus.show.config import friends

    rows = {name: dict.fromkeys(config.features, HOSTILE) for name, config in CONFIGS.items()}
    part = {"path": "p", "rows": 1, "bytes": 1, "arrow_bytes": 1, "sha256": "0"}
    lengths = {"median": 1, "p90": 1, "p99": 1, "longest": 1}
    counts = {"pages": 1, "episodes": 1, "scenes": 1, "lines": 1, "words": 1, "chunks": 1, "chat": 1, "speakers": 1}
    show = replace(friends(), title=HOSTILE, owner=HOSTILE, years=HOSTILE)
    manifest: Any = {
        "show": show.facts,
        "version": "1.0.0",
        "sample": False,
        "parameters": {"chunk_chars": 1200, "character": HOSTILE},
        "software": {"parser": "x"},
        "configs": {config: {"version": "1.2.3", "splits": {"train": part}} for config in CONFIGS},
        "pages": [{"page": HOSTILE, "reason": HOSTILE}],
        "failed_pages": [{"page": HOSTILE, "error": HOSTILE}],
    }
    stats: Any = {
        "total": counts,
        "seasons": [{"season": 1, **counts}],
        "splits": [{"split": "train", **counts}],
        "speakers": [{"speaker": HOSTILE, "lines": 1}],
        "unknown_cues": [{"cue": HOSTILE, "lines": 1, "first_in": "s01e01"}],
        "line_characters": lengths,
        "chunk_characters": lengths,
        "chunk_turns": lengths,
        "chat": {
            "characters": [{"character": HOSTILE, "rows": 1}],
            "no_row": dict.fromkeys(("several_speakers", "opens_scene", "goes_on"), 1),
            "prompt_characters": lengths,
            "completion_characters": lengths,
        },
        "segments": {HOSTILE: {"count": 1, "characters": 1}},
        "between_turns": {"count": 1, "characters": 1},
        "dropped": {HOSTILE: {"count": 1, "characters": 1}},
        "leakage": LEAKAGE,
        "suspicions": [{"kind": "markup", "meaning": "", "count": 1, "examples": []}],
        "written_by": [{"name": HOSTILE, "pages": 1}],
        "transcribed_by": [{"name": HOSTILE, "pages": 1}],
    }
    text = render_card(manifest, stats, rows)
    assert "is met everywhere" not in text
    assert "**it is missed by `test` against `train`**" in text
    assert "Pair by pair, the shared runs make 3 phrases, of which these are the longest:" in text
    (tmp_path / "README.md").write_text(text, encoding="utf-8")
    card = DatasetCard.load(tmp_path / "README.md")
    html = MarkdownIt("commonmark").enable("table").render(card.text)
    assert "<script" not in html
    assert "<a " not in html
    assert html.count("{{ stats }}") > 8  # printed, not executed
    for table in re.findall(r"<table>.*?</table>", html, re.S):
        assert len({len(re.findall(r"<t[dh]", row)) for row in re.findall(r"<tr>.*?</tr>", table, re.S)}) == 1
    headings = re.findall(r"<h2>(.*?)</h2>", html)
    assert headings[0] == "Configs"
    assert headings[-1] == "Reproduce"
    assert len(headings) == 12
