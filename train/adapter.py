"""A folder that train.sft wrote, read back: its run, and the base that it was trained on."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from friends_corpus.command import InputError

from .base_model import Base, Source, find_base, locate

NEEDED = ("adapter_config.json", "adapter_model.safetensors", "run.json")


def read_run(adapter: Path) -> tuple[dict[str, Any], Base]:
    """run.json of an adapter folder, and the base it names. Raises InputError."""
    for name in NEEDED:
        if not (adapter / name).is_file():
            raise InputError(f"{adapter} is no adapter of train.sft (no {name}); give the folder that it wrote")
    try:
        run = json.loads((adapter / "run.json").read_text(encoding="utf-8"))
        base = Base(**{field.name: run["base"][field.name] for field in fields(Base)})
        known = (run["base"]["source"], run["base"]["sha256"], run["dataset"]["config"], run["recipe"]["prompts"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{adapter / 'run.json'} is not what this train.sft writes ({error}); train again") from None
    if not all(known[2:]):
        raise InputError(f"{adapter / 'run.json'} names no dataset or no prompts; train again")
    return run, base


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
