"""An adapter of others is data: its settings and weights are checked against the base before memory is taken for them.

Nothing of the folder is handed on to a library but tensors of the shapes that follow from the base and the rank.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from friends_corpus.core.cli import InputError, did_you_mean, in_short
from friends_corpus.core.lora import LoraSettings, read_lora

CONFIG, WEIGHTS, PICKLE = "adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"
MOST_HEADER = 2**23  # bytes
PREFIX = "base_model.model."  # of every name in an adapter's file
WIDEST = 4  # bytes of a weight, at most
MOST = 4  # times the weights of the layers that it adapts, all of an adapter; more is no low rank
Sizes = Mapping[str, tuple[int, int]]  # layer → its inputs and outputs
Natural = Annotated[int, Field(ge=0)]
Shapes = dict[str, list[int]]


class Entry(TypedDict):
    """What the header of a safetensors file says of a tensor."""

    dtype: Literal["F32", "F16", "BF16"]
    shape: list[Natural]
    data_offsets: tuple[Natural, Natural]


@dataclass(frozen=True)
class Adapter:
    """An adapter that fits its base: settings, the layers it is on, weights by their names in the file."""

    settings: LoraSettings
    layers: list[str]
    weights: Mapping[str, Any]


@dataclass(frozen=True)
class Layers:
    """The layers of a bare base that adapters can be on."""

    sizes: Mapping[str, tuple[int, int]]  # name → inputs and outputs
    head: str | None  # of them, the one that computes the logits: not meant by all-linear

    def chosen(self, settings: LoraSettings, place: str) -> list[str]:
        """Name the layers that an adapter is on. Raises InputError where it names one that is not there."""
        wanted = settings.target_modules
        if wanted == "all-linear":
            targets = {name for name in self.sizes if name != self.head}
        else:
            targets = self._named(wanted, f"{place}: target_modules")
        return sorted(targets - self._named(settings.exclude_modules or (), f"{place}: exclude_modules"))

    def _named(self, wanted: Iterable[str], place: str) -> set[str]:
        """All layers of these names, or whose names end in them, as PEFT takes them."""
        ends: dict[str, set[str]] = {}
        for name in self.sizes:
            parts = name.split(".")
            for start in range(len(parts)):
                ends.setdefault(".".join(parts[start:]), set()).add(name)
        for name in wanted:
            if name not in ends:
                problem = f"the base has no linear layer {name!r:.100}{did_you_mean(name[:100], ends)}"
                raise InputError(f"{place}: {problem}; give an adapter of this base")
        return set().union(*(ends[name] for name in wanted))


def layers_of(model: Any) -> Layers:
    """Return the layers of a model that has no adapters yet."""
    from torch.nn import Linear
    from transformers.pytorch_utils import Conv1D

    sizes, head = {}, None
    for name, layer in model.named_modules():
        if isinstance(layer, Linear):  # quantised ones too
            sizes[name] = layer.in_features, layer.out_features
        elif isinstance(layer, Conv1D):
            sizes[name] = layer.weight.shape[0], layer.weight.shape[1]
        if name in sizes and layer is model.get_output_embeddings():
            head = name
    return Layers(sizes, head)


def read_adapter(folder: Path, layers: Layers) -> Adapter:
    """Read an adapter for a base of these layers. Raises InputError."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    config, weights = folder / CONFIG, folder / WEIGHTS
    settings = read_lora(config)
    chosen = layers.chosen(settings, str(config))
    shapes = _shapes(settings, {name: layers.sizes[name] for name in chosen})
    size, room = sum(map(prod, shapes.values())), sum(prod(layers.sizes[name]) for name in chosen)
    if size > MOST * room:
        raise InputError(f"{config}: r is {settings.r}, beyond the layers of the base; give an adapter of this base")
    data = _read(weights, 8 + MOST_HEADER + WIDEST * size)
    check_header(data, shapes, str(weights))
    try:
        tensors = load(data)
    except (SafetensorError, ValueError, RuntimeError) as error:
        raise InputError(f"{weights} is damaged ({in_short(error)}); get it again") from None
    if {name: list(tensor.shape) for name, tensor in tensors.items()} != shapes:
        raise InputError(f"{weights} is damaged (its header says two things); get it again")
    if not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
        raise InputError(f"{weights}: some of its weights are NaN or infinite; train it again")
    return Adapter(settings, chosen, tensors)


def _read(path: Path, most: int) -> bytes:
    """Return the bytes of a file of an adapter, which are at most so many. Raises InputError."""
    if not path.is_file():
        raise InputError(f"{path.parent} holds no file {path.name}; give a folder that train.sft wrote")
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; give a folder that train.sft wrote") from None
    if len(data) > most:
        raise InputError(f"{path} is larger than the {most:,} bytes that it can need; give an adapter of this base")
    return data


