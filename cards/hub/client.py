"""Access one repo on the Hub: calls are retried, errors are one line and never hold the token.

The client retries some calls and not others (no POST that creates anything, and a lost reply is an error to it). Here
every call is tried again after 429, 5xx and transport errors, and never after 401 and 403.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from friends_corpus.core.retry import retry_after

from .files import Outgoing, ReleaseError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

T = TypeVar("T")
AGAIN = (408, 425, 429)  # and all 5xx
CONFLICTS = (409, 412)  # another commit came first, or is under way: nothing is wrong with ours
TIMEOUT = 120.0  # seconds without a byte; the client's own default is to wait for ever
WRITE = 'the permission "Write access to contents/settings of repos"'


@dataclass(frozen=True)
class Patience:
    """How often a call is tried and how long is waited in between, in seconds; tests inject `sleep` and `chance`."""

    tries: int = 8
    longest: float = 60.0  # of our own back-off
    longest_asked: float = 600.0  # of what a Retry-After may ask for; beyond that the command gives up
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random

    def wait(self, tried: int, error: BaseException) -> float | None:
        """Return the seconds before the next try, None to give up.

        They are what the Hub asked for, else 1, 2, 4 … with jitter.
        """
        asked = asked_to_wait(error)
        if tried >= self.tries or (asked is not None and asked > self.longest_asked):
            return None
        if asked is not None:
            return asked + self.chance()
        return float(min(self.longest, 2 ** (tried - 1))) * (0.5 + self.chance() / 2)

    def pause(self, tried: int, error: BaseException, doing: str) -> bool:
        """Wait and say so on stderr; False if there is no point in another try."""
        seconds = self.wait(tried, error)
        if seconds is None:
            return False
        print(f"{doing}: {in_short(error)}; again in {seconds:.0f} s", file=sys.stderr, flush=True)
        self.sleep(seconds)
        return True


def status_of(error: BaseException | None) -> int | None:
    """Return the HTTP status behind an error, or behind what it was raised from."""
    from huggingface_hub.errors import HfHubHTTPError

    while error is not None:
        if isinstance(error, HfHubHTTPError):
            return int(error.response.status_code)
        error = error.__cause__
    return None


def is_passing(error: BaseException) -> bool:
    """Tell whether the same call may succeed later.

    So it may after 429, 5xx, transport errors, and uploads that a storage server ended.
    """
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        return status in AGAIN or status >= 500
    if isinstance(error, OfflineModeIsEnabled | httpx2.UnsupportedProtocol) or status_of(error) == 401:
        return False
    # RuntimeError: what the client and hf_xet raise when an upload ends early; JSONDecodeError: half a reply
    passing = (httpx2.TransportError, ConnectionError, TimeoutError, RuntimeError, json.JSONDecodeError)
    return isinstance(error, passing)


def asked_to_wait(error: BaseException) -> float | None:
    """Return the seconds that the Hub asked for in a Retry-After or RateLimit header."""
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.utils._http import parse_ratelimit_headers

    if not isinstance(error, HfHubHTTPError):
        return None
    headers: Mapping[str, str] = error.response.headers
    asked = retry_after(headers, time.time())
    limit = parse_ratelimit_headers(headers) if error.response.status_code == 429 else None
    if asked is None and limit is not None and limit.remaining == 0:
        return float(limit.reset_in_seconds)
    return asked


def in_short(error: BaseException) -> str:
    """Return an error in a few words: "503", "ReadError"."""
    status = status_of(error)
    return str(status) if status else type(error.__cause__ or error).__name__


def call(api: HfApi, where: str, doing: str, do: Callable[[], T], patience: Patience) -> T:
    """Call `do`, again while that can help, and return what it returns.

    Raises ReleaseError, which names `where` and `doing`.
    """
    tried = 0
    while True:
        tried += 1
        try:
            return attempt(do)
        except possible_errors() as error:
            if not is_passing(error) or not patience.pause(tried, error, f"{where}: {doing}"):
                raise explained(error, api, where, doing, tried) from None


def attempt(do: Callable[[], T]) -> T:
    """Call `do` once, with a limit to waiting for a byte; the client may have been made anew."""
    from huggingface_hub import get_session

    get_session().timeout = TIMEOUT
    return do()


def possible_errors() -> tuple[type[Exception], ...]:
    """Return what a call can fail with; not all transport errors are OSErrors."""
    import httpx2

    return (httpx2.HTTPError, OSError, RuntimeError, ValueError)


def explained(error: BaseException, api: HfApi, where: str, doing: str, tried: int) -> ReleaseError:
    """Say in one line what failed, why, and what to do about it."""
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, OfflineModeIsEnabled, RepositoryNotFoundError

    status = status_of(error)
    tokens = f"{api.endpoint}/settings/tokens"
    message = getattr(error, "server_message", None) or str(error)
    message = " ".join(message.replace(str(api.token), "***").split())[:300]
    missing = isinstance(error, RepositoryNotFoundError) and not isinstance(error, GatedRepoError)
    login = "put it in HF_TOKEN or run `hf auth login`"
    if isinstance(error, OfflineModeIsEnabled):
        why = "HF_HUB_OFFLINE is set; unset it"
    elif missing:
        why = "there is no such repo, or this token may not see it; check the name and the token's repos"
    elif status == 401 or type(error).__name__ == "XetAuthenticationError":
        why = f"the Hub does not accept the token (401); make one with {WRITE} at {tokens}, then {login}"
    elif status == 403:
        why = f"forbidden (403): the token lacks {WRITE} for {where}; give it that, or make another, at {tokens}"
    elif status is not None and (status in AGAIN or status >= 500):
        why = f"the Hub still answers {status} after {tried} tries; run the same command again later"
    elif isinstance(error, HfHubHTTPError):
        why = f"the Hub refuses ({status}): {message}"
    elif is_passing(error):
        why = (
            f"no answer after {tried} tries ({type(error).__name__}: {message}); check the connection and run it again"
        )
    else:
        why = f"{type(error).__name__}: {message}"
    return ReleaseError(f"{where}: {doing}: {why}", status, missing)


@dataclass(frozen=True)
class Info:
    """A repo as it is now; `head` is None while it has no commit."""

    private: bool
    head: str | None


@dataclass(frozen=True)
class Repo:
    """A repo and the means to reach it. All methods raise ReleaseError; `commit` alone is a single try."""

    api: HfApi
    id: str
    type: Literal["dataset", "model"]
    patience: Patience

    @property
    def url(self) -> str:
        """Its page."""
        return f"{self.api.endpoint}/{'datasets/' if self.type == 'dataset' else ''}{self.id}"

    def info(self) -> Info | None:
        """Look at the repo; None if there is none that this token may see."""
        try:
            info: Any = self._call("look", lambda: self.api.repo_info(self.id, repo_type=self.type))
        except ReleaseError as error:
            if error.missing:
                return None
            raise
        return Info(private=bool(info.private), head=info.sha)

    def check_write_access(self) -> None:
        """Ask the Hub whether this token may write here."""
        self._call("check write access", lambda: self.api.auth_check(self.id, repo_type=self.type, write=True))

    def create(self) -> None:
        """Create the repo, private.

        It may be there already, for example if the reply of a first try was lost.
        """
        try:
            self._call("create", lambda: self.api.create_repo(self.id, repo_type=self.type, private=True))
        except ReleaseError as error:
            if error.status != 409:
                raise

    def tree(self, revision: str) -> dict[str, tuple[int, str]]:
        """Return path → size and digest of a commit's files.

        The digest is the sha256 of a large file, else git's sha1.
        """
        from huggingface_hub.hf_api import RepoFile

        def entries() -> list[Any]:
            return list(self.api.list_repo_tree(self.id, recursive=True, revision=revision, repo_type=self.type))

        files = [entry for entry in self._call("list files", entries) if isinstance(entry, RepoFile)]
        return {file.path: (file.size, file.lfs.sha256 if file.lfs else file.blob_id) for file in files}

    def commit_of(self, tag: str) -> str | None:
        """Return the commit that a tag names, None if there is no such tag."""
        refs = self._call("list tags", lambda: self.api.list_repo_refs(self.id, repo_type=self.type))
        if tag not in {ref.name for ref in refs.tags}:
            return None
        info: Any = self._call("read tag", lambda: self.api.repo_info(self.id, revision=tag, repo_type=self.type))
        return str(info.sha)

    def commit(self, message: str, parent: str | None, add: Sequence[Outgoing], delete: Sequence[str]) -> str:
        """Make one commit and return its id.

        A single try: what is to be done after an error depends on what is there by then.
        """
        from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete

        operations: list[CommitOperationAdd | CommitOperationCopy | CommitOperationDelete] = [
            *(CommitOperationAdd(file.path, file.content) for file in add),
            *(CommitOperationDelete(path, is_folder=False) for path in delete),
        ]
        done = attempt(
            lambda: self.api.create_commit(
                self.id, operations, commit_message=message, parent_commit=parent, repo_type=self.type
            )
        )
        return str(done.oid)

    def create_tag(self, tag: str, commit: str) -> None:
        """Tag a commit. Silent if the tag is there already, at whatever commit: the caller looks."""
        try:
            self._call("tag", lambda: self.api.create_tag(self.id, tag=tag, revision=commit, repo_type=self.type))
        except ReleaseError as error:
            if error.status != 409:
                raise

    def make_public(self) -> None:
        """Show the repo and its whole history to everybody."""
        settings = self.api.update_repo_settings
        self._call("make public", lambda: settings(self.id, private=False, repo_type=self.type))

    def download(self, revision: str, cache: str) -> str:
        """Download all files of a commit through an own cache; return their folder."""
        fetch = self.api.snapshot_download
        return self._call("download", lambda: fetch(self.id, revision=revision, repo_type=self.type, cache_dir=cache))

    def _call(self, doing: str, do: Callable[[], T]) -> T:
        return call(self.api, self.id, doing, do, self.patience)
