"""Fixtures for every test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hub.stand_in import StandIn
from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
settings.load_profile("untimed")
collect_ignore = ["hub"]  # modules of the stand-in, not tests: its server imports them as hub.…, under no second name


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[StandIn]:
    """A Hub on loopback, empty and without users."""
    with StandIn(tmp_path / "hub") as running:
        yield running


@contextmanager
def environment_kept() -> Iterator[None]:
    """Commands set variables for their own process; in a test that is everyone's."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def own_environment() -> Iterator[None]:
    """For a test, or by a mark for each of a file, that runs a command in this process."""
    with environment_kept():
        yield


@pytest.fixture(scope="module", autouse=True)
def environment_of_the_file() -> Iterator[None]:
    """What the fixtures of a file set stays within it."""
    with environment_kept():
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tell `make attack` by the report of a test, which travels between processes, what is attacked."""
    for item in items:
        if mark := item.get_closest_marker("attack"):
            item.user_properties.append(("attack", list(mark.args)))
