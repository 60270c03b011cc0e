"""The fetch command against a real server on loopback that fails in every way a site can."""

import errno
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from email.utils import formatdate
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import faulty_site as faulty
import pytest
from faulty_site import Fault, Site, faulty_site
from invented import page as invented_page
from real import PAGES

from friends_corpus import fetch as command
from friends_corpus.core.cli import Failed
from friends_corpus.core.files import NEW, mark, write_whole
from friends_corpus.crawling import archive as archives
from friends_corpus.crawling.links import read_index
from friends_corpus.crawling.site import Access, Clock, SiteError
from friends_corpus.crawling.transport import CheckedBackend, Limits, PageError, is_public
from friends_corpus.show.config import FRIENDS, friends
from friends_corpus.show.page_names import find_pages, identify

NAMES = ("0101", "0102", "0212-0213")
INDEX = "".join(f'<li><a href="season/{name}.html">{name} A Title</a></li>' for name in NAMES)
SAMPLE = FRIENDS / "sample"


class Time:
    """A clock that only sleeping moves on."""

    def __init__(self) -> None:
        self.seconds, self.slept = 1000.0, list[float]()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds

    def clock(self) -> Clock:
        return Clock(lambda: self.seconds, self.sleep, lambda: 1e9, lambda low, high: high)


def site_pages(names: tuple[str, ...] = NAMES) -> dict[str, bytes]:
    pages = {f"/season/{name}.html": invented_page(number).encode() for number, name in enumerate(names)}
    return {"/": b"<h3>SEASON</h3>" + INDEX.encode() + b"</html>", **pages}


@pytest.fixture
def site() -> Iterator[Site]:
    with faulty_site(site_pages()) as running:
        yield running


def fetch(
    site: Site | str, out: Path, time: Time | None = None, delay: float = 0, clock: Clock | None = None, **limits: float
) -> int:
    """The fetch of a site without waiting for anything; returns how many pages failed."""
    url = site if isinstance(site, str) else site.url
    clock = clock or (time or Time()).clock()
    access = Access(delay, ["127.0.0.1"], limits=Limits(**limits), clock=clock)  # type: ignore[arg-type]
    return command.fetch(url, out, friends(), access)


def records(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "pages.jsonl").read_text().splitlines()]


def stored(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.glob("*.html")}


def errors(out: Path) -> dict[str, str]:
    return {record["name"]: record["error"] for record in records(out) if record["event"] == "failed"}


def test_pages_are_kept_as_served(site: Site, tmp_path: Path) -> None:
    assert fetch(site, tmp_path / "raw") == 0
    assert stored(tmp_path / "raw") == {f"{name}.html": site.pages[f"/season/{name}.html"] for name in NAMES}
    first = next(record for record in records(tmp_path / "raw") if record.get("name") == "0101.html")
    assert first["url"] == first["final_url"] == f"{site.url}season/0101.html"
    assert first["sha256"] == sha256(site.pages["/season/0101.html"]).hexdigest()
    assert first["headers"]["last-modified"] == faulty.CHANGED
    assert first["at"].endswith("Z")
    agent = site.log[0].headers["User-Agent"]
    assert agent.startswith(f"friends-corpus/{version('friends-corpus')} (+Raw Friends transcripts")
    assert {seen.headers["Accept-Encoding"] for seen in site.log} == {"gzip"}
    assert [seen.path for seen in site.log[:2]] == ["/robots.txt", "/"]


