"""Find repeated scenes and clips in the transcripts, exactly; they are marked, never deleted.

Four words are used for four things. Two scenes are *copies* if at least 80 % of the shorter one's five-word shingles
are in the other: that holds for near-duplicates (80 % Jaccard similarity implies it) and for the clips of a clip show,
which are parts of a scene. Two scenes of different episodes share *passages* if at least eight runs of 13 words are
the same: what is left of a clip whose scene has other things too. An episode is *seen* if more than 0.1 % of its runs
of 13 words stand in others: what many clips make that are too short for passages. In 61 pages an episode that shares
no passages shares not a single run, so that no stock phrase comes near. Everything else that is alike is small talk.

No library: with an index of the rare shingles, comparing the 840 scenes of 61 pages exactly takes 0.4 s, where only the
signatures of an approximate search (datasketch 2.0, 128 permutations) take 1.4 s, and need this check after it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby

import numpy as np
import pyarrow as pa

from friends_corpus.core.ids import episode_of, scene_of
from friends_corpus.core.ngrams import Grams, Ids, Words, read_words

SCENE_CHARACTERS = 200  # of speech; shorter scenes are too small to tell a repeat from a coincidence
SHINGLE_WORDS = 5
SAME = 0.8  # of the shorter scene's shingles, for a copy; of both scenes' shingles (Jaccard), for a near-duplicate
LONG_RUN = 13  # words; the usual length in reports on test data that was seen in training
SHARED_RUNS = 8  # runs of 13 words: a passage of 20 words, or two of 16; in 61 pages unrelated scenes share none
SEEN = (
    0.001  # of its runs of 13 words: more must nothing that is held out share; 3 runs of 2,500, as 15 words make them
)
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
class Shared:
    """Of the runs of 13 words of an episode: how many there are, and how many of them stand in others, too."""

    runs: int
    elsewhere: int

    @property
    def seen(self) -> bool:
        """Whether these are too many for an episode that is held out."""
        return self.elsewhere > SEEN * self.runs


@dataclass(frozen=True, slots=True)
class Duplicates:
    """All scenes of a build, their words, which pairs of them repeat each other, and what each episode shares."""

    scenes: tuple[SceneText, ...]
    words: Words
    shingles: Grams
    long_runs: Grams
    pairs: tuple[Pair, ...]
    shared: Mapping[str, Shared]  # by episode

    def episodes(self) -> set[str]:
        """Return the episodes that must not be held out: they share too much text with another one."""
        linked = [(self.scenes[pair.left].episode, self.scenes[pair.right].episode) for pair in self.pairs]
        repeated = {id for left, right in linked if left != right for id in (left, right)}
        return repeated | {id for id, shared in self.shared.items() if shared.seen}

    def clusters(self) -> dict[str, str]:
        """Map scene ids to clusters of copies, `d001`, `d002`, … in order of their first scenes.

        Clusters are chains of copies. Passages make none: a clip show that quotes one sentence of a scene is no
        duplicate of it, and would chain half of a season into one cluster.
        """
        first = np.arange(len(self.scenes))  # of each scene: the first one of its chain
        for pair in self.pairs:
            if pair.copies and first[pair.left] != first[pair.right]:
                earlier, later = sorted((first[pair.left], first[pair.right]))
                first[first == later] = earlier
        heads = [scene for scene, size in sorted(Counter(first.tolist()).items()) if size > 1]
        names = {scene: f"d{number:03d}" for number, scene in enumerate(heads, start=1)}
        return {scene.id: names[head] for scene, head in zip(self.scenes, first.tolist(), strict=True) if head in names}


def find_duplicates(scenes: Sequence[SceneText]) -> Duplicates:
    """Compare the speech of all scenes of all episodes."""
    words = read_words([scene.text for scene in scenes])
    shingles = words.grams(SHINGLE_WORDS)
    copies = dict(find_copies(shingles, [len(scene.text) >= SCENE_CHARACTERS for scene in scenes]))
    long_runs = words.grams(LONG_RUN)
    episodes = [scene.episode for scene in scenes]
    passages = find_passages(long_runs, episodes)
    sets = runs_of(shingles)
    pairs = [
        Pair(left, right, copies.get((left, right)) or jaccard(sets[left], sets[right]), (left, right) in copies)
        for left, right in sorted({*copies, *passages})
    ]
    return Duplicates(tuple(scenes), words, shingles, long_runs, tuple(pairs), find_shared(long_runs, episodes))


def scene_texts(lines: pa.Table) -> list[SceneText]:
    """Return the scenes in rows of `lines`, in order.

    >>> ids = ["s01e01_c01_u0000", "s01e01_c01_u0001", "s01e01_c02_u0002"]
    >>> scene_texts(pa.table({"id": ids, "text": ["Hi.", "Oh.", "Bye."]}))[0]
    SceneText(id='s01e01_c01', episode='s01e01', text='Hi. Oh.')
    """
    speech = zip(lines["id"].to_pylist(), lines["text"].to_pylist(), strict=True)
    scenes = groupby(speech, key=lambda line: scene_of(line[0]))
    return [SceneText(id, episode_of(id), " ".join(text for _, text in turns)) for id, turns in scenes]


def find_copies(shingles: Grams, long_enough: Sequence[bool]) -> Iterator[tuple[tuple[int, int], float]]:
    """Yield index pairs of copies, with their Jaccard: at least 80 % of the smaller scene is in the other.

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
    """Find pairs of scenes of different episodes that share at least `SHARED_RUNS` long runs of words."""
    starts, frequency = postings(runs)
    shared: Counter[tuple[int, int]] = Counter()
    for row in np.flatnonzero((frequency > 1) & (frequency <= STOCK_SCENES)).tolist():
        scenes = runs.texts[starts[row] : starts[row] + frequency[row]].tolist()
        shared.update(combinations(scenes, 2))  # sorted, as the scenes of a run are
    return [pair for pair, count in shared.items() if count >= SHARED_RUNS and episodes[pair[0]] != episodes[pair[1]]]


