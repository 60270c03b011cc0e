"""The dataset folder: whose it is, and one build at a time in it. How it is replaced is friends_corpus.core.files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from friends_corpus.core import files
from friends_corpus.core.cli import InputError
from friends_corpus.core.manifest import MANIFEST

from .manifest import files_of

SYSTEM_FILES = frozenset((".DS_Store", "Thumbs.db"))  # what desktop systems drop into any folder they show


@contextmanager
def locked(out: Path) -> Iterator[int]:
    """The lock of `out` and its descriptor. Raises InputError."""
    if not out.name:
        raise InputError(f"{out} cannot be a dataset folder; choose another --out")
    with ExitStack() as stack:
        try:
            descriptor = stack.enter_context(files.locked(out))
        except BlockingIOError:
            raise InputError(f"another build is writing {out}; wait for it or choose another --out") from None
        except OSError as error:
            raise InputError(f"cannot write beside {out}: {error.strerror}; choose another --out") from None
        yield descriptor


def check_replaceable(out: Path) -> None:
    """Refuses to replace anything that a build did not write."""
    if not out.exists():
        return
    if not out.is_dir():
        raise InputError(f"{out} is not a folder; choose another --out")
    ours = files_of(out)
    if not ours and any(out.iterdir()):
        raise InputError(f"{out} is not a dataset folder (no {MANIFEST} of ours); choose another --out or remove it")
    present = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_symlink() or not path.is_dir()}
    if foreign := sorted(path for path in present - ours if Path(path).name not in SYSTEM_FILES):
        raise InputError(f"{out} also holds {foreign[0]!r}, not written by a build; move it or choose another --out")
