"""The leakage report: what held-out splits share with other splits."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from friends_corpus.core.manifest import Leakage, SharedRuns, Split
from friends_corpus.core.ngrams import Grams, Ids

from .duplicates import LONG_RUN, SAME, SCENE_CHARACTERS, SEEN, SHARED_RUNS, SHINGLE_WORDS, STOCK_SCENES, Duplicates
from .splits import SPLITS

STOCK_PHRASES = 10  # listed for each pair of splits, the longest ones

Mask = NDArray[np.bool_]


def measure_leakage(duplicates: Duplicates, splits: Mapping[str, Split]) -> Leakage:
    """Return the leakage report; `splits` by episode id.

    `splits` has one entry for each two splits: how many scenes of the first repeat one of the second, the largest
    Jaccard similarity of a scene of one with a scene of the other (both of 200 characters or more; none without two
    such), the share of the first one's 13-word runs that are in the second too, whether that is within the target,
    and the phrases that those runs make, the longest ones. That each episode alone keeps to the target is what sent
    others to train; only formulas in very many scenes can still exceed it.
    """
    scenes = duplicates.scenes
    of = np.array([splits[scene.episode] for scene in scenes], dtype=object)
    present = [split for split in reversed(SPLITS) if (of == split).any()]
    pairs = sorted(combinations(present, 2), key=lambda pair: (pair[1] != "train", pair[0]))
    return {
        "rule": {
            "scene_characters": SCENE_CHARACTERS,
            "shingle_words": SHINGLE_WORDS,
            "same": SAME,
            "run_words": LONG_RUN,
            "passage_runs": SHARED_RUNS,
            "seen": SEEN,
            "stock_scenes": STOCK_SCENES,
        },
        "clusters": len(set(duplicates.clusters().values())),
        "clustered_scenes": len(duplicates.clusters()),
        "near_duplicates": sum(pair.copies and pair.jaccard >= SAME for pair in duplicates.pairs),
        "clips": sum(pair.copies and pair.jaccard < SAME for pair in duplicates.pairs),
        "passages": sum(not pair.copies for pair in duplicates.pairs),
        "seen_episodes": sum(shared.seen for shared in duplicates.shared.values()),
        "train_only": sorted(duplicates.episodes()),
        "splits": [_shared_runs(duplicates, of, *pair) for pair in pairs],
        "pairs": list(_pair_table(duplicates)),
        "episodes": [
            {"episode": id, "runs": shared.runs, "elsewhere": shared.elsewhere}
            for id, shared in duplicates.shared.items()
            if shared.elsewhere
        ],
    }


def _shared_runs(duplicates: Duplicates, of: NDArray[np.object_], held_out: Split, other: Split) -> SharedRuns:
    """Measure what one split shares with another; `of` is the split of each scene."""
    long_enough = np.array([len(scene.text) >= SCENE_CHARACTERS for scene in duplicates.scenes], dtype=bool)
    here, there = of == held_out, of == other
    runs, known = duplicates.long_runs.of(here), duplicates.long_runs.of(there)
    shared = np.intersect1d(runs, known, assume_unique=True)
    phrases = stock_phrases(duplicates, here, shared)
    return {
        "split": held_out,
        "against": other,
        "scenes": int(here.sum()),
        "shared_scenes": _shared_scenes(duplicates, here, there),
        "largest_jaccard": _largest_jaccard(duplicates.shingles, here & long_enough, there & long_enough),
        "runs": len(runs),
        "shared_runs": len(shared),
        "shared_runs_share": round(len(shared) / max(1, len(runs)), 6),
        "within_target": len(shared) <= SEEN * len(runs),
        "phrases": len(phrases),
        "stock_phrases": phrases[:STOCK_PHRASES],
    }


def abridged(leakage: Leakage) -> Leakage:
    """Return the report as the manifest has it: without its long lists."""
    short = leakage.copy()
    del short["pairs"], short["episodes"]
    return short


def _pair_table(duplicates: Duplicates) -> Iterator[dict[str, str | float | list[str]]]:
    """Yield the pairs of scenes that repeat each other."""
    for pair in duplicates.pairs:
        kind = "passage" if not pair.copies else "near-duplicate" if pair.jaccard >= SAME else "clip"
        scenes = [duplicates.scenes[pair.left].id, duplicates.scenes[pair.right].id]
        yield {"scenes": scenes, "kind": kind, "jaccard": round(pair.jaccard, 3)}


def _shared_scenes(duplicates: Duplicates, here: Mask, there: Mask) -> int:
    """Count the scenes of one split that are a copy of a scene of the other or share passages with one."""
    ends = [end for pair in duplicates.pairs for end in ((pair.left, pair.right), (pair.right, pair.left))]
    return len({left for left, right in ends if here[left] and there[right]})


def _largest_jaccard(shingles: Grams, here: Mask, there: Mask) -> float | None:
    """Return the largest Jaccard similarity of a scene here and a scene there, or None without scenes."""
    if not here.any() or not there.any():
        return None
    overlaps = there[shingles.texts]
    runs, texts = shingles.runs[overlaps], shingles.texts[overlaps]
    largest = 0.0
    order = np.argsort(shingles.texts, kind="stable")
    starts = np.searchsorted(shingles.texts[order], np.arange(len(here) + 1))
    for scene in np.flatnonzero(here):
        own = shingles.runs[order[starts[scene] : starts[scene + 1]]]
        shared = np.bincount(texts[_spans(runs, own)], minlength=len(here))
        similarity = shared / np.maximum(1, shingles.sizes[scene] + shingles.sizes - shared)
        largest = max(largest, float(similarity.max()))
    return round(largest, 3)


def _spans(runs: Ids, ids: Ids) -> Ids:
    """Return the indices of all wanted values in a sorted array with repeats.

    >>> _spans(np.array([1, 2, 2, 4]), np.array([2, 3, 4])).tolist()
    [1, 2, 3]
    """
    left, right = np.searchsorted(runs, ids), np.searchsorted(runs, ids, side="right")
    lengths = right - left
    before = np.concatenate([[0], np.cumsum(lengths)])
    return np.repeat(left - before[:-1], lengths) + np.arange(before[-1])


def stock_phrases(duplicates: Duplicates, here: Mask, shared: Ids) -> list[dict[str, str | int]]:
    """Join overlapping shared runs to phrases, longest first, with their first scene and their count."""
    if not len(shared):
        return []
    words = duplicates.words
    hits = words.positions(LONG_RUN) & here[words.texts]
    hits[: len(hits) - LONG_RUN + 1] &= np.isin(words.runs(LONG_RUN), shared)
    counts: dict[str, list[int]] = {}
    for start, end in _stretches(hits):
        counts.setdefault(words.text(start, end + LONG_RUN - 1), []).append(int(words.texts[start]))
    longest = sorted(counts.items(), key=lambda item: (-len(item[0]), item[0]))
    return [
        {"phrase": phrase, "times": len(texts), "scene": duplicates.scenes[texts[0]].id} for phrase, texts in longest
    ]


def _stretches(hits: Mask) -> Sequence[tuple[int, int]]:
    """Yield the start and end index of each run of true values.

    >>> _stretches(np.array([False, True, True, False, True]))
    [(1, 3), (4, 5)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], hits.astype(np.int8), [0]])))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]
