"""What a run computes with: chosen and found before anything heavy loads."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from friends_corpus.core.lora import LoraSettings
from train.dataset.loading import Data
from train.models.base import Source
from train.models.device import Device
from train.settings.base_preset import Base
from train.settings.batching import Step, lighter
from train.settings.recipe import Recipe

say = partial(print, flush=True)


@dataclass(frozen=True)
class Setup:
    """All that decides what a run computes, and the folder that receives it."""

    recipe: Recipe
    base: Base
    local: bool  # the base is a folder of this machine
    step: Step
    output: Path
    data: Data
    source: Source
    device: Device

    @property
    def lighter(self) -> str:
        """Return what to try where memory is too short."""
        return lighter(self.step, self.recipe.sft, self.base.bits)

    @property
    def fitted(self) -> Recipe:
        """Return the recipe with its optimizer step shared out as it is here."""
        shared = replace(
            self.recipe.sft,
            per_device_train_batch_size=self.step.batch_size,
            gradient_accumulation_steps=self.step.gradient_accumulation,
            activation_checkpointing=self.step.gradient_checkpointing,
        )
        return replace(self.recipe, sft=shared)


def introduce(setup: Setup, stored: float) -> None:
    """Print what is about to be trained; `stored`: the share of the weights that is in the bits asked for."""
    recipe, base, step, data, device = setup.recipe, setup.base, setup.step, setup.data, setup.device
    say(f"dataset   {data.name}, {recipe.dataset}, column {recipe.sft.dataset_text_field}: {len(data.train):,} rows")
    say(f"base      {base.model} in {base.bits} bits, from {setup.source.described}")
    if base.bits < 16:
        say(f"          {stored:.1%} of its weights; the others are in {device.dtype}")
    say(f"device    {device.name}; computing in {device.dtype}")
    if step.processes > 1:
        say(f"ranks     {step.processes} processes share the {step.sequences} sequences of a step")
    if base.bits == 8:
        say("          (bitsandbytes casts activations around 8-bit layers and would say so at every layer: silenced)")


def described(lora: LoraSettings) -> str:
    """Return what an adapter is."""
    layers = lora.target_modules if isinstance(lora.target_modules, str) else ", ".join(lora.target_modules)
    return f"{'DoRA' if lora.use_dora else 'LoRA'} rank {lora.r} on {layers}"
