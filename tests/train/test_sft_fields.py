"""Every field of SFTConfig is sorted: a recipe may set it and it acts, or it is refused with the reason."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from tiny import write_dataset, write_model

from train import merge, sft
from train.settings.sft_fields import LOSS_FIELDS, OLD_KEYS, REFUSED, SftSettings

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_environment")]
DEFAULTS = {field.name: field.default for field in dataclasses.fields(SftSettings)}
RUN = (
    "--dataset chunks --data friends-lines --base tiny --bits 32 --max-steps 4 --evaluations 0 --learning-rate 1e-2 "
    "--set sft.max_length=256 --set sft.gradient_accumulation_steps=2"
)
CHANGES = {  # the losses, the number of steps or the adapter are other ones
    "num_train_epochs": "0.5",
    "max_steps": "2",
    "learning_rate": "1e-3",
    "lr_scheduler_type": "constant",
    "lr_scheduler_kwargs": "{num_cycles: 2}",
    "warmup_steps": "3",
    "optim": "sgd",
    "weight_decay": "0.9",
    "adam_beta1": "0.1",
    "adam_beta2": "0.1",
    "adam_epsilon": "0.1",
    "max_grad_norm": "1e-4",
    "label_smoothing_factor": "0.5",
    "loss_type": "dft",
    "neftune_noise_alpha": "5",
    "seed": "7",
    "data_seed": "7",
    "per_device_train_batch_size": "2",
    "gradient_accumulation_steps": "1",
    "max_length": "32",
    "packing": "false",
    "packing_strategy": "bfd",
    "shuffle_dataset": "false",
    "dataset_text_field": "text_with_directions",
    "train_sampling_strategy": "sequential",
    "dataloader_drop_last": "true",
}
BESIDE = {  # what must be set with them, so that they act at all
    "max_steps": ["sft.lr_scheduler_type=constant"],
    "num_train_epochs": ["sft.max_steps=-1"],
    "dataloader_drop_last": [
        "sft.max_steps=-1",
        "sft.num_train_epochs=1",
        "sft.packing=false",
        "sft.per_device_train_batch_size=7",
    ],
    "data_seed": ["sft.packing=false"],
    "packing_strategy": ["sft.max_length=130"],
    "train_sampling_strategy": ["sft.packing=false"],
    "lr_scheduler_kwargs": ["sft.lr_scheduler_type=cosine_with_restarts"],
}
SAME_LOSSES = {  # memory, speed, order of sums or the name of a run
    "activation_checkpointing": "false",
    "activation_checkpointing_kwargs": "{use_reentrant: false}",
    "dataloader_num_workers": "1",
    "dataloader_persistent_workers": "false",
    "dataloader_prefetch_factor": "2",
    "dataset_num_proc": "1",
    "full_determinism": "true",
    "optim_args": "foreach=true",
    "pad_to_multiple_of": "8",
    "run_name": "mine",
    "torch_empty_cache_steps": "1",
}
ON_GPUS = ("tf32",)
ON_EXPERTS = ("router_aux_loss_coef",)  # refused by TRL for a base without experts


def test_every_field_is_sorted_and_has_its_default() -> None:
    from trl.trainer.sft_config import SFTConfig

    installed = {field.name: field.default for field in dataclasses.fields(SFTConfig)}
    assert set(DEFAULTS) | set(REFUSED) == set(installed)
    assert not set(DEFAULTS) & set(REFUSED)
    renamed = {"activation_checkpointing": "gradient_checkpointing"}
    assert {name: installed[renamed.get(name, name)] for name in DEFAULTS} == DEFAULTS
    tried = {*CHANGES, *SAME_LOSSES, *ON_GPUS, *ON_EXPERTS}
    assert tried == set(DEFAULTS), "each field that a recipe may set is tried below"
    assert {key.partition(".")[2] for key in OLD_KEYS.values() if key.startswith("sft.")} <= set(DEFAULTS)
    assert set(LOSS_FIELDS) <= set(DEFAULTS)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("fields")
    write_dataset(home / "friends-lines", {"train": 24, "validation": 6, "test": 2})
    write_model(home / "tiny", hub_id="someone/tiny-llama")
    return home


def trained(home: Path, output: str, *settings: str) -> dict[str, Any]:
    """Train, and return what a setting can change: the losses of all steps and of the rows held out."""
    arguments = [*RUN.split(), "--output", output, "--overwrite"]
    for setting in settings:  # the last one counts
        name = setting.partition("=")[0]
        arguments = without_flag(
            arguments, {"sft.max_steps": "--max-steps", "sft.learning_rate": "--learning-rate"}.get(name)
        )
        arguments += ["--set", setting]
    assert sft.main(arguments) == 0
    lines = (home / output / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    steps = [json.loads(line) for line in lines]
    run = json.loads((home / output / "run.json").read_text(encoding="utf-8"))
    return {
        "losses": [round(step["loss"], 6) for step in steps if "loss" in step],
        "rates": [step.get("learning_rate") for step in steps],
        "end": round(run["losses"]["validation_end"], 6),
        "rows": run["dataset"]["text_field"],
    }


def without_flag(arguments: list[str], flag: str | None) -> list[str]:
    if flag in arguments:
        index = arguments.index(flag)
        return arguments[:index] + arguments[index + 2 :]
    return arguments


@pytest.fixture(scope="module")
def usual(home: Path) -> dict[str, Any]:
    return {}


@pytest.mark.parametrize("name", CHANGES)
def test_a_field_acts(home: Path, usual: dict[str, Any], monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(home)
    beside = BESIDE.get(name, [])
    key = " ".join(beside)
    if key not in usual:
        usual[key] = trained(home, "usual", *beside)
    beside = [setting for setting in beside if not setting.startswith(f"sft.{name}=")]
    assert trained(home, "changed", *beside, f"sft.{name}={CHANGES[name]}") != usual[key]


@pytest.mark.parametrize("name", SAME_LOSSES)
def test_a_field_is_passed_on(home: Path, usual: dict[str, Any], monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(home)
    beside = ["sft.dataloader_num_workers=1"] if name == "dataloader_prefetch_factor" else []
    beside += ["sft.optim=adamw_torch"] if name == "optim_args" else []
    if "" not in usual:
        usual[""] = trained(home, "usual")
    found = trained(home, "changed", *beside, f"sft.{name}={SAME_LOSSES[name]}")
    assert found["losses"] == pytest.approx(usual[""]["losses"], rel=1e-4)


def test_a_base_without_experts_has_no_router(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(home)
    assert sft.main([*RUN.split(), "--output", "router", "--set", "sft.router_aux_loss_coef=0.1"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: sft: ")
    assert "router_aux_loss_coef" in error


@pytest.mark.parametrize("settings", [["lora.use_rslora=true"], ["lora.use_dora=true"]], ids=["rslora", "dora"])
def test_other_adapters_merge_as_plain_lora_does(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, settings: list[str]
) -> None:
    monkeypatch.chdir(home)
    trained(home, "plain")
    trained(home, "other", *settings)
    capsys.readouterr()
    drift = []
    for output in ("plain", "other"):
        arguments = [output, "--base", "tiny", "--data", "friends-lines", "--output", f"{output}-merged", "--overwrite"]
        assert merge.main(arguments) == 0
        drift.append(json.loads((home / f"{output}-merged" / "merge.json").read_text(encoding="utf-8"))["drift"]["kl"])
    assert drift[1] == pytest.approx(drift[0], abs=1e-5)
    config = json.loads((home / "other" / "adapter_config.json").read_text(encoding="utf-8"))
    assert config[settings[0].partition(".")[2].partition("=")[0]] is True
