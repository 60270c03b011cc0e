"""python -m train.compare --adapters lines=DIR named_lines=DIR chunks=DIR chat=DIR: what each training format changed.

The base and all adapters answer the same prompts with the same seeds, in one process and in common batches. The answers
are counted (text_metrics.py in train/comparison), means get 95 % intervals over prompts and seeds (bootstrap.py), and
each claim of the blog post gets its verdict (verdicts.py, where the names lines, named_lines, chunks, chunks_clean and
chat have their meaning). The adapters must have been trained on equally many tokens. Where the dataset has the config
chat, real replies of its held-out episodes are scored too. --out receives results.json, the report, and answers.jsonl,
out of which a killed run is continued. Exit codes: 0 compared, 1 it failed on the way, 2 a mistake in what was asked.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from friends_corpus.core.cli import InputError, exit_code
from friends_corpus.core.files import sha256_of
from train.models.device import processor
from train.settings.base_preset import BITS

from .adapters.loading import read_run
from .adapters.output_folder import locked
from .adapters.run_record import Run, cast_of, software
from .comparison.arms import budget, check_runs, facts, read_adapters
from .comparison.bootstrap import FEWEST, Measured
from .comparison.journal import Journal
from .comparison.measures import ABOUT, REPLY_LOSS, Key, as_sample, measure
from .comparison.progress import bar
from .comparison.prompts import Prompt, choose, load_prompts
from .comparison.replies import Losses, Reply, Scored, find_replies, fingerprint, load_replies, notes_on, score
from .comparison.report_files import check_report
from .comparison.results import Results, judged, keep
from .dataset.loading import DEFAULT
from .generation.answers import Answer, Sampling
from .generation.generator import TextGenerator, load_generator
from .report import write_report
from .runtime.logging import quiet
from .runtime.memory import memory_errors

ANSWERS = "answers.jsonl"  # in --out; the first file of a comparison
SEEDS = 3  # of each prompt, or its answers say too little of how they vary
say = partial(print, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code (see above), after one line on stderr if it is not 0."""
    args = parser().parse_args(arguments)
    left = f"the answers so far are in {args.out}; run the same command again to resume"
    return exit_code(lambda: compare(args), left, args.out)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m train.compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--adapters", nargs="+", required=True, metavar="NAME=FOLDER", help="folders that train.sft wrote")
    add("--prompts", type=Path, metavar="FILE", help="your own instead of train/prompts.yaml")
    add("--limit", type=int, metavar="N", help="so many of the prompts, of each kind alike (default: all)")
    add("--seeds", type=int, default=SEEDS, metavar="N", help="answers to each prompt (default: %(default)s)")
    add("--tokens", type=int, default=60, metavar="N", help="longest answer (default: 60)")
    add("--temperature", type=float, default=0.7, metavar="T", help="default: 0.7; 0 is greedy")
    add("--top-p", type=float, default=1.0, metavar="P", help="default: 1.0, all tokens")
    add("--data", metavar="FOLDER|HUB-ID", help=f"dataset with held-out replies (default: ./{DEFAULT} if it is there)")
    add("--replies", type=int, default=200, metavar="N", help="held-out replies to score (default: 200); 0: none")
    add("--bits", type=int, choices=BITS, help="how the base is stored (default: as trained)")
    add("--base", metavar="FOLDER", help="the base, if it was a local folder: where it is now")
    add("--rows", type=int, default=60, metavar="N", help="answers in a batch (default: 60)")
    add(
        "--any-budget",
        action="store_true",
        help="compare even if the adapters were trained on different numbers of tokens",
    )
    add("--out", type=Path, default=Path("report"), metavar="FOLDER", help="default: report")
    return parser


@dataclass(frozen=True)
class Plan:
    """What is compared, and on what."""

    adapters: Mapping[str, Path]
    runs: Mapping[str, Run]
    prompts: Sequence[Prompt]
    place: Path | str | None  # the dataset with real replies
    notes: Sequence[str]


@dataclass(frozen=True)
class Found:
    """What was answered, and the numbers out of it."""

    answers: Mapping[Key, Answer]
    measured: Mapping[str, Measured]
    scored: Scored | None  # None: no real replies


def compare(args: argparse.Namespace) -> None:
    """Compare once, from top to bottom. Raises InputError, Failed, OSError."""
    plan = make_plan(args)
    with locked(args.out.resolve()):
        args.out.mkdir(exist_ok=True)
        online = isinstance(plan.place, str) or any(run["base"]["source"] == "hub" for run in plan.runs.values())
        quiet(offline=not online)
        replies = load_replies(plan.place, args.replies) if plan.place is not None else []
        generator = load_generator(plan.adapters, args.bits, args.base)
        say(f"base      {generator.base.model} in {generator.base.bits} bits, {generator.device.name}")
        say(f"models    {', '.join(generator.names)}")
        with memory_errors(lambda: f" with {args.rows} answers in a batch; add --rows {args.rows // 2 or 1}"):
            findings = find(args, plan, generator, replies)
        results = judged(make_results(args, plan, generator, findings))
        write_report(results, args.out)
    show(results)
    say(f"wrote     {args.out / 'report.html'}, report.md and results.json")


