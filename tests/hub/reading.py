"""What the Hub tells: repositories, refs, commits, listings, files. `(hub, call, repo, rest of the path) -> Reply`."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode

from hub.repos import Refused, Repo, git_sha1, pointer
from hub.state import Hub
from hub.wire import Call, Reply, bytes_reply, json_reply


def info(hub: Hub, call: Call, repo: Repo, revision: str) -> Reply:
    """Of a repository at a revision, `main` if none is named."""
    oid, state = repo.resolve(unquote(revision) or "main"), repo.state
    siblings = []
    for path, entry in sorted(repo.files(oid).items()):
        sibling = {"rfilename": path}
        if "blobs" in call.query:
            sibling |= {"size": entry["size"], "blobId": entry["oid"]} | _lfs(entry, "sha256")
        siblings.append(sibling)
    whole = {
        "_id": git_sha1("repo", state["id"].encode())[:24],
        "id": state["id"],
        "author": state["id"].split("/")[0],
        "sha": oid,
        "private": state["visibility"] == "private",
        "visibility": state["visibility"],
        "gated": state["gated"],
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": [],
        "createdAt": state["created"],
        "lastModified": state["commits"][oid]["date"],
        "cardData": repo.readme(oid),
        "siblings": siblings,
    }
    wanted = call.query.get("expand") or call.query.get("expand[]")
    return json_reply({k: v for k, v in whole.items() if not wanted or k in wanted or k in ("_id", "id")})


def refs(hub: Hub, call: Call, repo: Repo, _: str) -> Reply:
    def listed(kind: str, prefix: str) -> list[dict[str, str]]:
        named = sorted(repo.state[kind].items())
        return [{"name": name, "ref": f"refs/{prefix}/{name}", "targetCommit": oid} for name, oid in named]

    return json_reply(
        {"branches": listed("branches", "heads"), "tags": listed("tags", "tags"), "converts": [], "pullRequests": []}
    )


def commits(hub: Hub, call: Call, repo: Repo, revision: str) -> Reply:
    history = repo.history(repo.resolve(unquote(revision)))
    items = [
        {key: commit[key] for key in ("title", "message", "date")}
        | {"id": commit["oid"], "authors": [{"user": commit["user"]}]}
        for commit in history
    ]
    return _page(hub, call, items)


def tree(hub: Hub, call: Call, repo: Repo, rest: str) -> Reply:
    revision, _, folder = rest.partition("/")
    oid, folder = repo.resolve(unquote(revision)), unquote(folder).strip("/")
    prefix = f"{folder}/" if folder else ""
    found = [entry for entry in _entries(repo, oid, call) if entry["path"].startswith(prefix)]
    if folder and not found:
        raise Refused(404, "EntryNotFound", f"{folder} does not exist on {unquote(revision)!r}")
    if call.query.get("recursive", ["false"])[0].lower() not in ("true", "1"):
        found = [entry for entry in found if "/" not in entry["path"].removeprefix(prefix)]
    return _page(hub, call, found)


def paths_info(hub: Hub, call: Call, repo: Repo, revision: str) -> Reply:
    """Asked as a form; paths that do not exist are left out."""
    form = parse_qs(call.body.decode())
    call.query |= {"expand": form.get("expand", ["false"])}
    wanted = {path.strip("/") for path in form.get("paths", [])}
    entries = _entries(repo, repo.resolve(unquote(revision)), call)
    return json_reply([entry for entry in entries if entry["path"] in wanted])


def _entries(repo: Repo, oid: str, call: Call) -> list[dict[str, Any]]:
    """Files and folders at a commit, by path; with `expand` also the commit that last changed each."""
    files = repo.files(oid)
    folders = {path[:at] for path in files for at in range(len(path)) if path[at] == "/"}
    entries: list[dict[str, Any]] = []
    for folder in folders:
        inside = json.dumps(sorted((p, e["oid"]) for p, e in files.items() if p.startswith(folder + "/")))
        entries.append({"type": "directory", "oid": git_sha1("tree", inside.encode()), "size": 0, "path": folder})
    for path, entry in files.items():
        shown = {"type": "file", "oid": entry["oid"], "size": entry["size"], "path": path} | _lfs(entry, "oid")
        entries.append(shown | ({"xetHash": entry["xet"]} if "xet" in entry else {}))
    if call.query.get("expand", ["false"])[0].lower() in ("true", "1"):
        for shown in entries:
            shown["lastCommit"] = _last_change(repo, oid, shown["path"])
    return sorted(entries, key=lambda entry: entry["path"])


def _last_change(repo: Repo, oid: str, path: str) -> dict[str, str]:
    def at(commit: dict[str, Any]) -> list[Any]:
        return sorted((p, e["oid"]) for p, e in commit["files"].items() if f"{p}/".startswith(f"{path}/"))

    history = repo.history(oid)
    last = history[0]
    for older in history[1:]:
        if at(older) != at(last):
            break
        last = older
    return {"id": last["oid"], "title": last["title"], "date": last["date"]}


def _lfs(entry: dict[str, Any], name: str) -> dict[str, Any]:
    """What listings say about a large file; the info endpoint calls the sha256 by its name, the tree `oid`."""
    if "sha256" not in entry:
        return {}
    size = len(pointer(entry["sha256"], entry["size"]))
    return {"lfs": {name: entry["sha256"], "size": entry["size"], "pointerSize": size}}


def _page(hub: Hub, call: Call, items: list[Any]) -> Reply:
    """One page of a listing; `Link` leads to the next."""
    size = min(int(call.query.get("limit", [hub.page_size])[0]), hub.page_size)
    start = int(call.query.get("cursor", ["0"])[0])
    headers = {}
    if start + size < len(items):
        query = urlencode(call.query | {"cursor": start + size}, doseq=True)
        headers["Link"] = f'<{hub.url}{call.path}?{query}>; rel="next"'
    return json_reply(items[start : start + size], headers=headers)


def resolve(hub: Hub, call: Call, repo: Repo, revision: str, path: str) -> Reply:
    """A file's bytes; a large file's metadata and the way to the storage origin."""
    if call.method not in ("GET", "HEAD"):
        raise Refused(405, "MethodNotAllowed", "GET or HEAD")
    oid = repo.resolve(revision)
    owner = call.user is not None and call.user.owns(repo.state["id"].split("/")[0])
    if repo.state["gated"] and not owner:
        raise Refused(403, "GatedRepo", f"Access to {repo.state['id']} is restricted: ask for access")
    entry = repo.files(oid).get(path)
    headers = {"X-Repo-Commit": oid}
    if entry is None:
        missing = {"error": "Entry not found"}
        return json_reply(
            missing, 404, headers | {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"}
        )
    if "sha256" not in entry:
        return bytes_reply(call, repo.path_of(entry).read_bytes(), headers | {"ETag": f'"{entry["oid"]}"'})
    location = hub.signed(hub.storage, f"/{repo.state['type']}/{repo.state['id']}/{entry['sha256']}")
    headers |= {"X-Linked-Etag": f'"{entry["sha256"]}"', "X-Linked-Size": str(entry["size"]), "Location": location}
    if "xet" in entry:
        route = f"{hub.url}/api/{repo.state['type']}s/{repo.state['id']}/xet-read-token/{oid}"
        headers |= {"X-Xet-Hash": entry["xet"], "Link": f'<{route}>; rel="xet-auth"'}
    return Reply(302, b"Found. Redirecting to storage", headers)
