"""An adapter of others is data: its settings and weights are checked against the base before memory is taken for them.

Nothing of the folder is handed on to a library but tensors of the shapes that follow from the base and the rank.
"""

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from friends_corpus.core.cli import InputError, did_you_mean, in_short
from friends_corpus.core.lora import LoraSettings, read_lora

CONFIG, WEIGHTS, PICKLE = "adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"
PREFIX = "base_model.model."  # of every name in an adapter's file
DTYPES = ("F32", "F16", "BF16")
MOST = 4  # times the weights of the layers that it adapts, all of an adapter; more is no low rank
Sizes = Mapping[str, tuple[int, int]]  # layer → its inputs and outputs
Shapes = dict[str, list[int]]


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

    def chosen(self, settings: LoraSettings, source: str) -> list[str]:
        """Name the layers that an adapter is on. Raises InputError where it names one that is not there."""
        modules = settings.target_modules
        if modules == "all-linear":
            targets = {name for name in self.sizes if name != self.head}
        else:
            targets = self._named(modules, f"{source}: target_modules")
        return sorted(targets - self._named(settings.exclude_modules or (), f"{source}: exclude_modules"))

    def _named(self, names: Iterable[str], source: str) -> set[str]:
        """Return all layers whose names are these or end in them, as PEFT matches them."""
        ends: dict[str, set[str]] = {}
        for name in self.sizes:
            parts = name.split(".")
            for start in range(len(parts)):
                ends.setdefault(".".join(parts[start:]), set()).add(name)
        for name in names:
            if name not in ends:
                problem = f"the base has no linear layer {name!r:.100}{did_you_mean(name[:100], ends)}"
                raise InputError(f"{source}: {problem}; give an adapter of this base")
        return set().union(*(ends[name] for name in names))


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
    config, weights = folder / CONFIG, folder / WEIGHTS
    settings = read_lora(config)
    chosen = layers.chosen(settings, str(config))
    shapes = _shapes(settings, {name: layers.sizes[name] for name in chosen})
    size, room = sum(map(prod, shapes.values())), sum(prod(layers.sizes[name]) for name in chosen)
    if size > MOST * room:
        raise InputError(f"{config}: r is {settings.r}, beyond the layers of the base; give an adapter of this base")
    tensors = _read_tensors(weights, shapes)
    if not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
        raise InputError(f"{weights}: some of its weights are NaN or infinite; train it again")
    return Adapter(settings, chosen, tensors)


def _read_tensors(path: Path, shapes: Shapes) -> dict[str, Any]:
    """Return the tensors of a file that holds exactly these, by its header, before they are read. Raises InputError."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise InputError(f"{path.parent} holds no file {path.name}; give a folder that train.sft wrote")
    try:
        with safe_open(path, "pt") as file:
            names = set(file.keys())
            if foreign := sorted(names - shapes.keys()):
                what = f"{foreign[0]!r:.200}, which is no LoRA weight of a layer that {CONFIG} names"
                raise InputError(f"{path} holds {what}; give an adapter of this base, without other weights")
            if missing := sorted(shapes.keys() - names):
                raise InputError(f"{path} lacks {missing[0]!r}, of a layer that {CONFIG} names; train it again")
            for name, shape in shapes.items():
                entry = file.get_slice(name)
                if entry.get_shape() != shape:
                    difference = f"{entry.get_shape()!r:.100}, not {shape} as {CONFIG} and the base say"
                    raise InputError(f"{path}: {name} has the shape {difference}; train it again")
                if entry.get_dtype() not in DTYPES:
                    raise InputError(
                        f"{path}: {name} is {entry.get_dtype()}, not a float of 16 or 32 bits; train it again"
                    )
            return {name: file.get_tensor(name) for name in shapes}
    except (SafetensorError, OSError, RuntimeError) as error:
        raise InputError(f"{path} cannot be read ({in_short(error)}); get it again") from None


def _shapes(settings: LoraSettings, sizes: Mapping[str, tuple[int, int]]) -> Shapes:
    """Return the shapes of an adapter's tensors on layers of these sizes, by PEFT's names."""
    shapes: Shapes = {}
    for name, (inputs, outputs) in sizes.items():
        shapes[f"{PREFIX}{name}.lora_A.weight"] = [settings.r, inputs]
        shapes[f"{PREFIX}{name}.lora_B.weight"] = [outputs, settings.r]
        if settings.use_dora:
            shapes[f"{PREFIX}{name}.lora_magnitude_vector"] = [outputs]
    return shapes


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

    ids = torch.arange(8, device=model.device).remainder(model.config.get_text_config().vocab_size)[None]
    with torch.no_grad(), model.disable_adapter() if isinstance(model, PeftModel) else nullcontext():
        return model(input_ids=ids, use_cache=False).logits.contiguous().view(torch.uint8)


def layers_flatten(model: Any) -> bool:
    """Tell whether linear layers get the tokens of all rows in one, as OPT's do."""
    import torch

    ids, sizes = torch.zeros((2, 3), dtype=torch.long, device=model.device), set()
    layers = [model.get_submodule(name) for name in layers_of(model).sizes]
    hooks = [layer.register_forward_pre_hook(lambda _, inputs: sizes.add(inputs[0].shape[0])) for layer in layers]
    with torch.no_grad():
        model(input_ids=ids, use_cache=False)
    for hook in hooks:
        hook.remove()
    return 6 in sizes


def load_alone(model: Any, folder: Path) -> Any:
    """Return a bare model with one adapter on it, of which the base is as it was. Raises InputError."""
    from train.models.eval_mode import set_eval_mode

    adapter = read_adapter(folder, layers_of(model))
    set_eval_mode(model)
    before = logits_of_base(model)
    try:
        model = attach(model, adapter, "adapter")
        set_eval_mode(model)
        check_base(model, before)
    except (ValueError, RuntimeError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"the adapter {folder} cannot be loaded: {in_short(error)}; train it again") from None
    return model


def check_base(model: Any, before: Any) -> None:
    """Raise ValueError unless the base alone computes what it did before, bit for bit."""
    if not logits_of_base(model).equal(before):
        raise ValueError("the base does not compute what it did before")
