"""Ids: what is formatted is taken apart to what it was made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from friends_corpus.core import ids

TWO_DIGITS, COUNT = st.integers(0, 99), st.integers(0, 20_000)


@given(TWO_DIGITS, TWO_DIGITS, COUNT, COUNT)
def test_back_and_forth(season: int, number: int, scene: int, position: int) -> None:
    episode = ids.episode_id(season, number)
    line = ids.line_id(episode, scene, position)
    chunk = ids.chunk_id(ids.scene_id(episode, scene), position)
    for row, kind in ((line, "line"), (chunk, "chunk")):
        assert ids.kind_of(row) == kind
        assert ids.numbers_of(row) == (season, number, scene, position)
        assert (ids.season_of(row), ids.episode_of(row), ids.scene_of(row)) == (
            season,
            episode,
            ids.scene_id(episode, scene),
        )


@pytest.mark.parametrize(
    "id",
    ["", "Joey", "s01e01", "s01e01_c03", "s01e01_c03_u012", "s01e01_c3_u0012", "s01e01_c03_u0012 ", "s٠١e01_c03_k02"],
)
def test_no_row(id: str) -> None:
    assert ids.kind_of(id) is None
    assert ids.numbers_of(id) == ()
