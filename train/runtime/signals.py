"""How SIGTERM ends a run: finish the step, save, leave."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

RESUMABLE = 75  # the exit code of a run that SIGTERM ended: EX_TEMPFAIL, try again


class Terminated(BaseException):
    """SIGTERM came while no step was running: what there is to save is saved already."""


class Stop:
    """Whether SIGTERM came. `training` is set while steps run, which then look at `asked` after each."""

    def __init__(self) -> None:
        self.asked = False
        self.training = False

    @contextmanager
    def listening(self) -> Iterator[Stop]:
        """Let SIGTERM set `asked` while steps run, and raise Terminated at any other time."""

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
