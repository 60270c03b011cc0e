"""How a base ends a turn and is asked: what a row becomes in each style of tokenizer and template."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from bases import STYLES, Style, make_tokenizer

from friends_corpus.core.cli import InputError
from train.dataset.formatting import IGNORED, tokenize_row
from train.models.turn_format import TurnFormat, find_turn_format, without_thoughts

pytestmark = pytest.mark.slow
SYSTEM, USER = {"role": "system", "content": "You are Joey."}, {"role": "user", "content": "Is that the kettle?"}
ANSWER = {"role": "assistant", "content": "Fine. But I am keeping it."}
THOUGHT = {"role": "assistant", "content": "<think>Whose kettle?</think>\n\nFine. But I am keeping it."}
CONVERSATIONS = {
    "plain": [USER],
    "system": [SYSTEM, USER],
    "earlier": [SYSTEM, USER, THOUGHT, USER],
    "two-users": [SYSTEM, USER, USER],
    "only-system": [SYSTEM],
    "assistant-first": [ANSWER, USER],
}


@cache
def found(name: str) -> TurnFormat:
    return find_turn_format(make_tokenizer(STYLES[name]), [])


@pytest.mark.parametrize("style", STYLES)
def test_ends_and_system(style: str) -> None:
    turns, wanted = found(style), STYLES[style]
    assert turns.tokenizer.convert_ids_to_tokens([turns.turn_end, turns.text_end]) == [wanted.turn_end, wanted.eos]
    assert set(turns.stops) == {wanted.turn_end, wanted.eos}
    assert turns.takes_system is wanted.takes_system


@pytest.mark.parametrize("answer", [ANSWER, THOUGHT], ids=["plain", "thought"])
@pytest.mark.parametrize("messages", CONVERSATIONS.values(), ids=CONVERSATIONS)
@pytest.mark.parametrize("style", STYLES)
def test_what_is_trained_is_what_is_asked(style: str, messages: list[Any], answer: Any) -> None:
    turns = found(style)
    ids, labels = tokenize_row(turns, {"prompt": messages, "completion": [answer]})
    prompt = turns.prompt(messages)
    assert ids[: len(prompt)] == prompt
    assert labels == [IGNORED] * len(prompt) + ids[len(prompt) :]
    trained = ids[len(prompt) :]
    assert sum(token in turns.ends for token in trained) == 1
    assert turns.turn_end in trained[-2:]
    assert turns.tokenizer.decode(trained, skip_special_tokens=True).strip() == ANSWER["content"]
    asked = turns.tokenizer.decode(prompt)
    for message in messages:
        assert without_thoughts(message["content"]) in asked
    assert "Whose kettle?" not in asked
    assert asked.count("<think>") == asked.count("</think>")


@pytest.mark.parametrize("appends", [False, True])
@pytest.mark.parametrize("style", STYLES)
def test_a_text_ends_once(style: str, appends: bool) -> None:
    wanted = replace(STYLES[style], appends=appends)
    turns = find_turn_format(make_tokenizer(wanted), [])
    for text in ("Joey: Hey!", f"Joey: Hey!{wanted.eos}"):
        ids, labels = tokenize_row(turns, {"text": text})
        assert ids == labels
        assert [token in turns.ends for token in ids] == [False] * (len(ids) - 1) + [True]
        assert ids[:-1] == turns.text_prompt("Joey: Hey!")
    ids, labels = tokenize_row(turns, {"prompt": "Joey: He", "completion": "y! Ross?"})
    prompt = turns.text_prompt("Joey: He")
    assert ids[: len(prompt)] == prompt and ids[-1] == turns.text_end and turns.text_end not in ids[:-1]
    assert turns.tokenizer.decode(ids, skip_special_tokens=True) == "Joey: Hey! Ross?"
    assert labels == [IGNORED] * len(prompt) + ids[len(prompt) :]


ROLES = "{% for m in messages %}{{ '<' + m['role'] + '>' + m['content'] + '\n' }}{% endfor %}"
BARE = Style("<s>", "</s>", "</s>", ("<user>", "<assistant>"), ROLES)


def test_a_template_that_ends_no_turn() -> None:
    turns = find_turn_format(make_tokenizer(BARE), [])
    assert turns.turn_end is None
    with pytest.raises(InputError, match="--end-token"):
        turns.turn([USER], "Fine.")


@pytest.mark.parametrize(
    ("style", "token"), [(BARE, "<user>"), (BARE, "</s>"), (BARE, "?"), (STYLES["chatml"], "<|endoftext|>")]
)
def test_an_end_that_is_named(style: Style, token: str) -> None:
    turns = find_turn_format(make_tokenizer(style), [], token)
    _, said = turns.turn([USER], "Fine.")
    end = turns.tokenizer.convert_tokens_to_ids(token)
    assert turns.turn_end == turns.text_end == turns.ends[0] == end
    assert said[-1] == end and sum(one in turns.ends for one in said) == 1
    assert turns.text("Hey.")[-1] == end


@pytest.mark.parametrize("token", ["no such token", ""])
def test_an_end_that_is_no_token(token: str) -> None:
    with pytest.raises(InputError, match="--end-token"):
        find_turn_format(make_tokenizer(BARE), [], token)


def test_only_special_tokens_of_the_config_end_a_turn() -> None:
    tokenizer = make_tokenizer(STYLES["llama3"])
    letter = tokenizer.convert_tokens_to_ids("a")
    turns = find_turn_format(tokenizer, [letter, tokenizer.convert_tokens_to_ids("<|end_header_id|>"), 10**6])
    assert set(turns.stops) == {"<|eot_id|>", "<|end_of_text|>", "<|end_header_id|>"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("Hey", "Hey", id="plain"),
        pytest.param("<think>\n\n</think>\n\nHey", "Hey", id="empty"),
        pytest.param("<thinking>a</thinking>Hey [THINK]b[/THINK]you", "Hey you", id="two-kinds"),
        pytest.param("<think>never closed", "", id="open"),
        pytest.param("a < b [and] <thimble>", "a < b [and] <thimble>", id="none"),
    ],
)
def test_thoughts(text: str, shown: str) -> None:
    assert without_thoughts(text) == shown
    grown = [without_thoughts(text[:end], ended=False) for end in range(len(text) + 1)]
    assert all(later.startswith(earlier) for earlier, later in pairwise(grown))
