"""`python -m train.merge`: the merged model is the base with its adapter, in a folder and in a GGUF alike."""

from __future__ import annotations

import json
import re
import resource
import shutil
from pathlib import Path
from typing import Any

import huggingface_hub  # noqa: F401  reads HF_HUB_OFFLINE when imported: now, not after `quiet` has set it
import pytest
from forked import run as command
from tiny import OPENINGS, REPLIES, write_dataset, write_model

from friends_corpus.core.cli import InputError
from train import merge
from train.adapters.loading import NEEDED
from train.export import gguf as gguf_file
from train.models.base import in_wheel
from train.settings.base_preset import find_base

pytestmark = pytest.mark.usefixtures("own_environment")
CODE = re.compile(r"```python\n(.*?)```", re.S)
LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_act": "silu",
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "max_position_embeddings": 2048,
    "rms_norm_eps": 1e-6,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
    "vocab_size": 512,
}
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
DIGITS = {"type": "Digits", "individual_digits": True}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the dataset `friends-lines`, the base `tiny-llama` and the 8-bit adapter `adapters/chunks`."""
    from safetensors.torch import load_file, save_file

    home = tmp_path_factory.mktemp("merge")
    write_dataset(home / "friends-lines", {"train": 24, "validation": 6, "test": 2})
    base = write_model(home / "tiny-llama", hub_id="someone/tiny-llama") / "model.safetensors"
    weights = load_file(base)
    larger = {name: weight * 10 if weight.ndim > 1 else weight for name, weight in weights.items()}
    save_file(larger, base, metadata={"format": "pt"})  # as made, it takes all tokens for equally likely
    arguments = "-m train.sft --dataset chunks --base tiny-llama --learning-rate 2e-2 --max-steps 3".split()
    done = command(*arguments, cwd=home)
    assert done.returncode == 0, done.stderr
    return home


def logits(model: Any) -> Any:
    """Of one fixed row, (1, tokens, vocabulary)."""
    import torch

    with torch.no_grad():
        return model.eval()(torch.arange(2, 60)[None], use_cache=False).logits


def base_with_adapter(home: Path) -> Any:
    """The float32 base with the adapter beside it, never merged."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    return PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(home / "tiny-llama"), home / "adapters/chunks"
    )


# --- without torch ---------------------------------------------------------------------------------------------------


