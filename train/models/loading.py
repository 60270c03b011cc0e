"""The weights of a base model into memory, in the bits that are asked for. Heavy imports are inside the functions."""

from __future__ import annotations

import os
from typing import Any

from friends_corpus.core.cli import InputError, in_short
from train.settings.base_preset import Base

from .base import Source
from .device import Device


def load_base(base: Base, source: Source, device: Device) -> tuple[Any, Any]:
    """The model on its device in its bits, and its tokenizer. Raises InputError when there is none to load."""
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
    place = str(source.folder) if source.folder else base.model
    where = {"": int(os.environ.get("LOCAL_RANK", 0)) if device.kind == "cuda" else "cpu"}
    try:
        tokenizer = AutoTokenizer.from_pretrained(place, revision=source.revision)
        model = AutoModelForCausalLM.from_pretrained(
            place,
            revision=source.revision,
            dtype=dtype,
            quantization_config=quantization,
            device_map=where,
            use_safetensors=True,
        )
    except (OSError, ValueError) as error:
        reason = in_short(error)
        raise InputError(
            f"cannot load the base model {base.model!r} from {source.described}; check the name and the connection, "
            f"or choose --base smollm2-135m ({reason})"
        ) from None
    if tokenizer.eos_token is None:
        raise InputError(f"the tokenizer of {base.model!r} has no end-of-text token; choose another --base")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    for key in ("is_local", "local_files_only"):  # how it was loaded here is no property of the tokenizer
        tokenizer.init_kwargs.pop(key, None)
    model.config._name_or_path = model.name_or_path = tokenizer.name_or_path = base.model
    return model, tokenizer
