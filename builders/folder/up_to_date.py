"""Tell whether a folder is already what a build would write: by content, never by dates; in doubt, build.

The same pages, parameters, code and libraries give the same bytes, so a finished build leaves a note in the
cache: what went in → the manifest that came out. The folder is kept if its manifest is that one and its files are as
the manifest lists them.
"""

import hashlib
import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from friends_corpus.core.cache import load, open_cache, store
from friends_corpus.core.files import sha256_of
from friends_corpus.core.fingerprint import hash_code
from friends_corpus.core.manifest import MANIFEST
from friends_corpus.core.ownership import describe_files

from .manifest import read_manifest

PACKAGES = ("friends_corpus", "builders", "cards")  # all of their code, templates and data, but:
NOT_WRITING = ("crawling", "fetch.py")  # what gets pages and decides nothing about a folder
LIBRARIES = tuple("datasets huggingface_hub jinja2 lxml matplotlib numpy pandas pillow pyarrow pyyaml".split())


class Outcome(TypedDict):
    """What a build has to say: a summary, a line for each page left out, and how it ended."""

    summary: str
    warnings: list[str]  # of pages that were left out, or that look wrong
    end: str


def fingerprint(pages: Sequence[Path], parameters: Sequence[Any]) -> str | None:
    """Return a hash over everything that a folder is built from, or None if a page cannot be read."""
    try:
        contents = sorted((repr(page.name), sha256_of(page)) for page in pages)
    except OSError:
        return None
    code = [hash_code(package, without=NOT_WRITING) for package in PACKAGES]
    whole = [contents, parameters, code, [version(library) for library in LIBRARIES]]
    return hashlib.sha256(json.dumps(whole).encode()).hexdigest()


def recall(mark: str, out: Path) -> Outcome | None:
    """Return what `remember` kept for the files of `out`; None where they are not just these."""
    notes, manifest = open_cache("builds", quiet=True), out / MANIFEST
    outcome = load(notes, f"{mark}.{sha256_of(manifest)}", Outcome) if notes and manifest.is_file() else None
    return outcome if outcome and describe_files(out, MANIFEST) == read_manifest(out)["files"] else None


def remember(mark: str, out: Path, outcome: Outcome) -> None:
    """Leave the note for `recall`."""
    if notes := open_cache("builds", quiet=True):
        store(notes, f"{mark}.{sha256_of(out / MANIFEST)}", outcome)
