"""Parsing quality on real pages: agreement with the reference annotation, and conservation of the visible text.

    python benchmarks/quality.py [--pages ../shared/corpus/pages] [--out benchmarks/results/quality.json]

Needs the two scorers that lie beside the pages (`../tools/gold_align.py`, `../tools/conservation.py`).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
DEFAULT_PAGES = Path(os.environ.get("FRIENDS_CORPUS_PAGES", HERE.parents[1] / "shared" / "corpus" / "pages"))
RESULT = HERE / "results" / "quality.json"


def measure(pages: Path) -> dict[str, float | int]:
    """The figures of the README's quality table, rounded as they are printed there."""
    tools = pages.parents[1] / "tools"
    if not (tools / "gold_align.py").exists():
        raise SystemExit(f"error: no scorers in {tools}; they and the reference lie beside the pages, not in this repo")
    with tempfile.TemporaryDirectory() as folder:
        lines, segments, report = (Path(folder, name) for name in ("lines.jsonl", "segments.jsonl", "report.json"))
        run(["-m", "friends_corpus.parse", pages, "--lines", lines, "--segments", segments])
        run([tools / "gold_align.py", lines, "--report", report])
        gold = json.loads(report.read_text())["total"]
        run([tools / "conservation.py", pages, segments, "--report", report])
        kept = json.loads(report.read_text())["total"]
    return {
        "pages": len(list(pages.glob("*.html"))),
        "reference_utterances": gold["gold"],
        "utterance_f1": round(gold["f1"], 4),
        "speaker_accuracy": round(gold["speaker"], 4),
        "scene_f1": round(gold["scene_f1"], 4),
        "words_exact": round(gold["exactword"], 4),
        "characters_conserved_percent": round(kept["ordered"], 4),
        "characters_invented": kept["invented"],
    }


def run(arguments: list[object]) -> None:
    subprocess.run([sys.executable, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=Path, default=DEFAULT_PAGES, metavar="DIR")
    parser.add_argument("--out", type=Path, default=RESULT, metavar="FILE")
    options = parser.parse_args()
    figures = measure(options.pages.resolve())
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
