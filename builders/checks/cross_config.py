"""Rules between rows: splits share no episode, and the other configs follow from `lines`.

Rows that break a rule of their own are not compared: what stands here can rely on builders.checks.row_rules.
"""

from collections.abc import Callable, Iterator, Sequence

from builders.configs.lines import EPISODE_COLUMNS, Row
from builders.configs.named_lines import SEPARATOR, name_lines, named
from builders.configs.schema import to_table
from builders.configs.tables import DERIVED, RowSettings
from builders.folder.violation import Violation, differ
from builders.folder.write import parquet_path
from friends_corpus.core.cli import shorten
from friends_corpus.core.ids import episode_of, scene_of
from friends_corpus.core.manifest import MANIFEST, Manifest

from .integrity import Part

PRINTED = "text_with_directions"


def check_agreement(parts: Sequence[Part], manifest: Manifest) -> Iterator[Violation]:
    """Compare rows with other rows and with the manifest; files that are not in `parts` are skipped."""
    of = {(part.config, part.split): part for part in parts}
    for lines in [part for part in parts if part.config == "lines"]:
        yield from check_splits(lines, manifest)
        yield from check_constant(lines, (*EPISODE_COLUMNS, "source"), "episode", episode_of)
        yield from check_constant(lines, ("scene_heading",), "scene", scene_of)
        for config, expected in follow_from(lines.rows, manifest).items():
            part = of.get((config, lines.split))
            if part:
                yield from check_rows_follow(part, expected)
            elif expected and lines.split not in manifest["configs"].get(config, {"splits": {}})["splits"]:
                yield Violation(parquet_path(config, lines.split), "is missing: it follows from lines")
            if part and config == "chunks":
                yield from check_scripts(part, lines.rows)


def check_splits(lines: Part, manifest: Manifest) -> Iterator[Violation]:
    """Check that every episode is in its split and from its page; at most one violation per episode."""
    split_of = {id: split for split, ids in manifest["splits"].items() for id in ids}
    page_of = {page["episode"]: page["page"] for page in manifest["pages"] if "episode" in page}
    first: dict[str, tuple[int, Row]] = {}
    for number, row in enumerate(lines.rows):
        first.setdefault(episode_of(row["id"]), (number, row))
    for episode, (number, row) in first.items():
        if episode not in split_of:
            yield lines.wrong(number, "id", f"episode {episode!r} is not in {MANIFEST}")
        elif split_of[episode] != lines.split:
            yield lines.wrong(number, "id", f"episode {episode} belongs to {split_of[episode]}, says {MANIFEST}")
        if row["source"] != page_of.get(episode, row["source"]):
            yield lines.wrong(number, "source", f"is {row['source']!r}, but {MANIFEST} says {page_of[episode]!r}")


def check_constant(lines: Part, columns: Sequence[str], of: str, key: Callable[[str], str]) -> Iterator[Violation]:
    """Check that columns have the same value in all rows of an episode or a scene."""
    first: dict[str, Row] = {}
    for number, row in enumerate(lines.rows):
        known = first.setdefault(key(row["id"]), row)
        for column in columns:
            if row[column] != known[column]:
                yield lines.wrong(number, column, f"differs within the {of}", differ(row[column], known[column]))


def follow_from(lines: Sequence[Row], manifest: Manifest) -> dict[str, list[Row]]:
    """Make the rows of the other configs of the lines of a split; chunks without the script lines between turns."""
    settings = RowSettings.of(manifest["show"], manifest["parameters"])
    printed = {line["id"]: named(line["speaker"], line[PRINTED]) for line in lines}
    derived = {config: derive(lines, printed, settings) for config, derive in DERIVED.items()}
    return {"named_lines": name_lines(to_table("lines", lines)).to_pylist(), **derived}


def check_rows_follow(part: Part, expected: Sequence[Row]) -> Iterator[Violation]:
    """Check that the rows are exactly those derived from the lines: none added, missing or different."""
    missing = {row["id"]: row for row in expected}
    for number, row in enumerate(part.rows):
        made = missing.pop(row["id"], None)
        if made is None:
            yield part.wrong(number, "id", "follows from no line")
            continue
        for column, value in made.items():
            if row[column] != value and (part.config, column) != ("chunks", PRINTED):
                yield part.wrong(number, column, "does not follow from lines", differ(row[column], value))
    for id in missing:
        yield Violation(part.path, "lacks a row that follows from lines", detail=id)


def check_scripts(chunks: Part, lines: Sequence[Row]) -> Iterator[Violation]:
    """Check that a printed chunk holds the turns of its lines in order, and no other turns.

    A turn without speech is no line, but it has a number. Directions printed between turns are in no other row, so
    that whether they are the page's cannot be told here; how many they are, stats.json tells.
    """
    by_id = {line["id"]: line for line in lines}
    speakers = {line["speaker"] for line in lines}
    taken = {(line["source"], line["position"]) for line in lines}
    for number, chunk in enumerate(chunks.rows):
        members = [by_id[id] for id in chunk["line_ids"] if id in by_id]
        turns = [named(line["speaker"], line[PRINTED]) for line in members]
        positions = [line["position"] for line in members] or [0]
        count = 0
        for line in chunk[PRINTED].split("\n"):
            if count < len(turns) and line == turns[count]:
                count += 1
                continue
            free = positions[count] - 1 if count < len(turns) else positions[-1] + 1
            if line.partition(SEPARATOR)[0] in speakers and (free < 0 or (chunk["source"], free) in taken):
                yield chunks.wrong(number, PRINTED, "has a turn that is not one of its lines", shorten(repr(line)))
        if count < len(turns):
            yield chunks.wrong(number, PRINTED, "lacks a turn of its lines", shorten(repr(turns[count])))
