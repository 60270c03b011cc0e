"""What is kept between runs: signed entries, in folders that nobody but the user can write to.

An entry in `$XDG_CACHE_HOME/friends-corpus` is JSON behind a keyed hash of kind, name and content; the user's key is in
`$XDG_STATE_HOME/friends-corpus`. One that is damaged, of another shape, or signed with another key is as good as none,
and is reported. What others can write to is passed by.
"""

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
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from .files import TOOL, heal, locked, sha256_of, staged, write_whole
from .reader import Schema, adapter

KEY_BYTES, LARGEST = 32, 256 << 20


def open_cache(kind: str, quiet: bool = False) -> Path | None:
    """Return the folder of a kind of cache, or None where it cannot be trusted or made; say so unless `quiet`."""
    try:
        root = _home("XDG_CACHE_HOME", ".cache")
        for folder in (root, root / kind):
            folder.mkdir(0o700, parents=True, exist_ok=True)
            _check_own(folder)
        _key()
    except OSError as error:
        if not quiet:
            print(f"warning: no cache, {error.filename}: {error.strerror}", file=sys.stderr)
        return None
    with suppress(OSError):  # a disk that is read-only
        folder.chmod(0o700)
    return folder


def load(folder: Path, name: str, schema: type[Schema], refused: list[Path] | None = None) -> Schema | None:
    """Return what `store` kept, or None; an entry that is not as it was kept is added to `refused`, or reported."""
    with suppress(Exception):  # whatever a decoder raises
        signature, _, payload = _read(folder / name).partition(b"\n")
        if hmac.compare_digest(signature, _sign(folder / name, payload)):
            entry: Schema = adapter(schema).validate_python(json.loads(payload))
            return entry
    if os.path.lexists(folder / name):
        report([folder / name]) if refused is None else refused.append(folder / name)
    return None


def report(refused: Sequence[Path]) -> None:
    """Count on stderr what was not as it was kept."""
    if refused:
        line = f"not as they were kept, so made anew: {len(refused)} in the cache, {refused[0]} for one"
        print(f"warning: {line}", file=sys.stderr)


def store(folder: Path, name: str, value: Any) -> None:
    """Keep a JSON value, whole or not at all. It only saves time: a full disk is reported where it matters."""
    payload = json.dumps(value, separators=(",", ":")).encode()
    with suppress(OSError):
        write_whole(folder / name, _sign(folder / name, payload) + b"\n" + payload, durable=False)


def kept_folder(kind: str, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder as `make` fills it, from the cache as long as it has just those files, else made anew.

    Where no cache can be written it is a temporary one, for this process.
    """
    cache = open_cache(kind)
    if cache and _is_whole(cache / name):
        return cache / name
    if cache and os.path.lexists(cache / name):
        report([cache / name])
    while cache:
        try:
            with locked(cache / name):
                if not _is_whole(cache / name):
                    heal(cache / name)
                    with staged(cache / name) as staging:
                        make(staging)
                        store(cache, f"{name}.files", _hashes(staging))
                return cache / name
        except BlockingIOError:  # another process is making it
            time.sleep(1)
        except OSError as error:
            print(f"warning: not kept in the cache: {error.filename or name}: {error.strerror}", file=sys.stderr)
            break
    folder = Path(tempfile.mkdtemp(prefix=f"{TOOL}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    make(folder)
    return folder


def _is_whole(folder: Path) -> bool:
    listed = load(folder.parent, f"{folder.name}.files", dict[str, str], [])
    return listed is not None and not folder.is_symlink() and listed == _hashes(folder)


def _hashes(folder: Path) -> dict[str, str]:
    """Return the sha256 of each file of a folder, and nothing for a link or a pipe."""
    paths = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    regular = {path for path in paths if path.is_file() and not path.is_symlink()}
    return {path.relative_to(folder).as_posix(): sha256_of(path) if path in regular else "" for path in paths}


def _home(variable: str, default: str) -> Path:
    """Return our folder by the XDG rules, which ignore a relative path. Raises OSError without a home."""
    for folder in (os.environ.get(variable, ""), os.path.expanduser(f"~/{default}")):  # noqa: PTH111 (never raises)
        if Path(folder).is_absolute():
            return Path(folder, TOOL)
    raise FileNotFoundError(errno.ENOENT, f"neither {variable} nor HOME names a folder", "~")


def _check_own(path: Path, others: int = 0o022) -> None:
    """Refuse a path that is another user's, or that others may write to. Raises OSError."""
    if {path.stat().st_uid, path.lstat().st_uid} != {os.geteuid()} or path.stat().st_mode & others:
        raise PermissionError(errno.EPERM, "others have access to it; see chown and chmod, or use another folder", path)


def _key() -> bytes:
    """Return the user's key, made when it is first needed. Raises OSError where others may know it."""
    path = _home("XDG_STATE_HOME", ".local/state") / "key"
    if path.is_relative_to(_home("XDG_CACHE_HOME", ".cache")):
        raise PermissionError(errno.EPERM, "the key must lie outside the cache; set XDG_STATE_HOME", path)
    path.parent.mkdir(0o700, parents=True, exist_ok=True)
    _check_own(path.parent)
    if not os.path.lexists(path):
        with tempfile.NamedTemporaryFile(dir=path.parent) as new, suppress(FileExistsError):
            new.write(secrets.token_bytes(KEY_BYTES))
            new.flush()
            path.hardlink_to(new.name)  # of several processes the first one
    _check_own(path, 0o077)
    if len(key := _read(path)) != KEY_BYTES:
        raise PermissionError(errno.EPERM, "it is no key; remove it, and a new one is made", path)
    return key


def _sign(path: Path, payload: bytes) -> bytes:
    message = b"\0".join([b"1", path.parent.name.encode(), path.name.encode(), payload])
    return hmac.digest(_key(), message, "sha256").hex().encode()


def _read(path: Path) -> bytes:
    """Return the bytes of a regular file, never through a link and never waiting for one. Raises OSError."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
            raise OSError(errno.EINVAL, "it is no file of ours; remove it", path)
        return file.read()
