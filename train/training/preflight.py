"""What can be known before the model loads: the bits work here, memory and disk suffice."""

import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from friends_corpus.core.cli import InputError, did_you_mean, in_short
from train.models.base import Source
from train.models.device import Device
from train.models.loading import load_config, place_of, readable
from train.runtime.distributed import count, everywhere
from train.runtime.memory import GB, free_memory
from train.settings.base_preset import Base
from train.settings.recipe import Recipe

from .setup import Setup

TRACKERS = ("tensorboard", "trackio", "wandb")  # what --report-to takes
BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
KEPT_CHECKPOINTS = 3  # two, and the one that is being written
LIBRARY_BYTES = 10**9  # bytes: what is imported after the check, pages of the weights' file, the allocator's gaps


@dataclass(frozen=True)
class Needs:
    """What a process will take from here on, in bytes; `memory` is an estimate.

    SmolLM2 in 8 bits took 2.22 GB more for a window of 512 tokens on a CPU, 1.70 GB with gradient checkpointing;
    foreseen were 2.22 and 1.66.
    """

    weights: int
    adapter: int  # with gradients and both moments of the optimizer
    work: int  # activations and logits of one forward and backward, and what the libraries take
    disk: int

    @property
    def memory(self) -> int:
        """All that is in memory at once."""
        return self.weights + self.adapter + self.work


def check_tracker(name: str) -> None:
    """Raise InputError unless the tracker of --report-to is none or is installed."""
    if name not in ("none", *TRACKERS):
        raise InputError(
            f"--report-to {name}: unknown{did_you_mean(name, TRACKERS)}; it is {', '.join(TRACKERS)} or none"
        )
    if name != "none" and find_spec(name) is None:
        raise InputError(f"--report-to {name} needs the package {name}: pip install {name}")


def check_machine(setup: Setup) -> Needs:
    """Estimate what training will need. Raises InputError if a rank lacks it."""
    needs = estimate(setup.fitted, setup.base, setup.source, setup.device)
    everywhere(lambda: check_bits(setup.base.bits, setup.device))
    everywhere(lambda: check_room(needs, setup.device, setup.output))
    return needs


def check_bits(bits: int, device: Device) -> None:
    """Run one forward and backward pass in these bits on this device. Raises InputError if it fails."""
    import torch

    try:
        x = torch.ones(2, 64, device=device.kind, dtype=getattr(torch, device.dtype), requires_grad=True)
        _layer(bits, device)(x).sum().backward()
        if x.grad is None or not bool(torch.isfinite(x.grad).all()):
            raise RuntimeError("the gradient is NaN or infinite")
    except (RuntimeError, ImportError, AttributeError, AssertionError) as error:
        raise InputError(
            f"{bits} bits do not work on this {device.kind} ({in_short(error)}); try --bits 16 or --bits 32"
        ) from None


def _layer(bits: int, device: Device) -> Any:
    import torch
    from bitsandbytes.nn.modules import Linear4bit, Linear8bitLt

    dtype = getattr(torch, device.dtype)
    if bits == 8:
        return Linear8bitLt(64, 64, bias=False, has_fp16_weights=False).to(device.kind)
    if bits == 4:
        return Linear4bit(64, 64, bias=False, compute_dtype=dtype, quant_type="nf4").to(device.kind)
    return torch.nn.Linear(64, 64, bias=False, dtype=dtype, device=device.kind)


def estimate(recipe: Recipe, base: Base, source: Source, device: Device) -> Needs:
    """Estimate the memory that training needs from the model's shapes; no weight is read."""
    import torch
    from transformers import AutoModelForCausalLM

    with readable(base, source), torch.device("meta"):
        config = load_config(place_of(base, source), source.revision)
        model: Any = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    config, head = config.get_text_config(), model.get_output_embeddings()
    linear = [layer for layer in model.modules() if isinstance(layer, torch.nn.Linear) and layer is not head]
    in_layers = sum(layer.weight.numel() for layer in linear)
    others = sum(weight.numel() for weight in model.parameters()) - in_layers
    computed = BYTES[device.dtype]
    stored = base.bits / 8 if base.bits in (4, 8) else computed
    targets, excluded = recipe.lora.target_modules, recipe.lora.exclude_modules or []
    adapted = [
        layer
        for name, layer in model.named_modules()
        if layer in linear
        and (targets == "all-linear" or name.split(".")[-1] in targets)
        and name.split(".")[-1] not in excluded
    ]
    lora = sum(recipe.lora.r * (layer.in_features + layer.out_features) for layer in adapted)
    tokens = recipe.sft.per_device_train_batch_size * recipe.sft.max_length
    # within 4 % of all that autograd keeps of a Llama's or Mistral's layers, weighed on a CPU in 32 and 8 bits
    seen = sum(layer.in_features + layer.out_features for layer in linear)
    layers = max(1, getattr(config, "num_hidden_layers", 1))
    kept = layers * config.hidden_size + seen // layers if recipe.sft.activation_checkpointing else seen
    activations = tokens * computed * kept
    return Needs(
        weights=int(in_layers * stored + others * computed),
        adapter=lora * 16,
        work=int(activations + 3 * tokens * config.vocab_size * 4 + LIBRARY_BYTES),  # logits, softmax, gradient
        disk=KEPT_CHECKPOINTS * lora * 12 + lora * 4,
    )


def check_room(needs: Needs, device: Device, output: Path) -> None:
    """Raise InputError if memory or disk will not suffice."""
    free = free_memory(device)
    sharing = count() if device.kind == "cpu" else 1  # the processes of a launcher share it
    if free is not None and needs.memory > free // sharing:
        raise InputError(
            f"training needs at least {needs.memory / GB:.1f} GB of {device.kind} memory (weights "
            f"{needs.weights / GB:.1f}, adapter {needs.adapter / GB:.1f}, one step {needs.work / GB:.1f}) and "
            f"{free // sharing / GB:.1f} GB are free; try fewer --bits, or a smaller --set sft.max_length"
        )
    parent = next(folder for folder in [output, *output.absolute().parents] if folder.is_dir())
    left = shutil.disk_usage(parent).free
    if needs.disk > left:
        raise InputError(
            f"the checkpoints of {output} need {needs.disk / GB:.2f} GB and {left / GB:.2f} GB are free; make room or "
            "choose another --output"
        )
