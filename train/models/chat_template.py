"""Chat templates are programs of others: they are rendered in a process of their own, with a limit of time and memory.

transformers' sandbox keeps a template from the machine, but not from endless loops and gigabytes of text.
"""

import json
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Lock
from typing import Any

from jinja2 import TemplateError

from friends_corpus.core.cli import InputError, in_short
from train.models.upstream import replace_renderer

SECONDS = 10.0  # of one rendering
MOST_TEXT = 2**24  # bytes of what it renders
MOST_MEMORY = 2**29  # bytes that it may take
Render = Callable[..., tuple[list[str], list[Any]]]


class TemplateRefused(InputError, TemplateError):
    """The template does not render these messages; the message says why."""


class Renderer:
    """A process that renders, started when there is something to render, and anew after one that was ended."""

    def __init__(self, render: Render) -> None:
        self.render, self._one_at_a_time = render, Lock()
        self._process: Any = None
        self._pipe: Any = None

    def __call__(self, **arguments: Any) -> tuple[list[str], list[Any]]:
        """Render as transformers does. Raises TemplateRefused, at a limit InputError."""
        with self._one_at_a_time:
            if self._process is None:
                self._start()
            answer: dict[str, Any] = {}
            try:
                self._pipe.send(arguments)
                answer = json.loads(self._pipe.recv_bytes(MOST_TEXT)) if self._pipe.poll(SECONDS) else {}
            except (OSError, EOFError):
                pass  # too much text, or the process is dead
            finally:
                if not answer:  # Ctrl-C too
                    self._process.kill()
                    self._process.join()
                    self._process = None
        if not answer:
            raise InputError(
                f"the chat template of the base was stopped: it takes more than {SECONDS:.0f} seconds, "
                f"{MOST_MEMORY >> 20} MB, or {MOST_TEXT >> 20} MB of text; choose another --base"
            )
        if "error" in answer:
            raise TemplateRefused(f"the chat template of the base refuses: {answer['error']}; choose another --base")
        return answer["texts"], answer["indices"]

    def _start(self) -> None:
        context: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self.render), daemon=True)
        self._process.start()
        theirs.close()


def _serve(pipe: Connection, render: Render) -> None:
    """Render what comes until the pipe is closed. Ctrl-C is the parent's, and so are its files and sockets."""
    os.closerange(3, pipe.fileno())
    os.closerange(pipe.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _limit_memory()
    with suppress(EOFError, OSError):
        while True:
            pipe.send_bytes(_answer(render, pipe.recv()))


def _limit_memory() -> None:
    with suppress(OSError, ValueError):  # not every system counts, or lets itself be limited
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        most = pages * resource.getpagesize() + MOST_MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _answer(render: Render, arguments: dict[str, Any]) -> bytes:
    """Return the rendered texts or the error as JSON; nothing if the memory does not suffice."""
    try:
        texts, indices = render(**arguments)
        return json.dumps({"texts": texts, "indices": indices}).encode()
    except MemoryError:
        return b"{}"
    except Exception as error:  # whatever a template can raise
        return json.dumps({"error": in_short(error) or type(error).__name__}).encode()


def limit_templates() -> None:
    """Render all chat templates of this process in another, from now on."""
    replace_renderer(lambda render: render if isinstance(render, Renderer) else Renderer(render))
