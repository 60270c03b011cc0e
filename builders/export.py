"""python -m builders.export: export a dataset folder as JSON Lines, CSV or a ConvoKit corpus.

CSV cells that a spreadsheet would run as a formula get a leading apostrophe; lists are written as JSON; an empty cell
is null or an empty text. To read the text back exactly, take one apostrophe off the cells that begin with apostrophes
followed by one of = + - @, a tab or a line end (also full-width).
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from friends_corpus.core.cli import InputError, exit_code

if TYPE_CHECKING:
    from friends_corpus.core.manifest import Manifest


FORMATS = ("jsonl", "csv", "convokit")
FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")  # "=SUM(A1)", "-- what?", "'=": what OWASP lists; and escaped ones


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 exported, 1 could not write, 2 bad usage or no dataset folder."""
    parser = argparse.ArgumentParser(
        prog="python -m builders.export", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("folder", type=Path, metavar="FOLDER", help="dataset folder")
    add("--format", choices=FORMATS, required=True, help="convokit: one corpus of all lines, scenes as conversations")
    add("--config", metavar="NAME", help="only this config (default: all)")
    add("--raw", action="store_true", help="csv: texts as they are, also those that a spreadsheet takes for formulas")
    add("--out", type=Path, metavar="DIR", help="new folder (default: FOLDER-FORMAT in the current folder)")
    options = parser.parse_args(arguments)
    if options.format == "convokit" and options.config not in (None, "lines"):
        parser.error("--format convokit is made of lines; leave out --config")
    if options.raw and options.format != "csv":
        parser.error("--raw is for --format csv; the others are raw")
    out = options.out or Path(f"{options.folder.resolve().name}-{options.format}")
    written: dict[str, int] = {}

    def report() -> None:
        for name, rows in written.items():
            print(f"{out / name}  {rows:,} {'row' if rows == 1 else 'rows'}" if rows else out / name)

    return exit_code(
        lambda: written.update(export(options.folder, out, options.format, options.config, options.raw)),
        "nothing was exported",
        out,
    ) or exit_code(report, f"{out} is whole", "stdout")


def export(folder: Path, out: Path, format: str, config: str | None, raw: bool = False) -> dict[str, int]:
    """Write the new folder `out` and return the row count of each file. Raises InputError, OSError.

    `config`: only this one; `raw`: CSV without apostrophes before formulas.
    """
    from friends_corpus.core.files import heal, staged

    from .folder.lock import locked
    from .folder.manifest import need_manifest

    manifest = need_manifest(folder)
    source = "lines" if format == "convokit" else config
    if source and source not in manifest["configs"]:
        raise InputError(f"{folder} has no config {source}; it has {', '.join(manifest['configs'])}")
    configs = [source] if source else list(manifest["configs"])
    out = out.resolve()

    def check_new() -> None:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise InputError(f"{out} already exists; remove it or choose another --out")

    check_new()
    written: Counter[str] = Counter()
    with locked(out), ExitStack() as stack:
        heal(out)
        staging = stack.enter_context(staged(out, check_new))
        opened: dict[str, IO[str]] = {}
        for name, text, rows in pieces(folder, manifest, format, configs, raw):
            if name not in opened:
                (staging / name).parent.mkdir(exist_ok=True)
                opened[name] = stack.enter_context((staging / name).open("w", encoding="utf-8", newline=""))
            opened[name].write(text)
            written[name] += rows
    return dict(written)


def pieces(
    folder: Path, manifest: Manifest, format: str, configs: Sequence[str], raw: bool
) -> Iterator[tuple[str, str, int]]:
    """Yield (file name, a piece of its text, the number of rows in the piece)."""
    import json

    from friends_corpus.core.parquet import read_rows

    from .checks.integrity import need_part
    from .interop.convokit import convokit_files

    if format == "convokit":
        splits = manifest["configs"]["lines"]["splits"]
        rows = ((split, row) for split in splits for row in need_part(folder, manifest, "lines", split).rows)
        yield from ((name, text, name == "utterances.jsonl") for name, text in convokit_files(rows, manifest))
        return
    for config in configs:
        for split, file in manifest["configs"][config]["splits"].items():
            name = f"{config}/{split}.{format}"
            for number, row in enumerate(read_rows(folder / file["path"])):
                if format == "jsonl":
                    yield name, json.dumps(row, ensure_ascii=False) + "\n", 1
                else:
                    head = "\ufeff" + csv_line(list(row)) if number == 0 else ""  # BOM, so that Excel reads UTF-8
                    yield name, head + csv_line([csv_cell(value, raw) for value in row.values()]), 1


def csv_cell(value: Any, raw: bool = False) -> str:
    """Return a value as the text of a CSV cell.

    >>> csv_cell("-- what?", raw=True)
    '-- what?'
    >>> csv_cell(None), csv_cell(3), csv_cell(["Joey", "Ross"]), csv_cell("-- what?"), csv_cell("'=")
    ('', '3', '["Joey", "Ross"]', "'-- what?", "''=")
    """
    import json

    if value is None:
        return ""
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    text = str(value)
    return f"'{text}" if not raw and FORMULA.match(text) else text


def csv_line(cells: Sequence[str]) -> str:
    r"""Return a CSV record (RFC 4180) with every cell quoted.

    >>> csv_line(["a", "b, c"])
    '"a","b, c"\r\n'
    """
    import csv
    import io

    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerow(cells)
    return text.getvalue()


if __name__ == "__main__":
    sys.exit(main())
