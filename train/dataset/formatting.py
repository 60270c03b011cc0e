"""Tokenize rows and prompts: as plain text, or as the messages of a conversation.

A row is {column: text}, or {prompt, completion}: two texts, or two lists of messages ({role, content}).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from friends_corpus.core.cli import InputError
from train.models.turn_format import TurnFormat

COMPLETION = "completion"  # the column to learn where a row is a prompt and its completion
IGNORED = -100  # the label of a token that is not trained on
Tokens = tuple[list[int], list[int]]  # of a row, and their labels
Message = dict[str, str]  # role, content; in a chat also voice and character; there the role "note" is the program's


def columns_of(text_field: str, columns: Sequence[str]) -> list[str]:
    """Return the columns that are needed to train on `text_field`.

    >>> columns_of("text", ["id", "text"]), columns_of("completion", ["id", "completion", "prompt"])
    (['text'], ['prompt', 'completion'])
    """
    return ["prompt", COMPLETION] if text_field == COMPLETION and "prompt" in columns else [text_field]


def is_conversation(row: Mapping[str, Any]) -> bool:
    """Tell whether a row consists of messages."""
    return isinstance(row.get(COMPLETION), list)


def as_said(row: Mapping[str, Any]) -> str:
    """Return the content of a row as one text, to be hashed."""
    values = list(row.values())
    return values[0] if len(values) == 1 else json.dumps(values, ensure_ascii=False)


def tokenize_row(turns: TurnFormat, row: Mapping[str, Any]) -> Tokens:
    """Return the tokens of a row as it is trained, its end included, and their labels. Raises InputError."""
    if COMPLETION in row and "prompt" in row:
        prompt, rest = (
            turns.turn(row["prompt"], row[COMPLETION][0]["content"])
            if is_conversation(row)
            else turns.completion(row["prompt"], row[COMPLETION])
        )
        return prompt + rest, [IGNORED] * len(prompt) + rest
    ids = turns.text(next(iter(row.values())))
    return ids, ids


def tokenized(turns: TurnFormat, rows: Any, length: int) -> tuple[Any, int]:
    """Return rows as tokens and labels, for the trainer, and how many were left out.

    Left out is a row that teaches nothing: whose prompt alone fills a sequence of `length` tokens.
    """
    import datasets

    pairs = [tokenize_row(turns, row) for row in rows]
    kept = [pair for pair in pairs if any(label != IGNORED for label in pair[1][1:length])]
    columns = {"input_ids": [ids for ids, _ in kept], "labels": [labels for _, labels in kept]}
    return datasets.Dataset.from_dict(columns), len(pairs) - len(kept)


def messages_of(prompt: str) -> list[Message]:
    """Return a recipe's prompt as a conversation; the text before an empty line is the system message.

    >>> messages_of("You are Joey.\\n\\nIs that my sandwich?")
    [{'role': 'system', 'content': 'You are Joey.'}, {'role': 'user', 'content': 'Is that my sandwich?'}]
    >>> messages_of("Hi!")
    [{'role': 'user', 'content': 'Hi!'}]
    """
    system, _, question = prompt.rpartition("\n\n")
    return with_system(system, [{"role": "user", "content": question}])


def with_system(system: str | None, messages: list[Message]) -> list[Message]:
    """Put the system message, if there is one, in front of a conversation."""
    return [{"role": "system", "content": system}, *messages] if system else messages


def asked(turns: TurnFormat, prompts: Sequence[str], conversation: bool) -> list[list[int]]:
    """Return the tokens of each prompt, up to where the model continues."""
    return [turns.prompt(messages_of(text)) if conversation else turns.text_prompt(text) for text in prompts]


def documents(sequences: Any) -> Iterator[tuple[list[int], list[int]]]:
    """Yield each row in the trainer's packed sequences: its tokens and its labels."""
    for sequence in sequences:
        start = 0
        for length in sequence.get("seq_lengths") or [len(sequence["input_ids"])]:
            yield sequence["input_ids"][start : start + length], sequence["labels"][start : start + length]
            start += length


def count_ends(turns: TurnFormat, sequences: Any) -> int:
    """Count the rows whose end is trained; chat templates may put a line break after it."""
    ends = {turns.turn_end, turns.text_end}
    return sum(not ends.isdisjoint(labels[-2:]) for _, labels in documents(sequences))


def count_duplicate_bos(turns: TurnFormat, sequences: Any) -> int:
    """Count the rows with a duplicate BOS: one from the text, one from the tokenizer."""
    twice = [turns.tokenizer.bos_token_id] * 2
    return sum(ids[:2] == twice for ids, _ in documents(sequences))


def check_row_ends(turns: TurnFormat, sequences: Any, rows: int) -> str | None:
    """Return a warning on how rows end, or None. Raises InputError if training would be in vain."""
    if duplicates := count_duplicate_bos(turns, sequences):
        raise InputError(
            f"{duplicates:,} of {rows:,} rows begin with {turns.tokenizer.bos_token} twice: the texts hold it and the "
            "tokenizer adds it; take it out of the texts"
        )
    ends = count_ends(turns, sequences)
    if ends * 2 < rows:
        raise InputError(
            f"the end {turns.stops[0]} is trained in {ends:,} of {rows:,} rows, so the model would never learn to "
            "stop: the rows are longer than sft.max_length; set a greater one, or give shorter rows"
        )
    return f"{rows - ends:,} of {rows:,} rows are truncated: their ends are not trained" if ends < rows else None
