"""Ask a website politely: obey robots.txt, one request at a time, a pause before each, few retries."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlsplit

import httpx2
import stamina
from protego import Protego

from friends_corpus.core.retry import retry_after

from .transport import Deadline, Downloader, Limits, PageError, Reply

ROBOT = "friends-corpus"  # the name that a robots.txt may address
REDIRECTS, HOPS = frozenset((301, 302, 303, 307, 308)), 5
LONGEST_ROBOTS = 500_000  # characters; RFC 9309 demands as many kibibytes
LONGEST_DELAY = 600  # seconds between requests that a robots.txt may ask for
LONG = 5  # seconds of waiting that are announced
PAGE_END = b"</html>"


class SiteError(Exception):
    """The site cannot or may not be asked any further; the message says why."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Time and chance, to be replaced in tests."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.time
    uniform: Callable[[float, float], float] = random.uniform


@dataclass(frozen=True, slots=True)
class Access:
    """How a site is asked: at least `delay` seconds between requests; `allowed` are hosts that may be private.

    `warc` is the new file that records what it sends, if any.
    """

    delay: float
    allowed: Sequence[str]
    warc: Path | None = None
    limits: Limits = field(default_factory=Limits)
    clock: Clock = field(default_factory=Clock)


class Pacer:
    """Keeps at least `delay` seconds, and up to half as many more, between the end of a request and the next one."""

    def __init__(self, delay: float, clock: Clock) -> None:
        self.delay, self._clock, self._next = delay, clock, 0.0

    def turn(self) -> float:
        """Sleep until the next request may start, and return for how long."""
        pause = max(0.0, self._next - self._clock.monotonic())
        if pause:
            self._clock.sleep(pause)
        return pause

    def rest(self) -> None:
        """Take note that a request has ended."""
        self.hold(self._clock.uniform(self.delay, 1.5 * self.delay))

    def hold(self, seconds: float) -> None:
        """Allow no request for so many seconds from now, or longer if that was so already."""
        self._next = max(self._next, self._clock.monotonic() + seconds)


