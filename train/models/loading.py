"""The weights of a base model into memory, in the bits that are asked for. Heavy imports are inside the functions."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from friends_corpus.core.cli import InputError, in_short, missing_package
from friends_corpus.core.reader import check_regular
from train.models.upstream import attention_of
from train.settings.base_preset import HUB_ID, Base

from .base import Source
from .chat_template import limit_templates
from .device import Device


def load_base(base: Base, source: Source, device: Device) -> tuple[Any, Any]:
    """Load the model on its device in its bits, and its tokenizer. Raises InputError."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

    dtype = getattr(torch, device.dtype)
    quantization = None
    if base.bits == 8:
        quantization = BitsAndBytesConfig(load_in_8bit=True)
    elif base.bits == 4:
        quantization = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
        )
    path = place_of(base, source)
    limit_templates()
    where = {"": int(os.environ.get("LOCAL_RANK", 0)) if device.kind == "cuda" else "cpu"}
    with readable(base, source):
        load_config(path, source.revision)
        tokenizer = AutoTokenizer.from_pretrained(path, revision=source.revision, trust_remote_code=False)
        model = AutoModelForCausalLM.from_pretrained(
            path,
            revision=source.revision,
            dtype=dtype,
            quantization_config=quantization,
            device_map=where,
            use_safetensors=True,
            trust_remote_code=False,
        )
    if tokenizer.eos_token is None:
        raise InputError(f"the tokenizer of {base.model!r} has no end-of-text token; choose another --base")
    size = model.get_input_embeddings().weight.shape[0]
    for role in ("pad_token", "unk_token"):
        if (getattr(tokenizer, f"{role}_id") or 0) >= size:
            print(
                f"note      the {role} {getattr(tokenizer, role)} is not used: the base knows {size} tokens", flush=True
            )
            setattr(tokenizer, role, None)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if getattr(text := model.config.get_text_config(), "output_router_logits", False):
        text.output_router_logits = False  # generating fails on them
    for key in ("is_local", "local_files_only"):  # how it was loaded here is no property of the tokenizer
        tokenizer.init_kwargs.pop(key, None)
    model.config.name_or_path = model.name_or_path = tokenizer.name_or_path = base.model
    return model, tokenizer


@contextmanager
def readable(base: Base, source: Source) -> Iterator[None]:
    """Refuse files of a base that libraries stumble over, with whatever error or panic. Raises InputError."""
    try:
        for path in source.folder.iterdir() if source.folder else ():
            check_regular(path)
        yield
    except BaseException as error:
        foreign = isinstance(error, Exception) or type(error).__name__ == "PanicException"  # of a library in Rust
        ours = isinstance(error, InputError | MemoryError) or missing_package(error) or "memory" in str(error).lower()
        if ours or not foreign:
            raise
        raise InputError(
            f"cannot load the base model {base.model!r} from {source.described}; check the name and the connection, "
            f"or choose --base smollm2-135m ({type(error).__name__}: {in_short(error)})"
        ) from None


def place_of(base: Base, source: Source) -> str:
    """Return where transformers finds a base: a folder, or a Hub id that no folder here is taken for."""
    if source.folder:
        return str(source.folder)
    if not HUB_ID.fullmatch(base.model) or Path(base.model).exists():
        raise InputError(f"the base {base.model!r} is no Hub id, or a path here; give --base, a Hub id or ./FOLDER")
    return base.model


def load_config(path: str, revision: str | None) -> Any:
    """Load the configuration of a base that brings no code. Raises InputError, OSError, ValueError.

    An adapter in the place of a base would have transformers load its base and itself, with PEFT's own configuration.
    """
    from transformers import AutoConfig
    from transformers.utils import find_adapter_config_file

    if find_adapter_config_file(path, revision=revision) is not None:
        raise InputError(f"the base {path} holds an adapter (adapter_config.json); give the base without it")
    config = AutoConfig.from_pretrained(path, revision=revision, trust_remote_code=False)
    kernel = attention_of(config)
    if kernel is not None and not (isinstance(kernel, str) and kernel.isidentifier()):
        raise InputError(f"the base {path} asks for code of others (attn_implementation {kernel!r:.80}); take it out")
    if config.is_encoder_decoder:
        raise InputError(f"the base {path} is an encoder-decoder ({config.model_type}); give one that only decodes")
    if (quantized := getattr(config, "quantization_config", None)) is not None:
        method = quantized.get("quant_method") if isinstance(quantized, dict) else quantized.quant_method
        remedy = "give the weights in 16 bits that it was made of; --bits stores them in 8 or 4"
        raise InputError(f"the base {path} is stored quantized already ({getattr(method, 'value', method)}); {remedy}")
    return config
