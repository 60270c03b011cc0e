"""A folder that train.sft wrote, read back: its run, and the base that it was trained on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from friends_corpus.core.cli import InputError, did_you_mean
from train.models.base import Source, find_base, locate
from train.settings.base_preset import Base
from train.settings.recipe import convert

NEEDED = ("adapter_config.json", "adapter_model.safetensors", "run.json")
BASE = {field.name: str(field.type) for field in fields(Base)} | {
    "source": "str",  # wheel, hub or folder
    "sha256": "str | None",
    "revision": "str | None",
}
DATASET = {"config": "str"} | dict.fromkeys(("name", "version", "text_field", "manifest_sha256"), "str | None")
RECIPE = {"prompts": "tuple[str, ...]"} | dict.fromkeys(("schedule", "lora_targets"), "str | None")
RECIPE |= {"learning_rate": "float | None"} | dict.fromkeys(("lora_rank", "lora_alpha", "seed"), "int | None")
RUN = dict.fromkeys(("trained_tokens", "steps"), "int | None")


def read_run(adapter: Path) -> tuple[dict[str, Any], Base]:
    """run.json of an adapter folder, and the base it names. Raises InputError.

    What BASE, DATASET, RECIPE and RUN name is there, if it may not be None, and of its type.
    """
    if not adapter.exists():
        beside = [str(path) for path in adapter.parent.glob("*") if path.is_dir()]
        raise InputError(
            f"{adapter}: no such folder{did_you_mean(str(adapter), beside)}; give one that train.sft wrote"
        )
    for name in NEEDED:
        if not (adapter / name).is_file():
            raise InputError(f"{adapter} is no adapter of train.sft (no {name}); give the folder that it wrote")
    try:
        run = json.loads((adapter / "run.json").read_text(encoding="utf-8"))
        base = checked(run["base"], BASE, "base")
        checked(run["dataset"], DATASET, "dataset")
        checked(run["recipe"], RECIPE, "recipe")
        checked(run, RUN, "it")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{adapter / 'run.json'} is not what this train.sft writes ({error}); train again") from None
    return run, Base(**{field.name: base[field.name] for field in fields(Base)})


def checked(values: Mapping[str, Any], types: Mapping[str, str], where: str) -> dict[str, Any]:
    """Those of the values that `types` names, each of its type. Raises InputError, and others if it is no mapping.

    >>> checked({"steps": 3, "device": "a CPU"}, {"steps": "int | None", "seed": "int | None"}, "run.json")
    {'steps': 3, 'seed': None}
    """
    return {key: convert(values.get(key), wanted, key, where) for key, wanted in types.items()}


def find_source(run: dict[str, Any], base: Base, given: str | None) -> Source:
    """The weights that the adapter was trained on, and no others; `given` is --base. Raises InputError."""
    trained = run["base"]
    folder = find_base(given, None)[1] if given else None
    if given and folder is None:
        raise InputError(f"--base {given}: no folder; leave it out unless the base was one")
    if folder and trained["source"] != "folder":
        raise InputError(f"the base {base.model!r} was no local folder; leave out --base, it is found again")
    if trained["source"] == "folder" and folder is None:
        raise InputError(f"the base {base.model!r} was a local folder; add --base FOLDER, where it is now")
    if trained["source"] == "hub" and trained["revision"]:
        return Source(None, "the Hugging Face Hub", None, revision=trained["revision"])
    source = locate(base, folder)
    if trained["sha256"] and source.sha256 != trained["sha256"]:
        raise InputError(
            f"other base weights than those trained on (sha256 {source.sha256}, run.json says {trained['sha256']}); "
            "give the same --base, or train again"
        )
    return source
