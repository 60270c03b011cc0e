"""For the training tests: an invented dataset folder and a tiny, randomly initialised Llama with its own tokenizer."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

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
    for config in ("lines", "named_lines", "chunks"):
        (folder / config).mkdir(parents=True)
        card += f"- config_name: {config}\n  version: 0.0.{chance.randint(0, 9999)}\n  data_files:\n"
        for split, of_split in scenes.items():
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
            card += f"  - split: {split}\n    path: {config}/{split}-*\n"
    (folder / "README.md").write_text(card + "---\n\n# Invented\n", encoding="utf-8")
    manifest = {"dataset": "friends-lines", "version": version, "files": {}}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def write_model(folder: Path, hub_id: str | None = None) -> Path:
    """A Llama of two layers, and a byte-level BPE tokenizer that puts a BOS before every text. Loads torch."""
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
