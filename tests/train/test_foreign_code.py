"""Nothing that lies in the current folder, in a base or beside a dataset is run, and none of it says what is read."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny import list_files, write_dataset, write_model, write_voice

from friends_corpus.core.cli import InputError
from train.dataset.loading import load_data, read_rows
from train.models import chat_template
from train.models.base import locate
from train.models.chat_template import Renderer, TemplateRefused, limit_templates
from train.models.device import Device
from train.models.loading import load_base
from train.settings.base_preset import LOCAL, find_base

ROOT = Path(__file__).parents[2]
CPU = Device("cpu", "CPU", "float32", None)
MARKED = "from pathlib import Path\nPath(__file__).resolve().parents[%d].joinpath('RAN-%s').touch()\n"
NAMES = (  # what the libraries look for by name: optional packages, and some that are always there
    *("megatron", "megatron_core", "flash_attn", "deepspeed", "kernels", "aqlm", "gptqmodel", "awq", "hqq", "eetq"),
    *("apex", "optimum", "torchao", "torch_xla", "intel_extension_for_pytorch", "tensorflow", "jax", "flax", "mlx"),
    *("torch", "transformers", "peft", "bitsandbytes", "numpy", "pydantic", "argparse", "json", "sitecustomize"),
    *("wandb", "trackio", "vllm", "liger_kernel", "sentencepiece", "tiktoken", "torchvision", "librosa", "PIL"),
)


def plant(folder: Path) -> None:
    """Packages of these names, each of which leaves a file if it is imported."""
    for name in NAMES:
        (folder / name / "core").mkdir(parents=True)
        (folder / name / "__init__.py").write_text(MARKED % (1, name))
        (folder / name / "core" / "__init__.py").write_text(MARKED % (2, name))
        info = folder / f"{name}-99.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 99.0\n")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("code")
    write_voice(home / "chat", write_model(home / "tiny", chat=True), "lines")
    write_dataset(home / "friends-lines", {"train": 4, "validation": 2})
    return home


def in_folder(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command as a user types it there; the project is installed, as far as Python can tell."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    env.pop("PYTHONSAFEPATH", None)
    return subprocess.run(
        [sys.executable, *arguments], cwd=home, env=env, input="Hi.\n", capture_output=True, text=True, check=False
    )


@pytest.mark.attack("code and addresses", "modules in the current folder")
@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        pytest.param("train.chat chat --base tiny --tokens 2", id="chat"),
        pytest.param("train.merge chat --base tiny --tokens 64", id="merge"),
    ],
)
def test_nothing_in_the_current_folder_is_imported(home: Path, tmp_path: Path, command: str) -> None:
    shutil.copytree(home, tmp_path / "here")
    plant(tmp_path / "here")
    done = in_folder(tmp_path / "here", "-m", *command.split())
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "here").glob("RAN-*")) == []


@pytest.mark.attack("code and addresses", "modules in the current folder")
@pytest.mark.parametrize("module", ["train.chat", "builders.build", "friends_corpus.parse", "train", "builders"])
@pytest.mark.parametrize("path", ["{root}", ":{root}", "{root}:", "{root}:."])
def test_no_start_imports_from_the_current_folder(tmp_path: Path, module: str, path: str) -> None:
    plant(tmp_path)
    shutil.rmtree(tmp_path / "sitecustomize")  # Python's own, before any command begins
    done = in_folder(tmp_path, "-m", module, "--help", PYTHONPATH=path.format(root=ROOT))
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("RAN-*")) == []


@pytest.mark.attack("code and addresses", "modules in the current folder")
def test_a_clone_that_is_the_current_folder_offers_its_packages_alone(tmp_path: Path) -> None:
    for package in ("friends_corpus", "train", "builders", "cards"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    plant(tmp_path)
    code = (
        "import runpy, sys; sys.argv = ['-m', '--help']; sys.path[0] = {0!r}\n"
        "try: runpy.run_module('train.chat', run_name='__main__', alter_sys=True)\nexcept SystemExit: pass\n"
        "import builders.assemble, cards\nassert builders.__file__.startswith({0!r})\n"
        "for name in ('megatron', 'flash_attn', 'deepspeed', 'hqq'):\n"
        "    try: __import__(name)\n    except ImportError: pass\n"
    )
    done = in_folder(tmp_path, "-c", code.format(str(tmp_path)), PYTHONPATH="")
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("RAN-*")) == []


def with_code(folder: Path) -> Path:
    """Let every configuration of a model folder ask for code beside it."""
    for name in ("config.json", "tokenizer_config.json", "generation_config.json"):
        path = folder / name
        values = json.loads(path.read_text()) if path.exists() else {}
        values |= {"auto_map": {f"Auto{what}": "evil.Evil" for what in ("Config", "ModelForCausalLM")}}
        values["auto_map"]["AutoTokenizer"] = ["evil.Evil", "evil.Evil"]
        values |= (
            {"model_type": "evil", "architectures": ["Evil"]} if name == "config.json" else {"tokenizer_class": "Evil"}
        )
        path.write_text(json.dumps(values))
    (folder / "evil.py").write_text(MARKED % (0, "evil") + "class Evil: pass\n")
    (folder / "custom_generate").mkdir()
    (folder / "custom_generate" / "generate.py").write_text(MARKED % (1, "generate") + "def generate(**_): pass\n")
    return folder


@pytest.mark.attack("code and addresses", "code in a base")
@pytest.mark.slow
def test_a_base_with_code_is_not_run_even_if_the_terminal_says_yes(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "tiny", tmp_path / "evil")
    with_code(tmp_path / "evil")
    master, slave = pty.openpty()
    env = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HOME": str(tmp_path / "hf")}
    command = [sys.executable, "-m", "train.chat", "--base", "evil"]
    process = subprocess.Popen(command, cwd=tmp_path, env=env, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    os.write(master, b"y\ny\ny\n")
    printed = b""
    try:
        while part := os.read(master, 4096):
            printed += part
    except OSError:  # the terminal is closed
        pass
    assert process.wait(120) == 2, printed
    assert b"[y/N]" not in printed
    assert b"error: cannot load the base model" in printed
    assert not [*tmp_path.rglob("RAN-*")]


@pytest.mark.attack("code and addresses", "code in a base")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        pytest.param(
            lambda f: (f / "adapter_config.json").write_text("{}"), "holds an adapter", id="adapter-in-a-base"
        ),
        pytest.param(lambda f: attention(f, "someone/kernel"), "attn_implementation 'someone/kernel'", id="kernel"),
        pytest.param(lambda f: attention(f, {"": "someone/kernel"}), "attn_implementation", id="kernel-in-a-table"),
    ],
)
def test_a_base_that_asks_for_more_is_refused(
    home: Path, tmp_path: Path, spoil: Callable[[Path], object], named: str
) -> None:
    shutil.copytree(home / "tiny", tmp_path / "base")
    spoil(tmp_path / "base")
    base, folder = find_base(str(tmp_path / "base"), 32)
    with pytest.raises(InputError, match=named):
        load_base(base, locate(base, folder), CPU)


def attention(folder: Path, value: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"attn_implementation": value}))


@pytest.mark.attack("code and addresses", "addresses in run.json")
@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"model": "../tiny", "source": "hub"}, id="path"),
        pytest.param({"model": "{home}/tiny", "source": "hub"}, id="whole-path"),
        pytest.param({"model": "models/tiny", "source": "hub", "revision": "abc"}, id="folder-that-looks-like-an-id"),
        pytest.param({"source": "hub", "revision": "../../x"}, id="revision"),
        pytest.param({"sha256": None}, id="folder-without-hash"),
    ],
)
def test_run_json_names_no_address(home: Path, tmp_path: Path, changes: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    from train.generation.generator import load_generator

    monkeypatch.chdir(tmp_path)
    shutil.copytree(home / "tiny", tmp_path / "models" / "tiny")
    shutil.copytree(home / "chat", tmp_path / "chat")
    path = tmp_path / "chat" / "run.json"
    run = json.loads(path.read_text())
    assert run["base"]["model"] == LOCAL
    run["base"] |= {key: value and value.format(home=home) for key, value in changes.items()}
    path.write_text(json.dumps(run))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError):
        load_generator({"chat": tmp_path / "chat"}, base=None if changes.get("source") else str(home / "tiny"))


def manifest(folder: Path, path: str) -> None:
    """Let the manifest list a file elsewhere, with its hash."""
    listed = json.loads((folder / "manifest.json").read_text())
    listed["configs"]["lines"]["splits"]["train"]["path"] = path
    (folder / "manifest.json").write_text(json.dumps(listed))


def evil_rows(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    pq.write_table(pa.table({"text": ["evil"]}), path)
    return path


def linked(folder: Path) -> None:
    path = folder / "lines" / "train-00000-of-00001.parquet"
    path.unlink()
    path.symlink_to(evil_rows(folder.parent / "elsewhere" / "x.parquet"))
    list_files(folder)


def linked_folder(folder: Path) -> None:
    shutil.move(folder / "lines", folder.parent / "elsewhere")
    (folder / "lines").symlink_to(folder.parent / "elsewhere")


@pytest.mark.attack("code and addresses", "redirected datasets")
@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        pytest.param(lambda f: manifest(f, "../lines/train.parquet"), "train.path: .* pattern", id="above"),
        pytest.param(lambda f: manifest(f, "/etc/train.parquet"), "train.path: .* pattern", id="whole-path"),
        pytest.param(lambda f: manifest(f, "https://example.com/x.parquet"), "train.path: .* pattern", id="address"),
        pytest.param(lambda f: manifest(f, "lines/../../x.parquet"), "train.path: .* pattern", id="up-and-down"),
        pytest.param(lambda f: manifest(f, "lines/gone.parquet"), "is missing", id="missing"),
        pytest.param(linked, "no file of this folder", id="link"),
        pytest.param(linked_folder, "no file of this folder", id="linked-folder"),
        pytest.param(lambda f: evil_rows(f / "lines/train-00000-of-00001.parquet"), "is not the file", id="other-rows"),
        pytest.param(lambda f: (f / "manifest.json").unlink(), "no manifest.json", id="no-manifest"),
        pytest.param(lambda f: (f / "manifest.json").write_text("[" * 100_000), "manifest.json", id="deep"),
        pytest.param(lambda f: (f / "manifest.json").write_text('{"configs": {"lines": 1}}'), "configs.lines", id="no-config"),
    ],
)  # fmt: skip
def test_a_dataset_is_what_its_manifest_lists(tmp_path: Path, spoil: Callable[[Path], object], named: str) -> None:
    folder = write_dataset(tmp_path / "friends-lines", {"train": 2})
    spoil(folder)
    with pytest.raises(InputError, match=named) as caught:
        load_data(folder, "lines", "text")
    assert "\n" not in str(caught.value)


@pytest.mark.attack("code and addresses", "redirected datasets")
def test_the_card_and_files_beside_say_nothing(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "friends-lines", {"train": 2})
    wanted = read_rows(folder, "lines")["train"]["text"][:]
    evil_rows(folder / "lines" / "train-00001-of-00002.parquet")
    evil = evil_rows(tmp_path / "evil.parquet")
    card = f"---\nconfigs:\n- config_name: lines\n  data_files:\n  - split: train\n    path: {evil}\n---\n"
    (folder / "README.md").write_text(card)
    (folder / "friends-lines.py").write_text(MARKED % (0, "script"))
    assert load_data(folder, "lines", "text").train["text"][:] == wanted
    assert not [*tmp_path.rglob("RAN-*")]


LONG = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
GROWING = "{% set n = namespace(x='aaaaaaaa') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}{{ n.x }}"


@pytest.mark.attack("code and addresses", "chat templates without end")
@pytest.mark.slow
@pytest.mark.parametrize(
    "template",
    [
        pytest.param(LONG, id="nested-loops"),
        pytest.param(GROWING, id="doubled-text"),
        pytest.param("{{ 'x' * 10**10 }}", id="text-times-number"),
        pytest.param("{{ 'x' * (2**24 + 1) }}", id="just-too-much"),
        pytest.param("{{ 9 ** (9 ** 9) }}", id="power"),
        pytest.param("{{ 'x'.center(10**10) }}", id="method"),
        pytest.param("{{ '%09999999999d' % 1 }}", id="format"),
        pytest.param("{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}", id="recursion"),
        pytest.param("{% for i in range(10**9) %}x{% endfor %}", id="range"),
    ],
)
def test_a_template_without_end_is_one_line(home: Path, monkeypatch: pytest.MonkeyPatch, template: str) -> None:
    from transformers import AutoTokenizer

    limit_templates()
    monkeypatch.setattr(chat_template, "SECONDS", 3.0)
    tokenizer = AutoTokenizer.from_pretrained(home / "tiny")
    asked = [{"role": "user", "content": "Hi."}]
    began = time.monotonic()
    with pytest.raises(InputError, match="the chat template of the base"):
        tokenizer.apply_chat_template(asked, chat_template=template, tokenize=False)
    assert time.monotonic() - began < 30
    assert tokenizer.apply_chat_template(asked, tokenize=False) == "<user>Hi.</s>\n"


@pytest.mark.slow
def test_templates_render_as_in_transformers(home: Path) -> None:
    from transformers import AutoTokenizer, tokenization_utils_base

    limit_templates()
    limit_templates()
    renderer: Any = tokenization_utils_base.render_jinja_template
    assert isinstance(renderer, Renderer)
    assert not isinstance(renderer.render, Renderer)
    tokenizer = AutoTokenizer.from_pretrained(home / "tiny")
    asked = [[{"role": "user", "content": "Zoë 😀 é"}], [{"role": "user", "content": "b" * 10_000}]]
    named = {"conversations": asked, "chat_template": tokenizer.chat_template, "add_generation_prompt": True}
    assert renderer(**named) == tuple(renderer.render(**named))
    with pytest.raises(TemplateRefused, match="no system"):
        renderer(**named | {"chat_template": "{{ raise_exception('no system') }}"})
