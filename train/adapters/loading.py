"""A folder that train.sft wrote, read back: its run, and the base that it was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from friends_corpus.core.cli import InputError, did_you_mean
from friends_corpus.core.reader import json_values, read
from train.models.base import Source, find_base, locate
from train.settings.base_preset import Base

from .run_record import Run

NEEDED = ("adapter_config.json", "adapter_model.safetensors", "run.json")


def read_run(adapter: Path) -> tuple[Run, Base]:
    """run.json of an adapter folder, and the base it names. Raises InputError."""
    if not adapter.exists():
        beside = [str(path) for path in adapter.parent.glob("*") if path.is_dir()]
        raise InputError(
            f"{adapter}: no such folder{did_you_mean(str(adapter), beside)}; give one that train.sft wrote"
        )
    for name in NEEDED:
        if not (adapter / name).is_file():
            raise InputError(f"{adapter} is no adapter of train.sft (no {name}); give the folder that it wrote")
    run = read(adapter / "run.json", json_values, Run, "it is not what this train.sft writes; train again")
    recorded: Mapping[str, Any] = run["base"]
    return run, Base(**{field.name: recorded[field.name] for field in fields(Base)})


def find_source(run: Run, base: Base, given: str | None) -> Source:
    """The weights that the adapter was trained on, and no others; `given` is --base. Raises InputError."""
    trained = run["base"]
    folder = find_base(given, None)[1] if given else None
    if given and folder is None:
        raise InputError(f"--base {given}: no folder; leave it out unless the base was one")
    if folder and trained["source"] != "folder":
        raise InputError(f"the base {base.model!r} was no local folder; leave out --base, it is found again")
    if trained["source"] == "folder" and folder is None:
        raise InputError(f"the base {base.model!r} was a local folder; add --base FOLDER, where it is now")
    if trained["source"] == "hub" and (revision := trained.get("revision")):
        return Source(None, "the Hugging Face Hub", None, revision=revision)
    source, digest = locate(base, folder), trained.get("sha256")
    if digest and source.sha256 != digest:
        raise InputError(
            f"other base weights than those trained on (sha256 {source.sha256}, run.json says {digest}); "
            "give the same --base, or train again"
        )
    return source
