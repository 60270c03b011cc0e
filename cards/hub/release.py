"""Release a folder to the Hub: check, one commit, one tag that never moves, verify.

Used by both publishers. Whatever fails, the repo's head is read again before anything is repeated: if the release is
there, the reply was lost and not the commit. A command that was cut off is simply run again.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from friends_corpus.core.cli import FAILED, exit_code
from friends_corpus.core.visible import masked

from .client import CONFLICTS, Info, Patience, Repo, call, explained, is_passing, possible_errors, status_of
from .files import Outgoing, ReleaseError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

REPO = re.compile(r"(?:[A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]{0,95}", re.ASCII)  # "ana/friends-lines", "friends-lines"
NO_NAME = re.compile(r"--|\.\.|\.git$|[-.](?:/|$)")  # what the Hub allows in no name: "a--b", "a.git", "a-"
KEPT = ".gitattributes"  # the Hub's own file: which files are large ones
MOST_FILES = 200
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Release:
    """Exactly these files under one tag. `marker`: the file by which a repo with content is known as one of ours."""

    files: Sequence[Outgoing]
    tag: str
    marker: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What is on the Hub, and what a release would change. `commit`: the one that already holds it, if any."""

    info: Info | None
    commit: str | None
    tagged: bool
    add: Sequence[Outgoing]
    change: Mapping[str, int]  # path → size on the Hub; the new content is in `add`
    delete: Mapping[str, int]  # path → size on the Hub


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of both publishers."""
    add = parser.add_argument
    add("--public", action="store_true", help="make the repo visible to everybody (default: private); asks first")
    add("--yes", action="store_true", help="do not ask; needed with --public where nobody can be asked")
    add(
        "--dry-run",
        action="store_true",
        help="print what differs from the Hub and what would be tagged; change nothing",
    )


def publishing(publish: Callable[[], None], advice: str) -> int:
    """Run a publisher and return its exit code; if it fails the advice follows the reason on stderr."""
    code = exit_code(publish, "what was published by then is whole, run the command again")
    if code == FAILED and advice:
        print(masked(advice), file=sys.stderr)
    return code


def repo_id(text: str) -> str:
    """Return the text if it is USER/NAME, or NAME in your own namespace; for argparse.

    >>> repo_id("ana/friends-lines")
    'ana/friends-lines'
    """
    if REPO.fullmatch(text) is None or NO_NAME.search(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no repo id; write USER/NAME (letters, digits, -, _ and .)")
    return text


def connect(endpoint: str | None = None, token: str | None = None) -> HfApi:
    """Return a client with the token of HF_TOKEN or of `hf auth login`.

    Raises ReleaseError if there is none.
    """
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.utils.tqdm import disable_progress_bars

    given = token or get_token()
    api = HfApi(endpoint=endpoint, token=given)
    if not given:
        raise ReleaseError(
            f"no token for the Hub; make one with write access at {api.endpoint}/settings/tokens, "
            "then put it in HF_TOKEN or run `hf auth login`"
        )
    if not sys.stderr.isatty():
        disable_progress_bars()
    address = urlsplit(api.endpoint)
    if address.scheme != "https" and address.hostname not in LOOPBACK:
        print(f"warning: {api.endpoint} is not https: others on the way can read the token", file=sys.stderr)
    return api


def open_repo(api: HfApi, name: str, type: Literal["dataset", "model"], patience: Patience) -> Repo:
    """Return the repo under its full name if this token may write there; change nothing."""
    me: dict[str, Any] = call(api, name, "ask who you are", api.whoami, patience)
    repo = Repo(api, name if "/" in name else f"{me['name']}/{name}", type, patience)
    if repo.info():
        repo.check_write_access()
        return repo
    role = me.get("auth", {}).get("accessToken", {}).get("role")
    namespace = repo.id.partition("/")[0]
    if role == "read":
        tokens = f"{api.endpoint}/settings/tokens"
        raise ReleaseError(f"{repo.id}: cannot create it: the token may only read; make one that may write at {tokens}")
    if namespace not in (me["name"], *(org["name"] for org in me.get("orgs", []))):
        raise ReleaseError(f"{repo.id}: you are {me['name']} and not in {namespace}; publish to {me['name']}/…")
    return repo


def put_release(
    repo: Repo, release: Release, public: bool = False, yes: bool = False, dry_run: bool = False
) -> str | None:
    """Publish a release; return the commit that holds it, None after a dry run.

    The repo stays as visible as it is; `show` makes it public when all has been verified. Raises ReleaseError; nothing
    of ours is ever half there.
    """
    files, tag = release.files, release.tag
    if not 0 < len(files) <= MOST_FILES:
        raise ReleaseError(f"{repo.id}: {len(files)} files; a release has at most {MOST_FILES}")
    plan = make_plan(repo, release)
    if plan.info and not plan.info.private and not public:
        raise ReleaseError(
            f"{repo.id} is public; add --public to publish there, or make it private at {repo.url}/settings"
        )
    for line in described(repo, plan, tag, public):
        print(line)
    if dry_run:
        print("dry run   nothing was changed")
        return None
    if public and not yes:
        ask(repo.id)
    if plan.info is None:
        repo.create()
        plan = make_plan(repo, release)
        if plan.info is None or not (plan.info.private or public):
            raise ReleaseError(f"{repo.id} was to be created private and is not; look at {repo.url}")
    commit = put_tag(repo, release, plan.commit or put_commit(repo, release, plan))
    if not holds(repo.tree(commit), files):
        raise ReleaseError(f"{repo.id}: the files at {tag} are not those that were sent; compare {repo.url}/tree/{tag}")
    print(f"verified  the {len(files)} files at {tag}, commit {commit}", flush=True)
    return commit


def make_plan(repo: Repo, release: Release) -> Plan:
    """Compare a release with what is there now.

    Raises ReleaseError if the tag, or the repo, holds something else.
    """
    info, files, tag = repo.info(), release.files, release.tag
    if info is None or info.head is None:
        return Plan(info, None, False, files, {}, {})
    tagged = repo.commit_of(tag)
    if tagged:
        if not holds(repo.tree(tagged), files):
            raise ReleaseError(
                f"{repo.id}: {tag} is there with other content, and tags never move; choose another --version"
            )
        return Plan(info, tagged, True, (), {}, {})
    there = repo.tree(info.head)
    if holds(there, files):
        return Plan(info, info.head, False, (), {}, {})
    foreign = sorted(there.keys() - {KEPT, "README.md"})
    if foreign and release.marker not in there:
        raise ReleaseError(
            f"{repo.id} holds {foreign[0]!r} and no {release.marker}: none of our releases; choose another name"
        )
    add = [file for file in files if there.get(file.path) not in ids(file)]
    change = {file.path: there[file.path][0] for file in add if file.path in there}
    removed = there.keys() - {KEPT, *(file.path for file in files)}
    return Plan(info, None, False, add, change, {path: there[path][0] for path in sorted(removed)})


def ids(file: Outgoing) -> tuple[tuple[int, str], tuple[int, str]]:
    """Return what a tree of the Hub may say of a file: it is a large one or one of git's."""
    return (file.size, file.sha256), (file.size, file.git_sha1)


