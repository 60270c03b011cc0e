"""For the publishers' tests: a small release, and the core of both publishers as a callable that never waits."""

from __future__ import annotations

from itertools import count

from hub.stand_in import StandIn
from huggingface_hub import HfApi

from cards.hub.client import Patience
from cards.hub.files import Outgoing, outgoing
from cards.hub.release import Release, open_repo, put_release, show

TOKEN = "hf_" + "anaTESTtokenTESTtokenTESTtokenTEST"  # in two parts: secret scanners must not trip over it
OTHER = "hf_" + "bobTESTtokenTESTtokenTESTtokenTEST"
NUMBERS = count(1)  # no two tests share a repo or a user
CARD = b"---\nlanguage:\n- en\n---\n\n# Invented\n"


def files(word: str = "one") -> list[Outgoing]:
    """A release of two small files, a binary one and one in a folder."""
    made = {"README.md": CARD, "manifest.json": b'{"word": "%s"}' % word.encode(), "lines/a.txt": b"Joey: hi\n"}
    made["lines/train.parquet"] = b"PAR1\0" + word.encode() * 500 + b"PAR1"
    return [outgoing(path, content) for path, content in sorted(made.items())]


def content(word: str) -> dict[str, bytes]:
    return {file.path: file.content for file in files(word)}


class Publisher:
    """`put_release` to a repo as the commands do it, with waits that are noted and not waited."""

    def __init__(self, hub: StandIn, name: str, token: str = TOKEN) -> None:
        self.hub, self.name, self.token = hub, name, token
        self.waits: list[float] = []

    def __call__(
        self, word: str = "one", tag: str = "v1.0.0", public: bool = False, dry_run: bool = False
    ) -> str | None:
        api = HfApi(endpoint=self.hub.url, token=self.token)
        repo = open_repo(api, self.name, "dataset", Patience(sleep=self.waits.append, chance=lambda: 0.5))
        commit = put_release(repo, Release(files(word), tag, "manifest.json"), public=public, yes=True, dry_run=dry_run)
        if commit and public:
            show(repo)
        return commit

    def commits(self) -> list[str]:
        """Titles, oldest first, without the Hub's own."""
        return [commit["title"] for commit in self.hub.commits("dataset", self.name)][::-1][1:]

    def held(self, revision: str = "main") -> dict[str, bytes]:
        """What the repo holds, without the Hub's own file."""
        found = self.hub.files("dataset", self.name, revision)
        return {path: content for path, content in found.items() if path != ".gitattributes"}

    def sent(self) -> list[str]:
        """The requests that changed or tried to change anything, since the log was cleared."""
        made = [f"{entry.method} {entry.path}" for entry in self.hub.log() if entry.method in ("POST", "PUT", "DELETE")]
        return [entry for entry in made if "/preupload/" not in entry and "validate-yaml" not in entry]
