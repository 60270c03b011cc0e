"""Recipes: one YAML file per config, in sections with the names of the libraries that they are for.

`sft` holds fields of `trl.SFTConfig`, `lora` fields of `peft.LoraConfig`; `eval` and `samples` are ours. A base preset
may set fields of `sft` on top, and the command line sets whatever it likes. Nothing heavy is imported here.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field

from friends_corpus.core.cli import InputError, did_you_mean, in_short
from friends_corpus.core.lora import LoraSettings
from friends_corpus.core.manifest import Positive
from friends_corpus.core.reader import Text, checked, closed, faults, load, yaml_values

from .base_preset import find_base, packaged
from .sft_fields import OLD_KEYS, REFUSED, Count, Number, SftSettings, old_names, refused

REMEDY = "write it as in train/recipes"


@closed
@dataclass(frozen=True)
class EvalSettings:
    """How a run is evaluated, besides before its first step and after its last one."""

    tokens: Positive | None = 4096  # held-out tokens to score each time; None: all of them
    evaluations: Count = 4  # on the way


@closed
@dataclass(frozen=True)
class SampleSettings:
    """The sample generations of an evaluation."""

    prompts: Annotated[tuple[Text, ...], Field(min_length=1)]
    max_new_tokens: Positive = 40
    temperature: Annotated[Number, Field(ge=0, le=2)] = 0.7  # 0: greedy


@closed
@dataclass(frozen=True)
class Recipe:
    """One training run, but for the weights of the base."""

    dataset: Text  # config of the dataset repo: lines, named_lines, chunks, chat
    base: Text  # preset, Hub id or folder
    lora: LoraSettings
    samples: SampleSettings
    sft: SftSettings = field(default_factory=SftSettings)
    eval: EvalSettings = field(default_factory=EvalSettings)
    max_tokens: Positive | None = None  # trained tokens, exactly; None: as many as `sft` asks for


SECTIONS: dict[str, type] = {
    "sft": SftSettings,
    "lora": LoraSettings,
    "eval": EvalSettings,
    "samples": SampleSettings,
}


def load_recipe(dataset: str | None, path: Path | None, overrides: Mapping[str, Any]) -> Recipe:
    """Load the recipe in `path`, by default that of `dataset`, with the base's settings and `overrides` on top.

    The keys of `overrides` are "base", "max_tokens" or "SECTION.FIELD". With `dataset` and `path`, the file's recipe is
    applied to `dataset`. Raises InputError.

    >>> load_recipe("chunks", None, {"sft.max_steps": 3}).sft.max_steps
    3
    """
    recipes = packaged("recipes")
    source = path or recipes.get(dataset or "")
    if source is None:
        wrong = f"unknown dataset {dataset!r}{did_you_mean(dataset, recipes)}" if dataset else "no dataset given"
        raise InputError(f"{wrong}; add --dataset {'|'.join(sorted(recipes))}, or give your own --recipe FILE")
    values = load(source, yaml_values, REMEDY)
    for fault in _faults_of(values):
        raise InputError(f"{source}: {fault}; {REMEDY}")
    values |= {"dataset": dataset} if dataset else {}
    base, _ = find_base(overrides.get("base") or values["base"], None)
    for key, value in ({f"sft.{name}": value for name, value in base.sft.items()} | dict(overrides)).items():
        section, _, name = key.rpartition(".")
        (values.setdefault(section, {}) if section else values)[name or key] = value
    for fault in _faults_of(values):
        raise InputError(f"{fault}; change it on the command line or in {source}")
    if values.get("max_tokens") and values["sft"].get("max_steps", -1) > 0:
        raise InputError("sft.max_steps and max_tokens both say how long to train; give one of them")
    return checked(values, Recipe)


def read_overrides(assignments: Iterable[str]) -> dict[str, Any]:
    """Return what --set SECTION.FIELD=VALUE sets, its values read as YAML. Raises InputError.

    >>> read_overrides(["sft.learning_rate=2e-4", "lora.target_modules=[q_proj, v_proj]"])
    {'sft.learning_rate': '2e-4', 'lora.target_modules': ['q_proj', 'v_proj']}
    """
    values: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        section, _, name = (key := key.strip()).partition(".")
        if not equals or section not in SECTIONS or name not in _names(SECTIONS[section]) | set(REFUSED):
            path = OLD_KEYS.get(key) or _paths().get(key)
            near = f" (did you mean {path!r}?)" if path else did_you_mean(key, _paths())
            raise InputError(f"--set {assignment}: no such setting{near}; write SECTION.FIELD=VALUE, as lora.r=8")
        if section == "sft" and name in REFUSED:
            raise InputError(f"--set {assignment}: {name} cannot be set: {REFUSED[name]}")
        try:
            values[key] = yaml_values(text.encode())
        except (ValueError, RecursionError, yaml.YAMLError) as error:
            raise InputError(
                f"--set {assignment}: the value cannot be read ({in_short(error)}); write it as YAML"
            ) from None
    return values


@cache
def _paths() -> dict[str, str]:
    """Return the settings by their paths, and by their bare names."""
    paths = {f"{section}.{name}" for section, kind in SECTIONS.items() for name in _names(kind)}
    return {path: path for path in paths} | {path.partition(".")[2]: path for path in paths}


def _names(kind: type[Any]) -> set[str]:
    return {item.name for item in fields(kind)}


def _faults_of(values: Any) -> Iterator[str]:
    """Yield what keeps YAML values from being a recipe: first what can be told better than by the schema."""
    yield from old_names(values)
    yield from refused(values.get("sft") if isinstance(values, dict) else None)
    yield from faults(values, Recipe)


def upgraded(recipe: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """Return the recipe of a run, of version 0.2 and before in a flat form, as it is written now."""
    if "sft" in recipe:
        return dict(recipe)
    packing = recipe.get("packing", "none")
    values: dict[str, Any] = {"sft": {"shuffle_dataset": True}, "lora": {}, "eval": {}, "samples": {}}
    for key, value in {**base, **recipe}.items():
        section, _, name = OLD_KEYS.get(key, "").rpartition(".")
        if section:
            values[section][name] = value
        elif key in _names(Recipe) and key in recipe:
            values[key] = value
    if "max_steps" in recipe:
        values["sft"]["max_steps"] = recipe["max_steps"] or -1
    if (targets := recipe.get("lora_targets", "all-linear")) != "all-linear" and isinstance(targets, str):
        values["lora"]["target_modules"] = [name.strip() for name in targets.split(",")]
    values["sft"] |= {"packing": packing != "none", "packing_strategy": "bfd" if packing == "none" else packing}
    for section, kind in SECTIONS.items():
        defaults = {item.name: item.default for item in fields(kind) if item.default is not MISSING}
        values[section] = defaults | values[section]
    return values


def as_json(settings: Any) -> dict[str, Any]:
    """Return the settings as JSON values, in the order of their definition."""
    return {key: _json(value) for key, value in asdict(settings).items()}


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _json(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value
