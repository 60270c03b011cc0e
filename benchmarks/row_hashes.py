"""Hashes of every row of a dataset, to see which rows a change of the code changes.

    python benchmarks/row_hashes.py [--record] [--pages ../shared/corpus/pages]

Prints the rows that are not as recorded in tests/guards/rows; `--record` writes them anew. A commit that changes rows
lists them and says why. The files hold hashes only: a line for each scene, six letters for each of its rows.
"""

import argparse
import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import pyarrow.parquet as pq

from friends_corpus.core.ids import scene_of

ROOT = Path(__file__).parents[1]
RECORDED = ROOT / "tests" / "guards" / "rows"
DEFAULT_PAGES = Path(os.environ.get("FRIENDS_CORPUS_PAGES", ROOT.parent / "shared" / "corpus" / "pages"))
LETTERS = 6  # of a hash: 36 bits
Hashes = dict[str, dict[str, list[tuple[str, str]]]]  # config → scene id → (row id, hash) of each row in order


def hash_rows(folder: Path) -> Hashes:
    """The hashes of all rows of a dataset folder; which split a row is in is part of its hash."""
    hashes: Hashes = {}
    for path in sorted(folder.glob("*/*.parquet")):
        split = path.name.partition("-")[0]
        scenes = hashes.setdefault(path.parent.name, {})
        for row in pq.read_table(path, partitioning=None).to_pylist():
            text = json.dumps([split, row], sort_keys=True, ensure_ascii=False, default=str)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode()[:LETTERS]
            id = row.get("id") or row["speaker_id"]
            scenes.setdefault(scene_of(id) or "-", []).append((id, digest))
    return hashes


def as_text(scenes: dict[str, list[tuple[str, str]]]) -> str:
    """The hashes of one config as they are recorded.

    >>> as_text({"s01e01_c01": [("s01e01_c01_u0000", "AbCdEf"), ("s01e01_c01_u0001", "gHiJkL")]})
    's01e01_c01 AbCdEf gHiJkL\\n'
    """
    return "".join(f"{scene} {' '.join(digest for _, digest in scenes[scene])}\n" for scene in sorted(scenes))


def changed_rows(hashes: Hashes, recorded: Path) -> Iterator[str]:
    """A line for each row that is not as recorded: "lines s01e01_c03_u0012"."""
    for config in sorted(hashes.keys() | {path.stem for path in recorded.glob("*.txt")}):
        file = recorded / f"{config}.txt"
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        then = {line.split()[0]: line.split()[1:] for line in text.splitlines()}
        now = hashes.get(config, {})
        for scene in sorted(then.keys() | now.keys()):
            pairs = zip_longest(now.get(scene, []), then.get(scene, []))
            for number, (row, before) in enumerate(pairs, start=1):
                if row is None:
                    yield f"{config} {scene}: row {number} is gone"
                elif row[1] != before:
                    yield f"{config} {row[0]}{' is new' if before is None else ''}"


def build(pages: Path | None, folder: Path) -> Hashes:
    """The hashes of a dataset that is built now, of the invented sample or of `pages`."""
    chosen = ["--pages", str(pages)] if pages else []
    command = [sys.executable, "-m", "builders.build", "--no-cache", "--out", str(folder), *chosen]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return hash_rows(folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=Path, default=DEFAULT_PAGES, metavar="DIR", help="folder of the real pages")
    parser.add_argument("--record", action="store_true", help="write the hashes of today")
    options = parser.parse_args()
    sources = {"sample": None, **({"pages": options.pages} if options.pages.is_dir() else {})}
    changed = []
    for name, pages in sources.items():
        with tempfile.TemporaryDirectory() as parent:
            hashes = build(pages, Path(parent, "friends-lines"))
        changed += [f"{name}: {row}" for row in changed_rows(hashes, RECORDED / name)]
        if options.record:
            (RECORDED / name).mkdir(parents=True, exist_ok=True)
            for config, scenes in hashes.items():
                (RECORDED / name / f"{config}.txt").write_text(as_text(scenes), encoding="utf-8")
    print("\n".join(changed) or "no row has changed")
    return 1 if changed and not options.record else 0


if __name__ == "__main__":
    sys.exit(main())
