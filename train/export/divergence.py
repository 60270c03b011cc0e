"""How far two models are apart on the same text: KL divergence and loss. Heavy: imported inside `main()` only."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from friends_corpus.core.cli import in_short
from train.models.base import Source
from train.models.device import Device, choose_device
from train.models.eval_mode import set_eval_mode
from train.models.loading import load_base
from train.runtime.memory import is_out_of_memory
from train.settings.base_preset import Base


def windows(rows: Iterable[Sequence[int]], length: int) -> list[Sequence[int]]:
    """Cut rows of tokens into pieces of at most `length`.

    >>> windows([[1, 2, 3, 4, 5], [6, 7]], 4)
    [[1, 2, 3, 4], [6, 7]]
    """
    cut = [row[start : start + length] for row in rows for start in range(0, len(row), length)]
    return [ids for ids in cut if len(ids) > 1]  # a single token predicts nothing


def predictions(model: Any, device: Device, rows: Iterable[Sequence[int]]) -> Iterator[torch.Tensor]:
    """Return for each row the log-probabilities of all next tokens: float32, (tokens - 1, vocabulary), on the CPU."""
    set_eval_mode(model)
    mixed = getattr(torch, device.mixed or "bfloat16")
    for ids in rows:
        batch = torch.tensor([list(ids)], device=device.kind)
        with torch.no_grad(), torch.autocast(device.kind, dtype=mixed, enabled=device.mixed is not None):
            logits = model(input_ids=batch, use_cache=False).logits[0, :-1]
        yield torch.log_softmax(logits.float(), dim=-1).cpu()


def drift(
    before: Iterable[torch.Tensor], after: Iterable[torch.Tensor], rows: Sequence[Sequence[int]]
) -> dict[str, float]:
    """Return means per token: `kl` of `after` from `before` in nats, both losses, and `same_first`.

    >>> certain, even = torch.tensor([[0.0, -1e4]]), torch.tensor([[0.5, 0.5]]).log()
    >>> found = drift([certain], [even], [[1, 0]])
    >>> found["tokens"], round(found["kl"], 4), found["loss_before"], round(found["loss_after"], 4), found["same_first"]
    (1, 0.6931, 0.0, 0.6931, 1.0)
    """
    kl = loss_before = loss_after = same = 0.0
    tokens = 0
    for p, q, ids in zip(before, after, rows, strict=True):
        following = torch.tensor(list(ids[1:]))[:, None]
        p, q = p.double(), q.double()
        kl += (p.exp() * (p - q)).sum().item()
        loss_before -= p.gather(1, following).sum().item()
        loss_after -= q.gather(1, following).sum().item()
        same += int((p.argmax(-1) == q.argmax(-1)).sum())
        tokens += len(following)
    means = {"kl": kl, "loss_before": loss_before, "loss_after": loss_after, "same_first": same}
    return {"tokens": tokens} | {name: value / tokens for name, value in means.items()}


def measured(
    base: Base, folder: Path, dtype: str, before: Sequence[torch.Tensor], rows: Sequence[Sequence[int]]
) -> dict[str, float] | None:
    """Return the drift of the model in `folder` from the predictions `before`; None if there is no memory for it.

    The CPU measures where the GPU's memory is short.
    """
    device = replace(choose_device(16), dtype=dtype, mixed=None)
    for one in (device, Device("cpu", "CPU", dtype, None))[: 1 + (device.kind != "cpu")]:
        try:
            model, _ = load_base(base, Source(folder, "the merged folder", None), one)
            return drift(before, predictions(model, one, rows), rows)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            print(f"note      no memory on the {one.kind} to measure the drift ({in_short(error, 80)})", flush=True)
    return None
