"""What is kept between runs: signed entries, in folders that only this user can write to.

The cache is `$XDG_CACHE_HOME/friends-corpus`, with a folder for each kind. Entries are JSON behind a keyed hash (HMAC)
over their kind, name and content; the user's key lies elsewhere, in `$XDG_STATE_HOME/friends-corpus/key`. An entry that
is damaged, of another shape, or signed with another key is as good as none, and is reported. A cache of another user
is read, not written: it is of use to those to whom its owner gave the key.
"""

from __future__ import annotations

import atexit
import errno
import hmac
import json
import os
import secrets
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .files import TOOL, heal, locked, sha256_of, staged, sync_path, write_whole
from .reader import Schema, adapter

KEY_BYTES, LARGEST = 32, 256 << 20
WRITE, ACCESS = 0o022, 0o077  # what others may not do


@dataclass(frozen=True, slots=True)
class Cache:
    """A kind of cache, as `open_cache` found it; it can be handed to other processes and holds no key."""

    folder: Path
    read_only: bool = False

    def load(self, name: str, schema: type[Schema], refuse: Callable[[Path], object] | None = None) -> Schema | None:
        """Return what `store` kept, or None; `refuse` gets the path of an entry that is not as it was stored."""
        path = self.folder / name
        try:
            signature, _, payload = _read(path, LARGEST).partition(b"\n")
            if not hmac.compare_digest(signature, self._sign(name, payload)):
                raise ValueError("it is not signed with the key of this user")
            return adapter(schema).validate_python(json.loads(payload))  # type: ignore[no-any-return]
        except FileNotFoundError:
            return None
        except Exception:
            (refuse or _refuse)(path)
            return None

    def store(self, name: str, value: Any) -> None:
        """Keep a JSON value, whole or not at all. It only saves time: a full disk is reported where it matters."""
        if not self.read_only:
            payload = json.dumps(value, separators=(",", ":")).encode()
            with suppress(OSError):
                write_whole(self.folder / name, self._sign(name, payload) + b"\n" + payload, durable=False)

    def _sign(self, name: str, payload: bytes) -> bytes:
        message = b"\0".join([b"1", self.folder.name.encode(), name.encode(), payload])
        return hmac.digest(_key(), message, "sha256").hex().encode()

    def holds(self, name: str) -> bool:
        """Tell whether a folder has just the files that `kept_folder` made, with the same bytes."""
        folder, listed = self.folder / name, self.load(f"{name}.files", dict[str, str], lambda path: None)
        with suppress(OSError):
            return _is_own(folder) and not folder.is_symlink() and _hashes(folder) == listed
        return False

    def fill(self, name: str, make: Callable[[Path], object]) -> Path:
        """Make a folder, and an entry with the hashes of its files. Raises OSError."""
        target = self.folder / name
        heal(target)
        if target.is_symlink():
            target.unlink()
        with staged(target) as staging:
            make(staging)
            for path in [staging, *staging.rglob("*")]:
                path.chmod(0o700 if path.is_dir() else 0o600)
            self.store(f"{name}.files", _hashes(staging))
        return target


def open_cache(kind: str, quiet: bool = False) -> Cache | None:
    """Return a kind of cache, or None where it cannot be trusted or made; say so on stderr unless `quiet`."""
    say = (lambda line: None) if quiet else _warn
    try:
        root, own = _home("XDG_CACHE_HOME", ".cache"), True
        for folder in (root, root / kind):
            if own:
                folder.mkdir(0o700, parents=True, exist_ok=True)
            own = _is_own(folder) and own
        _key()
    except OSError as error:
        say(f"no cache, {error.filename}: {error.strerror}")
        return None
    read_only = not own or not os.access(root / kind, os.W_OK)
    if read_only:
        say(f"nothing is added to the cache {root / kind}, and of what is there only what your key signed is used")
    return Cache(root / kind, read_only)


def kept_folder(kind: str, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder as `make` fills it: from the cache if its files are still those, else made anew.

    Where there is no cache to write to, the folder is a temporary one, for this process.
    """
    cache = open_cache(kind)
    if cache and cache.holds(name):
        return cache.folder / name
    if cache and os.path.lexists(cache.folder / name):
        _refuse(cache.folder / name)
    while cache and not cache.read_only:
        try:
            with locked(cache.folder / name):
                return cache.folder / name if cache.holds(name) else cache.fill(name, make)
        except BlockingIOError:  # another process is making it
            time.sleep(1)
        except OSError as error:
            _warn(f"no cache, {error.filename or name}: {error.strerror or error}")
            cache = None
    folder = Path(tempfile.mkdtemp(prefix=f"{TOOL}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    make(folder)
    return folder


def _warn(line: str) -> None:
    print(f"warning: {line}", file=sys.stderr)


def _refuse(path: Path) -> None:
    _warn(f"{path} is damaged, was changed, or is of another user; it is made anew")


def _home(variable: str, default: str) -> Path:
    """Return our folder by the XDG rules, which ignore a relative path. Raises OSError without a home."""
    folder = Path(os.environ.get(variable, ""))
    if not folder.is_absolute():
        with suppress(RuntimeError):  # no HOME, and no entry in the list of users
            folder = Path.home() / default
    if not folder.is_absolute():
        raise FileNotFoundError(errno.ENOENT, f"neither {variable} nor HOME names a folder", "~")
    return folder / TOOL


def _is_own(path: Path, others: int = WRITE) -> bool:
    """Tell whether a path, and what it links to, is this user's. Raises OSError where others may change it."""
    status = path.stat()
    if status.st_mode & others:
        raise PermissionError(errno.EPERM, "others have access; take it from them with chmod", path)
    return {status.st_uid, path.lstat().st_uid} == {os.geteuid()}


def _key() -> bytes:
    """Return the user's key, made when it is first needed. Raises OSError where others may know it."""
    home = _home("XDG_STATE_HOME", ".local/state")
    if home.resolve().is_relative_to(_home("XDG_CACHE_HOME", ".cache").resolve()):
        raise PermissionError(errno.EPERM, "the key must lie outside the cache; set XDG_STATE_HOME", home)
    home.mkdir(0o700, parents=True, exist_ok=True)
    path = home / "key"
    if not os.path.lexists(path):
        part = home / f".key.{secrets.token_hex(4)}"
        part.touch(0o600, exist_ok=False)
        part.write_bytes(secrets.token_bytes(KEY_BYTES))
        sync_path(part)
        with suppress(FileExistsError):  # of several processes the first one makes it
            path.hardlink_to(part)
        part.unlink()
    key = _read(path, KEY_BYTES)
    if not _is_own(home) or not _is_own(path, ACCESS) or len(key) != KEY_BYTES:
        raise PermissionError(errno.EPERM, "is no key of this user; remove it, and a new one is made", path)
    return key


def _read(path: Path, largest: int) -> bytes:
    """Return the bytes of a regular file, never through a link and never waiting for one. Raises OSError."""
    flags = os.O_NOFOLLOW | os.O_NONBLOCK
    with open(path, "rb", opener=lambda name, mode: os.open(name, mode | flags)) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > largest:
            raise OSError(errno.EINVAL, "is no file of ours; remove it", path)
        return file.read(largest + 1)


def _hashes(folder: Path) -> dict[str, str]:
    """Return the sha256 of each file of a folder, nothing for a link or pipe. Raises OSError where others may write."""
    hashes = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_dir():
            regular = path.is_file() and not path.is_symlink() and _is_own(path)
            hashes[path.relative_to(folder).as_posix()] = sha256_of(path) if regular else ""
    return hashes
