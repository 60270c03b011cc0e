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
            "unknown key 'lora_rnak' in mine.yaml (did you mean 'lora_rank'?)",
            id="misspelt-key",
        ),
        pytest.param(CHUNKS + "zzz: 1\n", "unknown key 'zzz' in mine.yaml; known keys: dataset,", id="unknown-key"),
        pytest.param(CHUNKS + "1: 1\n", "unknown key '1' in mine.yaml", id="key-is-a-number"),
        pytest.param(
            CHUNKS.replace("seed: 42", ""), "missing key 'seed' in mine.yaml; add `seed: …`", id="missing-key"
        ),
        pytest.param(changed("seed", "many"), "seed in mine.yaml is 'many'; write a whole number", id="not-a-number"),
        pytest.param(changed("seed", "true"), "seed in mine.yaml is True; write a whole number", id="bool-for-int"),
        pytest.param(changed("epochs", "three"), "epochs in mine.yaml is 'three'; write a number", id="not-a-float"),
        pytest.param(changed("epochs", "true"), "epochs in mine.yaml is True; write a number", id="bool-for-float"),
        pytest.param(changed("text_field", "7"), "text_field in mine.yaml is 7; write a text", id="number-for-text"),
        pytest.param(changed("text_field", "''"), "text_field in mine.yaml is ''; write a text", id="empty-text"),
        pytest.param(changed("seed", "null"), "seed in mine.yaml is None; write a whole number", id="null"),
        pytest.param(
            CHUNKS.split("prompts:")[0] + "prompts: []\n",
            "prompts in mine.yaml is []; write a list of texts",
            id="no-prompt",
        ),
        pytest.param(changed("learning_rate", "-1.0"), "learning_rate is -1.0 (from mine.yaml", id="negative"),
        pytest.param(changed("learning_rate", ".nan"), "learning_rate is nan (from mine.yaml", id="nan"),
        pytest.param(changed("max_grad_norm", ".inf"), "max_grad_norm is inf (from mine.yaml", id="infinite"),
        pytest.param(changed("packing", "tight"), "must be one of bfd_split, bfd, none", id="unknown-packing"),
        pytest.param(changed("lora_dropout", "1.0"), "lora_dropout is 1.0", id="dropout-of-all"),
        pytest.param("", "mine.yaml holds no settings", id="empty"),
        pytest.param("- a\n", "mine.yaml holds no settings", id="list"),
        pytest.param("a: [1\n", "mine.yaml line 2 is not YAML", id="broken-yaml"),
        pytest.param("a: !!python/object/apply:os.getcwd []", "mine.yaml line 1 is not YAML", id="no-python-in-yaml"),
    ],
)
def test_mistakes_in_a_file(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        load_recipe(None, path, {})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("dataset", "path", "overrides", "message"),
    [
        pytest.param("chunk", None, {}, "unknown dataset 'chunk' (did you mean 'chunks'?)", id="near"),
        pytest.param("scripts", None, {}, "unknown dataset 'scripts'; --dataset is one of chat, chunks", id="far"),
        pytest.param("../chunks", None, {}, "unknown dataset '../chunks'", id="path"),
        pytest.param(None, None, {}, "no dataset given; add --dataset chat|chunks|lines|named_lines", id="none"),
        pytest.param(None, Path("nowhere.yaml"), {}, "no such file: nowhere.yaml", id="no-file"),
        pytest.param(None, Path("/"), {}, "cannot read /", id="folder"),
        pytest.param("chunks", None, {"max_tokens": 0}, "max_tokens is 0", id="no-tokens"),
        pytest.param("chunks", None, {"max_steps": 1, "max_tokens": 9}, "give one of them", id="steps-and-tokens"),
        pytest.param("chunks", None, {"max_steps": 0}, "max_steps is 0", id="no-steps"),
        pytest.param("chunks", None, {"seed": -1}, "seed is -1", id="negative-seed"),
        pytest.param("chunks", None, {"eval_tokens": 0}, "eval_tokens is 0", id="nothing-held-out"),
    ],
)
def test_mistakes_in_a_command(dataset: str | None, path: Path | None, overrides: dict, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        load_recipe(dataset, path, overrides)
