"""Repeated scenes: found exactly, marked, kept out of what is held out; and the certificate that says so."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from invented import episode, write_pages
from real import PAGES, needs_pages

from builders import build
from builders.configs.lines import line_rows
from builders.configs.schema import to_table
from builders.configs.tables import RowSettings, make_rows
from builders.reports.warnings import find_leaks
from builders.splitting.duplicates import (
    LONG_RUN,
    SAME,
    SEEN,
    SHARED_RUNS,
    SHINGLE_WORDS,
    STOCK_SCENES,
    Duplicates,
    SceneText,
    Shared,
    find_copies,
    find_duplicates,
    find_passages,
    find_shared,
    scene_texts,
)
from builders.splitting.leakage import abridged, measure_leakage
from builders.splitting.splits import assign_splits
from friends_corpus.core import ngrams
from friends_corpus.core.ngrams import WORD, read_words


def speech(seed: int, words: int = 60) -> str:
    return " ".join(random.Random(seed).choices([f"word{n}" for n in range(500)], k=words))


def part(seed: int, start: int, end: int) -> str:
    return " ".join(speech(seed).split()[start:end])


def pages(*scenes: Sequence[str]) -> list[SceneText]:
    """The scenes of episodes 0101, 0102, …, in which Joey says one thing."""
    made = [[[("Joey", text)] for text in texts] for texts in scenes]
    episodes = [episode(*texts, page=f"01{number:02d}.html") for number, texts in enumerate(made, start=1)]
    return scene_texts(to_table("lines", [row for made in episodes for row in line_rows(made)]))


def kinds(found: Duplicates) -> list[tuple[str, str, str]]:
    everything = measure_leakage(found, dict.fromkeys({scene.episode for scene in found.scenes}, "train"))
    return [(*pair["scenes"], pair["kind"]) for pair in everything["pairs"]]


# What counts as a repeat: a table of pairs of scenes.


@pytest.mark.parametrize(
    ("left", "right", "kind"),
    [
        pytest.param(speech(1), speech(1), "near-duplicate", id="the same"),
        pytest.param(speech(1), speech(1).upper().replace(" ", "...  "), "near-duplicate", id="another transcriber"),
        pytest.param(speech(1), f"{speech(1)} {part(2, 0, 6)}", "near-duplicate", id="some words more"),
        pytest.param(speech(1), f"{speech(1)} {speech(2)}", "clip", id="a clip is a part of the scene"),
        pytest.param(part(1, 0, 40), f"{speech(2)} {speech(1)}", "clip", id="a clip of a part of the scene"),
        pytest.param(f"{part(1, 0, 25)} {speech(2)}", f"{part(1, 0, 25)} {speech(3)}", "passage", id="a passage"),
        pytest.param(part(1, 0, 22), part(1, 0, 22), "passage", id="the same but short"),
        pytest.param(f"{part(1, 0, 19)} {speech(2)}", f"{part(1, 0, 19)} {speech(3)}", "seen", id="19 words"),
        pytest.param(part(1, 0, 12), part(1, 0, 12), None, id="a short scene"),
        pytest.param("How are you? " * 5, "How are you? " * 5, "seen", id="all the same"),
        pytest.param(speech(1), speech(2), None, id="different scenes"),
        pytest.param("?!" * 200, "?!" * 200, None, id="no words"),
        pytest.param("a" * 300, "a" * 300, None, id="one word"),
        pytest.param("...", "Hi.", None, id="nothing said"),
    ],
)
@pytest.mark.parametrize("swap", [False, True], ids=["", "swapped"])
def test_kinds_of_repeats(left: str, right: str, kind: str | None, swap: bool) -> None:
    found = find_duplicates(pages([right], [left]) if swap else pages([left], [right]))
    assert kinds(found) == ([("s01e01_c01", "s01e02_c01", kind)] if kind and kind != "seen" else [])
    assert found.episodes() == ({"s01e01", "s01e02"} if kind else set())
    clustered = kind in ("near-duplicate", "clip")
    assert found.clusters() == ({"s01e01_c01": "d001", "s01e02_c01": "d001"} if clustered else {})


def test_a_scene_twice_in_one_episode_is_a_cluster_and_no_leak() -> None:
    found = find_duplicates(pages([speech(1), speech(2), speech(1)], [speech(3)]))
    assert found.clusters() == {"s01e01_c01": "d001", "s01e01_c03": "d001"}
    assert found.episodes() == set()


def test_a_passage_twice_in_one_episode_is_nothing() -> None:
    found = find_duplicates(pages([f"{part(1, 0, 25)} {speech(2)}", f"{part(1, 0, 25)} {speech(3)}"]))
    assert found.pairs == ()


def test_clusters_are_of_scenes_and_numbered_in_order() -> None:
    clip_show = [f"{part(4, 0, 30)} {speech(9)}", part(2, 5, 50), part(1, 0, 45), part(1, 10, 60)]
    found = find_duplicates(pages([speech(1), speech(5)], [speech(4), speech(2)], [speech(6)], clip_show))
    clusters = found.clusters()
    assert clusters == {
        "s01e01_c01": "d001",
        "s01e04_c03": "d001",
        "s01e04_c04": "d001",
        "s01e02_c02": "d002",
        "s01e04_c02": "d002",
    }  # a passage of s01e02_c01 is in the clip show too: no cluster, but no leak either
    assert found.episodes() == {"s01e01", "s01e02", "s01e04"}


def test_no_scenes() -> None:
    found = find_duplicates([])
    assert found.clusters() == {}
    assert measure_leakage(found, {})["splits"] == []


def test_a_formula_in_many_scenes_ties_nothing() -> None:
    formula = part(1, 0, 30)
    found = find_duplicates(pages(*([f"{formula} {speech(number)}"] for number in range(2, 62))))
    assert found.pairs == ()


def test_a_clip_show_of_clips_too_short_for_a_passage_is_seen() -> None:
    """Thirty clips of 18 words, each from an episode of its own: no two scenes share a passage."""
    sources = [[f"{speech(number)} {part(1000 + number, 0, 18)}"] for number in range(30)]
    clips = [f"{part(2000 + number, 0, 8)} {part(1000 + number, 0, 18)}" for number in range(30)]
    found = find_duplicates(pages(*sources, clips, *([speech(3000 + number, 4000)] for number in range(2))))
    assert found.pairs == ()
    assert found.shared["s01e31"] == Shared(runs=30 * 14, elsewhere=30 * 6)
    assert found.shared["s01e32"] == Shared(runs=4000 - LONG_RUN + 1, elsewhere=0)
    assert found.episodes() == {f"s01e{number:02d}" for number in range(1, 32)}


@pytest.mark.parametrize(
    ("words", "seen"), [pytest.param(15, False, id="3 runs in 3,000"), pytest.param(16, True, id="4 runs in 3,000")]
)
def test_a_stock_phrase_makes_no_episode_seen(words: int, seen: bool) -> None:
    texts = [f"{speech(number, 3012 - words)} {part(1, 0, words)}" for number in (2, 3)]
    found = find_duplicates(pages(*([text] for text in texts)))
    assert found.shared["s01e01"] == Shared(runs=3000, elsewhere=words - LONG_RUN + 1)
    assert found.episodes() == ({"s01e01", "s01e02"} if seen else set())


# Exactness: against brute force, with sets of words.


def sets(texts: Sequence[str], length: int) -> list[set[tuple[str, ...]]]:
    split = [WORD.findall(text.lower()) for text in texts]
    return [{tuple(words[at : at + length]) for at in range(len(words) - length + 1)} for words in split]


@pytest.fixture(scope="module")
def texts() -> list[str]:
    chance = random.Random(7)
    made = [chance.choices("abcdefgh", k=chance.randint(0, 60)) for _ in range(60)]
    for _ in range(140):  # copies and parts with some words changed: all similarities occur
        copy = list(chance.choice(made))
        copy = copy[chance.randint(0, 15) :] if chance.random() < 0.5 else copy
        for _ in range(chance.randint(0, 3)):
            copy.insert(chance.randint(0, len(copy)), chance.choice("xyz"))
        made.append(copy + chance.choices("abcdefgh", k=chance.choice([0, 0, 0, 30])))
    return [" ".join(words) for words in made]


@pytest.mark.parametrize("largest", [ngrams.LARGEST, 100], ids=["numbered by words", "numbered by parts"])
@pytest.mark.parametrize("length", [1, 2, 3, 5, 8, 13])
def test_grams_equal_brute_force(length: int, largest: int, texts: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ngrams, "LARGEST", largest)
    grams = read_words(texts).grams(length)
    expected = sets(texts, length)
    assert grams.sizes.tolist() == [len(found) for found in expected]
    holders = {run: [index for index, found in enumerate(expected) if run in found] for run in set().union(*expected)}
    found = np.split(grams.texts, np.flatnonzero(np.diff(grams.runs)) + 1)
    assert sorted(part.tolist() for part in found) == sorted(holders.values())


def test_copies_equal_brute_force(texts: list[str]) -> None:
    shingles = sets(texts, SHINGLE_WORDS)
    expected = {}
    for a, b in itertools.combinations(range(len(texts)), 2):
        shared = len(shingles[a] & shingles[b])
        if shared and shared >= SAME * min(len(shingles[a]), len(shingles[b])):
            expected[a, b] = shared / len(shingles[a] | shingles[b])
    assert len(expected) > 50
    assert any(jaccard < 0.5 for jaccard in expected.values())
    assert dict(find_copies(read_words(texts).grams(SHINGLE_WORDS), [True] * len(texts))) == pytest.approx(expected)


def test_passages_equal_brute_force(texts: list[str]) -> None:
    runs = sets(texts, LONG_RUN)
    pairs = itertools.combinations(range(len(texts)), 2)
    expected = [(a, b) for a, b in pairs if len(runs[a] & runs[b]) >= SHARED_RUNS]
    found = find_passages(read_words(texts).grams(LONG_RUN), [str(index) for index in range(len(texts))])
    assert len(expected) > 20
    assert sorted(found) == expected


def test_shared_runs_equal_brute_force(texts: list[str]) -> None:
    episodes = [f"e{index // 10}" for index in range(len(texts))]
    runs = {name: set[tuple[str, ...]]() for name in episodes}
    scenes = sets(texts, LONG_RUN)
    for name, found in zip(episodes, scenes, strict=True):
        runs[name] |= found
    usual = {run for run in set().union(*scenes) if sum(run in scene for scene in scenes) <= STOCK_SCENES}
    others = {name: set().union(*(runs[other] for other in runs if other != name)) for name in runs}
    assert find_shared(read_words(texts).grams(LONG_RUN), episodes) == {
        name: Shared(len(runs[name]), len(runs[name] & others[name] & usual)) for name in runs
    }


# The certificate: also of splits that leak.

SPLITS = {"s01e01": "train", "s01e02": "validation", "s01e03": "test"}


def certificate(*scenes: Sequence[str]) -> dict[tuple[str, str], dict]:
    rows = measure_leakage(find_duplicates(pages(*scenes)), SPLITS)["splits"]
    return {(row["split"], row["against"]): row for row in rows}


def test_clean_splits() -> None:
    rows = certificate([speech(1), speech(2)], [speech(3)], [speech(4), "Hi."])
    assert list(rows) == [("test", "train"), ("validation", "train"), ("test", "validation")]
    for row in rows.values():
        assert (row["shared_scenes"], row["largest_jaccard"], row["shared_runs"]) == (0, 0.0, 0)
        assert row["stock_phrases"] == []
    assert rows["test", "train"]["scenes"] == 2
    assert rows["test", "train"]["runs"] == 60 - LONG_RUN + 1


def test_a_leak_is_measured() -> None:
    leaked = f"{part(1, 0, 50)} {speech(7, 10)}"
    rows = certificate([speech(1)], [leaked], [f"{part(1, 20, 35)} {speech(4)}", "How are you?"])
    row = rows["validation", "train"]
    assert row["shared_scenes"] == 1
    assert row["largest_jaccard"] == round(46 / (56 + 56 - 46), 3)
    assert (row["shared_runs"], row["runs"]) == (38, 48)
    assert row["shared_runs_share"] == round(38 / 48, 6)
    assert row["stock_phrases"] == [{"phrase": part(1, 0, 50), "times": 1, "scene": "s01e02_c01"}]
    assert (row["within_target"], row["phrases"]) == (False, 1)
    row = rows["test", "train"]
    assert (row["shared_scenes"], row["shared_runs"]) == (0, 3)
    assert row["stock_phrases"] == [{"phrase": part(1, 20, 35), "times": 1, "scene": "s01e03_c01"}]
    assert rows["test", "validation"]["shared_runs"] == 3


def test_at_most_ten_phrases_the_longest() -> None:
    phrases = [" ".join(f"p{number}w{n}" for n in range(13 + number % 4)) for number in range(14)]
    twice = [f"{phrase} {speech(100 + number)}" for number, phrase in enumerate([*phrases, phrases[3]])]
    row = certificate([" ".join(phrases)], [speech(3)], twice)["test", "train"]
    assert (row["phrases"], len(row["stock_phrases"])) == (14, 10)
    assert {"phrase": phrases[3], "times": 2, "scene": "s01e03_c04"} in row["stock_phrases"]
    lengths = [len(phrase["phrase"]) for phrase in row["stock_phrases"]]
    assert lengths == sorted(lengths, reverse=True)


def test_no_scene_is_long_enough() -> None:
    rows = certificate([speech(1)], ["Hi."], ["Hi."])
    assert rows["validation", "train"]["largest_jaccard"] is None


def test_a_missed_target_is_a_warning() -> None:
    """Only a formula in very many scenes can come to that in a build: what else is shared goes to train."""
    scenes = [[f"{part(1, 0, 30)} only{number} {speech(number)}"] for number in range(2, 62)]
    found = find_duplicates(pages(*scenes))
    assert found.episodes() == set()
    ids = [scene.episode for scene in found.scenes]
    [leak, *others] = find_leaks(measure_leakage(found, {id: "test" if id == ids[0] else "train" for id in ids}))
    assert (leak.kind, leak.id, leak.excerpt) == ("seen elsewhere", "test", "22.785 % are in train, too")
    assert others == []
    assert find_leaks(measure_leakage(find_duplicates(pages(*([speech(n)] for n in range(3)))), SPLITS)) == []


# In the built folder.


def test_a_build_with_a_clip_show(tmp_path: Path) -> None:
    folder = write_pages(tmp_path / "pages", range(1, 9))
    first = (folder / "0101.html").read_text(encoding="utf-8")
    start, end = first.index("<p>[Scene"), first.index("<p>(They leave.)</p>")
    clip = (folder / "0108.html").read_text(encoding="utf-8").replace("<p><b>End</b></p>", first[start:end])
    (folder / "0108.html").write_text(clip, encoding="utf-8")
    out = tmp_path / "friends-lines"
    assert build.main(["--pages", str(folder), "--out", str(out), "--jobs", "1", "--no-cache"]) == 0
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    stats = json.loads((out / "stats.json").read_text(encoding="utf-8"))
    assert {"s01e01", "s01e08"} <= set(manifest["splits"]["train"])
    assert [page["episode"] for page in manifest["pages"] if page.get("repeats")] == ["s01e01", "s01e08"]
    assert manifest["leakage"]["train_only"] == ["s01e01", "s01e08"]
    assert [row["shared_scenes"] for row in manifest["leakage"]["splits"]] == [0, 0, 0]
    assert all(row["largest_jaccard"] < SAME for row in manifest["leakage"]["splits"])
    assert stats["leakage"]["pairs"] == [
        {"scenes": ["s01e01_c01", "s01e08_c03"], "kind": "near-duplicate", "jaccard": 1.0}
    ]
    assert manifest["leakage"] == abridged(stats["leakage"])
    for config in ("lines", "named_lines", "chunks"):
        rows = pq.read_table(out / config).to_pylist()
        marked = {row["id"].rpartition("_")[0] for row in rows if row["dup_cluster"] == "d001"}
        assert marked == {"s01e01_c01", "s01e08_c03"}
        assert {row["dup_cluster"] for row in rows} == {None, "d001"}
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "2 scenes in 1 cluster" in card
    assert card.count("| 0 | 0.0") == 3


@pytest.mark.slow
@needs_pages
def test_the_real_pages_do_not_leak() -> None:
    from builders.page_cache.pages import ReadPage, read_files
    from friends_corpus.show.page_names import find_pages

    read = [
        page for file in read_files(find_pages(PAGES), None, None) for page in file.pages if isinstance(page, ReadPage)
    ]
    episodes = [page.episode for page in read if not page.episode.variant]
    rows = make_rows(episodes, RowSettings("Friends", [], 1200))
    found = find_duplicates(scene_texts(rows["lines"]))
    here = {made.id for made in episodes}
    assert {"s04e21", "s07e21", "s08e19", "s10e10", "s06e18"} & here <= found.episodes()  # clip shows, and a repeat
    if {"s06e18", "s08e19"} <= here:
        assert found.clusters()["s06e18_c16"] == found.clusters()["s08e19_c08"]
    result = measure_leakage(found, assign_splits((made.id for made in episodes), train_only=found.episodes()))
    for row in result["splits"]:
        assert row["shared_scenes"] == 0
        assert row["largest_jaccard"] < SAME
        assert row["shared_runs_share"] <= SEEN
        assert row["within_target"]
    # Nothing but clip shows, repeats and what they show: an episode without a shared passage shares not one run.
    assert {id for id, shared in found.shared.items() if shared.elsewhere} == found.episodes()
