"""Recipes: what ships is complete, and every mistake is one line that names the thing and the remedy."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from friends_corpus.core.cli import InputError
from train.settings.recipe import Recipe, as_json, load_recipe, packaged

CHUNKS = packaged("recipes")["chunks"].read_text(encoding="utf-8")


def changed(key: str, value: str) -> str:
    """The chunks recipe with another value for one key."""
    text, replaced = re.subn(rf"^{key}:.*$", f"{key}: {value}", CHUNKS, flags=re.M)
    assert replaced == 1
    return text


@pytest.mark.parametrize("dataset", ["chunks", "named_lines", "lines"])
def test_packaged_recipes(dataset: str) -> None:
    recipe = load_recipe(dataset, None, {})
    assert recipe.dataset == dataset
    assert len(recipe.prompts) == 3
    assert recipe.base in packaged("bases")
    text = packaged("recipes")[dataset].read_text(encoding="utf-8")
    for field in fields(Recipe):
        assert re.search(rf"^{field.name}:", text, re.M), f"{field.name} is not written out in {dataset}.yaml"


def test_overrides_win() -> None:
    recipe = load_recipe("lines", None, {"max_steps": 3, "learning_rate": 1e-5, "eval_tokens": None})
    assert (recipe.max_steps, recipe.learning_rate, recipe.eval_tokens) == (3, 1e-5, None)


def test_own_file_and_dataset(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(changed("learning_rate", "2e-4"), encoding="utf-8")  # YAML 1.1 takes 2e-4 for text
    assert load_recipe(None, path, {}).learning_rate == 2e-4
    assert load_recipe("lines", path, {}).dataset == "lines"


def test_as_json_is_plain() -> None:
    assert isinstance(as_json(load_recipe("chunks", None, {}))["prompts"], list)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            CHUNKS.replace("lora_rank", "lora_rnak"),
            "mine.yaml: unknown key 'lora_rnak' (did you mean 'lora_rank'?)",
            id="misspelt-key",
        ),
        pytest.param(CHUNKS + "zzz: 1\n", "mine.yaml: unknown key 'zzz' … known: dataset, ", id="unknown-key"),
        pytest.param(CHUNKS + "1: 1\n", "mine.yaml: unknown key '1'", id="key-is-a-number"),
        pytest.param(CHUNKS.replace("seed: 42", ""), "mine.yaml: seed: … required", id="missing-key"),
        pytest.param(changed("seed", "many"), "mine.yaml: seed: … integer … 'many'", id="not-a-number"),
        pytest.param(changed("seed", "true"), "mine.yaml: seed: … integer … True", id="bool-for-int"),
        pytest.param(changed("epochs", "three"), "mine.yaml: epochs: … float … 'three'", id="not-a-float"),
        pytest.param(changed("epochs", "true"), "mine.yaml: epochs: … number … True", id="bool-for-float"),
        pytest.param(changed("text_field", "7"), "mine.yaml: text_field: … string … 7", id="number-for-text"),
        pytest.param(
            changed("text_field", "''"), "mine.yaml: text_field: … at least 1 character … ''", id="empty-text"
        ),
        pytest.param(changed("seed", "null"), "mine.yaml: seed: … integer … None", id="null"),
        pytest.param(
            CHUNKS.split("prompts:")[0] + "prompts: []\n",
            "mine.yaml: prompts: … at least 1 item … []",
            id="no-prompt",
        ),
        pytest.param(
            changed("learning_rate", "-1.0"), "mine.yaml: learning_rate: … greater than 0 … -1.0", id="negative"
        ),
        pytest.param(changed("learning_rate", ".nan"), "mine.yaml: learning_rate: … greater than 0 … nan", id="nan"),
        pytest.param(changed("max_grad_norm", ".inf"), "mine.yaml: max_grad_norm: … finite … inf", id="infinite"),
        pytest.param(
            changed("packing", "tight"),
            "mine.yaml: packing: … 'bfd_split', 'bfd' or 'none' … 'tight'",
            id="unknown-packing",
        ),
        pytest.param(
            changed("lora_dropout", "1.0"), "mine.yaml: lora_dropout: … less than 1 … 1.0", id="dropout-of-all"
        ),
        pytest.param("", "mine.yaml: … object … None … write `key: value` lines", id="empty"),
        pytest.param("- a\n", "mine.yaml: … object … ['a'] … write `key: value` lines", id="list"),
        pytest.param("a: [1\n", "mine.yaml: … line 2: … write `key: value` lines", id="broken-yaml"),
        pytest.param("a: &a 1\nb: *a", "mine.yaml: … line 1: … aliases, anchors … refused", id="alias"),
        pytest.param(
            "a: !!python/object/apply:os.getcwd []", "mine.yaml: … line 1: … tags … refused", id="no-python-in-yaml"
        ),
    ],
)
def test_mistakes_in_a_file(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_recipe(None, path, {})
    assert all(words in str(caught.value) for words in message.split(" … "))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("dataset", "path", "overrides", "message"),
    [
        pytest.param("chunk", None, {}, "unknown dataset 'chunk' (did you mean 'chunks'?)", id="near"),
        pytest.param("scripts", None, {}, "unknown dataset 'scripts' … --dataset chat|chunks|", id="far"),
        pytest.param("../chunks", None, {}, "unknown dataset '../chunks'", id="path"),
        pytest.param(None, None, {}, "no dataset given; add --dataset chat|chunks|lines|named_lines", id="none"),
        pytest.param(None, Path("nowhere.yaml"), {}, "nowhere.yaml: … No such file", id="no-file"),
        pytest.param(None, Path("/"), {}, "/: cannot be read", id="folder"),
        pytest.param(
            "chunks", None, {"max_tokens": 0}, "max_tokens: … greater than 0 … (is 0) … command line", id="no-tokens"
        ),
        pytest.param("chunks", None, {"max_steps": 1, "max_tokens": 9}, "give one of them", id="steps-and-tokens"),
        pytest.param(
            "chunks", None, {"max_steps": 0}, "max_steps: … greater than 0 … (is 0) … chunks.yaml", id="no-steps"
        ),
        pytest.param("chunks", None, {"seed": -1}, "seed: … (is -1)", id="negative-seed"),
        pytest.param("chunks", None, {"eval_tokens": 0}, "eval_tokens: … (is 0)", id="nothing-held-out"),
    ],
)
def test_mistakes_in_a_command(dataset: str | None, path: Path | None, overrides: dict, message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_recipe(dataset, path, overrides)
    assert all(words in str(caught.value) for words in message.split(" … "))
