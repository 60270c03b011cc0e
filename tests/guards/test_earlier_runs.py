"""A checkpoint and an adapter of version 0.1 still resume and load, with the same losses.

tests/guards/earlier_run was written by version 0.1 with a base of 4,600 random weights, trained on an invented dataset.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from train import sft
from train.adapters.run_record import software
from train.comparison.replies import Reply, loss
from train.generation.generator import load_generator

EARLIER = Path(__file__).parent / "earlier_run"
RUN = "--recipe recipe.yaml --base base --data friends-lines --bits 32 --max-steps 9 --learning-rate 1e-2".split()
CLOSE = 1e-5  # relative: processors add in different orders
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_environment")]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(EARLIER, tmp_path / "earlier")
    monkeypatch.chdir(tmp_path / "earlier")
    return tmp_path / "earlier"


def losses(path: Path) -> list[float]:
    rows: list[dict[str, Any]] = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [row.get("loss", row.get("eval_loss")) for row in rows]


def test_a_checkpoint_of_version_0_1_resumes_with_the_same_losses(home: Path, capsys: Any) -> None:
    (home / "resumed").mkdir()
    seal = home / "checkpoint-6" / "seal.json"
    sealed = json.loads(seal.read_text())
    sealed["run"]["software"] = software()  # newer libraries are another run, which is refused, and not the question
    seal.write_text(json.dumps(sealed))
    (home / "checkpoint-6").rename(home / "resumed" / "checkpoint-6")
    assert sft.main([*RUN, "--output", "resumed", "--resume"]) == 0
    assert "resumed/checkpoint-6" in capsys.readouterr().out
    assert losses(home / "resumed" / "metrics.jsonl") == pytest.approx(losses(EARLIER / "adapter/metrics.jsonl"), CLOSE)


def test_an_adapter_of_version_0_1_loads_with_the_same_loss(home: Path) -> None:
    loaded = load_generator({"earlier": home / "adapter"}, base=str(home / "base"))
    question = ({"role": "user", "content": "Who moved my label maker?"},)
    found, tokens = loss(loaded, Reply("s01e01_c01_u0001", question, "It was the turtle."))
    recorded = json.loads((EARLIER / "losses.json").read_text())
    assert tokens == recorded["tokens"]
    assert found == pytest.approx(recorded["losses"], CLOSE)
    assert found["earlier"] != found["base"]
