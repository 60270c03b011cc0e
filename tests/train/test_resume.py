"""A run that is killed, ended or damaged goes on as if nothing had been: same losses, same weights, bit for bit."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import re
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import forked
import huggingface_hub  # noqa: F401  reads HF_HUB_OFFLINE when imported: now, not after `quiet` has set it
import pytest
from tiny import list_files, write_dataset, write_model

from friends_corpus.core.cli import InputError
from friends_corpus.core.files import MARKER, mark
from train import sft
from train.adapters.output_folder import check_replaceable, locked, resume_from
from train.training.checkpoints import FINISHED, SEAL, checkpoints, fault, newest_good, remove_all, seal

pytestmark = pytest.mark.usefixtures("own_environment")
ROOT = Path(__file__).parents[2]
STEPS = 9
BUDGET = 5000
RUN = f"--recipe quick.yaml --base tiny --max-steps {STEPS} --learning-rate 1e-2".split()
HARMS = {
    "step": "kill_after_step({0})",
    "term": "end_after_step({0})",
    "save": "kill_on_open('checkpoint-{0}/adapter_config')",
    "seal": "kill_on_open('checkpoint-{0}/.seal')",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("resume")
    write_dataset(home / "friends-lines", {"train": 24, "validation": 6, "test": 2})
    write_model(home / "tiny", hub_id="someone/tiny-llama")
    recipe = (ROOT / "train" / "recipes" / "chunks.yaml").read_text(encoding="utf-8")
    for key, value in {"max_new_tokens": 4, "tokens": 100, "evaluations": 2}.items():
        recipe = re.sub(rf"^  {key}: \d+", f"  {key}: {value}", recipe, flags=re.M)
    (home / "quick.yaml").write_text(recipe, encoding="utf-8")
    return home


@pytest.fixture(scope="module")
def whole(home: Path) -> dict[int, dict[str, bytes]]:
    """By bits: what a run leaves that nothing disturbed."""
    left = {}
    for bits in (8, 32):
        run(home, "--bits", str(bits), "--output", f"whole{bits}")
        left[bits] = results(home / f"whole{bits}")
    return left


def run(home: Path, *arguments: str, asked: Sequence[str] = RUN) -> str:
    """`train.sft` in this process, which has loaded torch already; what it said on stdout."""
    said = io.StringIO()
    before = dict(os.environ)
    with contextlib.chdir(home), contextlib.redirect_stdout(said):
        assert sft.main([*asked, *arguments]) == 0
    os.environ.clear()
    os.environ.update(before)
    return said.getvalue()


def results(output: Path) -> dict[str, bytes]:
    return {name: (output / name).read_bytes() for name in ("adapter_model.safetensors", "metrics.jsonl", "samples.md")}


def begun(home: Path, name: str, what: str = "step", at: int = 8, bits: int = 8, asked: Sequence[str] = RUN) -> Path:
    """A run in home/name that was killed, or ended by SIGTERM."""
    shutil.rmtree(home / name, ignore_errors=True)
    arguments = ("-m", "train.sft", *asked, "--bits", str(bits), "--output", name)
    done = forked.run(*arguments, cwd=home, harm=HARMS[what].format(at))
    assert done.returncode == (75 if what == "term" else -signal.SIGKILL), done.stderr
    return home / name


# --- checkpoints alone -----------------------------------------------------------------------------------------------


def make(output: Path, step: int) -> Path:
    folder = output / f"checkpoint-{step}"
    mark(folder, folder.name)
    (folder / "optimizer.pt").write_bytes(b"state" * 10)
    (folder / "trainer_state.json").write_text("{}")
    seal(folder, {"recipe": {"seed": 1}})
    return folder


@pytest.mark.attack("kill -9", "checkpoints torn or damaged")
@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        pytest.param(lambda c: (c / SEAL).unlink(), "it was not finished", id="no-seal"),
        pytest.param(lambda c: (c / SEAL).write_text("{"), "seal.json is damaged", id="half-seal"),
        pytest.param(lambda c: (c / SEAL).write_text("[]"), "seal.json is damaged", id="odd-seal"),
        pytest.param(lambda c: (c / "optimizer.pt").unlink(), "optimizer.pt is missing", id="missing"),
        pytest.param(lambda c: (c / "optimizer.pt").write_bytes(b"stat"), "has 4 bytes instead of 50", id="cut"),
        pytest.param(lambda c: (c / "optimizer.pt").write_bytes(b""), "has 0 bytes instead of 50", id="empty"),
        pytest.param(lambda c: (c / "optimizer.pt").write_bytes(b"STATE" * 10), "optimizer.pt is damaged", id="bits"),
    ],
)
def test_a_bad_checkpoint_is_put_aside(tmp_path: Path, harm: Any, reason: str) -> None:
    older, newer = make(tmp_path, 4), make(tmp_path, 12)
    assert newest_good(tmp_path) == (newer, [])
    harm(newer)
    assert reason in (fault(newer) or "")
    found, told = newest_good(tmp_path)
    assert found == older
    assert told == [
        f"checkpoint-12 cannot be used, {fault(tmp_path / 'bad-checkpoint-12')}; it is bad-checkpoint-12 now"
    ]
    assert checkpoints(tmp_path) == [older]


def test_nothing_is_lost_where_no_checkpoint_was_ever_finished(tmp_path: Path, capsys: Any) -> None:
    run: Any = {}
    (make(tmp_path, 4) / SEAL).unlink()
    assert resume_from(tmp_path, run) is None
    assert "starting at step 0" in capsys.readouterr().out
    (make(tmp_path, 4) / SEAL).write_text("{")
    with pytest.raises(InputError, match="leave out --resume to begin again"):
        resume_from(tmp_path, run)


@pytest.mark.attack("the user's files", "outputs of training")
@pytest.mark.parametrize(
    ("harm", "named"),
    [
        pytest.param(lambda c: None, "", id="sealed"),
        pytest.param(lambda c: (c / FINISHED).touch(), "", id="kept-on-purpose"),
        pytest.param(lambda c: (c / SEAL).unlink(), "", id="killed-before-the-seal"),
        pytest.param(lambda c: [path.unlink() for path in c.iterdir()], "", id="killed-before-its-marker"),
        pytest.param(lambda c: c.rename(c.with_name("bad-checkpoint-3")), "", id="put-aside"),
        pytest.param(lambda c: (c / MARKER).unlink(), "", id="of-version-0.1"),
        pytest.param(lambda c: [(c / name).unlink() for name in (MARKER, SEAL)], "checkpoint-3", id="another-tool's"),
        pytest.param(
            lambda c: (c / MARKER).write_text("{}") and (c / SEAL).unlink(), "checkpoint-3", id="other-marker"
        ),
        pytest.param(lambda c: (c / "notes.txt").write_text("mine"), "checkpoint-3/notes.txt", id="notes-in-it"),
        pytest.param(lambda c: (c / "notes").symlink_to("/"), "checkpoint-3/notes", id="a-link-in-it"),
        pytest.param(lambda c: (c / "optimizer.pt").write_bytes(b"x"), "", id="damaged"),
        pytest.param(
            lambda c: [(c / name).unlink() for name in (MARKER, SEAL)] and c.rename(c.with_name("bad-checkpoint-3")),
            "bad-checkpoint-3",
            id="somebody's-bad-one",
        ),
    ],
)
def test_only_checkpoints_of_ours_are_removed(tmp_path: Path, harm: Any, named: str) -> None:
    harm(make(tmp_path, 3))
    if not named:
        check_replaceable(tmp_path)
        remove_all(tmp_path)
        assert list(tmp_path.iterdir()) == []
        return
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError) as error:
        check_replaceable(tmp_path)
    assert named in str(error.value)
    with pytest.raises(InputError):
        remove_all(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.attack("the user's files", "outputs of training")
@pytest.mark.parametrize(
    ("text", "ours"),
    [
        pytest.param("", True, id="empty"),
        pytest.param('{"loss": 2.5, "step": 1}\n{"loss": NaN, "step": 2}\n', True, id="as-written"),
        pytest.param('{"loss": 2.5, "step": 1}\n{"lo', True, id="torn"),
        pytest.param("Monday: 5 km\n", False, id="a-runner's"),
        pytest.param("5 km", False, id="a-runner's-without-line-end"),
        pytest.param('{"km": 5}\n', False, id="a-runner's-json"),
        pytest.param('{"loss": 2.5, "step": 1}\nno good\n', False, id="notes-in-it"),
        pytest.param('{"step": 1, "loss": 2.5}\n', False, id="another-tool's"),
        pytest.param("[" * 100_000 + "\n", False, id="deep"),
        pytest.param('["step"]\n', False, id="a-list"),
    ],
)
def test_the_numbers_of_a_run_are_ours_by_what_is_in_them(tmp_path: Path, text: str, ours: bool) -> None:
    (tmp_path / "running.jsonl").write_text(text)
    if ours:
        check_replaceable(tmp_path)
        return
    with pytest.raises(InputError, match=r"running\.jsonl"):
        check_replaceable(tmp_path)


def test_the_newest_is_by_number_and_other_folders_are_left(tmp_path: Path) -> None:
    for step in (9, 10):
        make(tmp_path, step)
    (tmp_path / "checkpoint-final").mkdir()
    assert [path.name for path in checkpoints(tmp_path)] == ["checkpoint-10", "checkpoint-9"]


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    with locked(tmp_path / "a"), locked(tmp_path / "b"), pytest.raises(InputError, match="another run is writing"):
        locked(tmp_path / "a").__enter__()
    with locked(tmp_path / "a"):
        pass
    assert not list(tmp_path.iterdir())


# --- with torch ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "at", "bits"),
    [
        pytest.param("step", 8, 8, id="killed-in-8-bits"),
        pytest.param("step", 5, 32, id="killed-in-32-bits"),
        pytest.param("seal", 8, 8, id="killed-before-the-seal"),
        pytest.param("term", 3, 8, id="SIGTERM"),
    ],
)
def test_it_goes_on_bit_for_bit(home: Path, whole: Any, what: str, at: int, bits: int) -> None:
    output = begun(home, f"{what}{bits}", what, at, bits)
    newest = {"step": at - at % 2 - (not at % 2) * 2, "save": at - 2, "seal": at - 2, "term": at}[what]
    said = run(home, "--output", output.name, "--resume", "--bits", str(bits))
    assert f"resume    from {output.name}/checkpoint-{newest}\n" in said
    assert ("cannot be used, it was not finished" in said) == (what == "seal")
    assert results(output) == whole[bits]
    assert [path.name for path in output.glob("*checkpoint-*")] == [f"checkpoint-{STEPS}"]


@pytest.mark.slow
def test_a_budget_goes_on_bit_for_bit(home: Path) -> None:
    """Killed before the last step, which is cut: the resumed run cuts it at the same token."""
    exactly = ["--recipe", "quick.yaml", "--base", "tiny", "--learning-rate", "1e-2", "--max-tokens", str(BUDGET)]
    run(home, "--output", "exact", asked=exactly)
    told = json.loads((home / "exact" / "run.json").read_text())
    assert (told["trained_tokens"], told["recipe"]["max_tokens"]) == (BUDGET, BUDGET)
    last = told["steps"]
    before = [
        json.loads(line)["trained_tokens"]
        for line in results(home / "exact")["metrics.jsonl"].splitlines()
        if b"trained" in line
    ]
    assert before[-1] - before[-2] < before[-2] - before[-3], "else nothing is cut"
    begun(home, "exactly", "step", last, asked=exactly)
    said = run(home, "--output", "exactly", "--resume", asked=exactly)
    assert f"resume    from exactly/checkpoint-{last - 1}\n" in said
    assert results(home / "exactly") == results(home / "exact")


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
def test_killed_anywhere(home: Path, whole: Any, seed: int) -> None:
    chance = random.Random(seed)
    bits = chance.choice((8, 32))
    output = begun(home, f"soak{seed}", chance.choice(("step", "step", "save", "seal")), 2 * chance.randint(1, 4), bits)
    run(home, "--output", output.name, "--resume", "--bits", str(bits))
    assert results(output) == whole[bits]


@pytest.mark.slow
def test_what_stands_in_the_way_of_going_on(
    home: Path, whole: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One killed run, and everything that could be wrong with it or with the wish to go on."""
    monkeypatch.chdir(home)
    output = begun(home, "ways", "step", 9)

    def refused(*arguments: str) -> str:
        assert sft.main([*RUN, "--output", "ways", *arguments]) == 2
        return capsys.readouterr().err

    assert "ways holds an unfinished run, 8 steps done; add --resume" in refused()
    assert "recipe.sft.seed was 42, is 7; resume it with its settings" in refused("--resume", "--seed", "7")
    assert "base.bits was 8, is 32" in refused("--resume", "--bits", "32")
    rows = home / "friends-lines" / "chunks" / "train-00000-of-00001.parquet"
    listed = home / "friends-lines" / "manifest.json"
    kept = listed.read_bytes(), rows.read_bytes()
    shutil.copy(rows.with_name("validation-00000-of-00001.parquet"), rows)
    assert "is not the file that manifest.json lists" in refused("--resume")
    list_files(home / "friends-lines")
    assert "dataset.rows was 24, is 6; resume it with its settings" in refused("--resume")
    listed.write_bytes(kept[0])
    rows.write_bytes(kept[1])
    sealed = json.loads((output / "checkpoint-8" / SEAL).read_text())
    sealed["run"]["software"]["torch"] = "1.0"
    (output / "checkpoint-8" / SEAL).write_text(json.dumps(sealed))
    assert "software.torch was '1.0', is" in refused("--resume")
    (output / "checkpoint-8" / "optimizer.pt").write_bytes(b"")
    (output / "checkpoint-6" / "rng_state.pth").unlink()
    assert "ways holds no checkpoint that can be used; leave out --resume" in refused("--resume")
    assert sorted(path.name for path in output.glob("bad-*")) == ["bad-checkpoint-6", "bad-checkpoint-8"]
    assert sft.main([*RUN, "--output", "ways"]) == 0
    assert results(output) == whole[8]
    assert not list(output.glob("bad-*"))


