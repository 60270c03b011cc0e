"""Tell whether a folder is already what a build would write: by content, never by dates; in doubt, build.

The same pages, parameters, code and libraries give the same bytes, so a finished build leaves a note beside the page
cache: what went in → the manifest that came out. The folder is kept if its manifest is that one and its files are as
the manifest lists them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from builders.page_cache import cache
from friends_corpus.core.files import sha256_of
from friends_corpus.core.fingerprint import hash_code
from friends_corpus.core.manifest import MANIFEST
from friends_corpus.core.ownership import describe_files

from .manifest import read_manifest

PACKAGES = ("friends_corpus", "builders", "cards")  # all of their code, templates and data, but:
NOT_WRITING = ("crawling", "fetch.py")  # what gets pages and decides nothing about a folder
LIBRARIES = tuple("datasets huggingface_hub jinja2 lxml matplotlib numpy pandas pillow pyarrow pyyaml".split())


def fingerprint(pages: Sequence[Path], parameters: Sequence[Any]) -> str | None:
    """Return a hash over everything that a folder is built from, or None if a page cannot be read."""
    try:
        contents = sorted((repr(page.name), sha256_of(page)) for page in pages)
    except OSError:
        return None
    code = [hash_code(package, without=NOT_WRITING) for package in PACKAGES]
    whole = [contents, parameters, code, [version(library) for library in LIBRARIES]]
    return hashlib.sha256(json.dumps(whole).encode()).hexdigest()


def recall(cache_folder: Path, mark: str, out: Path) -> Any | None:
    """Return what `remember` kept for the files of `out`; None where they are not just these."""
    note = cache.load(cache_folder.with_name("builds"), mark)
    if note is None or not (out / MANIFEST).is_file() or sha256_of(out / MANIFEST) != note["manifest"]:
        return None
    return note["outcome"] if describe_files(out, MANIFEST) == read_manifest(out)["files"] else None


def remember(cache_folder: Path, mark: str, out: Path, outcome: Mapping[str, Any]) -> None:
    """Leave the note for `recall`; it only saves time, so a full disk is no failure."""
    note = {"manifest": sha256_of(out / MANIFEST), "outcome": outcome}
    with suppress(OSError):
        cache.store(cache_folder.with_name("builds"), mark, note)
