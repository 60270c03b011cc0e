"""Adapters on one base model in memory, of which every row of a batch has its own: PEFT's `adapter_names`.

Nothing heavy is imported before a model is there.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from threading import Lock
from typing import Any

from friends_corpus.core.cli import InputError, did_you_mean, in_short
from train.models.lora_weights import attach, check_base, layers_flatten, layers_of, logits_of_base, read_adapter
from train.models.upstream import forget_adapter_names


class AdapterStack:
    """A model with any number of adapters in it. One batch runs at a time."""

    def __init__(self, model: Any, base: str) -> None:
        self.model = model
        self._inner = {base: "__base__"}  # PEFT makes modules of its names, and cannot bear a dot or "type"
        self._one_batch = Lock()  # two batches at once would get each other's adapters
        self._layers = layers_of(model)
        self.flattens = layers_flatten(model)  # a row's adapter cannot be told from its place in the batch
        self._before: Any = None  # what the base computes, from before the first adapter on

    @property
    def names(self) -> tuple[str, ...]:
        """The base, then the adapters in the order in which they came."""
        return tuple(self._inner)

    @contextmanager
    def speaking(self, names: Sequence[str]) -> Iterator[dict[str, list[str]]]:
        """Run forward passes with the adapters `names` in the rows of a batch; no gradients."""
        import torch

        for name in names:
            if name not in self._inner:
                raise InputError(
                    f"no model {name!r}{did_you_mean(name, self.names)}; there are {', '.join(self.names)}"
                )
        with self._one_batch, torch.no_grad():
            try:
                with self._alone(names) if self.flattens else nullcontext():
                    together = len(self._inner) > 1 and not self.flattens
                    yield {"adapter_names": [self._inner[name] for name in names]} if together else {}
            except BaseException:  # Ctrl-C too
                forget_adapter_names(self.model)
                raise

    @contextmanager
    def _alone(self, names: Sequence[str]) -> Iterator[None]:
        """Let one model answer alone. Raises InputError if there are several."""
        if len(set(names)) > 1:
            raise InputError("this base takes one adapter at a time; ask its models one after the other")
        inner = self._inner[names[0]]
        if inner == "__base__":
            with self.model.disable_adapter() if len(self._inner) > 1 else nullcontext():
                yield
        else:
            self.model.set_adapter(inner, inference_mode=True)
            yield

    def load(self, name: str, folder: Path) -> None:
        """Load the adapter in `folder`, or raise InputError, after which all is as it was."""
        from train.models.eval_mode import set_eval_mode

        adapter = read_adapter(folder, self._layers)  # nobody waits for a slow disk
        if adapter.settings.use_dora:
            raise InputError(f"{folder} is a DoRA, which cannot answer beside other adapters; train.merge merges it")
        with self._one_batch:
            if name in self._inner:
                raise InputError(f"{name!r} cannot name {folder}: there is a model of that name; use NAME=FOLDER")
            if self._before is None:
                self._before = logits_of_base(self.model)
            inner = f"adapter{len(self._inner) - 1}"
            try:
                self.model = attach(self.model, adapter, inner)
                set_eval_mode(self.model)
                check_base(self.model, self._before)
            except BaseException as error:  # Ctrl-C too
                self._unload(inner)
                if not isinstance(error, (ValueError, RuntimeError, KeyError, TypeError, AttributeError)):
                    raise
                raise InputError(f"the adapter {folder} cannot be loaded: {in_short(error)}; train it again") from None
            self._inner[name] = inner

    def _unload(self, inner: str) -> None:
        """Take an adapter off, however far it came."""
        from peft import PeftModel
        from peft.tuners.lora import LoraLayer

        if len(self._inner) > 1:
            with suppress(ValueError):  # it did not come so far
                self.model.delete_adapter(inner)
            return
        self.model = self.model.get_base_model() if isinstance(self.model, PeftModel) else self.model
        layers: list[Any] = [pair for pair in self.model.named_modules() if isinstance(pair[1], LoraLayer)]
        for name, layer in layers:
            self.model.set_submodule(name, layer.get_base_layer())
        vars(self.model).pop("peft_config", None)
