"""Hashes over code and data, by which what was made before is known to be what would be made now."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable

NO_CODE = ("__pycache__",)


def hash_code(package: str, parts: Iterable[str] = ("",), without: Collection[str] = ()) -> str:
    """Return 16 hex digits over files of an installed package.

    A folder stands for all files in it, at any depth.
    `parts` and `without` are paths relative to the package; "" is all of it.

    >>> hash_code("friends_corpus", ["core"]) == hash_code("friends_corpus", ["core/model.py"])
    False
    """
    digest = hashlib.sha256()
    for part in parts:
        for name, file in _walk(files(package).joinpath(part), part, {*NO_CODE, *without}):
            digest.update(f"{name} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


def _walk(place: Traversable, name: str, without: Collection[str]) -> Iterator[tuple[str, Traversable]]:
    """Yield every file at or below `place` with its path, sorted."""
    if place.is_file():
        yield name, place
        return
    for part in sorted(place.iterdir(), key=lambda part: part.name):
        path = f"{name}/{part.name}".lstrip("/")
        if part.name not in NO_CODE and path not in without:
            yield from _walk(part, path, without)
