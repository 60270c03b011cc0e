"""One base model and adapters on it, asked together: a batch in which every row has its own voice.

The base is in memory once. Which adapter speaks in which row is PEFT's `adapter_names`; the base alone is a voice too.
All of them read the same text, in the base's own chat template: the default base is an instruct model, that is how it
is asked, and an adapter that learnt plain scripts must not be told so by the prompt. A base without a template
(Llama 2, Mistral) reads the messages one after the other, a line each. Nothing heavy is imported before voices load.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Any

from friends_corpus.core.cli import InputError, did_you_mean, in_short
from train.adapters.loading import find_source, read_run
from train.models.base import Source, find_base, locate
from train.models.device import Device, choose_device
from train.models.loading import load_base
from train.settings.base_preset import Base

from .answers import Answer, Sampling

BASE = "base"
DEFAULT_BASE = "smollm2-135m"
IDENTITY = ("model", "sha256", "revision")  # what run.json says of a base that makes two of them the same
PLAIN = "{{ bos_token }}{% for message in messages %}{{ message['content'] + '\n' }}{% endfor %}"
Message = Mapping[str, str]


class Voices:
    """A loaded base with any number of adapters; made by `load_voices`. One batch runs at a time."""

    def __init__(self, model: Any, tokenizer: Any, base: Base, source: Source, device: Device) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.base, self.source, self.device = base, source, device
        self.window: int = getattr(model.config, "max_position_embeddings", base.sequence_length)  # tokens it can read
        self._runs: dict[str, dict[str, Any]] = {}
        self._folders: dict[str, Path] = {}
        self._inner = {BASE: "__base__"}  # PEFT makes modules of its names, and cannot bear a dot or "type"
        self._made = 0
        self._one_batch = Lock()  # two batches at once would get each other's adapters
        if tokenizer.chat_template is None:
            tokenizer.chat_template = PLAIN

    @property
    def names(self) -> tuple[str, ...]:
        """BASE, then the adapters in the order in which they came."""
        return tuple(self._inner)

    @property
    def runs(self) -> Mapping[str, dict[str, Any]]:
        """The run.json of each adapter."""
        return MappingProxyType(self._runs)

    @property
    def folders(self) -> Mapping[str, Path]:
        """Where each adapter came from."""
        return MappingProxyType(self._folders)

    def render(self, messages: Sequence[Message]) -> str:
        """The text that is read, up to where the answer begins. Raises InputError if the template refuses it."""
        from jinja2 import TemplateError

        try:
            text: str = self.tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)
        except TemplateError as error:
            raise InputError(
                f"the chat template of {self.base.model} takes no such messages ({error}); mostly it is a system "
                'message: leave it out (--as "", or no `system` in --prompts)'
            ) from None
        return text

    def encode(self, texts: Sequence[str]) -> Any:
        """Rendered texts as one batch {input_ids, attention_mask}: (texts, tokens), left padded, on the device."""
        side, self.tokenizer.padding_side = self.tokenizer.padding_side, "left"
        batch = self.tokenizer(list(texts), return_tensors="pt", padding=True, add_special_tokens=False)
        self.tokenizer.padding_side = side
        return batch.to(self.device.kind)

    def answer(
        self,
        asked: Sequence[tuple[str, Sequence[Message]]],
        sampling: Sampling,
        streamer: Any = None,
        heed: Callable[[], None] | None = None,
    ) -> list[Answer]:
        """Answers to (voice, messages), all in one batch, in the order asked.

        Greedy answers, and the noise that others are drawn with (see `noise.py`), are the same whoever else is in the
        batch; the sums of the model are so up to rounding. A `streamer` is one of transformers', given the tokens of
        all rows. `heed` is called before every part of the model computes, and ends all by raising, even while a long
        prompt is read. Raises InputError if a text leaves no room for an answer.
        """
        from .sampling_noise import processors

        texts = [self.render(messages) for _, messages in asked]
        batch = self.encode(texts)
        length = batch["input_ids"].shape[1]
        if length + sampling.tokens > self.window:
            raise InputError(
                f"{length} tokens and {sampling.tokens} of an answer; {self.base.model} reads {self.window}: "
                "ask for fewer --tokens, or a shorter prompt"
            )
        with self.speaking([voice for voice, _ in asked]) as named, heeding(heed) if heed else nullcontext():
            ids = self.model.generate(
                input_ids=batch["input_ids"],
                attention_mask=batch["attention_mask"],
                max_new_tokens=sampling.tokens,
                do_sample=False,  # the drawing is in the noise
                use_cache=True,
                eos_token_id=self.tokenizer.eos_token_id,
                pad_token_id=self.tokenizer.pad_token_id,
                logits_processor=processors(texts, sampling),
                streamer=streamer,
                **named,
            )
        return [self._answer(row) for row in ids[:, length:].tolist()]

    def _answer(self, ids: list[int]) -> Answer:
        end: int = self.tokenizer.eos_token_id
        stopped = end in ids
        said = ids[: ids.index(end)] if stopped else ids
        return Answer(self.tokenizer.decode(said, skip_special_tokens=True).strip(), stopped, len(said))

    @contextmanager
    def speaking(self, voices: Sequence[str]) -> Iterator[dict[str, list[str]]]:
        """Within it a forward of `model` with these arguments has `voices` in its rows; no gradients."""
        import torch

        for voice in voices:
            if voice not in self._inner:
                raise InputError(
                    f"no voice {voice!r}{did_you_mean(voice, self.names)}; there are {', '.join(self.names)}"
                )
        with self._one_batch, torch.no_grad():
            try:
                yield {"adapter_names": [self._inner[voice] for voice in voices]} if self._made else {}
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

    def add(self, name: str, folder: Path) -> None:
        """One more adapter, on the same base. Raises InputError, after which all is as it was."""
        if not name or name in self._inner:
            raise InputError(f"{name!r} cannot name {folder}: there is such a voice already; use NAME=FOLDER")
        run, _ = read_run(folder)
        other = next((key for key in IDENTITY if run["base"][key] != self._identity()[key]), None)
        if other:
            raise InputError(
                f"{folder} is of another base ({other} {run['base'][other]}) than {self.base.model} as loaded "
                f"({other} {self._identity()[other]}); compare adapters of one base"
            )
        with self._one_batch:
            self._load(f"voice{self._made}", folder)
        self._inner[name] = f"voice{self._made}"
        self._runs[name], self._folders[name] = run, folder
        self._made += 1

    def _identity(self) -> dict[str, str | None]:
        return {"model": self.base.model, "sha256": self.source.sha256, "revision": self.source.revision}

    def _load(self, inner: str, folder: Path) -> None:
        """The weights of `folder` into the model, as `inner`; whole, or InputError."""
        import torch
        from peft import PeftConfig, PeftModel, PeftModelForCausalLM
        from safetensors import SafetensorError

        from train.training.trainer import as_trained

        bad = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError)
        try:
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
        except BaseException as error:  # Ctrl-C too
            if self._made:
                with suppress(ValueError):  # it did not come so far
                    self.model.delete_adapter(inner)
            elif isinstance(self.model, PeftModel):
                self.model = self.model.unload()
            if not isinstance(error, bad):
                raise
            reason = in_short(error)
            raise InputError(f"the adapter {folder} cannot be loaded: {reason}; train it again") from None
        as_trained(self.model)


@contextmanager
def heeding(heed: Callable[[], None]) -> Iterator[None]:
    """Within it every part of a model calls `heed` before it computes."""
    from torch.nn.modules.module import register_module_forward_pre_hook

    hook = register_module_forward_pre_hook(lambda *_: heed())
    try:
        yield
    finally:
        hook.remove()


def load_voices(adapters: Mapping[str, Path], bits: int | None = None, base: str | None = None) -> Voices:
    """The base of `adapters` (name → folder that train.sft wrote) with all of them on it.

    `bits` (default: as trained, in which all must agree) is how the base is stored; `base` says where it is if it was
    a local folder, or which to load if there are no adapters. Call `quiet` of
    train.runtime.logging first. Raises InputError.
    """
    read = {name: read_run(folder) for name, folder in adapters.items()}
    stored = {name: own.bits for name, (_, own) in read.items()}
    if bits is None and len(set(stored.values())) > 1:
        raise InputError(f"trained in other bits: {with_values(stored)}; add --bits 4, 8, 16 or 32 for all of them")
    bases = {name: own.model for name, (_, own) in read.items()}
    if len(set(bases.values())) > 1:
        raise InputError(f"trained on other bases: {with_values(bases)}; only adapters of one base can be compared")
    if not adapters:
        chosen, folder = find_base(base or DEFAULT_BASE, bits)
        source = locate(chosen, folder)
    else:
        run, chosen = next(iter(read.values()))
        chosen = chosen if bits is None else replace(chosen, bits=bits)
        source = find_source(run, chosen, base)
    device = choose_device(chosen.bits)
    model, tokenizer = load_base(chosen, source, device)

    from train.training.trainer import as_trained

    as_trained(model)
    voices = Voices(model, tokenizer, chosen, source, device)
    for name, path in adapters.items():
        voices.add(name, path)
    return voices


def with_values(values: Mapping[str, object]) -> str:
    """Names with their values.

    >>> with_values({"lines": 0.001, "chat": 0.0002})
    'lines 0.001, chat 0.0002'
    """
    return ", ".join(f"{name} {value}" for name, value in values.items())
