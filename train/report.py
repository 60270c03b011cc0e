"""python -m train.report: the results of train.compare as a page to read (report.html), as Markdown and as a picture.

train.compare writes them by itself; this makes them again from a results.json that was kept, with the intervals and
verdicts of today's rules, and writes those beside them. The same results give the same bytes. report.html is one file
that needs nothing else. Exit codes: 0 written, 1 could not be written,
2 a mistake in what was asked.
"""

import argparse
import base64
import hashlib
import math
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from cards.render import render
from friends_corpus.core.cli import InputError, exit_code
from friends_corpus.core.persona import listed
from friends_corpus.core.reader import json_values, load

from .comparison.arms import AdapterFacts
from .comparison.bootstrap import Interval
from .comparison.intervals import Plot, amount, plot, worded
from .comparison.measures import Sample
from .comparison.report_files import write_files
from .comparison.results import Results, as_text, judged
from .comparison.verdicts import Judged, Verdict
from .generation.generator import BASE

SIGNS = {"supported": "✓", "not supported": "✗", "undecided": "?", "left out": "–"}
FEW = 6  # samples in report.md
LEGEND = (
    "Means over prompts and seeds; in brackets their 95 % intervals, from drawing whole prompts again and again (whole "
    "episodes for the loss of real replies), for shares and counts with one prompt more that shows what none has shown."
)
UNSURE = "it may be too little to matter, or enough ({})"
REASONS = {  # verdict, what was claimed → what decided it; {} is the least difference that would matter
    ("supported", "higher"): "all of it is above zero, and it is as much as would matter ({})",
    ("supported", "lower"): "all of it is below zero, and it is as much as would matter ({})",
    ("supported", "not lower"): "it is not lower by as much as would matter ({})",
    ("not supported", "higher"): "it is not higher by as much as would matter ({})",
    ("not supported", "lower"): "it is not lower by as much as would matter ({})",
    ("not supported", "not lower"): "all of it is below zero, and it is as much as would matter ({})",
    ("undecided", "higher"): UNSURE,
    ("undecided", "lower"): UNSURE,
    ("undecided", "not lower"): UNSURE,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code (see above), after one line on stderr if it is not 0."""
    args = parser().parse_args(arguments)

    def report() -> None:
        write_report(read_results(args.results), args.out)
        print(f"wrote {args.out / 'report.html'}, report.md, report.svg and results.json")

    return exit_code(report, "what stands in --out is whole, run the command again", args.out)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m train.report", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, metavar="RESULTS.json", help="what train.compare wrote")
    parser.add_argument("--out", type=Path, default=Path("report"), metavar="FOLDER", help="default: report")
    return parser


def read_results(path: Path) -> Results:
    """Read the results of a comparison and judge them by today's rules. Raises InputError."""
    results = load(path, json_values, "give the results.json of train.compare")
    if not isinstance(results, dict):
        raise InputError(f"{path} holds no results; give the results.json of train.compare")
    with such_results():
        return judged(cast("Results", results))


@contextmanager
def such_results() -> Iterator[None]:
    """Turn errors on results of another shape into InputError."""
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        raise InputError(
            f"these are no results of this train.compare ({type(error).__name__}: {error}); compare again"
        ) from None


def write_report(results: Results, folder: Path) -> None:
    """Write results.json, report.svg, report.md and report.html into `folder`, each atomically.

    `results` is what results.json holds, see train.compare. Raises InputError, OSError.
    """
    with such_results():
        page = view(printable(results))
    plain = {"style": render("interval.css", {}), "plots": page["plots"]}
    style, script = plain["style"] + render("report.css", {}), render("report.js", {})
    ours = {"style": style, "style_hash": csp_hash(style), "script": script, "script_hash": csp_hash(script)}
    texts = {
        "results.json": as_text(results),
        "report.svg": render("report.svg", plain),
        "report.md": render("report.md", page),
        "report.html": render("report.html.jinja", page | ours),
    }
    write_files(folder, texts)


def csp_hash(text: str) -> str:
    """Return the hash of a script or style for a Content-Security-Policy.

    >>> csp_hash("")
    'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='
    """
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def printable(value: Any) -> Any:
    r"""Return the value with � for every character that a page must not hold.

    >>> printable({"text": ["a\x00b\n", "\ud800", 1]})
    {'text': ['a�b\n', '�', 1]}
    """
    if isinstance(value, str):
        value = value.replace("\r\n", "\n")
        return "".join("�" if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t" else c for c in value)
    if isinstance(value, Mapping):
        return {printable(key): printable(of_key) for key, of_key in value.items()}
    return [printable(item) for item in value] if isinstance(value, list) else value


def view(results: Results) -> dict[str, Any]:
    """Return the values of the templates: every number formatted, every plot drawn, not yet escaped."""
    arms, settings = results["variants"], results["settings"]
    metrics = [metric_view(name, about, arms) for name, about in results["metrics"].items()]
    verdicts = [verdict_view(verdict, results["metrics"]) for verdict in results["verdicts"]]
    prompts = prompt_views(results["samples"], list(arms))
    if not (prompts and any(metric["plot"] for metric in metrics)):
        raise ValueError("nothing was measured")
    counts = Counter(verdict["verdict"] for verdict in verdicts)
    budget = results["budget_tokens"]
    return {
        "title": "Adapters compared: what each training format changed",
        "intro": f"{results['base']} alone and with adapters, each trained on another format of the same scripts; "
        "all were asked the same prompts with the same seeds.",
        "facts": [
            ("Base model", results["base"]),
            ("Adapters, by the column they were trained on", by_column(results["adapters"])),
            ("Trained tokens each", f"{budget:,}" if budget else "not equal, see the note"),
            ("Asked", f"{settings['prompts']:,} prompts × {settings['seeds']} seeds"),
            ("Answers", f"at most {settings['tokens']} tokens, temperature {settings['temperature']}"),
            ("Device", results["device"]),
        ],
        "notes": results["notes"],
        "verdicts": verdicts,
        "tally": ", ".join(f"{counts[verdict]} {verdict}" for verdict in SIGNS if counts[verdict]),
        "all_samples": len(results["samples"]) == settings["prompts"] * settings["seeds"] * len(arms),
        "limits": limits(results, len(verdicts)),
        "legend": LEGEND,
        "variants": list(arms),
        "has_base": BASE in arms,
        "metrics": metrics,
        "plots": [metric["plot"] for metric in metrics if metric["plot"]],
        "prompts": prompts,
        "few": sorted(prompts, key=lambda prompt: not prompt["author"])[:FEW],
        "kinds": sorted({prompt["kind"] for prompt in prompts}),
        "seeds": list(dict.fromkeys(sample["seed"] for sample in results["samples"])),
    }


def limits(results: Results, claims: int) -> list[str]:
    """Return the limits of the results, in sentences."""
    prompts, replies = results["settings"]["prompts"], results["settings"].get("replies")
    chat = [name for name, of in results["adapters"].items() if of.get("config") == "chat"]
    asked_alike = "The real replies are asked for in the format of the config chat, which only {} was trained on."
    return [
        f"One base model was tried, {results['base']}; a larger one may change in other ways.",
        *([asked_alike.format(listed(chat))] if chat and replies else []),
        "Each format was trained once. The intervals are about prompts and sampling; another training can differ more.",
        f"The {prompts:,} prompts were written for this and are no sample of what people ask.",
        "The metrics are proxies, counted by patterns. Helpfulness is only how many words of the question come back; "
        "nobody read the answers and judged them. A longer answer has more room, for words of the question, for other "
        "people and for stage directions.",
        f"Each of the {claims} verdicts stands for itself at 95 %; among several, one can be chance.",
    ]


def metric_view(name: str, about: Mapping[str, str], arms: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return a row of the table and its plot; an arm without this metric has an empty cell."""
    values = {arm: of[name] for arm, of in arms.items() if measured(of.get(name))}
    rows = {arm: (arm, value, worded(value, about["unit"])) for arm, value in values.items()}
    base = values[BASE]["mean"] if BASE in values else None
    view = {"label": about["label"], "meaning": about["meaning"]}
    picture = view | draw(about["label"], plot(list(rows.values()), about["unit"], base)) if rows else None
    return view | {"cells": [rows[arm][-1] if arm in rows else "–" for arm in arms], "plot": picture}


def verdict_view(verdict: Verdict, metrics: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Return a claim, its verdict, and the numbers behind it."""
    parts = [part_view(part, metrics[part["metric"]]) for part in verdict.get("parts", [verdict])]
    for shown, part in zip(parts, verdict.get("parts", []), strict=False):
        shown["title"] = f"{part['verdict'].capitalize()}. {shown['title']}"
    view = {key: verdict[key] for key in ("claim", "stands_for", "verdict")}
    return view | {"sign": SIGNS[verdict["verdict"]], "parts": parts}


def part_view(part: Judged, about: Mapping[str, str]) -> dict[str, Any]:
    """Return one comparison as a sentence and as a plot of the differences."""
    if not measured(part):
        return {"title": f"{about['label']}: left out, {part['note']}.", "drawn": ""}
    arms, unit, together = part["arms"], about["unit"], cast("Interval", part)
    reason = REASONS[part["verdict"], part["expected"]].format(amount(part["margin"], unit))
    text = f"{listed(arms)} against {part['against']}, {worded(together, unit, difference=True)}"
    each = [(arm, of) for arm, of in part["by_arm"].items() if of and measured(of)] if len(arms) > 1 else []
    rows = [("together" if each else arms[0], together), *each]
    return draw(
        f"{about['label']}: {text}; {reason}.",
        plot([(name, of, worded(of, unit, difference=True)) for name, of in rows], unit, 0.0),
    )


def by_column(adapters: Mapping[str, AdapterFacts]) -> str:
    """Group the adapters by the column that they were trained on.

    >>> by_column({"lines": {"text_field": "text"}, "chunks": {"text_field": "text"}, "chat": {"text_field": "said"}})
    'text: lines, chunks; said: chat'
    """
    columns: dict[str, list[str]] = {}
    for name, facts in adapters.items():
        columns.setdefault(facts["text_field"] or "unknown", []).append(name)
    return "; ".join(f"{column}: {', '.join(names)}" for column, names in columns.items())


def measured(value: Mapping[str, Any] | None) -> bool:
    """Tell whether there is a finite mean with a finite interval."""
    numbers = [(value or {}).get(key) for key in ("mean", "low", "high")]
    return all(number is not None and math.isfinite(number) for number in numbers)


def draw(title: str, plotted: Plot) -> dict[str, Any]:
    """Return a plot as SVG, with its height in pixels."""
    svg = render("interval.svg", {"plot": plotted})
    return {"title": title, "height": plotted["height"], "drawn": svg}


def prompt_views(samples: Sequence[Sample], arms: Sequence[str]) -> list[dict[str, Any]]:
    """Group the answers by prompt, then by arm in the order of `arms`, then by seed."""
    prompts: dict[str, dict[str, Any]] = {}
    for sample in samples:
        prompt = prompts.setdefault(
            sample["prompt_id"],
            {
                "id": sample["prompt_id"],
                "kind": sample["kind"],
                "text": sample["prompt"],
                "system": sample.get("system"),
                "author": sample.get("author", False),
                "variants": {arm: [] for arm in arms},
            },
        )
        end = "ended by itself" if sample["stopped"] else "cut at the limit"
        prompt["variants"][sample["variant"]].append({"seed": sample["seed"], "text": sample["text"], "end": end})
    return list(prompts.values())


if __name__ == "__main__":
    sys.exit(main())
