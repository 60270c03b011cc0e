"""Several ranks: the same training as one, rank 0 alone speaks and writes, and when one ends all end."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import huggingface_hub  # noqa: F401  reads HF_HUB_OFFLINE when imported: now, not after `quiet` has set it
import pytest
import yaml
from forked import Command, run_together
from tiny import write_dataset, write_model

from friends_corpus.core.cli import InputError
from train.runtime import distributed
from train.settings.base_preset import packaged
from train.settings.batching import Step, lighter, share_out
from train.settings.sft_fields import SftSettings
from train.training.checkpoints import fault, newest_good

ROOT = Path(__file__).parents[2]
RUN = "--recipe quick.yaml --base tiny --learning-rate 1e-2".split()
STEPS, BUDGET = "--max-steps 3", 2537  # 50 in the last of four steps: nothing of it is left for a second rank
CASES: list[dict[str, Any]] = [
    {"name": "one", "codes": [0], "arguments": "--output one"},
    {"name": "two", "codes": [0, 0], "arguments": "--output two"},
    {"name": "ended", "codes": [75, 75], "arguments": "--output ended", "harm": "end_after_step(2, rank=1)"},
    {"name": "resumed", "codes": [0, 0], "arguments": "--output ended --resume"},
    {"name": "halved", "codes": [1, 1], "arguments": "--output halved", "harm": "no_memory_after_step(2, rank=1)"},
    {"name": "alone", "codes": [0], "arguments": "--output halved --resume --batch-size 2 --gradient-checkpointing"},
    {"name": "no-number", "codes": [1, 1], "arguments": "--output no-number", "harm": "poison_after_step(1, rank=1)"},
    {
        "name": "full",
        "codes": [1, 1],
        "arguments": "--output full",
        "harm": "no_room_for('checkpoint-2/.seal', rank=0)",
    },
    {"name": "column", "codes": [2, 2], "arguments": "--output column --text-field txt"},
    {"name": "three", "codes": [2, 2, 2], "arguments": "--output three"},
    {"name": "taken", "codes": [2, 2], "arguments": "--output two/run.json/x"},
    {"name": "budget-one", "codes": [0], "until": f"--max-tokens {BUDGET}", "arguments": "--output budget-one"},
    {"name": "budget-two", "codes": [0, 0], "until": f"--max-tokens {BUDGET}", "arguments": "--output budget-two"},
]


def sft(batch_size: int = 1, gradient_accumulation: int = 8, checkpointing: bool = True) -> SftSettings:
    return SftSettings(
        per_device_train_batch_size=batch_size,
        gradient_accumulation_steps=gradient_accumulation,
        activation_checkpointing=checkpointing,
    )


# --- without torch, or with GPUs that are not there ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at_once", "accumulated", "processes", "wished", "shared"),
    [
        pytest.param(1, 8, 1, None, Step(1, 1, 8, True), id="one"),
        pytest.param(1, 8, 2, None, Step(2, 1, 4, True), id="T4-x2"),
        pytest.param(4, 2, 4, None, Step(4, 2, 1, True), id="fewer-at-once"),
        pytest.param(4, 2, 8, None, Step(8, 1, 1, True), id="one-each"),
        pytest.param(4, 2, 1, 2, Step(1, 2, 4, True), id="wish"),
        pytest.param(2, 4, 2, 4, Step(2, 4, 1, True), id="more-at-once"),
        pytest.param(3, 4, 2, None, Step(2, 3, 2, True), id="odd"),
        pytest.param(3, 2, 3, None, Step(3, 2, 1, True), id="thirds"),
    ],
)
def test_a_step_stays_as_large(
    at_once: int, accumulated: int, processes: int, wished: int | None, shared: Step
) -> None:
    found = share_out(sft(at_once, accumulated), processes, wished)
    assert found == shared
    assert found.sequences == at_once * accumulated


@pytest.mark.parametrize(
    ("processes", "wished", "message"),
    [
        pytest.param(3, None, "3 processes cannot share the 8 .* one of 1, 2, 4, 8, or add --set", id="three"),
        pytest.param(16, None, "16 processes cannot share the 8 sequences of a step evenly", id="more-than-sequences"),
        pytest.param(2, 8, "--batch-size 8 does not divide the 4 sequences .* it is one of 1, 2, 4", id="too-many"),
        pytest.param(1, 0, "--batch-size 0 does not divide", id="none"),
        pytest.param(1, -1, "--batch-size -1 does not divide", id="negative"),
    ],
)
def test_what_does_not_divide(processes: int, wished: int | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        share_out(sft(), processes, wished)


@pytest.mark.parametrize(
    ("made", "bits", "advice"),
    [
        pytest.param(sft(4, 2), 8, "--batch-size 2 (still 8 sequences per step); add --resume", id="half"),
        pytest.param(sft(3, 4), 8, "--batch-size 1 (still 12 sequences per step)", id="odd"),
        pytest.param(sft(1, 8, False), 8, "--gradient-checkpointing (the same result", id="checkpointing"),
        pytest.param(sft(), 8, "sft.max_length=512 instead of 1024, or --bits 4", id="shorter"),
        pytest.param(sft(), 4, "sft.max_length=512 instead of 1024, or a larger device", id="last"),
    ],
)
def test_what_takes_less_memory(made: SftSettings, bits: int, advice: str) -> None:
    assert advice in lighter(share_out(made, 1), made, bits)


@pytest.fixture
def two_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    monkeypatch.setattr(sys, "argv", ["sft.py", "--dataset", "chunks", "--output", "two words"])


def test_two_cards_and_no_launcher(two_cards: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one command to type: of this very run, with a file that is there, through the shell unharmed."""
    monkeypatch.chdir(ROOT)
    with pytest.raises(InputError, match="2 GPUs are visible and a process trains on one; run: accelerate") as caught:
        distributed.check_launch(8, sft())
    words = shlex.split(str(caught.value).partition("run: ")[2])
    assert words[:2] == ["accelerate", "launch"]
    assert Path(words[words.index("--config_file") + 1]).is_file()
    assert words[words.index("-m") :] == ["-m", "train.sft", "--dataset", "chunks", "--output", "two words"]
    monkeypatch.setenv("LOCAL_RANK", "0")
    distributed.check_launch(8, sft())


