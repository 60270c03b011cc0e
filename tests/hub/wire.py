"""HTTP as such: a request read, a reply sent, or one of the faults in its place. Every request leaves a log entry."""

from __future__ import annotations

import json
import os
import re
import select
import socket
import struct
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hub.faults import Fault
from hub.repos import Refused
from hub.state import Hub, User

RANGE = re.compile(r"bytes=(\d*)-(\d*)")  # "bytes=0-99", "bytes=100-", "bytes=-10"
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER for zero seconds


@dataclass
class Call:
    """A request: `path` as sent, without the query; `user` is whose token came with it."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Any
    user: User | None = None
    body: bytes = b""

    def json(self) -> Any:
        try:
            return json.loads(self.body or b"{}")
        except ValueError:
            raise Refused(400, "BadRequest", "The body is not JSON") from None


@dataclass
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


Answer = Callable[[Hub, Call], Reply]


def json_reply(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json"} | (headers or {}))


def refusal(error: Refused) -> Reply:
    """X-Error-Code always: without it clients guess over http what went wrong."""
    message = " ".join(error.message.split())
    headers = {"X-Error-Code": error.code, "X-Error-Message": message.encode("ascii", "replace").decode()}
    return json_reply({"error": error.message} | error.body, error.status, headers)


def bytes_reply(call: Call, data: bytes, headers: dict[str, str]) -> Reply:
    """The whole of `data`, or the part a Range header asks for."""
    headers = {"Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"} | headers
    wanted = RANGE.fullmatch(call.headers.get("Range", ""))
    if wanted is None:
        return Reply(200, data, headers)
    first, last = wanted.groups()
    start = int(first) if first else max(0, len(data) - int(last or 0))
    end = min(int(last), len(data) - 1) if first and last else len(data) - 1
    if start > end:
        return Reply(416, b"", headers | {"Content-Range": f"bytes */{len(data)}"})
    return Reply(206, data[start : end + 1], headers | {"Content-Range": f"bytes {start}-{end}/{len(data)}"})


class Server(ThreadingHTTPServer):
    """One origin: the hub itself, or the storage it points to."""

    daemon_threads, block_on_close, request_queue_size = True, False, 64

    def __init__(self, hub: Hub, origin: str, answer: Answer, port: int) -> None:
        self.hub, self.origin, self.answer = hub, origin, answer
        super().__init__(("127.0.0.1", port), Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that leave are this server's daily bread."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """A connection, kept alive over requests."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the log is kept as data."""

    def serve(self) -> None:
        hub, address = self.server.hub, urlsplit(self.path)
        call = Call(self.command, address.path, parse_qs(address.query, keep_blank_values=True), self.headers)
        request = f"{call.method} {call.path}"
        if call.path.startswith("/_stand-in/"):
            call.body = self._read_body()
            self._send(self._answered(call), 1.0)
            return
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        call.user = hub.user_of(token) if token else None
        fault = hub.faults.take(request)
        if fault and fault.action == "reset":
            self._log(call, 0)
            self._reset()
            return
        call.body = self._read_body()
        if fault and fault.action == "hang":
            self._log(call, 0)
            self._hang(fault)
            self._reset()
            return
        reply = None
        if fault is None or fault.action != "status" or fault.after:
            reply = self._answered(call, bool(token))
        if fault and fault.action == "status":
            reply = refusal(Refused(fault.status, "Injected", f"Injected fault {fault.status}"))
            reply.headers |= fault.headers
        if call.user:
            hub.note_use(call.user, request)
        assert reply is not None
        if fault and fault.action == "lost":
            self._log(call, 0)
            self._reset()
            return
        self._log(call, reply.status)
        self._send(reply, 0.5 if fault and fault.action == "truncate" else 1.0)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = serve

    def _answered(self, call: Call, has_token: bool = False) -> Reply:
        try:
            if has_token and self.server.origin == "hub" and (call.user is None or call.user.expired):
                raise Refused(401, "InvalidCredentials", "Invalid credentials in Authorization header")
            return self.server.answer(self.server.hub, call)
        except Refused as error:
            return refusal(error)
        except Exception as error:  # a fault of this server must not look like a lost connection
            traceback.print_exc()
            return refusal(Refused(500, "StandInError", f"stand-in: {error!r}"))

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            length = int(self.headers.get("Content-Length", 0))
            data = self.rfile.read(length)
            if len(data) < length:
                raise ConnectionAbortedError("the client left in the middle of a body")
            return data
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return b"".join(parts)

    def _send(self, reply: Reply, share: float) -> None:
        """The head with the true Content-Length, and that share of the body; the connection ends after less than all."""
        head = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
        status = f"HTTP/1.1 {reply.status} {self.responses.get(reply.status, ('Reply',))[0]}\r\n"
        body = b"" if self.command == "HEAD" else reply.body
        self.close_connection = self.close_connection or share < 1
        self.wfile.write(
            f"{status}{head}Content-Length: {len(reply.body)}\r\n\r\n".encode("latin-1")
            + body[: int(len(body) * share)]
        )

    def _hang(self, fault: Fault) -> None:
        """Until the client is gone or the test has seen enough."""
        while not fault.over.wait(0.02):
            readable, _, _ = select.select([self.connection], [], [], 0)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                return

    def _reset(self) -> None:
        """Ends the connection with a TCP reset, not with an orderly goodbye."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        os.close(self.connection.detach())

    def _log(self, call: Call, status: int) -> None:
        """Before the reply, so that whoever has the reply finds the entry. Tokens are not kept."""
        entry = {
            "method": call.method,
            "path": call.path,
            "status": status,
            "user": call.user.name if call.user else None,
            "bytes_in": len(call.body),
            "range": self.headers.get("Range"),
            "authorization_present": "Authorization" in self.headers,
            "origin": self.server.origin,
        }
        with self.server.hub.lock:
            self.server.hub.log.append(entry)
