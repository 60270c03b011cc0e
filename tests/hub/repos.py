"""Repositories on disk: commits, branches, tags, regular files by git-sha1, large files by sha256.

ROOT/repos/dataset/ana/x/repo.json    what it is, every commit with its files, every ref; replaced whole
                         blobs/SHA1   lfs/SHA256
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from hub import card_check
from hub.xet import Xet

TOKEN = re.compile(rb"hf_[A-Za-z0-9]{30,}")  # "hf_AbCdEf…", 30 or more letters and digits
LARGE_SUFFIXES = (".parquet", ".safetensors", ".png")
LARGE_BYTES = 10 * 1024 * 1024
ATTRIBUTES = "".join(f"*{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in LARGE_SUFFIXES)


class Refused(Exception):
    """A reply that is no success: status, X-Error-Code, message, and what else the JSON body says."""

    def __init__(self, status: int, code: str, message: str, body: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.body = status, code, message, body or {}


def upload_mode(path: str, size: int, sample: bytes) -> str:
    """Where a file goes: `lfs` by name, by size, or if its first 512 bytes are no text.

    >>> upload_mode("a.parquet", 4, b"PAR1"), upload_mode("a.md", 2, b"hi"), upload_mode("a", 2, bytes(2))
    ('lfs', 'regular', 'lfs')
    """
    if size and (path.endswith(LARGE_SUFFIXES) or size > LARGE_BYTES or b"\0" in sample[:512]):
        return "lfs"
    return "regular"


def git_sha1(kind: str, data: bytes) -> str:
    return hashlib.sha1(f"{kind} {len(data)}\0".encode() + data).hexdigest()


def pointer(sha256: str, size: int) -> bytes:
    """What git holds in place of a large file."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def write_whole(path: Path, data: bytes) -> None:
    """All of it or nothing, also if the server is killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    Path(name).replace(path)


class Repo:
    """One repository. `lock` is held by whoever changes it; refs and commits live in `state`."""

    def __init__(self, folder: Path, state: dict[str, Any]) -> None:
        self.folder, self.state, self.lock = folder, state, threading.RLock()

    @classmethod
    def create(cls, folder: Path, kind: str, name: str, visibility: str, user: str) -> Repo:
        """As on the Hub, a new repository holds one commit with a .gitattributes."""
        state = {"type": kind, "id": name, "visibility": visibility, "gated": False, "created": now()}
        repo = cls(folder, state | {"branches": {}, "tags": {}, "commits": {}})
        entry = repo._regular(".gitattributes", ATTRIBUTES.encode())
        repo._append("main", None, {".gitattributes": entry}, "initial commit", "", user)
        return repo

    @classmethod
    def load(cls, folder: Path) -> Repo:
        return cls(folder, json.loads((folder / "repo.json").read_text(encoding="utf-8")))

    def save(self) -> None:
        write_whole(self.folder / "repo.json", json.dumps(self.state).encode())

    # reading

    def resolve(self, revision: str) -> str:
        """The oid of a branch, a tag, a full ref or an oid."""
        name = revision.removeprefix("refs/heads/").removeprefix("refs/tags/")
        oid = self.state["branches"].get(name) or self.state["tags"].get(name)
        if oid is None and revision in self.state["commits"]:
            oid = revision
        if oid is None:
            raise Refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return str(oid)

    def files(self, oid: str) -> dict[str, dict[str, Any]]:
        """Path → {oid, size[, sha256[, xet]]}."""
        return dict(self.state["commits"][oid]["files"])

    def history(self, oid: str | None) -> list[dict[str, Any]]:
        """The commit and its ancestors, newest first."""
        found = []
        while oid is not None:
            commit = self.state["commits"][oid]
            found.append(commit)
            oid = commit["parent"]
        return found

    def path_of(self, entry: dict[str, Any]) -> Path:
        return self.lfs(entry["sha256"]) if "sha256" in entry else self.folder / "blobs" / entry["oid"]

    def lfs(self, sha256: str) -> Path:
        return self.folder / "lfs" / sha256

    def readme(self, oid: str) -> Any:
        """The metadata of the README at a commit, None without or if it cannot be read."""
        entry = self.files(oid).get("README.md")
        try:
            return card_check.metadata(self.path_of(entry).read_text(encoding="utf-8")) if entry else None
        except (yaml.YAMLError, UnicodeDecodeError):
            return None

    # writing

    def commit(self, branch: str, operations: list[dict[str, Any]], user: str, xet: Xet) -> str:
        """One NDJSON commit, whole or not at all; its oid. Deletions come before additions, whatever their order."""
        values = [(operation["key"], operation["value"]) for operation in operations]
        header = next(value for key, value in values if key == "header")
        with self.lock:
            head = self.state["branches"].get(branch)
            if head is None:
                raise Refused(404, "RevisionNotFound", f"Invalid rev id: {branch}")
            if header.get("parentCommit", head) != head:
                raise Refused(412, "PreconditionFailed", "A commit has happened since. Please refresh and try again.")
            files = self.files(head)
            for key, value in values:
                if key in ("deletedFile", "deletedFolder"):
                    gone = {path for path in files if _covers(key, value["path"], path)}
                    if not gone:
                        message = f'A file with this name doesn\'t exist: "{value["path"]}"'
                        raise Refused(404, "EntryNotFound", message)
                    files = {path: entry for path, entry in files.items() if path not in gone}
            for key, value in values:
                if key == "file":
                    path, content = value["path"], base64.b64decode(value["content"])
                    self._check_regular(path, content)
                    files[path] = self._regular(path, content)
                elif key == "lfsFile":
                    files[value["path"]] = self._large(value, xet)
            return self._append(branch, head, files, header["summary"], header.get("description") or "", user)

    def tag(self, name: str, revision: str, message: str) -> None:
        with self.lock:
            if name in self.state["tags"]:
                raise Refused(409, "TagExists", f"Tag {name} already exists")
            self.state["tags"][name] = self.resolve(revision)
            self.save()

    def branch(self, name: str, revision: str) -> None:
        with self.lock:
            if name in self.state["branches"]:
                raise Refused(409, "BranchExists", f"Reference already exists: refs/heads/{name}")
            self.state["branches"][name] = self.resolve(revision)
            self.save()

    def delete_ref(self, kind: str, name: str) -> None:
        with self.lock:
            if name == "main" or self.state[kind].pop(name, None) is None:
                raise Refused(404, "RevisionNotFound", f"Invalid rev id: {name}")
            self.save()

    def _check_regular(self, path: str, content: bytes) -> None:
        secret = TOKEN.search(content)
        if secret:
            message = (
                "It appears that one or more of your files contain valid Hugging Face secrets, such as tokens or API"
                f" keys. Please remove these secrets from your files and try again. Offending files: - {path}"
            )
            raise Refused(400, "SecretsFound", message)
        if upload_mode(path, len(content), content) == "lfs":
            message = f"Your push was rejected because it contains binary or large files. Offending files: - {path}"
            raise Refused(400, "BadRequest", message)
        if path == "README.md":
            errors, _ = card_check.check(content.decode("utf-8", "replace"))
            if errors:
                raise Refused(400, "BadRequest", "Invalid metadata in README.md. " + " ".join(errors))

    def _regular(self, path: str, content: bytes) -> dict[str, Any]:
        entry = {"oid": git_sha1("blob", content), "size": len(content)}
        write_whole(self.path_of(entry), content)
        return entry

    def _large(self, value: dict[str, Any], xet: Xet) -> dict[str, Any]:
        """The entry of an uploaded large file; what came by xet is rebuilt and kept as plain bytes, too."""
        sha256, source = value["oid"], self.lfs(value["oid"])
        note = source.with_suffix(".xet")  # the hash of a file that came by xet
        if not source.exists():
            source.parent.mkdir(exist_ok=True)
            rebuilt = source.with_suffix(".rebuilding")
            xet_hash = xet.fetch(sha256, rebuilt)
            if xet_hash is None:
                message = "Your push was rejected because an LFS pointer pointed to a file that does not exist."
                raise Refused(400, "BadRequest", f"{message} Offending file: - {value['path']}")
            write_whole(note, xet_hash.encode())
            rebuilt.replace(source)
        size = source.stat().st_size
        entry = {"oid": git_sha1("blob", pointer(sha256, size)), "size": size, "sha256": sha256}
        return entry | ({"xet": note.read_text()} if note.exists() else {})

    def _append(
        self, branch: str, parent: str | None, files: dict[str, Any], title: str, message: str, user: str
    ) -> str:
        seed = json.dumps([parent, files, title, message, time.time_ns(), self.state["id"]])
        oid = git_sha1("commit", seed.encode())
        commit = {"oid": oid, "parent": parent, "title": title, "message": message, "date": now(), "user": user}
        self.state["commits"][oid] = commit | {"files": files}
        self.state["branches"][branch] = oid
        self.save()
        return oid


def _covers(key: str, name: str, path: str) -> bool:
    if key == "deletedFile":
        return path == name
    return path.startswith(name.rstrip("/") + "/")


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
