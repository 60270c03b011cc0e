"""The one reader of Parquet files: a kilobyte of one can say gigabytes, so its metadata is looked at first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cli import in_short
from .reader import Unreadable, check_regular

if TYPE_CHECKING:
    import pyarrow as pa

MOST = {"rows": 5_000_000, "columns": 200, "row groups": 5_000, "bytes uncompressed": 1 << 29}  # Friends: 30 MB
BATCH = 10_000  # rows; fewer where a single value may be long


def batches(path: Path, data: bytes | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file, or of its bytes, piece by piece, after a piece without rows. Raises Unreadable."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _readable(path), pq.ParquetFile(path if data is None else pa.BufferReader(data)) as file:
        about = file.metadata
        _limit("rows", about.num_rows)
        _limit("columns", about.num_columns)
        _limit("row groups", about.num_row_groups)
        groups = [about.row_group(number) for number in range(about.num_row_groups)]
        chunks = [group.column(number) for group in groups for number in range(about.num_columns)]
        sizes = [_limit("bytes uncompressed", chunk.total_uncompressed_size) for chunk in chunks]
        _limit("bytes uncompressed", sum(sizes))
        if any("dictionary<" in str(column.type) for column in file.schema_arrow):
            raise ValueError("it has a column of the type dictionary, which may repeat a long text for ever")
        yield pa.RecordBatch.from_pylist([], file.schema_arrow)
        per_batch = min(BATCH, MOST["bytes uncompressed"] // max([*sizes, 1]))  # each row may repeat the longest value
        total = 0
        for batch in file.iter_batches(per_batch):
            batch.validate(full=True)  # that text is text
            total = _limit("bytes uncompressed", total + batch.nbytes)
            yield batch


def read_table(path: Path, data: bytes | None = None) -> pa.Table:
    """Return the rows of a file as a table. Raises Unreadable."""
    import pyarrow as pa

    return pa.Table.from_batches(batches(path, data)).combine_chunks()


def read_rows(path: Path, data: bytes | None = None) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file, never all at once in memory. Raises Unreadable."""
    with _readable(path):
        for batch in batches(path, data):
            yield from batch.to_pylist()


def _limit(what: str, number: int) -> int:
    if not 0 <= number <= MOST[what]:
        raise ValueError(f"it has {number:,} {what}, not at most {MOST[what]:,}")
    return number


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        check_regular(path)
        yield
    except Unreadable:
        raise
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        why = getattr(error, "strerror", None) or f"no Parquet file: {in_short(error)}"
        raise Unreadable(path, why, "build the dataset again") from None
