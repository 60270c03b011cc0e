"""Which split an episode belongs to: 90/5/5 by a hash of its id, the same in every config, and without leaks."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from math import ceil, floor

from friends_corpus.model import Episode, Line

SPLITS = ("train", "validation", "test")
BUCKETS = 20  # one of them is test, one validation: 5 % each
RANKED_BELOW = 20  # episodes; with fewer, hashing alone often leaves a split empty
SCENE_CHARACTERS = 200  # shorter scenes are too small to tell a repeat from a coincidence
SHINGLE_WORDS = 5
NEAR_DUPLICATE = 0.8  # Jaccard similarity of two scenes' shingles

WORD = re.compile(r"[^\W_]+")  # "Don't" -> "don", "t"

Shingles = frozenset[tuple[str, ...]]


def assign_splits(episode_ids: Iterable[str], train_only: Collection[str] = ()) -> dict[str, str]:
    """Episode id → split. Episodes of `train_only` go to train; below three episodes all do.

    Each episode's hash decides alone, so that a new episode moves no other. Where that leaves a split empty (few
    episodes), the episodes with the lowest hashes are held out instead.

    >>> assign_splits(["s01e01", "s01e02", "s01e03"])
    {'s01e01': 'validation', 's01e02': 'test', 's01e03': 'train'}
    >>> assign_splits(["s01e01", "s01e02"])
    {'s01e01': 'train', 's01e02': 'train'}
    """
    ids = sorted(set(episode_ids))
    splits = dict.fromkeys(ids, "train")
    if len(ids) < 3:
        return splits
    free = sorted((id for id in ids if id not in train_only), key=_draw)
    by_hash = {id: _split_of(_draw(id)) for id in free}
    if len(ids) >= RANKED_BELOW and set(by_hash.values()) == set(SPLITS):
        return splits | by_hash
    held_out = min(max(1, round(len(ids) / BUCKETS)), ceil(len(free) / 2))
    test, validation = free[:held_out], free[held_out : 2 * held_out]
    return splits | dict.fromkeys(validation, "validation") | dict.fromkeys(test, "test")


def _draw(episode_id: str) -> tuple[int, int]:
    """One of `BUCKETS`, then a number to rank by: fixed for ever, without random generator or seed."""
    number = int.from_bytes(hashlib.sha256(episode_id.encode()).digest())
    return number % BUCKETS, number


def _split_of(draw: tuple[int, int]) -> str:
    return {0: "test", 1: "validation"}.get(draw[0], "train")


def episodes_with_repeats(episodes: Iterable[Episode[Line]]) -> set[str]:
    """Ids of the episodes that share a near-duplicate scene with another one (clip shows, re-used scenes)."""
    scenes = [(episode.id, shingles) for episode in episodes for shingles in scene_shingles(episode)]
    pairs = near_duplicates([shingles for _, shingles in scenes])
    repeated = [(scenes[left][0], scenes[right][0]) for left, right in pairs]
    return {id for pair in repeated if pair[0] != pair[1] for id in pair}


def scene_shingles(episode: Episode[Line]) -> list[Shingles]:
    """The shingles of each scene with enough speech."""
    speeches = [[event.text for event in scene.events if isinstance(event, Line)] for scene in episode.scenes]
    texts = [" ".join(filter(None, speech)) for speech in speeches]
    return [shingle(text) for text in texts if len(text) >= SCENE_CHARACTERS]


def shingle(text: str) -> Shingles:
    """Every run of five words, whatever their case and punctuation.

    >>> sorted(shingle("One, two -- three. FOUR five six"))
    [('one', 'two', 'three', 'four', 'five'), ('two', 'three', 'four', 'five', 'six')]
    """
    words = WORD.findall(text.lower())
    runs = max(1, len(words) - SHINGLE_WORDS + 1)
    return frozenset(tuple(words[start : start + SHINGLE_WORDS]) for start in range(runs))


def near_duplicates(sets: Sequence[Shingles]) -> list[tuple[int, int]]:
    """Index pairs of all sets with a Jaccard similarity of at least `NEAR_DUPLICATE`: exact, and not quadratic.

    Two such sets share at least one of their rarest shingles (the "prefix" of each set when all are sorted by how many
    sets hold them), so only sets that meet in the index of those are compared.

    >>> a, b, c = shingle("we were on a break that day"), shingle("We were on a break, that day!"), shingle("Hello you")
    >>> near_duplicates([a, c, b])
    [(0, 2)]
    """
    frequency = Counter(item for items in sets for item in items)
    index: Mapping[tuple[str, ...], list[int]] = defaultdict(list)
    pairs = []
    for number, items in enumerate(sets):
        rarest_first = sorted(items, key=lambda item: (frequency[item], item))
        prefix = rarest_first[: floor(len(items) * (1 - NEAR_DUPLICATE) + 1e-9) + 1]
        met = {other for item in prefix for other in index[item]}
        pairs += [(other, number) for other in sorted(met) if jaccard(sets[other], items) >= NEAR_DUPLICATE]
        for item in prefix:
            index[item].append(number)
    return pairs


def jaccard(left: Shingles, right: Shingles) -> float:
    """Shared shingles over all shingles of two non-empty sets."""
    return len(left & right) / len(left | right)