@pytest.mark.slow
def test_the_build_reads_the_folder_as_it_lies(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    from builders.build import main as build

    pages = {f"/season/{path.name}": path.read_bytes() for path in find_pages(SAMPLE)}
    index = "".join(f'<a href="season/{path.name}">An episode</a>' for path in find_pages(SAMPLE))
    with faulty_site({"/": index.encode(), **pages}) as site:
        assert fetch(site, tmp_path / "raw") == 0
    assert build(["--pages", str(tmp_path / "raw"), "--out", str(tmp_path / "fetched"), "--jobs", "1"]) == 0
    assert build(["--out", str(tmp_path / "sample"), "--jobs", "1"]) == 0
    for split in ("train", "validation", "test"):
        one, other = (
            pq.read_table(next((tmp_path / which / "lines").glob(f"{split}-*")), columns=["id", "cue", "text"])
            for which in ("fetched", "sample")
        )
        assert one.num_rows and one.equals(other)


# ---------------------------------------------------------------- what a site can do to one page

PAGE = "/season/0102.html"
RECOVERED = [  # what goes wrong first, and how many requests it takes to get the page
    pytest.param([faulty.status(503), faulty.status(500), faulty.good], 3, id="503-500"),
    pytest.param([faulty.status(503)] * 5 + [faulty.good], 6, id="5-retries"),
    pytest.param([faulty.status(429, Retry_After="7"), faulty.good], 2, id="429-seconds"),
    pytest.param([faulty.status(503, Retry_After="gibberish"), faulty.good], 2, id="retry-after-gibberish"),
    pytest.param([faulty.status(503, Retry_After="-5"), faulty.good], 2, id="retry-after-negative"),
    pytest.param([faulty.reset, faulty.good], 2, id="reset"),
    pytest.param([faulty.silent_close, faulty.good], 2, id="closed-without-an-answer"),
    pytest.param([faulty.nonsense, faulty.good], 2, id="no-http"),
    pytest.param([faulty.short, faulty.good], 2, id="shorter-than-announced"),
    pytest.param([faulty.chunked(b"<html>", end=b""), faulty.good], 2, id="chunks-cut-off"),
    pytest.param([faulty.unframed_cut, faulty.good], 2, id="no-length-cut-off"),
    pytest.param([faulty.unframed], 1, id="no-length-whole"),
    pytest.param([faulty.packed()], 1, id="gzip"),
    pytest.param([faulty.packed(cut=-30), faulty.good], 2, id="gzip-cut-off"),
    pytest.param([faulty.packed(cut=-4), faulty.good], 2, id="gzip-without-its-checksum"),
    pytest.param([faulty.packed(cut=9), faulty.good], 2, id="gzip-of-nothing"),
    pytest.param([faulty.packed(extra=b"more"), faulty.good], 2, id="gzip-and-more"),
    pytest.param([lambda h: h.answer(200, b"\x1f\x8bnot gzip", {"Content-Encoding": "gzip"}), faulty.good], 2, id="no-gzip"),
    pytest.param([faulty.redirect("/moved.html", 301)], 1, id="redirect"),
    pytest.param([faulty.redirect("../moved.html", 308)], 1, id="relative-redirect"),
]  # fmt: skip


@pytest.mark.attack("fetch", "faults that pass")
@pytest.mark.parametrize(("faults", "requests"), RECOVERED)
def test_recovers(site: Site, tmp_path: Path, faults: list[Fault], requests: int) -> None:
    site.pages["/moved.html"] = site.pages[PAGE]
    site.fault(PAGE, *faults)
    assert fetch(site, tmp_path, Time()) == 0
    assert stored(tmp_path)["0102.html"] == site.pages[PAGE]
    assert site.asked(PAGE) == requests


FATAL = [  # what a page does for ever, a part of the error, and how many requests are made
    pytest.param(faulty.status(404), "404 Not Found", 1, id="404"),
    pytest.param(faulty.status(403), "403 Forbidden", 1, id="403"),
    pytest.param(faulty.status(410), "410 Gone", 1, id="410"),
    pytest.param(faulty.status(204), "status 204", 1, id="204"),
    pytest.param(faulty.status(206), "status 206", 1, id="206"),
    pytest.param(faulty.status(304), "status 304", 1, id="304-not-asked-for"),
    pytest.param(faulty.status(302), "status 302", 1, id="redirect-to-nowhere"),
    pytest.param(faulty.status(503), "503 Service Unavailable", 6, id="503-for-ever"),
    pytest.param(faulty.status(599), "status 599", 6, id="599"),
    pytest.param(faulty.status(429, Retry_After="3600"), "asks to wait 3600 s (more than 120)", 1, id="429-an-hour"),
    pytest.param(faulty.status(429, Retry_After="9" * 10), "asks to wait 1000000000 s", 1, id="429-ten-digits"),
    pytest.param(faulty.status(429, Retry_After="9" * 5000), "asks to wait 1000000000 s", 1, id="429-5000-digits"),
    pytest.param(faulty.status(503, Retry_After="Fri, 31 Dec 9999 23:59:59 GMT"), "asks to wait 1000000000 s", 1, id="503-year-9999"),
    pytest.param(faulty.status(429, Retry_After=formatdate(2e9, usegmt=True)), "asks to wait", 1, id="429-years"),
    pytest.param(faulty.reset, "connection failed", 6, id="reset-for-ever"),
    pytest.param(faulty.short, "connection failed", 6, id="short-for-ever"),
    pytest.param(faulty.packed(cut=-30), "gzip cut off", 6, id="gzip-cut-off-for-ever"),
    pytest.param(faulty.packed(coding="br"), "encoded as 'br'", 1, id="brotli"),
    pytest.param(faulty.bomb, "larger than 2,000,000 bytes when inflated", 1, id="gzip-bomb"),
    pytest.param(faulty.announced_giant, "larger than 2,000,000 bytes", 1, id="announced-giant"),
    pytest.param(faulty.endless, "larger than 2,000,000 bytes", 1, id="endless"),
    pytest.param(faulty.redirect(PAGE), "more than 5 redirects", 6, id="redirect-loop"),
    pytest.param(faulty.redirect("http://127.0.0.2/x.html"), "another site, http://127.0.0.2/", 1, id="another-host"),
    pytest.param(faulty.redirect("http://127.0.0.1:9/x.html"), "another site", 1, id="another-port"),
    pytest.param(faulty.redirect("https://127.0.0.1/x.html"), "another site", 1, id="another-scheme-and-port"),
    pytest.param(faulty.redirect("http://169.254.169.254/latest/"), "another site", 1, id="metadata-service"),
    pytest.param(faulty.redirect("file:///etc/passwd"), "no web address", 1, id="file"),
    pytest.param(faulty.redirect("http://[::1/"), "no web address", 1, id="broken-address"),
    pytest.param(faulty.redirect("/forbidden/x.html"), "forbidden by robots.txt", 1, id="into-the-forbidden"),
    pytest.param(faulty.body(b"<h1>Oops</h1><p>There is no such page.</p></html>"), "no transcript", 1, id="soft-404"),
    pytest.param(faulty.body(b"<p><b>Error:</b> no such page</p></html>"), "fewer than two speakers", 1, id="one-cue"),
    pytest.param(faulty.body(invented_page(0).encode()), "same bytes as 0101.html", 1, id="same-page-for-all"),
    pytest.param(faulty.redirect("/"), "same bytes as index", 1, id="sent-home"),
    pytest.param(faulty.body(b""), "no transcript", 1, id="empty"),
    pytest.param(faulty.body(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20), "no transcript", 1, id="picture"),
]  # fmt: skip


@pytest.mark.attack("fetch", "hostile answers")
@pytest.mark.parametrize(("fault", "error", "requests"), FATAL)
def test_fails_one_page_and_fetches_the_others(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str], fault: Fault, error: str, requests: int
) -> None:
    site.pages["/robots.txt"] = b"User-agent: *\nDisallow: /forbidden/"
    site.fault(PAGE, fault)
    assert fetch(site, tmp_path) == 1
    assert error in errors(tmp_path)["0102.html"]
    assert site.asked(PAGE) == requests
    assert {*stored(tmp_path)} == {"0101.html", "0212-0213.html"}
    assert f"1 page failed:\n  0102.html  {site.url}season/0102.html  " in capsys.readouterr().err


@pytest.mark.attack("fetch", "answers without end")
@pytest.mark.parametrize("fault", [faulty.hang, faulty.drip, faulty.drip_headers, faulty.hundred])
def test_no_page_takes_longer_than_its_deadline(site: Site, tmp_path: Path, fault: Fault) -> None:
    site.fault(PAGE, fault)
    assert fetch(site, tmp_path, clock=Clock(sleep=lambda seconds: None), deadline=0.5) == 1
    assert errors(tmp_path)["0102.html"] == "took longer than 0.5 s"
    assert site.asked(PAGE) == 1


def test_a_silent_site_is_asked_again(site: Site, tmp_path: Path) -> None:
    site.fault(PAGE, faulty.hang, faulty.good)
    assert fetch(site, tmp_path, silence=0.3) == 0
    assert site.asked(PAGE) == 2


