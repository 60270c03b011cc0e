"""How every command ends: with exit code 0, or after one line on stderr: what is wrong, where, and what to do.

A package that is not installed is such an end as well, wherever the import stands: `show_missing_packages`.
"""

from __future__ import annotations

import argparse
import difflib
import os
import signal
import sys
from collections.abc import Callable, Iterable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

from .import_path import OURS
from .visible import masked, screened, visible

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130  # exit codes
PIPE_CLOSED = 128 + signal.SIGPIPE
EXTRAS = {  # package → the extra of setup.cfg that it comes with; all others come with every installation
    **dict.fromkeys("accelerate bitsandbytes gguf peft safetensors torch transformers trl".split(), "train"),
    **dict.fromkeys(("gradio", "markdown_it"), "ui"),
}


class InputError(ValueError):
    """What was asked or given cannot be worked with; each argument is a line to print. Exit code 2."""


class Failed(Exception):
    """A command ended before its end; the message is the line to print, `code` the exit code.

    `own`: of several ranks of a training only this one may know.
    """

    def __init__(self, message: str, code: int = FAILED, own: bool = False) -> None:
        super().__init__(message)
        self.code, self.own = code, own


def exit_code(work: Callable[[], int | None], kept: str, out: Path | str | None = None) -> int:
    """Do a command's work and return its exit code; all but 0 come after one line on stderr.

    `kept` says what is left where it is interrupted or a disk fails, `out` is where it writes, for errors that name
    no file. All that is printed goes through a screen, see `visible`. A reader that has enough (`| head`) ends it
    quietly. Work after which something else is left, such as a report on what was written, is a call of its own:
    `exit_code(write, …) or exit_code(report, …)`.

    >>> exit_code(lambda: None, "nothing was written")
    0
    """
    with screened():
        try:
            code = work() or 0
            sys.stdout.flush()  # or the closed pipe is found too late, by Python itself
            return code
        except InputError as error:
            return complain(*error.args)
        except Failed as error:
            return complain(str(error), code=error.code)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still to be flushed goes nowhere
            return PIPE_CLOSED
        except OSError as error:
            place = error.filename or out
            return complain(f"{f'{place}: ' if place else ''}{error.strerror or error}; {kept}", code=FAILED)
        except RuntimeError as error:
            if "Symlink loop" not in str(error):  # of Path.resolve, before Python 3.13
                raise
            return complain(f"{error}; choose another place")
        except MemoryError:
            return complain(f"out of memory; {kept}", code=FAILED)
        except KeyboardInterrupt:
            return complain(f"interrupted; {kept}", code=INTERRUPTED)


def complain(*problems: object, code: int = BAD_INPUT) -> int:
    """Print each problem as one line on stderr and return the exit code."""
    for problem in problems:
        print(f"error: {masked(visible(' '.join(str(problem).split())))}", file=sys.stderr)
    return code


def missing_package(error: BaseException) -> str | None:
    """Say which package an import did not find and how to install it, or None for another error.

    >>> missing_package(ModuleNotFoundError("No module named 'torch'", name="no_such_package.nn"))
    "the package no_such_package is not installed; in the folder of this project run: pip install '.'"
    >>> missing_package(ModuleNotFoundError("No module named 'builders.bulid'", name="builders.bulid"))
    """
    package = (getattr(error, "name", None) or "").partition(".")[0]
    if not isinstance(error, ModuleNotFoundError) or package in ("", *OURS) or find_spec(package):
        return None
    extra = f"[{EXTRAS[package]}]" if package in EXTRAS else ""
    return f"the package {package} is not installed; in the folder of this project run: pip install '.{extra}'"


def show_missing_packages() -> None:
    """End this process with one line where a package is not installed.

    Other errors keep their traceback.
    """
    otherwise = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if missing := missing_package(error):
            complain(missing)
        else:
            otherwise(kind, error, trace)

    sys.excepthook = hook


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint at the closest known name, or nothing.

    >>> did_you_mean("lora_rnak", ["lora_rank", "seed"])
    " (did you mean 'lora_rank'?)"
    """
    close = difflib.get_close_matches(name, list(known), 1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def in_short(error: BaseException, most: int = 200) -> str:
    """Return the message of somebody else's error on one line.

    >>> in_short(ValueError("no\\n  number"))
    'no number'
    """
    return " ".join(str(error).split())[:most]


def shorten(text: str, most: int = 60) -> str:
    """Cut a text to a number of characters.

    >>> shorten("Joey", 9), shorten("Guy In The Back", 9)
    ('Joey', 'Guy In T…')
    """
    return text if len(text) <= most else text[: most - 1] + "…"


def natural(text: str, least: int = 0) -> int:
    """Return a whole number of at least `least`; for argparse.

    >>> natural("12")
    12
    """
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
    return int(text)


positive = partial(natural, least=1)


_command = getattr(sys.modules.get("__main__"), "__spec__", None)
if _command is not None and _command.name.partition(".")[0] in OURS:  # python -m builders.build
    show_missing_packages()
