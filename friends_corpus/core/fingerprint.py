"""Hash code and data, to tell whether an earlier result would be the same today."""

import hashlib
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path


def hash_code(package: str, parts: Iterable[str] = ("",), without: Iterable[str] = ()) -> str:
    """Return 16 hex digits over files of an installed package.

    A folder stands for all files in it, at any depth.
    `parts` and `without` are paths relative to the package; "" is all of it.

    >>> hash_code("friends_corpus", ["core"]) == hash_code("friends_corpus", ["core/model.py"])
    False
    """
    digest = hashlib.sha256()
    root = Path(str(files(package)))
    for part in parts:
        for path in sorted([root / part, *(root / part).rglob("*")]):
            name = path.relative_to(root)
            left_out = "__pycache__" in name.parts or any(name.is_relative_to(other) for other in without)
            if path.is_file() and not left_out:
                digest.update(f"{name.as_posix()} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]
