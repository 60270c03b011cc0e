"""Fixtures for every test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub.stand_in import StandIn

collect_ignore = ["hub"]  # modules of the stand-in, not tests: its server imports them as hub.…, under no second name


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[StandIn]:
    """A Hub on loopback, empty and without users."""
    with StandIn(tmp_path / "hub") as running:
        yield running


@pytest.fixture
def own_environment() -> Iterator[None]:
    """`sft.main` sets variables for its own process; in a test that is everyone's."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
