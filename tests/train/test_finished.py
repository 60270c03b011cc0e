"""A run that is finished says so, can be extended, and is replaced only if that is asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny import write_dataset, write_model

from train import sft

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_environment")]
RUN = "--dataset chunks --base tiny --bits 32 --evaluations 0 --output new/out"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_dataset(tmp_path / "friends-lines", {"train": 12, "validation": 2, "test": 1})
    write_model(tmp_path / "tiny", hub_id="someone/tiny-llama")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(options: str, code: int = 0) -> None:
    assert sft.main(f"{RUN} {options}".split()) == code


def record() -> dict[str, Any]:
    return dict(json.loads(Path("new/out/run.json").read_text()))


def adapter() -> bytes:
    return Path("new/out/adapter_model.safetensors").read_bytes()


def test_again_extended_and_replaced(home: Path, capsys: Any) -> None:
    run("--max-steps 2")
    first, before = record(), adapter()
    for options in ("--max-steps 2", "--max-steps 2 --resume"):
        capsys.readouterr()
        run(options)
        assert "finished" in (printed := capsys.readouterr().out) and "2 steps" in printed
        assert (record(), adapter()) == (first, before)

    for options, words in (
        ("--max-steps 2 --seed 7", ["recipe.sft.seed was 42, is 7", "--overwrite"]),
        ("--max-steps 2 --seed 7 --resume", ["recipe.sft.seed", "--overwrite"]),
        ("--max-steps 4", ["max_steps was 2, is 4", "--resume"]),
        ("--max-steps 1 --resume", ["ask for more than 2"]),
    ):
        run(options, 2)
        error = capsys.readouterr().err
        assert all(word in error for word in words), error
        assert (record(), adapter()) == (first, before)

    run("--max-steps 4 --resume")
    assert "from new/out/checkpoint-2" in capsys.readouterr().out
    assert (record()["steps"], adapter() != before) == (4, True)
    assert [path.name for path in home.glob("new/out/checkpoint-*")] == ["checkpoint-4"]
    run("--max-steps 4 --resume")
    assert "finished" in capsys.readouterr().out

    run("--max-steps 2 --overwrite")
    assert (record()["steps"], adapter()) == (2, before)


@pytest.mark.parametrize("options", ["--end-token nothing-such", "--text-field none"])
def test_a_start_that_fails_leaves_no_folder(home: Path, options: str) -> None:
    run(options, 2)
    assert not (home / "new").exists()


def test_a_dry_run_beside_a_run(home: Path) -> None:
    from train.adapters.output_folder import locked

    with locked(home / "new/out"):
        run("--max-steps 2 --dry-run")
