"""How a base ends a turn and how it is asked: found once, from its generation config, tokenizer and chat template.

Training, samples, comparison, chat, stop strings, GGUF and Modelfile all ask this one object. Imports nothing heavy.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from friends_corpus.core.cli import InputError, in_short

from .chat_template import TemplateRefused, limit_templates

PLAIN = "{{ bos_token }}{% for message in messages %}{{ message['content'] + '\n' }}{% endfor %}"
THINKING = {"enable_thinking": False, "thinking": False}  # names by which templates leave reasoning out
THOUGHT = re.compile(r"(<think(?:ing)?>|\[THINK\]).*?(?:</think(?:ing)?>|\[/THINK\]|\Z)\s*", re.S)  # or one left open
OPEN = re.compile(r"(<(think(?:ing)?)>|\[(THINK)\])\s*\Z")  # a prompt that ends where reasoning begins
PROBE = "Lorem."
Message = Mapping[str, str]


def without_thoughts(text: str, ended: bool = True) -> str:
    """Remove blocks of reasoning; unless `ended`, also a last line that may become the start of one.

    >>> without_thoughts("<think>Who asks?</think>Hey! <think>And"), without_thoughts("Hey <thi", ended=False)
    ('Hey! ', 'Hey ')
    """
    text = THOUGHT.sub("", text)
    tail = re.search(r"[<\[]\w*\Z", text)
    begins = tail is not None and any(tag.startswith(tail[0]) for tag in ("<thinking>", "[THINK]"))
    return text[: tail.start()] if tail and begins and not ended else text


@dataclass(frozen=True)
class TurnFormat:
    """How texts and turns of a base end, and how it is asked. Ends are token ids."""

    tokenizer: Any
    ends: tuple[int, ...]  # generation stops at any of them
    text_end: int  # trained after a plain text
    turn_end: int | None  # trained after an answer; None: the chat template ends no turn
    takes_system: bool = True  # else the system message goes into the first user message
    alternates: bool = False  # neighbours of one role are joined

    @property
    def stops(self) -> list[str]:
        """The texts at which other programs must stop."""
        return [str(self.tokenizer.convert_ids_to_tokens(end)) for end in self.ends]

    @property
    def described(self) -> str:
        """What is unusual about it, in words."""
        ends = f"turns end with {' or '.join(self.stops)}"
        folded = "" if self.takes_system else "; no system role: its text goes into the first user message"
        return ends + folded + ("; neighbours of one role are joined" if self.alternates else "")

    def until_end(self, ids: Sequence[int]) -> tuple[list[int], bool]:
        """Return the tokens before the first end, and whether there was one."""
        for place, token in enumerate(ids):
            if token in self.ends:
                return list(ids[:place]), True
        return list(ids), False

    def shape(self, messages: Sequence[Message]) -> list[dict[str, str]]:
        """Return the messages as the chat template takes them, without reasoning in those of the assistant."""
        shaped = [{"role": one["role"], "content": one["content"]} for one in messages]
        for one in shaped:
            one["content"] = without_thoughts(one["content"]) if one["role"] == "assistant" else one["content"]
        if shaped and shaped[0]["role"] == "system" and not self.takes_system:
            shaped[0]["role"] = "user"
            if len(shaped) > 1 and shaped[1]["role"] == "user":
                shaped[:2] = [{"role": "user", "content": f"{shaped[0]['content']}\n\n{shaped[1]['content']}"}]
        if not self.alternates:
            return shaped
        joined: list[dict[str, str]] = []
        for one in shaped:
            if joined and joined[-1]["role"] == one["role"]:
                joined[-1]["content"] += f"\n\n{one['content']}"
                continue
            if one["role"] == "assistant" and (not joined or joined[-1]["role"] == "system"):
                joined.append({"role": "user", "content": ""})
            joined.append(one)
        return joined

    def prompt_text(self, messages: Sequence[Message]) -> str:
        """Render messages up to where the answer begins, after any reasoning. Raises TemplateRefused."""
        text = _render(self.tokenizer, self.shape(messages), add_generation_prompt=True)
        if thinks := OPEN.search(text):
            text += f"\n</{thinks[2]}>\n\n" if thinks[2] else "[/THINK]"
        return text

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """Return the tokens of a conversation up to where the answer begins."""
        return self._ids(self.prompt_text(messages))

    def turn(self, messages: Sequence[Message], answer: str) -> tuple[list[int], list[int]]:
        """Return the tokens of a prompt, just as it is asked, and of its answer, which ends once. Raises InputError."""
        if self.turn_end is None:
            raise no_end()
        start, answer = self.prompt_text(messages), without_thoughts(answer)
        whole = _render(self.tokenizer, self.shape([*messages, {"role": "assistant", "content": answer}]))
        prompt, rest = self._ids(start), whole[len(start) :]
        if whole.startswith(start) and (ids := self._ids(whole))[: len(prompt)] == prompt:
            said = ids[len(prompt) :]
        else:  # the template renders an answer that is there otherwise than one that is to come
            place = len(start) if whole.startswith(start) else whole.rfind(answer.strip())
            if place < 0:
                raise TemplateRefused(f"the chat template changes the words of an answer ({answer[:40]!r})")
            said = self._ids(rest if whole.startswith(start) else whole[place:])
        spoken, _ = self.until_end(said)
        after = said[len(spoken) :]
        if self.turn_end not in after[:1]:
            return prompt, [*spoken, self.turn_end]
        return prompt, [*spoken, after[0], *self.until_end(after[1:])[0]]

    def text(self, text: str) -> list[int]:
        """Return the tokens of a plain text, which ends once."""
        return [*self._trimmed(text), self.text_end]

    def text_prompt(self, text: str) -> list[int]:
        """Return the tokens of a plain text that the model continues."""
        return self._trimmed(text)

    def completion(self, prompt: str, completion: str) -> tuple[list[int], list[int]]:
        """Return the tokens of a plain prompt, just as it is asked, and of its completion, which ends once."""
        start, whole = self._trimmed(prompt), self._trimmed(prompt + completion)
        rest = whole[len(start) :] if whole[: len(start)] == start else self._ids(completion)
        return start, [*rest, self.text_end]

    def _trimmed(self, text: str) -> list[int]:
        """Tokenize with what the tokenizer puts before a text, but not with the end that some put after it."""
        ids: list[int] = list(self.tokenizer(text)["input_ids"])
        while ids and ids[-1] in (self.text_end, self.tokenizer.eos_token_id):
            ids.pop()
        return ids

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])


def no_end() -> InputError:
    """Return the error for a template that ends no turn."""
    return InputError(
        "the chat template of the base ends an answer with no special token, so the model would never learn to stop; "
        "name the token with --end-token, or choose another --base"
    )


def find_turn_format(tokenizer: Any, declared: Sequence[int], end_token: str | None = None) -> TurnFormat:
    """Find how a base ends turns; `declared` are the ends of its generation config. Raises InputError.

    A base without a chat template reads the messages of a conversation line by line.
    """
    limit_templates()
    special = {*tokenizer.all_special_ids, *(i for i, token in tokenizer.added_tokens_decoder.items() if token.special)}
    text_end = turn_end = tokenizer.eos_token_id if end_token is None else _id_of(tokenizer, end_token)
    takes_system, alternates = True, False
    if tokenizer.chat_template is not None:
        if end_token is None:
            turn_end = _end_of_turn(tokenizer, {*special, *declared} - {tokenizer.bos_token_id})
        user, system = ({"role": role, "content": PROBE} for role in ("user", "system"))
        takes_system = _takes(tokenizer, [system, {**user, "content": "Who?"}], lambda text: PROBE in text)
        plain = _takes(tokenizer, [user], bool)
        alternates = plain and not _takes(tokenizer, [user, user], lambda text: text.count(PROBE) == 2)
        takes_system = takes_system or not plain  # it refuses all there is, and says why when it is asked
    known = [end for end in declared if end in special]  # a config of another tokenizer may name any letter
    ends = dict.fromkeys(end for end in (turn_end, text_end, tokenizer.eos_token_id, *known) if end is not None)
    return TurnFormat(tokenizer, tuple(ends), text_end, turn_end, takes_system, alternates)


def turn_format_of(model: Any, tokenizer: Any, end_token: str | None) -> TurnFormat:
    """Find the turn format of a loaded model. Raises InputError."""
    configs = (getattr(model, "generation_config", None), model.config.get_text_config())
    values = [getattr(config, "eos_token_id", None) for config in configs]
    ends = [end for value in values for end in (value if isinstance(value, list) else [value]) if isinstance(end, int)]
    return find_turn_format(tokenizer, ends, end_token)


def _id_of(tokenizer: Any, token: str) -> int:
    """Return the id of the token that is called or written so. Raises InputError unless it is exactly one."""
    ids = tokenizer(token, add_special_tokens=False)["input_ids"]
    if token in (vocabulary := tokenizer.get_vocab()):
        return int(vocabulary[token])
    if len(ids) != 1:
        raise InputError(f"--end-token {token!r} is {len(ids)} tokens of the base, not exactly one; name one of them")
    return int(ids[0])


def _end_of_turn(tokenizer: Any, ends: set[int]) -> int | None:
    """Return the first special token that the template puts after an answer."""
    messages = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": PROBE}]
    try:
        text = _render(tokenizer, messages)
    except TemplateRefused:
        return None
    tail = tokenizer(text[text.rfind(PROBE) + len(PROBE) :], add_special_tokens=False)["input_ids"]
    return next((int(token) for token in tail if token in ends), None)


def _takes(tokenizer: Any, messages: Sequence[Message], shows: Callable[[str], bool]) -> bool:
    try:
        return bool(shows(_render(tokenizer, messages, add_generation_prompt=True)))
    except TemplateRefused:
        return False


def _render(tokenizer: Any, messages: Sequence[Message], **options: bool) -> str:
    options |= {"tokenize": False, **THINKING}
    try:
        text: str = tokenizer.apply_chat_template(
            list(messages), chat_template=None if tokenizer.chat_template else PLAIN, **options
        )
    except ValueError as error:  # several templates, none of them the default
        raise TemplateRefused(f"the chat template of the base cannot be used ({in_short(error)})") from None
    return text
