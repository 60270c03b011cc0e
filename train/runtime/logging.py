"""What the libraries may say and ask: nothing, before they are imported."""

import os
from typing import Any

from train.models.upstream import silence_known_warnings


def quiet(offline: bool) -> None:
    """Silence telemetry, bars and log messages of libraries; call it before the heavy imports."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if hasattr(os, "getloadavg") and os.getloadavg()[0] > (os.cpu_count() or 1) / 2:
        # On a busy machine threads must wait asleep: spinning for one that does not run, 8-bit steps of SmolLM2 on two
        # cores beside one busy process did 13 tokens/s, asleep 70. On an idle machine spinning is faster (110 to 80).
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"
    silence_known_warnings()

    import datasets
    import transformers

    libraries: tuple[Any, Any] = (datasets.utils.logging, transformers.utils.logging)
    for library in libraries:
        library.set_verbosity_error()
        library.disable_progress_bar()
