"""The xet side: hf_xet keeps its chunks in a folder if the Hub says that its storage lives at `local:///folder`.

One process at a time may open such a folder. So every write token names a fresh one, every read token a snapshot of
the one the server keeps, and clients may run side by side as they do on the Hub.
"""

from __future__ import annotations

import os
import shutil
import struct
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NEVER = 4102444800  # 2100-01-01: when the tokens handed out here end, in seconds
SHARDS = Path("xet/xorbs/shards")
SHARD_HEADER = RECORD = 48  # bytes
HAS_VERIFICATION, HAS_SHA256 = 1 << 31, 1 << 30  # flags of a file's first record
NO_MORE_FILES = b"\xff" * 32


class Xet:
    """`kept` holds every committed file; `inbox/N` what one client uploads; `views/N` what one client reads."""

    def __init__(self, folder: Path) -> None:
        self._kept, self._inbox, self._views = folder / "kept", folder / "inbox", folder / "views"
        self._lock = threading.Lock()
        for made in (self._kept, self._inbox, self._views):
            made.mkdir(parents=True, exist_ok=True)

    def write_url(self) -> str:
        return f"local://{tempfile.mkdtemp(dir=self._inbox)}"

    def read_url(self) -> str:
        with self._lock:
            return f"local://{self._snapshot(self._kept)}"

    def fetch(self, sha256: str, target: Path) -> str | None:
        """Rebuilds the uploaded file with this sha256 as `target` and keeps it; its xet hash, None if not uploaded."""
        for box in sorted(self._inbox.iterdir()):
            for found, xet_hash, size in files_in(box):
                if found == sha256:
                    with self._lock:
                        _download(self._snapshot(box), xet_hash, size, target)
                        _upload(self._kept, target)
                    return xet_hash
        return None

    def _snapshot(self, store: Path) -> Path:
        """A copy that another process can open: chunks are linked, hf_xet's own index is copied."""
        view = Path(tempfile.mkdtemp(dir=self._views))
        for path in store.rglob("*"):
            target = view / path.relative_to(store)
            if path.is_dir():
                target.mkdir(exist_ok=True)
            elif path.suffix == ".redb":
                shutil.copy(path, target)
            else:
                os.link(path, target)
        return view


def files_in(store: Path) -> Iterator[tuple[str, str, int]]:
    """The files described by a store's shards: (sha256, xet hash, size in bytes).

    A shard is a header, then per file one record {hash, flags u32, n u32, …}, n records {…, size u32 at byte 36, …},
    n records more with verification, one record {sha256, …} with metadata; records have 48 bytes.
    """
    for shard in sorted((store / SHARDS).glob("*.mdb")):
        data, at = shard.read_bytes(), SHARD_HEADER
        while data[at : at + 32] != NO_MORE_FILES:
            xet_hash = _hex(data[at : at + 32])
            flags, parts = struct.unpack_from("<II", data, at + 32)
            size = sum(struct.unpack_from("<I", data, at + RECORD * part + 36)[0] for part in range(1, parts + 1))
            at += RECORD * (1 + parts + (parts if flags & HAS_VERIFICATION else 0))
            if flags & HAS_SHA256:
                yield _hex(data[at : at + 32]), xet_hash, size
                at += RECORD


def _hex(digest: bytes) -> str:
    """Hashes lie in shards as four little-endian numbers and are written as big-endian ones."""
    return struct.pack(">4Q", *struct.unpack("<4Q", digest)).hex()


def _session() -> Any:
    import hf_xet

    return hf_xet.XetSession()


def _download(store: Path, xet_hash: str, size: int, target: Path) -> None:
    import hf_xet

    with _session().new_file_download_group(
        endpoint=f"local://{store}", token="stand-in", token_expiry_unix_secs=NEVER
    ) as group:
        group.start_download_file(hf_xet.XetFileInfo(xet_hash, size), str(target))


def _upload(store: Path, source: Path) -> None:
    import hf_xet

    with _session().new_upload_commit(
        endpoint=f"local://{store}", token="stand-in", token_expiry_unix_secs=NEVER
    ) as commit:
        commit.start_upload_file(str(source), sha256=hf_xet.COMPUTE_SHA256)
