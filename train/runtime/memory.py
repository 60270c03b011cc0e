"""Out of memory, in a line: when it happened, what was free, and what to change. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from friends_corpus.core.cli import Failed
from train.models.base import Base, Device
from train.settings.batching import Step, lighter
from train.training.preflight import GB, free_memory

# how the allocators say it: PyTorch's on a CPU, CUDA and its libraries
SAID = ("can't allocate memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether that is what an error means.

    >>> is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"))
    True
    >>> is_out_of_memory(RuntimeError("shapes cannot be multiplied"))
    False
    """
    return isinstance(error, MemoryError) or any(words in str(error) for words in SAID)


@contextmanager
def explained(base: Base, step: Step, device: Device, when: Callable[[], str]) -> Iterator[None]:
    """Turns an error of the allocator into Failed; `when` says where in the run, "at step 3 of 12"."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError is a RuntimeError
        if not is_out_of_memory(error):
            raise
        free = free_memory(device)
        left = f", with {free / GB:.1f} GB of {device.kind} memory free" if free is not None else ""
        raise Failed(f"out of memory {when()}{left}; {lighter(step, base)}", own=True) from None
