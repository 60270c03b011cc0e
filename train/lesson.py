"""python -m train.lesson: the whole way from pages to a comparison, in small, each step saying what it does and why.

It runs the project's own commands, prints each so that it can be typed alone, and keeps what they write in --out; a
training that was interrupted is resumed when the lesson is run again. LESSON_FAULT=double_bos, untrained_eos or
leaked_split plants a fault that is common and silent, and shows which check catches it. Exit codes: 0 done, or the
fault was caught; 1 a step failed, or the fault was not caught; 2 a mistake in what was asked; 130 interrupted.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from friends_corpus.core.cli import FAILED, InputError, did_you_mean, exit_code

from .lessons import faults

SAMPLE = Path(__file__).parents[1] / "friends_corpus" / "sample"
FORMATS = dict.fromkeys(("lines", "named_lines", "chunks"), "text_with_directions") | {"chat": "completion"}  # columns
TOKENS = 1500  # trained tokens of each run: too few to judge by, enough to see the formats differ
say = partial(print, flush=True)


@dataclass(frozen=True)
class Stage:
    """A step of the lesson: a few lines about it, and the arguments of `python` that do it."""

    title: str
    why: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...]


WHY = {
    "parse": (
        "Hand-made pages become lines with speakers; every visible character gets a kind, or a reason why not.",
        "Dozens of people typed such pages, each in their own way: this is where most corpora go wrong.",
        "Look into lines.jsonl: cue is what was printed, speakers is who that is.",
    ),
    "datasets": (
        "The lines become four configs: alone, with names, as chunks of dialogue, and as a conversation.",
        "Whole episodes are held out, and episodes that repeat a scene are kept on one side: no leaks.",
        "The check reads everything again: a dataset nobody checks is wrong somewhere.",
    ),
    "compare": (
        "The base and the four adapters answer the same prompts with the same random numbers, in one batch.",
        "What you notice is counted, and each count has an interval: with so little, most is undecided.",
        "Open {report}; a comparison to rely on learns seventy times as much.",
    ),
}
TAUGHT = {
    "lines": "Speech without names: the model can learn the tone, and nothing about who is who.",
    "named_lines": "One line with its speaker: the model learns that a text begins with a name and a colon.",
    "chunks": "Several turns with names: the model learns to write a script, everybody's part of it.",
    "chat": "A prompt and one answer, of which only the answer is trained on: the model learns to take its turn.",
}
ALIKE = f"All four learn just {TOKENS:,} tokens with the same settings, so that the format alone differs."
UNSEEN = "Watch the held-out loss: it is of episodes the model has not seen."


def stages(out: Path) -> list[Stage]:
    """Yield all stages in order; they write into `out`.

    >>> [stage.title for stage in stages(Path("build/lesson"))][:2]
    ['parse', 'datasets']
    """
    data, adapters = str(out / "friends-lines"), {name: str(out / "adapters" / name) for name in FORMATS}
    parse = ("-m", "friends_corpus.parse", str(SAMPLE), "--lines", str(out / "lines.jsonl"))
    train = ("-m", "train.sft", "--data", data, "--max-tokens", str(TOKENS), "--evaluations", "0", "--resume")
    compare = (
        *("-m", "train.compare", "--adapters", *(f"{name}={folder}" for name, folder in adapters.items())),
        *("--data", data, "--limit", "6", "--seeds", "1", "--tokens", "40", "--replies", "20"),
        *("--out", str(out / "report")),
    )
    return [
        Stage("parse", WHY["parse"], (parse,)),
        Stage("datasets", WHY["datasets"], (("-m", "builders.build", "--out", data), ("-m", "builders.check", data))),
        *(
            Stage(
                f"train on {name}",
                (TAUGHT[name], ALIKE, UNSEEN),
                ((*train, "--dataset", name, "--text-field", column, "--output", adapters[name]),),
            )
            for name, column in FORMATS.items()
        ),
        Stage("compare", tuple(why.format(report=out / "report/report.html") for why in WHY["compare"]), (compare,)),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code, see above."""
    parser = argparse.ArgumentParser(
        prog="python -m train.lesson", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", type=Path, default=Path("build/lesson"), metavar="FOLDER", help="default: build/lesson"
    )
    args = parser.parse_args(arguments)
    return exit_code(lambda: lesson(args.out), "run the same command again to resume", args.out)


def lesson(out: Path) -> int:
    """Run the lesson, or plant the fault that the environment names. Raises InputError, OSError."""
    fault = os.environ.get("LESSON_FAULT", "")
    if fault and fault not in faults.FAULTS:
        raise InputError(
            f"LESSON_FAULT is {fault!r}{did_you_mean(fault, faults.FAULTS)}; it is one of {', '.join(faults.FAULTS)}"
        )
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is not a folder; choose another")
    out.mkdir(parents=True, exist_ok=True)
    return plant(fault, out) if fault else teach(stages(out))


def teach(stages: Sequence[Stage]) -> int:
    """Run all stages, and stop at the first that fails."""
    for number, stage in enumerate(stages, start=1):
        tell(f"{number}/{len(stages)}  {stage.title}", stage.why)
        for command in stage.commands:
            if run(command):
                print(f"error: the stage {stage.title!r} failed; its message stands above", file=sys.stderr)
                return FAILED
    return 0


def plant(name: str, out: Path) -> int:
    """Build a dataset, plant the fault, and run the check that must refuse it."""
    fault = faults.FAULTS[name]
    data = out / "friends-lines"
    if run(("-m", "builders.build", "--out", str(data))):
        return FAILED
    tell(f"fault  {name}", fault.why)
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=out))  # a new one each time: nothing has to go
    arguments = fault.plant(data, folder)
    say(f"\n$ python {shlex.join(arguments)}")
    done = subprocess.run([sys.executable, *arguments], check=False, capture_output=True, text=True)
    say(done.stdout + done.stderr)
    if done.returncode and fault.said in done.stdout + done.stderr:
        say(f"caught: {fault.moral}")
        return 0
    print(f"error: the fault {name} was planted in {folder} and no check caught it", file=sys.stderr)
    return FAILED


def tell(title: str, why: Sequence[str]) -> None:
    """Print a headline and an explanation."""
    say("\n    ".join([f"\n=== {title} ===", *why]))


def run(arguments: Sequence[str]) -> int:
    """Print a command as a user would type it, run it and return its exit code."""
    say(f"\n$ python {shlex.join(arguments)}")
    return subprocess.run([sys.executable, *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
