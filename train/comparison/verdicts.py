"""What the blog post concluded, as data, and what the numbers say to it: supported, not supported or undecided.

A claim has parts; a part says that in some arms a metric is higher (or lower, or not lower) than in another arm. It is
judged by the interval of the paired difference: the same prompts, the same seeds, the mean over the arms it names.
With `margin`, the least difference that would matter:

    supported       the whole interval lies on the claimed side of 0, and the mean is as much as would matter
    not supported   the whole interval lies below the margin: if there is an effect of the claimed kind, it is too small
                    to matter
    undecided       neither: more prompts, or more training, would be needed

What is less sure, so has a wider interval around the same mean, can only become undecided. "Not lower" is the contrary
of "lower": supported where that is not, not supported where it is.

A claim is supported if all of its parts are, not supported if one of them is not, and undecided if one was not tested.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NotRequired, cast

from typing_extensions import TypedDict

from train.generation.generator import BASE

from .bootstrap import Interval, Measured

SUPPORTED, UNDECIDED, NOT_SUPPORTED, LEFT_OUT = "supported", "undecided", "not supported", "left out"
CONTRARY = {SUPPORTED: NOT_SUPPORTED, NOT_SUPPORTED: SUPPORTED, UNDECIDED: UNDECIDED}
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


class Judged(TypedDict):
    """The verdict on a part, and the numbers behind it; the difference is `arms` - `against`.

    A part that cannot be tested has a `note` instead of margin and by_arm, and its numbers are None.
    """

    verdict: str
    metric: str
    arms: list[str]
    against: str
    expected: str
    margin: NotRequired[float]
    mean: float | None
    low: float | None
    high: float | None
    by_arm: NotRequired[dict[str, Interval | None]]
    note: NotRequired[str]


class Verdict(Judged):
    """The verdict on a claim: the numbers are of the part that decided, `parts` are there if there are several."""

    claim: str
    stands_for: str
    parts: NotRequired[list[Judged]]


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
        "not in the blog post: chunks_clean was trained on the column without directions, chunks on the one with them",
        (Part("directions", ("chunks_clean",), "lower", "chunks"),),
    ),
)
ARMS = tuple(dict.fromkeys(name for claim in CLAIMS for part in claim.parts for name in (*part.arms, part.against)))


def judge(measured: Mapping[str, Measured], claims: Sequence[Claim] = CLAIMS) -> list[Verdict]:
    """Return the verdict on each claim as plain data; a claim that cannot be tested is left out with a note."""
    return [judge_claim(claim, measured) for claim in claims]


def judge_claim(claim: Claim, measured: Mapping[str, Measured]) -> Verdict:
    """Return the verdict on a claim, from those on its parts."""
    parts = [judge_part(part, measured) for part in claim.parts]
    deciding = min(parts, key=lambda part: DECIDING.index(part["verdict"]))
    if deciding["verdict"] == LEFT_OUT and any(part["verdict"] == SUPPORTED for part in parts):
        deciding = {**deciding, "verdict": UNDECIDED}
    verdict = {"claim": claim.text, "stands_for": claim.stands_for, **deciding}
    return cast("Verdict", {**verdict, "parts": parts} if len(parts) > 1 else verdict)


def judge_part(part: Part, measured: Mapping[str, Measured]) -> Judged:
    """Return the verdict on one comparison, by the rule above."""
    metric = measured.get(part.metric, Measured({}, ""))
    arms = [arm for arm in part.arms if arm in metric.values]
    missing = [] if part.against in metric.values else [part.against]
    missing += [] if arms else [" or ".join(part.arms)]
    together = None if missing else metric.difference(arms, part.against)
    if together is None:
        few = f"it needs {' and '.join(missing)} among the adapters" if missing else f"too few values of {part.metric}"
        return {
            "verdict": LEFT_OUT,
            "metric": part.metric,
            "arms": list(part.arms),
            "against": part.against,
            "expected": part.expected,
            "mean": None,
            "low": None,
            "high": None,
            "note": few if part.metric in measured else f"{part.metric} was not measured",
        }
    margin = MARGINS[part.metric]
    by_arm = {arm: metric.difference([arm], part.against) for arm in arms}
    return {
        "verdict": decide(together, part.expected, margin),
        "metric": part.metric,
        "arms": arms,
        "against": part.against,
        "expected": part.expected,
        "margin": margin,
        "mean": together["mean"],
        "low": together["low"],
        "high": together["high"],
        "by_arm": by_arm,
    }


def decide(difference: Interval, expected: str, margin: float) -> str:
    """Apply the rule above.

    >>> found = {"mean": 0.1, "low": 0.01, "high": 0.3}
    >>> decide(found, "higher", 0.05), decide(found | {"low": -0.1}, "higher", 0.05), decide(found, "higher", 0.5)
    ('supported', 'undecided', 'not supported')
    >>> decide(found, "lower", 0.05), decide(found, "not lower", 0.05)
    ('not supported', 'supported')
    """
    if expected == "not lower":
        return CONTRARY[decide(difference, "lower", margin)]
    mean, low, high = (difference[key] for key in ("mean", "low", "high"))
    if expected == "lower":
        mean, low, high = -mean, -high, -low
    return NOT_SUPPORTED if high < margin else SUPPORTED if low > 0 and mean >= margin else UNDECIDED
