"""What run.json says of a run: what went in, which a resumed run must share, and what came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from train.dataset.loading import Data
from train.models.base import Source
from train.models.device import Device
from train.settings.base_preset import Base
from train.settings.batching import Step
from train.settings.recipe import Recipe, as_json, packaged

from .output_folder import software

Score = tuple[float, int]  # loss in nats per token, tokens scored


def facts_of(
    recipe: Recipe, data: Data, base: Base, source: Source, local: bool, device: Device, step: Step
) -> dict[str, Any]:
    """All that decides what is computed. `local`: the base is a folder of this machine."""
    return {
        "recipe": as_json(recipe) | {"base": recipe.base if recipe.base in packaged("bases") else base.model},
        "dataset": {
            "name": data.name,
            "version": data.version,
            "revision": data.revision,
            "manifest_sha256": data.manifest_sha256,
            "show": data.show,
            "sample": data.sample,
            "text_sha256": data.text_sha256,
            "config": recipe.dataset,
            "text_field": recipe.text_field,
            "conversation": data.conversation,
            "rows": len(data.train),
            "rows_validation": len(data.validation) if data.validation else 0,
        },
        "base": {
            **as_json(base),
            "source": "folder" if local else "wheel" if base.wheel else "hub",
            "revision": source.revision,
            "wheel_version": source.wheel_version,
            "sha256": source.sha256,
            "described": source.described,
            "dtype": device.dtype,
        },
        "shared_out": asdict(step),
        "software": software(),
    }


def results_of(history: Sequence[Mapping[str, Any]], before: Score | None, after: Score | None) -> dict[str, Any]:
    """Losses and tokens out of what the trainer logged; `before` and `after` are the held-out losses.

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
