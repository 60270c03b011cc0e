"""What the voices are asked: a YAML list of prompts, every mistake in it one line with its remedy."""

from __future__ import annotations

from collections import Counter
from dataclasses import MISSING, dataclass, fields
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import yaml

from friends_corpus.core.cli import InputError, did_you_mean, in_short
from train.dataset.formatting import Message, with_system
from train.settings.recipe import OneOfEach, convert

KINDS = ("persona", "identity", "question", "small_talk", "instruction")
ON_TOPIC = ("question", "instruction")  # those whose answer should come back to their words


@dataclass(frozen=True)
class Prompt:
    """One thing to ask."""

    id: str
    kind: str
    text: str  # the user's message
    system: str | None = None
    plays: str | None = None  # the name that the system message gives the assistant
    user: str | None = None  # the name of the one who asks
    author: bool = False  # verbatim from the blog post

    def messages(self) -> list[Message]:
        """As a conversation that the assistant has to answer."""
        return with_system(self.system, [{"role": "user", "content": self.text}])


def load_prompts(path: Path | None = None) -> tuple[Prompt, ...]:
    """The prompts of a YAML file, of the packaged one if None. Raises InputError.

    >>> len(load_prompts()) >= 100
    True
    """
    place: Path | Traversable = path or files("train") / "prompts.yaml"
    try:
        loaded = yaml.load(place.read_text(encoding="utf-8"), OneOfEach)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:  # ValueError: bytes, and dates that are none
        raise InputError(
            f"cannot read the prompts in {place}: {in_short(error)}; write a list as in train/prompts.yaml"
        ) from None
    if not isinstance(loaded, list) or not loaded:
        raise InputError(f"{place.name} holds no list of prompts; write `- {{id: …, kind: …, text: …}}` for each")
    prompts = tuple(make_prompt(entry, f"prompt {number} of {place.name}") for number, entry in enumerate(loaded, 1))
    twice = [name for name, count in Counter(prompt.id for prompt in prompts).items() if count > 1]
    if twice:
        raise InputError(f"the id {twice[0]!r} stands twice in {place.name}; give each prompt its own")
    return prompts


def make_prompt(entry: object, where: str) -> Prompt:
    """One entry of the list. Raises InputError.

    >>> make_prompt({"id": "who", "kind": "identity", "text": "Who are you?"}, "prompt 1").messages()
    [{'role': 'user', 'content': 'Who are you?'}]
    """
    if not isinstance(entry, dict):
        raise InputError(f"{where} is {entry!r}; write {{id: …, kind: …, text: …}}")
    known = {field.name: field for field in fields(Prompt)}
    for key in entry:
        if key not in known:
            hint = did_you_mean(str(key), known) or f"; known keys: {', '.join(known)}"
            raise InputError(f"unknown key {str(key)!r} in {where}{hint}")
    for key, field in known.items():
        if field.default is MISSING and key not in entry:
            raise InputError(f"{where} has no {key!r}; add `{key}: …`")
    prompt = Prompt(**{key: convert(value, str(known[key].type), key, where) for key, value in entry.items()})
    if prompt.kind not in KINDS:
        raise InputError(
            f"{where} is of the kind {prompt.kind!r}{did_you_mean(prompt.kind, KINDS)}; kinds are {', '.join(KINDS)}"
        )
    return prompt


def choose(prompts: tuple[Prompt, ...], limit: int | None) -> tuple[Prompt, ...]:
    """At most `limit` of them: the author's first, then as many of each kind as can be, at equal steps through those.

    >>> some = [Prompt(str(number), KINDS[number > 6], "?", author=number == 3) for number in range(9)]
    >>> [prompt.id for prompt in choose(tuple(some), 4)]
    ['0', '3', '7', '8']
    """
    if limit is None or limit >= len(prompts):
        return prompts
    chosen = [prompt for prompt in prompts if prompt.author][:limit]
    rest = {kind: [prompt for prompt in prompts if prompt.kind == kind and prompt not in chosen] for kind in KINDS}
    have, more = Counter(prompt.kind for prompt in chosen), Counter[str]()
    for _ in range(limit - len(chosen)):
        more[
            min((kind for kind in KINDS if more[kind] < len(rest[kind])), key=lambda kind: have[kind] + more[kind])
        ] += 1
    chosen += [of[number * len(of) // more[kind]] for kind, of in rest.items() for number in range(more[kind])]
    return tuple(prompt for prompt in prompts if prompt in chosen)