def _shapes(settings: LoraSettings, sizes: Mapping[str, tuple[int, int]]) -> Shapes:
    """The tensors that an adapter on layers of these sizes has, as PEFT names them."""
    shapes: Shapes = {}
    for name, (inputs, outputs) in sizes.items():
        shapes[f"{PREFIX}{name}.lora_A.weight"] = [settings.r, inputs]
        shapes[f"{PREFIX}{name}.lora_B.weight"] = [outputs, settings.r]
        if settings.use_dora:
            shapes[f"{PREFIX}{name}.lora_magnitude_vector"] = [outputs]
    return shapes


def check_header(data: bytes, shapes: Shapes, place: str) -> None:
    """Raise InputError unless a safetensors file holds just the tensors of these shapes."""
    length = int.from_bytes(data[:8], "little")
    try:
        if not length <= min(MOST_HEADER, len(data) - 8):
            raise ValueError("its header is longer than the file, or than any header")
        header = TypeAdapter(dict[str, Any]).validate_json(data[8 : 8 + length])
        header.pop("__metadata__", None)
        if foreign := sorted(header.keys() - shapes.keys()):
            what = f"{foreign[0]!r:.200}, which is no LoRA weight of a layer that {CONFIG} names"
            raise InputError(f"{place} holds {what}; give an adapter of this base, without other weights")
        if missing := sorted(shapes.keys() - header.keys()):
            raise InputError(f"{place} lacks {missing[0]!r}, of a layer that {CONFIG} names; train it again")
        entries = TypeAdapter(dict[str, Entry]).validate_python(header)
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        reason = in_short(ValueError(error.errors()[0]["msg"]) if isinstance(error, ValidationError) else error)
        raise InputError(f"{place} is damaged ({reason}); get it again") from None
    for name, entry in entries.items():
        if entry["shape"] != shapes[name]:
            found = f"{entry['shape']!r:.100}, not {shapes[name]}"
            raise InputError(f"{place}: {name} has the shape {found} as {CONFIG} and the base say; train it again")
        start, end = entry["data_offsets"]
        if not start <= end <= len(data) - 8 - length:
            raise InputError(f"{place} is damaged ({name} lies outside of it); get it again")


def attach(model: Any, adapter: Adapter, name: str) -> Any:
    """Put an adapter on `model` under `name` and return the model with it. Raises ValueError, RuntimeError."""
    from peft import LoraConfig, PeftModel, PeftModelForCausalLM, set_peft_model_state_dict

    settings = adapter.settings
    config = LoraConfig(
        task_type="CAUSAL_LM",
        inference_mode=True,
        r=settings.r,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules=list(adapter.layers),
        use_rslora=settings.use_rslora,
        use_dora=settings.use_dora,
    )
    if isinstance(model, PeftModel):
        model.add_adapter(name, config)
    else:
        model = PeftModelForCausalLM(model, config, name)
    result = set_peft_model_state_dict(model, dict(adapter.weights), name)
    missing = [key for key in result.missing_keys if f".{name}." in key]
    if missing or result.unexpected_keys:
        raise ValueError(f"PEFT takes other weights: {(missing or result.unexpected_keys)[0]}")
    return model


def logits_of_base(model: Any) -> Any:
    """Return what the base alone computes of a fixed short input, as bytes; adapters on it must not change a bit."""
    import torch
    from peft import PeftModel

    ids = torch.arange(8, device=model.device).remainder(model.config.vocab_size)[None]
    alone = {"adapter_names": ["__base__"]} if isinstance(model, PeftModel) else {}
    with torch.no_grad():
        return model(input_ids=ids, use_cache=False, **alone).logits.contiguous().view(torch.uint8)


def load_alone(model: Any, folder: Path) -> Any:
    """Return a bare model with one adapter on it, of which the base is as it was. Raises InputError."""
    from train.training.trainer import as_trained

    adapter = read_adapter(folder, layers_of(model))
    as_trained(model)
    before = logits_of_base(model)
    try:
        model = attach(model, adapter, "adapter")
        as_trained(model)
        check_base(model, before)
    except (ValueError, RuntimeError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"the adapter {folder} cannot be loaded: {in_short(error)}; train it again") from None
    return model


def check_base(model: Any, before: Any) -> None:
    """Raise ValueError unless the base alone computes what it did before, bit for bit."""
    if not logits_of_base(model).equal(before):
        raise ValueError("the base does not compute what it did before")
