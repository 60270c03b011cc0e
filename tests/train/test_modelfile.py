"""A Modelfile asks as the adapter was trained: its Go template, put into Jinja's words, renders what training renders."""

from __future__ import annotations

import re
from typing import Any

import pytest
from bases import STYLES, make_tokenizer
from jinja2 import Environment

from train.export.modelfile import chat_template, modelfile
from train.models.turn_format import TurnFormat, find_turn_format

pytestmark = pytest.mark.slow
SYSTEM, USER = {"role": "system", "content": "You are Joey."}, {"role": "user", "content": "Is that the kettle?"}
ANSWER, AGAIN = {"role": "assistant", "content": "Fine."}, {"role": "user", "content": "Why?"}
GO = {
    "{{ range $i, $m := .Messages }}": "{% for m in messages %}",
    '{{ if eq .Role "system" }}': "{% if m.role == 'system' %}",
    '{{ else if eq .Role "user" }}': "{% elif m.role == 'user' %}",
    "{{ if not $i }}": "{% if loop.first %}",
    "{{ if eq (len (slice $.Messages $i)) 1 }}": "{% if loop.last %}",
    "{{ .Content }}": "{{ m.content }}",
    "{{ else }}": "{% else %}",
    "{{ end }}": "{% endif %}",
}


def render(template: str, messages: list[Any]) -> str:
    assert set(re.findall(r"\{\{.*?\}\}", template)) <= GO.keys(), "words that Go's templates have"
    for go, jinja in GO.items():
        template = template.replace(go, jinja)
    template = template.removesuffix("{% endif %}") + "{% endfor %}"
    return Environment(keep_trailing_newline=True).from_string(template).render(messages=messages)


@pytest.mark.parametrize(
    "messages",
    [[USER], [SYSTEM, USER], [USER, ANSWER, AGAIN], [SYSTEM, USER, ANSWER, AGAIN, ANSWER, AGAIN]],
    ids=["user", "system", "turns", "system-and-turns"],
)
@pytest.mark.parametrize("style", STYLES)
def test_the_template_asks_as_training_does(style: str, messages: list[Any]) -> None:
    turns = find_turn_format(make_tokenizer(STYLES[style]), [])
    text = render(chat_template(turns), messages)
    bos = STYLES[style].bos if STYLES[style].puts_bos else None
    assert (bos or "") + text == turns.prompt_text(messages)


def turns_of(style: str) -> TurnFormat:
    return find_turn_format(make_tokenizer(STYLES[style]), [])


def test_of_a_chat() -> None:
    lines = modelfile("a.gguf", turns_of("llama3"), ["You are Joey.\n\nIs that the kettle?"], True, 512)
    text = "\n".join(lines)
    assert 'ollama run friends "Is that the kettle?"' in lines[0]
    assert 'SYSTEM """You are Joey."""' in lines
    assert {'PARAMETER stop "<|eot_id|>"', 'PARAMETER stop "<|end_of_text|>"', "PARAMETER num_predict 512"} <= set(
        lines
    )
    assert "<|start_header_id|>assistant<|end_header_id|>" in text and "{{ .Prompt }}" not in text


def test_of_scripts() -> None:
    lines = modelfile("a.gguf", turns_of("chatml"), ["Joey: Hey, is that the kettle?\nRoss:"], False, 512)
    assert "TEMPLATE {{ .Prompt }}" in lines and not any(line.startswith("SYSTEM") for line in lines)
    assert lines[0].endswith('ollama run friends "Joey: Hey, is that the kettle?"')
