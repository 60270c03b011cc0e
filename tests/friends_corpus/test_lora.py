"""The settings of an adapter that others wrote: plain values out of a closed list, all else refused by name."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from friends_corpus.core.cli import InputError
from friends_corpus.core.lora import read_lora

PLAIN = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"]}
DEEP = "[" * 100_000


def written(folder: Path, text: str) -> Path:
    path = folder / "adapter_config.json"
    path.write_bytes(text.encode("latin-1"))
    return path


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="plain"),
        pytest.param({"target_modules": "all-linear"}, id="all-linear"),
        pytest.param({"exclude_modules": ["lm_head"], "use_rslora": True, "use_dora": True}, id="flags"),
        pytest.param({"megatron_core": "megatron.core", "megatron_config": None, "bias": "none"}, id="at-the-default"),
        pytest.param(
            {"loftq_config": {}, "rank_pattern": {}, "layers_pattern": "", "qalora_group_size": 16}, id="empty"
        ),
        pytest.param({"a_key_of_peft_1_0": None, "use_something_new": False}, id="keys-of-another-version"),
        pytest.param(
            {"peft_version": "9.9", "revision": "main", "fan_in_fan_out": True, "init_lora_weights": False},
            id="not-read",
        ),
        pytest.param({"lora_alpha": 16.0}, id="alpha-with-a-point"),
    ],
)
def test_as_peft_writes_it(tmp_path: Path, changes: dict) -> None:
    settings = read_lora(written(tmp_path, json.dumps(PLAIN | changes)))
    assert (settings.r, settings.lora_dropout) == (4, 0.0)


def test_every_default_of_peft_is_taken(tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(task_type="CAUSAL_LM", target_modules=["q_proj"]).to_dict()
    config.pop("runtime_config", None)  # which PEFT does not save
    text = json.dumps({key: list(value) if isinstance(value, set) else value for key, value in config.items()})
    assert read_lora(written(tmp_path, text)).target_modules == ["q_proj"]


@pytest.mark.attack("adapters", "settings beyond the closed list")
@pytest.mark.parametrize(
    ("changes", "named"),
    [
        pytest.param({"megatron_config": {"a": 1}, "megatron_core": "megatron_x"}, "megatron_config", id="megatron"),
        pytest.param({"megatron_core": "megatron_x"}, "megatron_core", id="a-module-by-name"),
        pytest.param({"target_modules": "(a+)+$"}, "target_modules", id="regular-expression"),
        pytest.param({"target_modules": "q_proj"}, "target_modules", id="a-name-is-an-expression-too"),
        pytest.param({"target_modules": None}, "target_modules", id="left-to-peft"),
        pytest.param({"target_modules": []}, "target_modules", id="no-layers"),
        pytest.param({"target_modules": [["q_proj"]]}, "target_modules", id="list-in-a-list"),
        pytest.param({"target_modules": ["x" * 301]}, "target_modules", id="long-name"),
        pytest.param({"exclude_modules": "(a+)+$"}, "exclude_modules", id="excluded-by-expression"),
        pytest.param({"rank_pattern": {"(a+)+$": 2}}, "rank_pattern", id="rank-pattern"),
        pytest.param({"alpha_pattern": {"(a+)+$": 2}}, "alpha_pattern", id="alpha-pattern"),
        pytest.param({"layers_pattern": ["(a+)+$"]}, "layers_pattern", id="layers-pattern"),
        pytest.param({"layers_to_transform": [0]}, "layers_to_transform", id="layers-by-number"),
        pytest.param({"layer_replication": [[0, 999]]}, "layer_replication", id="replication"),
        pytest.param({"modules_to_save": ["lm_head"]}, "modules_to_save", id="other-modules"),
        pytest.param({"target_parameters": ["x"]}, "target_parameters", id="parameters"),
        pytest.param({"trainable_token_indices": [1]}, "trainable_token_indices", id="tokens"),
        pytest.param({"bias": "all"}, "bias", id="bias-of-the-base"),
        pytest.param({"lora_bias": True}, "lora_bias", id="bias"),
        pytest.param({"init_lora_weights": "pissa"}, "init_lora_weights", id="pissa-changes-the-base"),
        pytest.param(
            {"init_lora_weights": "loftq", "loftq_config": {"loftq_bits": 4}}, "init_lora_weights", id="loftq"
        ),
        pytest.param({"eva_config": {"rho": 2}}, "eva_config", id="eva"),
        pytest.param({"corda_config": {"cache_file": "/etc/x"}}, "corda_config", id="corda"),
        pytest.param({"use_qalora": True}, "use_qalora", id="qalora"),
        pytest.param({"arrow_config": {"top_k": 1}}, "arrow_config", id="arrow"),
        pytest.param(
            {"auto_mapping": {"base_model_class": "X", "parent_library": "os"}}, "auto_mapping", id="auto-mapping"
        ),
        pytest.param({"a_key_of_peft_1_0": "x"}, "a_key_of_peft_1_0", id="unknown-key"),
        pytest.param({"peft_type": "VERA"}, "peft_type", id="another-method"),
        pytest.param({"task_type": None}, "task_type", id="another-task"),
        pytest.param({"r": 10**9}, "r: ", id="rank-of-gigabytes"),
        pytest.param({"r": True}, "r: ", id="rank-true"),
        pytest.param({"r": 4.0}, "r: ", id="rank-no-whole-number"),
        pytest.param({"r": 0}, "r: ", id="rank-zero"),
        pytest.param({"lora_alpha": float("nan")}, "lora_alpha", id="alpha-nan"),
        pytest.param({"lora_alpha": 1e300}, "lora_alpha", id="alpha-huge"),
        pytest.param({"lora_dropout": 1}, "lora_dropout", id="dropout"),
        pytest.param({"use_dora": 1}, "use_dora", id="flag"),
    ],
)
def test_refused_by_name(tmp_path: Path, changes: dict, named: str) -> None:
    with pytest.raises(InputError, match=f"adapter_config.json: .*{re.escape(named)}") as caught:
        read_lora(written(tmp_path, json.dumps(PLAIN | changes)))
    assert len(str(caught.value)) < 600


@pytest.mark.attack("adapters", "files that are no settings")
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(DEEP, id="deep"),
        pytest.param(json.dumps(PLAIN)[:-1] + f', "revision": {DEEP}', id="deep-inside"),
        pytest.param(json.dumps(PLAIN)[:-1] + ', "r": 8}', id="twice"),
        pytest.param(json.dumps(PLAIN)[:-1] + ', "revision": ' + "9" * 10_000 + "}", id="digits"),
        pytest.param("[]", id="list"),
        pytest.param('"LORA"', id="text"),
        pytest.param("", id="empty"),
        pytest.param("\xff\xfe", id="no-utf-8"),
    ],
)
def test_no_settings(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"adapter_config\.json: "):
        read_lora(written(tmp_path, text))