def test_two_cards_for_one_window(two_cards: None) -> None:
    assert distributed.command(sft(1, 1), 2).startswith("CUDA_VISIBLE_DEVICES=0 python -m train.sft --dataset chunks")
    assert "--num_processes 4 " in distributed.command(sft(1, 4), 7)


def test_only_whole_weights_are_sharded(two_cards: None, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    monkeypatch.setenv("LOCAL_RANK", "0")
    for bits in (4, 8):
        with pytest.raises(InputError, match=rf"cannot shard weights in {bits} bits; launch .*accelerate/ddp\.yaml"):
            distributed.check_launch(bits, sft())
    distributed.check_launch(16, sft())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="FSDP needs GPUs"):
        distributed.check_launch(16, sft())


@pytest.mark.parametrize("name", sorted(packaged("accelerate")))
def test_the_packaged_configs_are_ones_of_accelerate(name: str) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    config: Any = load_config_from_file(str(files("train") / "accelerate" / f"{name}.yaml"))
    assert (config.num_processes, config.main_process_port, config.mixed_precision) == (2, 0, "no")
    assert set(packaged("accelerate")) == {"ddp", "fsdp2"}
    if name == "fsdp2":
        written = yaml.safe_load((ROOT / "train" / "accelerate" / "fsdp2.yaml").read_text(encoding="utf-8"))
        assert written["fsdp_config"]["fsdp_version"] == 2


