"""The closed list of adapter settings: the fields of `peft.LoraConfig` that a recipe or a foreign adapter may set."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, with_config

from .cli import InputError
from .reader import checked, faults, json_values, load

Layer = Annotated[str, Field(min_length=1, max_length=300)]
Layers = Annotated[list[Layer], Field(min_length=1, max_length=50_000)]
SAME_FOR_ALL: dict[str, object] = {"peft_type": "LORA", "task_type": "CAUSAL_LM"}
DEFAULTS: dict[str, tuple[object, ...]] = {  # PEFT's own where they are not empty; what is harmless counts as well
    "bias": ("none",),
    "init_lora_weights": (True, False, "gaussian"),  # what the file of weights replaces
    "megatron_core": ("megatron.core",),
    "qalora_group_size": (16,),
}
NOT_READ = (  # where it comes from, and what PEFT finds in the model itself
    "base_model_name_or_path",
    "fan_in_fan_out",
    "inference_mode",
    "peft_version",
    "revision",
)
EMPTY: tuple[object, ...] = (None, False, "", [], {})


@with_config(ConfigDict(allow_inf_nan=False, extra="forbid"))
@dataclass(frozen=True)
class LoraSettings:
    """Settings of an adapter, with PEFT's names and defaults; layers are named, never matched by a pattern."""

    target_modules: Literal["all-linear"] | Layers
    r: Annotated[int, Field(ge=1, le=4096)] = 8
    lora_alpha: Annotated[int | float, Field(gt=0, le=1e6)] = 8
    lora_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    exclude_modules: list[Layer] | None = None
    use_rslora: bool = False
    use_dora: bool = False


def read_lora(path: Path) -> LoraSettings:
    """Read the settings of an adapter_config.json as PEFT writes it. Raises InputError."""
    values = load(path, json_values, "train the adapter again")
    if not isinstance(values, dict):
        raise InputError(f"{path}: it holds no settings; give an adapter_config.json as PEFT writes it")
    known = {field.name: values[field.name] for field in fields(LoraSettings) if field.name in values}
    for fault in (*_refused(values), *faults(known, LoraSettings)):
        raise InputError(
            f"{path}: {fault:.300}; layers are all-linear or a list of names, all else is as PEFT writes it"
        )
    return checked(known, LoraSettings)


def _refused(values: dict[str, Any]) -> Iterator[str]:
    """Yield every setting outside of LoraSettings that is not at PEFT's default."""
    for key, required in SAME_FOR_ALL.items():
        if values.get(key) != required:
            yield f"{key} is {values.get(key)!r:.60}; only {required} can be loaded"
    read = {*SAME_FOR_ALL, *NOT_READ, *(field.name for field in fields(LoraSettings))}
    for key, value in values.items():
        if key not in read and value not in (*EMPTY, *DEFAULTS.get(key, ())):
            yield f"{key!r:.60} is {value!r:.60}; adapters that set it are not loaded, train one without it"
