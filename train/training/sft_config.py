"""TRL's and PEFT's settings of a recipe. Heavy libraries are imported inside the functions."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from friends_corpus.core.cli import InputError, did_you_mean, in_short
from train.models.device import Device
from train.models.lora_weights import layers_of
from train.models.upstream import with_installed_names
from train.settings.recipe import Recipe


def sft_config(recipe: Recipe, device: Device, output: Path, evaluate: bool = False, report_to: str = "none") -> Any:
    """Return the SFTConfig of a run: the recipe's fields, and those that are the program's. Raises InputError.

    `evaluate`: validation loss on the way; `report_to`: a tracker that transformers knows.
    """
    from trl.trainer.sft_config import SFTConfig

    fixed: dict[str, Any] = {
        "output_dir": str(output),
        "per_device_eval_batch_size": 1,  # evaluation must fit wherever training did
        "ddp_find_unused_parameters": False,  # every step uses the whole adapter
        "bf16": device.mixed == "bfloat16",
        "fp16": device.mixed == "float16",
        "use_cpu": device.kind == "cpu",
        "dataloader_pin_memory": device.kind != "cpu",
        "logging_steps": 1,
        "logging_nan_inf_filter": False,  # the filter logs a NaN as loss 0.0
        "save_strategy": "steps",
        "save_steps": 1,  # until `Watch` knows how many steps there are
        "eval_strategy": "steps" if evaluate else "no",
        "eval_steps": 1,  # likewise
        "disable_tqdm": True,  # our own progress
        "log_level_replica": "error",  # as rank 0 is told elsewhere; "warning" is the default
        "report_to": report_to,
        "push_to_hub": False,  # publishing is a command of its own; hub_token would be pickled in clear
    }
    try:
        return SFTConfig(**with_installed_names(asdict(recipe.sft)), **fixed)
    except (ValueError, TypeError, ImportError) as error:
        raise InputError(f"sft: {in_short(error)}; change it in the recipe or with --set sft.FIELD=VALUE") from None


def lora_config(recipe: Recipe, model: Any) -> Any:
    """Return PEFT's settings for layers that `model` has. Raises InputError."""
    from peft import LoraConfig

    paths = [name for name, _ in model.named_modules()]
    layers = {path.split(".")[-1] for path in paths}
    named = {"target_modules": recipe.lora.target_modules, "exclude_modules": recipe.lora.exclude_modules or []}
    for field, names in named.items():
        for name in names if isinstance(names, list) else ():
            if not any(path == name or path.endswith(f".{name}") for path in paths):
                near = did_you_mean(name, layers)
                raise InputError(f"lora.{field}: the base has no layer {name!r}{near}; try all-linear")
    settings = asdict(recipe.lora)
    if settings["target_modules"] == "all-linear":
        settings["target_modules"] = language_layers(model) or "all-linear"
    return LoraConfig(**settings, bias="none", task_type="CAUSAL_LM")


def language_layers(model: Any) -> list[str]:
    """Name the linear layers of a model's language part; none if those are all it has, and PEFT knows them.

    PEFT would adapt towers for images too, and experts that are one tensor, in a form that is not read back.
    """
    layers = layers_of(model)
    inside = {id(layer) for layer in model.get_decoder().modules()}
    names = [name for name in layers.sizes if id(model.get_submodule(name)) in inside]
    whole = len(names) == len(layers.sizes) - (layers.head is not None)
    return [] if whole and all(weight.dim() < 3 for weight in model.parameters()) else names


def describe_adapter(config: Any, model: str, revision: str | None) -> None:
    """Set the base in adapter_config.json: its Hub id and commit, never a path of this machine."""
    config.base_model_name_or_path = model
    config.revision = revision
    config.target_modules = sorted(config.target_modules)  # PEFT's set has another order in every process
