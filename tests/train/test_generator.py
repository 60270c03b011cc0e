"""Generator: one base and several adapters in one batch, each row as if it were alone."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import huggingface_hub  # noqa: F401  reads HF_HUB_OFFLINE when imported: now, not after a command has set it
import pytest
from tiny import write_model, write_voice

from friends_corpus.core.cli import InputError
from train.generation.answers import Answer, Sampling
from train.generation.generator import BASE, TextGenerator, load_generator

pytestmark = pytest.mark.slow
CONFIGS = ("lines", "named_lines", "chunks", "chat")
GREEDY, DRAWN = Sampling(12, 0.0, 1.0, 0), Sampling(12, 0.9, 0.95, 7)
ASKED: tuple[list[dict[str, str]], ...] = (
    [{"role": "user", "content": "Hey, has anybody seen the kettle?"}],
    [{"role": "system", "content": "You are Joey."}, {"role": "user", "content": "Oh."}],
)


def write_adapter(folder: Path, model: Path, config: str, **run: Any) -> Path:
    """An adapter with those values in its run.json, `bits` among its base's."""
    path = write_voice(folder, model, config) / "run.json"
    kept = json.loads(path.read_text(encoding="utf-8"))
    kept["base"] |= {"bits": run.pop("bits", 8)}
    path.write_text(json.dumps(kept | run), encoding="utf-8")
    return folder


def sharpen(model: Path) -> Path:
    """The same model with larger weights: as made, it takes all tokens for equally likely."""
    from safetensors.torch import load_file, save_file

    path = model / "model.safetensors"
    larger = {name: weight * 10 if weight.ndim > 1 else weight for name, weight in load_file(path).items()}
    save_file(larger, path, metadata={"format": "pt"})
    return model


def write_home(home: Path, **run: Any) -> Path:
    """A folder with the model `tiny` and an adapter on it of each config; `run` as for `write_adapter`."""
    model = sharpen(write_model(home / "tiny", hub_id="someone/tiny"))
    for config in CONFIGS:
        write_adapter(home / config, model, config, **run)
    return home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One such folder for all tests."""
    return write_home(tmp_path_factory.mktemp("generator"))


@pytest.fixture(scope="module", params=[8, 32])
def generator(home: Path, request: pytest.FixtureRequest) -> TextGenerator:
    """All of them, in 8 and in 32 bits."""
    return load_generator({name: home / name for name in CONFIGS}, bits=request.param, base=str(home / "tiny"))


@pytest.fixture(scope="module")
def bare(home: Path) -> TextGenerator:
    """The base alone, to which a test may add."""
    return load_generator({}, bits=8, base=str(home / "tiny"))


def alone(model: Any, generator: TextGenerator, messages: list[dict[str, str]]) -> str:
    """The greedy answer by plain transformers and PEFT, without a batch."""
    import torch

    with torch.no_grad():
        batch = generator.encode([generator.render(messages)])
        ids = model.generate(**batch, max_new_tokens=GREEDY.tokens, do_sample=False, eos_token_id=1, pad_token_id=1)
    text: str = generator.tokenizer.decode(ids[0, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    return text.strip()


def test_a_mixed_batch_says_what_each_says_alone(home: Path, generator: TextGenerator) -> None:
    from peft import PeftModel

    from train.models.eval_mode import set_eval_mode
    from train.models.loading import load_base

    assert generator.names == (BASE, *CONFIGS)
    asked = [(name, messages) for messages in ASKED for name in (*CONFIGS, BASE)]
    together = generator.answer(asked, GREEDY)
    assert [generator.answer([one], GREEDY)[0] for one in asked] == together
    for name in generator.names:
        model, _ = load_base(generator.base, generator.source, generator.device)
        plain = model if name == BASE else PeftModel.from_pretrained(model, str(home / name))
        set_eval_mode(plain)
        for messages in ASKED:
            expected = alone(plain, generator, messages)
            assert together[asked.index((name, messages))].text == expected, name
    assert len({answer.text for answer in together}) == len(together)


def test_luck_depends_on_the_prompt_and_the_seed_alone(generator: TextGenerator) -> None:
    asked = [(name, messages) for messages in ASKED for name in generator.names]
    drawn = generator.answer(asked, DRAWN)
    assert generator.answer(asked[::-1], DRAWN) == drawn[::-1]
    assert [generator.answer([one], DRAWN)[0] for one in asked] == drawn
    assert generator.answer(asked, Sampling(12, 0.9, 0.95, 8)) != drawn
    assert generator.answer([(BASE, ASKED[0])] * 3, DRAWN) == [drawn[0]] * 3
    assert drawn != generator.answer(asked, GREEDY)


def test_drawn_as_often_as_likely() -> None:
    """First tokens over many seeds, against the probabilities; with top_p nothing outside of it."""
    import torch

    from train.generation.sampling_noise import processors

    logits = torch.tensor([[2.0, 1.0, 0.0, -1.0]])
    for top_p, kept in ((1.0, 4), (0.95, 3)):
        counts = torch.zeros(4)
        for seed in range(4000):
            drawing: Any = processors(["Hi."], Sampling(1, 0.8, top_p, seed))
            counts[drawing(None, logits.clone()).argmax()] += 1
        likely = torch.softmax(logits[0, :kept] / 0.8, dim=0)
        assert torch.allclose(counts[:kept] / 4000, likely, atol=0.03)
        assert counts[kept:].sum() == 0


def test_ends(bare: TextGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that ends by itself: the token that the model says third is made the end."""
    [whole] = bare.answer([(BASE, ASKED[0])], GREEDY)
    assert (whole.stopped, whole.tokens) == (False, 12)
    ids = bare.tokenizer(whole.text, add_special_tokens=False)["input_ids"]
    monkeypatch.setattr(bare, "turns", replace(bare.turns, ends=(*bare.turns.ends, ids[2])))
    ended = bare.answer([(BASE, ASKED[0])], GREEDY)
    assert ended == [Answer(bare.tokenizer.decode(ids[:2]).strip(), True, 2)]


