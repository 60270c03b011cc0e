"""Recipes: what ships is complete, and every mistake is one line that names the thing and the remedy."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from friends_corpus.core.cli import InputError
from train.settings.base_preset import packaged
from train.settings.recipe import Recipe, as_json, load_recipe, read_overrides

CHUNKS = packaged("recipes")["chunks"].read_text(encoding="utf-8")


def changed(key: str, value: str) -> str:
    """The chunks recipe with another value for one key."""
    text, replaced = re.subn(rf"^( *){key}:.*$", rf"\1{key}: {value}", CHUNKS, flags=re.M)
    assert replaced == 1
    return text


def section(name: str, lines: str) -> str:
    """The chunks recipe with one section replaced."""
    text, replaced = re.subn(rf"^{name}:.*?(?=^\S|\Z)", f"{name}: {lines}\n", CHUNKS, flags=re.M | re.S)
    assert replaced == 1
    return text


@pytest.mark.parametrize("dataset", ["chat", "chunks", "named_lines", "lines"])
def test_packaged_recipes(dataset: str) -> None:
    recipe = load_recipe(dataset, None, {})
    assert recipe.dataset == dataset
    assert len(recipe.samples.prompts) == 3
    assert recipe.base in packaged("bases")
    text = packaged("recipes")[dataset].read_text(encoding="utf-8")
    for field in fields(Recipe):
        assert re.search(rf"^{field.name}:", text, re.M), f"{field.name} is not written out in {dataset}.yaml"


def test_the_command_line_wins_over_the_base_and_the_base_over_the_recipe(tmp_path: Path) -> None:
    base = packaged("bases")["smollm2-135m"].read_text(encoding="utf-8")
    (tmp_path / "base.yaml").write_text(base.replace("1.0e-3", "0.5"), encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(changed("weight_decay", "0.25"), encoding="utf-8")
    name = {"base": str(tmp_path / "base.yaml")}
    sft = load_recipe(None, tmp_path / "mine.yaml", name).sft
    assert (sft.learning_rate, sft.weight_decay, sft.max_length) == (0.5, 0.25, 512)
    sft = load_recipe(None, tmp_path / "mine.yaml", name | {"sft.learning_rate": 0.125, "sft.max_length": 64}).sft
    assert (sft.learning_rate, sft.weight_decay, sft.max_length) == (0.125, 0.25, 64)
    recipe = load_recipe("lines", None, {"sft.max_steps": 3, "eval.tokens": None})
    assert (recipe.sft.max_steps, recipe.eval.tokens) == (3, None)


def test_own_file_and_dataset(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(changed("weight_decay", "2e-4"), encoding="utf-8")  # YAML 1.1 takes 2e-4 for text
    assert load_recipe(None, path, {}).sft.weight_decay == 2e-4
    assert load_recipe("lines", path, {}).dataset == "lines"


def test_a_recipe_may_be_short(tmp_path: Path) -> None:
    """What it leaves out is as in the libraries, but for the settings of the base."""
    path = tmp_path / "mine.yaml"
    path.write_text(
        "dataset: lines\nbase: smollm2-135m\nlora: {r: 4, target_modules: [q_proj]}\nsamples: {prompts: [Hi]}\n",
        encoding="utf-8",
    )
    recipe = load_recipe(None, path, {})
    assert (recipe.sft.weight_decay, recipe.sft.max_length, recipe.lora.lora_alpha, recipe.max_tokens) == (
        0,
        512,
        8,
        None,
    )


def test_as_json_is_plain() -> None:
    values = as_json(load_recipe("chunks", None, {}))
    assert isinstance(values["samples"]["prompts"], list)
    assert values == json.loads(json.dumps(values))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            CHUNKS.replace("lora_alpha", "lora_aplha"),
            "mine.yaml: lora: unknown key 'lora_aplha' (did you mean 'lora_alpha'?)",
            id="misspelt-key",
        ),
        pytest.param(
            CHUNKS.replace("weight_decay", "weihgt_decay"),
            "mine.yaml: sft: unknown key 'weihgt_decay' (did you mean 'weight_decay'?)",
            id="misspelt-field-of-sft",
        ),
        pytest.param(CHUNKS + "zzz: 1\n", "mine.yaml: unknown key 'zzz' … known: ", id="unknown-key"),
        pytest.param(CHUNKS + "1: 1\n", "mine.yaml: unknown key '1'", id="key-is-a-number"),
        pytest.param(CHUNKS + "lora_rank: 8\n", "mine.yaml: 'lora_rank' is called lora.r now", id="old-key"),
        pytest.param(CHUNKS + "epochs: 8\n", "mine.yaml: 'epochs' is called sft.num_train_epochs now", id="old-epochs"),
        pytest.param(section("samples", "{}"), "mine.yaml: samples.prompts: … required", id="missing-key"),
        pytest.param(changed("seed", "many"), "mine.yaml: sft.seed: … integer … 'many'", id="not-a-number"),
        pytest.param(changed("seed", "true"), "mine.yaml: sft.seed: … integer … True", id="bool-for-int"),
        pytest.param(changed("num_train_epochs", "three"), "mine.yaml: sft.num_train_epochs: … 'three'", id="no-float"),
        pytest.param(changed("num_train_epochs", "true"), "mine.yaml: sft.num_train_epochs: … number … True", id="bool"),
        pytest.param(changed("dataset_text_field", "7"), "mine.yaml: sft.dataset_text_field: … string … 7", id="not-text"),
        pytest.param(changed("dataset_text_field", "''"), "sft.dataset_text_field: … at least 1 character … ''", id="empty-text"),
        pytest.param(changed("seed", "null"), "mine.yaml: sft.seed: … integer … None", id="null"),
        pytest.param(section("samples", "{prompts: []}"), "samples.prompts: … at least 1 item … []", id="no-prompt"),
        pytest.param(changed("learning_rate", "-1.0"), "sft.learning_rate: … greater than 0 … -1.0", id="negative"),
        pytest.param(changed("learning_rate", ".nan"), "sft.learning_rate: … greater than 0 … nan", id="nan"),
        pytest.param(changed("max_grad_norm", ".inf"), "sft.max_grad_norm: … finite … inf", id="infinite"),
        pytest.param(changed("packing_strategy", "wrapped"), "sft.packing_strategy: … 'bfd' or 'bfd_split'", id="packing"),
        pytest.param(changed("lora_dropout", "1.0"), "lora.lora_dropout: … less than 1 … 1.0", id="dropout-of-all"),
        pytest.param(changed("r", "0"), "lora.r: … greater than or equal to 1 … 0", id="rank-zero"),
        pytest.param(changed("target_modules", "q_proj"), "lora.target_modules … 'all-linear' … 'q_proj'", id="a-pattern"),
        pytest.param(changed("seed", "1\n  hub_token: x"), "sft.hub_token cannot be set: … --push-to", id="refused"),
        pytest.param(section("sft", "[]"), "mine.yaml: sft: … object … []", id="section-is-a-list"),
        pytest.param("", "mine.yaml: … object … None … as in train/recipes", id="empty"),
        pytest.param("- a\n", "mine.yaml: … object … ['a'] … as in train/recipes", id="list"),
        pytest.param("a: [1\n", "mine.yaml: … line 2: … as in train/recipes", id="broken-yaml"),
        pytest.param("a: &a 1\nb: *a", "mine.yaml: … line 1: … aliases, anchors … refused", id="alias"),
        pytest.param("a: !!python/object/apply:os.getcwd []", "mine.yaml: … line 1: … tags … refused", id="code"),
    ],
)  # fmt: skip
def test_mistakes_in_a_file(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_recipe(None, path, {})
    assert all(words in str(caught.value) for words in message.split(" … "))
    assert "\n" not in str(caught.value)


def test_a_base_of_before_names_the_new_keys(tmp_path: Path) -> None:
    path = tmp_path / "base.yaml"
    path.write_text("model: a/b\nwheel: null\ngguf: null\nbits: 8\nsequence_length: 64\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"base.yaml: 'sequence_length' is called sft.max_length now"):
        load_recipe("chunks", None, {"base": str(path)})


@pytest.mark.parametrize(
    ("assignment", "values"),
    [
        pytest.param("sft.learning_rate=2e-4", {"sft.learning_rate": "2e-4"}, id="number-as-yaml-reads-it"),
        pytest.param("lora.target_modules=[q_proj, v_proj]", {"lora.target_modules": ["q_proj", "v_proj"]}, id="list"),
        pytest.param("sft.packing=false", {"sft.packing": False}, id="bool"),
        pytest.param("eval.tokens=null", {"eval.tokens": None}, id="null"),
        pytest.param("sft.optim_args=a=1,b=2", {"sft.optim_args": "a=1,b=2"}, id="equals-in-the-value"),
    ],
)
def test_settings_from_the_command_line(assignment: str, values: dict) -> None:
    assert read_overrides([assignment]) == values
    load_recipe("chunks", None, values)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        pytest.param("sft.learning_rte=1", "did you mean 'sft.learning_rate'?", id="misspelt"),
        pytest.param("learning_rate=1", "did you mean 'sft.learning_rate'?", id="no-section"),
        pytest.param("lora_rank=8", "did you mean 'lora.r'?", id="old-name"),
        pytest.param("stf.seed=1", "did you mean 'sft.seed'?", id="misspelt-section"),
        pytest.param("sft.seed", "write SECTION.FIELD=VALUE", id="no-value"),
        pytest.param("sft=1", "write SECTION.FIELD=VALUE", id="section-alone"),
        pytest.param("lora.bias=all", "no such setting", id="not-in-the-closed-list"),
        pytest.param("sft.push_to_hub=true", "cannot be set: … --push-to", id="owned"),
        pytest.param("sft.bf16=true", "cannot be set: … --bits", id="of-the-device"),
        pytest.param("sft.deepspeed=x.json", "cannot be set: … accelerate", id="a-path"),
        pytest.param("sft.seed=[1", "cannot be read", id="broken-yaml"),
        pytest.param("sft.seed=*a", "cannot be read", id="alias"),
    ],
)
def test_mistakes_in_settings(assignment: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_overrides([assignment])
    assert str(caught.value).startswith(f"--set {assignment}: ")
    assert all(words in str(caught.value) for words in message.split(" … "))


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
        pytest.param("chunks", None, {"sft.max_steps": 1, "max_tokens": 9}, "give one of them", id="steps-and-tokens"),
        pytest.param("chunks", None, {"sft.max_steps": -2}, "sft.max_steps: … (is -2) … chunks.yaml", id="no-steps"),
        pytest.param("chunks", None, {"sft.seed": -1}, "sft.seed: … (is -1)", id="negative-seed"),
        pytest.param("chunks", None, {"eval.tokens": 0}, "eval.tokens: … (is 0)", id="nothing-held-out"),
    ],
)
def test_mistakes_in_a_command(dataset: str | None, path: Path | None, overrides: dict, message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_recipe(dataset, path, overrides)
    assert all(words in str(caught.value) for words in message.split(" … "))
