"""What the server knows: users and their rights, repositories, settings. All but the log and the faults is on disk."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub.faults import Faults
from hub.repos import Refused, Repo, write_whole
from hub.xet import Xet

REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")  # "ana/friends-lines"
TYPES = ("model", "dataset")


@dataclass
class User:
    """A token and its owner. `repos` limits a token with the role `fine`: "ana/x", or "ana" to create there."""

    name: str
    role: str = "write"
    repos: list[str] = field(default_factory=list)
    orgs: list[str] = field(default_factory=list)
    expired: bool = False
    expire_after: str | None = None

    def owns(self, namespace: str) -> bool:
        return namespace in (self.name, *self.orgs)

    def covers(self, repo_id: str) -> bool:
        """Whether the token reaches what its owner owns."""
        return self.role != "fine" or repo_id in self.repos or repo_id.split("/")[0] in self.repos

    def may_write(self, repo_id: str) -> bool:
        return self.role != "read" and self.owns(repo_id.split("/")[0]) and self.covers(repo_id)

    def may_create(self, namespace: str) -> bool:
        return self.role != "read" and self.owns(namespace) and (self.role != "fine" or namespace in self.repos)


class Hub:
    """Everything the endpoints share."""

    def __init__(self, root: Path) -> None:
        self.root, self.url, self.storage = root, "", ""
        self.faults, self.xet = Faults(), Xet(root / "xet")
        self.log: list[dict[str, Any]] = []
        self.page_size = 1000  # entries a page of a listing
        self.part_size: int | None = None  # larger uploads go in parts of that many bytes
        self.lock = threading.RLock()
        self._secret = secrets.token_bytes(16)
        self._users_file = root / "users.json"
        self._users: dict[str, User] = {}  # by the sha256 of the token: no token is ever written down
        if self._users_file.exists():
            self._users = {key: User(**value) for key, value in json.loads(self._users_file.read_text()).items()}
        loaded = (Repo.load(path.parent) for path in (root / "repos").glob("*/*/*/repo.json"))
        self._repos = {(repo.state["type"], repo.state["id"]): repo for repo in loaded}

    # users

    def set_user(self, token: str, user: User) -> None:
        with self.lock:
            self._users[_digest(token)] = user
            self._save_users()

    def expire(self, token: str, after: str | None) -> None:
        """Ends a token: now, or after the first request whose "METHOD /path" matches."""
        with self.lock:
            user = self._users[_digest(token)]
            user.expired, user.expire_after = after is None, after
            self._save_users()

    def user_of(self, token: str) -> User | None:
        return self._users.get(_digest(token))

    def note_use(self, user: User, request: str) -> None:
        """Expires a token that was to last until this request."""
        with self.lock:
            met = user.expire_after is not None and re.search(user.expire_after, request)  # a pattern a test gave
            if met:
                user.expired, user.expire_after = True, None
                self._save_users()

    def _save_users(self) -> None:
        write_whole(self._users_file, json.dumps({key: vars(user) for key, user in self._users.items()}).encode())

    # repositories

    def find(self, kind: str, repo_id: str) -> Repo:
        """For the test's own questions: no rights asked."""
        return self._repos[kind, repo_id]

    def create(self, kind: str, repo_id: str, visibility: str, user: User) -> Repo:
        namespace = repo_id.split("/")[0]
        if kind not in TYPES or not REPO_ID.fullmatch(repo_id):
            raise Refused(400, "BadRequest", f"Invalid repo type or name: {kind} {repo_id}")
        if not user.may_create(namespace):
            message = f'You don\'t have the rights to create a {kind} under the namespace "{namespace}"'
            raise Refused(403, "Forbidden", message)
        with self.lock:
            if (kind, repo_id) in self._repos:
                message = f"You already created this {kind} repo: {repo_id}"
                raise Refused(409, "RepoExists", message, {"url": self.page(kind, repo_id)})
            repo = Repo.create(self.root / "repos" / kind / repo_id, kind, repo_id, visibility, user.name)
            self._repos[kind, repo_id] = repo
            return repo

    def delete(self, repo: Repo) -> None:
        with self.lock:
            del self._repos[repo.state["type"], repo.state["id"]]
            (repo.folder / "repo.json").unlink()

    def readable(self, kind: str, repo_id: str, user: User | None) -> Repo:
        """The repo, or the Hub's reply to whoever may not know whether it exists: 401 to nobody, 404 to somebody."""
        repo = self._repos.get((kind, repo_id))
        mine = user is not None and user.owns(repo_id.split("/")[0]) and user.covers(repo_id)
        if repo is None or (repo.state["visibility"] == "private" and not mine):
            message = "Repository not found" if user else "Invalid username or password."
            raise Refused(404 if user else 401, "RepoNotFound", message)
        return repo

    def writable(self, kind: str, repo_id: str, user: User | None) -> Repo:
        repo = self.readable(kind, repo_id, user)
        if user is None:
            raise Refused(401, "Unauthorized", "Invalid username or password.")
        if not user.may_write(repo_id):
            message = f"You don't have write access to this {kind}: the token of {user.name} has the role {user.role}"
            raise Refused(403, "Forbidden", message)
        return repo

    # addresses

    def page(self, kind: str, repo_id: str) -> str:
        return f"{self.url}/{'' if kind == 'model' else kind + 's/'}{repo_id}"

    def signed(self, origin: str, path: str) -> str:
        """An address that whoever knows it may use, without a token."""
        return f"{origin}{path}?signature={self.signature(path)}"

    def signature(self, path: str) -> str:
        return hmac.new(self._secret, path.encode(), "sha256").hexdigest()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
