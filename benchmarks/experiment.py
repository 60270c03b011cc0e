"""The blog post's experiment at full length: five adapters with equal budgets on real pages, then their comparison.

    python benchmarks/experiment.py [--pages DIR] [--tokens 102000] [--work data/experiment] [--out FILE]

Builds the dataset, trains every arm, compares, and writes results/experiment-<device>.json: the results.json of
train.compare with the answers of its first seed, but for those that quote a transcript. Every value that was counted is
in it, so that `python -m train.report FILE` judges them by other rules. The whole report is in --work.
Run again after an interruption it goes on where it was.

On two CPU cores it takes two hours and a quarter, most of it for `chat`, whose prompts are computed and not learnt.
There two arms are trained side by side, a thread each: that did 2 x 74 tokens/s, one arm with two threads 115.
"""

import argparse
import hashlib
import itertools
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pandas as pd

from friends_corpus.core.ngrams import WORD
from train.comparison.results import as_text

ROOT = Path(__file__).parents[1]
REAL = Path(os.environ.get("FRIENDS_CORPUS_PAGES", ROOT.parent / "shared" / "corpus" / "pages"))
LEFT_OUT = "‹left out: it has words of a transcript›"  # neither dialogue nor a direction, if answers are counted again
QUOTED, WHOLE = 8, 5  # words of a line, or all of them where it has so many; stock phrases are shorter
ASKED = ("--limit", 100, "--tokens", 40, "--rows", 150)  # 1,800 answers, half a second each on two cores
ARMS = {  # the blog post's learn its text, minimally processed; config and column
    "lines": ("lines", "text_with_directions"),
    "named_lines": ("named_lines", "text_with_directions"),
    "chunks": ("chunks", "text_with_directions"),
    "chunks_clean": ("chunks", "text"),
    "chat": ("chat", "completion"),
}


def run(*arguments: object, log: Path | None = None, threads: int | None = None) -> None:
    """A command of this project; what it prints is appended to `log`, or shown."""
    environment = os.environ | ({"OMP_NUM_THREADS": str(threads)} if threads else {})
    command = [sys.executable, "-m", *map(str, arguments)]
    with log.open("ab") if log else nullcontext() as out:
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT)
    if done.returncode:
        raise SystemExit(f"exit code {done.returncode} from python -m {' '.join(command[2:])}; {log or 'see above'}")


def train(name: str, data: Path, tokens: int, work: Path, threads: int | None) -> None:
    """One arm, unless it is there; an interrupted one goes on."""
    config, column = ARMS[name]
    output = work / "adapters" / name
    if (output / "run.json").exists():
        then = json.loads((output / "run.json").read_text(encoding="utf-8"))
        digest = hashlib.sha256((data / "manifest.json").read_bytes()).hexdigest()
        if (then["recipe"]["max_tokens"], then["dataset"]["manifest_sha256"]) != (tokens, digest):
            raise SystemExit(f"{output} learnt other pages or another number of tokens; choose another --work")
        return
    print(f"training {name}, see {work / name}.log", flush=True)
    wanted = ("--dataset", config, "--text-field", column, "--max-tokens", tokens, "--resume")
    run("train.sft", "--data", data, *wanted, "--output", output, log=work / f"{name}.log", threads=threads)


def quoting(samples: list[dict[str, Any]], lines: list[str]) -> list[dict[str, Any]]:
    """The samples that have QUOTED words in a row of a line, or all of a line of WHOLE words or more.

    Case and punctuation do not matter.

    >>> said = [{"text": "I 1 2 3 4 5 6 7 8!"}, {"text": "1, 2"}, {"text": "A, b c D e f"}]
    >>> quoting(said, ["1 2 3 4 5 6 7 8 9.", "A b c d e!"])
    [{'text': 'I 1 2 3 4 5 6 7 8!'}, {'text': 'A, b c D e f'}]
    """
    said = [WORD.findall(line.lower()) for line in lines]
    known = {run for words in said if len(words) >= WHOLE for run in runs(words, min(len(words), QUOTED))}
    answers = [WORD.findall(sample["text"].lower()) for sample in samples]
    quote = [any(runs(words, length) & known for length in range(WHOLE, QUOTED + 1)) for words in answers]
    return list(itertools.compress(samples, quote))


def runs(words: list[str], length: int) -> set[tuple[str, ...]]:
    """All that stand in a row, `length` of them."""
    return {tuple(words[start : start + length]) for start in range(len(words) - length + 1)}


def compare(work: Path) -> None:
    """All arms; answers that are there are counted and not asked again."""
    adapters = [f"{name}={work / 'adapters' / name}" for name in ARMS]
    data = work / "friends-lines"
    run("train.compare", "--adapters", *adapters, "--data", data, *ASKED, "--out", work / "report")


def to_commit(work: Path) -> dict[str, Any]:
    """The results, with the answers of the first seed alone, and without any that quotes a line of a transcript."""
    data = work / "friends-lines"
    results: dict[str, Any] = json.loads((work / "report" / "results.json").read_text(encoding="utf-8"))
    results["pages"] = len(json.loads((data / "manifest.json").read_text(encoding="utf-8"))["pages"])
    results["samples"] = [sample for sample in results["samples"] if sample["seed"] == 0]
    lines = pd.read_parquet(data / "lines", columns=["text", "text_with_directions"])
    for sample in quoting(results["samples"], [*lines["text"], *lines["text_with_directions"]]):
        sample["text"] = LEFT_OUT
    return results


def main() -> None:
    import torch

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=Path, default=REAL, metavar="DIR")
    parser.add_argument("--tokens", type=int, default=102_000, metavar="N", help="learnt by each arm (102000)")
    parser.add_argument("--work", type=Path, default=ROOT / "data" / "experiment", metavar="DIR")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="the results (benchmarks/results/experiment-DEVICE.json)"
    )
    options = parser.parse_args()
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    data = work / "friends-lines"
    run("builders.build", "--pages", options.pages.resolve(), "--out", data)
    gpu = torch.cuda.is_available()
    threads = None if gpu else max(1, (os.cpu_count() or 1) // 2)
    with ThreadPoolExecutor(1 if gpu else 2) as pool:
        list(pool.map(lambda name: train(name, data, options.tokens, work, threads), reversed(ARMS)))  # longest first
    compare(work)
    results = to_commit(work)
    slug = re.sub(r"[^a-z0-9]+", "-", results["device"].partition(" (")[0].lower()).strip("-")
    out = options.out or ROOT / "benchmarks" / "results" / f"experiment-{slug}.json"
    out.write_text(as_text(results), encoding="utf-8")
    print(f"wrote {out}")


if __name__ == "__main__":
    main()