@pytest.fixture
def adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What looks like an adapter, in the current folder, until one looks into its weights."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "chunks"
    folder.mkdir()
    base = {"model": "someone/tiny", "wheel": None, "gguf": None, "bits": 8, "sequence_length": 64, "batch_size": 1}
    base |= {"gradient_accumulation": 1, "gradient_checkpointing": False, "source": "folder", "sha256": "0" * 64}
    run = {"base": base, "dataset": {"config": "chunks"}, "recipe": {"prompts": ["Joey:"]}}
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
    (folder / "adapter_config.json").write_text("{}", encoding="utf-8")
    (folder / "adapter_model.safetensors").write_bytes(b"")
    return folder


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param("nowhere", "nowhere: no such folder; give one that train.sft wrote", id="no-folder"),
        pytest.param("chunk", "chunk: no such folder (did you mean 'chunks'?)", id="misspelt-folder"),
        pytest.param("half", "half is no adapter of train.sft (no run.json)", id="no-run"),
        pytest.param("odd", "odd/run.json: … required … train again", id="odd-run"),
        pytest.param("chunks --output full", "full holds 'thesis.txt', which no merge wrote", id="output"),
        pytest.param("chunks --output chunks", "chunks holds 'adapter_config.json', which no merge", id="itself"),
        pytest.param("chunks --output full/thesis.txt", "full/thesis.txt is not a folder", id="output-file"),
        pytest.param("chunks --gguf model.bin", "--gguf model.bin: the name of a GGUF ends in .gguf", id="gguf-name"),
        pytest.param("chunks --gguf no/m.gguf", "--gguf no/m.gguf: no folder no; make it first", id="gguf-folder"),
        pytest.param("chunks --gguf full/m.gguf", "full/Modelfile is there already; choose another", id="modelfile"),
        pytest.param("chunks --gguf x.gguf", "x.gguf is there already; choose another", id="gguf-other"),
        pytest.param("chunks --gguf real.gguf", "real.gguf is there already; choose another", id="gguf-of-somebody"),
        pytest.param("chunks --gguf real.gguf --overwrite", "real.gguf is there already", id="gguf-overwrite"),
        pytest.param("chunks --gguf gone.gguf", "gone.gguf is there already", id="gguf-a-link-to-nothing"),
        pytest.param("chunks --output full --overwrite", "full holds 'thesis.txt', which no merge", id="overwrite"),
        pytest.param("chunks --output earlier", "earlier is of version 0.1, which listed no hashes; add", id="earlier"),
        pytest.param("chunks --output edited", "edited/README.md was changed since a merge wrote it", id="edited"),
        pytest.param("chunks --output link", "link is not a folder", id="output-link"),
        pytest.param("chunks --tokens 0", "--tokens is 0; it must be above 0", id="tokens"),
        pytest.param("chunks --data nowhere", "no dataset folder 'nowhere'", id="data"),
        pytest.param("chunks --data full", "full is no dataset folder", id="data-empty"),
        pytest.param("chunks --base smollm2-135m", "--base smollm2-135m: no folder", id="base-preset"),
        pytest.param("chunks --base full", "full/config.json: … full holds no model", id="base-no-model"),
    ],
)
def test_mistakes(adapter: Path, capsys: Any, arguments: str, message: str) -> None:
    here = adapter.parent
    for name in ("half", "odd", "full"):
        (here / name).mkdir()
    for name in NEEDED[:2]:
        shutil.copyfile(adapter / name, here / "half" / name)
    for name in NEEDED:
        shutil.copyfile(adapter / name, here / "odd" / name)
    (here / "odd" / "run.json").write_text('{"base": {"model": "x"}}', encoding="utf-8")
    (here / "full" / "thesis.txt").write_text("mine", encoding="utf-8")
    (here / "full" / "Modelfile").write_text("FROM mine", encoding="utf-8")
    (here / "full" / "Modelfile").touch()
    (here / "x.gguf").write_text("not", encoding="utf-8")
    (here / "real.gguf").write_bytes(b"GGUF, somebody's")
    (here / "gone.gguf").symlink_to("nowhere")
    (here / "link").symlink_to("full")
    for name, files in (
        ("earlier", ["README.md", "merge.json"]),
        ("edited", {"README.md": {"bytes": 1, "sha256": "0" * 64}}),
    ):
        (here / name).mkdir()
        (here / name / "README.md").write_text("a card", encoding="utf-8")
        (here / name / "merge.json").write_text(json.dumps({"files": files}), encoding="utf-8")
    if "--output full" in arguments:
        (here / "full" / "Modelfile").unlink()
    assert merge.main(arguments.split()) == 2
    printed = capsys.readouterr()
    first, *words = message.split(" … ")
    assert printed.err.startswith(f"error: {first}")
    assert all(word in printed.err for word in words)
    assert printed.err.count("\n") == 1
    assert (here / "full" / "thesis.txt").read_text(encoding="utf-8") == "mine"
    assert (here / "real.gguf").read_bytes() == b"GGUF, somebody's"


@pytest.mark.attack("the user's files", "outputs of a merge")
def test_overwrite_is_for_files_of_ours_alone(tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    card.write_text("a card", encoding="utf-8")
    for files in (["README.md", "merge.json"], {"README.md": {"bytes": 1, "sha256": "0" * 64}}):
        (tmp_path / "merge.json").write_text(json.dumps({"files": files}), encoding="utf-8")
        with pytest.raises(InputError):
            merge.check_replaceable(tmp_path, overwrite=False)
        merge.check_replaceable(tmp_path, overwrite=True)
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(InputError, match=r"thesis\.txt"):
        merge.check_replaceable(tmp_path, overwrite=True)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"architectures": ["GPT2LMHeadModel"]}, "its architecture is GPT2LMHeadModel", id="architecture"),
        pytest.param({"rope_parameters": {"rope_type": "llama3"}}, "its positions are scaled (llama3)", id="rope"),
        pytest.param({"hidden_act": "gelu"}, "its activation is gelu", id="activation"),
    ],
)
def test_other_models_have_no_gguf(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=re.escape(f"no GGUF of this model: {reason}; leave out --gguf")):
        gguf_file.hyperparameters(LLAMA | change)


