"""Too little memory: one line that helps, nothing lost; and what is foreseen of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import huggingface_hub  # noqa: F401  reads HF_HUB_OFFLINE when imported: now, not after `quiet` has set it
import pytest
from tiny import make_trainer, write_dataset, write_model

from friends_corpus.core.cli import Failed
from train import sft
from train.models.base import locate
from train.models.device import Device
from train.models.loading import load_base
from train.runtime import memory
from train.runtime.memory import explained, is_out_of_memory
from train.settings.base_preset import find_base
from train.settings.recipe import load_recipe
from train.training.checkpoints import newest_good
from train.training.preflight import LIBRARY_BYTES, estimate

pytestmark = pytest.mark.usefixtures("own_environment")
ROOT = Path(__file__).parents[2]
CPU = Device("cpu", "CPU", "float32", None)
REMEDY = "try --batch-size 1 (still 8 sequences per step); add --resume to continue"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("memory")
    write_dataset(home / "friends-lines", {"train": 24, "validation": 6, "test": 2})
    write_model(home / "tiny", hub_id="someone/tiny-llama")
    return home


@pytest.mark.parametrize(
    ("error", "meant"),
    [
        pytest.param(RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has"), True, id="cuda"),
        pytest.param(RuntimeError("CUDA error: out of memory"), True, id="driver"),
        pytest.param(
            RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"), True, id="blas"
        ),
        pytest.param(
            RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"),
            True,
            id="cpu",
        ),
        pytest.param(MemoryError(), True, id="python"),
        pytest.param(RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False, id="shapes"),
        pytest.param(OSError(28, "No space left on device"), False, id="disk"),
    ],
)
def test_what_means_out_of_memory(error: Exception, meant: bool) -> None:
    assert is_out_of_memory(error) == meant


@pytest.mark.parametrize(
    ("free", "message"),
    [
        pytest.param(
            200_000_000,
            "out of memory at step 3 of 12, with 0.2 GB of cpu memory free; try --batch-size 1 (still 8 sequences per step); "
            "add --resume to continue",
            id="known",
        ),
        pytest.param(
            None, "out of memory at step 3 of 12; try --batch-size 1 (still 8 sequences per step)", id="unknown"
        ),
    ],
)
def test_the_line(monkeypatch: pytest.MonkeyPatch, free: int | None, message: str) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda device: free)
    with pytest.raises(Failed) as caught, explained(REMEDY, CPU, lambda: "at step 3 of 12"):
        raise MemoryError
    assert str(caught.value).startswith(message)


def test_other_errors_are_left_as_they_are() -> None:
    with pytest.raises(RuntimeError, match="shapes"), explained(REMEDY, CPU, str):
        raise RuntimeError("shapes")


def test_the_cpu_s_allocator_says_so() -> None:
    import torch

    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**55)
    assert is_out_of_memory(caught.value)


# --- with torch, on a tiny Llama -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_wherever_it_happens(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """While loading, at the first score, in a step, at the end: exit code 1, one line, and what was saved stays."""
    import torch

    from train.training import base_checks, loop, samples, trainer

    def failing(*unused: Any, **named: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    def told(*arguments: str) -> str:
        run = "--dataset chunks --base tiny --evaluations 0 --max-steps 2 --learning-rate 1e-2 --output out"
        assert sft.main([*run.split(), *arguments]) == 1
        [line] = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("training ")]
        return str(line)

    monkeypatch.chdir(home)
    for owner, name, when in (
        (base_checks, "load_base", "while the base model was loaded"),
        (loop, "held_out_loss", "before the first step"),
        (trainer.AdapterTrainer, "training_step", "at step 1 of 2"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, failing)
            assert told().startswith(f"error: out of memory {when}, with ")
    with monkeypatch.context() as patch:
        patch.setattr(samples, "compare", failing)
        assert "out of memory after 2 steps, with " in told()
    assert newest_good(Path("out")) == (Path("out/checkpoint-2"), [])
    assert (
        sft.main(
            "--dataset chunks --base tiny --evaluations 0 --max-steps 2 --learning-rate 1e-2 --output out "
            "--resume --batch-size 2".split()
        )
        == 0
    )


@contextmanager
def weighed(model: Any) -> Iterator[list[int]]:
    """The bytes that autograd keeps meanwhile, of tensors that are no weights of `model`."""
    import torch

    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    seen: dict[int, int] = {}
    kept: list[Any] = []  # else an address is used again

    def pack(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept.append(tensor)
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    total: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield total
    total.append(sum(seen.values()))


@pytest.mark.slow
def test_evaluation_needs_less_than_training(home: Path, tmp_path: Path) -> None:
    """One window at a time, none longer than those of training, and nothing kept for a backward."""
    from train.dataset.loading import load_data
    from train.training.trainer import held_out_loss

    longest = 64  # shorter than the rows: the longest must be cut
    settings = {"sft.max_steps": 1, "sft.max_length": longest, "sft.per_device_train_batch_size": 4}
    recipe = load_recipe("chunks", None, {"base": str(home / "tiny"), **settings})
    base, _ = find_base(str(home / "tiny"), 8)
    trainer = make_trainer(home / "friends-lines", recipe, base, home / "tiny", tmp_path)
    held_out = load_data(home / "friends-lines", "chunks", "text").validation
    lengths = [len(trainer.processing_class(row["text"])["input_ids"]) for row in held_out]
    assert max(lengths) > 2 * longest
    shapes: list[tuple[int, ...]] = []
    trainer.model.get_input_embeddings().register_forward_hook(lambda layer, ids, out: shapes.append(ids[0].shape))
    with weighed(trainer.model) as kept:
        held_out_loss(trainer)
    assert kept == [0]
    tokens = max(rows * length for rows, length in shapes)
    assert {rows for rows, _ in shapes} == {1}
    assert 0 < tokens <= longest
    shapes.clear()
    trainer.current_gradient_accumulation_steps = 1
    with weighed(trainer.model) as kept:
        trainer.training_step(trainer.model.train(), next(iter(trainer.get_train_dataloader())))
    assert kept[0] > 0
    assert max(rows * length for rows, length in shapes) >= tokens


@pytest.mark.slow
def test_the_estimate_is_what_autograd_keeps(home: Path) -> None:
    import torch
    from peft import get_peft_model

    settings = {"lora.r": 2, "sft.max_length": 256, "sft.activation_checkpointing": False}
    recipe = load_recipe("chunks", None, {"base": str(home / "tiny"), **settings})
    base, folder = find_base(str(home / "tiny"), 32)
    source = locate(base, folder)
    model, _ = load_base(base, source, CPU)
    activations = estimate(recipe, base, source, CPU).work - LIBRARY_BYTES - 3 * 256 * model.config.vocab_size * 4
    adapted: Any = get_peft_model(model, sft.lora_config(recipe, model))
    with weighed(adapted) as kept:
        adapted.train().base_model.model.model(input_ids=torch.arange(256)[None], use_cache=False)
    assert kept[0] == pytest.approx(activations, rel=0.15)
