"""What manifest.json of a dataset folder holds, as types; builders write it, train reads it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

MANIFEST = "manifest.json"
BUILDER = "friends-corpus"  # tells our folders from others
ABSENT: Any = None  # a key that may be missing, but not null: defaults are not validated
Split = Literal["train", "validation", "test"]
Natural = Annotated[int, Field(ge=0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
EpisodeId = Annotated[str, Field(pattern=r"^s\d\de\d\d$")]


class File(BaseModel):
    """A file of the folder."""

    bytes: Natural
    sha256: Sha256


class SplitFile(File):
    """A Parquet file."""

    path: str
    rows: int = Field(gt=0)
    arrow_bytes: Natural


class Config(BaseModel):
    """A config of the dataset."""

    version: str
    splits: dict[Split, SplitFile] = Field(min_length=1)


class Show(BaseModel):
    """The show that the dataset is of."""

    title: str
    years: str
    owner: str
    archive: str
    pages_at: str
    cast: list[str]
    version: str


class Parameters(BaseModel):
    """What the build was asked for."""

    chunk_chars: int = Field(gt=0)
    character: str


class Software(BaseModel):
    """What the build ran on."""

    parser: str
    datasets: str
    pyarrow: str
    matplotlib: str


class Page(BaseModel):
    """A page that was read: shipped (episode and split) or not (reason)."""

    page: str
    locator: str = ABSENT  # where in its file the page is, of which that is the name then: "both.html#S01E03"
    sha256: Sha256
    episode: EpisodeId = ABSENT
    split: Split = ABSENT
    repeats: Literal[True] = ABSENT
    reason: str = ABSENT


class FailedPage(BaseModel):
    """A page that could not be used; without hash where not even its bytes could be read."""

    page: str
    locator: str = ABSENT
    sha256: str
    error: str


class Count(BaseModel):
    """Pieces of pages."""

    count: Natural
    characters: Natural


class Manifest(BaseModel):
    """The whole file; it may hold more."""

    builder: Literal["friends-corpus"]
    dataset: str
    show: Show
    version: str = Field(pattern=r"^(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}$")
    sample: bool
    parameters: Parameters
    software: Software
    configs: dict[str, Config]
    splits: dict[Split, list[EpisodeId]]
    dropped: dict[str, Count]
    leakage: dict[str, Any]
    files: dict[str, File]
    failed_pages: list[FailedPage]
    pages: list[Page]


def content_version(hashes: Iterable[str]) -> str:
    """A version in the form that `datasets` accepts and that changes whenever the content does.

    A local folder whose card has `configs:` is looked up in the cache of `datasets` by the card's YAML alone: without
    this number, `load_dataset` would return the rows of an earlier build.

    >>> content_version(["a", "b"]), content_version(["a", "c"])
    ('32280.63287.12571', '40536.55059.31845')
    """
    digest = hashlib.sha256("\n".join(hashes).encode()).digest()
    return ".".join(str(int.from_bytes(digest[start : start + 2])) for start in (0, 2, 4))