def test_hyperparameters() -> None:
    fields = gguf_file.hyperparameters(LLAMA | {"architectures": ["MistralForCausalLM"], "sliding_window": 512})
    assert fields["llama.context_length"] == 512
    assert (fields["llama.attention.key_length"], fields["llama.attention.head_count_kv"]) == (16, 2)
    assert gguf_file.hyperparameters(LLAMA | {"head_dim": 32})["llama.rope.dimension_count"] == 32
    assert gguf_file.hyperparameters(LLAMA | {"num_key_value_heads": None})["llama.attention.head_count_kv"] == 4


@pytest.mark.parametrize(
    ("steps", "name"),
    [
        pytest.param(BYTES, "gpt-2", id="gpt-2"),
        pytest.param({"type": "Sequence", "pretokenizers": [DIGITS, BYTES]}, "smollm", id="smollm"),
        pytest.param(
            {"type": "Sequence", "pretokenizers": [DIGITS | {"individual_digits": False}, BYTES]}, None, id="1"
        ),
        pytest.param(BYTES | {"add_prefix_space": True}, None, id="space-first"),
        pytest.param({"type": "Whitespace"}, None, id="words"),
        pytest.param(None, None, id="nothing"),
    ],
)
def test_pre_tokenizers(steps: Any, name: str | None) -> None:
    described = {"normalizer": None, "pre_tokenizer": steps}
    if name:
        assert gguf_file.pre_tokenizer(described) == name
    else:
        with pytest.raises(InputError, match="its tokenizer cuts text by"):
            gguf_file.pre_tokenizer(described)


# --- with torch, on a tiny Llama -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def merged(home: Path) -> str:
    """What the command printed when it wrote adapters/chunks-merged, with a GGUF in it."""
    done = command(*"-m train.merge adapters/chunks --base tiny-llama --gguf".split(), cwd=home)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.slow
def test_the_folder_is_the_base_with_its_adapter(home: Path, merged: str) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = home / "adapters" / "chunks-merged"
    assert AutoModelForCausalLM.from_pretrained(folder).dtype == torch.float16
    expected = logits(base_with_adapter(home))
    assert torch.allclose(logits(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)), expected, atol=0.1)
    assert (logits(AutoModelForCausalLM.from_pretrained(home / "tiny-llama")) - expected).abs().max() > 1
    text = "Joey: Hey, has anybody seen the kettle?"
    assert AutoTokenizer.from_pretrained(folder)(text) == AutoTokenizer.from_pretrained(home / "tiny-llama")(text)
    for name in ("tokenizer.json", "tokenizer_config.json", "run.json"):
        assert (folder / name).read_bytes() == (home / "adapters" / "chunks" / name).read_bytes()
    for path in folder.iterdir():
        assert str(home).encode() not in path.read_bytes(), path.name
    assert sorted(path.name for path in folder.parent.iterdir()) == ["chunks", "chunks-merged"]


@pytest.mark.slow
def test_the_drift(home: Path, merged: str) -> None:
    """Measured again, another way: the mean over tokens of F.kl_div, on the 8-bit base with its adapter."""
    import datasets
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

    record = json.loads((home / "adapters/chunks-merged/merge.json").read_text(encoding="utf-8"))
    drift = record["drift"]
    said = re.search(
        r"drift +KL ([\d.e-]+) nats per token from 8 bits \+ adapter; loss ([\d.]+) there, ([\d.]+)", merged
    )
    assert said is not None
    assert said.groups() == (f"{drift['kl']:.3g}", f"{drift['loss_before']:.4f}", f"{drift['loss_after']:.4f}")
    assert 1e-6 < drift["kl"] < 0.01
    assert drift["rows"] == "held-out rows of friends-lines 1.2.3"

    eight = AutoModelForCausalLM.from_pretrained(
        home / "tiny-llama", quantization_config=BitsAndBytesConfig(load_in_8bit=True), dtype=torch.float32
    )
    before = PeftModel.from_pretrained(eight, home / "adapters/chunks").train()  # train: the forward that was trained
    after = AutoModelForCausalLM.from_pretrained(home / "adapters/chunks-merged")
    tokenizer = AutoTokenizer.from_pretrained(home / "tiny-llama")
    rows = datasets.load_dataset(str(home / "friends-lines"), "chunks", split="validation")["text"]
    kl = loss = tokens = 0.0
    for text in rows:
        ids = torch.tensor([[*tokenizer(text)["input_ids"], 1]])
        with torch.no_grad():
            p, q = (model(ids, use_cache=False).logits[0, :-1].float() for model in (before, after))
        loss += torch.nn.functional.cross_entropy(p, ids[0, 1:], reduction="sum").item()
        kl += torch.nn.functional.kl_div(q.log_softmax(-1), p.log_softmax(-1), log_target=True, reduction="sum").item()
        tokens += ids.shape[1] - 1
    assert drift["tokens"] == tokens
    assert drift["loss_before"] == pytest.approx(loss / tokens, rel=1e-4)
    assert drift["kl"] == pytest.approx(kl / tokens, rel=0.05)


