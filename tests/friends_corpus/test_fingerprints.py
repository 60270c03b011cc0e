"""What was made before is believed as long as nothing that made it has changed: the parser's version and the stamp."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
from test_house_rules import MAY_IMPORT, ROOT, imports

from friends_corpus.parsing.version import CORE, ROOMS

READERS = (
    "friends_corpus.formats.pages",
    "friends_corpus.parsing.script",
    "friends_corpus.parsing.normalise",
    "friends_corpus.parsing.version",
)
MOVES_BYTES = {"friends_corpus/core/cache.py", "friends_corpus/core/files.py"}  # an entry is signed
CHANGED_BY = {  # a file that is touched, or added where there is none → what is not believed afterwards
    "friends_corpus/crawling/site.py": set(),
    "friends_corpus/fetch.py": set(),
    "friends_corpus/formats/html.py": {"parser", "stamp"},
    "friends_corpus/parsing/new.py": {"parser", "stamp"},
    "friends_corpus/formats/room/new.py": {"parser", "stamp"},
    "friends_corpus/core/model.py": {"parser", "stamp"},
    "friends_corpus/core/ngrams.py": {"stamp"},
    "friends_corpus/speakers.csv": {"show", "stamp"},
    "builders/page_cache/pages.py": {"reader", "stamp"},
    "builders/configs/chunks.py": {"stamp"},
    "builders/room/new.py": {"stamp"},
    "cards/templates/dataset.md": {"stamp"},
}
PROBE = """
import json, sys
from importlib import reload
from pathlib import Path
from builders.folder.up_to_date import fingerprint
from builders.page_cache import pages
from friends_corpus.parsing import version
from friends_corpus.show.config import friends, read_show

def fingerprints():
    read_show.cache_clear()
    show, parser, reader = friends().version, reload(version).PARSER_VERSION, reload(pages).READER
    return {"show": show, "parser": parser, "reader": reader, "stamp": fingerprint([], [])}

before, changed = fingerprints(), []
for path in map(Path, sys.argv[1:]):
    kept = path.read_bytes() if path.exists() else None
    path.parent.mkdir(exist_ok=True)
    path.write_bytes((kept or b"") + b"\\n")
    changed.append([name for name, value in fingerprints().items() if value != before[name]])
    path.write_bytes(kept) if kept else path.unlink()
    assert fingerprints() == before
print(json.dumps(changed))
"""


def import_closure(*modules: str) -> set[str]:
    """Return the files of modules of ours, and of all that these import, lazy imports included."""
    closure: set[str] = set()
    waiting = list(modules)
    while waiting:
        path = ROOT.joinpath(*waiting.pop().split("."))
        file = path.with_suffix(".py") if path.with_suffix(".py").is_file() else path / "__init__.py"
        name = file.relative_to(ROOT).as_posix()
        if name not in closure:
            closure.add(name)
            waiting += [name for name in imports(file) if name.split(".")[0] in MAY_IMPORT]
    return closure


def test_the_version_covers_all_that_reads_a_page() -> None:
    closure = import_closure(*READERS)
    assert {"friends_corpus/formats/html.py", "friends_corpus/show/speakers.py"} <= closure
    rooms = tuple(f"friends_corpus/{room}/" for room in ROOMS)
    assert {file for file in closure if not file.startswith(rooms)} == {f"friends_corpus/{file}" for file in CORE}
    kept = import_closure("builders.page_cache.pages") - closure
    assert {file for file in kept if not file.startswith("builders/page_cache/")} == MOVES_BYTES


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """What changes in a copy of the packages, file by file."""
    copy = tmp_path_factory.mktemp("copy")
    for package in ("friends_corpus", "builders", "cards"):
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    command = [sys.executable, "-c", PROBE, *CHANGED_BY]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=True)
    return dict(zip(CHANGED_BY, map(set, json.loads(done.stdout)), strict=True))


@pytest.mark.parametrize("file", CHANGED_BY)
def test_what_a_change_invalidates(file: str, changed: dict[str, set[str]]) -> None:
    assert changed[file] == CHANGED_BY[file]