def holds(there: Mapping[str, tuple[int, str]], files: Sequence[Outgoing]) -> bool:
    """Tell whether a tree of the Hub is exactly these files, but for the Hub's own one.

    >>> from cards.hub.files import outgoing
    >>> holds({"a": (1, "9d68933c44f13985b9eb19159da6eb3ff0e574bf")}, [outgoing("a", b"b")])
    False
    """
    paths = {file.path for file in files}
    return there.keys() - {KEPT} == paths - {KEPT} and all(there[file.path] in ids(file) for file in files)


def described(repo: Repo, plan: Plan, tag: str, public: bool) -> list[str]:
    """Describe the plan, one line for each thing that would change."""
    now = "not there yet" if plan.info is None else "private" if plan.info.private else "public"
    visibility = "public" if public else "private"
    lines = [f"repo      {repo.id} ({repo.type}), {now}" + (f", to be {visibility}" if now != visibility else "")]
    if plan.commit:
        lines.append(f"content   the same as in commit {plan.commit}")
    for file in plan.add:
        was = f"{plan.change[file.path]:,} → " if file.path in plan.change else ""
        lines.append(f"{'change' if was else 'add'}    {'' if was else '   '}{file.path}, {was}{file.size:,} bytes")
    lines += [f"delete    {path}, {size:,} bytes" for path, size in plan.delete.items()]
    lines.append(f"tag       {tag}" + (", there already" if plan.tagged else ""))
    return lines


def ask(id: str) -> None:
    """Ask somebody to type the repo id. Raises ReleaseError otherwise."""
    if not sys.stdin.isatty():
        raise ReleaseError(f"{id}: --public needs --yes where nobody can be asked; nothing was changed")
    print(f"Everybody will see {id} and its whole history.", flush=True)
    try:
        typed = input("Type the repo id to confirm: ").strip()
    except EOFError:
        typed = ""
    if typed != id:
        raise ReleaseError(f"{id}: not confirmed; nothing was changed")


def put_commit(repo: Repo, release: Release, plan: Plan) -> str:
    """Commit on top of the head that was compared; return the commit that holds the release.

    After an error that may pass, all is compared again: a commit whose reply was lost is found and not repeated, and
    one that came in between is built upon, unless it took the tag.
    """
    tried = 0
    while plan.commit is None:
        tried += 1
        parent = plan.info.head if plan.info else None
        try:
            return repo.commit(f"Release {release.tag}", parent, plan.add, list(plan.delete))
        except possible_errors() as error:
            may_pass = is_passing(error) or status_of(error) in CONFLICTS
            waited = may_pass and repo.patience.pause(tried, error, f"{repo.id}: commit")
            if may_pass:
                plan = make_plan(repo, release)
            if plan.commit is None and not waited:
                raise explained(error, repo.api, repo.id, "commit", tried) from None
    return plan.commit


def put_tag(repo: Repo, release: Release, commit: str) -> str:
    """Tag the commit, unless the tag is there; return the commit it names.

    The Hub never moves a tag, and says nothing.
    """
    tag = release.tag
    if not (tagged := repo.commit_of(tag)):
        repo.create_tag(tag, commit)
        tagged = repo.commit_of(tag)
    if tagged is None:
        raise ReleaseError(f"{repo.id}: {tag} was made and is not there; run the same command again")
    if tagged != commit and not holds(repo.tree(tagged), release.files):
        raise ReleaseError(f"{repo.id}: somebody else published {tag} just now; choose another --version")
    return tagged


def show(repo: Repo) -> None:
    """Make a private repo public, after all has been verified."""
    info = repo.info()
    if info and info.private:
        repo.make_public()
        info = repo.info()
    if info is None or info.private:
        raise ReleaseError(f"{repo.id} is still private; make it public at {repo.url}/settings")
