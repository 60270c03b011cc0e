"""Files that are whole or not there at all, and their hashes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from friends_corpus.core.files import replacing, sha256_of, write_whole

CONTENTS = ("old", "новый")


def test_one_file_after_the_other(tmp_path: Path) -> None:
    for content in (*CONTENTS, b"\xff"):
        write_whole(tmp_path / "a.txt", content)
        assert (tmp_path / "a.txt").read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("durable", [True, False])
def test_an_error_leaves_the_old_file_alone(tmp_path: Path, durable: bool) -> None:
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(OSError, match="full"), replacing(tmp_path / "a.txt", durable) as part:
        part.write_text("half")
        raise OSError("full")
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_the_disk_is_asked_before_the_name_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError("full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="full"):
        write_whole(tmp_path / "a.txt", "new")
    assert not list(tmp_path.iterdir())


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"")
    assert sha256_of(tmp_path / "x").startswith("e3b0c44298fc1c14")
