"""A website on loopback that serves pages well, and, path by path, in every bad way that `fetch` must survive."""

from __future__ import annotations

import gzip
import socket
import ssl
import struct
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CHANGED = "Mon, 02 Mar 2009 10:00:00 GMT"  # of every page


@dataclass(frozen=True)
class Seen:
    """A request that arrived."""

    path: str
    headers: Mapping[str, str]
    client: int  # port, so one for each connection


@dataclass
class Site:
    """What the server serves, does and has seen."""

    url: str = ""
    pages: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[Fault]] = field(default_factory=lambda: defaultdict(list))  # path → what happens, in order
    validators: bool = True  # whether pages have an ETag and a date of change
    log: list[Seen] = field(default_factory=list)
    statuses: list[tuple[str, int]] = field(default_factory=list)  # of good answers: (path, 200 or 304)
    on_request: Callable[[int], None] = lambda number: None
    closing: threading.Event = field(default_factory=threading.Event)

    def asked(self, path: str) -> int:
        """How many requests for a path arrived."""
        return sum(seen.path == path for seen in self.log)

    def fault(self, path: str, *faults: Fault) -> None:
        """What happens to the next requests for a path; the last one goes on for ever."""
        self.faults[path] = list(faults)

    def forget(self) -> None:
        self.log.clear()
        self.statuses.clear()
        self.faults.clear()


class Handler(BaseHTTPRequestHandler):
    disable_nagle_algorithm = True
    protocol_version = "HTTP/1.1"
    site: Site

    def do_GET(self) -> None:
        site = self.site
        site.log.append(Seen(self.path, dict(self.headers.items()), self.client_address[1]))
        site.on_request(len(site.log))
        faults = site.faults.get(self.path)
        if faults:
            fault = faults.pop(0) if len(faults) > 1 else faults[0]
            fault(self)
        elif self.path in site.pages:
            self.serve(site.pages[self.path])
        else:
            self.answer(404, b"<h1>Not Found</h1>")

    def serve(self, body: bytes) -> None:
        """A good answer, conditional if the request is."""
        tag = f'"{md5(body).hexdigest()}"'
        known = tag == self.headers.get("If-None-Match") or (
            "If-None-Match" not in self.headers and self.headers.get("If-Modified-Since") == CHANGED
        )
        validators = {"ETag": tag, "Last-Modified": CHANGED} if self.site.validators else {}
        status = 304 if known and self.site.validators else 200
        self.site.statuses.append((self.path, status))
        self.answer(status, b"" if status == 304 else body, validators)

    def answer(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        headers = {"Content-Type": "text/html", "Content-Length": str(len(body)), **(headers or {})}
        if status == 304:
            del headers["Content-Length"]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def raw(self, *pieces: bytes, every: float = 0) -> None:
        """Bytes as they are, then the end of the connection."""
        self.close_connection = True
        for piece in pieces:
            self.wfile.write(piece)
            if every and self.site.closing.wait(every):
                return

    def page(self) -> bytes:
        return self.site.pages[self.path]

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, TimeoutError, ssl.SSLError):
            self.close_connection = True


Fault = Callable[[Handler], None]


def good(handler: Handler) -> None:
    handler.serve(handler.page())


def status(code: int, **headers: str) -> Fault:
    return lambda handler: handler.answer(code, b"", {name.replace("_", "-"): text for name, text in headers.items()})


def redirect(location: str, code: int = 302) -> Fault:
    return status(code, Location=location)


def body(data: bytes) -> Fault:
    return lambda handler: handler.answer(200, data)


def reset(handler: Handler) -> None:
    """The connection is torn down in the middle of the page."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + handler.page()[:100])
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def silent_close(handler: Handler) -> None:
    handler.raw()


def hang(handler: Handler) -> None:
    """No byte, ever."""
    handler.site.closing.wait()
    handler.close_connection = True


def short(handler: Handler) -> None:
    """Fewer bytes than announced."""
    data = handler.page()
    handler.raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data), data[:-200])


def chunked(data: bytes, end: bytes = b"0\r\n\r\n") -> Fault:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return lambda handler: handler.raw(head, b"%x\r\n%s\r\n" % (len(data), data), end)


def unframed(handler: Handler) -> None:
    """The end of the connection is the end of the page, as in HTTP/1.0."""
    handler.raw(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n", handler.page())


def unframed_cut(handler: Handler) -> None:
    handler.raw(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n", handler.page()[:-200])


def packed(cut: int | None = None, coding: str = "gzip", extra: bytes = b"") -> Fault:
    """The page compressed, and only its first bytes up to `cut`."""
    return lambda handler: handler.answer(
        200, gzip.compress(handler.page(), mtime=0)[:cut] + extra, {"Content-Encoding": coding}
    )


def bomb(handler: Handler) -> None:
    """50 MB of nothing in 50 kB."""
    handler.answer(200, gzip.compress(b" " * 50_000_000, mtime=0), {"Content-Encoding": "gzip"})


def announced_giant(handler: Handler) -> None:
    handler.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000000\r\n\r\n", b"x" * 1000)


def endless(handler: Handler) -> None:
    """Chunks until the other side has had enough."""
    handler.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not handler.site.closing.is_set():
        handler.raw(b"10000\r\n" + b"x" * 65536 + b"\r\n")


def drip(handler: Handler) -> None:
    """A byte now and then: every read succeeds, the page never ends."""
    handler.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", *[b"x"] * 100_000, every=0.05)


def drip_headers(handler: Handler) -> None:
    handler.raw(b"HTTP/1.1 200 OK\r\nX-Slow: ", *[b"x"] * 50_000, every=0.05)


def hundred(handler: Handler) -> None:
    """ "Continue", for ever."""
    handler.raw(*[b"HTTP/1.1 100 Continue\r\n\r\n"] * 100_000, every=0.05)


def nonsense(handler: Handler) -> None:
    handler.raw(b"\x00\x01\x02 what is this\r\n\r\n")


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that hangs up in the middle


@contextmanager
def faulty_site(pages: Mapping[str, bytes], certificate: str = "") -> Iterator[Site]:
    """A running server with these pages (path → bytes); with a certificate file (key in it) it speaks TLS."""
    site = Site(pages=dict(pages))
    server = Server(("127.0.0.1", 0), type("BoundHandler", (Handler,), {"site": site}))
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    site.url = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
