"""Generate with one base model and several adapters at once: every row of a batch has its own adapter.

The base is in memory once (see `adapter_stack.py`); the base alone counts as a model too.
All of them read the same text, in the base's own chat template: the default base is an instruct model, that is how it
is asked, and an adapter trained on plain scripts must not be told so by the prompt. A base without a template
(Llama 2, Mistral) reads the messages one after the other, a line each. Heavy imports wait until the models load.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from friends_corpus.core.cli import InputError
from train.adapters.loading import find_source, read_run
from train.adapters.run_record import Run
from train.models.base import Source, locate
from train.models.chat_template import TemplateRefused
from train.models.device import Device, choose_device
from train.models.loading import load_base
from train.models.turn_format import turn_format_of, without_thoughts
from train.settings.base_preset import LOCAL, Base, find_base

from .adapter_stack import AdapterStack
from .answers import Answer, Sampling

BASE = "base"
DEFAULT_BASE = "smollm2-135m"
Message = Mapping[str, str]


class TextGenerator:
    """A loaded base with any number of adapters; made by `load_generator`. One batch runs at a time."""

    def __init__(self, model: Any, tokenizer: Any, base: Base, source: Source, device: Device) -> None:
        self._adapters, self.tokenizer = AdapterStack(model, BASE), tokenizer
        self.base, self.source, self.device = base, source, device
        self.context_length: int = getattr(
            model.config.get_text_config(), "max_position_embeddings", base.sft["max_length"]
        )  # tokens it can read
        self.runs: dict[str, Run] = {}  # of each adapter
        self.folders: dict[str, Path] = {}  # where each came from
        self.turns = turn_format_of(model, tokenizer, base.end_token)

    @property
    def model(self) -> Any:
        """The base, with the adapters in it."""
        return self._adapters.model

    @property
    def names(self) -> tuple[str, ...]:
        """BASE, then the adapters in the order in which they came."""
        return self._adapters.names

    @property
    def groups(self) -> list[tuple[str, ...]]:
        """The models that can run in one batch: all together, but for a base that takes one adapter at a time."""
        return [(name,) for name in self.names] if self._adapters.flattens else [self.names]

    def speaking(self, names: Sequence[str]) -> AbstractContextManager[dict[str, list[str]]]:
        """Run forward passes with the models `names` in the rows of a batch; no gradients."""
        return self._adapters.speaking(names)

    def render(self, messages: Sequence[Message]) -> str:
        """Return the prompt text up to where the answer begins. Raises InputError if the template fails."""
        try:
            return self.turns.prompt_text(messages)
        except TemplateRefused as error:
            raise InputError(f"{error} ({self.base.model})") from None

    def encode(self, texts: Sequence[str]) -> Any:
        """Tokenize rendered texts as one batch, padded left, on the device."""
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
        """Generate answers to (model, messages), all in one batch, in order.

        Greedy answers, and the noise that others are drawn with (see `noise.py`), are the same whoever else is in the
        batch; the sums of the model are so up to rounding. A `streamer` is one of transformers', given the tokens of
        all rows. `heed` is called before every part of the model computes, and ends all by raising, even while a long
        prompt is read. Raises InputError if a text leaves no room for an answer.
        """
        from .sampling_noise import processors

        if self._adapters.flattens and len({name for name, _ in asked}) > 1 and streamer is None:
            return [self.answer([one], sampling, None, heed)[0] for one in asked]
        texts = [self.render(messages) for _, messages in asked]
        batch = self.encode(texts)
        length = batch["input_ids"].shape[1]
        if length + sampling.tokens > self.context_length:
            raise InputError(
                f"{length} tokens and {sampling.tokens} of an answer; {self.base.model} reads {self.context_length}: "
                "ask for fewer --tokens, or a shorter prompt"
            )
        with (
            self.speaking([model_name for model_name, _ in asked]) as named,
            interruptible(heed) if heed else nullcontext(),
        ):
            ids = self.model.generate(
                input_ids=batch["input_ids"],
                attention_mask=batch["attention_mask"],
                max_new_tokens=sampling.tokens,
                do_sample=False,  # the drawing is in the noise
                use_cache=True,
                eos_token_id=list(self.turns.ends),
                pad_token_id=self.tokenizer.pad_token_id,
                logits_processor=processors(texts, sampling),
                streamer=streamer,
                **named,
            )
        return [self._answer(row) for row in ids[:, length:].tolist()]

    def _answer(self, ids: list[int]) -> Answer:
        spoken, stopped = self.turns.until_end(ids)
        text = without_thoughts(self.tokenizer.decode(spoken, skip_special_tokens=True))
        return Answer(text.strip(), stopped, len(spoken))

    def add(self, name: str, folder: Path) -> None:
        """Load one more adapter on the same base. Raises InputError, which changes nothing."""
        if not name or name in self.names:
            raise InputError(f"{name!r} cannot name {folder}: there is a model of that name; use NAME=FOLDER")
        run, _ = read_run(folder)
        trained: Mapping[str, object] = run["base"]
        loaded = {"model": self.base.model, "sha256": self.source.sha256, "revision": self.source.revision}
        if LOCAL in (self.base.model, trained["model"]):  # known by its hash alone
            del loaded["model"]
        for key, value in loaded.items():
            if trained.get(key) != value:
                raise InputError(
                    f"{folder} is of another base ({key} {trained.get(key)}) than {self.base.model} as loaded "
                    f"({key} {value}); compare adapters of one base"
                )
        self._adapters.load(name, folder)
        self.runs[name], self.folders[name] = run, folder


@contextmanager
def interruptible(heed: Callable[[], None]) -> Iterator[None]:
    """Call `heed` before every part of a model computes."""
    from torch.nn.modules.module import register_module_forward_pre_hook

    hook = register_module_forward_pre_hook(lambda *_: heed())
    try:
        yield
    finally:
        hook.remove()


def load_generator(adapters: Mapping[str, Path], bits: int | None = None, base: str | None = None) -> TextGenerator:
    """Load the base of `adapters` (name → folder that train.sft wrote) with all of them on it.

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

    from train.models.eval_mode import set_eval_mode

    set_eval_mode(model)
    generator = TextGenerator(model, tokenizer, chosen, source, device)
    for name, path in adapters.items():
        generator.add(name, path)
    return generator


def with_values(values: Mapping[str, object]) -> str:
    """Return names with their values.

    >>> with_values({"lines": 0.001, "chat": 0.0002})
    'lines 0.001, chat 0.0002'
    """
    return ", ".join(f"{name} {value}" for name, value in values.items())