def test_a_bad_answer_never_replaces_a_good_page(site: Site, tmp_path: Path) -> None:
    assert fetch(site, tmp_path) == 0
    site.fault(PAGE, faulty.body(b"<p>Gone fishing</p></html>"))
    assert fetch(site, tmp_path) == 1
    assert stored(tmp_path)["0102.html"] == site.pages[PAGE]


def test_the_run_stops_when_the_site_serves_nothing_any_more(tmp_path: Path) -> None:
    names = tuple(f"01{number:02d}" for number in range(1, 12))
    index = "".join(f'<a href="season/{name}.html">x</a>' for name in names).encode()
    with faulty_site({**site_pages(names), "/": index}) as site:
        for name in names[3:]:
            site.fault(f"/season/{name}.html", faulty.status(503))
        with pytest.raises(Failed, match=r"failed to serve 5 pages in a row.*kept in"):
            fetch(site, tmp_path, retries=1)
        assert (len(stored(tmp_path)), site.asked("/season/0109.html")) == (3, 0)


# ---------------------------------------------------------------- politeness


def test_pauses_between_requests(site: Site, tmp_path: Path) -> None:
    time = Time()
    assert fetch(site, tmp_path, time, delay=2) == 0
    assert time.slept == [3, 3, 3, 3]  # 2 s and the most jitter before each of 5 requests but the first


def test_jitter_stays_between_once_and_one_and_a_half_times(site: Site, tmp_path: Path) -> None:
    time = Time()
    clock = Clock(lambda: time.seconds, time.sleep, lambda: 0.0, random.Random(3).uniform)
    assert fetch(site, tmp_path, delay=2, clock=clock) == 0
    assert all(2 <= pause <= 3 for pause in time.slept)
    assert len({*time.slept}) == 4


@pytest.mark.parametrize(
    ("robots", "delay", "pause"),
    [
        ("User-agent: *\nCrawl-delay: 10", 2, 10),
        ("User-agent: *\nCrawl-delay: 1", 2, 2),
        ("User-agent: *\nRequest-rate: 1/20", 2, 20),
        ("User-agent: friends-corpus\nCrawl-delay: 8\n\nUser-agent: *\nCrawl-delay: 30", 2, 8),
        ("User-agent: *\nCrawl-delay: nan", 2, 2),
    ],
)
def test_longer_delays_of_robots_txt_are_kept(
    site: Site, tmp_path: Path, robots: str, delay: float, pause: float
) -> None:
    site.pages["/robots.txt"] = robots.encode()
    time = Time()
    assert fetch(site, tmp_path, time, delay=delay) == 0
    assert time.slept == [1.5 * pause] * 4


@pytest.mark.attack("fetch", "Retry-After of any kind")
@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"Retry_After": "100"}, 100),
        ({"Retry_After": formatdate(1e9 + 50, usegmt=True), "Date": formatdate(1e9 + 5, usegmt=True)}, 45),
        ({"Retry_After": formatdate(1e9 - 50, usegmt=True), "Date": formatdate(1e9, usegmt=True)}, 3),
        ({}, 3),
    ],
    ids=["seconds", "date", "past-date", "none"],
)
def test_waits_as_long_as_the_site_asks(site: Site, tmp_path: Path, headers: dict[str, str], pause: float) -> None:
    def busy(handler: faulty.Handler) -> None:
        handler.send_response_only(429)
        for name, text in headers.items():
            handler.send_header(name.replace("_", "-"), text)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    site.fault(PAGE, busy, faulty.good)
    time = Time()
    assert fetch(site, tmp_path, time, delay=2) == 0
    assert time.slept == [3, 3, 3, pause, 3]


def test_long_waits_are_announced(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site.fault(PAGE, faulty.status(503, Retry_After="100"), faulty.status(503, Retry_After="1"), faulty.good)
    assert fetch(site, tmp_path) == 0
    said = capsys.readouterr().err
    assert f"{site.url}season/0102.html: status 503 Service Unavailable; asking again in 100 s" in said
    assert said.count("asking again") == 1


@pytest.mark.parametrize(("reason", "waits"), [(socket.EAI_NONAME, 0), (socket.EAI_AGAIN, 5)])
def test_a_name_without_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: int, waits: int) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(reason, "says the resolver")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    time = Time()
    with pytest.raises(SiteError, match=r"no address for a.example: says the resolver"):
        fetch("http://a.example/", tmp_path, time)
    assert len(time.slept) == waits


def test_backs_off_longer_with_every_failure(site: Site, tmp_path: Path) -> None:
    site.fault(PAGE, *[faulty.status(503)] * 5, faulty.good)
    time = Time()
    assert fetch(site, tmp_path, time) == 0
    assert time.slept == [2, 4, 8, 16, 32]  # with the most jitter; less on average


@pytest.mark.attack("fetch", "robots.txt of any kind")
@pytest.mark.parametrize(
    ("robots", "fetched"),
    [
        pytest.param("User-agent: *\nDisallow: /season/01", {"0212-0213.html"}, id="prefix"),
        pytest.param("User-agent: *\nDisallow: /*2.html$", {"0101.html", "0212-0213.html"}, id="wildcard"),
        pytest.param("User-agent: friends-corpus\nDisallow:\n\nUser-agent: *\nDisallow: /", 3, id="named"),
        pytest.param("<html><body>Not found</body></html>", 3, id="soft-404"),
        pytest.param("\x00\xff garbage", 3, id="garbage"),
    ],
)
def test_robots_txt_is_obeyed(site: Site, tmp_path: Path, robots: str, fetched: set[str] | int) -> None:
    site.pages["/robots.txt"] = robots.encode()
    failed = fetch(site, tmp_path)
    found = {*stored(tmp_path)}
    assert fetched in (found, len(found))
    assert failed == 3 - len(found)
    assert sum(seen.path.startswith("/season") for seen in site.log) == len(found)


@pytest.mark.attack("fetch", "robots.txt of any kind")
@pytest.mark.parametrize(
    "fault",
    [faulty.status(500), faulty.status(503), faulty.status(429), faulty.reset, faulty.hang, faulty.endless,
     faulty.redirect("http://127.0.0.2/robots.txt")],
    ids=["500", "503", "429", "reset", "hang", "endless", "another-site"],
)  # fmt: skip
def test_no_page_is_asked_for_without_an_answer_about_robots_txt(site: Site, tmp_path: Path, fault: Fault) -> None:
    site.fault("/robots.txt", fault)
    with pytest.raises(SiteError, match="without it no page may be asked for"):
        fetch(site, tmp_path, silence=0.1, retries=2)
    assert {seen.path for seen in site.log} == {"/robots.txt"}
    assert not stored(tmp_path)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_no_robots_txt_forbids_nothing(site: Site, tmp_path: Path, status: int) -> None:
    site.fault("/robots.txt", faulty.status(status))
    assert fetch(site, tmp_path) == 0


