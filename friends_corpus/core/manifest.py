"""The types of manifest.json, which builders write and train reads.

The types are declared once, as TypedDicts: the JSON is used as it is, and pydantic checks it against them.
"""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Final, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from .ids import EPISODE
from .versions import VERSION

MANIFEST = "manifest.json"
BUILDER: Final = "friends-corpus"  # tells our folders from others

Split = Literal["train", "validation", "test"]
Natural = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(gt=0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
EpisodeId = Annotated[str, Field(pattern=f"^{EPISODE}$")]
Version = Annotated[str, Field(pattern=f"^{VERSION.pattern}$")]


ConfigName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,80}$")]  # also the folder of its files
ParquetPath = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,80}/[A-Za-z0-9_-]{1,80}\.parquet$")]


class File(TypedDict):
    """A file of the folder."""

    bytes: Natural
    sha256: Sha256


class SplitFile(TypedDict):
    """A Parquet file."""

    path: ParquetPath
    rows: Positive
    bytes: Natural
    arrow_bytes: Natural
    sha256: Sha256


class Config(TypedDict):
    """A config of the dataset."""

    version: str
    splits: Annotated[dict[Split, SplitFile], Field(min_length=1)]


class Show(TypedDict):
    """The show that the dataset is of."""

    title: str
    years: str
    owner: str
    archive: str
    pages_at: str
    cast: list[str]
    version: str


class Parameters(TypedDict):
    """What the build was asked for: what decides the rows, besides the pages."""

    chunk_chars: Positive
    character: str


class Software(TypedDict):
    """What the build ran on."""

    parser: str
    datasets: str
    pyarrow: str
    matplotlib: str


class PageIdentity(TypedDict):
    """Which page it is."""

    page: str  # the name of its file; with the locator where the file holds others: "both.html#S01E03"
    locator: NotRequired[str]  # where in its file it is
    sha256: str  # of the file; empty where not even its bytes could be read


class Page(PageIdentity):
    """A page that was read: shipped (episode and split) or not (reason)."""

    sha256: Sha256  # never empty
    episode: NotRequired[EpisodeId]
    split: NotRequired[Split]
    repeats: NotRequired[Literal[True]]
    reason: NotRequired[str]


class FailedPage(PageIdentity):
    """A page that could not be used."""

    error: str


class Count(TypedDict):
    """Pieces of pages."""

    count: Natural
    characters: Natural


class SharedRuns(TypedDict):
    """What one split shares with another."""

    split: str
    against: str
    scenes: int
    shared_scenes: int
    largest_jaccard: float | None
    runs: int
    shared_runs: int
    shared_runs_share: float
    within_target: bool
    phrases: int
    stock_phrases: list[dict[str, str | int]]


class Leakage(TypedDict):
    """The leakage report; its last two lists stand in stats.json alone."""

    rule: dict[str, int | float]
    clusters: int
    clustered_scenes: int
    near_duplicates: int
    clips: int
    passages: int
    seen_episodes: int
    train_only: list[str]
    splits: list[SharedRuns]
    pairs: NotRequired[list[dict[str, str | float | list[str]]]]
    episodes: NotRequired[list[dict[str, str | int]]]


class Manifest(TypedDict):
    """The whole file; it may hold more."""

    builder: Literal["friends-corpus"]
    dataset: str
    show: Show
    version: Version
    sample: bool
    parameters: Parameters
    software: Software
    configs: dict[ConfigName, Config]
    splits: dict[Split, list[EpisodeId]]
    dropped: dict[str, Count]
    leakage: Leakage
    files: dict[str, File]
    failed_pages: list[FailedPage]
    pages: list[Page]


def content_version(splits: Mapping[Split, SplitFile]) -> str:
    """Return a version of a config that `datasets` accepts and that changes whenever the content does.

    A local folder whose card has `configs:` is looked up in the cache of `datasets` by the card's YAML alone: without
    this number, `load_dataset` would return the rows of an earlier build.

    >>> content_version({"train": {"sha256": "a"}}), content_version({"train": {"sha256": "b"}})
    ('43607.35709.38683', '51061.1625.562')
    """
    listed = "\n".join(f"{split} {file['sha256']}" for split, file in splits.items())
    digest = hashlib.sha256(listed.encode()).digest()
    return ".".join(str(int.from_bytes(digest[start : start + 2])) for start in (0, 2, 4))