@pytest.mark.parametrize("parts", [0, 7, 50])
def test_stopped_from_outside(generator: TextGenerator, parts: int) -> None:
    """Whatever is raised before a part of the model ends all at once, in the prompt too, and leaves nothing behind."""
    heeded = iter(range(parts))
    seen: list[Any] = []

    class Streamer:
        def put(self, ids: Any) -> None:
            seen.append(ids)

        def end(self) -> None: ...

    def heed() -> None:
        if next(heeded, None) is None:
            raise KeyboardInterrupt

    asked = [("chat", ASKED[0]), ("lines", ASKED[0])]
    before = generator.answer(asked[::-1], GREEDY)
    with pytest.raises(KeyboardInterrupt):
        generator.answer(asked, GREEDY, Streamer(), heed)
    assert len(seen) < 4  # of 12 tokens; the prompt is the first
    assert {len(ids) for ids in seen} == {2}
    assert generator.answer(asked[::-1], GREEDY) == before


def test_mistakes_of_the_asker(generator: TextGenerator) -> None:
    with pytest.raises(InputError, match=r"no model 'chta' \(did you mean 'chat'\?\)"):
        generator.answer([("chta", ASKED[0])], GREEDY)
    with pytest.raises(InputError, match="tokens and 12 of an answer; someone/tiny reads 2048"):
        generator.answer([(BASE, [{"role": "user", "content": "kettle " * 3000}])], GREEDY)


def test_a_template_that_refuses(bare: TextGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bare.tokenizer, "chat_template", "{{ raise_exception('no system message') }}")
    with pytest.raises(InputError, match=r"chat template.*refuses: no system message; .*someone/tiny"):
        bare.render(ASKED[1])