def test_a_robots_txt_needs_no_end_mark(site: Site, tmp_path: Path) -> None:
    site.pages["/robots.txt"] = b"User-agent: *\nDisallow: /season/0102"
    site.fault("/robots.txt", faulty.unframed)
    assert fetch(site, tmp_path) == 1
    assert site.asked("/robots.txt") == 1


def test_an_unreasonable_delay_is_a_refusal(site: Site, tmp_path: Path) -> None:
    site.pages["/robots.txt"] = b"User-agent: *\nCrawl-delay: 86400"
    with pytest.raises(SiteError, match="asks for 86400 s"):
        fetch(site, tmp_path)


# ---------------------------------------------------------------- private addresses


@pytest.mark.attack("fetch", "addresses that are not public")
@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "0x7f.1",
        "2130706433",
        "127.1",
        "LOCALHOST",
        "[::]",
        "[::ffff:127.0.0.1]",
    ],
)
def test_private_addresses_are_refused(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str], host: str
) -> None:
    url = site.url.replace("127.0.0.1", host)
    assert command.main(["--source", url, "--out", str(tmp_path), "--delay", "0"]) == 1
    assert "a private address; --allow-host" in capsys.readouterr().err
    assert not site.log


@pytest.mark.attack("fetch", "addresses that are not public")
@pytest.mark.parametrize(
    "address",
    "10.0.0.1 172.16.0.1 192.168.1.1 100.64.0.1 0.0.0.0 169.254.169.254 224.0.0.1 255.255.255.255 ::1 fe80::1%eth0 fd00::1"
    " ::ffff:169.254.169.254 64:ff9b::7f00:1 2002:7f00:1:: ff02::1 fec0::1 feff::1 64:ff9b:1::808:808 3fff::1 5f00::1"
    " 100.127.255.254 192.0.0.9 192.88.99.1 240.0.0.1 198.18.0.1 ::7f00:1 ::ffff:0:7f00:1 2001:20::1 2001:db8::1 100::1"
    " 2001:4860::5efe:7f00:1 2001:4860::200:5efe:a00:1 2002:a9fe:a9fe:: :: ::192.168.1.1 2002:c0a8:101:: 198.51.100.7 203.0.113.9 100:0:0:1::1 4000::1 ff0e::1 64:ff9b::c0a8:1 64:ff9b::a9fe:a9fe 2001:0:808:808::80ff:fffe".split(),
)  # fmt: skip
def test_what_is_private(address: str) -> None:
    assert not is_public(address)
    backend = CheckedBackend([], lambda host, port: ["93.184.215.14", address], 1)
    with pytest.raises(PageError, match="a private address"):
        backend.connect_tcp("example.org", 80)


@pytest.mark.attack("fetch", "addresses that are not public")
def test_a_name_that_turns_private_is_refused(site: Site) -> None:
    """DNS rebinding: each new connection resolves, checks, and connects to no other address than the checked one."""
    answers = iter([["127.0.0.1"], ["93.184.215.14", "127.0.0.1"]])
    backend = CheckedBackend(["allowed.example"], lambda host, port: next(answers), 5)
    port = int(site.url.rpartition(":")[2].strip("/"))
    stream = backend.connect_tcp("allowed.example", port)
    assert stream.get_extra_info("server_addr") == ("127.0.0.1", port)
    stream.close()
    with pytest.raises(PageError, match=r"rebound.example is 127.0.0.1, a private address"):
        backend.connect_tcp("rebound.example", port)


def test_the_next_address_is_tried_when_one_does_not_answer(site: Site) -> None:
    port = int(site.url.rpartition(":")[2].strip("/"))
    backend = CheckedBackend(["a.example"], lambda host, port: ["127.0.0.3", "127.0.0.1"], 5)
    stream = backend.connect_tcp("a.example", port)
    assert stream.get_extra_info("server_addr") == ("127.0.0.1", port)
    stream.close()


def test_proxies_of_the_environment_are_not_used(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert fetch(site, tmp_path) == 0


def test_cookies_are_neither_sent_nor_recorded(site: Site, tmp_path: Path) -> None:
    site.fault("/", lambda handler: handler.answer(200, site.pages["/"], {"Set-Cookie": "session=secret"}))
    assert fetch(site, tmp_path) == 0
    assert not any("Cookie" in seen.headers for seen in site.log)
    assert "secret" not in (tmp_path / "pages.jsonl").read_text()


@pytest.mark.attack("fetch", "certificates nobody trusts")
@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl to make a certificate")
def test_a_certificate_that_nobody_trusts_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, certificate, both = tmp_path / "key", tmp_path / "certificate", tmp_path / "both"
    make = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -days 2"
    subprocess.run([*make.split(), "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    time = Time()
    with faulty_site(site_pages(), str(both)) as site, pytest.raises(SiteError, match="no trusted certificate: self"):
        fetch(site, tmp_path / "raw", time)
    assert not time.slept
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))  # now it is trusted
    with faulty_site(site_pages(), str(both)) as site:
        assert fetch(site, tmp_path / "raw") == 0


# ---------------------------------------------------------------- runs after runs


def test_a_second_run_moves_no_bytes(site: Site, tmp_path: Path) -> None:
    assert fetch(site, tmp_path) == 0
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir() if path.name != "pages.jsonl"}
    lines = (tmp_path / "pages.jsonl").read_bytes()
    assert len({seen.client for seen in site.log[1:]}) == 1  # one connection, but for robots.txt that was not found
    site.forget()
    assert fetch(site, tmp_path) == 0
    assert len({seen.client for seen in site.log[1:]}) == 1
    assert site.statuses == [(path, 304) for path in ("/", *(f"/season/{name}.html" for name in NAMES))]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert (tmp_path / "pages.jsonl").read_bytes().startswith(lines)
    assert [record["event"] for record in records(tmp_path)[-6:]] == ["start", *["unchanged"] * 4, "end"]


