"""Read pages, kept between builds under `$XDG_CACHE_HOME/friends-corpus/pages`: one entry per file of pages.

The key covers all that decides the result (the file's bytes and name, the parser), so an entry is never out of date.
Entries are JSON behind their own checksum: a damaged one is as good as none.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from friends_corpus.core.files import write_whole
from friends_corpus.core.fingerprint import hash_code

READER = hash_code("builders", ["page_cache"])  # what is kept of a page, and how it is encoded


def key(file: str, sha256: str, parser: str) -> str:
    """Return the entry's file name."""
    return hashlib.sha256(json.dumps([READER, file, sha256, parser]).encode()).hexdigest()


def load(folder: Path, key: str) -> Any | None:
    """Return what `store` kept, or None where there is no whole entry."""
    try:
        checksum, _, payload = (folder / key).read_bytes().partition(b"\n")
    except OSError:
        return None
    return json.loads(payload) if hashlib.sha256(payload).hexdigest().encode() == checksum else None


def store(folder: Path, key: str, value: Any) -> None:
    """Keep a JSON value; the entry appears whole or not at all, also with several builds at once."""
    payload = json.dumps(value, separators=(",", ":")).encode()
    folder.mkdir(parents=True, exist_ok=True)
    content = hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload
    write_whole(folder / key, content, durable=False)  # a damaged entry is as good as none