# --- ranks on this machine's CPU, over gloo --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 rows, unpacked: each is a window, so that three steps of 8 are an epoch.

    A step takes the next 8 of one shuffled order, in one process as in two: the same set, so the same loss.
    """
    home = tmp_path_factory.mktemp("ranks")
    write_dataset(home / "friends-lines", {"train": 24, "validation": 6, "test": 2})
    write_model(home / "tiny", hub_id="someone/tiny-llama")
    recipe = (ROOT / "train" / "recipes" / "chunks.yaml").read_text(encoding="utf-8")
    for key, value in {"max_new_tokens": 4, "tokens": 100, "evaluations": 1, "packing": "false"}.items():
        recipe = re.sub(rf"^  {key}: \w+", f"  {key}: {value}", recipe, flags=re.M)
    (home / "quick.yaml").write_text(recipe, encoding="utf-8")
    return home


def environment() -> dict[str, str]:
    env = {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    return os.environ | env


@pytest.fixture(scope="module")
def codes(home: Path) -> dict[str, list[int]]:
    """The exit codes of all ranks of all CASES. That this ends is a test: no rank waits for one that is gone."""
    return {case["name"]: run_together(list(ranks_of(case, home))) for case in CASES}


def ranks_of(case: dict[str, Any], home: Path) -> Iterator[Command]:
    """The commands of a case, as a launcher would start them."""
    arguments = ("-m", "train.sft", *RUN, *case.get("until", STEPS).split(), *case["arguments"].split())
    ranks, port = len(case["codes"]), free_port()
    for rank in range(ranks):
        given = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": ranks, "LOCAL_WORLD_SIZE": ranks, "MASTER_PORT": port}
        launched = {name: str(value) for name, value in given.items()} | {"MASTER_ADDR": "127.0.0.1"}
        settings = environment() | (launched if ranks > 1 else {})
        harm = case.get("harm", "")
        yield Command(arguments, str(home), settings, str(home / f"{case['name']}.{rank}"), harm=harm)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def said(home: Path, name: str, rank: int) -> str:
    """The last line on stderr."""
    return (home / f"{name}.{rank}.err").read_text(encoding="utf-8").splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_all_ranks_end_with_the_same_code(codes: dict[str, list[int]], case: dict[str, Any]) -> None:
    assert codes[case["name"]] == case["codes"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param("one", "two", id="two-ranks"),
        pytest.param("one", "halved", id="two-ranks-then-one-and-other-batches"),
        pytest.param("budget-one", "budget-two", id="two-ranks-with-a-budget"),
    ],
)
def test_the_same_loss_as_one_process(home: Path, codes: Any, first: str, second: str) -> None:
    rows = [
        [json.loads(line) for line in (home / name / "metrics.jsonl").read_text().splitlines()]
        for name in (first, second)
    ]
    assert len(rows[0]) == (5 if first == "budget-one" else 4)  # the steps and an evaluation
    for alone, shared in zip(*rows, strict=True):
        for key in ("loss", "eval_loss", "grad_norm"):
            assert alone.get(key) == pytest.approx(shared.get(key), abs=1e-4), (alone["step"], key)
        for key in ("num_tokens", "trained_tokens", "learning_rate", "eval_tokens"):
            assert alone.get(key) == shared.get(key), (alone["step"], key)
    runs = [json.loads((home / name / "run.json").read_text()) for name in (first, second)]
    assert runs[0]["losses"]["validation_start"] == pytest.approx(runs[1]["losses"]["validation_start"], abs=1e-6)
    assert first == "one" or {run["trained_tokens"] for run in runs} == {BUDGET}


@pytest.mark.slow
def test_run_json_says_how_steps_were_shared_out(home: Path, codes: Any) -> None:
    shared = {
        name: json.loads((home / name / "run.json").read_text())["shared_out"] for name in ("one", "two", "halved")
    }
    assert shared["two"] == {
        "processes": 2,
        "batch_size": 1,
        "gradient_accumulation": 4,
        "gradient_checkpointing": True,
    }
    assert [shared[name]["gradient_accumulation"] for name in ("one", "halved")] == [8, 4]


@pytest.mark.slow
def test_one_signal_ends_all_and_they_go_on_bit_for_bit(home: Path, codes: Any) -> None:
    assert said(home, "ended", 0).startswith("error: ended by SIGTERM; checkpoints are kept")
    assert "resume    from ended/checkpoint-2\n" in (home / "resumed.0.out").read_text()
    for name in ("adapter_model.safetensors", "metrics.jsonl", "samples.md"):
        assert (home / "ended" / name).read_bytes() == (home / "two" / name).read_bytes(), name
    assert len(list((home / "ended").glob("*checkpoint-*"))) == 1  # the newest stays, so that the run can be extended


@pytest.mark.slow
def test_other_ranks_are_silent(home: Path, codes: Any) -> None:
    for name in ("two", "ended", "resumed", "no-number", "column", "three", "taken"):
        for stream in ("out", "err"):
            assert (home / f"{name}.1.{stream}").read_text() == "", (name, stream)
    assert "ranks     2 processes share the 8 sequences of a step\n" in (home / "two.0.out").read_text()
    assert "ranks  " not in (home / "one.0.out").read_text()


@pytest.mark.slow
def test_what_stands_on_the_screen(home: Path, codes: Any) -> None:
    assert said(home, "column", 0).startswith("error: 'chunks' of the dataset friends-lines has no column 'txt'")
    assert said(home, "three", 0).startswith("error: 3 processes cannot share the 8 sequences of a step evenly")
    assert said(home, "taken", 0).startswith("error: cannot write two/run.json/x: File exists; choose")
    assert re.match(r"error: at step 2 the loss is nan.*“.+…” and “.+…”", said(home, "no-number", 0))
    assert not list((home / "no-number").glob("*.safetensors"))
    assert said(home, "full", 0).startswith("error: full/checkpoint-2 could not be written: [Errno 28] No space left")
    assert said(home, "full", 1).startswith("error: rank 1: another rank ended and says why")
    assert re.match(
        r"error: rank 1: out of memory at step 3 of 3, with [\d.]+ GB of cpu memory free; try --set sft.max_length",
        said(home, "halved", 1),
    )
    assert said(home, "halved", 0).startswith("error: another rank ended and says why")
    assert "steps are shared out otherwise now" in (home / "alone.0.out").read_text()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_sigterm_to_the_launcher(home: Path) -> None:
    """`accelerate launch` with the packaged file, as a user types it."""
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--config_file"]
    command = [
        *launch,
        str(ROOT / "train" / "accelerate" / "ddp.yaml"),
        "-m",
        "train.sft",
        *RUN,
        "--max-steps",
        "200",
        "--output",
        "launched",
    ]
    done = subprocess.Popen(
        command, cwd=home, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert done.stdout is not None
    assert done.stderr is not None
    for line in done.stderr:
        if line.startswith("training  step 1/"):
            break
    done.send_signal(signal.SIGTERM)
    out, err = done.communicate(timeout=300)
    assert "ranks     2 processes share the 8 sequences of a step" in out
    assert err.count("error: ended by SIGTERM; checkpoints are kept; add --resume to continue") == 1
    newest, told = newest_good(home / "launched")
    assert newest is not None
    assert told == []
    assert fault(newest) is None
    assert {path.name for path in newest.glob("rng_state*")} == {"rng_state_0.pth", "rng_state_1.pth"}
    assert not list((home / "launched").glob("*.safetensors"))
