"""A Modelfile for Ollama, which asks a GGUF as the adapter was trained to be asked."""

import json
from collections.abc import Sequence

from train.dataset.formatting import messages_of
from train.models.turn_format import TurnFormat

MARK = "# Written by `python -m train.merge`"
PLAIN = "{{ .Prompt }}"
SYSTEM, FIRST, ANSWER, SECOND = "Qsystem1Q", "Qfirst2Q", "Qanswer3Q", "Qsecond4Q"  # contents to split a rendering at


def modelfile(gguf: str, turns: TurnFormat, prompts: Sequence[str], conversation: bool, length: int) -> list[str]:
    """Return the lines of a Modelfile: asked as `turns` has it, at most `length` tokens."""
    system, question, template = "", prompts[0], PLAIN
    if conversation:
        *first, last = messages_of(prompts[0])
        system, question, template = "".join(one["content"] for one in first), last["content"], chat_template(turns)
    shown = question.splitlines()[0].replace('"', "'")
    return [
        f'{MARK}; then: ollama create friends -f Modelfile && ollama run friends "{shown}"',
        f"FROM ./{gguf}",
        f'TEMPLATE """{template}"""' if conversation else f"TEMPLATE {template}",
        *([f'SYSTEM """{system}"""'] if system else []),
        *(f"PARAMETER stop {json.dumps(stop, ensure_ascii=False)}" for stop in turns.stops),
        "PARAMETER top_k 0",
        "PARAMETER top_p 1",
        "PARAMETER repeat_penalty 1",
        f"PARAMETER num_predict {length}",
    ]


def chat_template(turns: TurnFormat) -> str:
    """Return the chat template in Ollama's language, from what stands around the messages of a conversation."""
    before, between, *_ = pieces(turns, [("system", SYSTEM), ("user", FIRST)])
    conversation = [("user", FIRST), ("assistant", ANSWER), ("user", SECOND)]
    start, answer, again, ask = pieces(turns, conversation)
    last = "{{ if eq (len (slice $.Messages $i)) 1 }}"
    return (
        '{{ range $i, $m := .Messages }}{{ if eq .Role "system" }}'
        f"{before}{{{{ .Content }}}}{between}"
        '{{ else if eq .Role "user" }}'
        f"{{{{ if not $i }}}}{start}{{{{ end }}}}{{{{ .Content }}}}{last}{ask}{{{{ else }}}}{answer}{{{{ end }}}}"
        f"{{{{ else }}}}{{{{ .Content }}}}{last}{{{{ else }}}}{again}{{{{ end }}}}"
        "{{ end }}{{ end }}"
    )


def pieces(turns: TurnFormat, conversation: Sequence[tuple[str, str]]) -> list[str]:
    """Return the text around the contents of a conversation; a BOS that the tokenizer puts is left to llama.cpp."""
    text = turns.prompt_text([{"role": role, "content": content} for role, content in conversation])
    bos, found = turns.tokenizer.bos_token, []
    if bos and turns.tokenizer("a")["input_ids"][0] == turns.tokenizer.bos_token_id:
        text = text.removeprefix(bos)
    for _, content in conversation:
        piece, _, text = text.partition(content)
        found.append(piece)
    return [*found, text]
