"""Everything a build found → the files of the dataset folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from builders.configs.lines import Row
from builders.configs.tables import episodes_of
from builders.reports import card
from builders.reports.croissant import CROISSANT, make_croissant
from builders.reports.quality import REPORT, render_quality
from builders.splitting.leakage import abridged
from builders.splitting.splits import SPLITS
from friends_corpus.core.files import sha256_of
from friends_corpus.core.manifest import MANIFEST, content_version
from friends_corpus.parsing.version import PARSER_VERSION
from friends_corpus.show.config import Show

from .manifest import describe_files, make_manifest, to_json

ROWS_PER_GROUP = 10_000  # a few MB: the Hub's viewer and streaming readers fetch whole groups
STATS = "stats.json"
CARD = "README.md"


def write_dataset(
    folder: Path,
    show: Show,
    version: str,
    sample: bool,
    parameters: Mapping[str, Any],
    rows: Mapping[str, pa.Table],
    splits: Mapping[str, str],
    stats: Mapping[str, Any],
    pages: Sequence[Mapping[str, Any]],
    failed_pages: Sequence[Mapping[str, Any]],
    drawn: Callable[[], object],
) -> None:
    """Fills a folder: Parquet files, stats, quality report, card, manifest.

    `sample`: whether all pages are the project's invented ones; `rows`: config → its rows in order; `splits`: episode
    id → split; `drawn` waits for the plots, which are put there meanwhile. The bytes depend on nothing else but the
    installed versions of pyarrow, datasets and matplotlib.
    """
    software = {"parser": PARSER_VERSION, **{name: installed(name) for name in ("datasets", "pyarrow", "matplotlib")}}
    configs = {config: write_config(folder, config, config_rows, splits) for config, config_rows in rows.items()}
    (folder / STATS).write_text(to_json(stats), encoding="utf-8")
    (folder / REPORT).write_text(render_quality(stats), encoding="utf-8")
    (folder / CROISSANT).write_text(to_json(make_croissant(show, version, sample, configs)), encoding="utf-8")
    examples = {config: example(config_rows) for config, config_rows in rows.items()}
    text = card.render_card(show, version, sample, parameters, software, configs, examples, stats, pages, failed_pages)
    (folder / CARD).write_text(text, encoding="utf-8")
    drawn()  # else the manifest would not list them
    manifest = make_manifest(
        show=show,
        version=version,
        sample=sample,
        parameters=parameters,
        software=software,
        pages=pages,
        failed_pages=failed_pages,
        splits={split: sorted(id for id in splits if splits[id] == split) for split in SPLITS},
        configs=configs,
        dropped=stats["dropped"],
        leakage=abridged(stats["leakage"]),
        files=describe_files(folder),
    )
    (folder / MANIFEST).write_text(to_json(manifest), encoding="utf-8")


def write_config(folder: Path, config: str, rows: pa.Table, splits: Mapping[str, str]) -> dict[str, Any]:
    """One Parquet file for each split that has episodes. Returns the config's part of the manifest."""
    (folder / config).mkdir()
    written = {}
    episodes = episodes_of(rows)
    for split in SPLITS:
        table = rows.filter(pc.is_in(episodes, pa.array([id for id in splits if splits[id] == split], pa.string())))
        if len(table):
            path = parquet_path(config, split)
            pq.write_table(
                table.combine_chunks(),
                folder / path,
                compression="zstd",
                row_group_size=ROWS_PER_GROUP,
                write_page_index=True,
            )
            size = (folder / path).stat().st_size
            written[split] = {
                "path": path,
                "rows": len(table),
                "bytes": size,
                "arrow_bytes": table.nbytes,
                "sha256": sha256_of(folder / path),
            }
    version = content_version(f"{split} {file['sha256']}" for split, file in written.items())
    return {"version": version, "splits": written}


def parquet_path(config: str, split: str) -> str:
    """Where the rows of a split are, in the folder.

    >>> parquet_path("lines", "test")
    'lines/test-00000-of-00001.parquet'
    """
    return f"{config}/{split}-00000-of-00001.parquet"


def example(rows: pa.Table) -> Row:
    """A row that shows all: the first one with a stage direction; where no row has any, the first one."""
    with_directions = None
    if "text" in rows.column_names:
        with_directions = pc.index(pc.not_equal(rows["text"], rows["text_with_directions"]), True).as_py()
    row: Row = rows.slice(max(0, with_directions or 0), 1).to_pylist()[0]
    return row
