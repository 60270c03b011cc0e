"""Splits: fixed by hash, never empty where that can be helped."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from builders.splitting.splits import SPLITS, assign_splits

ALL = [f"s{season:02d}e{number:02d}" for season in range(1, 11) for number in range(1, 25)]


def test_the_hash_is_pinned() -> None:
    splits = assign_splits(ALL)
    assert [id for id in ALL if splits[id] == "test"][:4] == ["s01e05", "s01e10", "s02e02", "s02e05"]
    assert [id for id in ALL if splits[id] == "validation"][:4] == ["s03e03", "s04e14", "s04e17", "s06e15"]
    shares = Counter(splits.values())
    assert 0.85 < shares["train"] / len(ALL) < 0.95
    assert min(shares[split] for split in SPLITS) >= 5


def test_another_episode_moves_none() -> None:
    before = assign_splits(ALL[:-1])
    after = assign_splits(ALL)
    assert before.items() <= after.items()


@pytest.mark.parametrize("number", range(25))
def test_no_split_is_empty_from_three_episodes_on(number: int) -> None:
    counts = Counter(assign_splits(ALL[:number]).values())
    assert counts.total() == number
    assert set(counts) == (set(SPLITS) if number >= 3 else {"train"} if number else set())


def test_order_and_repetition_do_not_matter() -> None:
    shuffled = random.Random(1).sample(ALL, len(ALL)) + ALL[:5]
    assert assign_splits(shuffled) == assign_splits(ALL)


@pytest.mark.parametrize("number", [3, 4, 10, 30, 240])
def test_train_only_stays_in_train(number: int) -> None:
    held_out = [id for id, split in assign_splits(ALL[:number]).items() if split != "train"]
    splits = assign_splits(ALL[:number], train_only=held_out)
    assert {splits[id] for id in held_out} == {"train"}
    assert "train" in splits.values()


@pytest.mark.parametrize("free", range(4))
def test_few_episodes_that_may_be_held_out(free: int) -> None:
    ids = ALL[:6]
    splits = assign_splits(ids, train_only=ids[free:])
    assert all(splits[id] == "train" for id in ids[free:])
    assert len(set(splits.values())) == min(free, 2) + 1
