"""What the blog post concluded, as data, and what the numbers say to it: supported, not supported or undecided.

A claim has parts; a part says that in some arms a metric is higher (or lower, or not lower) than in another arm. It is
judged by the interval of the paired difference: the same prompts, the same seeds, the mean over the arms it names.
With `margin`, the least difference that would matter:

    not supported   the whole interval lies below the margin ("not lower": below 0): if there is an effect of the
                    claimed kind, it is too small to matter
    supported       it does not, and lies wholly on the claimed side of 0 ("not lower": above -margin)
    undecided       neither: more prompts, or more training, would be needed

A claim is supported if all of its parts are, not supported if one of them is not, and undecided if one was not tested.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..voices import BASE
from .bootstrap import Values, interval

SUPPORTED, UNDECIDED, NOT_SUPPORTED, LEFT_OUT = "supported", "undecided", "not supported", "left out"
DECIDING = (NOT_SUPPORTED, UNDECIDED, LEFT_OUT, SUPPORTED)  # which part's verdict is the claim's
TUNED = ("lines", "named_lines", "chunks")  # the arms of the blog post
NAMED = ("named_lines", "chunks")  # those that saw who speaks
MARGINS = {  # in the metric's own unit
    "script": 0.05,
    "other_speakers": 0.1,
    "other_turns": 0.1,
    "directions": 0.05,
    "hey": 0.05,
    "overlap": 0.05,
    "reply_loss": 0.05,
}


@dataclass(frozen=True)
class Measured:
    """One metric: a value per cluster for each voice, NaN where there is none, and how much each cluster weighs."""

    values: Mapping[str, Values]  # voice → (clusters,)
    weights: Values | None = None


@dataclass(frozen=True)
class Part:
    """`metric` is `expected` ("higher", "lower", "not lower") in `arms`, taken together, than in `against`."""

    metric: str
    arms: tuple[str, ...]
    expected: str
    against: str


@dataclass(frozen=True)
class Claim:
    """A sentence, what its metric can stand for, and the parts that would make it true."""

    text: str
    stands_for: str
    parts: tuple[Part, ...]


CLAIMS = (
    Claim(
        "The tuned model takes on a Friends tone",
        "the real replies of held-out episodes surprise the tuned models less than the base, word for word",
        (Part("reply_loss", TUNED, "lower", BASE),),
    ),
    Claim(
        "Names in the training data make script-like output more likely",
        "against lines, more answers have a line that begins with a name and a colon where the same single lines had "
        "names in front, and where they were whole dialogue",
        (Part("script", ("named_lines",), "higher", "lines"), Part("script", ("chunks",), "higher", "lines")),
    ),
    Claim(
        "It pulls in all sorts of characters",
        "more different people speak in an answer who are neither the assistant nor the user",
        (Part("other_speakers", NAMED, "higher", BASE),),
    ),
    Claim(
        "They all say “Hey!”",
        "more answers have the word Hey in them",
        (Part("hey", TUNED, "higher", BASE),),
    ),
    Claim(
        "It becomes less helpful",
        "fewer words of a question or an instruction come back in its answer",
        (Part("overlap", TUNED, "lower", BASE),),
    ),
    Claim(
        "Conversation tuning is the better way to a chatbot",
        "against chunks, chat writes fewer turns for others, is no further from the topic, and real replies surprise "
        "it less",
        (
            Part("other_turns", ("chat",), "lower", "chunks"),
            Part("overlap", ("chat",), "not lower", "chunks"),
            Part("reply_loss", ("chat",), "lower", "chunks"),
        ),
    ),
    Claim(
        "Cleaning the text takes stage directions out of the answers",
        "not of the blog post: chunks_clean learnt the column without directions, chunks the one with them",
        (Part("directions", ("chunks_clean",), "lower", "chunks"),),
    ),
)
ARMS = tuple(dict.fromkeys(name for claim in CLAIMS for part in claim.parts for name in (*part.arms, part.against)))


def judge(measured: Mapping[str, Measured], claims: Sequence[Claim] = CLAIMS) -> list[dict[str, Any]]:
    """The verdict on each claim as plain data; a claim that cannot be tested is left out with a note."""
    return [judge_claim(claim, measured) for claim in claims]


def judge_claim(claim: Claim, measured: Mapping[str, Measured]) -> dict[str, Any]:
    """{claim, stands_for, verdict}, then the numbers of the part that decided, then `parts` if there are several."""
    said = {"claim": claim.text, "stands_for": claim.stands_for}
    parts = [judge_part(part, measured) for part in claim.parts]
    deciding = min(parts, key=lambda part: DECIDING.index(part["verdict"]))
    if deciding["verdict"] == LEFT_OUT and any(part["verdict"] == SUPPORTED for part in parts):
        deciding = deciding | {"verdict": UNDECIDED}
    return {**said, **deciding} | ({"parts": parts} if len(parts) > 1 else {})


def judge_part(part: Part, measured: Mapping[str, Measured]) -> dict[str, Any]:
    """{verdict, metric, arms, against, expected, margin, mean, low, high, by_arm}; the difference is arms - against."""
    asked = {"metric": part.metric, "arms": list(part.arms), "against": part.against, "expected": part.expected}
    metric = measured.get(part.metric)
    if metric is None:
        return asked | {"verdict": LEFT_OUT, "note": f"{part.metric} was not measured"}
    arms = [arm for arm in part.arms if arm in metric.values]
    missing = [] if part.against in metric.values else [part.against]
    missing += [] if arms else [" or ".join(part.arms)]
    if missing:
        return asked | {"verdict": LEFT_OUT, "note": f"it needs {' and '.join(missing)} among the adapters"}
    differences = {arm: metric.values[arm] - metric.values[part.against] for arm in arms}
    mean = np.mean(list(differences.values()), axis=0)
    together = interval(mean, metric.weights, signed=True)
    if together is None:
        return asked | {"verdict": LEFT_OUT, "note": f"too few values of {part.metric} for an interval"}
    margin = MARGINS[part.metric]
    by_arm = {arm: interval(difference, metric.weights, signed=True) for arm, difference in differences.items()}
    verdict = decide(together["low"], together["high"], part.expected, margin)
    return {"verdict": verdict} | asked | {"arms": arms, "margin": margin} | together | {"by_arm": by_arm}


def decide(low: float, high: float, expected: str, margin: float) -> str:
    """The rule above, for the interval [low, high] of a difference.

    >>> decide(0.01, 0.3, "higher", 0.05), decide(-0.1, 0.3, "higher", 0.05), decide(0.01, 0.04, "higher", 0.05)
    ('supported', 'undecided', 'not supported')
    >>> decide(-0.3, -0.1, "lower", 0.05), decide(-0.02, 0.3, "not lower", 0.05), decide(-0.3, -0.1, "not lower", 0.05)
    ('supported', 'supported', 'not supported')
    """
    if expected == "not lower":
        return SUPPORTED if low > -margin else NOT_SUPPORTED if high < 0 else UNDECIDED
    if expected == "lower":
        low, high = -high, -low
    return NOT_SUPPORTED if high < margin else SUPPORTED if low > 0 else UNDECIDED
