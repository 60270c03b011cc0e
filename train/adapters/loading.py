"""A folder that train.sft wrote, read back: its run, and the base that it was trained on."""

from pathlib import Path
from typing import Any

from friends_corpus.core.cli import InputError, did_you_mean
from friends_corpus.core.reader import faults, json_values, load
from train.models.base import Source, locate
from train.models.lora_weights import CONFIG, PICKLE, WEIGHTS
from train.settings.base_preset import Base, find_base

from .run_record import Run, upgrade

NEEDED = (CONFIG, WEIGHTS, "run.json")


def read_run(adapter: Path) -> tuple[Run, Base]:
    """Read run.json of an adapter folder and the base it names. Raises InputError."""
    if not adapter.exists():
        beside = [str(path) for path in adapter.parent.glob("*") if path.is_dir()]
        raise InputError(
            f"{adapter}: no such folder{did_you_mean(str(adapter), beside)}; give one that train.sft wrote"
        )
    for name in NEEDED:
        if not (adapter / name).is_file():
            pickled = name == WEIGHTS and (adapter / PICKLE).exists()
            missing = f"no {name}, and {PICKLE} is a pickle, which can run code" if pickled else f"no {name}"
            raise InputError(f"{adapter} is no adapter of train.sft ({missing}); give the folder that it wrote")
    run = read_record(adapter)
    base = run["base"]
    sft: dict[str, Any] = {**run["recipe"]["sft"]}
    return run, Base(base["model"], base["wheel"], base["gguf"], base["bits"], sft, base.get("end_token"))


def read_record(adapter: Path) -> Run:
    """Return run.json of an adapter folder, with the keys that only cards read. Raises InputError."""
    remedy = "it is not what this train.sft writes; train again"
    run: Run = load(adapter / "run.json", json_values, remedy)
    upgrade(run)
    for fault in faults(run, Run):
        raise InputError(f"{adapter / 'run.json'}: {fault}; {remedy}")
    return run


def find_source(run: Run, base: Base, given: str | None) -> Source:
    """Find the weights that the adapter was trained on; `given` is --base. Raises InputError."""
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
    if source.sha256 != digest and (digest or source.sha256):
        raise InputError(
            f"other base weights than those trained on (sha256 {source.sha256}, run.json says {digest}); "
            "give the same --base, or train again"
        )
    return source
