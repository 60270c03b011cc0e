"""A Llama-class model folder as one GGUF file, for llama.cpp and Ollama.

Ours, as no package on PyPI is kept that does it: the one that wraps llama.cpp's converter brings a second `gguf` with
it, over the one that transformers needs. Done is what the bases of this project need: Llama and Mistral without rope
scaling, byte-level BPE as SmolLM2 has it and BPE with byte fallback as Llama 2 and Mistral 7B have it.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from friends_corpus.core.cli import InputError
from friends_corpus.core.files import replacing
from train.models.turn_format import TurnFormat

ARCHITECTURES = ("LlamaForCausalLM", "MistralForCausalLM")
# How text is cut before the merges: steps of tokenizer.json → llama.cpp's name for them
PRE_TOKENIZERS = {
    (("ByteLevel", True),): "gpt-2",
    (("Digits", True), ("ByteLevel", True)): "smollm",
}
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)  # llama.cpp's types of tokens
BYTE_PIECE = re.compile(r"<0x[0-9A-F]{2}>")  # "<0x0A>"
LARGEST = 65504.0  # of float16
Fields = dict[str, bool | int | float | str | list[Any]]  # what a GGUF says of its model


def hyperparameters(config: Mapping[str, Any]) -> Fields:
    """Return config.json in llama.cpp's terms. Raises InputError for other classes of models.

    A sliding window is left out, as llama.cpp does: the context ends where it would begin to matter.
    """
    [architecture] = config.get("architectures") or ["unknown"]
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    unsupported = {
        f"its architecture is {architecture}": architecture not in ARCHITECTURES,
        f"its positions are scaled ({rope.get('rope_type')})": rope.get("rope_type", "default") != "default",
        f"its activation is {config.get('hidden_act')}": config.get("hidden_act") != "silu",
    }
    for reason, so in unsupported.items():
        if so:
            raise InputError(
                f"no GGUF of this model: {reason}; leave out --gguf and use llama.cpp's convert_hf_to_gguf.py, "
                f"ours knows {' and '.join(ARCHITECTURES)} without rope scaling"
            )
    heads = config["num_attention_heads"]
    head_size = config.get("head_dim") or config["hidden_size"] // heads
    context = config["max_position_embeddings"]
    return {
        "general.type": "model",
        "general.file_type": 1,  # mostly float16
        "llama.block_count": config["num_hidden_layers"],
        "llama.context_length": min(context, config.get("sliding_window") or context),
        "llama.embedding_length": config["hidden_size"],
        "llama.feed_forward_length": config["intermediate_size"],
        "llama.attention.head_count": heads,
        "llama.attention.head_count_kv": config.get("num_key_value_heads") or heads,
        "llama.attention.key_length": head_size,
        "llama.attention.value_length": head_size,
        "llama.attention.layer_norm_rms_epsilon": float(config["rms_norm_eps"]),
        "llama.rope.dimension_count": head_size,
        "llama.rope.freq_base": float(rope.get("rope_theta") or config.get("rope_theta") or 10000.0),
        "llama.vocab_size": config["vocab_size"],
    }


def gguf_fields(name: str, config: Mapping[str, Any], turns: TurnFormat, own: Path | None) -> Fields:
    """Describe a model in llama.cpp's words; `own` is the GGUF of the base's own authors, if there is one."""
    parameters, size = hyperparameters(config), config.get("vocab_size", 0)
    fields = copied_tokenizer(own, size) if own else tokenizer_fields(turns.tokenizer, size)
    if turns.turn_end is not None:
        fields["tokenizer.ggml.eot_token_id"] = turns.turn_end
    return parameters | {"general.name": name} | fields


def tokenizer_fields(tokenizer: Any, vocabulary: int) -> Fields:
    """Return a fast tokenizer in llama.cpp's terms, padded to `vocabulary` tokens. Raises InputError."""
    described = json.loads(tokenizer.backend_tokenizer.to_str())
    model, added = described["model"], {token["id"]: token for token in described["added_tokens"]}
    if model["type"] != "BPE":
        raise no_tokenizer(f"is {model['type']}")
    texts = {number: text for text, number in (model["vocab"] | tokenizer.get_vocab()).items()}
    unknown = tokenizer.unk_token if model.get("byte_fallback") else None  # a byte-level tokenizer knows every text
    letter = tokenizer("a")["input_ids"]
    fields = bpe_fields(described, [texts.get(number, "") for number in range(vocabulary)]) | {
        "tokens": [texts.get(number, f"[PAD{number}]") for number in range(vocabulary)],
        "token_type": [
            UNUSED if number not in texts else type_of(texts[number], added.get(number), unknown)
            for number in range(vocabulary)
        ],
        "add_bos_token": letter[0] == tokenizer.bos_token_id,
        "add_eos_token": letter[-1] == tokenizer.eos_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "unknown_token_id": tokenizer.unk_token_id,
        "padding_token_id": tokenizer.pad_token_id,
    }
    template = {"tokenizer.chat_template": tokenizer.chat_template} if tokenizer.chat_template else {}
    return {f"tokenizer.ggml.{key}": value for key, value in fields.items() if value is not None} | template