def make_plan(args: argparse.Namespace) -> Plan:
    """Check what is asked for, before anything heavy loads. Raises InputError."""
    check_numbers(args)
    adapters = read_adapters(args.adapters)
    runs = {name: read_run(folder)[0] for name, folder in adapters.items()}
    notes = check_runs(runs, args.any_budget)
    if args.seeds < SEEDS and args.temperature:
        notes.append(f"answers to each prompt: {args.seeds}, and not {SEEDS} or more. A lucky one weighs much")
    prompts = choose(load_prompts(args.prompts), args.limit)
    if len(prompts) < FEWEST:
        raise InputError(
            f"{args.prompts} has {len(prompts)} prompts; write {FEWEST} or more, or no interval is possible"
        )
    dataset = find_replies(args.data, args.replies)
    if args.out.exists() and not args.out.is_dir():
        raise InputError(f"--out {args.out} is not a folder; choose another")
    if args.out.is_dir() and any(args.out.iterdir()) and not (args.out / ANSWERS).exists():
        raise InputError(f"--out {args.out} holds what no comparison wrote; choose another, or move it away")
    check_report(args.out)
    return Plan(adapters, runs, prompts, dataset, notes)


def find(args: argparse.Namespace, plan: Plan, generator: TextGenerator, replies: Sequence[Reply]) -> Found:
    """Get all answers and measure them; what the journals in --out hold is not computed again."""
    same = {
        "base": {"model": generator.base.model, "sha256": generator.source.sha256, "bits": generator.base.bits},
        "adapters": {name: sha256_of(path / "adapter_model.safetensors") for name, path in plan.adapters.items()},
    }
    asked = {prompt.id: [prompt.system, prompt.text] for prompt in plan.prompts}
    drawn = {"tokens": args.tokens, "temperature": args.temperature, "top_p": args.top_p}
    journal = Journal(args.out / ANSWERS, same | drawn | {"prompts": asked}, Answer)
    answers = ask(generator, plan.prompts, args, journal)
    cast = dict.fromkeys(name for arm in plan.runs for name in cast_of(arm, plan.runs).names)
    measured = measure(answers, plan.prompts, range(args.seeds), generator.names, list(cast))
    scored = None
    if replies:
        kept = Journal(args.out / "replies.jsonl", {**same, "replies": fingerprint(replies)}, Losses)
        measured[REPLY_LOSS], scored = score(generator, replies, kept)
    return Found(answers, measured, scored)


def make_results(args: argparse.Namespace, plan: Plan, generator: TextGenerator, findings: Found) -> Results:
    """Collect what results.json holds, but for the verdicts."""
    device = generator.device
    return {
        "device": device.name if device.kind == "cuda" else f"{processor()} ({device.name})",
        "base": generator.base.model,
        "base_sha256": generator.source.sha256,
        "budget_tokens": budget(plan.runs),
        "adapters": {name: facts(run) for name, run in plan.runs.items()},
        "settings": {
            "prompts": len(plan.prompts),
            "seeds": args.seeds,
            "tokens": args.tokens,
            "temperature": args.temperature,
            "top_p": args.top_p,
            "bits": generator.base.bits,
            "replies": findings.scored["rows"] if findings.scored else 0,
        },
        "notes": [*plan.notes, *(notes_on(plan.place, findings.scored, plan.runs) if args.replies else [])],
        "metrics": ABOUT,
        "measured": keep(findings.measured),
        "replies": findings.scored,
        "samples": [
            as_sample(findings.answers[prompt.id, seed, arm], prompt, seed, arm)
            for prompt in plan.prompts
            for seed in range(args.seeds)
            for arm in generator.names
        ],
        "software": software(),
    }


def check_numbers(args: argparse.Namespace) -> None:
    """Raise InputError if a number on the command line makes no sense."""
    rules = {
        "--limit": (
            args.limit,
            args.limit is None or args.limit >= FEWEST,
            f"{FEWEST} or more, or no interval is possible",
        ),
        "--seeds": (args.seeds, args.seeds > 0, "above 0"),
        "--tokens": (args.tokens, args.tokens > 0, "above 0"),
        "--temperature": (args.temperature, 0 <= args.temperature <= 2, "from 0 (greedy) to 2"),
        "--top-p": (args.top_p, 0 < args.top_p <= 1, "above 0 and at most 1"),
        "--replies": (args.replies, args.replies >= 0, "0 or more"),
        "--rows": (args.rows, args.rows > 0, "above 0"),
    }
    for option, (value, good, rule) in rules.items():
        if not good:
            raise InputError(f"{option} is {value}; it must be {rule}")
    if args.temperature == 0 and args.seeds > 1:
        raise InputError("with --temperature 0 every seed gives the same answer; add --seeds 1")


def ask(
    generator: TextGenerator, prompts: Sequence[Prompt], args: argparse.Namespace, journal: Journal
) -> dict[Key, Answer]:
    """Generate an answer to every prompt with every seed by every model; skip those in the journal.

    A batch is some prompts with one seed, each for all models.
    """
    at_once = max(1, args.rows // len(generator.names))
    batches = []
    for seed in range(args.seeds):
        sampling = Sampling(args.tokens, args.temperature, args.top_p, seed)
        left = [one for one in prompts if any((one.id, seed, arm) not in journal.records for arm in generator.names)]
        batches += [(sampling, left[start : start + at_once]) for start in range(0, len(left), at_once)]
    for sampling, some in bar(batches, "batches"):
        asked = [(prompt, arm) for prompt in some for arm in generator.names]
        answers = generator.answer([(arm, prompt.messages()) for prompt, arm in asked], sampling)
        journal.add(
            ((prompt.id, sampling.seed, arm), asdict(answer))
            for (prompt, arm), answer in zip(asked, answers, strict=True)
        )
    return {key: Answer(**record) for key, record in journal.records.items()}


def show(results: Results) -> None:
    """Print the notes and the verdicts."""
    for note in results["notes"]:
        say(f"note      {note}")
    for verdict in results["verdicts"]:
        why = verdict.get("note") or "{metric} {mean:+.3f} [{low:+.3f}, {high:+.3f}]".format_map(verdict)
        say(f"{verdict['verdict']:<15}{verdict['claim']}: {why}")


if __name__ == "__main__":
    sys.exit(main())
