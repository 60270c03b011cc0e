"""python -m builders.align: join the lines of a dataset folder to another edition of the same dialogue.

The editions are aligned in order, by words, episode by episode; ids and line numbers need not agree. The result is a
Parquet file with a row for each pair: id, reference_id, match, similarity. `match` is

  exact    the same text
  words    the same words; case, accents or punctuation differ
  partial  similar words, at least half of them in common
  split    one utterance of the reference is several lines here
  merged   several utterances of the reference are one line here
  none     nothing like it on the other side: id or reference_id is null

`similarity` is the share of words in common (Indel), 0 to 1.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from typing_extensions import TypedDict

from friends_corpus.core.cli import InputError, complain, exit_code

if TYPE_CHECKING:
    from .configs.lines import Row
    from .interop.alignment import Match
    from .interop.reference import Reference

MATCHES = ("exact", "words", "partial", "split", "merged", "none")
SURE = 0.8  # the least similarity of a partial match that counts as aligned
DOUBTFUL = 0.5  # share of aligned utterances below which the two are probably not the same episodes


class Pair(TypedDict):
    """A row of the result."""

    id: str | None
    reference_id: str | None
    match: str
    similarity: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 aligned, 1 could not write, 2 bad usage or input."""
    parser = argparse.ArgumentParser(
        prog="python -m builders.align",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Example: python -m builders.align friends-lines emory/json --carry emotions.csv:emotion",
    )
    add = parser.add_argument
    add("folder", type=Path, metavar="FOLDER", help="dataset folder")
    add(
        "reference", type=Path, metavar="REFERENCE", help="Emory JSON, ConvoKit utterances.jsonl, R or MELD CSV; or DIR"
    )
    add("--out", type=Path, default=Path("alignment.parquet"), metavar="FILE", help="new file (default: %(default)s)")
    add("--errata", type=Path, metavar="FILE", help="also write the texts that differ to a new CSV file")
    add(
        "--carry",
        action="append",
        default=[],
        metavar="FILE:COLUMN",
        help="bring a column of a CSV file, which has the reference's numbers or ids, to our ids; repeatable",
    )
    options = parser.parse_args(arguments)
    return exit_code(lambda: align(options), "nothing was written", options.out)


