"""The folder of fetched pages: their bytes as served, and pages.jsonl, which says where each came from and when.

pages.jsonl only ever grows, by one line of JSON for each event:

    {"event": "start", "source": …, "at": …}                     a run; "end" closes it, with counts
    {"event": "page", "name": "0101.html", "url": …, "final_url": …, "status": 200, "sha256": …, "bytes": …,
     "headers": {…}, "at": …}                                    fetched and stored
    {"event": "unchanged", "name": …, "url": …, "sha256": …, "headers": {…}, "at": …}    asked again, still the same
    {"event": "failed", "name": …, "url": …, "error": …, "at": …}

A page's file is written aside, synced and renamed into place, and only then its line is written and synced, too: after
a kill at any moment a line tells the truth, and a file without a line is fetched again.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Required, Self

from typing_extensions import TypedDict

from friends_corpus.core.cli import Failed
from friends_corpus.core.files import sha256_of, sweep, write_whole
from friends_corpus.core.reader import checked, json_values

if TYPE_CHECKING:
    from .links import Get
    from .transport import Reply

RECORDS = "pages.jsonl"
BEGINNING = b'{"event": "'  # of every line of it
KEPT = ("url", "final_url", "sha256")  # of a page, beside its headers
INDEX = "index"  # the file of the index page; no .html, or it would count as a transcript
NOT_KEPT = frozenset(("set-cookie", "set-cookie2"))  # headers that may hold a secret

Record = dict[str, Any]


class Line(TypedDict, total=False):
    """What is read back of a line of pages.jsonl; which of it there is depends on the event."""

    event: Required[str]
    source: str
    name: str
    url: str
    final_url: str
    sha256: str
    headers: dict[str, str]


class Archive:
    """An open archive folder, locked against other runs. Made by `opened`."""

    def __init__(self, folder: Path, descriptor: int) -> None:
        self.folder, self._descriptor = folder, descriptor
        self.healed = self._heal()
        self.stored: dict[str, Record] = {}  # name → its last "page" or "unchanged", headers of both merged
        self.checked: set[str] = set()  # names that the last run, interrupted, has asked for already
        self.source = ""  # of that run
        self.unreadable = 0
        for line in (folder / RECORDS).read_bytes().splitlines():
            try:
                self._learn(checked(json_values(line), Line))
            except (ValueError, KeyError, RecursionError):
                self.unreadable += 1

    @classmethod
    @contextmanager
    def opened(cls, folder: Path) -> Iterator[Self]:
        """Open the archive of a folder, made if need be. Raises Failed, OSError."""
        records = folder / RECORDS
        ours = os.path.lexists(records)
        if folder.is_dir() and not ours:
            foreign = [path.name for path in folder.iterdir() if path.suffix.lower() in (".html", ".htm")]
            if foreign:
                raise Failed(f"{folder} holds {min(foreign)} but no {RECORDS} of ours; choose another --out")
        folder.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(records, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENXIO):
                raise Failed(f"{records} is a link or no file; put a copy of the file in its place") from None
            raise
        try:
            known = os.fstat(descriptor)
            if not stat.S_ISREG(known.st_mode) or known.st_nlink > 1:  # another name of it would grow as well
                raise Failed(f"{records} is a link or no file; put a copy of the file in its place")
            written = records.read_bytes() if ours else b""
            if not BEGINNING.startswith(written[: len(BEGINNING)]) and b"\n" + BEGINNING not in written:
                raise Failed(f"{records} is not of this program; choose another --out")
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # gone with the process, however it ends
            except BlockingIOError:
                raise Failed(f"another fetch is writing {folder}; wait for it or choose another --out") from None
            sweep(folder)
            yield cls(folder, descriptor)
        finally:
            os.close(descriptor)

    def _heal(self) -> bool:
        """Cut off the torn last line that a kill or a full disk left; True if there was one."""
        data = (self.folder / RECORDS).read_bytes()
        torn = len(data) - (data.rfind(b"\n") + 1)
        if torn:
            os.ftruncate(self._descriptor, len(data) - torn)
            os.fsync(self._descriptor)
        return bool(torn)

    def _learn(self, record: Mapping[str, Any]) -> None:
        event = record["event"]
        if event in ("page", "unchanged"):
            known = self.stored.get(record["name"], {})
            headers = {**known.get("headers", {}), **record["headers"]} if event == "unchanged" else record["headers"]
            self.stored[record["name"]] = {key: record[key] for key in KEPT} | {"headers": headers}
            self.checked.add(record["name"])
        elif event == "end" or (event == "start" and record["source"] != self.source):
            self.checked.clear()
            self.source = record["source"]

    def state(self, name: str, url: str) -> str:
        """Tell what is here of a page.

        "good", "missing", "damaged" (other bytes than fetched) or "moved" (other address). Raises OSError.
        """
        record = self.stored.get(name)
        if record is None or not (self.folder / name).exists():
            return "missing"
        if sha256((self.folder / name).read_bytes()).hexdigest() != record["sha256"]:
            return "damaged"
        return "good" if record["url"] == url else "moved"

    def validators(self, name: str) -> dict[str, str]:
        """Return headers that ask for a page only if it has changed.

        Where the site gave no date of change, the date of its answer serves.
        """
        headers = self.stored[name]["headers"]
        validators = {"If-None-Match": headers.get("etag")}
        validators["If-Modified-Since"] = headers.get("last-modified") or headers.get("date")
        return {
            header: value for header, value in validators.items() if value and value.isascii() and value.isprintable()
        }

    def twin(self, name: str, body: bytes) -> str:
        """Return the name of another page with the same bytes, or "".

        Many sites answer 200 for pages they do not have.
        """
        digest = sha256(body).hexdigest()
        twins = (other for other, record in self.stored.items() if record["sha256"] == digest and other != name)
        return next(twins, "")

    def begin(self, source: str) -> None:
        """Record that a run starts. `checked` are the names that an interrupted run of the same source leaves it."""
        self._append({"event": "start", "source": source, "at": stamp()})

    def end(self, source: str, counts: Mapping[str, int]) -> None:
        """Record that a run has asked for every page."""
        self._append({"event": "end", "source": source, **counts, "at": stamp()})

    def keep(self, name: str, url: str, reply: Reply) -> bool:
        """Store a page; False if the same bytes were here already, then no file is written. Raises OSError."""
        digest = sha256(reply.body).hexdigest()
        same = self.state(name, url) in ("good", "moved") and self.stored[name]["sha256"] == digest
        if not same:
            self._set_aside(name, digest)
            write_whole(self.folder / name, reply.body)
        record = {"event": "unchanged" if same else "page", "name": name, "url": url, "final_url": reply.url}
        size = {"status": reply.status, "sha256": digest, "bytes": len(reply.body)}
        self._append({**record, **size, "headers": kept_headers(reply), "at": stamp()})
        return not same

    def _set_aside(self, name: str, digest: str) -> None:
        """Keep under another name a file that is neither what was fetched before nor what will be written."""
        path, known = self.folder / name, self.stored.get(name, {}).get("sha256")
        if os.path.lexists(path) and (path.is_symlink() or sha256_of(path) not in (known, digest)):
            aside = path.with_name(f"{name}.kept-{secrets.token_hex(4)}")
            path.rename(aside)
            print(f"note: {path} is not what was fetched; it is {aside.name} now", file=sys.stderr)

    def confirm(self, name: str, url: str, reply: Reply) -> None:
        """Record a page that the site says has not changed."""
        record = {"event": "unchanged", "name": name, "url": url, "final_url": reply.url, "status": reply.status}
        digest = self.stored[name]["sha256"]
        self._append({**record, "sha256": digest, "headers": kept_headers(reply), "at": stamp()})

    def fail(self, name: str, url: str, error: str, status: int | None) -> None:
        """Record a page that could not be had; what was here of it stays."""
        self._append({"event": "failed", "name": name, "url": url, "status": status, "error": error, "at": stamp()})

    def _append(self, record: Record) -> None:
        line = json.dumps(record, ensure_ascii=True).encode() + b"\n"
        written = os.write(self._descriptor, line)
        if written < len(line):
            os.write(self._descriptor, line[written:])  # says why: the disk is full
        os.fsync(self._descriptor)
        self._learn(record)


def kept_headers(reply: Reply) -> dict[str, str]:
    """Return the headers of an answer by lower-case name, without cookies."""
    return {name: value for name, value in reply.headers.items() if name not in NOT_KEPT}


def stamp() -> str:
    """Return the time, as in 2026-11-23T08:19:00Z."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@contextmanager
def recorded(get: Get, path: Path, tool: str) -> Iterator[Get]:
    """Wrap `get` so that it adds each page, as it came over the wire, to the new WARC file `path`.

    Needs warcio; ImportError without it. Raises OSError.
    """
    from io import BytesIO

    from warcio.statusandheaders import StatusAndHeaders  # type: ignore[import-untyped]
    from warcio.warcwriter import WARCWriter  # type: ignore[import-untyped]

    dropped = NOT_KEPT | {"transfer-encoding"}  # the chunks are joined
    with path.open("xb") as file:
        writer = WARCWriter(file, gzip=True)
        about = {"software": tool, "format": "WARC File Format 1.0"}
        writer.write_record(writer.create_warcinfo_record(path.name, about))

        def get_and_record(url: str, conditions: Mapping[str, str]) -> Reply:
            reply = get(url, conditions)
            if reply.status == 200:
                headers = [(name, value) for name, value in reply.headers.multi_items() if name not in dropped]
                http = StatusAndHeaders("200 OK", headers, protocol="HTTP/1.1")
                body = BytesIO(reply.wire)
                writer.write_record(writer.create_warc_record(reply.url, "response", payload=body, http_headers=http))
                file.flush()
            return reply

        yield get_and_record
