"""Assign episodes to splits: 90/5/5 by a hash of the id, the same in every config, repeats in train."""

import hashlib
from collections.abc import Collection, Iterable
from math import ceil
from typing import get_args

from friends_corpus.core.manifest import Split

SPLITS: tuple[Split, ...] = get_args(Split)  # train, validation, test
BUCKETS = 20  # one of them is test, one validation: 5 % each
RANKED_BELOW = 20  # episodes; with fewer, hashing alone often leaves a split empty


def assign_splits(episode_ids: Iterable[str], train_only: Collection[str] = ()) -> dict[str, Split]:
    """Map episode ids to splits. Those in `train_only` go to train; with fewer than three episodes all do.

    Each episode's hash decides alone, so that a new episode moves no other. Where that leaves a split empty (few
    episodes), the episodes with the lowest hashes are held out instead.

    >>> assign_splits(["s01e01", "s01e02", "s01e03"])
    {'s01e01': 'validation', 's01e02': 'test', 's01e03': 'train'}
    >>> assign_splits(["s01e01", "s01e02"])
    {'s01e01': 'train', 's01e02': 'train'}
    """
    ids = sorted(set(episode_ids))
    splits: dict[str, Split] = dict.fromkeys(ids, "train")
    if len(ids) < 3:
        return splits
    free = sorted((id for id in ids if id not in train_only), key=_draw)
    by_hash = {id: _split_of(_draw(id)) for id in free}
    if len(ids) >= RANKED_BELOW and set(by_hash.values()) == set(SPLITS):
        return splits | by_hash
    held_out = min(max(1, round(len(ids) / BUCKETS)), ceil(len(free) / 2))
    test, validation = free[:held_out], free[held_out : 2 * held_out]
    return {**splits, **dict.fromkeys(validation, "validation"), **dict.fromkeys(test, "test")}


def _draw(episode_id: str) -> tuple[int, int]:
    """Return one of `BUCKETS` and a rank, both from a hash: the same forever, without a seed."""
    number = int.from_bytes(hashlib.sha256(episode_id.encode()).digest())
    return number % BUCKETS, number


def _split_of(draw: tuple[int, int]) -> Split:
    return "test" if draw[0] == 0 else "validation" if draw[0] == 1 else "train"