@pytest.mark.slow
def test_a_full_disk(
    home: Path, whole: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """While a checkpoint is written, and while the adapter is: what was saved stays, and --resume ends the run."""
    import torch

    import train.sft as command

    monkeypatch.chdir(home)
    real, calls = torch.save, []

    def full(*arguments: Any, **named: Any) -> None:
        calls.append(arguments)
        if len(calls) == 5:
            raise OSError(28, "No space left on device")
        real(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", full)
        assert sft.main([*RUN, "--output", "full"]) == 1
    said = capsys.readouterr().err
    assert "full/checkpoint-4 could not be written" in said
    assert "No space left on device. Free some space and add --resume" in said
    assert [path.name for path in checkpoints(home / "full")] == ["checkpoint-2"]

    def nowhere(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(command, "write_run", nowhere)
        assert sft.main([*RUN, "--output", "full", "--resume"]) == 1
    assert "make room and add --resume: it is all trained" in capsys.readouterr().err
    assert sft.main([*RUN, "--output", "full", "--resume"]) == 0
    assert "from full/checkpoint-9" in capsys.readouterr().out
    assert results(home / "full") == whole[8]


@pytest.mark.slow
def test_no_number_stops_the_run(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """TRL would log a NaN as 0.0, go on to the end and save an adapter of NaN."""
    import harms
    import torch
    import transformers.trainer

    monkeypatch.chdir(home)
    monkeypatch.setattr(transformers.trainer, "DEFAULT_CALLBACKS", list(transformers.trainer.DEFAULT_CALLBACKS))
    harms.poison_after_step(4)
    assert sft.main([*RUN, "--output", "unseen", "--evaluations", "0"]) == 1
    assert "at step 5 the loss is nan, the gradient's norm is nan; the batch begins “" in capsys.readouterr().err
    assert sft.main([*RUN, "--output", "poisoned"]) == 1
    said = capsys.readouterr().err
    assert "at step 4 the held-out loss is nan" in said
    assert "the batch begins “" in said
    assert not list((home / "poisoned").glob("*.safetensors"))
    assert torch.isfinite(torch.tensor(1.0))


@pytest.mark.slow
def test_looking_changes_nothing(home: Path, whole: Any) -> None:
    """Evaluations and samples on the way leave the random numbers, and so the training, as they were."""
    run(home, "--evaluations", "0", "--output", "blind")
    assert (home / "blind" / "adapter_model.safetensors").read_bytes() == whole[8]["adapter_model.safetensors"]
    seen = [json.loads(line) for line in whole[8]["metrics.jsonl"].decode().splitlines()]
    blind = [json.loads(line) for line in (home / "blind" / "metrics.jsonl").read_text().splitlines()]
    assert [row for row in seen if "loss" in row] == blind
    assert [row["step"] for row in seen if "eval_loss" in row] == [4, 8, 9]
    assert whole[8]["samples.md"].decode().count("## After step") == 3
