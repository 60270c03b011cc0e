"""Transcripts in other forms: how many turns are read with the right label and the right first words.

    python benchmarks/wild.py [FOLDER] [--record]

FOLDER (default: FRIENDS_CORPUS_WILD, else ../shared/corpus/wild) holds `CORPUS/` with pages and `CORPUS.truth.tsv` with
page, label and text, as an independent reader found them. Each corpus is read twice: as *Friends*, and as a show
of which only a title is known. A merged turn counts as an error on both sides. --record writes results/wild.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import tempfile
from collections import defaultdict
from difflib import SequenceMatcher
from pathlib import Path

from friends_corpus.core.model import ParseError
from friends_corpus.formats.pages import read_pages
from friends_corpus.parsing.script import parse_page
from friends_corpus.show.config import Show, friends, read_show

WILD = Path(os.environ.get("FRIENDS_CORPUS_WILD", Path(__file__).parents[2] / "shared" / "corpus" / "wild"))
RESULT = Path(__file__).parent / "results" / "wild.json"
BRACKETS = re.compile(r"\([^)]*\)|\[[^]]*\]")
FIRST_WORDS = 4

Turn = tuple[str, tuple[str, ...]]  # label, first words


def turn(label: str, text: str) -> Turn:
    """Return what is compared of a turn."""
    words = re.findall(r"\w+", BRACKETS.sub(" ", text).lower())
    return " ".join(BRACKETS.sub(" ", label).lower().split()), tuple(words[:FIRST_WORDS])


def titled(folder: Path) -> Show:
    """Return a show of which nothing but the title is known."""
    (folder / "show.yaml").write_text("title: Unknown\n", encoding="utf-8")
    (folder / "speakers.csv").write_text("cue,speaker,full_name,episodes\n", encoding="utf-8")
    return read_show(folder)


def read_truth(path: Path) -> dict[str, list[Turn]]:
    """Return the turns of each page."""
    truth: dict[str, list[Turn]] = defaultdict(list)
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            truth[row["page"]].append(turn(row["label"], row["text"]))
    return truth


def measure(corpus: Path, truth: dict[str, list[Turn]], show: Show) -> dict[str, float | int]:
    """Return recall and precision over all pages of a corpus; a page that is refused has no turns."""
    matched = wanted = read = refused = parts = 0
    for page, turns in truth.items():
        wanted += len(turns)
        try:
            name = page if re.match(r"(?i)s\d", page) else f"01{page[-6:-4]}.html"  # the name says nothing of the text
            pages = read_pages(page if len(truth) == 1 else name, (corpus / page).read_bytes(), show)
            episodes = [parse_page(found, name, show)[1] for found in pages]
        except ParseError:
            refused += 1
            continue
        ours = [turn(spoken.cue, spoken.text) for episode in episodes for spoken in episode.utterances()]
        parts += len(pages)
        read += len(ours)
        blocks = SequenceMatcher(None, turns, ours, autojunk=False).get_matching_blocks()
        matched += sum(block.size for block in blocks)
    return {
        "turns": wanted,
        "recall": round(matched / max(1, wanted), 4),
        "precision": round(matched / max(1, read), 4),
        "episodes": parts,
        "pages_refused": refused,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=WILD)
    parser.add_argument("--record", action="store_true", help="write results/wild.json")
    options = parser.parse_args()
    results: dict[str, dict[str, dict[str, float | int]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        shows = {"Friends": friends(), "title only": titled(Path(folder))}
        for path in sorted(options.folder.glob("*.truth.tsv")):
            name, truth = path.name.removesuffix(".truth.tsv"), read_truth(path)
            results[name] = {title: measure(options.folder / name, truth, show) for title, show in shows.items()}
            for title, figures in results[name].items():
                print(f"{name:<16}{title:<12}" + "  ".join(f"{key} {value}" for key, value in figures.items()))
    if options.record:
        RESULT.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
