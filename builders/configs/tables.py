"""Make the rows of every config: as dicts, page by page, kept as Arrow tables, which are far smaller."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import pyarrow as pa
import pyarrow.compute as pc

from friends_corpus.core.ids import EPISODE_PART, SCENE_PART
from friends_corpus.core.manifest import Parameters, Show
from friends_corpus.core.model import Episode, Line
from friends_corpus.show.speakers import Known

from .chat import characters_of, chat_rows
from .chunks import chunk_rows, printed_turns
from .lines import Row, line_rows
from .named_lines import name_lines
from .schema import to_table
from .speakers import speaker_rows

BATCH = 5_000  # rows that are dicts at a time


Tables = Mapping[str, pa.Table]  # config → its rows in order
Derive = Callable[[Sequence[Row], Mapping[str, str], "RowSettings"], list[Row]]


@dataclass(frozen=True, slots=True)
class RowSettings:
    """What decides the rows besides the pages."""

    title: str  # of the show
    characters: Sequence[str]  # who answer in `chat`
    chunk_chars: int

    @classmethod
    def of(cls, show: Show, parameters: Parameters) -> RowSettings:
        """Take them from what the manifest says."""
        return cls(show["title"], characters_of(parameters["character"], show["cast"]), parameters["chunk_chars"])


# config → how its rows follow from those of `lines` and from their turns as printed, by line id; `named_lines` follows
# from the table
DERIVED: dict[str, Derive] = {
    "chunks": lambda lines, printed, settings: chunk_rows(lines, printed, settings.chunk_chars),
    "chat": lambda lines, printed, settings: chat_rows(lines, settings.title, settings.characters),
}


def make_rows(
    episodes: Iterable[Episode[Line]], settings: RowSettings, known: Mapping[str, Known] = MappingProxyType({})
) -> Tables:
    """Make the rows of all configs, episode by episode; `dup_cluster` is null everywhere.

    `known` is what the show tells of its speakers, by id.
    """
    waiting: dict[str, list[Row]] = {config: [] for config in ("lines", *DERIVED)}
    done = {config: [to_table(config, [])] for config in waiting}

    def pack(least: int) -> None:
        for config, rows in waiting.items():
            if len(rows) >= least:
                done[config].append(to_table(config, rows))
                rows.clear()

    for episode in episodes:
        lines = line_rows(episode)
        waiting["lines"] += lines
        printed = printed_turns(episode)
        for config, derive in DERIVED.items():
            waiting[config] += derive(lines, printed, settings)
        pack(BATCH)
    pack(1)
    tables = {config: pa.concat_tables(parts) for config, parts in done.items()}
    speakers = to_table("speakers", speaker_rows(tables["lines"], known))
    return {"lines": tables["lines"], "named_lines": name_lines(tables["lines"]), **tables, "speakers": speakers}


def episodes_of(rows: pa.Table) -> pa.ChunkedArray:
    """Return the episode id in the id of each row.

    >>> episodes_of(pa.table({"id": ["s01e01_c03_u0012"]})).to_pylist()
    ['s01e01']
    """
    return pc.struct_field(pc.extract_regex(rows["id"], EPISODE_PART), "episode")


def scenes_of(rows: pa.Table) -> pa.ChunkedArray:
    """Return the scene id in the id of each row.

    >>> scenes_of(pa.table({"id": ["s01e01_c03_u0012"]})).to_pylist()
    ['s01e01_c03']
    """
    return pc.struct_field(pc.extract_regex(rows["id"], SCENE_PART), "scene")


def mark_repeats(rows: pa.Table, clusters: Mapping[str, str]) -> pa.Table:
    """Fill in `dup_cluster`: the cluster of a row's scene, or null.

    >>> rows = pa.table({"id": ["s01e01_c01_u0000", "s01e01_c02_u0001"], "dup_cluster": pa.nulls(2, pa.string())})
    >>> mark_repeats(rows, {"s01e01_c02": "d001"})["dup_cluster"].to_pylist()
    [None, 'd001']
    """
    if "dup_cluster" not in rows.column_names:
        return rows
    index = rows.schema.get_field_index("dup_cluster")
    names = pa.array(clusters.values(), pa.string())
    scenes = pc.index_in(scenes_of(rows), pa.array(clusters.keys(), pa.string()))
    return rows.set_column(index, rows.schema.field(index), names.take(scenes))