@pytest.mark.slow
def test_the_gguf_is_the_merged_model(home: Path, merged: str) -> None:
    import torch
    from gguf import GGUFReader
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = home / "adapters" / "chunks-merged"
    reader = GGUFReader(folder / "chunks-f16.gguf")
    fields = {field.name: field.contents() for field in reader.fields.values()}
    assert fields["general.architecture"] == "llama"
    assert fields["general.name"] == "friends-lines chunks"
    assert (fields["llama.block_count"], fields["llama.attention.head_count"]) == (2, 4)
    assert (fields["llama.attention.head_count_kv"], fields["llama.rope.dimension_count"]) == (2, 16)
    assert (fields["tokenizer.ggml.model"], fields["tokenizer.ggml.pre"]) == ("gpt2", "gpt-2")
    assert (fields["tokenizer.ggml.bos_token_id"], fields["tokenizer.ggml.eos_token_id"]) == (0, 1)
    assert (fields["tokenizer.ggml.add_bos_token"], fields["tokenizer.ggml.add_eos_token"]) == (True, False)
    assert fields["tokenizer.ggml.token_type"][:3] == [3, 3, 1]
    assert {tensor.tensor_type.name for tensor in reader.tensors if len(tensor.shape) == 1} == {"F32"}
    assert {tensor.tensor_type.name for tensor in reader.tensors if len(tensor.shape) > 1} == {"F16"}
    names = {tensor.name for tensor in reader.tensors}
    assert len(names) == 2 * 9 + 2
    assert names >= {"token_embd.weight", "output_norm.weight", "blk.1.attn_q.weight", "blk.0.ffn_down.weight"}

    read = AutoModelForCausalLM.from_pretrained(folder, gguf_file="chunks-f16.gguf", dtype=torch.float32)
    ours = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    assert torch.allclose(logits(read), logits(ours), atol=1e-4)
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file="chunks-f16.gguf")
    for text in ("Joey: Hey, has anybody seen the kettle?\nRoss: 12 € “no”…", ""):
        assert tokenizer(text)["input_ids"] == AutoTokenizer.from_pretrained(folder)(text)["input_ids"]


