"""How a command ends: exit code 0, or one line on stderr that says what is wrong, where, and what to do.

Whatever nobody foresaw is such an end as well, wherever it is raised: `show_no_tracebacks`.
"""

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
from typing import NoReturn

from .import_path import OURS
from .secret_shapes import concealed
from .visible import masked, screened, visible

FAILED, BAD_INPUT, BUG, INTERRUPTED = 1, 2, 70, 130  # exit codes; 70 is EX_SOFTWARE of sysexits.h
PIPE_CLOSED = 128 + signal.SIGPIPE
EXTRAS = {  # package → the extra of setup.cfg that it comes with; all others come with every installation
    **dict.fromkeys("accelerate bitsandbytes gguf peft safetensors torch transformers trl".split(), "train"),
    **dict.fromkeys(("gradio", "markdown_it"), "ui"),
}


class InputError(ValueError):
    """Bad usage or bad input: exit code 2. Each argument is a line to print."""


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
            path = error.filename or out
            return complain(f"{f'{path}: ' if path else ''}{error.strerror or error}; {kept}", code=FAILED)
        except MemoryError:
            return complain(f"out of memory; {kept}", code=FAILED)
        except KeyboardInterrupt:
            return complain(f"interrupted; {kept}", code=INTERRUPTED)
        except Exception as error:
            if type(error) is RuntimeError and "Symlink loop" in str(error):  # of Path.resolve, before Python 3.13
                return complain(f"{error}; choose another place")
            missing = missing_package(error)
            return complain(missing) if missing else report_bug(error, kept)


def reraise(error: BaseException) -> NoReturn:
    """Raise an error that was caught; `exit_code` then knows how to end."""
    raise error


def report_bug(error: BaseException, kept: str) -> int:
    """Write an error that nobody foresaw to a log, without secrets, say so in one line, and return the exit code."""
    import platform
    import tempfile
    import traceback

    parts = [f"{platform.platform()}, Python {platform.python_version()}\n", *traceback.format_exception(error)]
    text = concealed("".join(clipped(part) for part in parts))
    try:
        with tempfile.NamedTemporaryFile("wb", prefix="friends-corpus-", suffix=".log", delete=False) as log:
            log.write(text.encode(errors="backslashreplace"))
        where = f"with {log.name}, where the traceback is"
    except OSError as no_log:
        where = f"with its traceback (no log could be written: {in_short(no_log)})"
    line = " ".join(concealed(clipped("".join(traceback.format_exception_only(error)))).split())[:200]
    return complain(
        f"a bug of ours, no mistake of yours: {line}; {kept}; report it as in CONTRIBUTING.md {where}", code=BUG
    )


def clipped(text: str, most: int = 100_000) -> str:
    """Cut a text before a word, so that no secret is left half, by which nobody would know it.

    >>> clipped("GET hf_abc", 8)
    'GET …\\n'
    """
    return text if len(text) <= most else text[:most].rpartition(" ")[0] + " …\n"


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


def show_no_tracebacks() -> None:
    """End this process in one line whatever is raised in it, also before its command has begun."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        sys.exit(exit_code(partial(reraise, error), "nothing was written"))

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
    show_no_tracebacks()
