"""Fill README.md and docs/*.md with what their commands print today, so that no number in them is typed by hand.

    python benchmarks/readme.py [--check]

Quick commands are run; the training log is benchmarks/results/demo.txt, recorded by `make record` on the device it
names; the quality table comes from benchmarks/results/quality.json, written by benchmarks/quality.py, the one of
throughput from results/throughput-*.json, written by benchmarks/throughput.py, those of the experiment from
results/experiment-*.json, written by benchmarks/experiment.py.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
RESULTS = ROOT / "benchmarks" / "results"
CONSOLE = re.compile(r"(```console\n\$ (python -m \S+)([^\n]*)\n).*?(```)", re.S)
TABLE = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- /\2 -->)", re.S)
WAYS = {
    "ours": "`train.sft`",
    "bare": "forward and backward of the PEFT model alone",
    "author-same": "the blog author's settings (batches of 4, wrapped at 150 tokens)",
    "plain-same": "plain TRL (batches of 8, padded, gradient checkpointing)",
    "author": "the author's settings with TRL's default, bfloat16",
    "plain": "plain TRL with its default, bfloat16",
}
ROWS = {
    "utterance_f1": "utterance F1",
    "speaker_accuracy": "speaker accuracy of matched utterances",
    "scene_f1": "scene boundary F1",
    "words_exact": "matched utterances with exactly the same words",
    "characters_conserved_percent": "visible characters conserved, in order, %",
    "characters_invented": "characters invented",
}


def fresh(text: str) -> str:
    """Return a text with every console block and table as of today."""
    text = CONSOLE.sub(lambda block: block[1] + output_of(block[2], block[3]) + block[4], text)
    return TABLE.sub(lambda table: table[1] + TABLES[table[2]]() + table[3] if table[2] in TABLES else table[0], text)


def output_of(command: str, arguments: str) -> str:
    """What a command prints on standard output, run in an empty folder; for training, what the recorded run printed."""
    if "train.sft" in command:
        return (RESULTS / "demo.txt").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "friends_corpus" / "sample", Path(folder, "friends_corpus", "sample"))
        words = [sys.executable, "-P", *command.split()[1:], *arguments.split()]
        return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True).stdout


def quality_table() -> str:
    """The figures of quality.json as a Markdown table."""
    figures = json.loads((RESULTS / "quality.json").read_text())
    head = (
        f"| {figures['pages']} real pages, {figures['reference_utterances']:,} reference utterances | |\n|---|---:|\n"
    )
    return head + "".join(f"| {label} | {figures[key]:g} |\n" for key, label in ROWS.items())


def throughput_table() -> str:
    """The figures of results/throughput-*.json as Markdown tables, one for each device."""
    text = ""
    for path in sorted(RESULTS.glob("throughput-*.json")):
        figures = json.loads(path.read_text())
        sets = [name for name in ("lines", "chunks") if name in figures]
        text += f"| tokens/s on {figures['device']}, {figures['bits']} bits | {' | '.join(sets)} |\n"
        text += f"|---|{'---:|' * len(sets)}\n"
        for way, label in WAYS.items():
            rates = " | ".join(f"{figures[name]['tokens_per_second'][way]:g}" for name in sets)
            text += f"| {label} | {rates} |\n"
    return text


def experiment_tables() -> str:
    """The verdicts and means of results/experiment-*.json as Markdown tables, two for each device."""
    from train.report import read_results, view

    text = ""
    for path in sorted(RESULTS.glob("experiment-*.json")):
        page = view(read_results(path))
        text += "".join(f"- {name}: {fact}\n" for name, fact in page["facts"]) + "\n"
        text += "| claim | verdict | why |\n|---|---|---|\n"
        for verdict in page["verdicts"]:
            why = "<br>".join(part["title"] for part in verdict["parts"])
            text += f"| {verdict['claim']} | **{verdict['verdict']}** | {why} |\n"
        text += f"\n| {' | '.join(['mean [95 % interval]', *page['variants']])} |\n"
        text += f"|---|{'---|' * len(page['variants'])}\n"
        for metric in page["metrics"]:
            text += f"| {' | '.join([metric['label'], *metric['cells']])} |\n"
    return text


def summary_table() -> str:
    """The headline figures, each with the command that measures it, as a Markdown table."""
    quality = json.loads((RESULTS / "quality.json").read_text())
    text = "| measured | friends-corpus | the alternative | by |\n|---|---:|---:|---|\n"
    for label, figure in (
        (f"utterance F1 against Emory's annotation, {quality['pages']} real pages", f"{quality['utterance_f1']:g}"),
        ("speaker accuracy of matched utterances", f"{quality['speaker_accuracy']:g}"),
    ):
        text += f"| {label} | {figure} | | `benchmarks/quality.py` |\n"
    for path in sorted(RESULTS.glob("throughput-*.json")):
        figures = json.loads(path.read_text())
        for name in ("lines", "chunks"):
            rates = figures[name]["tokens_per_second"]
            label = f"training tokens/s on `{name}`, {figures['device']}, {figures['bits']} bits"
            text += (
                f"| {label} | {rates['ours']:g} | {rates['plain-same']:g} (plain TRL) | `benchmarks/throughput.py` |\n"
            )
    return text


def last_sample() -> str:
    """The last prompt of the recorded demo with both answers."""
    samples = (RESULTS / "demo.txt").read_text(encoding="utf-8").split("\n\n")[1:-1]
    return f"```\n{samples[-1]}\n```\n"


TABLES = {
    "quality": quality_table,
    "throughput": throughput_table,
    "experiment": experiment_tables,
    "summary": summary_table,
    "sample": last_sample,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if a file is stale")
    options = parser.parse_args()
    stale = False
    for path in FILES:
        then = path.read_text(encoding="utf-8")
        now = fresh(then)
        stale |= now != then
        if not options.check:
            path.write_text(now, encoding="utf-8")
    return int(options.check and stale)


if __name__ == "__main__":
    sys.exit(main())
