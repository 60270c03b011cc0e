"""Files against the manifest: present, whole, no others; Parquet files of the right schema and length, read back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Features
from pydantic import BaseModel, Field, ValidationError

from .folder import SYSTEM_FILES
from .lines import Row
from .manifest import MANIFEST, content_version, sha256_of
from .schema import FEATURES, MAY_BE_MISSING
from .splits import SPLITS
from .violation import Violation

FROM_THE_HUB = frozenset((".git", ".gitattributes", ".cache"))  # what git and the Hub's client put beside the files


class File(BaseModel):
    """A file of the folder."""

    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class SplitFile(File):
    """A Parquet file."""

    path: str
    rows: int = Field(gt=0)
    arrow_bytes: int = Field(ge=0)


class Config(BaseModel):
    """A config of the dataset."""

    version: str
    splits: dict[Literal["train", "validation", "test"], SplitFile] = Field(min_length=1)


class ShownShow(BaseModel):
    """The show that the dataset is of."""

    title: str
    cast: list[str]


class Page(BaseModel):
    """A page that was read: shipped (episode and split) or not (reason)."""

    page: str
    sha256: str
    episode: str | None = None
    split: str | None = None
    reason: str | None = None


class Manifest(BaseModel):
    """What manifest.json must hold; it may hold more."""

    builder: Literal["friends-corpus"]
    dataset: str
    show: ShownShow
    version: str = Field(pattern=r"^(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}$")
    sample: bool
    parameters: dict[str, Any]
    software: dict[str, str]
    configs: dict[str, Config]
    splits: dict[Literal["train", "validation", "test"], list[str]]
    files: dict[str, File]
    pages: list[Page]


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one Parquet file; `path` is relative to the folder."""

    config: str
    split: str
    path: str
    rows: Sequence[Row]

    def wrong(self, row: int, column: str, rule: str, detail: str = "") -> Violation:
        """A violation in one cell."""
        return Violation(self.path, rule, row, self.rows[row]["id"] or "", column, detail)


def check_shape(manifest: Mapping[str, Any]) -> list[Violation]:
    """Whether everything is there and of the right type.

    >>> print(check_shape({"builder": "friends-corpus"})[0])
    manifest.json: dataset: Field required
    """
    try:
        Manifest.model_validate(manifest, strict=True)
    except ValidationError as error:
        places = [(".".join(map(str, problem["loc"])), problem["msg"]) for problem in error.errors()]
        return [Violation(MANIFEST, f"{place}: {message}") for place, message in places]
    return []


def check_manifest(manifest: Mapping[str, Any]) -> list[Violation]:
    """Its shape; if that is right, whether its parts agree."""
    if wrong := check_shape(manifest):
        return wrong
    read = Manifest.model_validate(manifest)
    missing = [name for name in FEATURES if name not in read.configs and name not in MAY_BE_MISSING]
    found = [Violation(MANIFEST, f"configs: {name!r} is missing") for name in missing]
    found += [Violation(MANIFEST, f"configs: {name!r} is unknown") for name in read.configs if name not in FEATURES]
    outside = [path for path in read.files if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts]
    found += [Violation(MANIFEST, f"files: {path!r} leaves the folder") for path in outside]
    for config, part in read.configs.items():
        for split, file in part.splits.items():
            listed = read.files.get(file.path)
            if listed is None or (listed.sha256, listed.bytes) != (file.sha256, file.bytes):
                found.append(Violation(MANIFEST, f"configs: {config}.{split} and files do not agree on {file.path!r}"))
        if part.version != content_version(f"{split} {file.sha256}" for split, file in part.splits.items()):
            found.append(Violation(MANIFEST, f"configs: {config}.version does not follow from the hashes"))
    return found


def check_files(folder: Path, manifest: Mapping[str, Any]) -> list[Violation]:
    """Every file present with its hash, and no other one. Files of git, the Hub's client and desktops do not count."""
    found = []
    for path, entry in manifest["files"].items():
        file = folder / path
        if not file.is_file():
            found.append(Violation(path, "is missing"))
        elif file.stat().st_size != entry["bytes"]:
            found.append(Violation(path, f"has {file.stat().st_size:,} bytes, not {entry['bytes']:,} as in {MANIFEST}"))
        elif sha256_of(file) != entry["sha256"]:
            found.append(Violation(path, f"has not the sha256 of {MANIFEST}"))
    known = {MANIFEST, *manifest["files"]}
    for file in sorted(folder.rglob("*")):
        path = file.relative_to(folder)
        ignored = path.parts[0] in FROM_THE_HUB or path.name in SYSTEM_FILES
        if path.as_posix() not in known and not ignored and (file.is_symlink() or not file.is_dir()):
            found.append(Violation(path.as_posix(), f"is not in {MANIFEST}"))
    return found


def read_parts(folder: Path, manifest: Mapping[str, Any]) -> tuple[list[Part], list[Violation]]:
    """The Parquet files that have the schema of their config, and what is wrong with the others.

    A file that is missing is named by `check_files` alone.
    """
    parts, found = [], []
    for config, described in manifest["configs"].items():
        for split in SPLITS:
            entry = described["splits"].get(split)
            if entry is None or not (folder / entry["path"]).is_file():
                continue
            path = entry["path"]
            try:
                table = pq.read_table(folder / path, partitioning=None)
            except (pa.ArrowException, OSError) as error:
                found.append(Violation(path, "is no Parquet file", detail=str(error).partition("\n")[0]))
                continue
            wrong = schema_differences(path, table.schema, FEATURES[config])
            found += wrong
            if table.num_rows != entry["rows"]:
                found.append(Violation(path, f"has {table.num_rows:,} rows, not {entry['rows']:,} as in {MANIFEST}"))
            if not wrong:
                parts.append(Part(config, split, path, table.to_pylist()))
    return parts, found


def schema_differences(path: str, schema: pa.Schema, features: Features) -> list[Violation]:
    """Column by column: missing, unknown, of another type; then their order, and what `datasets` reads in the file."""
    expected = features.arrow_schema
    found = [Violation(path, "is missing", column=name) for name in expected.names if name not in schema.names]
    found += [Violation(path, "is unknown", column=name) for name in schema.names if name not in expected.names]
    for name in [name for name in expected.names if schema.names.count(name) == 1]:
        is_type, type = schema.field(name).type, expected.field(name).type
        if is_type != type:
            found.append(Violation(path, f"is of type {is_type}, not {type}", column=name))
    if not found and schema.names != expected.names:
        found.append(Violation(path, f"columns are in the order {', '.join(schema.names)}"))
    if not found and _written_features(schema) != _written_features(expected):
        found.append(Violation(path, "the Features in its metadata are not those of builders.schema"))
    return found


def _written_features(schema: pa.Schema) -> Any:
    """What `datasets` put into the metadata, where it is anything it could have put there."""
    try:
        return json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    except (TypeError, KeyError, ValueError):
        return None
