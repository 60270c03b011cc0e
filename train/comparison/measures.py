"""The metrics of the comparison: one table of what is counted in an answer, and the numbers out of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from typing_extensions import TypedDict

from train.adapters.run_record import FRIENDS
from train.generation.answers import Answer

from . import text_metrics as count
from .bootstrap import Measured
from .prompts import ON_TOPIC, Prompt

Key = tuple[str, int, str]  # prompt id, seed, arm
FEWEST_WORDS = 5  # to which answers are cut: what is shorter is so by itself, and would leave nothing of the others


@dataclass(frozen=True)
class Metric:
    """How a metric is called and written (`unit`: share, count, tokens or nats), what it means, how it is counted.

    `cut`: in answers that are `equally_long`.
    """

    label: str
    unit: str
    meaning: str
    of: Callable[[Answer, Prompt, Sequence[str]], float | None]  # and the cast
    cut: bool = False


METRICS = {
    "script": Metric(
        "Script format",
        "share",
        "answers with a line that begins with a speaker's name and a colon",
        lambda answer, prompt, cast: count.script(answer.text, prompt.plays, prompt.user, cast),
    ),
    "other_speakers": Metric(
        "Other speakers",
        "count",
        "different people who speak in an answer, but for the one whom the assistant plays and the user",
        lambda answer, prompt, cast: count.other_speakers(answer.text, prompt.plays, prompt.user, cast),
    ),
    "other_turns": Metric(
        "Turns of others",
        "count",
        "turns of those other people in an answer",
        lambda answer, prompt, cast: count.other_turns(answer.text, prompt.plays, prompt.user, cast),
    ),
    "user_turns": Metric(
        "Turns for the user",
        "count",
        "turns that the answer writes in the user's name",
        lambda answer, prompt, cast: count.user_turns(answer.text, prompt.user, cast),
    ),
    "directions": Metric(
        "Stage directions",
        "share",
        "answers with a stage direction: (…), […] or *…* where a sentence could begin, or behind a speaker's name",
        lambda answer, prompt, cast: count.directions(answer.text),
    ),
    "hey": Metric(
        "Hey", "share", "answers with the word “Hey” in them", lambda answer, prompt, cast: count.hey(answer.text)
    ),
    "overlap": Metric(
        "On the topic",
        "share",
        "content words of a question or an instruction that come back in the answer: a weak sign of helpfulness",
        lambda answer, prompt, cast: count.overlap(answer.text, prompt.text) if prompt.kind in ON_TOPIC else None,
    ),
    "equal_overlap": Metric(
        "On the topic at equal length",
        "share",
        "the same, where the answers of all variants to a prompt with a seed are cut to the words of the shortest one, "
        f"but not below {FEWEST_WORDS}: a longer answer has no more room",
        lambda answer, prompt, cast: count.overlap(answer.text, prompt.text) if prompt.kind in ON_TOPIC else None,
        cut=True,
    ),
    "stopped": Metric(
        "Ends by itself",
        "share",
        "answers that the model ended before the limit of tokens",
        lambda answer, prompt, cast: float(answer.stopped),
    ),
    "tokens": Metric(
        "Length", "tokens", "tokens of an answer, at most the limit", lambda answer, prompt, cast: float(answer.tokens)
    ),
    "distinct_1": Metric(
        "Distinct words",
        "share",
        "different words among the words of an answer",
        lambda answer, prompt, cast: count.distinct(answer.text, 1),
    ),
    "distinct_2": Metric(
        "Distinct pairs",
        "share",
        "different pairs of neighbours among those of an answer",
        lambda answer, prompt, cast: count.distinct(answer.text, 2),
    ),
    "repetition": Metric(
        "Repetition",
        "share",
        "runs of four words that stood in the answer before",
        lambda answer, prompt, cast: count.repetition(answer.text),
    ),
}
REPLY_LOSS = "reply_loss"
ABOUT: dict[str, dict[str, str]] = {
    name: {"label": metric.label, "unit": metric.unit, "meaning": metric.meaning} for name, metric in METRICS.items()
} | {
    REPLY_LOSS: {
        "label": "Loss of real replies",
        "unit": "nats",
        "meaning": "how much the real replies of held-out episodes surprise the model, per token of the reply",
    }
}


def measure(
    answers: Mapping[Key, Answer],
    prompts: Sequence[Prompt],
    seeds: Sequence[int],
    arms: Sequence[str],
    cast: Sequence[str] = FRIENDS.names,
) -> dict[str, Measured]:
    """Compute every metric: for each arm a value per prompt, the mean over seeds, NaN if there is none."""
    cut = equally_long(answers)

    def value(metric: Metric, prompt: Prompt, arm: str) -> float:
        counted = cut if metric.cut else answers
        values = [metric.of(counted[prompt.id, seed, arm], prompt, cast) for seed in seeds]
        known = [one for one in values if one is not None]
        return sum(known) / len(known) if known else float("nan")

    return {
        name: Measured({arm: np.array([value(metric, prompt, arm) for prompt in prompts]) for arm in arms}, metric.unit)
        for name, metric in METRICS.items()
    }


def equally_long(answers: Mapping[Key, Answer]) -> dict[Key, Answer]:
    """Cut the answers to the same prompt and seed to the length of the shortest, in words.

    >>> said = {"base": "Alpacas are kept for wool and they hum.", "chat": "Hm."}
    >>> cut = equally_long({("a", 0, arm): Answer(text, True, 9) for arm, text in said.items()})
    >>> [answer.text for answer in cut.values()]
    ['alpacas are kept for wool', 'hm']
    """
    room: dict[tuple[str, int], int] = {}
    for (prompt, seed, _), answer in answers.items():
        words = len(count.words(answer.text))
        room[prompt, seed] = max(FEWEST_WORDS, min(words, room.get((prompt, seed), words)))
    return {
        (prompt, seed, arm): replace(answer, text=" ".join(count.words(answer.text)[: room[prompt, seed]]))
        for (prompt, seed, arm), answer in answers.items()
    }


class Sample(TypedDict):
    """One answer in results.json."""

    prompt_id: str
    kind: str
    author: bool
    system: str | None
    prompt: str
    seed: int
    variant: str
    text: str
    stopped: bool
    tokens: int


def as_sample(answer: Answer, prompt: Prompt, seed: int, arm: str) -> Sample:
    """Return an answer as results.json keeps it."""
    return {
        "prompt_id": prompt.id,
        "kind": prompt.kind,
        "author": prompt.author,
        "system": prompt.system,
        "prompt": prompt.text,
        "seed": seed,
        "variant": arm,
        "text": answer.text,
        "stopped": answer.stopped,
        "tokens": answer.tokens,
    }