def bpe_fields(described: Mapping[str, Any], texts: Sequence[str]) -> Fields:
    """Describe how a tokenizer.json cuts and merges text; `texts` are those of all tokens, "" where there is none."""
    merges = [pair.split(" ") if isinstance(pair, str) else pair for pair in described["model"]["merges"]]
    if not described["model"].get("byte_fallback"):
        joined = [f"{left} {right}" for left, right in merges]
        return {"model": "gpt2", "pre": pre_tokenizer(described), "add_space_prefix": False, "merges": joined}
    ranks: dict[str, int] = {}  # as sentencepiece has it: merges are in the order of the scores
    for left, right in merges:
        ranks.setdefault(left + right, len(ranks))
    scores = [float(-ranks.get(text, len(ranks))) for text in texts]
    return {"model": "llama", "pre": "default", "add_space_prefix": puts_space_first(described), "scores": scores}


def puts_space_first(described: Mapping[str, Any]) -> bool:
    """Tell whether a tokenizer.json with byte fallback reads "Joey" as "▁Joey".

    >>> puts_space_first({"normalizer": None, "pre_tokenizer": {"type": "Metaspace", "prepend_scheme": "first"}})
    True
    """
    normalizer = described["normalizer"] or {"type": "nothing"}
    steps = normalizer.get("normalizers", [normalizer])
    scheme = (described["pre_tokenizer"] or {}).get("prepend_scheme", "never")
    return scheme != "never" or any(step["type"] == "Prepend" for step in steps)


def pre_tokenizer(described: Mapping[str, Any]) -> str:
    """Return llama.cpp's name for a byte-level pre-tokenizer. Raises InputError if it is unknown.

    >>> pre_tokenizer({"normalizer": None, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False}})
    'gpt-2'
    """
    splitter = described["pre_tokenizer"] or {"type": "nothing"}
    steps = splitter["pretokenizers"] if splitter["type"] == "Sequence" else [splitter]
    shape = tuple((step["type"], bool(step.get("use_regex", step.get("individual_digits", True)))) for step in steps)
    spaced = any(step.get("add_prefix_space") for step in steps)
    if described["normalizer"] or spaced or shape not in PRE_TOKENIZERS:
        raise no_tokenizer(f"cuts text by {', '.join(step['type'] for step in steps)}")
    return PRE_TOKENIZERS[shape]


def no_tokenizer(reason: str) -> InputError:
    """Return the error for a tokenizer that a GGUF cannot describe."""
    return InputError(
        f"no GGUF of this model: its tokenizer {reason}, which ours does not know; leave out --gguf and use "
        "llama.cpp's convert_hf_to_gguf.py"
    )


