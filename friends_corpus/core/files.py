"""Replace files and folders atomically: write beside, then swap. A kill leaves the old one or the new one.

What is being written lies in a workspace beside its target, a folder with a random name whose marker says that it is
ours; nothing without one is ever tidied up. A folder has one writer at a time. On Linux the old and the new folder
change places in one step of the kernel. Elsewhere the old one is renamed into the workspace first; `heal` puts it back
at the next start if the writer was killed in between.
"""

import ctypes
import errno
import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from .cli import InputError

TOOL = "friends-corpus"
MARKER = "friends-corpus.json"  # the first file in any folder that is not whole yet: it says that it is ours
NEW, OLD = "new", "old"  # in a workspace: what is being written, and the folder whose place it takes
WORKSPACE = re.compile(r"\.(?P<target>.+)\.[0-9a-f]{8}")  # .friends-lines.0d1fa973
LEFTOVER = re.compile(rf"{WORKSPACE.pattern}|\.(?P<other>.+?)\.(?:old|building-[^.]+|(?:\d+\.)?part)")  # and before 0.2


@contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Hold the lock of `folder`, an empty file beside it that is gone afterwards; yield its descriptor.

    Raises BlockingIOError while another process holds it, any other OSError where nothing can be written.
    """
    path = folder.with_name(f".{folder.name}.lock")
    while True:
        folder.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o644)
        try:
            if os.fstat(descriptor).st_size:
                raise FileExistsError(errno.EEXIST, f"{path.name} is no lock of ours, move it away", str(path))
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise
        if _is_still(path, descriptor):
            break
        os.close(descriptor)  # its last owner removed it between our open and our lock
    try:
        yield descriptor
    finally:
        if _is_still(path, descriptor) and not os.fstat(descriptor).st_size:
            path.unlink(missing_ok=True)
        os.close(descriptor)


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def mark(folder: Path, target: str) -> None:
    """Make a folder that is provably ours, on the way to `target`. Raises OSError, also if it is there."""
    folder.mkdir(parents=True)
    (folder / MARKER).write_text(json.dumps({"tool": TOOL, "target": target}), encoding="utf-8")


def is_marked(folder: Path, target: str) -> bool:
    """Tell whether `mark` made the folder; one without a byte in it is taken for ours as well."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    marker = folder / MARKER
    if not marker.is_file() or marker.is_symlink():
        return not any(folder.iterdir())
    try:
        content = marker.read_bytes()
        begun = not content and len([*folder.iterdir()]) == 1
        return begun or json.loads(content) == {"tool": TOOL, "target": target}
    except (ValueError, RecursionError):
        return False


@contextmanager
def _workspace(target: Path) -> Iterator[Path]:
    work = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    mark(work, target.name)
    try:
        yield work
    finally:
        with suppress(OSError):
            _tidy(work, target)


def _tidy(work: Path, target: Path) -> None:
    """Undo a swap that was not finished, and remove a workspace, its marker last."""
    if (work / OLD).is_dir() and not os.path.lexists(target):
        (work / OLD).rename(target)
    discard(work)


def discard(folder: Path) -> None:
    """Remove a marked folder, its marker last: a kill on the way leaves it marked."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != MARKER:
            path.unlink()
    (folder / MARKER).unlink(missing_ok=True)
    folder.rmdir()


def heal(target: Path) -> None:
    """Undo and tidy up, under the lock, what killed writers of `target` left beside it."""
    sweep(target.parent, target.name)


def sweep(folder: Path, name: str | None = None) -> None:
    """Tidy up after killed writers of files and folders in `folder`, or of just that name.

    What looks like a leftover and has no marker of ours is reported, and left alone.
    """
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        match = LEFTOVER.fullmatch(path.name)
        target = match and (match["target"] or match["other"])
        if not target or name not in (None, target):
            continue
        if match and match["target"] and is_marked(path, target):
            _tidy(path, folder / target)
        else:
            print(f"note: {path} is left alone: no marker of ours says what it is", file=sys.stderr)


@contextmanager
def staged(folder: Path, check: Callable[[], None] = lambda: None) -> Iterator[Path]:
    """Yield a fresh folder to be filled; it takes the place of `folder` if the block ends well.

    `check` is called last of all before that; if it raises, nothing is replaced.
    """
    with _workspace(folder) as work:
        (work / NEW).mkdir()
        yield work / NEW
        sync(work)
        check()
        swap(work / NEW, folder)
        sync_path(folder.parent)


def swap(staging: Path, folder: Path) -> None:
    """Put `staging`, a folder in a workspace, in the place of `folder`, which need not exist."""
    if not os.path.lexists(folder):
        staging.rename(folder)
    elif not exchange(staging, folder):
        aside = staging.with_name(OLD)
        folder.rename(aside)
        staging.rename(folder)
        aside.rename(staging)  # from here on it is never put back


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
    with _workspace(path) as work:
        yield work / NEW
        if durable:
            sync_path(work / NEW)
        (work / NEW).replace(path)
    if durable:
        sync_path(path.parent)


def write_whole(path: Path, content: bytes | str, durable: bool = True) -> None:
    """Write one file, whole or not at all. Raises OSError."""
    with replacing(path, durable) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


def check_new(path: Path) -> None:
    """Refuse a file for an output that is there already. Raises InputError."""
    if path.is_symlink() or path.is_file():
        raise InputError(f"{path} is there already; choose another name or remove it")


def open_new(path: Path) -> IO[str]:
    """Open a file that the user named for an output; one that is there stays. Raises InputError, OSError."""
    check_new(path)
    return path.open("w" if path.exists() else "x", encoding="utf-8")  # a pipe or a terminal may be there


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's bytes as hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
