"""Make one GET request: only to checked addresses, with byte limits and a deadline, without retries."""

import ipaddress
import socket
import ssl
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import httpcore2
import httpx2

NAT64 = ipaddress.ip_network("64:ff9b::/96")  # IPv6 addresses that stand for the IPv4 address in their last 32 bits
NOT_PUBLIC = tuple(  # what `is_global` of Python 3.11 takes for the open internet, or of some later version
    map(
        ipaddress.ip_network,
        "fec0::/10 64:ff9b:1::/48 3fff::/20 5f00::/16 2001::/23 100.64.0.0/10 192.0.0.0/24 192.88.99.0/24".split(),
    )
)
ISATAP = (0x5EFE, 0x200_5EFE)  # before an IPv4 address in the last 32 bits
BROKEN = (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError)
PIECE = 65536  # bytes inflated at a time


class PageError(Exception):
    """A page that could not be had; the message says why.

    `again`: asking again may help, after `wait` seconds if the site named a time; `site`: it is the site that fails,
    not this page of it; `status`: of the answer, if there was one.
    """

    def __init__(
        self,
        message: str,
        again: bool = False,
        site: bool = False,
        wait: float | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.again, self.site, self.wait, self.status = again, site or again, wait, status


@dataclass(frozen=True, slots=True)
class Limits:
    """What one page may cost: seconds, and bytes; times an answer is asked for again."""

    deadline: float = 60
    silence: float = 20  # seconds without a byte
    wire: int = 2_000_000
    inflated: int = 2_000_000  # MAX_BYTES of formats/html.py: the parser reads no longer page
    retries: int = 5
    longest_wait: float = 120  # that a site may ask for with Retry-After
    site_errors: int = 5  # pages in a row that the site fails to serve, then the run stops


class Deadline:
    """The seconds that a page may take, over all its requests; `pause` leaves out those spent waiting on purpose."""

    def __init__(self, seconds: float, monotonic: Callable[[], float]) -> None:
        self.seconds, self._monotonic, self._end = seconds, monotonic, monotonic() + seconds

    def left(self, silence: float | None = None) -> float:
        """Return the seconds left, at most `silence`. Raises PageError if there are none."""
        left = self._end - self._monotonic()
        if left <= 0:
            raise PageError(f"took longer than {self.seconds:g} s", site=True)
        return left if silence is None else min(left, silence)

    def pause(self, seconds: float) -> None:
        """Move the end."""
        self._end += seconds


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: `body` inflated, `wire` as it came (of status 200 only)."""

    url: str
    status: int
    headers: httpx2.Headers
    body: bytes = b""
    wire: bytes = b""


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the open internet, and so is the IPv4 address it may stand for.

    >>> [is_public(a) for a in ("8.8.8.8", "127.0.0.2", "169.254.169.254", "::1", "::ffff:10.0.0.1", "64:ff9b::a00:1")]
    [True, False, False, False, False, False]
    """
    ip = ipaddress.ip_address(address.split("%")[0])  # without the zone: "fe80::1%eth0"
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo and ip.teredo[1])
        embeds = ip in NAT64 or int(ip) >> 32 & 0xFFFFFFFF in ISATAP
        inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if embeds else inner
        if inner:
            return is_public(str(inner))
    special = any(ip in network for network in NOT_PUBLIC if network.version == ip.version)
    return ip.is_global and not (special or ip.is_multicast or ip.is_reserved)


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host, as the system orders them. Raises PageError."""
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        unknown = error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", None))
        raise PageError(f"no address for {host}: {error.strerror}", again=not unknown, site=True) from None
    except (OSError, UnicodeError) as error:
        raise PageError(f"no address for {host}: {error}", site=True) from None
    return list(dict.fromkeys(str(address[4][0]) for address in addresses))


class CheckedBackend(httpcore2.NetworkBackend):
    """Connects to the very address that was checked, so that a name cannot turn to another one in between."""

    def __init__(self, allowed: Collection[str], resolve: Callable[[str, int], list[str]], silence: float) -> None:
        self.deadline: Deadline | None = None  # of the page asked for now
        self._allowed, self._resolve, self._silence = frozenset(host.lower() for host in allowed), resolve, silence
        self._sockets = httpcore2.SyncBackend()

    def left(self) -> float:
        """Return the seconds that the next step may take. Raises PageError."""
        return self.deadline.left(self._silence) if self.deadline else self._silence

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connect to the first address that answers; to none if one of them is private."""
        name = host.strip("[]").lower()
        addresses = self._resolve(name, port)
        private = [address for address in addresses if not is_public(address)]
        if private and name not in self._allowed:
            raise PageError(f"{name} is {private[0]}, a private address; --allow-host {name} permits it")
        for address in addresses[:-1]:
            try:
                stream = self._sockets.connect_tcp(address, port, self.left(), local_address, socket_options)
                return TimedStream(stream, self.left)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        stream = self._sockets.connect_tcp(addresses[-1], port, self.left(), local_address, socket_options)
        return TimedStream(stream, self.left)