def canonical(base: str, link: str) -> str:
    """Return the http(s) address of a link on a page, without fragment, escaped as it is sent. Raises PageError.

    >>> canonical("http://example.org/a/index.html", "HTTP:b c.html#d")
    'http://example.org/a/b%20c.html'
    """
    try:
        parts = httpx2.URL(urldefrag(urljoin(base, link))[0])
    except (httpx2.InvalidURL, ValueError) as error:
        raise PageError(f"no web address: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.host:
        raise PageError(f"no web address: {link[:200]!r}")
    if parts.userinfo:
        raise PageError("an address with a password in it; leave it out")
    return str(parts)


def same_site(url: str, other: str) -> bool:
    """Tell whether `other` is on the host of `url`: same port too, unless plain http has become https.

    >>> [same_site("http://a.org/x", u) for u in ("http://a.org/y", "https://a.org/", "http://b.org/", "http://a.org:81")]
    [True, True, False, False]
    """
    old, new = httpx2.URL(url), httpx2.URL(other)
    upgraded = (old.scheme, new.scheme, old.port, new.port) == ("http", "https", None, None)
    return old.host == new.host and (upgraded or (old.scheme, old.port) == (new.scheme, new.port))


class Site:
    """A website; `get` is all that it is asked. `say` hears of waits that a user may wonder about."""

    def __init__(
        self, downloader: Downloader, delay: float, limits: Limits, clock: Clock, say: Callable[[str], None]
    ) -> None:
        self.pacer = Pacer(delay, clock)
        self._downloader, self._limits, self._clock, self._say = downloader, limits, clock, say
        self._robots: dict[str, Protego] = {}  # origin → its rules

    def get(self, url: str, headers: Mapping[str, str]) -> Reply:
        """Get the page at an address, whole, or status 304 if `headers` made the request conditional.

        Raises PageError for a page that cannot be had, and SiteError if no other can be had, either.
        """
        self._check_robots(url)
        return self._retried(url, headers, page=True)

    def _retried(self, url: str, headers: Mapping[str, str], page: bool) -> Reply:
        """Get an address, again where that may help; a `page` is allowed by robots.txt and has an end."""
        deadline = Deadline(self._limits.deadline, self._clock.monotonic)
        failures = 0

        def again(error: Exception) -> bool | float:
            nonlocal failures
            failures += 1
            if not (isinstance(error, PageError) and error.again):
                return False
            backoff = self._clock.uniform(0, min(60, 2.0**failures))  # "full jitter"
            wait = backoff if error.wait is None else error.wait
            self.pacer.hold(wait)
            if wait > LONG and failures <= self._limits.retries:
                self._say(f"{url}: {error}; asking again in {wait:.0f} s")
            return 0.0  # no sleep of stamina's own: the pacer's includes it

        for attempt in stamina.retry_context(on=again, attempts=1 + self._limits.retries, timeout=None):
            with attempt:
                return self._follow(url, headers, deadline, page)
        raise AssertionError("unreachable")

    def _follow(self, url: str, headers: Mapping[str, str], deadline: Deadline, page: bool) -> Reply:
        """Return the answer after redirects that stay on the site."""
        for _ in range(1 + HOPS):
            if page:
                self._check_robots(url)
            deadline.pause(self.pacer.turn())
            try:
                reply = self._downloader.request(url, headers, deadline)
            finally:
                self.pacer.rest()
            status, target = reply.status, reply.headers.get("location", "")
            if status not in REDIRECTS or not target:
                return self._accept(reply, bool(headers), page)
            target = canonical(url, target)
            if not same_site(url, target):
                raise PageError(f"leads to another site, {target[:200]}", status=status)
            url = target
        raise PageError(f"more than {HOPS} redirects", status=status)

    def _accept(self, reply: Reply, conditional: bool, page: bool) -> Reply:
        """Return the reply, if it is a whole page or "not modified"."""
        status = reply.status
        if status == 429 or status >= 500:
            wait, most = retry_after(reply.headers, self._clock.now()), self._limits.longest_wait
            if wait is not None and wait > most:
                message = f"status {status}, and asks to wait {wait:.0f} s (more than {most:g}); try later"
                raise PageError(message, site=True, status=status)
            raise PageError(f"status {status} {phrase(status)}", again=True, wait=wait, status=status)
        if status != 200 and not (status == 304 and conditional):
            raise PageError(f"status {status} {phrase(status)}", status=status)
        framed = "content-length" in reply.headers or "transfer-encoding" in reply.headers
        if page and status == 200 and not framed and PAGE_END not in reply.body[-1000:].lower():
            raise PageError("cut off: no length announced, and no </html> at the end", again=True, status=status)
        return reply

    def _check_robots(self, url: str) -> None:
        """Ask robots.txt, fetched first for a new origin, about an address. Raises PageError if it is forbidden."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self._robots:
            self._robots[origin] = rules = self._read_robots(f"{origin}/robots.txt")
            rate = rules.request_rate(ROBOT)
            asked = max(rules.crawl_delay(ROBOT) or 0.0, min(rate.seconds, 10**9) / rate.requests if rate else 0.0)
            if asked > LONGEST_DELAY:
                raise SiteError(f"{origin}/robots.txt asks for {asked:g} s between requests; that is no invitation")
            self.pacer.delay = max(self.pacer.delay, asked)
            self.pacer.rest()
        if not self._robots[origin].can_fetch(url, ROBOT):
            raise PageError("forbidden by robots.txt")

    def _read_robots(self, url: str) -> Protego:
        """Return the rules; none where there is no robots.txt. Raises SiteError if the site does not say."""
        try:
            body = self._retried(url, {}, page=False).body
        except PageError as error:
            if error.status is None or error.status == 429 or not 400 <= error.status < 500:
                raise SiteError(f"{url}: {error}; without it no page may be asked for") from None
            body = b""
        return Protego.parse(body.decode("utf-8", errors="replace")[:LONGEST_ROBOTS])


def phrase(status: int) -> str:
    """Return what a status means, in our words, not the site's.

    >>> phrase(404), phrase(599)
    ('Not Found', '')
    """
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else ""
