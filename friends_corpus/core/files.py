"""Files and folders that are only ever replaced whole: filled beside, swapped in. A kill leaves a good one.

A folder has one writer at a time. On Linux the old and the new folder change places in one step of the kernel.
Elsewhere the old one is renamed aside first; `heal` puts it back at the next start if the writer was killed in between.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import glob
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PART = ".part"  # how files end that are not whole yet


@contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Hold the lock of `folder`, a file beside it that is gone afterwards; yield its descriptor.

    Raises BlockingIOError while another process holds it, any other OSError where nothing can be written.
    """
    path = folder.with_name(f".{folder.name}.lock")
    while True:
        folder.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise
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


def heal(folder: Path) -> None:
    """Undo and tidy up, under the lock, what a killed writer left beside `folder`."""
    aside = _aside(folder)
    if aside.is_dir() and not folder.exists():
        aside.rename(folder)
    for left in [aside, *folder.parent.glob(f".{glob.escape(folder.name)}.building-*")]:
        if left.is_dir():
            shutil.rmtree(left)


def _aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Yield a fresh folder to be filled; it takes the place of `folder` if the block ends well."""
    staging = folder.with_name(f".{folder.name}.building-{os.getpid()}")
    staging.mkdir(parents=True)
    try:
        yield staging
        sync(staging)
        swap(staging, folder)
        sync_path(folder.parent)
    finally:
        shutil.rmtree(staging, ignore_errors=True)  # after a swap this is the old folder


def swap(staging: Path, folder: Path) -> None:
    """Put `staging` in the place of `folder`, which need not exist."""
    if not folder.exists():
        staging.rename(folder)
    elif not exchange(staging, folder):
        aside = _aside(folder)
        folder.rename(aside)
        staging.rename(folder)
        shutil.rmtree(aside)


def exchange(left: Path, right: Path) -> bool:
    """Let two names change places, so that nobody sees a moment without one of them.

    This is Linux's renameat2(…, RENAME_EXCHANGE), for which Python has no name. False where the system or the file
    system does not offer it.
    """
    at_cwd, rename_exchange = -100, 2  # AT_FDCWD of fcntl.h, RENAME_EXCHANGE of linux/fs.h
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False  # another system, or an old C library
    if renameat2(at_cwd, os.fsencode(left), at_cwd, os.fsencode(right), ctypes.c_uint(rename_exchange)) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), str(right))


def sync(folder: Path) -> None:
    """Write a folder to the disk, files first: after a power cut a swapped-in folder is whole."""
    for path in sorted([folder, *folder.rglob("*")], reverse=True):  # what is in a folder before the folder
        sync_path(path)


def sync_path(path: Path) -> None:
    """Write one file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: Path, durable: bool = True) -> Iterator[Path]:
    """Yield a path to write a file to; it takes the place of `path` if the block ends well.

    `durable`: even a power cut leaves the old file or the new one. Raises OSError.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}{PART}")
    try:
        yield part
        if durable:
            sync_path(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    if durable:
        sync_path(path.parent)


def write_whole(path: Path, content: bytes | str, durable: bool = True) -> None:
    """Write one file, whole or not at all. Raises OSError."""
    with replacing(path, durable) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


def cache_folder(kind: str) -> Path:
    """Return the folder of one kind of cache; the XDG rules ignore a relative path."""
    configured = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (configured if configured.is_absolute() else Path.home() / ".cache") / "friends-corpus" / kind


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's bytes as hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
