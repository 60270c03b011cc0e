"""Write the files of the dataset folder."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from builders.assemble import Corpus
from builders.configs.lines import Row
from builders.configs.schema import CONFIGS
from builders.configs.tables import episodes_of
from builders.reports.card import render_card
from builders.reports.croissant import CROISSANT, make_croissant
from builders.reports.quality import REPORT, render_quality
from builders.splitting.splits import SPLITS
from friends_corpus.core.files import sha256_of
from friends_corpus.core.manifest import MANIFEST, Config, Manifest, Split, SplitFile, content_version
from friends_corpus.core.ownership import describe_files

from .manifest import make_manifest, to_json

ROWS_PER_GROUP = 10_000  # a few MB: the Hub's viewer and streaming readers fetch whole groups
STATS = "stats.json"
CARD = "README.md"


def write_dataset(folder: Path, corpus: Corpus, version: str, drawn: Callable[[], object]) -> None:
    """Fill a folder: Parquet files, stats, quality report, card, manifest.

    `drawn` waits for the plots, which are put there meanwhile. The bytes depend on nothing else but the installed
    versions of pyarrow, datasets and matplotlib.
    """
    configs = {config: write_config(folder, config, rows, corpus.splits) for config, rows in corpus.tables.items()}
    manifest = make_manifest(corpus, version, {name: config for name, config in configs.items() if config["splits"]})
    for name, text in derived_files(manifest, corpus).items():
        (folder / name).write_text(text, encoding="utf-8")
    drawn()  # else the manifest would not list them
    manifest["files"] = describe_files(folder, MANIFEST)
    (folder / MANIFEST).write_text(to_json(manifest), encoding="utf-8")


def derived_files(manifest: Manifest, corpus: Corpus) -> dict[str, str]:
    """Return the text files that follow from rows and manifest, by name."""
    examples = {config: example(corpus.tables[config]) for config in manifest["configs"]}
    return {
        STATS: to_json(corpus.stats),
        REPORT: render_quality(corpus.stats),
        CROISSANT: to_json(make_croissant(manifest)),
        CARD: render_card(manifest, corpus.stats, examples),
    }


def write_config(folder: Path, config: str, rows: pa.Table, splits: Mapping[str, Split]) -> Config:
    """Write one Parquet file for each split that has rows; return the config's part of the manifest."""
    written: dict[Split, SplitFile] = {}
    for split in SPLITS[:1] if CONFIGS[config].whole else SPLITS:
        table = rows
        if not CONFIGS[config].whole:
            in_split = pa.array([id for id in splits if splits[id] == split], pa.string())
            table = rows.filter(pc.is_in(episodes_of(rows), in_split))
        if len(table):
            path = parquet_path(config, split)
            (folder / config).mkdir(exist_ok=True)
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
    return {"version": content_version(written), "splits": written}


def parquet_path(config: str, split: str) -> str:
    """Return the path of a split's Parquet file within the folder.

    >>> parquet_path("lines", "test")
    'lines/test-00000-of-00001.parquet'
    """
    return f"{config}/{split}-00000-of-00001.parquet"


def example(rows: pa.Table) -> Row:
    """Return an example row: the first with a stage direction, else the first."""
    with_directions = None
    if "text" in rows.column_names:
        with_directions = pc.index(pc.not_equal(rows["text"], rows["text_with_directions"]), True).as_py()
    return cast(Row, rows.slice(max(0, with_directions or 0), 1).to_pylist()[0])
