"""The output folder: one build at a time, staged beside it, swapped in whole. A kill at any moment leaves a good one.

On Linux the old and the new folder change places in one step of the kernel. Elsewhere the old one is renamed aside
first; `heal` puts it back at the next start if the build was killed between the two renames.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .manifest import MANIFEST, files_of

SYSTEM_FILES = frozenset((".DS_Store", "Thumbs.db"))  # what desktop systems drop into any folder they show


class FolderError(Exception):
    """The output folder cannot be written; the message names it and the remedy."""


@contextmanager
def locked(out: Path) -> Iterator[int]:
    """Holds the build lock of `out`, a file beside it that is gone afterwards; yields its descriptor."""
    if not out.name:
        raise FolderError(f"{out} cannot be a dataset folder; choose another --out")
    path = out.with_name(f".{out.name}.lock")
    while True:
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
        except OSError as error:
            raise FolderError(f"cannot write beside {out}: {error.strerror}; choose another --out") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise FolderError(f"another build is writing {out}; wait for it or choose another --out") from None
        if _is_still(path, descriptor):
            break
        os.close(descriptor)  # its last owner removed it between our open and our lock
    try:
        yield descriptor
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def check_replaceable(out: Path) -> None:
    """Refuses to replace anything that a build did not write."""
    if not out.exists():
        return
    if not out.is_dir():
        raise FolderError(f"{out} is not a folder; choose another --out")
    ours = files_of(out)
    if not ours and any(out.iterdir()):
        raise FolderError(f"{out} is not a dataset folder (no {MANIFEST} of ours); choose another --out or remove it")
    present = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_symlink() or not path.is_dir()}
    if foreign := sorted(path for path in present - ours if Path(path).name not in SYSTEM_FILES):
        raise FolderError(f"{out} also holds {foreign[0]!r}, not written by a build; move it or choose another --out")


def heal(out: Path) -> None:
    """Under the lock: undoes and tidies up what a killed build left beside `out`."""
    aside = _aside(out)
    if aside.is_dir() and not out.exists():
        aside.rename(out)
    for left in [aside, *out.parent.glob(f".{_glob_escape(out.name)}.building-*")]:
        if left.is_dir():
            shutil.rmtree(left)


def _glob_escape(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _aside(out: Path) -> Path:
    return out.with_name(f".{out.name}.old")


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A fresh folder beside `out` to be filled; it takes the place of `out` if the block ends well."""
    staging = out.with_name(f".{out.name}.building-{os.getpid()}")
    staging.mkdir()
    try:
        yield staging
        _sync(staging)
        swap(staging, out)
        _sync_folder(out.parent)
    finally:
        shutil.rmtree(staging, ignore_errors=True)  # after a swap this is the old folder


def swap(staging: Path, out: Path) -> None:
    """Puts `staging` in the place of `out`, which need not exist."""
    if not out.exists():
        staging.rename(out)
    elif not _exchange(staging, out):
        aside = _aside(out)
        out.rename(aside)
        staging.rename(out)
        shutil.rmtree(aside)


def _exchange(left: Path, right: Path) -> bool:
    """Linux's renameat2(…, RENAME_EXCHANGE): two names change places and nobody sees a moment without one of them.

    Python has no name for it. False where the system or the file system does not offer it.
    """
    if sys.platform != "linux":
        return False
    at_cwd, rename_exchange = -100, 2  # AT_FDCWD of fcntl.h, RENAME_EXCHANGE of linux/fs.h
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False  # an old C library
    if renameat2(at_cwd, os.fsencode(left), at_cwd, os.fsencode(right), ctypes.c_uint(rename_exchange)) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), str(right))


def _sync(folder: Path) -> None:
    """Files first, then the folders that name them: after a power cut a swapped-in folder is whole."""
    for root, _, names in os.walk(folder, topdown=False):
        for name in names:
            _sync_folder(Path(root, name))
        _sync_folder(Path(root))


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