def find_shared(runs: Grams, episodes: Sequence[str]) -> dict[str, Shared]:
    """Count the long runs of each episode, and those also found in other episodes; stock phrases are left out."""
    numbers = {episode: number for number, episode in enumerate(dict.fromkeys(episodes))}
    merged = runs.merged(np.array([numbers[episode] for episode in episodes], dtype=np.int64), len(numbers))
    (_, scenes), (_, holders) = postings(runs), postings(merged)  # of the same runs in the same order
    is_shared = np.repeat((holders > 1) & (scenes <= STOCK_SCENES), holders)
    elsewhere = np.bincount(merged.texts[is_shared], minlength=len(numbers))
    return {episode: Shared(int(merged.sizes[number]), int(elsewhere[number])) for episode, number in numbers.items()}


def postings(grams: Grams) -> tuple[Ids, Ids]:
    """Return for each distinct run the start of its list of texts, and its length."""
    starts = np.flatnonzero(np.diff(grams.runs, prepend=-1))
    return starts, np.diff(starts, append=len(grams.runs))


def runs_of(grams: Grams) -> Mapping[int, Ids]:
    """Map each text to its distinct runs, sorted."""
    order = np.lexsort((grams.runs, grams.texts))
    parts = np.split(grams.runs[order], np.cumsum(grams.sizes)[:-1])
    return dict(enumerate(parts))


def jaccard(left: Ids, right: Ids) -> float:
    """Return the Jaccard similarity of two sets of runs, 0 if both are empty.

    >>> jaccard(np.array([1, 2, 3]), np.array([2, 3, 4]))
    0.5
    """
    shared = len(np.intersect1d(left, right, assume_unique=True))
    return float(shared / max(1, len(left) + len(right) - shared))
