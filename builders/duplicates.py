"""Scenes that stand in the transcripts more than once: repeats and clips, found exactly, never deleted.

Three words are used for three things. Two scenes are *copies* if at least 80 % of the shorter one's five-word shingles
are in the other: that holds for near-duplicates (80 % Jaccard similarity implies it) and for the clips of a clip show,
which are parts of a scene. Two scenes of different episodes share *passages* if at least eight runs of 13 words are
the same: what is left of a clip whose scene has other things too. Everything else that is alike is small talk.

No library: with an index of the rare shingles, comparing the 840 scenes of 61 pages exactly takes 0.4 s, where only the
signatures of an approximate search (datasketch 2.0, 128 permutations) take 1.4 s, and need this check after it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from friends_corpus.model import Episode, Line

from .lines import scene_id
from .ngrams import Grams, Ids, Words, read_words

SCENE_CHARACTERS = 200  # of speech; shorter scenes are too small to tell a repeat from a coincidence
SHINGLE_WORDS = 5
SAME = 0.8  # of the shorter scene's shingles, for a copy; of both scenes' shingles (Jaccard), for a near-duplicate
LONG_RUN = 13  # words; the usual length in reports on test data that was seen in training
SHARED_RUNS = 8  # runs of 13 words: a passage of 20 words, or two of 16; in 61 pages unrelated scenes share none
STOCK_SCENES = 50  # a run of 13 words in more scenes than this is a formula, not a passage


@dataclass(frozen=True, slots=True)
class SceneText:
    """The speech of one scene of one episode."""

    id: str  # "s01e01_c03"
    episode: str
    text: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Two scenes, by their index, that are copies or share passages. `jaccard` is that of their shingles."""

    left: int
    right: int
    jaccard: float
    copies: bool


@dataclass(frozen=True, slots=True)
class Duplicates:
    """All scenes of a build, their words, and which pairs of them repeat each other."""

    scenes: tuple[SceneText, ...]
    words: Words
    shingles: Grams
    long_runs: Grams
    pairs: tuple[Pair, ...]

    def episodes(self) -> set[str]:
        """Ids of the episodes that share a copy or a passage with another one: they must not be held out."""
        linked = [(self.scenes[pair.left].episode, self.scenes[pair.right].episode) for pair in self.pairs]
        return {id for left, right in linked if left != right for id in (left, right)}

    def clusters(self) -> dict[str, str]:
        """Scene id → the cluster of copies it is in: `d001`, `d002`, … by their first scene; other scenes have none.

        Clusters are chains of copies. Passages make none: a clip show that quotes one sentence of a scene is no
        duplicate of it, and would chain half of a season into one cluster.
        """
        parents = list(range(len(self.scenes)))

        def root(index: int) -> int:
            while parents[index] != index:
                parents[index] = parents[parents[index]]
                index = parents[index]
            return index

        for pair in self.pairs:
            if pair.copies:
                left, right = root(pair.left), root(pair.right)
                parents[max(left, right)] = min(left, right)
        sizes = Counter(root(index) for index in range(len(parents)))
        repeated = sorted(first for first, size in sizes.items() if size > 1)
        names = {first: f"d{number:03d}" for number, first in enumerate(repeated, start=1)}
        return {scene.id: names[root(i)] for i, scene in enumerate(self.scenes) if root(i) in names}


def find_duplicates(episodes: Iterable[Episode[Line]]) -> Duplicates:
    """Compares the speech of all scenes of all episodes."""
    scenes = tuple(scene for episode in episodes for scene in scene_texts(episode))
    words = read_words([scene.text for scene in scenes])
    shingles = words.grams(SHINGLE_WORDS)
    copies = dict(find_copies(shingles, [len(scene.text) >= SCENE_CHARACTERS for scene in scenes]))
    long_runs = words.grams(LONG_RUN)
    passages = find_passages(long_runs, [scene.episode for scene in scenes])
    sets = runs_of(shingles)
    pairs = [
        Pair(left, right, copies.get((left, right)) or jaccard(sets[left], sets[right]), (left, right) in copies)
        for left, right in sorted({*copies, *passages})
    ]
    return Duplicates(scenes, words, shingles, long_runs, tuple(pairs))


