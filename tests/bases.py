"""Tiny random bases of many classes with tokenizers and chat templates of many styles: for tests and `make matrix`.

Nothing is downloaded; the templates are short forms of those that the families use. Loads torch when asked.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiny import scene

SYSTEM = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
TURNS = (
    "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% endfor %}"
)
LOOP = "{% for m in messages %}"
CHATML = LOOP + "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
GENERATION = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"


@dataclass(frozen=True)
class Style:
    """A tokenizer and its chat template. `appends`: the tokenizer puts its EOS after every text."""

    bos: str | None
    eos: str
    turn_end: str
    others: tuple[str, ...]
    template: str
    puts_bos: bool = False
    appends: bool = False
    takes_system: bool = True


STYLES = {
    "chatml": Style(None, "<|endoftext|>", "<|im_end|>", ("<|im_start|>",), CHATML + GENERATION),
    "gemma": Style(
        "<bos>",
        "<eos>",
        "<end_of_turn>",
        ("<start_of_turn>",),
        "{{ bos_token }}"
        + SYSTEM
        + TURNS
        + LOOP
        + "{% set role = 'model' if m['role'] == 'assistant' else m['role'] %}"
        "{{ '<start_of_turn>' + role + '\n' + m['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}",
        puts_bos=True,
        takes_system=False,
    ),
    "inst": Style(
        "<s>",
        "</s>",
        "</s>",
        (),
        "{{ bos_token }}"
        + SYSTEM
        + TURNS
        + LOOP
        + "{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]' }}"
        "{% else %}{{ ' ' + m['content'] + ' ' + eos_token }}{% endif %}{% endfor %}",
        puts_bos=True,
        appends=True,
        takes_system=False,
    ),
    "llama3": Style(
        "<|begin_of_text|>",
        "<|end_of_text|>",
        "<|eot_id|>",
        ("<|start_header_id|>", "<|end_header_id|>"),
        "{{ bos_token }}"
        + LOOP
        + "{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' + m['content'] | trim"
        " + '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}"
        "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}",
        puts_bos=True,
    ),
    "thinking": Style(
        None,
        "<|im_end|>",
        "<|im_end|>",
        ("<|im_start|>", "<|endoftext|>"),
        LOOP + "{{ '<|im_start|>' + m['role'] + '\n' }}{% if m['role'] == 'assistant' and loop.last %}"
        "{{ '<think>\n\n</think>\n\n' }}{% endif %}{{ m['content'] + '<|im_end|>\n' }}{% endfor %}"
        + GENERATION[:-11]
        + "{% if enable_thinking is defined and enable_thinking is false %}{{ '<think>\n\n</think>\n\n' }}{% endif %}{% endif %}",
    ),
    "phi3": Style(
        "<s>",
        "<|endoftext|>",
        "<|end|>",
        ("<|user|>", "<|assistant|>", "<|system|>"),
        LOOP + "{{ '<|' + m['role'] + '|>\n' + m['content'] + '<|end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}",
    ),
    "reasoner": Style(
        "<s>",
        "</s>",
        "</s>",
        ("<user>", "<assistant>"),
        "{{ bos_token }}" + LOOP + "{{ '<' + m['role'] + '>' + m['content'] }}{% if m['role'] == 'assistant' %}"
        "{{ eos_token }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<assistant><think>\n' }}{% endif %}",
        puts_bos=True,
    ),
}
ROTATION = ("chatml", "gemma", "inst", "llama3", "thinking")  # the five of the matrix


def make_tokenizer(style: Style, size: int = 512) -> Any:
    """A byte-level BPE tokenizer of that style, trained on invented dialogue."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    special = list(dict.fromkeys(t for t in (style.bos, style.eos, style.turn_end, *style.others) if t))
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=special, initial_alphabet=alphabet)
    chance = random.Random(7)
    bpe.train_from_iterator([f"{who}: {what}\n" for _ in range(50) for who, what in scene(chance)], trainer)
    pieces = [style.bos if style.puts_bos else None, "$A", style.eos if style.appends else None]
    single = " ".join(filter(None, pieces))
    if single != "$A":
        used = [
            (token, special.index(token))
            for token in dict.fromkeys((style.bos, style.eos))
            if token and token in single
        ]
        bpe.post_processor = processors.TemplateProcessing(single=single, special_tokens=used)
    others = {"extra_special_tokens": [t for t in special if t not in (style.bos, style.eos)]}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token=style.bos, eos_token=style.eos, **others)
    tokenizer.chat_template = style.template
    return tokenizer


