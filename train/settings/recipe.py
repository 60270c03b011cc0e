"""What is learnt and how: one flat YAML per dataset, every key required, every mistake one line with its remedy.

No value hides in the code: a recipe names each setting once, with its reason beside it in the YAML, and the command
line overrides the common ones. Nothing heavy is imported here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

import yaml

from friends_corpus.core.cli import InputError, did_you_mean

PACKINGS = ("bfd_split", "bfd", "none")
SCHEDULES = ("constant_with_warmup", "cosine", "linear")


@dataclass(frozen=True)
class Recipe:
    """One training run, but for the base model. Token counts are in tokens, shares in 0–1, rates per step."""

    dataset: str  # config of the dataset repo: lines, named_lines, chunks, chat
    text_field: str  # the column that is learnt; `completion` goes with its `prompt`
    base: str  # preset, Hub id or folder
    epochs: float
    max_steps: int | None  # optimizer steps; None: as many as `epochs` asks for
    max_tokens: int | None  # learnt tokens; None: likewise
    learning_rate: float
    schedule: str
    warmup_share: float
    weight_decay: float
    max_grad_norm: float
    lora_rank: int
    lora_alpha: int
    lora_dropout: float
    lora_targets: str
    packing: str
    eval_tokens: int | None  # held-out tokens scored at each evaluation; None: all of them
    evaluations: int  # while training; one more stands before it, one at its end; 0: only those two
    seed: int
    sample_tokens: int  # length of each sample generation
    sample_temperature: float  # 0.0: greedy
    prompts: tuple[str, ...]


Settings = TypeVar("Settings", Recipe, Any)


def packaged(folder: str) -> dict[str, Traversable]:
    """The YAML files shipped in `train/<folder>`, by name without suffix.

    >>> sorted(packaged("recipes"))
    ['chat', 'chunks', 'lines', 'named_lines']
    """
    found = (files("train") / folder).iterdir()
    return {path.name.removesuffix(".yaml"): path for path in found if path.name.endswith(".yaml")}


def load_recipe(dataset: str | None, path: Path | None, overrides: Mapping[str, Any]) -> Recipe:
    """The packaged recipe of `dataset`, or the one in `path`, with `overrides` (field → value) on top.

    With both, the file's recipe is applied to `dataset`. Raises InputError.

    >>> load_recipe("chunks", None, {"max_steps": 3}).max_steps
    3
    """
    recipes = packaged("recipes")
    if path is not None:
        recipe = read_settings(path, Recipe)
        overrides = dict(overrides) | ({"dataset": dataset} if dataset else {})
    elif dataset is None:
        raise InputError(f"no dataset given; add --dataset {'|'.join(sorted(recipes))}")
    elif dataset not in recipes:
        raise InputError(
            f"unknown dataset {dataset!r}{did_you_mean(dataset, recipes)}; --dataset is one of "
            f"{', '.join(sorted(recipes))}, or give your own --recipe FILE"
        )
    else:
        recipe = read_settings(recipes[dataset], Recipe)
    return check_recipe(replace(recipe, **dict(overrides)), path.name if path else f"{dataset}.yaml")


class OneOfEach(yaml.SafeLoader):
    """YAML in which no key of a mapping stands twice; else the last one would win in silence.

    >>> yaml.load("{a: 1, b: 2}", OneOfEach)
    {'a': 1, 'b': 2}
    """

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """The mapping of a node. Raises YAMLError."""
        keys = [key.value for key, _ in node.value]
        for key, _ in node.value:
            if keys.count(key.value) > 1:
                raise yaml.MarkedYAMLError(problem=f"the key {key.value!r} stands twice", problem_mark=key.start_mark)
        return super().construct_mapping(node, deep)


def read_settings(path: Path | Traversable, kind: type[Settings]) -> Settings:
    """One flat YAML file as the dataclass `kind`: every field present, none unknown, each of its type."""
    try:
        loaded = yaml.load(path.read_text(encoding="utf-8"), OneOfEach)
    except FileNotFoundError:
        raise InputError(f"no such file: {path}; give the path of a YAML file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}; give the path of a YAML file") from None
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f" line {where.line + 1}" if where else ""
        problem = getattr(error, "problem", error)
        raise InputError(f"{path.name}{line} is not YAML: {problem}; write `key: value` lines") from None
    if not isinstance(loaded, dict):
        raise InputError(f"{path.name} holds no settings; write `key: value` lines as in train/recipes/chunks.yaml")
    expected = {field.name: str(field.type) for field in fields(kind)}
    for key in loaded:
        if key not in expected:
            hint = did_you_mean(str(key), expected) or f"; known keys: {', '.join(expected)}"
            raise InputError(f"unknown key {str(key)!r} in {path.name}{hint}")
    for key in expected:
        if key not in loaded:
            raise InputError(f"missing key {key!r} in {path.name}; add `{key}: …`, see train/recipes and train/bases")
    return kind(**{key: convert(loaded[key], expected[key], key, path.name) for key in expected})


def convert(value: object, expected: str, key: str, where: str) -> Any:
    """`value` as the annotated type `expected` of a settings dataclass; InputError when it is another.

    >>> convert("2e-4", "float", "learning_rate", "chunks.yaml")  # YAML 1.1 reads 2e-4 as text
    0.0002
    """
    if value is None and expected.endswith("| None"):
        return None
    plain = expected.removesuffix(" | None")
    if plain == "bool" and isinstance(value, bool):
        return value
    if plain == "str" and isinstance(value, str) and value and whole(value):
        return value
    if plain == "int" and isinstance(value, int) and not isinstance(value, bool):
        return value
    if plain == "float" and isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            return float(value)
        except ValueError:
            pass
    if plain.startswith("tuple") and isinstance(value, list) and value:
        return tuple(convert(one, "str", key, where) for one in value)
    wanted = {
        "bool": "true or false",
        "str": "a text of whole characters",
        "int": "a whole number",
        "float": "a number",
    }
    raise InputError(f"{key} in {where} is {value!r}; write {wanted.get(plain, 'a list of texts')}")


def whole(text: str) -> bool:
    r"""Whether it can be written to a file: no half of a character, which JSON and YAML can hold.

    >>> whole("Zoë"), whole("\ud800 hi")
    (True, False)
    """
    return text.encode(errors="ignore").decode() == text


def check_recipe(recipe: Recipe, where: str) -> Recipe:
    """The recipe itself, if its values make sense; else InputError."""
    rules = {
        "epochs": (0 < recipe.epochs < math.inf, "a number above 0"),
        "max_steps": (recipe.max_steps is None or recipe.max_steps > 0, "a whole number above 0"),
        "max_tokens": (recipe.max_tokens is None or recipe.max_tokens > 0, "a whole number above 0"),
        "learning_rate": (0 < recipe.learning_rate < 1, "a number between 0 and 1, such as 2e-4"),
        "schedule": (recipe.schedule in SCHEDULES, f"one of {', '.join(SCHEDULES)}"),
        "warmup_share": (0 <= recipe.warmup_share < 1, "a share from 0 up to 1"),
        "weight_decay": (0 <= recipe.weight_decay < 1, "a number from 0 up to 1"),
        "max_grad_norm": (0 < recipe.max_grad_norm < math.inf, "a number above 0"),
        "lora_rank": (recipe.lora_rank > 0, "a whole number above 0"),
        "lora_alpha": (recipe.lora_alpha > 0, "a whole number above 0"),
        "lora_dropout": (0 <= recipe.lora_dropout < 1, "a share from 0 up to 1"),
        "packing": (recipe.packing in PACKINGS, f"one of {', '.join(PACKINGS)}"),
        "eval_tokens": (recipe.eval_tokens is None or recipe.eval_tokens > 0, "a whole number above 0, or all"),
        "evaluations": (recipe.evaluations >= 0, "a whole number, 0 or more"),
        "seed": (0 <= recipe.seed < 2**32, "a whole number from 0 to 4294967295"),
        "sample_temperature": (0 <= recipe.sample_temperature <= 2, "a number from 0 (greedy) to 2"),
        "sample_tokens": (recipe.sample_tokens > 0, "a whole number above 0"),
    }
    for key, (good, wanted) in rules.items():
        if not good:
            value = getattr(recipe, key)
            raise InputError(f"{key} is {value!r} (from {where} or the command line); it must be {wanted}")
    if recipe.max_steps and recipe.max_tokens:
        raise InputError("max_steps and max_tokens both say how long to train; give one of them")
    return recipe


def as_json(settings: Any) -> dict[str, Any]:
    """The settings as plain JSON values, in the order of their definition."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(settings).items()}
