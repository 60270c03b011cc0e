"""A Hub on loopback for tests: starts `hub.server` as a process of its own and speaks to it over HTTP."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener
from urllib.request import Request as UrlRequest

from hub.faults import Action

TESTS = Path(__file__).parents[1]
FOREIGN = ("HF_", "HUGGING", "TRANSFORMERS_", "DATASETS_")  # settings of the machine that must not reach a test
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@dataclass(frozen=True)
class Request:
    """A request as the server saw it. `status` is 0 if no reply was sent; `user` is whose token came with it."""

    method: str
    path: str
    status: int
    user: str | None
    bytes_in: int
    range: str | None
    authorization_present: bool
    origin: Literal["hub", "storage"]


class StandIn:
    """The running server; a context manager. What it holds lies under `root` and survives `restart`.

    A new repository holds one commit ("initial commit", a .gitattributes), as on the Hub.
    """

    def __init__(self, root: Path, page_size: int = 1000, part_size: int | None = None) -> None:
        """`page_size`: entries a page of a listing; `part_size`: larger uploads go in parts of that many bytes."""
        self.root = root
        self._settings = {"page_size": page_size, "part_size": part_size}
        self._process: subprocess.Popen[str] | None = None
        self.url = self.storage_url = ""

    def __enter__(self) -> StandIn:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Starts the process; after a `stop` at the same addresses."""
        self.root.mkdir(parents=True, exist_ok=True)
        ports = [str(urlsplit(url).port) for url in (self.url, self.storage_url) if url]
        options = ["--port", ports[0], "--storage-port", ports[1]] if ports else []
        environment = os.environ | {"PYTHONPATH": str(TESTS), "HF_HOME": str(self.root / "home")}
        command = [sys.executable, "-m", "hub.server", str(self.root), *options]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the stand-in did not start (exit {self._process.wait()}), see its standard error")
        addresses = json.loads(line)
        self.url, self.storage_url = addresses["hub"], addresses["storage"]
        self._tell("settings", self._settings)

    def stop(self) -> None:
        """Kills the process, as a crash would."""
        if self._process:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    # users

    def add_user(
        self, name: str, token: str, role: str = "write", repos: list[str] | None = None, orgs: list[str] | None = None
    ) -> None:
        """`role`: write, read, or fine: only what `repos` lists, "ana/x" to write there, "ana" to create there, too."""
        user = {"name": name, "token": token, "role": role, "repos": repos or [], "orgs": orgs or []}
        self._tell("user", user)

    def expire(self, token: str) -> None:
        """From now on the token is refused with 401."""
        self._tell("expire", {"token": token, "after": None})

    def expire_after(self, token: str, pattern: str) -> None:
        """The first request of the token that matches still succeeds, the next is refused with 401."""
        self._tell("expire", {"token": token, "after": pattern})

    def environment(self, home: Path, token: str | None, xet: bool = False) -> dict[str, str]:
        """For a client process: this machine's environment without its own Hub settings and proxies."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(FOREIGN) and name.lower() not in PROXIES
        }
        ours = {"HF_ENDPOINT": self.url, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1"}
        return kept | ours | ({"HF_TOKEN": token} if token else {}) | ({} if xet else {"HF_HUB_DISABLE_XET": "1"})

    # faults and the log

    def fault(
        self,
        pattern: str,
        action: Action = "status",
        status: int = 503,
        headers: dict[str, str] | None = None,
        times: int = 1,
        skip: int = 0,
        after: bool = False,
    ) -> None:
        """Orders a fault (see hub.faults.Fault) for requests to either origin whose "METHOD /path" matches.

        Paths are as sent, quoted, without the query: "POST /api/datasets/ana/x/commit/main"; the storage's are
        "PUT /dataset/ana/x/SHA256" and "GET /dataset/ana/x/SHA256" ("/model/…").
        """
        order = {"pattern": pattern, "action": action, "status": status, "headers": headers or {}}
        self._tell("fault", order | {"times": times, "skip": skip, "after": after})

    def faults_left(self) -> int:
        """How often faults would still strike: 0 if a test's faults were all met."""
        return int(self._tell("faults-left", {}))

    def clear_faults(self) -> None:
        self._tell("clear-faults", {})

    def log(self) -> list[Request]:
        return [Request(**entry) for entry in self._tell("log", {})]

    def clear_log(self) -> None:
        self._tell("log", {"clear": True})

    # what the repositories hold, whoever may see it

    def commits(self, repo_type: str, repo_id: str, revision: str = "main") -> list[dict[str, Any]]:
        """Newest first, the Hub's own "initial commit" last: {oid, parent, title, message, date, user}."""
        return list(self._tell("commits", {"type": repo_type, "id": repo_id, "revision": revision}))

    def files(self, repo_type: str, repo_id: str, revision: str = "main") -> dict[str, bytes]:
        found = self._tell("files", {"type": repo_type, "id": repo_id, "revision": revision})
        return {path: base64.b64decode(data) for path, data in found.items()}

    def tags(self, repo_type: str, repo_id: str) -> dict[str, str]:
        return dict(self._state(repo_type, repo_id).get("tags", {}))

    def visibility(self, repo_type: str, repo_id: str) -> str | None:
        """public or private; None if there is no such repository."""
        return self._state(repo_type, repo_id).get("visibility")

    def _state(self, repo_type: str, repo_id: str) -> dict[str, Any]:
        return dict(self._tell("state", {"type": repo_type, "id": repo_id}))

    def _tell(self, verb: str, arguments: dict[str, Any]) -> Any:
        request = UrlRequest(f"{self.url}/_stand-in/{verb}", json.dumps(arguments).encode(), method="POST")
        with build_opener(ProxyHandler({})).open(request, timeout=60) as reply:
            return json.load(reply)
