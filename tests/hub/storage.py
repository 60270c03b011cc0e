"""The storage origin: large files by signed address. It knows no users; a token that gets here was leaked."""

from __future__ import annotations

import hashlib
from pathlib import Path

from hub.repos import Refused, write_whole
from hub.state import Hub
from hub.wire import Call, Reply, bytes_reply


def answer(hub: Hub, call: Call) -> Reply:
    """GET, HEAD, PUT /{type}/{namespace}/{name}/{sha256}, PUT the same with /{part}."""
    if "Authorization" in call.headers:
        raise Refused(400, "InvalidArgument", "Only one auth mechanism allowed: this is the storage, not the hub")
    if call.query.get("signature") != [hub.signature(call.path)]:
        raise Refused(403, "SignatureDoesNotMatch", "The request signature does not match")
    _, kind, namespace, name, sha256, *part = call.path.split("/")
    target = hub.find(kind, f"{namespace}/{name}").lfs(sha256)
    if call.method == "PUT":
        if part:
            write_whole(parts_of(target) / part[0], call.body)
        else:
            store(target, call.body)
        return Reply(200, b"", {"ETag": f'"{hashlib.md5(call.body).hexdigest()}"'})
    if not target.exists():
        raise Refused(404, "NoSuchKey", "The specified key does not exist")
    return bytes_reply(call, target.read_bytes(), {"ETag": f'"{sha256}"'})


def parts_of(target: Path) -> Path:
    """Where the parts of an upload wait."""
    return target.with_suffix(".parts")


def store(target: Path, data: bytes) -> None:
    """Keeps a large file under its sha256, which must be its own."""
    if hashlib.sha256(data).hexdigest() != target.name:
        raise Refused(400, "BadDigest", "The sha256 of the body is not the one announced")
    write_whole(target, data)
