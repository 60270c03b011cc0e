"""How a run ends before its end: by SIGTERM (finish the step, save, leave), or because something failed."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .recipe import InputError

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130  # exit codes


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

    def __init__(self, message: str, code: int = FAILED, own: bool = False) -> None:
        super().__init__(message)
        self.code, self.own = code, own


def exit_code(work: Callable[[], int | None], interrupted: str, out: Path | None = None) -> int:
    """Does a command's work and returns its exit code; all but 0 after one line on stderr.

    `interrupted` says what Ctrl-C leaves, `out` is the folder or file of --out, which another would replace where
    nothing can be written.

    >>> exit_code(lambda: None, "nothing was written")
    0
    """
    try:
        return work() or 0
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    except Failed as error:
        print(f"error: {error}", file=sys.stderr)
        return error.code
    except OSError as error:
        place = error.filename or out or "cannot write"
        print(f"error: {place}: {error.strerror or error}; choose another folder to write to", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print(f"error: interrupted; {interrupted}", file=sys.stderr)
        return INTERRUPTED
