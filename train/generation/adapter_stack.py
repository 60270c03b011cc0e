"""Adapters on one base model in memory, of which every row of a batch has its own: PEFT's `adapter_names`.

Nothing heavy is imported before a model is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any

from friends_corpus.core.cli import InputError, did_you_mean, in_short


class AdapterStack:
    """A model with any number of adapters in it. One batch runs at a time."""

    def __init__(self, model: Any, base: str) -> None:
        self.model = model
        self._inner = {base: "__base__"}  # PEFT makes modules of its names, and cannot bear a dot or "type"
        self._one_batch = Lock()  # two batches at once would get each other's adapters

    @property
    def names(self) -> tuple[str, ...]:
        """The base, then the adapters in the order in which they came."""
        return tuple(self._inner)

    @contextmanager
    def speaking(self, names: Sequence[str]) -> Iterator[dict[str, list[str]]]:
        """Within it a forward of `model` with these arguments has `names` in its rows; no gradients."""
        import torch

        for name in names:
            if name not in self._inner:
                raise InputError(
                    f"no voice {name!r}{did_you_mean(name, self.names)}; there are {', '.join(self.names)}"
                )
        with self._one_batch, torch.no_grad():
            try:
                yield {"adapter_names": [self._inner[name] for name in names]} if len(self._inner) > 1 else {}
            except BaseException:  # Ctrl-C too
                self._forget_rows()
                raise

    def _forget_rows(self) -> None:
        """PEFT takes the names of the rows back only after a forward that ended well: else the next has them too."""
        from peft.tuners.lora import LoraLayer

        layers: list[Any] = [module for module in self.model.modules() if isinstance(module, LoraLayer)]
        for layer in layers:
            layer._forward_pre_hooks.clear()
            layer._forward_pre_hooks_with_kwargs.clear()

    def load(self, name: str, folder: Path) -> None:
        """Load the adapter in `folder`, or raise InputError, after which all is as it was."""
        from safetensors import SafetensorError

        from train.training.trainer import as_trained

        bad = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError)
        inner = f"voice{len(self._inner) - 1}"
        with self._one_batch:
            try:
                self._load(inner, folder)
            except BaseException as error:  # Ctrl-C too
                self._unload(inner)
                if not isinstance(error, bad):
                    raise
                reason = in_short(error)
                raise InputError(f"the adapter {folder} cannot be loaded: {reason}; train it again") from None
            as_trained(self.model)
        self._inner[name] = inner

    def _load(self, inner: str, folder: Path) -> None:
        import torch
        from peft import PeftConfig, PeftModel, PeftModelForCausalLM

        if not isinstance(self.model, PeftModel):
            config = PeftConfig.from_pretrained(str(folder))
            config.inference_mode = True
            self.model = PeftModelForCausalLM(self.model, config, inner)
        found = self.model.load_adapter(str(folder), inner)
        if found.missing_keys or found.unexpected_keys:
            raise ValueError(f"its weights are not those of its adapter_config.json: {found}")
        own = [weight for key, weight in self.model.named_parameters() if f".{inner}." in key]
        if not all(bool(torch.isfinite(weight).all()) for weight in own):
            raise ValueError("some of its weights are no numbers")

    def _unload(self, inner: str) -> None:
        from peft import PeftModel

        if len(self._inner) > 1:
            with suppress(ValueError):  # it did not come so far
                self.model.delete_adapter(inner)
        elif isinstance(self.model, PeftModel):
            self.model = self.model.unload()
