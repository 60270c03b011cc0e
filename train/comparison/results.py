"""results.json: the values that were measured, and what today's rules make of them.

Every value of a metric is kept, by arm and prompt (or episode), with four digits. Intervals and verdicts come out of
those alone, so that another rule (bootstrap.py, verdicts.py) needs no answers, and no training, again.
"""

import json
import re
from collections.abc import Mapping
from typing import NotRequired

import numpy as np
from typing_extensions import TypedDict

from .arms import AdapterFacts
from .bootstrap import Interval, Measured
from .measures import Sample
from .replies import Scored
from .verdicts import Verdict, judge

DIGITS = 4
NUMBERS = re.compile(r"\[\n\s*(?:(?:[-\d.e]+|null),?\n\s*)+\]")  # a list of numbers, a line each; no text has line ends


class Kept(TypedDict):
    """The values of a metric: a list per arm, None where there is none."""

    values: dict[str, list[float | None]]
    weights: list[float] | None


class Settings(TypedDict):
    """How it was asked: numbers of prompts, seeds, tokens, replies, and the sampling."""

    prompts: int
    seeds: int
    tokens: int
    temperature: float
    top_p: float
    bits: int
    replies: int


class Results(TypedDict):
    """The whole file; `variants` (arm → metric → mean and interval) and `verdicts` come out of the rest."""

    device: str
    base: str
    base_sha256: str | None
    budget_tokens: int | None
    adapters: dict[str, AdapterFacts]
    settings: Settings
    notes: list[str]
    metrics: dict[str, dict[str, str]]
    measured: dict[str, Kept]
    replies: Scored | None
    samples: list[Sample]
    software: dict[str, str]
    variants: NotRequired[dict[str, dict[str, Interval]]]
    verdicts: NotRequired[list[Verdict]]


def keep(measured: Mapping[str, Measured]) -> dict[str, Kept]:
    """Return the values as plain data.

    >>> keep({"hey": Measured({"base": np.array([1 / 3, np.nan])}, "share")})
    {'hey': {'values': {'base': [0.3333, None]}, 'weights': None}}
    """
    return {
        name: {
            "values": {
                arm: [None if np.isnan(value) else round(float(value), DIGITS) for value in values]
                for arm, values in metric.values.items()
            },
            "weights": None if metric.weights is None else metric.weights.tolist(),
        }
        for name, metric in measured.items()
    }


def judged(results: Results) -> Results:
    """Add `variants` and `verdicts` to results, computed from `metrics` and `measured`.

    A metric with too few values has no mean. Results that keep no values are left as they are.
    """
    if not results.get("measured"):
        return results
    measured = {
        name: Measured(
            {arm: np.array(values, dtype=float) for arm, values in kept["values"].items()},  # None becomes NaN
            results["metrics"][name]["unit"],
            None if kept["weights"] is None else np.array(kept["weights"]),
        )
        for name, kept in results["measured"].items()
    }
    arms = dict.fromkeys(arm for metric in measured.values() for arm in metric.values)
    variants = {
        arm: {name: mean for name, metric in measured.items() if (mean := metric.mean(arm)) is not None} for arm in arms
    }
    return {**results, "variants": variants, "verdicts": judge(measured)}


def as_text(results: Mapping[str, object]) -> str:
    r"""Return the results as JSON, with each list of numbers on one line.

    >>> as_text({"base": [0.5, None, 1.0], "text": "Zoë [ 1 ] \ud800"})
    '{\n "base": [0.5, null, 1.0],\n "text": "Zoë [ 1 ] \\ud800"\n}\n'
    """
    text = json.dumps(results, indent=1, ensure_ascii=False)
    text = text.encode(errors="backslashreplace").decode()  # halves of characters, as JSON writes them
    return NUMBERS.sub(lambda match: " ".join(match[0].split()).replace("[ ", "[").replace(" ]", "]"), text) + "\n"
