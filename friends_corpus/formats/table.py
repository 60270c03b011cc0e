"""Tables of lines: CSV, TSV and Parquet with a speaker and a text in each row."""

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

from friends_corpus.core.model import Block, Page, ParseError, Run

from .html import decode

PARQUET = b"PAR1"
LONGEST_CELL = 100_000  # characters
HEADER_BYTES = 4096
NAMES = {  # of columns, in the order in which they are looked for
    "speaker": ("speaker", "author", "character", "name", "person", "speaker_name"),
    "text": ("text", "quote", "line", "dialogue", "dialog", "transcript", "utterance", "sentence"),
    "season": ("season", "season_number", "season_id"),
    "episode": ("episode", "episode_number", "episode_id", "ep"),
    "title": ("episode_title", "title"),
    "scene": ("scene", "scene_id", "scene_number"),
}
NO_SPEAKER = frozenset(("", "na", "nan", "none", "null", "scene directions", "stage directions", "#all#"))

Columns = Mapping[str, str]  # what is needed -> what the table calls it


def is_table(data: bytes, columns: Columns) -> bool:
    """Tell whether a file is a table with a column of speakers and one of texts, or should be by `columns`.

    >>> is_table(b"author,quote\\nJoey,Hi\\n", {}), is_table(b"Joey: Hi, all\\n", {})
    (True, False)
    """
    if data.startswith(PARQUET):
        return True
    names = _header(decode(data[:HEADER_BYTES]))
    return bool(names) and (bool(columns) or {"speaker", "text"} <= set(_find(names, columns)))


def read_table(data: bytes, columns: Columns) -> list[Page]:
    """Return one page for each episode of a table, its rows in order: the speaker is a label, the text the speech.

    Raises ParseError for a table whose columns cannot be told.
    """
    names, rows = _parquet(data) if data.startswith(PARQUET) else _csv(decode(data))
    where = _find(names, columns)
    for need in ("speaker", "text"):
        if need not in where:
            raise ParseError(
                f"no column of the {need} (it has {', '.join(names)[:200]}); name it with --columns {need}=COLUMN"
            )
    episodes: dict[str, list[Block]] = {}
    scenes: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        cells = {need: row[index].strip() if index < len(row) else "" for need, index in where.items()}
        locator = _locator(cells, number) if "episode" in where else ""
        blocks = episodes.setdefault(locator, [])
        if not blocks and cells.get("title"):
            blocks.append(Block((Run(cells["title"]),), heading=True))
        scene = cells.get("scene", "")
        if scene and scenes.get(locator, scene) != scene:
            blocks.append(Block((Run(scene),), role="heading"))
        scenes[locator] = scene or scenes.get(locator, "")
        blocks += _turn(cells["speaker"], " ".join(cells["text"].split()))
    return [Page(tuple(blocks), locator) for locator, blocks in episodes.items()]


def _turn(speaker: str, text: str) -> Iterator[Block]:
    if speaker.casefold() in NO_SPEAKER:
        if text:
            yield Block((Run(text),), role="direction")
    elif text:
        yield Block((Run(speaker, bold=True),), role="label")
        yield Block((Run(text),), paragraph=False, role="speech")


def _locator(cells: Mapping[str, str], number: int) -> str:
    """Return "S01E03" of a row. Raises ParseError."""
    try:
        season = int(float(cells.get("season") or 1))
        episode = int(float(cells["episode"]))
    except ValueError:
        raise ParseError(
            f"row {number}: season {cells.get('season')!r:.40} and episode {cells['episode']!r:.40} must be numbers; "
            "correct the row"
        ) from None
    return f"S{season:02}E{episode:02}"


def _find(names: list[str], columns: Columns) -> dict[str, int]:
    """Return where the needed columns are. Raises ParseError for one of `columns` that is not there."""
    lowered = [name.strip().casefold() for name in names]
    found = {}
    for need, usual in NAMES.items():
        if need in columns:
            if columns[need].casefold() not in lowered:
                raise ParseError(f"no column {columns[need]!r} (it has {', '.join(names)[:200]}); correct --columns")
            found[need] = lowered.index(columns[need].casefold())
        else:
            index = next((lowered.index(name) for name in usual if name in lowered), None)
            if index is not None and index not in found.values():
                found[need] = index
    return found


def _header(text: str) -> list[str]:
    """Return the names in the first line of a CSV or TSV text; none where it is neither."""
    line = text.removeprefix("\ufeff").lstrip().split("\n", 1)[0].rstrip("\r")
    separator = max("\t,;|", key=line.count)
    try:
        names = next(csv.reader([line], delimiter=separator), []) if line.count(separator) else []
    except csv.Error:
        return []
    return names if all(0 < len(name.strip()) <= 60 for name in names) else []


def _csv(text: str) -> tuple[list[str], list[list[str]]]:
    text = text.removeprefix("\ufeff")
    line = text.lstrip().split("\n", 1)[0]
    csv.field_size_limit(LONGEST_CELL)
    try:
        names, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=max("\t,;|", key=line.count))
    except (csv.Error, ValueError) as error:
        raise ParseError(f"a table that cannot be read ({error}); save it again as CSV") from None
    return names, [row for row in rows if row]


def _parquet(data: bytes) -> tuple[list[str], list[list[str]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table: Any = pq.read_table(pa.BufferReader(data))
        columns = [["" if value is None else str(value) for value in column.to_pylist()] for column in table.columns]
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ParseError(f"a Parquet file that cannot be read ({str(error)[:120]}); write it again") from None
    return list(table.schema.names), [list(row) for row in zip(*columns, strict=True)]
