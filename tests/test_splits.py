"""Splits: fixed by hash, never empty where that can be helped, without leaks."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest
from invented import episode

from builders.splits import (
    NEAR_DUPLICATE,
    SPLITS,
    assign_splits,
    episodes_with_repeats,
    jaccard,
    near_duplicates,
    shingle,
)

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


def speech(seed: int, words: int = 60) -> str:
    return " ".join(random.Random(seed).choices([f"word{n}" for n in range(500)], k=words))


def test_repeated_scenes_are_found_across_episodes_only() -> None:
    scene = speech(1)
    changed = scene.upper().replace("WORD7", "Word7,")
    clip_show = episode([("Joey", "Hi.")], [("Ross", scene[:150]), ("Joey", scene[150:])], page="0418.html")
    original = episode([("Monica", changed)], [("Joey", speech(2))], page="0102.html")
    other = episode([("Joey", speech(3))], [("Joey", speech(3))], page="0103.html")  # twice in one episode: no leak
    short = [episode([("Joey", "How are you? " * 5)], page=f"010{number}.html") for number in (5, 6)]
    assert episodes_with_repeats([clip_show, original, other, *short]) == {"s04e18", "s01e02"}


def test_near_duplicates_equal_brute_force() -> None:
    chance = random.Random(7)
    texts = [chance.choices(["a", "b", "c", "d", "e", "f", "g", "h"], k=chance.randint(3, 40)) for _ in range(40)]
    for _ in range(160):  # copies with some words changed: all similarities occur
        copy = list(chance.choice(texts))
        for _ in range(chance.randint(0, 3)):
            copy[chance.randrange(len(copy))] = chance.choice("xyz")
        texts.append(copy)
    sets = [shingle(" ".join(words)) for words in texts]
    pairs = itertools.combinations(range(len(sets)), 2)
    expected = [(a, b) for a, b in pairs if jaccard(sets[a], sets[b]) >= NEAR_DUPLICATE]
    assert len(expected) > 50
    assert sorted(near_duplicates(sets)) == expected