def type_of(text: str, added: Mapping[str, Any] | None, unknown: str | None) -> int:
    """Return llama.cpp's type of a token; `added` is its entry in added_tokens, if any.

    >>> type_of("<0x0A>", None, "<unk>"), type_of("</s>", {"special": True}, "<unk>"), type_of("Joey", None, None)
    (6, 3, 1)
    """
    if BYTE_PIECE.fullmatch(text):
        return BYTE
    if text == unknown:
        return UNKNOWN
    if added is None:
        return NORMAL
    return CONTROL if added["special"] else USER_DEFINED


def copied_tokenizer(gguf: Path, vocabulary: int) -> Fields:
    """Return the tokenizer fields of another GGUF, made by the base's own authors."""
    from gguf import GGUFReader

    fields = GGUFReader(gguf).fields.values()
    copied = {field.name: field.contents() for field in fields if field.name.startswith("tokenizer.")}
    if len(copied["tokenizer.ggml.tokens"]) != vocabulary:
        raise InputError(f"{gguf.name} has another vocabulary than the model; leave out --gguf")
    return copied


def tensors(folder: Path, config: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...], Any]]:
    """Yield (llama.cpp's name, shape, function that loads the array) for each tensor in a model folder.

    Matrices are float16, vectors float32. Rows of the query and key layers change places: transformers turns the two
    halves of a head against each other, llama.cpp neighbours.
    """
    from gguf import MODEL_ARCH, get_tensor_name_map
    from safetensors import safe_open

    names = get_tensor_name_map(MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    queries = config["num_attention_heads"]
    heads = {".q_proj": queries, ".k_proj": config.get("num_key_value_heads") or queries}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118  not a dict
                if name == "lm_head.weight" and config["tie_word_embeddings"]:
                    continue
                ours = names.get_name(name, try_suffixes=(".weight", ".bias"))
                if ours is None:
                    raise InputError(f"no GGUF of this model: a Llama has no {name!r}; leave out --gguf")
                turned = next((number for layer, number in heads.items() if layer in name), None)

                def load(file: Any = file, name: str = name, turned: int | None = turned) -> Any:
                    array = file.get_tensor(name).float().numpy()
                    if turned:
                        array = array.reshape(turned, 2, -1, *array.shape[1:]).swapaxes(1, 2).reshape(array.shape)
                    if array.ndim > 1 and abs(array).max() > LARGEST:
                        raise InputError(f"no GGUF of this model: {name!r} does not fit float16; leave out --gguf")
                    return array.astype("float16" if array.ndim > 1 else "float32")

                yield ours, tuple(file.get_slice(name).get_shape()), load


def write_gguf(folder: Path, file: Path, fields: Fields) -> None:
    """Write the model in `folder` as the GGUF `file`, one tensor at a time, to a temporary name first.

    Raises InputError for what no Llama has, OSError when the disk is full.
    """
    import numpy as np
    from gguf import GGUFWriter

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    with replacing(file, durable=False) as part:  # gigabytes, and made again from the merged model
        writer = GGUFWriter(part, "llama")
        add: dict[type, Any]
        add = {bool: writer.add_bool, int: writer.add_uint32, float: writer.add_float32, str: writer.add_string}
        for key, value in fields.items():
            add.get(type(value), writer.add_array)(key, value)
        for name, shape, _ in tensors(folder, config):
            dtype = np.dtype("float16" if len(shape) > 1 else "float32")
            writer.add_tensor_info(name, shape, dtype, int(np.prod(shape)) * dtype.itemsize)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        size = GGUFWriter.ggml_pad(writer.fout[0].tell() if writer.fout else 0, writer.data_alignment)
        for _, _, load in tensors(folder, config):
            array = load()
            writer.write_tensor_data(array)
            size += GGUFWriter.ggml_pad(array.nbytes, writer.data_alignment)
        writer.close()
        if part.stat().st_size != size:  # numpy's tofile forgets the bytes that a full disk did not take at its end
            raise OSError(f"{file.name} has {part.stat().st_size:,} of its {size:,} bytes")
