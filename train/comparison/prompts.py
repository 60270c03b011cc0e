"""The prompts of a comparison: a YAML list, checked with one line and a remedy for every mistake."""

from collections import Counter
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal, get_args

from friends_corpus.core.cli import InputError
from friends_corpus.core.reader import Text, closed, read, yaml_values
from train.dataset.formatting import Message, with_system

Kind = Literal["persona", "identity", "question", "small_talk", "instruction"]
KINDS = get_args(Kind)
ON_TOPIC = ("question", "instruction")  # those whose answer should come back to their words


@closed
@dataclass(frozen=True)
class Prompt:
    """One thing to ask."""

    id: Text
    kind: Kind
    text: Text  # the user's message
    system: Text | None = None
    plays: Text | None = None  # the name that the system message gives the assistant
    user: Text | None = None  # the name of the one who asks
    author: bool = False  # verbatim from the blog post

    def messages(self) -> list[Message]:
        """Return the prompt as a conversation that the assistant has to answer."""
        return with_system(self.system, [{"role": "user", "content": self.text}])


def load_prompts(path: Path | None = None) -> tuple[Prompt, ...]:
    """Load the prompts of a YAML file, by default the packaged one. Raises InputError.

    >>> len(load_prompts()) >= 100
    True
    """
    source: Path | Traversable = path or files("train") / "prompts.yaml"
    prompts = read(
        source,
        yaml_values,
        tuple[Prompt, ...],
        "write a list of `- {id: …, kind: …, text: …}` as in train/prompts.yaml",
    )
    twice = [name for name, count in Counter(prompt.id for prompt in prompts).items() if count > 1]
    if twice:
        raise InputError(f"{source}: the id {twice[0]!r:.60} stands twice; give each prompt its own")
    return prompts


def choose(prompts: tuple[Prompt, ...], limit: int | None) -> tuple[Prompt, ...]:
    """Choose at most `limit` prompts: the author's first, then evenly from each kind.

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