@pytest.mark.slow
def test_the_modelfile_and_the_card(home: Path, merged: str, tmp_path: Path) -> None:
    folder = home / "adapters" / "chunks-merged"
    lines = (folder / "Modelfile").read_text(encoding="utf-8").splitlines()
    assert lines[1:4] == ["FROM ./chunks-f16.gguf", "TEMPLATE {{ .Prompt }}", 'PARAMETER stop "</s>"']
    card = (folder / "README.md").read_text(encoding="utf-8")
    drift = json.loads((folder / "merge.json").read_text(encoding="utf-8"))["drift"]
    assert f"| {drift['loss_before']:.4f} | {drift['loss_after']:.4f} |" in card
    [code] = CODE.findall(card)
    done = command("-c", code, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Joey: Hey, Ross, is that a sourdough starter?\nRoss:")


@pytest.mark.slow
def test_again_elsewhere_and_without_a_dataset(
    home: Path, merged: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    monkeypatch.chdir(tmp_path)
    shutil.copytree(home / "adapters", tmp_path / "adapters")
    given = ["adapters/chunks", "--base", str(home / "tiny-llama"), "--dtype", "bfloat16"]
    assert merge.main([*given, "--gguf", "plain.gguf"]) == 0
    assert "tokens of the run's own prompts (--data for held-out rows)" in capsys.readouterr().out
    folder = tmp_path / "adapters" / "chunks-merged"
    assert AutoModelForCausalLM.from_pretrained(folder).dtype == torch.bfloat16
    assert not (folder / "chunks-f16.gguf").exists()
    assert (tmp_path / "Modelfile").read_text(encoding="utf-8").splitlines()[1] == "FROM ./plain.gguf"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Modelfile", "adapters", "plain.gguf"]

    (folder / "thesis.txt").write_text("mine", encoding="utf-8")
    assert merge.main(given) == 2
    assert "holds 'thesis.txt', which no merge wrote" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param("--base other", "other base weights than those trained on (sha256 ", id="other-base"),
        pytest.param("", "the base 'someone/tiny-llama' was a local folder; add --base FOLDER", id="no-base"),
    ],
)
def test_no_other_base(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, arguments: str, message: str
) -> None:
    from safetensors.torch import load_file, save_file

    monkeypatch.chdir(tmp_path)
    shutil.copytree(home / "tiny-llama", tmp_path / "other")
    weights = load_file(tmp_path / "other" / "model.safetensors")
    weights["model.norm.weight"][0] += 1e-3
    save_file(weights, tmp_path / "other" / "model.safetensors", metadata={"format": "pt"})
    assert merge.main([str(home / "adapters" / "chunks"), "--output", "merged", *arguments.split()]) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


@pytest.mark.slow
@pytest.mark.parametrize("full", ["model.safetensors", "chunks-f16.gguf"])
def test_a_full_disk_leaves_what_was_there(
    home: Path, merged: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, full: str
) -> None:
    """A limit of the size of files stands for the disk: nothing larger than one byte less than `full` can be written."""
    folder = home / "adapters" / "chunks-merged"
    limit = (folder / full).stat().st_size - 1
    assert limit > (folder / "model.safetensors").stat().st_size or full == "model.safetensors"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "merged").mkdir()
    (tmp_path / "merged" / "merge.json").write_text('{"files": {}}', encoding="utf-8")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        code = merge.main(
            [
                str(home / "adapters/chunks"),
                *"--output merged --gguf merged/chunks-f16.gguf --base".split(),
                str(home / "tiny-llama"),
            ]
        )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    error = capsys.readouterr().err
    assert (code, error.count("\n")) == (1, 1), error
    assert error.startswith("error: merged could not be written: ")
    assert "File too large" in error or f"of its {limit + 1:,} bytes" in error
    assert [path.name for path in tmp_path.iterdir()] == ["merged"]
    assert [path.name for path in (tmp_path / "merged").iterdir()] == ["merge.json"]


