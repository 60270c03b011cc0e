"""Answers while they are written: the texts of a whole batch, as they grow.

The model works in a thread of its own. So Ctrl-C is the reader's, in the middle of no computation, and whoever stops
reading (Ctrl-C, a closed page) waits for nothing: the model finds that nobody wants its answer before its next part,
be it in the middle of a prompt. Only the end of Python waits for that: no thread may be computing then.
"""

import atexit
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from math import inf
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

from friends_corpus.core.cli import InputError
from train.adapters.run_record import cast_of
from train.dataset.formatting import Message
from train.generation.answers import Sampling
from train.generation.generator import TextGenerator
from train.models.turn_format import without_thoughts

from .conversation import SCRIPTS, Persona, clean, fitted, for_model
from .turn import Turn, own_turn


def check_sampling(sampling: Sampling, window: float = inf) -> Sampling:
    """Return the sampling settings if they make sense for a context of `window` tokens, else raise InputError."""
    most = "" if window == inf else f" and below {window}, as much as the model reads"
    rules = {
        "tokens": (0 < sampling.tokens < window, f"above 0{most}"),
        "temperature": (0 <= sampling.temperature <= 2, "a number from 0 (greedy) to 2"),
        "top_p": (0 < sampling.top_p <= 1, "a number above 0, up to 1"),
        "seed": (0 <= sampling.seed < 2**32, "a whole number from 0 to 4294967295"),
    }
    for key, (good, rule) in rules.items():
        if not good:
            raise InputError(f"{key} is {getattr(sampling, key)}; it must be {rule}")
    return sampling


class Unwanted(Exception):
    """Nobody reads the answers any more."""


class Tokens:
    """What `generate` takes as its streamer, for a batch: every step's tokens, one per row, into a queue.

    >>> import numpy as np
    >>> tokens = Tokens()
    >>> tokens.put(np.array([[5, 6], [7, 8]])), tokens.put(np.array([1, 2]))
    (None, None)
    >>> tokens.queue.get(), tokens.queue.empty()
    ([1, 2], True)
    """

    def __init__(self) -> None:
        self.queue: SimpleQueue[list[int] | BaseException | None] = SimpleQueue()
        self.unwanted = Event()

    def put(self, ids: Any) -> None:
        """Receive the prompts (rows, tokens) first, which are skipped, then (rows,) per step."""
        if ids.ndim == 1:
            self.queue.put(ids.tolist())

    def end(self) -> None:
        """Do nothing: `answers` sees its thread end."""

    def stop(self) -> None:
        """Stop generating and wake up whoever waits for a token. Safe from any thread."""
        self.unwanted.set()
        self.queue.put(None)

    def heed(self) -> None:
        """Raise Unwanted if generation was stopped."""
        if self.unwanted.is_set():
            raise Unwanted


def answers(
    generator: TextGenerator,
    asked: Sequence[tuple[str, Sequence[Message]]],
    persona: Persona,
    sampling: Sampling,
    tokens: Tokens | None = None,
) -> Generator[list[Turn], None, None]:
    """Ask each (model, history) in one batch; yield the character's turns after every token.

    Its text only ever grows. It ends at the end-of-text token and, where somebody is played or an adapter writes
    scripts, where another speaker begins; what others say before it is left out. What does not fit the model's window
    is left out, too, oldest first. `tokens.stop()` ends it from outside. InputError, before anything else, if a
    question alone does not fit.
    """
    rows = [
        Row(generator, model_name, replace(persona, cast=cast_of(model_name, generator.runs)))
        for model_name, _ in asked
    ]
    prompts = [
        (model_name, fitted_prompt(generator, history, row.persona, sampling.tokens))
        for (model_name, history), row in zip(asked, rows, strict=True)
    ]
    come = Tokens() if tokens is None else tokens
    with written(generator, prompts, sampling, come):
        yield [row.turn(ended=False) for row in rows]
        while isinstance(step := come.queue.get(), list):
            for row, token in zip(rows, step, strict=True):
                row.add(token)
            yield [row.turn(ended=False) for row in rows]
            if all(row.over for row in rows):
                break
        if isinstance(step, BaseException):
            raise step
        yield [row.turn(ended=True) for row in rows]


def fitted_prompt(generator: TextGenerator, history: Sequence[Message], persona: Persona, room: int) -> list[Message]:
    """Return the newest messages that the model can read and answer in `room` tokens. Raises InputError."""

    def fits(messages: Sequence[Message]) -> bool:
        text = generator.render(for_model(messages, persona))
        return len(generator.tokenizer(text, add_special_tokens=False)["input_ids"]) + room <= generator.context_length

    return for_model(fitted(history, fits), persona)


@contextmanager
def written(
    generator: TextGenerator, prompts: Sequence[tuple[str, Sequence[Message]]], sampling: Sampling, tokens: Tokens
) -> Iterator[None]:
    """Let the model write its answers into `tokens` in a thread of its own; what ended it comes last."""

    def work() -> None:
        try:
            generator.answer(prompts, sampling, tokens, tokens.heed)
            tokens.queue.put(None)
        except Unwanted:
            pass  # who stopped it has said so
        except BaseException as error:  # the reader's to raise
            tokens.queue.put(error)
        finally:
            atexit.unregister(finish)

    def finish() -> None:
        tokens.stop()
        worker.join()

    worker = Thread(target=work, daemon=True)
    atexit.register(finish)
    worker.start()
    try:
        yield
    finally:
        tokens.stop()


class Row:
    """One answer as it grows; `over` once the friend's turn has ended."""

    def __init__(self, generator: TextGenerator, model_name: str, persona: Persona) -> None:
        run = generator.runs.get(model_name)
        self.script = bool(persona.character) or (run is not None and run["dataset"]["config"] in SCRIPTS)
        self.tokenizer, self.ends, self.persona = generator.tokenizer, generator.turns.ends, persona
        self.ids: list[int] = []
        self.over = False

    def add(self, token: int) -> None:
        """Add a token; those after the end are padding."""
        self.over = self.over or token in self.ends
        if not self.over:
            self.ids.append(token)

    def turn(self, ended: bool) -> Turn:
        """Return the part that may be shown; `ended`: no more comes."""
        text = self.tokenizer.decode(self.ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        text = clean(without_thoughts(text, ended or self.over))
        if not self.script:
            return Turn(text)
        who = self.persona
        turn = own_turn(text, who.character, who.user, ended or self.over, who.cast.names)
        self.over = self.over or turn.ended
        return turn
