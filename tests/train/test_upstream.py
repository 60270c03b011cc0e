"""The private names of libraries are where train/models/upstream.py looks for them, and do what it says."""

from __future__ import annotations

import logging
import re
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from tiny import make_trainer, write_dataset, write_model

from train.models import upstream

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_environment")]
ROOT = Path(__file__).parents[2]
PRIVATE = re.compile(r"(?<![\w.])(?!self\b|cls\b|os\b|sys\b)[\w.]*[\w\])]\._(?!_)[a-z]\w+")


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from train.settings.base_preset import find_base
    from train.settings.recipe import load_recipe

    home = tmp_path_factory.mktemp("upstream")
    write_dataset(home / "friends-lines", {"train": 4, "validation": 2})
    folder = str(write_model(home / "tiny"))
    recipe = load_recipe("chunks", None, {"base": folder, "sft.max_steps": 1})
    return make_trainer(home / "friends-lines", recipe, find_base(folder, 32)[0], home / "tiny", home / "out")


@pytest.mark.parametrize("package", ["train", "builders", "friends_corpus", "cards"])
def test_no_other_file_uses_private_names_of_libraries(package: str) -> None:
    allowed = {"upstream.py", "adapter_stack.py"}
    found = {
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in (ROOT / package).rglob("*.py")
        if path.name not in allowed
        for line in path.read_text(encoding="utf-8").splitlines()
        for match in PRIVATE.finditer(line.partition("#")[0])
        if not match[0].startswith(("self.", "cls."))
    }
    assert found == OWN.get(package, set())


OWN = {
    "train": {  # overridden methods, called on transformers' class and on our own trainer
        "train/training/trainer.py: Trainer._save_checkpoint",
        "train/sft.py: trainer._save",
    },
    "cards": {"cards/hub/client.py: huggingface_hub.utils._http"},
}


def test_the_overridden_methods_are_there_and_are_called() -> None:
    from transformers import Trainer
    from trl.trainer.sft_trainer import SFTTrainer

    from train.training.trainer import AdapterTrainer

    own = {name for name, value in vars(AdapterTrainer).items() if callable(value) and hasattr(SFTTrainer, name)}
    assert own == {
        "__init__",
        "_save",
        "_save_checkpoint",
        "create_scheduler",
        "get_batch_samples",
        "compute_loss",
        "evaluate",
    }
    for name in own - {"__init__"}:
        assert hasattr(Trainer, name)


def test_tokens_are_counted_and_logged_as_trl_does(trainer: Any) -> None:
    upstream.set_read_tokens(trainer, 40)
    upstream.count_read_tokens(trainer, 2)
    upstream.log_mean(trainer, "trained_tokens", 7)
    trainer.log({"loss": 1.0})
    logged = trainer.state.log_history[-1]
    assert (logged["loss"], logged["num_tokens"], logged["trained_tokens"]) == (1.0, 42, 7)


def test_the_means_of_an_evaluation_are_dropped(trainer: Any) -> None:
    trainer.evaluate()
    logged = [entry for entry in trainer.state.log_history if "eval_loss" in entry][-1]
    assert set(logged) == {"epoch", "step", "eval_loss", "eval_tokens"} | (set(logged) & {"epoch"})


def test_the_attention_kernel_of_a_config() -> None:
    from transformers import LlamaConfig

    assert upstream.attention_of(LlamaConfig(attn_implementation="sdpa")) == "sdpa"


def test_the_renderer_of_templates_is_the_one_that_is_called(monkeypatch: pytest.MonkeyPatch, trainer: Any) -> None:
    from transformers import tokenization_utils_base as library

    monkeypatch.setattr(library, "render_jinja_template", library.render_jinja_template)
    upstream.replace_renderer(lambda render: lambda *_, **__: (["REPLACED"], [[]]))
    tokenizer = trainer.processing_class
    tokenizer.chat_template = "{{ messages[0]['content'] }}"
    assert tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False) == "REPLACED"


def test_peft_keeps_the_names_of_rows_in_hooks(trainer: Any) -> None:
    import torch

    network = trainer.model
    layers = [layer for layer in network.modules() if hasattr(layer, "lora_A")]
    for layer in layers:
        layer._forward_pre_hooks_with_kwargs[0] = True
    upstream.forget_adapter_names(network)
    assert layers
    assert not any(layer._forward_pre_hooks or layer._forward_pre_hooks_with_kwargs for layer in layers)
    network(input_ids=torch.ones(1, 2, dtype=torch.long))


def test_known_warnings_are_silent_and_others_are_shown() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        upstream.silence_known_warnings()
        warnings.warn(f"{upstream.OLD_NAME} and will be removed in v6.", FutureWarning, stacklevel=1)
        warnings.warn("something else is deprecated", FutureWarning, stacklevel=1)
    assert [str(warning.message) for warning in caught] == ["something else is deprecated"]
    assert all(logging.getLogger(name).level == logging.ERROR for name in upstream.CHATTY)


def test_settings_go_by_the_installed_names() -> None:
    names = upstream.with_installed_names({"activation_checkpointing": True, "learning_rate": 1.0})
    newer = tuple(map(int, version("transformers").split(".")[:2])) >= (5, 23)
    assert set(names) == {"activation_checkpointing" if newer else "gradient_checkpointing", "learning_rate"}
