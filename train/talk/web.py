"""Serves the page of `python -m train.chat --web`: Gradio, on this machine alone.

The page loads nothing from elsewhere: no fonts, no counters, no pictures that an answer or a card names; a policy in
its headers makes the browser see to that. What Gradio keeps in the browser it keeps for all tabs in common, so that
the last to write would take the others' conversations: here each tab has a memory of its own, until it is closed. Who
may ask for what is in `guard.py`.
"""

import os
import socket
from contextlib import closing, suppress
from threading import Event
from typing import Any

from friends_corpus.core.cli import Failed, InputError
from train.generation.answers import Sampling
from train.generation.generator import TextGenerator

from .columns import CSS
from .conversation import Persona
from .guard import Guard
from .page import make_page

LOOPBACK = "127.0.0.1"
MOST_WAITING = 50  # events in a queue of Gradio's
OWN_MEMORY = '<script>Object.defineProperty(window, "localStorage", {value: window.sessionStorage})</script>'


def serve(generator: TextGenerator, persona: Persona, sampling: Sampling, port: int, share: bool) -> None:
    """Serve the page until Ctrl-C. Raises InputError for a taken port, Failed without a public link."""
    page, url, public = launch(generator, persona, sampling, port, share)
    try:
        if share and not public:
            raise Failed("gradio.live gave no public link; look at the connection, or leave out --share")
        print(f"page      {public or url} (Ctrl-C ends it)", flush=True)
        with suppress(KeyboardInterrupt):
            Event().wait()
    finally:
        page.close(verbose=False)


def launch(
    generator: TextGenerator, persona: Persona, sampling: Sampling, port: int, share: bool
) -> tuple[Any, str, str | None]:
    """Start the page in a thread; return it, its local address and its public one. Raises InputError."""
    os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "OTEL_SDK_DISABLED": "true"}  # FastAPI has OpenTelemetry
    import gradio as gr

    plain = ["system-ui", "sans-serif"], ["ui-monospace", "monospace"]
    page = make_page(generator, persona, sampling, loading=not share).queue(max_size=MOST_WAITING)
    _, url, public = page.launch(
        server_name=LOOPBACK,
        server_port=free_port(port),
        share=share,
        quiet=True,
        prevent_thread_lock=True,
        ssr_mode=False,  # else a Node server is looked for
        footer_links=[],
        run_history=False,  # a second copy of what was said
        theme=gr.themes.Default(font=plain[0], font_mono=plain[1]),  # Gradio's own come from Google
        css=CSS,
        head=OWN_MEMORY,
        app_kwargs={"lifespan": Guard(None, lambda: page.share_url).installed},
        enable_monitoring=False,
    )
    return page, url, public


def free_port(preferred: int) -> int:
    """Return the given port, or a free one for 0. Raises InputError if it is taken."""
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, preferred))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise InputError(f"--port {preferred} cannot be used: {reason}; choose another, or 0 for any") from None
        port: int = probe.getsockname()[1]
    return port
