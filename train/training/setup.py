"""What a run computes with: chosen and found before anything heavy loads."""

from dataclasses import dataclass, replace
from pathlib import Path

from train.dataset.loading import Data
from train.models.base import Source
from train.models.device import Device
from train.settings.base_preset import Base
from train.settings.batching import Step
from train.settings.recipe import Recipe


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
    def fitted(self) -> Base:
        """The base with its optimizer step shared out as it is here."""
        return replace(
            self.base,
            batch_size=self.step.batch_size,
            gradient_accumulation=self.step.gradient_accumulation,
            gradient_checkpointing=self.step.gradient_checkpointing,
        )
