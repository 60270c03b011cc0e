"""What may be asked of the page: its own addresses only, by its own scripts only, and in moderation.

Gradio serves much more than the page uses (uploads, files, an API with its description, statistics) and to whoever
asks: a page elsewhere could rename itself to 127.0.0.1 ("DNS rebinding") or post a form across. All of it ends here,
before Gradio sees it.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

HERE = ("127.0.0.1", "localhost", "::1")
READ = re.compile(  # "/assets/index-1a2b.js": what the page asks for
    r"/(?:(?:assets|static)(?:/[\w@.-]+)+|config|theme\.css|favicon\.ico"
    r"|gradio_api/(?:startup-events|heartbeat/\w{1,64}|queue/data))?"
)
WRITTEN = re.compile(r"/gradio_api/queue/join")
MOST_BYTES = 4_000_000  # of one request: as much as a browser keeps for a tab
MOST_AT_ONCE = 100  # requests; an open tab holds two
SLOWEST = 10  # seconds that a request may take to come
POLICY = (
    b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data: blob:; font-src 'self' data:; frame-ancestors 'none'; form-action 'self'; base-uri 'self'"
)


class Refused(Exception):
    """A request that is answered with a status and one line."""


class Guard:
    """ASGI application in front of another; `public` tells the public address of the page, if it has one.

    Every answer carries POLICY, and none lets another site read it.
    """

    def __init__(self, app: Any, public: Callable[[], str | None]) -> None:
        self.app, self.public, self.running = app, public, 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass one request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        self.running += 1
        try:
            check(scope, {*HERE, hostname(netloc(self.public() or ""))} - {""})
            if self.running > MOST_AT_ONCE:
                raise Refused(429, "too many requests at once")
            body = await whole_body(receive)
            await self.app(scope, replayed(body, receive), guarded(send))
        except Refused as refusal:
            status, line = refusal.args
            headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(line))]
            await guarded(send)({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": line.encode()})
        finally:
            self.running -= 1

    @asynccontextmanager
    async def installed(self, app: Any) -> AsyncIterator[None]:
        """Put the guard in front of `app` before it listens: use as its lifespan."""
        self.app, app.middleware_stack = app.middleware_stack, self
        yield


def check(scope: Any, hosts: set[str]) -> None:
    """Refuse a request that is not the page's own. Raises Refused."""
    headers: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    asked = headers.get("host", [])
    called = [*asked, *headers.get("x-forwarded-host", []), *map(netloc, headers.get("x-gradio-server", []))]
    if len(asked) != 1 or not all(hostname(host) in hosts for host in called):
        raise Refused(403, "not by this name")
    if any(netloc(origin) != asked[0] for origin in headers.get("origin", [])):
        raise Refused(403, "not from another site")
    path, method = scope["path"], scope["method"]
    sites = headers.get("sec-fetch-site", [])
    if path != "/" and any(site not in ("same-origin", "none") for site in sites):  # a link may lead to the page
        raise Refused(403, "not from another site")
    allowed = {"GET": READ, "HEAD": READ, "POST": WRITTEN}.get(method)
    if allowed is None or not allowed.fullmatch(path) or ".." in path:
        raise Refused(404, "not here")
    if any(not size.isdecimal() or int(size[:20]) > MOST_BYTES for size in headers.get("content-length", [])):
        raise Refused(413, "too large")


def netloc(address: str) -> str:
    """Return the host and port of an address, "" for none."""
    try:
        parts = urlsplit(address)
        return parts.netloc if parts.scheme in ("http", "https") else ""
    except ValueError:
        return ""


def hostname(host: str) -> str:
    """Return the name in a Host header, "" for none.

    >>> hostname("LOCALHOST:7860"), hostname("[::1]:7860"), hostname("127.0.0.1@evil.example")
    ('localhost', '::1', '')
    """
    try:
        return "" if "@" in host else urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


async def whole_body(receive: Any) -> bytes:
    """Return the body of a request. Raises Refused for one that is too large, or too slow."""
    body, more = bytearray(), True
    try:
        async with asyncio.timeout(SLOWEST):
            while more:
                message = await receive()
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > MOST_BYTES:
                    raise Refused(413, "too large")
    except TimeoutError:
        raise Refused(408, "too slow") from None
    return bytes(body)


def replayed(body: bytes, receive: Any) -> Any:
    """Return a `receive` that gives the body, then whatever comes."""
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive_again() -> Any:
        return next(messages, None) or await receive()

    return receive_again


def guarded(send: Any) -> Any:
    """Return a `send` that adds POLICY and drops what would let other sites read the answer."""

    async def send_guarded(message: Any) -> None:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message.get("headers", []) if not pair[0].lower().startswith(b"access-control-")]
            message["headers"] = [*kept, (b"content-security-policy", POLICY), (b"x-content-type-options", b"nosniff")]
        await send(message)

    return send_guarded
