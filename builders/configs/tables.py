"""Episodes → the rows of every config: made as dicts, page by page, and kept as Arrow tables, which are far smaller."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from friends_corpus.core.ids import EPISODE_PART, SCENE_PART
from friends_corpus.core.model import Episode, Line

from .chat import candidates, chat_row
from .chunks import chunk_rows, printed_turns
from .lines import Row, line_rows
from .named_lines import name_lines
from .schema import to_table

BATCH = 5_000  # rows that are dicts at a time


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of each config in order, and why lines have no row of `chat` (reason → lines)."""

    tables: Mapping[str, pa.Table]
    no_chat: Counter[str]

    def marked(self, clusters: Mapping[str, str]) -> Rows:
        """The same with `dup_cluster` filled in; `clusters`: scene id → the cluster that it is in."""
        return replace(self, tables={config: mark_repeats(table, clusters) for config, table in self.tables.items()})


def make_rows(episodes: Iterable[Episode[Line]], title: str, characters: Sequence[str], chunk_chars: int) -> Rows:
    """All configs, episode by episode; `title` is the show's, `characters` are those who answer in `chat`."""
    waiting: dict[str, list[Row]] = {"lines": [], "chunks": [], "chat": []}
    done = {config: [to_table(config, [])] for config in waiting}
    no_chat: Counter[str] = Counter()

    def pack(least: int) -> None:
        for config, rows in waiting.items():
            if len(rows) >= least:
                done[config].append(to_table(config, rows))
                rows.clear()

    for episode in episodes:
        lines = line_rows(episode)
        waiting["lines"] += lines
        waiting["chunks"] += chunk_rows(lines, printed_turns(episode), chunk_chars)
        for line, earlier, reason in candidates(lines, characters):
            if reason:
                no_chat[reason] += 1
            else:
                waiting["chat"].append(chat_row(line, earlier, title))
        pack(BATCH)
    pack(1)
    tables = {config: pa.concat_tables(parts) for config, parts in done.items()}
    named_lines = name_lines(tables["lines"])
    return Rows({"lines": tables["lines"], "named_lines": named_lines, **tables}, no_chat)


def episodes_of(rows: pa.Table) -> pa.ChunkedArray:
    """The episode id in each row's id.

    >>> episodes_of(pa.table({"id": ["s01e01_c03_u0012"]})).to_pylist()
    ['s01e01']
    """
    return pc.struct_field(pc.extract_regex(rows["id"], EPISODE_PART), "episode")


def scenes_of(rows: pa.Table) -> pa.ChunkedArray:
    """The scene id in each row's id.

    >>> scenes_of(pa.table({"id": ["s01e01_c03_u0012"]})).to_pylist()
    ['s01e01_c03']
    """
    return pc.struct_field(pc.extract_regex(rows["id"], SCENE_PART), "scene")


def mark_repeats(rows: pa.Table, clusters: Mapping[str, str]) -> pa.Table:
    """The rows with the cluster of their scene, null for a scene that is in none.

    >>> rows = pa.table({"id": ["s01e01_c01_u0000", "s01e01_c02_u0001"], "dup_cluster": pa.nulls(2, pa.string())})
    >>> mark_repeats(rows, {"s01e01_c02": "d001"})["dup_cluster"].to_pylist()
    [None, 'd001']
    """
    place = rows.schema.get_field_index("dup_cluster")
    names = pa.array(clusters.values(), pa.string())
    found = pc.index_in(scenes_of(rows), pa.array(clusters.keys(), pa.string()))
    return rows.set_column(place, rows.schema.field(place), names.take(found))
