"""The stand-in's process: `python -m hub.server ROOT [--port N] [--storage-port N]`, told what to do over HTTP.

Prints one JSON line with both addresses, serves until its standard input ends, so that it never outlives a test run.
Tests steer it with POST /_stand-in/VERB (see CONTROL); Hub clients know nothing of that.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import sys
import threading
from pathlib import Path
from typing import Any

from hub import endpoints, storage
from hub.faults import Fault
from hub.repos import Refused
from hub.state import Hub, User
from hub.wire import Call, Reply, Server, json_reply


def answer(hub: Hub, call: Call) -> Reply:
    """The hub's origin: its endpoints, and the test's own."""
    if not call.path.startswith("/_stand-in/"):
        return endpoints.answer(hub, call)
    do = CONTROL.get(call.path.removeprefix("/_stand-in/"))
    if do is None:
        raise Refused(404, "NotFound", f"no control {call.path}")
    return json_reply(do(hub, call.json()))


def add_user(hub: Hub, asked: dict[str, Any]) -> None:
    hub.set_user(asked.pop("token"), User(**asked))


def fault(hub: Hub, asked: dict[str, Any]) -> None:
    hub.faults.add(Fault(re.compile(asked.pop("pattern")), **asked))


def settings(hub: Hub, asked: dict[str, Any]) -> None:
    hub.page_size, hub.part_size = asked["page_size"], asked["part_size"]


def log(hub: Hub, asked: dict[str, Any]) -> list[dict[str, Any]]:
    """The entries so far; with `clear` they are forgotten."""
    with hub.lock:
        entries = list(hub.log)
        if asked.get("clear"):
            hub.log.clear()
        return entries


def commits(hub: Hub, asked: dict[str, Any]) -> list[dict[str, Any]]:
    repo = hub.find(asked["type"], asked["id"])
    history = repo.history(repo.resolve(asked["revision"]))
    return [{key: value for key, value in commit.items() if key != "files"} for commit in history]


def files(hub: Hub, asked: dict[str, Any]) -> dict[str, str]:
    repo = hub.find(asked["type"], asked["id"])
    entries = repo.files(repo.resolve(asked["revision"]))
    return {path: base64.b64encode(repo.path_of(entry).read_bytes()).decode() for path, entry in entries.items()}


def state(hub: Hub, asked: dict[str, Any]) -> dict[str, Any]:
    """Visibility, gating, branches and tags of a repository; empty if there is none."""
    try:
        whole = hub.find(asked["type"], asked["id"]).state
    except KeyError:
        return {}
    return {key: value for key, value in whole.items() if key != "commits"}


CONTROL = {
    "user": add_user,
    "expire": lambda hub, asked: hub.expire(asked["token"], asked["after"]),
    "fault": fault,
    "faults-left": lambda hub, asked: hub.faults.left(),
    "clear-faults": lambda hub, asked: hub.faults.clear(),
    "log": log,
    "settings": settings,
    "commits": commits,
    "files": files,
    "state": state,
}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="folder for repositories and users; what lies there is served again")
    parser.add_argument("--port", type=int, default=0, help="of the hub; default: a free one")
    parser.add_argument("--storage-port", type=int, default=0, help="of the storage; default: a free one")
    options = parser.parse_args(argv)
    hub = Hub(options.root.resolve())
    servers = [Server(hub, "hub", answer, options.port), Server(hub, "storage", storage.answer, options.storage_port)]
    hub.url, hub.storage = (f"http://127.0.0.1:{server.server_address[1]}" for server in servers)
    for server in servers:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    print(json.dumps({"hub": hub.url, "storage": hub.storage}), flush=True)
    sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