def test_the_date_of_the_answer_serves_where_pages_have_none(site: Site, tmp_path: Path) -> None:
    site.validators = False
    assert fetch(site, tmp_path) == 0
    before = (tmp_path / "0101.html").stat().st_mtime_ns
    site.forget()
    assert fetch(site, tmp_path) == 0
    assert all("If-Modified-Since" in seen.headers for seen in site.log if seen.path != "/robots.txt")
    assert (tmp_path / "0101.html").stat().st_mtime_ns == before  # the same bytes again: nothing is written
    assert records(tmp_path)[-2]["event"] == "unchanged"


def test_a_validator_that_cannot_be_sent_is_left_out(site: Site, tmp_path: Path) -> None:
    site.fault(PAGE, lambda handler: handler.answer(200, handler.page(), {"ETag": '"caf\xe9"'}))
    assert fetch(site, tmp_path) == 0
    assert fetch(site, tmp_path) == 0
    assert "If-None-Match" not in site.log[-2].headers


def test_a_changed_page_is_replaced(site: Site, tmp_path: Path) -> None:
    assert fetch(site, tmp_path) == 0
    site.pages[PAGE] = invented_page(7).encode()
    assert fetch(site, tmp_path) == 0
    assert stored(tmp_path)["0102.html"] == site.pages[PAGE]


@pytest.mark.attack("fetch", "damaged pages and records")
@pytest.mark.parametrize("damage", [lambda data: data[:300], lambda data: data + b"!", lambda data: b""])
def test_a_damaged_file_is_fetched_again(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[bytes], bytes]
) -> None:
    assert fetch(site, tmp_path) == 0
    (tmp_path / "0102.html").write_bytes(damage(site.pages[PAGE]))
    site.forget()
    assert fetch(site, tmp_path) == 0
    assert stored(tmp_path)["0102.html"] == site.pages[PAGE]
    assert [status for path, status in site.statuses] == [304, 304, 200, 304]
    said = capsys.readouterr().err
    assert "0102.html: not the bytes that were fetched; fetching it again" in said
    [kept] = tmp_path.glob("0102.html.*")  # it may be somebody's own version
    assert kept.read_bytes() == damage(site.pages[PAGE])
    assert kept.name in said


def test_a_page_that_was_not_fetched_is_kept(site: Site, tmp_path: Path) -> None:
    assert fetch(site, tmp_path) == 0
    records = (tmp_path / "pages.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "pages.jsonl").write_bytes(b"".join(line for line in records if b"0102.html" not in line))
    (tmp_path / "0102.html").write_text("mine")
    assert fetch(site, tmp_path) == 0
    assert stored(tmp_path)["0102.html"] == site.pages[PAGE]
    assert [path.read_text() for path in tmp_path.glob("0102.html.*")] == ["mine"]


@pytest.mark.attack("the user's files", "journals and lists of pages")
@pytest.mark.parametrize("link", [False, True], ids=["a-file", "a-link"])
def test_a_list_of_pages_that_is_none_of_ours_stays(site: Site, tmp_path: Path, link: bool) -> None:
    mine = tmp_path / "pages.jsonl"
    if link:
        mine = tmp_path.parent / "mine.jsonl"
        (tmp_path / "pages.jsonl").symlink_to(mine)
    mine.write_text("my list, without a line end")
    with pytest.raises(Failed, match=r"pages\.jsonl is (not of this program|a link)"):
        fetch(site, tmp_path)
    assert mine.read_text() == "my list, without a line end"
    assert not stored(tmp_path)


def test_another_site_is_asked_without_conditions(site: Site, tmp_path: Path) -> None:
    assert fetch(site, tmp_path) == 0
    with faulty_site(site.pages) as mirror_of_it:
        assert fetch(mirror_of_it, tmp_path) == 0
        assert {status for _, status in mirror_of_it.statuses} == {200}
        assert fetch(mirror_of_it, tmp_path) == 0
        assert {status for _, status in mirror_of_it.statuses[4:]} == {304}


def test_a_failed_page_is_all_that_the_next_run_moves(site: Site, tmp_path: Path) -> None:
    site.fault(PAGE, faulty.status(404))
    assert fetch(site, tmp_path) == 1
    site.forget()
    assert fetch(site, tmp_path) == 0
    assert [path for path, status in site.statuses if status == 200] == [PAGE]


@pytest.mark.attack("fetch", "damaged pages and records")
@pytest.mark.parametrize("torn", [b'{"event": "page", "name": "0101.ht', b"\0\0\0\0", b'{"event": "end"}'])
def test_a_torn_last_line_is_healed(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str], torn: bytes
) -> None:
    assert fetch(site, tmp_path) == 0
    whole = (tmp_path / "pages.jsonl").read_bytes()
    (tmp_path / "pages.jsonl").write_bytes(whole + torn)
    site.forget()
    assert fetch(site, tmp_path) == 0
    assert (tmp_path / "pages.jsonl").read_bytes().startswith(whole + b'{"event": "start"')
    assert all(status == 304 for _, status in site.statuses)
    assert "its last line is dropped" in capsys.readouterr().err


