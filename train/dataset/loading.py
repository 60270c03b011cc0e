"""The published dataset → the rows to learn and the rows held out. The folder or the Hub repo is the only interface."""

import hashlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NotRequired

from typing_extensions import TypedDict

from friends_corpus.core.cli import InputError, did_you_mean, in_short
from friends_corpus.core.files import sha256_of
from friends_corpus.core.manifest import MANIFEST, ConfigName, ParquetPath, Split
from friends_corpus.core.parquet import read_table
from friends_corpus.core.reader import Text, json_values, read
from train.models.turn_format import TurnFormat
from train.settings.base_preset import HUB_ID
from train.settings.recipe import Recipe

from .formatting import as_said, columns_of, is_conversation, tokenize_row, tokenized

DEFAULT = "friends-lines"
BUILD = ("-m", "builders.build", "--out", DEFAULT)


class DatasetRecord(TypedDict):
    """What run.json says of the rows that are trained on; keys that may be absent are not of every version."""

    config: Text
    name: NotRequired[Text]
    version: NotRequired[Text | None]
    revision: NotRequired[Text | None]
    manifest_sha256: NotRequired[Text | None]
    show: NotRequired[Text | None]
    cast: NotRequired[list[Text] | None]
    sample: NotRequired[bool]
    text_sha256: NotRequired[Text]
    text_field: NotRequired[Text]
    conversation: NotRequired[bool]
    rows: NotRequired[int]
    rows_validation: NotRequired[int]


class ListedFile(TypedDict):
    """A Parquet file of a manifest."""

    path: ParquetPath
    sha256: Text


class ListedConfig(TypedDict):
    """A config of a manifest."""

    splits: dict[Split, ListedFile]


class ListedShow(TypedDict):
    """The show of a manifest."""

    title: NotRequired[Text | None]
    cast: NotRequired[list[Text] | None]


class Listed(TypedDict):
    """What is read of a manifest; keys that may be absent are not of every version."""

    configs: dict[ConfigName, ListedConfig]
    version: NotRequired[Text | None]
    show: NotRequired[ListedShow]
    sample: NotRequired[bool]


@dataclass(frozen=True)
class Data:
    """One config of a dataset, as `datasets.Dataset`s that hold only the columns that are needed."""

    record: DatasetRecord
    train: Any
    validation: Any | None  # None: the dataset has no validation split

    @property
    def name(self) -> str:
        """What it is called, with its version."""
        return " ".join(filter(None, (self.record["name"], self.record["version"])))


def find_data(name: str | None) -> Path | str:
    """Return the dataset folder or Hub id; by default `./friends-lines`, built from the sample if absent."""
    if name is None:
        if not Path(DEFAULT).exists():
            build_sample()
        return Path(DEFAULT)
    if Path(name).is_dir():
        return Path(name)
    if HUB_ID.fullmatch(name) and not Path(name).parent.is_dir():
        return name
    raise InputError(f"no dataset folder {name!r}; build it with `python -m builders.build --out {name}`")


def build_sample() -> None:
    """Build the sample dataset with its command: a stage runs another's command and never imports it."""
    print(f"dataset   ./{DEFAULT} not found, building it from the sample pages: python {' '.join(BUILD)}", flush=True)
    done = subprocess.run([sys.executable, *BUILD], check=False)
    if done.returncode:
        raise InputError(
            f"`python {' '.join(BUILD)}` ended with exit code {done.returncode}; run it to see why, or give --data"
        )


def check_folder(folder: Path, config: str) -> None:
    """Raise InputError unless a folder has all files of `config` as its manifest lists them."""
    read_files(folder, config)


def load_data(source: Path | str, config: str, text_field: str) -> Data:
    """Load train and validation of a config. A Hub id is read at one commit, which is recorded."""
    folder, revision = (source, None) if isinstance(source, Path) else download(source, config)
    name = source if isinstance(source, str) else source.resolve().name
    manifest = read_manifest(folder)
    splits = read_rows(folder, config)
    if "train" not in splits:
        raise InputError(f"{config!r} of the dataset {name} has no train split; build it anew")
    show = manifest.get("show", {})
    columns = splits["train"].column_names
    if text_field not in columns:
        raise InputError(
            f"{config!r} of the dataset {name} has no column {text_field!r}{did_you_mean(text_field, columns)}; "
            f"--text-field is one of {', '.join(name for name in columns if name.startswith(('text', 'completion')))}"
        )
    fed_columns = columns_of(text_field, columns)
    splits = {split: rows.select_columns(fed_columns) for split, rows in splits.items()}
    texts = hashlib.sha256()
    for split in ("train", "validation"):
        for text in map(as_said, splits.get(split, ())):
            texts.update(f"{split} {len(text)} {text}\n".encode())
    train, validation = splits["train"], splits.get("validation")
    record: DatasetRecord = {
        "name": name,  # Hub id, or the bare name of the folder
        "version": manifest.get("version"),
        "revision": revision,  # Hub commit
        "manifest_sha256": sha256_of(folder / MANIFEST),
        "show": show.get("title"),
        "cast": show.get("cast"),
        "sample": manifest.get("sample", False),  # whether all of them are the invented ones of the sample pages
        "text_sha256": texts.hexdigest(),  # of all texts that are read, in order
        "config": config,
        "text_field": text_field,
        "conversation": is_conversation(train[0]),
        "rows": len(train),
        "rows_validation": len(validation) if validation else 0,
    }
    return Data(record, train, validation)


