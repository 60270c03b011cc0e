"""The published dataset → the rows to learn and the rows held out. The folder or the Hub repo is the only interface."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NotRequired

from typing_extensions import TypedDict

from friends_corpus.core.cli import InputError, did_you_mean, in_short
from friends_corpus.core.reader import Text
from train.models.base import HUB_ID

from .formatting import as_said, columns_of, fed, is_conversation

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


@dataclass(frozen=True)
class Data:
    """One config of a dataset, as `datasets.Dataset`s that hold the columns alone that are fed."""

    record: DatasetRecord
    train: Any
    validation: Any | None  # None: the dataset has no validation split

    @property
    def name(self) -> str:
        """What it is called, with its version."""
        return " ".join(filter(None, (self.record["name"], self.record["version"])))


def find_data(wanted: str | None) -> Path | str:
    """The dataset folder, or a Hub id. Without a wish `./friends-lines`, built from the sample pages if absent."""
    if wanted is None:
        if not Path(DEFAULT).exists():
            build_sample()
        return Path(DEFAULT)
    if Path(wanted).is_dir():
        return Path(wanted)
    if HUB_ID.fullmatch(wanted) and not Path(wanted).parent.is_dir():
        return wanted
    raise InputError(f"no dataset folder {wanted!r}; build it with `python -m builders.build --out {wanted}`")


def build_sample() -> None:
    """Runs the build command on the sample pages, here: a stage runs another's command and never imports it."""
    print(f"dataset   ./{DEFAULT} not found, building it from the sample pages: python {' '.join(BUILD)}", flush=True)
    done = subprocess.run([sys.executable, *BUILD], check=False)
    if done.returncode:
        raise InputError(
            f"`python {' '.join(BUILD)}` ended with exit code {done.returncode}; run it to see why, or give --data"
        )


def check_folder(folder: Path, config: str) -> None:
    """Raises InputError unless the folder has Parquet files for `config`."""
    configs = sorted({path.parent.name for path in folder.glob("*/*.parquet")})
    if not configs:
        raise InputError(
            f"{folder} is no dataset folder (no CONFIG/*.parquet); make one with `python -m builders.build`"
        )
    if config not in configs:
        raise InputError(
            f"{folder} has no dataset {config!r}{did_you_mean(config, configs)}; it has {', '.join(configs)}"
        )


def load_data(place: Path | str, config: str, text_field: str) -> Data:
    """Reads train and validation of one config. A Hub id is read at one commit, which is recorded."""
    revision = None
    if isinstance(place, Path):
        check_folder(place, config)
        name, manifest = place.resolve().name, _read(place / "manifest.json")
    else:
        name = place
        revision, manifest = _on_hub(place)
    try:
        splits = read_rows(place, config, revision)
    except (ValueError, OSError) as error:
        reason = in_short(error)
        raise InputError(
            f"cannot load {config!r} of the dataset {name}; build it anew or check --data ({reason})"
        ) from None
    if "train" not in splits:
        raise InputError(f"{config!r} of the dataset {name} has no train split; build it anew")
    told = json.loads(manifest) if manifest else {}
    show = told.get("show", {})
    columns = splits["train"].column_names
    if text_field not in columns:
        raise InputError(
            f"{config!r} of the dataset {name} has no column {text_field!r}{did_you_mean(text_field, columns)}; "
            f"--text-field is one of {', '.join(name for name in columns if name.startswith(('text', 'completion')))}"
        )
    fed_columns = columns_of(text_field, columns)
    splits = splits.select_columns(fed_columns)
    digest = hashlib.sha256()
    for split in ("train", "validation"):
        for text in map(as_said, splits.get(split, ())):
            digest.update(f"{split} {len(text)} {text}\n".encode())
    train, validation = splits["train"], splits.get("validation")
    record: DatasetRecord = {
        "name": name,  # Hub id, or the bare name of the folder
        "version": told.get("version"),
        "revision": revision,  # Hub commit
        "manifest_sha256": hashlib.sha256(manifest).hexdigest() if manifest else None,
        "show": show.get("title"),
        "cast": show.get("cast"),
        "sample": told.get("sample", False),  # whether all of them are the invented ones of the sample pages
        "text_sha256": digest.hexdigest(),  # of all texts that are read, in order
        "config": config,
        "text_field": text_field,
        "conversation": is_conversation(train[0]),
        "rows": len(train),
        "rows_validation": len(validation) if validation else 0,
    }
    return Data(record, train, validation)


def read_rows(place: Path | str, config: str, revision: str | None = None) -> Any:
    """All splits of a config, as `datasets` reads them. Raises ValueError, OSError.

    A folder is read into memory and past the cache of `datasets`, which knows a folder by its name and its card: rows
    that another folder of that name had, or this one before, would be taken for its own.
    """
    import datasets

    if not isinstance(place, Path):
        return datasets.load_dataset(place, config, revision=revision)
    with tempfile.TemporaryDirectory() as cache:
        return datasets.load_dataset(str(place), config, cache_dir=cache, keep_in_memory=True)


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _on_hub(repo: str) -> tuple[str | None, bytes | None]:
    """The commit at the head of a dataset repo, and its manifest there if it has one."""
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    try:
        revision = HfApi().dataset_info(repo).sha
        path = hf_hub_download(repo, "manifest.json", repo_type="dataset", revision=revision)
    except EntryNotFoundError:
        return revision, None
    except Exception as error:  # the client's own errors, and those of the HTTP library that it happens to use
        reason = in_short(error)
        raise InputError(f"no dataset {repo!r} here or on the Hub; check the name and your access ({reason})") from None
    return revision, Path(path).read_bytes()


def held_out(validation: Any, tokenizer: Any, limit: int | None, seed: int) -> Any:
    """A sample of the validation rows of at most `limit` tokens (at least one row), the same for the same seed."""
    if limit is None:
        return validation
    shuffled = validation.shuffle(seed=seed)
    total = kept = 0
    for row in shuffled:
        total += len(fed(tokenizer, row))
        if kept and total > limit:
            break
        kept += 1
    return shuffled.select(range(kept))
