"""The lock of a dataset folder: one build at a time, and only in a folder of ours."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from friends_corpus.core import files
from friends_corpus.core.cli import InputError
from friends_corpus.core.manifest import MANIFEST
from friends_corpus.core.ownership import check_ours, read_listed

from .manifest import files_of


@contextmanager
def locked(out: Path) -> Iterator[int]:
    """Hold the lock of `out` and yield its file descriptor. Raises InputError."""
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


def check_replaceable(out: Path, overwrite: bool = False) -> None:
    """Refuse to replace what no build wrote, and what was changed since. Raises InputError."""
    if not out.exists():
        return
    if not out.is_dir():
        raise InputError(f"{out} is not a folder; choose another --out")
    if not files_of(out) and any(out.iterdir()):
        raise InputError(
            f"{out} is not a dataset folder (no {MANIFEST} of ours); choose another --out or remove the folder"
        )
    check_ours(out, {MANIFEST: None, **(read_listed(out / MANIFEST) or {})}, "build", overwrite)