def read_manifest(folder: Path) -> Listed:
    """Read the parts of a folder's manifest.json that training needs. Raises InputError."""
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(f"{folder} is no dataset folder (no {MANIFEST}); make one with `python -m builders.build`")
    return read(path, json_values, Listed, "build it anew")


def read_files(folder: Path, config: str) -> dict[str, bytes]:
    """Return the Parquet file of each split of a config, as the manifest lists them. Raises InputError."""
    configs = read_manifest(folder)["configs"]
    files: dict[str, bytes] = {}
    if config not in configs:
        raise InputError(
            f"{folder} has no dataset {config!r}{did_you_mean(config, configs)}; it has {', '.join(sorted(configs))}"
        )
    for split, file in configs[config]["splits"].items():
        path = folder / file["path"]
        places = [folder.resolve() / file["path"]]
        if folder.parent.name == "snapshots":  # of the Hub's own cache, which links to its blobs
            places.append(folder.resolve().parents[1] / "blobs" / path.resolve().name)
        if path.exists() and path.resolve() not in places:
            raise InputError(f"{folder / MANIFEST}: {file['path']!r:.200} is no file of this folder; build it anew")
        if not path.is_file():
            raise InputError(f"{path} is missing, {MANIFEST} lists it; build {folder} again")
        files[split] = path.read_bytes()
        if hashlib.sha256(files[split]).hexdigest() != file["sha256"]:
            raise InputError(f"{path} is not the file that {MANIFEST} lists; build {folder} again")
    return files


def read_rows(folder: Path, config: str) -> dict[str, Any]:
    """Read all splits of a config, as the manifest lists them. Raises InputError.

    Neither the card, whose YAML may name any file or address, nor the cache of `datasets` is asked.
    """
    import datasets

    splits = {}
    for split, data in read_files(folder, config).items():
        path = folder / config / split
        table = datasets.table.InMemoryTable(read_table(path, data))
        try:
            splits[split] = datasets.Dataset(table)
        except Exception as error:  # whatever the features in its metadata make of it
            raise InputError(f"{path}: cannot be read ({in_short(error)}); build it anew") from None
    return splits


def download(repo: str, config: str) -> tuple[Path, str | None]:
    """Download manifest and Parquet files of a config from the Hub; return their commit too. Raises InputError."""
    from huggingface_hub import HfApi, snapshot_download

    try:
        revision = HfApi().dataset_info(repo).sha
        patterns = [MANIFEST, f"{config}/*.parquet"]
        cached = snapshot_download(repo, repo_type="dataset", revision=revision, allow_patterns=patterns)
    except Exception as error:  # the client's own errors, and those of the HTTP library that it happens to use
        reason = in_short(error)
        raise InputError(f"no dataset {repo!r} here or on the Hub; check the name and your access ({reason})") from None
    return Path(cached), revision


def tokenize_data(data: Data, turns: TurnFormat, recipe: Recipe) -> tuple[Any, Any | None]:
    """Return the rows to train and those to evaluate as tokens and labels; say how many are left out."""
    length, evaluated = recipe.sft.max_length, data.validation
    train, left_out = tokenized(turns, data.train, length)
    if left_out:
        why = f"nothing of them is trained in a sequence of {length} tokens"
        print(f"note      {left_out:,} of {len(data.train):,} rows are left out: {why}", flush=True)
    if not len(train):
        raise InputError(f"no row has a token to train within sft.max_length, {length} tokens; set a greater one")
    if evaluated:
        evaluated, _ = tokenized(turns, held_out(evaluated, turns, recipe.eval.tokens, recipe.sft.seed), length)
    return train, evaluated or None


def held_out(validation: Any, turns: TurnFormat, limit: int | None, seed: int) -> Any:
    """Sample validation rows of at most `limit` tokens, at least one, the same for the same seed."""
    if limit is None:
        return validation
    shuffled = validation.shuffle(seed=seed)
    total = kept = 0
    for row in shuffled:
        total += len(tokenize_row(turns, row)[0])
        if kept and total > limit:
            break
        kept += 1
    return shuffled.select(range(kept))
