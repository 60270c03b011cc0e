"""What clients bring: uploads, commits, tags and branches. `(hub, call, repo, rest of the path) -> Reply`."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import unquote

from hub.repos import Refused, Repo, upload_mode
from hub.state import Hub
from hub.storage import parts_of, store
from hub.wire import Call, Reply, json_reply
from hub.xet import NEVER


def preupload(hub: Hub, call: Call, repo: Repo, revision: str) -> Reply:
    """Where each file is to go, and what lies there now: that is how clients see that nothing changed."""
    present = repo.files(repo.resolve(unquote(revision)))
    answers = []
    for file in call.json()["files"]:
        old = present.get(file["path"])
        mode = upload_mode(file["path"], file["size"], base64.b64decode(file["sample"]))
        oid = old and old.get("sha256", old["oid"])
        answers.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
    return json_reply({"files": answers})


def lfs_objects(hub: Hub, call: Call, kind: str, repo_id: str, verb: str, upload: str | None) -> Reply:
    """POST …/batch: how to upload; POST …/verify; POST …/complete/SIGNATURE, which joins parts and needs no token."""
    if call.method != "POST":
        raise Refused(405, "MethodNotAllowed", "POST")
    asked = call.json()
    if verb == "complete":
        if upload != hub.signature(f"/{kind}/{repo_id}/{asked['oid']}/complete"):
            raise Refused(403, "SignatureDoesNotMatch", "The request signature does not match")
        target = hub.find(kind, repo_id).lfs(asked["oid"])
        store(target, b"".join((parts_of(target) / str(p["partNumber"])).read_bytes() for p in asked["parts"]))
        return json_reply({})
    repo = hub.writable(kind, repo_id, call.user)
    if verb == "verify":
        if not repo.lfs(asked["oid"]).exists():
            raise Refused(404, "EntryNotFound", "Object not found")
        return json_reply({})
    objects = [
        {"oid": wanted["oid"], "size": wanted["size"]}
        | ({} if repo.lfs(wanted["oid"]).exists() else {"actions": _upload_actions(hub, repo, wanted)})
        for wanted in asked["objects"]
    ]
    multipart = hub.part_size is not None and any(wanted["size"] > hub.part_size for wanted in asked["objects"])
    return json_reply({"transfer": "multipart" if multipart else "basic", "objects": objects})


def _upload_actions(hub: Hub, repo: Repo, wanted: dict[str, Any]) -> dict[str, Any]:
    kind, repo_id = repo.state["type"], repo.state["id"]
    path, part_size = f"/{kind}/{repo_id}/{wanted['oid']}", hub.part_size
    objects = f"{hub.page(kind, repo_id)}.git/info/lfs/objects"
    actions: dict[str, Any] = {"verify": {"href": f"{objects}/verify"}}
    if part_size is None or wanted["size"] <= part_size:
        return actions | {"upload": {"href": hub.signed(hub.storage, path)}}
    count = -(-wanted["size"] // part_size)
    parts = {str(number): hub.signed(hub.storage, f"{path}/{number}") for number in range(1, count + 1)}
    href = f"{objects}/complete/{hub.signature(path + '/complete')}"
    return actions | {"upload": {"href": href, "header": {"chunk_size": str(part_size)} | parts}}


def commit(hub: Hub, call: Call, repo: Repo, branch: str) -> Reply:
    """POST NDJSON: a header, then files, large files, deletions."""
    try:
        operations = [json.loads(line) for line in call.body.splitlines() if line.strip()]
    except ValueError:
        raise Refused(400, "BadRequest", "The body is not NDJSON") from None
    if call.query.get("create_pr"):
        raise Refused(501, "NotImplemented", "The stand-in has no pull requests")
    assert call.user is not None
    oid = repo.commit(unquote(branch), operations, call.user.name, hub.xet)
    url = f"{hub.page(repo.state['type'], repo.state['id'])}/commit/{oid}"
    return json_reply({"success": True, "commitOid": oid, "commitUrl": url, "pullRequestUrl": None, "hookOutput": ""})


def create_tag(hub: Hub, call: Call, repo: Repo, revision: str) -> Reply:
    asked = call.json()
    repo.tag(asked["tag"], unquote(revision), asked.get("message") or "")
    return json_reply({})


def delete_tag(hub: Hub, call: Call, repo: Repo, name: str) -> Reply:
    repo.delete_ref("tags", unquote(name))
    return json_reply({})


def create_branch(hub: Hub, call: Call, repo: Repo, name: str) -> Reply:
    repo.branch(unquote(name), call.json().get("startingPoint") or "main")
    return json_reply({})


def delete_branch(hub: Hub, call: Call, repo: Repo, name: str) -> Reply:
    repo.delete_ref("branches", unquote(name))
    return json_reply({})


def xet_write_token(hub: Hub, call: Call, repo: Repo, _: str) -> Reply:
    return _xet_token(hub.xet.write_url())


def xet_read_token(hub: Hub, call: Call, repo: Repo, _: str) -> Reply:
    return _xet_token(hub.xet.read_url())


def _xet_token(cas_url: str) -> Reply:
    """Twice the same: huggingface_hub reads the headers, hf_xet the body."""
    headers = {"X-Xet-Access-Token": "stand-in", "X-Xet-Token-Expiration": str(NEVER), "X-Xet-Cas-Url": cas_url}
    return json_reply({"accessToken": "stand-in", "exp": NEVER, "casUrl": cas_url}, headers=headers)