def align(options: argparse.Namespace) -> None:
    """Align, write the files and print the summary. Raises InputError, OSError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from friends_corpus.core.files import check_new, open_new, replacing

    from .interop.reference import read_reference

    for out in filter(None, (options.out, options.errata)):
        check_new(out)
    carried = [read_carried(argument) for argument in options.carry]
    lines, references = read_lines(options.folder), read_reference(options.reference)
    spoken, unknown = by_episode(lines, [reference for reference in references if reference.text.strip()])
    pairs = [pair for id, theirs in spoken.items() for pair in align_episode(lines[id], theirs)]
    columns = {name: [pair[name] for pair in pairs] for name in Pair.__annotations__}  # type: ignore[literal-required]
    for name, values in carried:
        columns[name] = [values.get(pair["reference_id"] or "") for pair in pairs]
    with replacing(options.out) as part:
        pq.write_table(pa.table(columns), part)
    if options.errata:
        with open_new(options.errata) as file:
            write_errata(file, pairs, lines, references)
    print("\n".join(summarise(pairs, len(references) - sum(map(len, spoken.values())) - unknown, unknown)))
    reached = {pair["reference_id"] for pair in pairs if pair["id"]}
    known = {reference.id: bool(reference.text.strip()) for reference in references}
    for name, values in carried:
        silent, absent = sum(not known.get(id, True) for id in values), len(values.keys() - known.keys())
        print(
            f"carried   {name}: {len(reached & values.keys()):,} of {len(values):,} rows; "
            f"{silent:,} are of utterances without speech, {absent:,} of none in the reference"
        )
    print(f"wrote     {options.out}")


def read_lines(folder: Path) -> dict[str, list[Row]]:
    """Return the lines of a dataset folder in order, by episode id. Raises InputError."""
    from friends_corpus.core.ids import episode_of, numbers_of

    from .checks.integrity import need_part
    from .folder.manifest import need_manifest

    manifest = need_manifest(folder)
    rows = [
        row
        for split in manifest["configs"]["lines"]["splits"]
        for row in need_part(folder, manifest, "lines", split).rows
    ]
    episodes: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: numbers_of(row["id"])):
        episodes[episode_of(row["id"])].append(row)
    return episodes


def by_episode(
    lines: Mapping[str, Sequence[Row]], references: Sequence[Reference]
) -> tuple[dict[str, list[Reference]], int]:
    """Group a reference by our episode ids; also count what is of episodes that the dataset does not have."""
    ids = {(rows[0]["season"], number): id for id, rows in lines.items() for number in rows[0]["episodes"]}
    groups: dict[str, list[Reference]] = defaultdict(list)
    for reference in references:
        groups[ids.get((reference.season, reference.episode), "")].append(reference)
    return groups, len(groups.pop("", ()))


def align_episode(lines: Sequence[Row], references: Sequence[Reference]) -> Iterator[Pair]:
    """Yield the pairs of an episode, and what is on one side alone, in the order of the lines."""
    from .interop.alignment import align, words_of

    matches = align([words_of(row["text"]) for row in lines], [words_of(other.text) for other in references])
    at_line = at_reference = 0
    for match in [*matches, None]:
        ours, theirs = (match.ours, match.theirs) if match else (range(len(lines), -1), range(len(references), -1))
        yield from (_pair(lines[number]["id"], None) for number in range(at_line, ours.start))
        yield from (_pair(None, references[number].id) for number in range(at_reference, theirs.start))
        at_line, at_reference = ours.stop, theirs.stop
        for here in ours:
            for there in theirs if match else ():
                kind = kind_of(match, lines[here]["text"] == references[there].text) if match else ""
                yield _pair(lines[here]["id"], references[there].id, kind, match.similarity if match else 0)


def _pair(id: str | None, reference_id: str | None, match: str = "none", similarity: float = 0.0) -> Pair:
    return {"id": id, "reference_id": reference_id, "match": match, "similarity": round(similarity, 4)}


def kind_of(match: Match, same_text: bool) -> str:
    """Name the kind of a match."""
    if len(match.ours) > 1 or len(match.theirs) > 1:
        return "split" if len(match.ours) > 1 else "merged"
    return "exact" if same_text else "words" if match.similarity == 1 else "partial"


def summarise(pairs: Sequence[Pair], silent: int, unknown: int) -> Iterator[str]:
    """Yield the lines of the summary."""
    kinds = {pair["reference_id"]: pair for pair in pairs if pair["reference_id"]}
    counts = Counter(pair["match"] for pair in kinds.values())
    unsure = sum(pair["match"] == "partial" and pair["similarity"] < SURE for pair in kinds.values())
    aligned, total = len(kinds) - counts["none"] - unsure, max(1, len(kinds))
    ours = {pair["id"]: pair["match"] for pair in pairs if pair["id"]}
    here = sum(match != "none" for match in ours.values())
    yield f"aligned   {aligned:,} of {len(kinds):,} spoken utterances of the reference ({aligned / total:.2%})"
    yield f"          {here:,} of {len(ours):,} lines of these episodes"
    yield "          " + ", ".join(f"{counts[name]:,} {name}" for name in MATCHES)
    if unsure:
        yield f"          not counted as aligned: {unsure:,} partial ones below {SURE} similarity"
    if silent or unknown:
        yield f"left out  {silent:,} utterances without speech, {unknown:,} of episodes that the dataset does not have"
    if aligned < DOUBTFUL * total:
        complain("most of the reference has no line here; are these the same episodes of the same show?")


def read_carried(argument: str) -> tuple[str, dict[str, str]]:
    """Read FILE:COLUMN as (column, its values by reference id). Raises InputError."""
    from .interop.reference import key_of, read_rows

    name, _, column = argument.rpartition(":")
    if not name or not column:
        raise InputError(f"--carry {argument!r} is not FILE:COLUMN")
    path, column = Path(name), column.casefold()
    rows = read_rows(path)
    if column not in rows[0]:
        raise InputError(f"{path} has no column {column!r}; it has {', '.join(rows[0])}")
    if column in Pair.__annotations__:
        raise InputError(f"--carry {argument!r}: the result has a column {column} of its own; rename yours")
    values = {key_of(path, row): row[column] for row in rows}
    if len(values) < len(rows):
        raise InputError(f"{path}: {len(rows) - len(values):,} rows repeat the number of another; remove them")
    return column, values


def write_errata(
    file: IO[str], pairs: Sequence[Pair], lines: Mapping[str, list[Row]], others: Sequence[Reference]
) -> None:
    """Write both sides of every pair whose words differ, as CSV."""
    from .export import csv_cell, csv_line

    ours = {row["id"]: row for rows in lines.values() for row in rows}
    theirs = {other.id: other for other in others}
    file.write(csv_line([*Pair.__annotations__, "speaker", "reference_speaker", "text", "reference_text"]))
    for pair in pairs:
        if pair["match"] not in ("exact", "words"):
            line, other = ours.get(pair["id"] or ""), theirs.get(pair["reference_id"] or "")
            texts = (line and line["speaker"], other and other.speaker, line and line["text"], other and other.text)
            file.write(csv_line([csv_cell(value) for value in (*pair.values(), *texts)]))


if __name__ == "__main__":
    sys.exit(main())
