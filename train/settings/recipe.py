"""Recipes: one flat YAML file per config, every key required, every mistake one line with its remedy.

No value hides in the code: a recipe names each setting once, with its reason beside it in the YAML, and the command
line overrides the common ones. Nothing heavy is imported here.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field

from friends_corpus.core.cli import InputError, did_you_mean
from friends_corpus.core.manifest import Positive
from friends_corpus.core.reader import Text, checked, closed, faults, read, yaml_values

Number = Annotated[float, BeforeValidator(lambda value: float(value) if isinstance(value, str) else value)]  # 2e-4
Share = Annotated[Number, Field(ge=0, lt=1)]


@closed
@dataclass(frozen=True)
class Recipe:
    """One training run, but for the base model. Token counts are in tokens, shares in 0–1, rates per step."""

    dataset: Text  # config of the dataset repo: lines, named_lines, chunks, chat
    text_field: Text  # the column to train on; `completion` goes with its `prompt`
    base: Text  # preset, Hub id or folder
    epochs: Annotated[Number, Field(gt=0, allow_inf_nan=False)]
    max_steps: Positive | None  # optimizer steps; None: as many as `epochs` asks for
    max_tokens: Positive | None  # trained tokens; None: likewise
    learning_rate: Annotated[Number, Field(gt=0, lt=1)]
    schedule: Literal["constant_with_warmup", "cosine", "linear"]
    warmup_share: Share
    weight_decay: Share
    max_grad_norm: Annotated[Number, Field(gt=0, allow_inf_nan=False)]
    lora_rank: Positive
    lora_alpha: Positive
    lora_dropout: Share
    lora_targets: Text
    packing: Literal["bfd_split", "bfd", "none"]
    eval_tokens: Positive | None  # held-out tokens scored at each evaluation; None: all of them
    evaluations: Annotated[int, Field(ge=0)]  # while training; one stands before it, one at its end; 0: only those
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    sample_tokens: Positive  # length of each sample generation
    sample_temperature: Annotated[Number, Field(ge=0, le=2)]  # 0.0: greedy
    prompts: Annotated[tuple[Text, ...], Field(min_length=1)]


Settings = TypeVar("Settings", Recipe, Any)


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


def load_recipe(dataset: str | None, path: Path | None, overrides: Mapping[str, Any]) -> Recipe:
    """Load the recipe in `path`, by default the packaged one of `dataset`, with `overrides` on top.

    With both, the file's recipe is applied to `dataset`. Raises InputError.

    >>> load_recipe("chunks", None, {"max_steps": 3}).max_steps
    3
    """
    recipes = packaged("recipes")
    place = path or recipes.get(dataset or "")
    if place is None:
        wrong = f"unknown dataset {dataset!r}{did_you_mean(dataset, recipes)}" if dataset else "no dataset given"
        raise InputError(f"{wrong}; add --dataset {'|'.join(sorted(recipes))}, or give your own --recipe FILE")
    values = asdict(read_settings(place, Recipe)) | dict(overrides) | ({"dataset": dataset} if dataset else {})
    for fault in faults(values, Recipe):
        raise InputError(f"{fault}; change it on the command line or in {place}")
    if values["max_steps"] and values["max_tokens"]:
        raise InputError("max_steps and max_tokens both say how long to train; give one of them")
    return checked(values, Recipe)


def read_settings(path: Path | Traversable, kind: type[Settings]) -> Settings:
    """Read a YAML file as the dataclass `kind`: every field present, known and of its type."""
    return read(path, yaml_values, kind, "write `key: value` lines as in train/recipes and train/bases")


def as_json(settings: Any) -> dict[str, Any]:
    """Return the settings as JSON values, in the order of their definition."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(settings).items()}
