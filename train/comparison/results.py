"""results.json: the values that were measured, and what today's rules make of them.

Every value of a metric is kept, by voice and prompt (or episode), with four digits. Intervals and verdicts come out of
those alone, so that another rule (bootstrap.py, verdicts.py) needs no answers, and no training, again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from .bootstrap import Measured
from .verdicts import judge

DIGITS = 4
NUMBERS = re.compile(r"\[\n\s*(?:(?:[-\d.e]+|null),?\n\s*)+\]")  # a list of numbers, a line each; no text has line ends


def keep(measured: Mapping[str, Measured]) -> dict[str, Any]:
    """The values as plain data: metric → {values: voice → list, weights: list or None}, None where there is none.

    >>> keep({"hey": Measured({"base": np.array([1 / 3, np.nan])}, "share")})
    {'hey': {'values': {'base': [0.3333, None]}, 'weights': None}}
    """
    return {
        name: {
            "values": {
                voice: [None if np.isnan(value) else round(float(value), DIGITS) for value in values]
                for voice, values in metric.values.items()
            },
            "weights": None if metric.weights is None else metric.weights.tolist(),
        }
        for name, metric in measured.items()
    }


def judged(results: Mapping[str, Any]) -> dict[str, Any]:
    """The results with `variants` (voice → metric → {mean, low, high}) and `verdicts`, out of `metrics` and `measured`.

    A metric with too few values has no mean. Results that keep no values are left as they are.
    """
    if not results.get("measured"):
        return dict(results)
    measured = {
        name: Measured(
            {voice: np.array(values, dtype=float) for voice, values in kept["values"].items()},  # None becomes NaN
            results["metrics"][name]["unit"],
            None if kept["weights"] is None else np.array(kept["weights"]),
        )
        for name, kept in results["measured"].items()
    }
    voices = dict.fromkeys(voice for metric in measured.values() for voice in metric.values)
    variants = {
        voice: {name: mean for name, metric in measured.items() if (mean := metric.mean(voice)) is not None}
        for voice in voices
    }
    return {**results, "variants": variants, "verdicts": judge(measured)}


def as_text(results: Mapping[str, Any]) -> str:
    r"""The results as JSON, with a list of numbers on one line.

    >>> as_text({"base": [0.5, None, 1.0], "text": "Zoë [ 1 ] \ud800"})
    '{\n "base": [0.5, null, 1.0],\n "text": "Zoë [ 1 ] \\ud800"\n}\n'
    """
    text = json.dumps(results, indent=1, ensure_ascii=False)
    text = text.encode(errors="backslashreplace").decode()  # halves of characters, as JSON writes them
    return NUMBERS.sub(lambda found: " ".join(found[0].split()).replace("[ ", "[").replace(" ]", "]"), text) + "\n"