@pytest.mark.attack("fetch", "damaged pages and records")
def test_lines_that_cannot_be_read_cost_one_page_each(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch(site, tmp_path) == 0
    lines = (tmp_path / "pages.jsonl").read_bytes().splitlines(keepends=True)
    broken = [b"\0" * 40 + b"\n" if b'"name": "0102.html"' in line else line for line in lines]
    (tmp_path / "pages.jsonl").write_bytes(b"".join([*broken, b"[]\n", b'{"event": "page"}\n']))
    site.forget()
    assert fetch(site, tmp_path) == 0
    assert [path for path, status in site.statuses if status == 200] == [PAGE]
    assert "3 lines cannot be read" in capsys.readouterr().err


def test_two_runs_at_once_are_one_too_many(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fetch(site, tmp_path) == 0
    site.forget()
    with archives.Archive.opened(tmp_path):
        argv = ["--source", site.url, "--allow-host", "127.0.0.1", "--out", str(tmp_path), "--delay", "0"]
        assert command.main(argv) == 1
    assert f"another fetch is writing {tmp_path}; wait for it" in capsys.readouterr().err
    assert not site.log


# ---------------------------------------------------------------- ends in the middle


def start(site: Site, out: Path) -> subprocess.Popen[str]:
    argv = ["--source", site.url, "--allow-host", "127.0.0.1", "--out", str(out), "--delay", "0"]
    code = "import signal, sys; from friends_corpus.fetch import main; "
    code += "signal.signal(signal.SIGINT, signal.default_int_handler); "  # ignored, where tests run in the background
    code += f"sys.exit(main({argv!r}))"
    return subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def end_at(site: Site, out: Path, request: int, number: int) -> tuple[int, str]:
    """A run that gets a signal while the server has its n-th request in hand; exit code and stderr."""
    site.on_request = lambda count: process.send_signal(number) if count == request else None
    process = start(site, out)
    _, said = process.communicate(timeout=60)
    site.on_request = lambda count: None
    return process.returncode, said


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_says_what_is_kept(site: Site, tmp_path: Path, number: int, code: int) -> None:
    site.fault(PAGE, faulty.hang)
    ended, said = end_at(site, tmp_path / "raw", 4, number)
    assert ended == code
    assert f"what was fetched is kept in {tmp_path / 'raw'}; run the same command again to resume" in said
    assert "Traceback" not in said
    assert {*stored(tmp_path / "raw")} == {"0101.html"}
    site.forget()
    assert fetch(site, tmp_path / "raw") == 0
    assert [seen.path for seen in site.log] == ["/robots.txt", PAGE, "/season/0212-0213.html"]  # only what is missing


@pytest.mark.attack("kill -9", "a fetch, at every request")
@pytest.mark.slow
def test_kill_9_at_any_request_loses_nothing(tmp_path: Path) -> None:
    names = tuple(f"01{number:02d}" for number in range(1, 12))
    index = "".join(f'<a href="season/{name}.html">x</a>' for name in names).encode()
    out, moves = tmp_path / "raw", random.Random(4)
    with faulty_site({**site_pages(names), "/": index}) as site:
        for _ in range(4):
            ended, _ = end_at(site, out, len(site.log) + moves.randint(1, 5), signal.SIGKILL)
            assert ended == -signal.SIGKILL
        had = stored(out)
        assert all(site.pages[f"/season/{name}"] == data for name, data in had.items())
        site.forget()
        assert fetch(site, out) == 0
        moved = [path for path, status in site.statuses if status == 200 and path != "/"]
        assert len(moved) <= 11 - len(had) + 1  # one may have been renamed into place without its line
        assert stored(out) == {f"{name}.html": site.pages[f"/season/{name}.html"] for name in names}
        assert not [*out.glob(".*")]
        site.forget()
        assert fetch(site, out) == 0
        assert {status for _, status in site.statuses} == {304}
    last = {record["name"]: record["sha256"] for record in records(out) if "sha256" in record}
    assert {name: sha256(data).hexdigest() for name, data in stored(out).items()}.items() <= last.items()


def test_a_kill_between_file_and_line_costs_one_request(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def write_and_die(path: Path, data: bytes) -> None:
        write_whole(path, data)
        if path.name == "0102.html":
            mark(path.with_name(".0999.html.0d1fa973"), "0999.html")
            path.with_name(".0999.html.0d1fa973").joinpath(NEW).write_bytes(b"half")
            path.with_name(".0998.html.part").write_bytes(b"mine")
            raise Killed

    monkeypatch.setattr(archives, "write_whole", write_and_die)
    with pytest.raises(Killed):
        fetch(site, tmp_path)
    monkeypatch.undo()
    site.forget()
    assert fetch(site, tmp_path) == 0
    assert [path for path, _ in site.statuses] == [PAGE, "/season/0212-0213.html"]
    assert [path.name for path in tmp_path.glob(".*")] == [".0998.html.part"]


@pytest.mark.attack("fetch", "a full disk")
@pytest.mark.parametrize("call", range(1, 14))
def test_a_full_disk_loses_nothing(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], call: int
) -> None:
    calls = iter(range(1, 1000))

    def full(descriptor: int) -> None:
        if next(calls) >= call:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(archives.os, "fsync", full)
    argv = ["--source", site.url, "--allow-host", "127.0.0.1", "--out", str(tmp_path / "raw"), "--delay", "0"]
    assert command.main(argv) == 1
    assert "No space left on device; what was fetched is kept in" in capsys.readouterr().err
    monkeypatch.undo()
    assert all(site.pages[f"/season/{name}"] == data for name, data in stored(tmp_path / "raw").items())
    assert not [*(tmp_path / "raw").glob(".*")]
    assert fetch(site, tmp_path / "raw") == 0
    assert len(stored(tmp_path / "raw")) == 3


@pytest.mark.slow
def test_a_file_that_cannot_grow_is_an_error(site: Site, tmp_path: Path) -> None:
    """A real short write: no file may be larger than a page and a half."""
    site.pages[PAGE] += b"<!-- " + b"x" * 20_000 + b" -->"
    prepare = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000)); "
    argv = ["--source", site.url, "--allow-host", "127.0.0.1", "--out", str(tmp_path), "--delay", "0"]
    code = f"{prepare}from friends_corpus.fetch import main; raise SystemExit(main({argv!r}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.returncode == 1
    assert "File too large; what was fetched is kept" in run.stderr
    assert {*stored(tmp_path)} == {"0101.html"}
    assert not [*tmp_path.glob(".*")]
    assert fetch(site, tmp_path) == 0


@pytest.mark.parametrize("out", ["file", "file/below"])
def test_an_out_that_is_no_folder_is_an_error(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str], out: str
) -> None:
    (tmp_path / "file").write_text("x")
    argv = ["--source", site.url, "--allow-host", "127.0.0.1", "--out", str(tmp_path / out)]
    assert command.main(argv) == 1
    assert str(tmp_path / "file") in capsys.readouterr().err
    assert not site.log


def test_a_folder_of_other_pages_is_not_written_to(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "0102.html").write_text("mine")
    assert command.main(["--source", site.url, "--allow-host", "127.0.0.1", "--out", str(tmp_path)]) == 1
    assert "holds 0102.html but no pages.jsonl of ours; choose another --out" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["0102.html"]


