"""How much memory is free, and an error of the allocator in one line. Imports nothing heavy."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from friends_corpus.core.cli import Failed
from train.models.device import Device

GB = 1e9
# how the allocators say it: PyTorch's on a CPU, CUDA and its libraries
SAID = ("can't allocate memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error means that memory ran out.

    >>> is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"))
    True
    >>> is_out_of_memory(RuntimeError("shapes cannot be multiplied"))
    False
    """
    return isinstance(error, MemoryError) or any(words in str(error) for words in SAID)


@contextmanager
def explained(remedy: str, device: Device, when: Callable[[], str]) -> Iterator[None]:
    """Turn an error of the allocator into Failed; `when` says where in the run, "at step 3 of 12"."""

    def told() -> str:
        free = free_memory(device)
        left = f", with {free / GB:.1f} GB of {device.kind} memory free" if free is not None else ""
        return f" {when()}{left}; {remedy}"

    with memory_errors(told):
        yield


@contextmanager
def memory_errors(describe: Callable[[], str]) -> Iterator[None]:
    """Turn an error of the allocator into Failed, which says “out of memory” and what `told` returns."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError is a RuntimeError
        if not is_out_of_memory(error):
            raise
        raise Failed(f"out of memory{describe()}", own=True) from None


def free_memory(device: Device) -> int | None:
    """Return the bytes that a process could still take, or None if unknown."""
    if device.kind == "cuda":
        import torch

        return int(torch.cuda.mem_get_info()[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)