@pytest.mark.slow
def test_numbers_that_are_none_are_not_merged(home: Path, tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    from safetensors.torch import load_file, save_file

    monkeypatch.chdir(tmp_path)
    shutil.copytree(home / "adapters" / "chunks", tmp_path / "broken")
    weights = load_file(tmp_path / "broken" / "adapter_model.safetensors")
    next(weight for name, weight in weights.items() if "lora_B" in name)[0] = float("nan")
    save_file(weights, tmp_path / "broken" / "adapter_model.safetensors", metadata={"format": "pt"})
    assert merge.main(["broken", "--base", str(home / "tiny-llama")]) == 2
    assert capsys.readouterr().err.startswith("error: broken/adapter_model.safetensors: some of its weights are NaN")
    assert [path.name for path in tmp_path.iterdir()] == ["broken"]


# --- tokenizers ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_tokenizer_with_byte_fallback(home: Path, tmp_path: Path) -> None:
    """As Llama 2 and Mistral 7B have it: sentencepiece's own scores come back out of the order of the merges."""
    import sentencepiece
    from transformers import AutoTokenizer, LlamaTokenizer
    from transformers.tokenization_utils_base import generate_merges

    (tmp_path / "text.txt").write_text("\n".join((REPLIES + OPENINGS) * 20), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "text.txt"),
        model_prefix=str(tmp_path / "tokenizer"),
        vocab_size=360,
        model_type="bpe",
        byte_fallback=True,
        minloglevel=2,
    )
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "tokenizer.model"))
    vocabulary = {pieces.id_to_piece(number): number for number in range(360)}
    scores = {piece: pieces.get_score(number) for piece, number in vocabulary.items()}
    tokenizer = LlamaTokenizer(
        vocab=vocabulary, merges=generate_merges(vocabulary, scores), unk_token="<unk>", add_bos_token=True
    )
    config = json.loads((home / "tiny-llama" / "config.json").read_text(encoding="utf-8"))
    fields = gguf_file.tokenizer_fields(tokenizer, config["vocab_size"])
    of_merges = [n for n in range(259, 360) if len(pieces.id_to_piece(n)) > 1]
    assert len(of_merges) > 50
    assert [fields["tokenizer.ggml.scores"][n] for n in of_merges] == [pieces.get_score(n) for n in of_merges]
    assert fields["tokenizer.ggml.token_type"][:4] == [2, 3, 3, 6]
    assert fields["tokenizer.ggml.token_type"][359:361] == [1, 5]
    assert fields["tokenizer.ggml.tokens"][360] == "[PAD360]"

    (tmp_path / "gguf").mkdir()
    gguf_file.write_gguf(home / "tiny-llama", tmp_path / "gguf" / "m.gguf", gguf_file.hyperparameters(config) | fields)
    read = AutoTokenizer.from_pretrained(tmp_path / "gguf", gguf_file="m.gguf")
    for text in ("Joey: Hey, has anybody seen the kettle?\nRoss: 12 € “no”…", "Well, a turtleneck likes me better."):
        assert tokenizer(text)["input_ids"][:1] == [1]
        assert read(text)["input_ids"] == tokenizer(text)["input_ids"]


@pytest.mark.slow
def test_the_tokenizer_of_the_wheel_is_taken_over_as_it_is(home: Path, merged: str) -> None:
    """Its GGUF says that SmolLM2 cuts numbers into digits; the tokenizer that transformers reads from it does not."""
    base, _ = find_base("smollm2-135m", None)
    gguf, _ = in_wheel(base.wheel, base.gguf)
    assert gguf is not None
    fields = gguf_file.copied_tokenizer(gguf, 49152)
    assert (fields["tokenizer.ggml.model"], fields["tokenizer.ggml.pre"]) == ("gpt2", "smollm")
    assert (fields["tokenizer.ggml.eos_token_id"], len(fields["tokenizer.ggml.merges"])) == (2, 48900)
    with pytest.raises(InputError, match="another vocabulary"):
        gguf_file.copied_tokenizer(home / "adapters" / "chunks-merged" / "chunks-f16.gguf", 513)


@pytest.mark.slow
def test_a_drift_beyond_rounding_is_refused(
    home: Path, merged: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(home / "adapters", tmp_path / "adapters")
    given = ["adapters/chunks", "--base", str(home / "tiny-llama"), "--output", "one"]
    monkeypatch.setattr(merge, "MOST_DRIFT", -1.0)
    assert merge.main(given) == 2
    assert "KL" in (error := capsys.readouterr().err) and "--force" in error
    assert not (tmp_path / "one").exists()
    assert merge.main([*given, "--force"]) == 0
    assert (tmp_path / "one" / "model.safetensors").is_file()


@pytest.mark.slow
def test_a_merge_is_kept_where_memory_is_too_short_to_measure_it(
    home: Path, merged: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from train.export import divergence

    def drift(*_: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    monkeypatch.chdir(tmp_path)
    shutil.copytree(home / "adapters", tmp_path / "adapters")
    monkeypatch.setattr(divergence, "drift", drift)
    assert merge.main(["adapters/chunks", "--base", str(home / "tiny-llama"), "--output", "one"]) == 0
    assert "memory" in capsys.readouterr().out
    assert json.loads((tmp_path / "one" / "merge.json").read_text())["drift"] is None
    assert "not measured" in (tmp_path / "one" / "README.md").read_text()