@pytest.mark.attack("the user's files", "journals and lists of pages")
@pytest.mark.parametrize("make", [Path.symlink_to, Path.hardlink_to], ids=["link", "second-name"])
@pytest.mark.parametrize("content", [b"mine\n", b"mine", None])
def test_records_are_not_followed(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str], make: Callable[[Path, Path], None], content: Any
) -> None:
    mine, out = tmp_path / "diary.txt", tmp_path / "out"
    out.mkdir()
    if content is not None:
        mine.write_bytes(content)
    elif make is Path.hardlink_to:
        pytest.skip("there is no second name of nothing")
    make(out / "pages.jsonl", mine)
    assert command.main(["--source", site.url, "--allow-host", "127.0.0.1", "--out", str(out), "--delay", "0"]) == 1
    assert "pages.jsonl is a link or no file; put a copy" in capsys.readouterr().err
    assert (mine.read_bytes() if mine.exists() else None) == content
    assert [path.name for path in out.iterdir()] == ["pages.jsonl"]


@pytest.mark.attack("fetch", "damaged pages and records")
@pytest.mark.parametrize(
    ("make", "said"),
    [
        pytest.param(os.mkfifo, "is a link or no file", id="pipe"),
        pytest.param(lambda path: path.write_text('{"text": "a line of mine'), "is not of this program", id="anothers"),
        pytest.param(lambda path: path.write_text("a\nb"), "is not of this program", id="text"),
        pytest.param(os.mkdir, "Is a directory", id="folder"),
    ],
)
def test_records_that_are_not_ours(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str], make: Callable[[Path], Any], said: str
) -> None:
    records = tmp_path / "pages.jsonl"
    make(records)
    before = records.read_text() if records.is_file() else ""
    assert command.main(["--source", site.url, "--allow-host", "127.0.0.1", "--out", str(tmp_path)]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert said in line
    assert before == (records.read_text() if records.is_file() else "")


# ---------------------------------------------------------------- the index


INDEXES = [  # links, and the (path, name) pairs and errors they give
    pytest.param('<a href="0101.html">x</a><a href="./0101.html#a">x</a>', {"/0101.html": "0101.html"}, id="twice"),
    pytest.param('<a href="s01e02-pilot.htm">x</a>', {"/s01e02-pilot.htm": "0102.html"}, id="loose-name"),
    pytest.param('<a href="page7.html">908 - A Title</a>', {"/page7.html": "0908.html"}, id="number-in-text"),
    pytest.param('<a href="0212-13.html">x</a>', {"/0212-13.html": "0212-0213.html"}, id="short-range"),
    pytest.param('<a href="0423uncut.html">x</a>', {"/0423uncut.html": "0423uncut.html"}, id="variant"),
    pytest.param('<a href="0423-0424.html">x</a>', {"/0423-0424.html": "0423.html"}, id="our-own-name"),
    pytest.param('<a href="07outtakes.html">x</a>', {"/07outtakes.html": "07outtakes.html"}, id="no-number"),
    pytest.param('<base href="/season/"><a href="0101.html">x</a>', {"/season/0101.html": "0101.html"}, id="base"),
    pytest.param('<base href="http://["><a href="0101.html">x</a>', {"/0101.html": "0101.html"}, id="broken-base"),
    pytest.param('<a href="get?id=s01e01">1</a>', {"/get?id=s01e01": "cannot tell"}, id="number-in-query"),
    pytest.param('<a href="about.html">About</a>', {"/about.html": "cannot tell"}, id="not-to-be-told"),
    pytest.param('<a href="a/0101.html">x</a><a href="b/0101.html">x</a>',
                 {"/a/0101.html": "0101.html", "/b/0101.html": "is 0101.html as well, like http://a.org/a/0101.html"}, id="two-of-one"),
    pytest.param('<a href="https://b.org/0101.html">x</a>', {"https://b.org/0101.html": "at another site"}, id="elsewhere"),
    pytest.param('<a href="https://b.org/about">x</a><a href="mailto:a@b.org">x</a><a href="#x">x</a><a href="/">x</a>'
                 '<a href="0101.pdf">x</a><a>x</a>', {}, id="no-pages"),
    pytest.param('<a href="..%2f..%2f0101.html">x</a>', {"/..%2f..%2f0101.html": "0101.html"}, id="traversal"),
    pytest.param('<a href="0101%00.html">x</a>', {"/0101%00.html": "cannot tell"}, id="nul"),
    pytest.param(f'<a href="{"9" * 300}.html">x</a>', {f"/{'9' * 300}.html": "cannot tell"}, id="300-digits"),
    pytest.param('<a href="http://me:pw@a.org/0101.html">x</a>', {"http://me:pw@a.org/0101.html": "no web address"}, id="password"),
    pytest.param('<a href="http://[/0101.html">x</a>', {"http://[/0101.html": "no web address"}, id="broken"),
]  # fmt: skip


@pytest.mark.attack("fetch", "indexes of any kind")
@pytest.mark.parametrize(("html", "expected"), INDEXES)
def test_index(html: str, expected: Mapping[str, str]) -> None:
    found = {
        page.url.removeprefix("http://a.org"): page for page in read_index(html.encode(), "http://a.org/", friends())
    }
    assert {*found} == {*expected}
    for path, page in found.items():
        assert expected[path] in (page.name or page.error)


@pytest.mark.attack("fetch", "indexes of any kind")
@pytest.mark.parametrize(
    ("html", "pages"),
    [
        pytest.param("<div>" * 100_000 + '<a href="0101.html">x</a>', 1, id="nested"),
        pytest.param('<a href="0101.html">' * 5_000, 1, id="links-in-links"),
        pytest.param("<b>" * 100_000, 0, id="bold"),
        pytest.param('<a href="0101.html">' + "<i>x" * 100_000, 1, id="nested-text"),
        pytest.param(f'<a href="{"x" * 500_000}">x</a>', 1, id="long-address"),
        pytest.param(f'<a href="x.html">{"1" * 500_000}</a>', 1, id="long-title"),
        pytest.param("", 0, id="empty"),
        pytest.param("\0\x01 ", 0, id="controls"),
    ],
)
def test_an_index_costs_little(html: str, pages: int) -> None:
    began = time.process_time()
    assert len(list(read_index(html.encode(), "http://a.org/", friends()))) == pages
    assert time.process_time() - began < 10  # 0.5 s on two busy cores


@pytest.mark.attack("fetch", "indexes of any kind")
def test_an_index_of_a_million_links_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "site").mkdir()
    links = "".join(f"<a href={number:x}>" for number in range(100_000))
    (tmp_path / "site" / "index.html").write_text(links)
    assert command.main(["--source", str(tmp_path / "site"), "--out", str(tmp_path / "out")]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert "index.html: more than 5,000 links" in line
    (tmp_path / "site" / "index.html").write_text(links * 20)
    assert command.main(["--source", str(tmp_path / "site"), "--out", str(tmp_path / "other")]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert "larger than 2,000,000 bytes" in line


REAL_INDEX = PAGES.parent / "index.html"


@pytest.mark.skipif(not REAL_INDEX.exists(), reason="the archive's index is not here")
def test_every_page_of_the_archive_gets_a_name_of_its_own() -> None:
    wanted = list(read_index(REAL_INDEX.read_bytes(), friends().archive, friends()))
    assert len({page.name for page in wanted}) == len(wanted) > 200
    for page in wanted:
        printed = page.url.rpartition("/")[2]
        assert not page.error
        assert identify(page.name, "", friends()) == identify(printed, "", friends())
        assert friends().page_url(page.name) == page.url  # so that cards link to the page a line came from


def test_a_page_that_is_no_index_is_an_error(site: Site, tmp_path: Path) -> None:
    with pytest.raises(Failed, match="no link to a transcript page"):
        fetch(f"{site.url}season/0101.html", tmp_path)


@pytest.mark.attack("fetch", "indexes of any kind")
@pytest.mark.parametrize("fault", [faulty.status(404), faulty.reset, faulty.redirect("http://127.0.0.2/")])
def test_without_an_index_there_is_nothing_to_fetch(site: Site, tmp_path: Path, fault: Fault) -> None:
    site.fault("/", fault)
    with pytest.raises(Failed, match="without the index no page can be fetched"):
        fetch(site, tmp_path)


def test_links_that_cannot_be_told_are_failures(site: Site, tmp_path: Path) -> None:
    site.pages["/"] += b'<a href="about.html">About us</a>'
    assert fetch(site, tmp_path) == 1
    assert "cannot tell the season and episode" in errors(tmp_path)[""]
    assert len(stored(tmp_path)) == 3


# ---------------------------------------------------------------- folders, other options


def mirror(folder: Path) -> Path:
    for path, data in site_pages().items():
        file = folder / (path.strip("/") or "index.html")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return folder


def test_a_folder_is_a_site_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.getaddrinfo", lambda *_: pytest.fail("no network"))
    folder, out = mirror(tmp_path / "a mirror"), tmp_path / "raw"
    assert command.main(["--source", str(folder), "--out", str(out)]) == 0
    assert stored(out) == {f"{name}.html": site_pages()[f"/season/{name}.html"] for name in NAMES}
    before = (out / "0101.html").stat().st_mtime_ns
    assert command.main(["--source", str(folder), "--out", str(out)]) == 0
    assert (out / "0101.html").stat().st_mtime_ns == before


@pytest.mark.attack("fetch", "addresses that are not public")
def test_a_folder_gives_no_file_outside_of_it(tmp_path: Path) -> None:
    folder = mirror(tmp_path / "mirror")
    (tmp_path / "0105.html").write_text(invented_page(5))
    (folder / "0106.html").symlink_to(tmp_path / "0105.html")
    (folder / "0107.html").mkdir()
    os.mkfifo(folder / "0108.html")
    hrefs = ["../0105.html", "/etc/0104.html", "0106.html", "0107.html", "0108.html", "0109.html", "..%2f0105.html"]
    (folder / "index.html").write_text(INDEX + "".join(f'<a href="{href}">x</a>' for href in hrefs))
    assert fetch(str(folder), tmp_path / "raw") == len(hrefs)
    assert {*stored(tmp_path / "raw")} == {f"{name}.html" for name in NAMES}
    found = errors(tmp_path / "raw")
    assert (
        "outside of" in found["0105.html"]
        and "outside of" in found["0106.html"]
        and "no such file" in found["0107.html"]
    )


@pytest.mark.parametrize(
    ("argv", "code", "error"),
    [
        (["--source", "{here}"], 1, "no index.html in this folder"),
        (["--source", "ftp://a.org/"], 1, "no web address"),
        (["--source", "file:///etc/"], 1, "no web address"),
        (["--source", "http://me:pw@a.org/"], 1, "password"),
        (["--source", "{here}", "--warc", "x.warc.gz"], 1, "leave it out"),
        (["--show", "{here}"], 2, "show.yaml: cannot be read"),
    ],
)
def test_bad_arguments(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], argv: list[str], code: int, error: str
) -> None:
    argv = [word.replace("{here}", str(tmp_path)) for word in argv]
    assert command.main([*argv, "--out", str(tmp_path / "raw")]) == code
    said = capsys.readouterr().err
    assert error in said and said.startswith("error: ") and said.count("\n") == 1


@pytest.mark.parametrize("delay", ["-1", "nan", "inf", "x", ""])
def test_bad_delays(delay: str) -> None:
    with pytest.raises(SystemExit) as end:
        command.main([f"--delay={delay}"])
    assert end.value.code == 2


def test_warc(site: Site, tmp_path: Path) -> None:
    warcio = pytest.importorskip("warcio.archiveiterator")
    site.fault(PAGE, faulty.packed())
    warc = tmp_path / "pages.warc.gz"
    argv = ["--source", site.url, "--allow-host", "127.0.0.1", "--out", str(tmp_path / "raw"), "--delay", "0"]
    assert command.main([*argv, "--warc", str(warc)]) == 0
    with warc.open("rb") as file:
        bodies = {
            record.rec_headers["WARC-Target-URI"]: record.content_stream().read()
            for record in warcio.ArchiveIterator(file, check_digests="raise")
            if record.rec_type == "response"
        }
    assert bodies == {f"{site.url}{path.strip('/')}": data for path, data in site.pages.items()}
    assert command.main([*argv, "--warc", str(warc)]) == 1  # never a file that is there


def test_help_is_quick_and_light() -> None:
    probe = "import sys; sys.argv = ['x', '--help']; import runpy, atexit;"
    probe += (
        "atexit.register(lambda: print(sorted({'httpx2', 'bs4', 'protego', 'stamina', 'pandas'} & set(sys.modules))));"
    )
    probe += "runpy.run_module('friends_corpus.fetch', run_name='__main__')"
    run = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    assert run.stdout.rstrip().endswith("[]"), run.stdout + run.stderr