class TimedStream(httpcore2.NetworkStream):
    """A connection of which every step, a dripped header too, ends by the deadline."""

    def __init__(self, stream: httpcore2.NetworkStream, left: Callable[[], float]) -> None:
        self._stream, self._left = stream, left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read bytes as they come."""
        return self._stream.read(max_bytes, self._left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all."""
        self._stream.write(buffer, self._left())

    def close(self) -> None:
        """Close the socket."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        """Return the same, encrypted."""
        return TimedStream(self._stream.start_tls(ssl_context, server_hostname, self._left()), self._left)

    def get_extra_info(self, info: str) -> Any:
        """Answer what httpcore2 asks its own streams."""
        return self._stream.get_extra_info(info)


class CheckedTransport(httpx2.BaseTransport):
    """httpx2's way to the network, over a CheckedBackend: HTTPTransport takes no backend. One connection at a time."""

    def __init__(self, backend: CheckedBackend) -> None:
        self._pool = httpcore2.ConnectionPool(
            ssl_context=httpx2.create_ssl_context(), max_connections=1, network_backend=backend
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the answer, its body still to be read."""
        url = request.url
        answer = self._pool.handle_request(
            httpcore2.Request(
                method=request.method,
                url=httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                extensions=request.extensions,
            )
        )
        return httpx2.Response(answer.status, headers=answer.headers, stream=Body(answer), extensions=answer.extensions)

    def close(self) -> None:
        """Close the connection."""
        self._pool.close()


class Body(httpx2.SyncByteStream):
    """The bytes of an answer as they come."""

    def __init__(self, answer: httpcore2.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer.iter_stream()

    def close(self) -> None:
        """Give the connection back, or close it if the body was not read to its end."""
        self._answer.close()


class Downloader:
    """Asks one host at a time. `allowed`: hosts whose addresses may be private. No proxies, no cookies, no netrc."""

    def __init__(
        self,
        agent: str,
        allowed: Collection[str],
        limits: Limits,
        resolve: Callable[[str, int], list[str]] = resolve,
    ) -> None:
        self._backend, self._limits = CheckedBackend(allowed, resolve, limits.silence), limits
        headers = {"User-Agent": agent, "Accept": "text/html, text/plain;q=0.9, */*;q=0.1", "Accept-Encoding": "gzip"}
        self._client = httpx2.Client(transport=CheckedTransport(self._backend), trust_env=False, headers=headers)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def request(self, url: str, headers: Mapping[str, str], deadline: Deadline) -> Reply:
        """Return one answer, whatever its status; redirects are not followed. Raises PageError."""
        self._backend.deadline = deadline
        self._client.cookies.clear()
        try:
            with self._client.stream("GET", url, headers=dict(headers), follow_redirects=False) as answer:
                if answer.status_code == 304:
                    answer.read()  # nothing, but then the connection can serve the next request
                if answer.status_code != 200:
                    return Reply(url, answer.status_code, answer.headers)
                wire = b"".join(capped(answer.iter_raw(), answer.headers, self._limits.wire))
                return Reply(url, 200, answer.headers, inflate(wire, answer.headers, self._limits.inflated), wire)
        except BROKEN as error:
            deadline.left()  # a time-out at the deadline is the deadline
            if isinstance(error.__context__, ssl.SSLCertVerificationError):
                raise PageError(f"no trusted certificate: {error.__context__.verify_message}", site=True) from None
            raise PageError(f"connection failed: {str(error) or type(error).__name__}", again=True) from None


def capped(pieces: Iterable[bytes], headers: httpx2.Headers, most: int) -> Iterator[bytes]:
    """Yield the pieces of a body. Raises PageError once they are, or are announced to be, over `most` bytes."""
    announced = headers.get("content-length", "")
    least = int(announced) if announced.isdecimal() else 0
    total = 0
    for piece in chain([b""], pieces):  # what is announced is too large before the first piece comes
        total += len(piece)
        if max(total, least) > most:
            raise PageError(f"larger than {most:,} bytes", status=200)
        yield piece


def inflate(wire: bytes, headers: httpx2.Headers, most: int) -> bytes:
    """Return the body behind its Content-Encoding; never more than `most` bytes of it in memory.

    Raises PageError; `again` for gzip that was cut off, which no HTTP library notices.
    """
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding in ("", "identity"):
        return wire
    if coding not in ("gzip", "x-gzip"):
        raise PageError(f"encoded as {coding[:40]!r}, which was not asked for", status=200)
    member, body, rest = zlib.decompressobj(31), bytearray(), wire
    while not member.eof:
        try:
            piece = member.decompress(rest, PIECE)
        except zlib.error as error:
            raise PageError(f"broken gzip: {error}", again=True, status=200) from None
        body += piece
        rest = member.unconsumed_tail
        if len(body) > most:
            raise PageError(f"larger than {most:,} bytes when inflated", status=200)
        if not piece and not rest and not member.eof:
            raise PageError("gzip cut off", again=True, status=200)
    if member.unused_data:
        raise PageError("bytes after the end of the gzip", again=True, status=200)
    return bytes(body)
