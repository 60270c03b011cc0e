"""`--dataset chat`: what a prompt and its completion become, and that only the completion is learnt."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from forked import run as command
from test_sft import CODE
from tiny import list_files, write_dataset, write_model

from train.dataset.formatting import as_said, asked, columns_of, is_conversation, tokenize_row
from train.models.turn_format import TurnFormat

pytestmark = pytest.mark.usefixtures("own_environment")
BUDGET = 6000  # learnt tokens


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("completions")
    write_dataset(home / "friends-lines", {"train": 24, "validation": 6, "test": 2})
    write_model(home / "tiny", hub_id="someone/tiny-llama", chat=True)
    write_model(home / "mute", hub_id="someone/tiny-base")
    return home


class Words:
    """A tokenizer whose tokens are the words of a text; a template sets roles before messages and ! after them."""

    eos_token_id = "!"
    chat_template = "words"

    def __call__(self, text: str, add_special_tokens: bool = True) -> dict[str, Any]:
        return {"input_ids": text.split()}

    def apply_chat_template(self, messages: Any, add_generation_prompt: bool = False, **_: Any) -> str:
        words = [word for m in messages for word in [f"<{m['role']}>", *m["content"].split(), "!"]]
        return " ".join(words + ["<assistant>"] * add_generation_prompt)


TURNS = TurnFormat(Words(), ("!",), "!", "!")
MESSAGES = {
    "prompt": [{"role": "user", "content": "how now"}],
    "completion": [{"role": "assistant", "content": "fine"}],
}


@pytest.mark.parametrize(
    ("row", "tokens", "conversation"),
    [
        pytest.param({"text": "how now"}, "how now !", False, id="text"),
        pytest.param({"prompt": "how now: ", "completion": "fine"}, "how now: fine !", False, id="texts"),
        pytest.param(MESSAGES, "<user> how now ! <assistant> fine !", True, id="messages"),
    ],
)
def test_rows(row: dict[str, Any], tokens: str, conversation: bool) -> None:
    assert tokenize_row(TURNS, row)[0] == tokens.split()
    assert is_conversation(row) is conversation
    assert "how now" in as_said(row)


def test_as_said_tells_rows_apart() -> None:
    assert as_said({"prompt": "a", "completion": "bc"}) != as_said({"prompt": "ab", "completion": "c"})


def test_prompts() -> None:
    assert asked(TURNS, ["how now"], conversation=False) == [["how", "now"]]
    [ids] = asked(TURNS, ["be kind\n\nhow now"], conversation=True)
    assert ids == "<system> be kind ! <user> how now ! <assistant>".split()


def test_columns() -> None:
    assert columns_of("completion", ["id", "prompt", "completion"]) == ["prompt", "completion"]
    assert columns_of("completion", ["id", "completion"]) == ["completion"]
    assert columns_of("text", ["prompt", "text"]) == ["text"]


@pytest.mark.slow
def test_only_the_completion_is_learnt(home: Path) -> None:
    said = command(*"-m train.sft --dataset chat --base tiny --dry-run".split(), cwd=home)
    assert said.returncode == 0, said.stderr
    shown = said.stdout.partition("first sequence")[2].partition("\ndata")[0].partition("\n")[2]
    learnt = re.findall(r"«(.*?)»", shown, re.S)
    assert learnt
    assert all(not piece.startswith("<") and piece.endswith("</s>\n  ") for piece in learnt[:-1])
    assert "<user>" in shown and not any("<user>" in piece for piece in learnt)
    assert re.search(r"rows with a trained end +100\.0 %", said.stdout)
    assert re.search(r"tokens cut off +0\.0 %", said.stdout)
    assert re.search(r"rows with a duplicate BOS +0\n", said.stdout)


@pytest.mark.slow
def test_a_budget_of_learnt_tokens_and_a_card_that_asks_as_it_was_trained(home: Path) -> None:
    rows = pq.read_table(home / "friends-lines/chat/train-00000-of-00001.parquet").num_rows
    options = f"--max-tokens {BUDGET} --evaluations 1 --learning-rate 1e-2"
    done = command(*f"-m train.sft --dataset chat --base tiny {options}".split(), cwd=home)
    assert done.returncode == 0, done.stderr
    output = home / "adapters" / "chat"
    run = json.loads((output / "run.json").read_text())
    assert run["dataset"] | {"rows": rows, "text_field": "completion", "conversation": True} == run["dataset"]
    assert run["trained_tokens"] == BUDGET
    assert run["trained_tokens"] < run["tokens"] / 2
    assert run["losses"]["validation_end"] < run["losses"]["validation_start"]
    card = (output / "README.md").read_text()
    [code] = CODE.findall(card)
    assert "apply_chat_template" in code and '"role": "system"' in code
    code = code.replace("someone/tiny-llama", str(home / "tiny"))
    (output / "quick.py").write_text(code)
    shown = command("quick.py", cwd=output)
    (output / "quick.py").unlink()
    assert shown.returncode == 0, shown.stderr
    assert "Is that my sourdough starter?" in shown.stdout

    merged = command("-m", "train.merge", "adapters/chat", "--base", str(home / "tiny"), cwd=home)
    assert merged.returncode == 0, merged.stderr
    assert "apply_chat_template" in (home / "adapters" / "chat-merged" / "README.md").read_text()
    assert json.loads((home / "adapters" / "chat-merged" / "merge.json").read_text())["drift"]["tokens"] > 0


@pytest.mark.slow
def test_texts_as_prompt_and_completion(home: Path) -> None:
    folder = home / "pairs"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "chat").mkdir(parents=True)
    pairs = [{"prompt": f"{number} plus 1 is ", "completion": f"{number + 1}."} for number in range(60)]
    pq.write_table(pa.Table.from_pylist(pairs), folder / "chat" / "train-00000-of-00001.parquet")
    list_files(folder)
    done = command(*"-m train.sft --dataset chat --base mute --data pairs --dry-run".split(), cwd=home)
    assert done.returncode == 0, done.stderr
    learnt = re.findall(r"«(.*?)»", done.stdout.partition("\ndata")[0], re.S)
    assert any(piece == "8.</s>" for piece in learnt)
    assert not any("plus" in piece for piece in learnt)
    assert re.search(r"rows with a trained end +100\.0 %", done.stdout)


@pytest.mark.slow
def test_a_base_without_a_chat_template(home: Path) -> None:
    done = command(*"-m train.sft --dataset chat --base mute --output adapters/mute".split(), cwd=home)
    assert (done.returncode, done.stdout.count("adapter  ")) == (2, 0)
    assert done.stderr.endswith("has no chat template; --dataset chat needs an instruct model\n")
