"""Which function answers what, as huggingface_hub 2.4 asks; here those about users and repositories as such."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from hub import card_check, reading, writing
from hub.repos import Refused, Repo
from hub.state import Hub
from hub.wire import Call, Reply, json_reply

REPO_API = re.compile(r"/api/(model|dataset)s/([^/]+/[^/]+)(?:/([a-z-]+)(?:/(.*))?)?")  # "/api/models/ana/x/tree/main"
RESOLVE = re.compile(r"/(?:(dataset)s/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)")  # "/datasets/ana/x/resolve/main/README.md"
LFS = re.compile(
    r"/(?:(dataset)s/)?([^/]+/[^/]+)\.git/info/lfs/objects/(batch|verify|complete)(?:/(\w+))?"
)  # "/ana/x.git/info/lfs/objects/batch"


def answer(hub: Hub, call: Call) -> Reply:
    """Finds the function that a request is for; 404 for everything that the clients do not need."""
    if fixed := FIXED.get((call.method, call.path)):
        return fixed(hub, call)
    api, lfs, file = (address.fullmatch(call.path) for address in (REPO_API, LFS, RESOLVE))
    if api:
        kind, repo_id, verb, rest = api.groups()
        if found := OF_A_REPO.get((call.method, verb)):
            handle, may = found
            reach = hub.writable if may == "write" else hub.readable
            return handle(hub, call, reach(kind, unquote(repo_id), call.user), rest or "")
    if lfs:
        return writing.lfs_objects(hub, call, lfs[1] or "model", lfs[2], lfs[3], lfs[4])
    if file:
        repo = hub.readable(file[1] or "model", file[2], call.user)
        return reading.resolve(hub, call, repo, unquote(file[3]), unquote(file[4]))
    raise Refused(404, "NotFound", "Sorry, we can't find the page you are looking for.")


def whoami(hub: Hub, call: Call) -> Reply:
    if call.user is None:
        raise Refused(401, "Unauthorized", "Invalid username or password.")
    user = call.user
    token: dict[str, Any] = {"displayName": "test", "role": "fineGrained" if user.role == "fine" else user.role}
    if user.role == "fine":
        write = ["repo.content.read", "repo.write"]
        scoped = [
            {"entity": {"type": "dataset" if "/" in name else "user", "name": name}, "permissions": write}
            for name in user.repos
        ]
        token["fineGrained"] = {"global": [], "scoped": scoped}
    orgs = [{"type": "org", "name": name, "roleInOrg": "write"} for name in user.orgs]
    auth = {"type": "access_token", "accessToken": token}
    return json_reply({"type": "user", "name": user.name, "fullname": user.name, "orgs": orgs, "auth": auth})


def create_repo(hub: Hub, call: Call) -> Reply:
    if call.user is None:
        raise Refused(401, "Unauthorized", "Invalid username or password.")
    asked = call.json()
    repo_id = f"{asked.get('organization') or call.user.name}/{asked['name']}"
    visibility = asked.get("visibility") or ("private" if asked.get("private") else "public")
    repo = hub.create(asked.get("type") or "model", repo_id, visibility, call.user)
    return json_reply({"url": hub.page(repo.state["type"], repo_id), "name": repo_id, "id": repo_id})


def delete_repo(hub: Hub, call: Call) -> Reply:
    asked = call.json()
    repo_id = f"{asked.get('organization') or (call.user.name if call.user else '')}/{asked['name']}"
    hub.delete(hub.writable(asked.get("type") or "model", repo_id, call.user))
    return Reply()


def settings(hub: Hub, call: Call, repo: Repo, _: str) -> Reply:
    with repo.lock:
        repo.state |= {key: value for key, value in call.json().items() if key in ("visibility", "gated")}
        repo.save()
    return json_reply({"visibility": repo.state["visibility"], "gated": repo.state["gated"]})


def auth_check(hub: Hub, call: Call, repo: Repo, rest: str) -> Reply:
    if rest == "write":
        hub.writable(repo.state["type"], repo.state["id"], call.user)
    return json_reply({})


def validate_yaml(hub: Hub, call: Call) -> Reply:
    errors, warnings = card_check.check(call.json().get("content", ""))
    shown = {"errors": [{"message": text} for text in errors], "warnings": [{"message": text} for text in warnings]}
    if errors:
        raise Refused(400, "BadRequest", "Invalid metadata", shown)
    return json_reply(shown)


def nothing(hub: Hub, call: Call) -> Reply:
    return json_reply({})


FIXED = {
    ("GET", "/api/whoami-v2"): whoami,
    ("POST", "/api/repos/create"): create_repo,
    ("DELETE", "/api/repos/delete"): delete_repo,
    ("POST", "/api/validate-yaml"): validate_yaml,
    ("GET", "/api/agent-harnesses"): nothing,
}
OF_A_REPO = {
    ("GET", None): (reading.info, "read"),
    ("GET", "revision"): (reading.info, "read"),
    ("GET", "auth-check"): (auth_check, "read"),
    ("GET", "refs"): (reading.refs, "read"),
    ("GET", "commits"): (reading.commits, "read"),
    ("GET", "tree"): (reading.tree, "read"),
    ("POST", "paths-info"): (reading.paths_info, "read"),
    ("GET", "xet-read-token"): (writing.xet_read_token, "read"),
    ("GET", "xet-write-token"): (writing.xet_write_token, "write"),
    ("PUT", "settings"): (settings, "write"),
    ("POST", "preupload"): (writing.preupload, "write"),
    ("POST", "commit"): (writing.commit, "write"),
    ("POST", "tag"): (writing.create_tag, "write"),
    ("DELETE", "tag"): (writing.delete_tag, "write"),
    ("POST", "branch"): (writing.create_branch, "write"),
    ("DELETE", "branch"): (writing.delete_branch, "write"),
}
