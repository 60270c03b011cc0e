"""For the training tests: an invented dataset folder and a tiny, randomly initialised Llama with its own tokenizer."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from friends_corpus.core.files import sha256_of

if TYPE_CHECKING:
    from train.settings.base_preset import Base
    from train.settings.recipe import Recipe

NAMES = ("Joey", "Ross", "Monica", "Rachel", "Phoebe", "Chandler")
OPENINGS = (
    "Hey, has anybody seen {0}?",
    "Okay, who moved {0}?",
    "I wrote a song about {0}.",
    "Why is there jam on {0}?",
)
REPLIES = (
    "Oh no. Not {0} again.",
    "I know! But it was {0}.",
    "So what you are saying is, {1} took {0}?",
    "Fine. But I am keeping {0}.",
    "We agreed about {0} on Tuesday.",
    "Well, {0} likes me better.",
)
THINGS = ("the kettle", "my label maker", "the good towels", "that ugly lamp", "the last muffin", "a turtleneck")


CHAT_TEMPLATE = (
    "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def scene(chance: random.Random) -> list[tuple[str, str]]:
    """Six to twelve turns of three people about one thing, as (speaker, speech)."""
    people = chance.sample(NAMES, 3)
    thing = chance.choice(THINGS)
    turns = [(people[0], chance.choice(OPENINGS).format(thing))]
    for number in range(1, chance.randint(6, 12)):
        turns.append((people[number % 3], chance.choice(REPLIES).format(thing, chance.choice(people))))
    return turns


def write_dataset(folder: Path, splits: dict[str, int], version: str = "1.2.3") -> Path:
    """A folder in the format of `builders.build`, with that many scenes per split; only what training reads."""
    chance = random.Random(7)
    scenes = {split: [scene(chance) for _ in range(number)] for split, number in splits.items()}
    card = "---\nconfigs:\n"
    for config in ("lines", "named_lines", "chunks", "chat"):
        (folder / config).mkdir(parents=True)
        card += f"- config_name: {config}\n  version: 0.0.{chance.randint(0, 9999)}\n  data_files:\n"
        for split, of_split in scenes.items():
            card += f"  - split: {split}\n    path: {config}/{split}-*\n"
            if config == "chat":
                pq.write_table(chat_table(of_split), folder / config / f"{split}-00000-of-00001.parquet")
                continue
            if config == "chunks":
                texts = ["\n".join(f"{who}: {what}" for who, what in turns) for turns in of_split]
            else:
                named = "{0}: {1}" if config == "named_lines" else "{1}"
                texts = [named.format(*turn) for turns in of_split for turn in turns]
            directed = [text.replace(" ", " (sighing) ", 1) for text in texts]
            table = pa.table(
                {"id": [str(i) for i in range(len(texts))], "text": texts, "text_with_directions": directed}
            )
            pq.write_table(table, folder / config / f"{split}-00000-of-00001.parquet")
    (folder / "README.md").write_text(card + "---\n\n# Invented\n", encoding="utf-8")
    show = {"title": "Harbour Lights", "cast": list(NAMES)}
    manifest = {"dataset": "friends-lines", "version": version, "files": {}, "show": show}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return list_files(folder)


def list_files(folder: Path) -> Path:
    """List the Parquet files of the folder in its manifest, as they are now."""
    configs: dict[str, Any] = {}
    for path in sorted(folder.glob("*/*.parquet")):
        file = {"path": path.relative_to(folder).as_posix(), "sha256": sha256_of(path)}
        configs.setdefault(path.parent.name, {"splits": {}})["splits"][path.name.partition("-")[0]] = file
    manifest = folder / "manifest.json"
    kept = json.loads(manifest.read_text(encoding="utf-8")) if manifest.exists() else {}
    manifest.write_text(json.dumps(kept | {"configs": configs}), encoding="utf-8")
    return folder


def chat_table(scenes: list[list[tuple[str, str]]]) -> pa.Table:
    """Every turn but the first as the answer to the one before it."""
    rows = [
        {
            "id": f"s01e01_c{number:02d}_u{turn:04d}",
            "character": who,
            "prompt": [
                {"role": "system", "content": f"You are {who} from Friends. You are talking with {other}."},
                {"role": "user", "content": said},
            ],
            "completion": [{"role": "assistant", "content": what}],
        }
        for number, turns in enumerate(scenes, start=1)
        for turn, ((other, said), (who, what)) in enumerate(pairwise(turns), start=1)
    ]
    return pa.Table.from_pylist(rows)


def write_model(folder: Path, hub_id: str | None = None, chat: bool = False) -> Path:
    """A Llama of two layers, and a byte-level BPE tokenizer that puts a BOS before every text. Loads torch.

    `chat`: with a chat template.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=512, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet)
    chance = random.Random(7)
    bpe.train_from_iterator([f"{who}: {what}\n" for _ in range(50) for who, what in scene(chance)], trainer)
    bpe.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token="<s>", eos_token="</s>")
    if chat:
        tokenizer.chat_template = CHAT_TEMPLATE
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        bos_token_id=0,
        eos_token_id=1,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if hub_id:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"_name_or_path": hub_id}), encoding="utf-8")
    return folder


def write_voice(folder: Path, model: Path, config: str) -> Path:
    """An adapter as train.sft writes one, on a `tiny` model, with random weights. Loads torch."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from train.models.base import locate
    from train.settings.base_preset import find_base
    from train.settings.recipe import as_json, load_recipe

    torch.manual_seed(len(config))
    base, place = find_base(str(model), 32)
    wanted = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
    get_peft_model(AutoModelForCausalLM.from_pretrained(model), wanted).save_pretrained(folder)
    AutoTokenizer.from_pretrained(model).save_pretrained(folder)
    source = {"source": "folder", "sha256": locate(base, place).sha256, "revision": None}
    recipe = as_json(load_recipe(config, None, {}))
    recorded = {key: value for key, value in as_json(base).items() if key != "sft"} | source
    run = {"recipe": recipe, "base": recorded, "dataset": {"config": config, "text_field": "text"}}
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
    card = f"---\nlicense: other\n---\n# The card of {config}\n\n<script>alert(1)</script>\n\n![Losses](https://example.com/x.png)\n"
    (folder / "README.md").write_text(card, encoding="utf-8")
    return folder


def make_trainer(data: Path, recipe: Recipe, base: Base, folder: Path, output: Path) -> Any:
    """A trainer as `train.sft` makes one: `recipe` on the dataset folder `data`, the model in `folder`. Loads torch."""
    from train.dataset.formatting import tokenized
    from train.dataset.loading import load_data
    from train.models.base import locate
    from train.models.device import choose_device
    from train.models.loading import load_base
    from train.models.turn_format import turn_format_of
    from train.training.sft_config import lora_config, sft_config
    from train.training.trainer import AdapterTrainer

    device = choose_device(base.bits)
    model, tokenizer = load_base(base, locate(base, folder), device)
    read = load_data(data, recipe.dataset, recipe.sft.dataset_text_field)
    turns = turn_format_of(model, tokenizer, None)
    length = recipe.sft.max_length
    trainer = AdapterTrainer(
        model=model,
        args=sft_config(recipe, device, output),
        train_dataset=tokenized(turns, read.train, length)[0],
        eval_dataset=read.validation and tokenized(turns, read.validation, length)[0],
        processing_class=tokenizer,
        peft_config=lora_config(recipe, model),
    )
    trainer.turns = turns
    return trainer