def damaged(folder: Path, how: str) -> None:
    """Makes an adapter folder bad."""
    from safetensors.torch import load_file, save_file

    weights, config, run = (folder / name for name in ("adapter_model.safetensors", "adapter_config.json", "run.json"))
    if how == "cut":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif how == "empty":
        weights.write_bytes(b"")
    elif how == "no-weights":
        weights.unlink()
    elif how == "half-of-the-weights":
        kept = load_file(weights)
        save_file(dict(list(kept.items())[: len(kept) // 2]), weights)
    elif how == "other-shapes":
        save_file({name: weight[:, :3].contiguous() for name, weight in load_file(weights).items()}, weights)
    elif how == "nan":
        save_file({name: weight * float("nan") for name, weight in load_file(weights).items()}, weights)
    elif how == "config-no-json":
        config.write_text("{", encoding="utf-8")
    elif how == "config-of-other-layers":
        config.write_text(config.read_text(encoding="utf-8").replace("_proj", "_prong"), encoding="utf-8")
    elif how == "run-no-json":
        run.write_text("{", encoding="utf-8")
    elif how == "other-base":
        run.write_text(run.read_text(encoding="utf-8").replace("someone/tiny", "someone/large"), encoding="utf-8")
    elif how == "other-weights":
        kept = json.loads(run.read_text(encoding="utf-8"))
        run.write_text(json.dumps(kept | {"base": kept["base"] | {"sha256": "0" * 64}}), encoding="utf-8")


FAULTS = {
    "cut": "adapter_model.safetensors cannot be read",
    "empty": "adapter_model.safetensors cannot be read",
    "no-weights": "is no adapter of train.sft (no adapter_model.safetensors)",
    "half-of-the-weights": "adapter_model.safetensors lacks",
    "other-shapes": "has the shape",
    "nan": "some of its weights are NaN or infinite",
    "config-no-json": "adapter_config.json: cannot be read",
    "config-of-other-layers": "the base has no linear layer",
    "run-no-json": "run.json: cannot be read",
    "other-base": "is of another base (model someone/large) than someone/tiny as loaded",
    "other-weights": f"is of another base (sha256 {'0' * 64})",
}


@pytest.mark.parametrize("how", FAULTS)
@pytest.mark.parametrize("first", [True, False])
def test_a_bad_adapter_is_one_line_and_no_harm(home: Path, tmp_path: Path, how: str, first: bool) -> None:
    """Whether it is the first adapter on the base or not; a good one can be added afterwards."""
    shutil.copytree(home / "chat", tmp_path / "chat")
    damaged(tmp_path / "chat", how)
    generator = load_generator({} if first else {"lines": home / "lines"}, bits=32, base=str(home / "tiny"))
    before = generator.names, generator.answer([(name, ASKED[0]) for name in generator.names], GREEDY)
    with pytest.raises(InputError) as caught:
        generator.add("chat", tmp_path / "chat")
    assert FAULTS[how] in str(caught.value)
    assert "\n" not in str(caught.value)
    assert before == (generator.names, generator.answer([(name, ASKED[0]) for name in generator.names], GREEDY))
    generator.add("chat", home / "chat")
    assert generator.runs["chat"]["dataset"]["config"] == "chat"
    assert generator.folders["chat"] == home / "chat"
    assert len(set(generator.answer([(name, ASKED[0]) for name in generator.names], GREEDY))) == len(generator.names)


@pytest.mark.parametrize("first", [True, False])
def test_ctrl_c_while_an_adapter_loads_does_no_harm(home: Path, monkeypatch: pytest.MonkeyPatch, first: bool) -> None:
    import peft

    generator = load_generator({} if first else {"lines": home / "lines"}, bits=32, base=str(home / "tiny"))
    before = generator.names, generator.answer([(name, ASKED[0]) for name in generator.names], GREEDY)

    def load(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(peft, "set_peft_model_state_dict", load)
        generator.add("chat", home / "chat")
    assert before == (generator.names, generator.answer([(name, ASKED[0]) for name in generator.names], GREEDY))
    generator.add("chat", home / "chat")
    assert len(set(generator.answer([(name, ASKED[0]) for name in generator.names], GREEDY))) == len(generator.names)


def test_what_cannot_be_loaded_together(home: Path, tmp_path: Path) -> None:
    tiny = str(home / "tiny")
    shutil.copytree(home / "chat", tmp_path / "other-base")
    damaged(tmp_path / "other-base", "other-base")
    write_adapter(tmp_path / "four", home / "tiny", "chat", bits=4)
    both = {"lines": home / "lines"}
    for adapters, bits, base, message in (
        (
            both | {"chat": tmp_path / "other-base"},
            None,
            tiny,
            "trained on other bases: lines someone/tiny, chat someone",
        ),
        (both | {"chat": tmp_path / "four"}, None, tiny, "trained in other bits: lines 8, chat 4; add --bits"),
        (both, None, None, "the base 'someone/tiny' was a local folder; add --base FOLDER"),
        (both, None, "nowhere", "no base model 'nowhere'"),
        (both | {"chat": tmp_path / "nowhere"}, None, tiny, "nowhere: no such folder"),
        ({"base": home / "lines"}, None, tiny, "'base' cannot name"),
    ):
        with pytest.raises(InputError, match=message):
            load_generator(adapters, bits, base)
    loaded = load_generator(both | {"chat": tmp_path / "four"}, 32, tiny)
    assert loaded.base.bits == 32
