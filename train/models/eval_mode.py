"""The mode in which models are evaluated. Heavy imports are inside the functions."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def set_eval_mode(model: Any) -> None:
    """Set eval mode (no dropout) but keep the quantised layers' training forward; GPUs have only one in 8 bits."""
    from bitsandbytes.nn.modules import Linear4bit, Linear8bitLt

    model.eval()
    for layer in model.modules():
        if isinstance(layer, (Linear8bitLt, Linear4bit)):
            layer.train()


@contextmanager
def eval_mode(model: Any) -> Iterator[None]:
    """Evaluate without gradients in the mode of `set_eval_mode`, then restore the mode."""
    import torch

    was_training = model.training
    set_eval_mode(model)
    with torch.no_grad():
        yield
    model.train(was_training)
