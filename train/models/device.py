"""What computes, and in which number format. Heavy imports are inside the functions."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from friends_corpus.core.cli import InputError, in_short

DRIVERS = ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/dxg", "/dev/kfd")  # NVIDIA, under Windows, AMD


@dataclass(frozen=True)
class Device:
    """What computes, and in which number format."""

    kind: str  # cuda or cpu
    name: str
    dtype: str  # of the computation around the stored weights
    mixed: str | None  # autocast format on a GPU: bfloat16, float16; None: no autocast


def choose_device(bits: int) -> Device:
    """Choose a CUDA GPU if there is one, else the CPU.

    On a CPU the computation is in float32, which CPUs without AMX do faster than bfloat16; only 16-bit weights are
    computed as stored. Raises InputError where several GPUs could be meant.
    """
    import torch

    if torch.cuda.is_available():
        cards = torch.cuda.device_count()
        if cards > 1 and "LOCAL_RANK" not in os.environ:
            raise InputError(
                f"{cards} GPUs are visible and one process works on one; show it one: "
                "put CUDA_VISIBLE_DEVICES=0 before the command"
            )
        half = half_precision(*torch.cuda.get_device_capability())
        dtype, mixed = ("float32", None) if bits == 32 else (half, half)
        return Device("cuda", torch.cuda.get_device_name(), dtype, mixed)
    if reason := unusable_gpu():
        print(
            f"warning: there is a GPU, and torch cannot use it: {reason}; --device cpu means the CPU", file=sys.stderr
        )
    dtype = "bfloat16" if bits == 16 else "float32"
    return Device("cpu", f"CPU, {torch.get_num_threads()} threads", dtype, None)


def unusable_gpu() -> str | None:
    """Return torch's reason for not using the GPU that is here; None if there is none, or if it is hidden."""
    import torch

    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1") or not any(map(os.path.exists, DRIVERS)):
        return None
    try:
        torch.cuda.init()
    except Exception as error:  # AssertionError where torch is built without CUDA, RuntimeError of the driver
        return in_short(error)
    return "it sees none"


def processor() -> str:
    """Return the name of the CPU.

    >>> processor() != ""
    True
    """
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.is_file() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "") or "CPU"


def half_precision(major: int, minor: int) -> str:
    """Return the 16-bit format of a GPU with this compute capability.

    Ampere (8.0) and later have bfloat16, whose range is that of float32. Turing (7.5: T4) and Volta (7.0: V100) only
    emulate it, at a fraction of the speed: float16 there, with a GradScaler, which needs an adapter in float32.

    >>> half_precision(7, 5), half_precision(8, 0), half_precision(9, 0)
    ('float16', 'bfloat16', 'bfloat16')
    """
    return "bfloat16" if (major, minor) >= (8, 0) else "float16"
