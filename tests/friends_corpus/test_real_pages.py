"""The bar on real pages: the reference annotation and the conservation of every visible character.

Reads FRIENDS_CORPUS_PAGES (default ../shared/corpus/pages) and, beside it, the reference and its two scorers.
"""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from real import PAGES, needs_pages, skip_unless

from friends_corpus.parse import main

TOOLS = PAGES.parents[1] / "tools"

pytestmark = [pytest.mark.slow, needs_pages]


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("parsed")
    assert main([str(PAGES), "--lines", str(out / "lines.jsonl"), "--segments", str(out / "segments.jsonl")]) == 0
    return out


def score(tool: str, *arguments: object) -> dict[str, dict[str, float]]:
    report = Path(str(arguments[-1]))
    command = [sys.executable, TOOLS / tool, *arguments[:-1], "--report", report]
    run = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    scores: dict[str, dict[str, float]] = json.loads(report.read_text())
    return scores


@pytest.mark.skipif(not (TOOLS / "gold_align.py").exists(), reason="no scorers beside the pages")
def test_agreement_with_the_reference(parsed: Path) -> None:
    total = score("gold_align.py", parsed / "lines.jsonl", parsed / "gold.json")["total"]
    assert total["f1"] >= 0.998
    assert total["speaker"] >= 0.999
    assert total["scene_f1"] >= 0.98
    assert total["exactword"] >= 0.995


@pytest.mark.skipif(not (TOOLS / "conservation.py").exists(), reason="no scorers beside the pages")
def test_every_visible_character_is_accounted_for(parsed: Path) -> None:
    total = score("conservation.py", PAGES, parsed / "segments.jsonl", parsed / "conservation.json")["total"]
    assert total["ordered"] >= 99.99
    assert total["invented"] == 0


def test_lines_say_what_their_segments_say(parsed: Path) -> None:
    segments: dict[tuple[str, int], dict[str, str]] = {}
    for row in map(json.loads, (parsed / "segments.jsonl").open(encoding="utf-8")):
        segments[row["page"], row["order"]] = row
    for line in map(json.loads, (parsed / "lines.jsonl").open(encoding="utf-8")):
        parts = [segments[line["page"], order] for order in line["segments"]]
        cue = " ".join("".join(part["text"] for part in parts if part["kind"] == "cue").split())
        said = " ".join(part["text"] for part in parts if part["kind"] not in ("cue", "punctuation"))
        assert cue.strip(" -–>()[]") == line["cue"]
        assert " ".join(said.split()) == line["text_with_directions"]


def test_committed_answers_of_models_quote_no_line(parsed: Path) -> None:
    benchmarks = Path(__file__).parents[2] / "benchmarks"
    quoting = runpy.run_path(str(benchmarks / "experiment.py"))["quoting"]
    rows = map(json.loads, (parsed / "lines.jsonl").read_text(encoding="utf-8").splitlines())
    lines = [row[column] for row in rows for column in ("text", "text_with_directions")]
    quoted = {"text": f"Well. {max(lines, key=len).upper()}"}
    assert quoting([quoted, {"text": "A kettle whistles in my own kitchen, every other Thursday."}], lines) == [quoted]
    for path in (paths := list(benchmarks.glob("results/experiment-*.json"))):
        results = json.loads(path.read_text(encoding="utf-8"))
        skip_unless(results["pages"])  # what nobody learnt here, nobody quotes
        assert quoting(results["samples"], lines) == [], path
    assert paths
