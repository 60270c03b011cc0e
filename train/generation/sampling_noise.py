"""Random numbers for sampling that depend on the prompt and the seed, and on nothing else. Heavy: loads torch.

A sample of softmax(logits) is the largest of logits + Gumbel noise, so drawing can be split from choosing: noise is
added here, and generation is greedy. Each prompt draws its noise from a generator of its own, whose seed is a hash of
its text and of the sampling seed. Hence an answer does not change with its place in the batch or with who else is in
it, and all models that answer one prompt get the same noise, so that a difference between them is one of the models.
"""

import hashlib
from collections.abc import Sequence

import torch
from transformers import LogitsProcessor, LogitsProcessorList, TemperatureLogitsWarper, TopPLogitsWarper

from .answers import Sampling


def processors(texts: Sequence[str], sampling: Sampling) -> LogitsProcessorList:
    """Return the logits processors that sample a batch; none for greedy decoding."""
    if not sampling.temperature:
        return LogitsProcessorList()
    steps = [TemperatureLogitsWarper(sampling.temperature)]
    if sampling.top_p < 1:  # it sorts the vocabulary for every row
        steps.append(TopPLogitsWarper(sampling.top_p))
    return LogitsProcessorList([*steps, SharedNoise(texts, sampling.seed)])


class SharedNoise(LogitsProcessor):
    """Adds Gumbel noise to logits of shape (rows, vocabulary): the same in rows with the same text."""

    def __init__(self, texts: Sequence[str], seed: int) -> None:
        different = list(dict.fromkeys(texts))
        self.rows = [different.index(text) for text in texts]
        self.generators = [torch.Generator().manual_seed(key(text, seed)) for text in different]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Add the next random numbers of each generator to the logits of one step."""
        width = scores.shape[-1]
        waits = torch.stack([torch.empty(width).exponential_(generator=one) for one in self.generators])
        noise = -waits.log()  # exponential waiting times, seen so, are Gumbel noise
        return scores.float() + noise[self.rows].to(scores.device)


def key(text: str, seed: int) -> int:
    """Return the seed of a prompt's generator, in 63 bits.

    >>> key("Who are you?", 0) == key("Who are you?", 0) != key("Who are you?", 1)
    True
    """
    return int.from_bytes(hashlib.sha256(f"{seed} {text}".encode()).digest()[:8]) >> 1
