"""How a run ends before its end: by SIGTERM (finish the step, save, leave), or because something failed."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class Terminated(BaseException):
    """SIGTERM came while no step was running: what there is to save is saved already."""


class Stop:
    """Whether SIGTERM came. `training` is set while steps run, which then look at `asked` after each."""

    def __init__(self) -> None:
        self.asked = False
        self.training = False

    @contextmanager
    def listening(self) -> Iterator[Stop]:
        """Within it SIGTERM sets `asked` while steps run, and raises Terminated at any other time."""

        def answer(number: int, frame: object) -> None:
            self.asked = True
            if not self.training:
                raise Terminated
            print("SIGTERM   finishing this step and saving a checkpoint …", file=sys.stderr, flush=True)

        before = signal.signal(signal.SIGTERM, answer)
        try:
            yield self
        finally:
            signal.signal(signal.SIGTERM, before)


class Failed(Exception):
    """Training ended before its end; one line that says why and what is kept. `code` is the exit code.

    `own`: of several ranks only this one may know.
    """

    def __init__(self, message: str, code: int = 1, own: bool = False) -> None:
        super().__init__(message)
        self.code, self.own = code, own
