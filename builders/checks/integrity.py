"""Check files against the manifest, and the schema and length of the Parquet files."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from datasets import Features

from builders.configs.lines import Row
from builders.configs.schema import CONFIGS
from builders.folder.violation import Violation
from builders.splitting.splits import SPLITS
from friends_corpus.core.cli import InputError
from friends_corpus.core.files import sha256_of
from friends_corpus.core.manifest import MANIFEST, Manifest, SplitFile
from friends_corpus.core.ownership import SYSTEM_FILES
from friends_corpus.core.parquet import read_table
from friends_corpus.core.reader import Unreadable, json_values

FROM_THE_HUB = frozenset((".git", ".gitattributes", ".cache"))  # what git and the Hub's client put beside the files


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one Parquet file; `path` is relative to the folder."""

    config: str
    split: str
    path: str
    rows: Sequence[Row]

    def wrong(self, row: int, column: str, rule: str, detail: str = "") -> Violation:
        """Return a violation in one cell."""
        return Violation(self.path, rule, row, self.rows[row][CONFIGS[self.config].key] or "", column, detail)


def check_files(folder: Path, manifest: Manifest) -> Iterator[Violation]:
    """Check that every listed file has its hash and no other exists; git, Hub and desktop files are ignored."""
    for path, entry in manifest["files"].items():
        file = folder / path
        if not file.is_file():
            yield Violation(path, "is missing")
        elif file.stat().st_size != entry["bytes"]:
            yield Violation(path, f"has {file.stat().st_size:,} bytes, not {entry['bytes']:,} as in {MANIFEST}")
        elif sha256_of(file) != entry["sha256"]:
            yield Violation(path, f"does not have the sha256 in {MANIFEST}")
    known = {MANIFEST, *manifest["files"]}
    for file in sorted(folder.rglob("*")):
        relative = file.relative_to(folder)
        ignored = relative.parts[0] in FROM_THE_HUB or relative.name in SYSTEM_FILES
        if relative.as_posix() not in known and not ignored and (file.is_symlink() or not file.is_dir()):
            yield Violation(relative.as_posix(), f"is not in {MANIFEST}")


def read_parts(folder: Path, manifest: Manifest) -> tuple[list[Part], list[Violation]]:
    """Read the Parquet files whose schema is right, and list what is wrong with the others.

    A file that is missing is named by `check_files` alone.
    """
    parts, violations = [], []
    for config, described in manifest["configs"].items():
        for split in SPLITS:
            entry = described["splits"].get(split)
            if entry is None or not (folder / entry["path"]).is_file():
                continue
            path = entry["path"]
            try:
                table = read_table(folder / path)
            except Unreadable as error:
                violations.append(Violation(path, "cannot be read", detail=error.why))
                continue
            wrong = schema_differences(path, table.schema, CONFIGS[config].features)
            violations += wrong
            if table.num_rows != entry["rows"]:
                violations.append(
                    Violation(path, f"has {table.num_rows:,} rows, not {entry['rows']:,} as in {MANIFEST}")
                )
            if not wrong:
                parts.append(Part(config, split, path, table.to_pylist()))
    return parts, violations


def need_part(folder: Path, manifest: Manifest, config: str, split: str) -> Part:
    """Return one file, which has the schema of its config. Raises InputError."""
    splits: Mapping[Any, SplitFile] = manifest["configs"][config]["splits"] if config in manifest["configs"] else {}
    if config not in CONFIGS or split not in splits:
        raise InputError(f"{folder}: manifest.json lists no {config} of {split}; run: python -m builders.check")
    path = splits[split]["path"]
    table = read_table(folder / path)
    for violation in schema_differences(path, table.schema, CONFIGS[config].features):
        raise InputError(f"{folder / str(violation)}; run: python -m builders.check")
    return Part(config, split, path, table.to_pylist())


def schema_differences(path: str, schema: pa.Schema, features: Features) -> list[Violation]:
    """List schema differences: missing, unknown or retyped columns, their order, the `datasets` metadata."""
    expected = features.arrow_schema
    violations = [Violation(path, "is missing", column=name) for name in expected.names if name not in schema.names]
    violations += [Violation(path, "is unknown", column=name) for name in schema.names if name not in expected.names]
    for name in [name for name in expected.names if schema.names.count(name) == 1]:
        is_type, type = schema.field(name).type, expected.field(name).type
        if is_type != type:
            violations.append(Violation(path, f"is of type {is_type}, not {type}", column=name))
    if not violations and schema.names != expected.names:
        violations.append(Violation(path, f"has its columns in the order {', '.join(schema.names)}"))
    if not violations and _written_features(schema) != _written_features(expected):
        violations.append(Violation(path, "the Features in its metadata are not those of builders.configs.schema"))
    return violations


def _written_features(schema: pa.Schema) -> Any:
    """Return the features that `datasets` wrote into the metadata, or None if they are invalid."""
    try:
        return json_values(schema.metadata[b"huggingface"])["info"]["features"]
    except (TypeError, KeyError, ValueError, RecursionError):
        return None
