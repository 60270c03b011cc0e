"""Adapters of others are data: what is not a LoRA of this base is refused before anything of it is used."""

from __future__ import annotations

import json
import shutil
import struct
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from tiny import write_model, write_voice

from friends_corpus.core.cli import InputError
from train.generation import adapter_stack
from train.generation.adapter_stack import AdapterStack
from train.models import lora_weights
from train.models.lora_weights import Layers, layers_of, load_alone, read_adapter

pytestmark = pytest.mark.slow
WEIGHTS = "adapter_model.safetensors"
FIRST = "base_model.model.model.layers.0.mlp.down_proj.lora_A.weight"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("foreign")
    write_voice(home / "good", write_model(home / "tiny"), "chat")
    return home


@pytest.fixture(scope="module")
def layers(home: Path) -> Layers:
    return layers_of(load(home))


@pytest.fixture
def folder(home: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(home / "good", tmp_path / "adapter"))


def load(home: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(home / "tiny")


def settings(folder: Path, **changes: Any) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def header(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the header of the weights and leave their bytes."""
    data = (folder / WEIGHTS).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    values = json.loads(data[8 : 8 + length])
    change(values)
    text = json.dumps(values).encode()
    (folder / WEIGHTS).write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])


def tensors(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    from safetensors.torch import load_file, save_file

    values = load_file(folder / WEIGHTS)
    change(values)
    save_file(values, folder / WEIGHTS)


def extra(name: str) -> Callable[[Path], object]:
    import torch

    return lambda folder: tensors(folder, lambda values: values.update({name: torch.zeros(64, 64)}))


def sparse(folder: Path) -> None:
    with (folder / WEIGHTS).open("r+b") as file:
        file.truncate(1 << 40)


def put(path: Path, target: str) -> None:
    """Put a link in the place of a file."""
    path.unlink()
    path.symlink_to(target)


def not_a_number(folder: Path) -> None:
    import torch

    tensors(folder, lambda values: values.update({FIRST: torch.full_like(values[FIRST], float("nan")).bfloat16()}))


def only_a_pickle(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "adapter_model.bin")


@pytest.mark.attack("adapters", "weights that are no LoRA of the base")
@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        pytest.param(lambda f: settings(f, r=64, lora_alpha=64), "has the shape", id="another-rank"),
        pytest.param(lambda f: settings(f, r=4096), "r is 4096", id="rank-beyond-the-layers"),
        pytest.param(lambda f: settings(f, target_modules=["q_prok"]), "'q_prok' (did you mean 'q_proj'?)", id="no-such-layer"),
        pytest.param(lambda f: settings(f, target_modules=[".*"]), "'.*'", id="expression-in-the-list"),
        pytest.param(lambda f: settings(f, target_modules=["layers.0"]), "'layers.0'", id="a-block"),
        pytest.param(lambda f: settings(f, target_modules=["embed_tokens"]), "'embed_tokens'", id="embeddings"),
        pytest.param(lambda f: settings(f, target_modules=["q_proj"]), "which is no LoRA weight", id="fewer-layers"),
        pytest.param(lambda f: settings(f, target_modules="all-linear", exclude_modules=["q_proj"]), "which is no LoRA", id="excluded"),
        pytest.param(lambda f: settings(f, use_dora=True), "lora_magnitude_vector", id="dora-without-magnitudes"),
        pytest.param(extra("base_model.model.lm_head.weight"), "lm_head.weight", id="embeddings-saved"),
        pytest.param(extra("base_model.model.model.layers.0.mlp.down_proj.weight"), "down_proj.weight", id="weight-of-the-base"),
        pytest.param(extra("base_model.model.model.layers.0.mlp.down_proj.bias"), "down_proj.bias", id="bias"),
        pytest.param(extra("base_model.model.model.layers.0.mlp.down_proj.base_layer.weight"), "base_layer", id="base-layer"),
        pytest.param(extra("model.layers.0.mlp.down_proj.lora_A.weight"), "'model.layers.0", id="without-prefix"),
        pytest.param(extra("base_model.model.model.layers.9.mlp.down_proj.lora_A.weight"), "layers.9", id="layer-that-is-not-there"),
        pytest.param(lambda f: tensors(f, lambda v: v.pop(FIRST)), "lacks 'base_model", id="one-missing"),
        pytest.param(lambda f: tensors(f, lambda v: v.update({FIRST: v[FIRST].T.contiguous()})), "has the shape", id="turned"),
        pytest.param(lambda f: tensors(f, lambda v: v.update({FIRST: v[FIRST].double()})), "is F64", id="wide"),
        pytest.param(lambda f: tensors(f, lambda v: v.update({FIRST: v[FIRST] / 0})), "NaN or infinite", id="infinite"),
        pytest.param(lambda f: header(f, lambda h: h[FIRST].update(data_offsets=[0, 1 << 60])), "cannot be read", id="offset-outside"),
        pytest.param(lambda f: header(f, lambda h: h[FIRST].update(data_offsets=[-8, 8])), "cannot be read", id="offset-negative"),
        pytest.param(lambda f: header(f, lambda h: h[FIRST].update(data_offsets=[0, 4])), "cannot be read", id="offset-short"),
        pytest.param(lambda f: header(f, lambda h: h[FIRST].update(shape=[1 << 62, 1 << 62])), "cannot be read", id="shape-huge"),
        pytest.param(lambda f: header(f, lambda h: h[FIRST].update(dtype="X")), "cannot be read", id="no-dtype"),
        pytest.param(lambda f: header(f, lambda h: h.update({FIRST: None})), "cannot be read", id="no-entry"),
        pytest.param(lambda f: (f / WEIGHTS).write_bytes(struct.pack("<Q", 1 << 62) + b"{}"), "cannot be read", id="header-length"),
        pytest.param(lambda f: (f / WEIGHTS).write_bytes(struct.pack("<Q", 50_000) + b"[" * 50_000), "cannot be read", id="header-deep"),
        pytest.param(lambda f: (f / WEIGHTS).write_bytes(b"\x80\x04."), "cannot be read", id="a-pickle-under-the-name"),
        pytest.param(sparse, "cannot be read", id="a-terabyte-of-nothing"),
        pytest.param(not_a_number, "NaN or infinite", id="nan-in-bfloat16"),
        pytest.param(lambda f: header(f, lambda h: h[FIRST].update(data_offsets=next(e["data_offsets"] for n, e in h.items() if n != FIRST and "A" in n))), "cannot be read", id="overlapping"),
        pytest.param(lambda f: header(f, lambda h: [e.update(data_offsets=[o + 8 for o in e["data_offsets"]]) for n, e in h.items() if n != "__metadata__"]), "cannot be read", id="a-hole-before-all"),
        pytest.param(lambda f: (f / WEIGHTS).write_bytes((f / WEIGHTS).read_bytes() + b"x"), "cannot be read", id="bytes-after-all"),
        pytest.param(lambda f: header(f, lambda h: h[FIRST].update(dtype="F8_E4M3")), "cannot be read", id="eight-bits"),
        pytest.param(lambda f: header(f, lambda h: h[FIRST].update(data_offsets=[False, True])), "cannot be read", id="offsets-true"),
        pytest.param(lambda f: header(f, lambda h: h.update(__metadata__={"a": {"b": 1}})), "cannot be read", id="metadata-nested"),
        pytest.param(lambda f: put(f / WEIGHTS, "/etc/passwd"), "cannot be read", id="weights-linked-elsewhere"),
        pytest.param(lambda f: put(f / WEIGHTS, "/dev/zero"), "holds no file", id="weights-a-device"),
        pytest.param(lambda f: put(f / WEIGHTS, WEIGHTS), "holds no file", id="weights-a-loop"),
        pytest.param(lambda f: put(f / "adapter_config.json", "/etc/passwd"), "cannot be read", id="settings-linked-elsewhere"),
        pytest.param(lambda f: put(f / "adapter_config.json", "/dev/zero"), "cannot be read", id="settings-a-device"),
        pytest.param(lambda f: put(f / "adapter_config.json", "."), "cannot be read", id="settings-a-folder"),
        pytest.param(lambda f: settings(f, auxiliary={"x": 1}), "'auxiliary'", id="unknown-table"),
        pytest.param(lambda f: settings(f, target_modules=["q_proj\0"]), "'q_proj\\x00'", id="nul-in-a-name"),
        pytest.param(only_a_pickle, "holds no file adapter_model.safetensors", id="only-a-pickle"),
        pytest.param(lambda f: (f / "adapter_config.json").write_bytes(b" " * (1 << 22)), "cannot be read", id="settings-huge"),
    ],
)  # fmt: skip
def test_refused_in_one_line(folder: Path, layers: Layers, spoil: Callable[[Path], object], named: str) -> None:
    spoil(folder)
    began = time.monotonic()
    with pytest.raises(InputError) as caught:
        read_adapter(folder, layers)
    assert named in str(caught.value)
    assert str(folder) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("targets", ["all-linear", ["q_proj", "v_proj"], ["lm_head", "q_proj"], "dora", "rslora"])
def test_what_peft_writes_computes_the_same(home: Path, tmp_path: Path, targets: Any) -> None:
    """With a rank pattern nothing is left to guess; in float16 as other tools write it."""
    import torch
    from peft import LoraConfig, PeftModel, get_peft_model

    named = {f"use_{targets}": True} if targets in ("dora", "rslora") else {}
    wanted = LoraConfig(
        r=4,
        target_modules="all-linear" if named else targets,
        init_lora_weights="gaussian",
        task_type="CAUSAL_LM",
        **named,
    )
    made = get_peft_model(load(home), wanted)
    for name, weight in made.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    made.save_pretrained(tmp_path / "made", save_embedding_layers=False)
    ids = torch.arange(9)[None]
    with torch.no_grad():
        theirs = PeftModel.from_pretrained(load(home), tmp_path / "made")(ids).logits
        ours = load_alone(load(home), tmp_path / "made")(ids).logits
    assert torch.equal(ours, theirs)


@pytest.mark.attack("adapters", "changes of the base")
def test_an_adapter_that_changes_the_base_is_taken_off(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever way it finds: here one is made for it."""
    import torch

    def attach(model: Any, *rest: Any) -> Any:
        model = lora_weights.attach(model, *rest)
        model.get_base_model().model.norm.weight.data[0] += 1
        return model

    stack = AdapterStack(load(home), "base")
    with monkeypatch.context() as patched, pytest.raises(InputError, match="the base does not compute what it did"):
        patched.setattr(adapter_stack, "attach", attach)
        stack.load("chat", home / "good")
    assert stack.names == ("base",)
    assert not any("lora" in name for name, _ in stack.model.named_modules())
    with pytest.raises(InputError, match="the base does not compute what it did"):
        stack.load("chat", home / "good")  # nor is another one believed on such a base
    stack.model.model.norm.weight.data[0] -= 1
    stack.load("chat", home / "good")
    with stack.speaking(["base"]) as named, torch.no_grad():
        logits = stack.model(torch.arange(8)[None], **named).logits
    assert torch.equal(logits, load(home)(torch.arange(8)[None]).logits)


@pytest.mark.attack("adapters", "weights that are no LoRA of the base")
def test_a_dora_is_refused_beside_others(folder: Path, home: Path) -> None:
    settings(folder, use_dora=True)
    tensors(folder, lambda v: v.update({k.replace("lora_B.weight", "lora_magnitude_vector"): w.norm(dim=1).contiguous() for k, w in v.items() if "lora_B" in k}))  # fmt: skip
    with pytest.raises(InputError, match="is a DoRA"):
        AdapterStack(load(home), "base").load("chat", folder)


@pytest.mark.attack("adapters", "loads that hang")
def test_a_slow_load_holds_up_nobody(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a disk is slow, others are answered; what is refused then leaves all as it was."""
    from threading import Event

    reading, go_on = Event(), Event()
    failed: list[bool] = []

    def slow(*_: Any) -> Any:
        reading.set()
        go_on.wait(60)
        raise InputError("no")

    def load_it() -> None:
        with pytest.raises(InputError):
            stack.load("chat", home / "good")
        failed.append(True)

    stack = AdapterStack(load(home), "base")
    monkeypatch.setattr(adapter_stack, "read_adapter", slow)
    loading = Thread(target=load_it)
    loading.start()
    assert reading.wait(60)
    with stack.speaking(["base"]):
        assert not failed
    go_on.set()
    loading.join()
    assert failed == [True]
    assert stack.names == ("base",)