SMALL = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
GROUPED = SMALL | {"num_key_value_heads": 2, "max_position_embeddings": 1024}
HEADS = GROUPED | {"head_dim": 16}
MOE = {
    "num_experts": 4,
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 64,
    "output_router_logits": True,
}
TEXT = HEADS | {"sliding_window": 512, "query_pre_attn_scalar": 16}
CLASSES: dict[str, tuple[str, dict[str, Any]]] = {
    "Llama": ("LlamaForCausalLM", GROUPED),
    "Mistral": ("MistralForCausalLM", GROUPED),
    "Qwen2": ("Qwen2ForCausalLM", GROUPED),
    "Qwen3": ("Qwen3ForCausalLM", HEADS),
    "Gemma 2": ("Gemma2ForCausalLM", TEXT),
    "Gemma 3 text": ("Gemma3ForCausalLM", TEXT),
    "Gemma 3 multimodal": ("Gemma3ForConditionalGeneration", TEXT),
    "Phi-3": ("Phi3ForCausalLM", GROUPED),
    "SmolLM3": ("SmolLM3ForCausalLM", GROUPED | {"no_rope_layers": [1, 0]}),
    "GPT-2": ("GPT2LMHeadModel", {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 1024}),
    "GPT-NeoX": ("GPTNeoXForCausalLM", SMALL | {"max_position_embeddings": 1024}),
    "OPT": (
        "OPTForCausalLM",
        SMALL | {"ffn_dim": 128, "max_position_embeddings": 1024, "word_embed_proj_dim": 64, "dropout": 0.0},
    ),
    "BLOOM": ("BloomForCausalLM", {"hidden_size": 64, "n_layer": 2, "n_head": 4}),
    "Mixtral": ("MixtralForCausalLM", GROUPED | MOE),
    "Qwen3-MoE": ("Qwen3MoeForCausalLM", HEADS | MOE),
    "LFM2 (hybrid)": (
        "Lfm2ForCausalLM",
        GROUPED | {"layer_types": ["conv", "full_attention"], "block_auto_adjust_ff_dim": False},
    ),
    "Mamba": ("MambaForCausalLM", {"hidden_size": 64, "num_hidden_layers": 2, "state_size": 8}),
    "T5": (
        "T5ForConditionalGeneration",
        {"d_model": 64, "d_ff": 128, "num_layers": 2, "num_heads": 4, "d_kv": 16},
    ),
}


def write_base(folder: Path, name: str, style: str, **changes: Any) -> Path:
    """A base of the class `name` with a tokenizer of `style`, as save_pretrained writes it."""
    import torch
    import transformers

    kind, settings = CLASSES[name]
    tokenizer = make_tokenizer(STYLES[style])
    model_class = getattr(transformers, kind)
    ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": None}
    settings = settings | ids | {"vocab_size": len(tokenizer)} | changes
    if kind == "Gemma3ForConditionalGeneration":
        vision = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
        vision |= {"image_size": 28, "patch_size": 14}
        config = model_class.config_class(text_config=settings, vision_config=vision, mm_tokens_per_image=4)
    else:
        config = model_class.config_class(**settings)
    torch.manual_seed(0)
    model_class(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"_name_or_path": "someone/tiny"}), encoding="utf-8")
    return folder
