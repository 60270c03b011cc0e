"""How far two models are apart on the same text: KL divergence and loss. Heavy: imported inside `main()` only."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch

from train.models.device import Device
from train.training.trainer import set_eval_mode


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
