"""How an answer is drawn, and what it is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sampling:
    """How answers are drawn."""

    tokens: int  # most new tokens of an answer
    temperature: float  # 0.0: greedy
    top_p: float  # in (0, 1]
    seed: int


@dataclass(frozen=True)
class Answer:
    """The answer of a model."""

    text: str  # without special tokens, stripped
    stopped: bool  # the model ended it by itself, not by the limit of tokens
    tokens: int  # the end-of-text token is not counted