def scene_texts(episode: Episode[Line]) -> Iterator[SceneText]:
    """The scenes of an episode in which somebody speaks."""
    for number, scene in enumerate(episode.scenes, start=1):
        speech = " ".join(event.text for event in scene.events if isinstance(event, Line) and event.text)
        if speech:
            yield SceneText(scene_id(episode.id, number), episode.id, speech)


def find_copies(shingles: Grams, long_enough: Sequence[bool]) -> Iterator[tuple[tuple[int, int], float]]:
    """Index pairs of all scenes of which the one with fewer shingles is to 80 % in the other, and their Jaccard.

    Exact, and not quadratic: of the smaller scene's shingles sorted by how many scenes hold them, at least one of the
    rarest 20 % (and one more) must be in the other scene, and rare shingles are in few scenes.
    """
    sizes = shingles.sizes
    starts, frequency = postings(shingles)
    gram = np.repeat(np.arange(len(starts)), frequency)  # of each entry: which row of `starts` and `frequency`
    order = np.lexsort((gram, frequency[gram], shingles.texts))  # scene by scene, rarest first
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]]) if len(sizes) else sizes
    rank = np.arange(len(order)) - first[shingles.texts[order]]
    allowed = sizes - np.ceil(SAME * sizes - 1e-9).astype(np.int64) + 1
    probes = order[(rank < allowed[shingles.texts[order]]) & (frequency[gram[order]] > 1)]
    sets = runs_of(shingles)
    seen: set[tuple[int, int]] = set()
    for entry in probes.tolist():
        small, row = int(shingles.texts[entry]), gram[entry]
        for large in shingles.texts[starts[row] : starts[row] + frequency[row]].tolist():
            pair = (min(small, large), max(small, large))
            usable = small != large and sizes[large] >= sizes[small] and long_enough[small] and long_enough[large]
            if usable and pair not in seen:
                seen.add(pair)
                shared = len(np.intersect1d(sets[small], sets[large], assume_unique=True))
                if shared >= SAME * sizes[small] - 1e-9:
                    yield pair, float(shared / (sizes[small] + sizes[large] - shared))


def find_passages(runs: Grams, episodes: Sequence[str]) -> list[tuple[int, int]]:
    """Index pairs of scenes of different episodes that share at least `SHARED_RUNS` long runs of words."""
    starts, frequency = postings(runs)
    shared: Counter[tuple[int, int]] = Counter()
    for row in np.flatnonzero((frequency > 1) & (frequency <= STOCK_SCENES)).tolist():
        scenes = runs.texts[starts[row] : starts[row] + frequency[row]].tolist()
        shared.update(combinations(scenes, 2))  # sorted, as the scenes of a run are
    return [pair for pair, count in shared.items() if count >= SHARED_RUNS and episodes[pair[0]] != episodes[pair[1]]]


def postings(grams: Grams) -> tuple[Ids, Ids]:
    """Of each distinct run, in their order: where the texts that hold it begin, and how many they are."""
    starts = np.flatnonzero(np.diff(grams.runs, prepend=-1))
    return starts, np.diff(starts, append=len(grams.runs))


def runs_of(grams: Grams) -> Mapping[int, Ids]:
    """Text → its distinct runs, sorted."""
    order = np.lexsort((grams.runs, grams.texts))
    parts = np.split(grams.runs[order], np.cumsum(grams.sizes)[:-1])
    return dict(enumerate(parts))


def jaccard(left: Ids, right: Ids) -> float:
    """Shared runs over all runs of two texts; nothing has nothing in common.

    >>> jaccard(np.array([1, 2, 3]), np.array([2, 3, 4]))
    0.5
    """
    shared = len(np.intersect1d(left, right, assume_unique=True))
    return float(shared / max(1, len(left) + len(right) - shared))
