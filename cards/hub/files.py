"""Files that leave this machine: read once, scanned for secrets, then sent as they were read."""

import hashlib
import json
import os
import re
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from friends_corpus.core.cli import Failed
from friends_corpus.core.secret_shapes import SHAPES

PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}")  # one part of a path: "train-00000-of-00001.parquet"
SHORTEST_PLACE = 4  # "/tmp"; anything shorter turns up in random bytes


class ReleaseError(Failed):
    """Publishing stopped; one line that names the thing and the remedy. `status`: what the Hub answered, if it did."""

    def __init__(self, message: str, status: int | None = None, missing: bool = False) -> None:
        super().__init__(" ".join(message.split()))
        self.status = status
        self.missing = missing  # the Hub says that there is no such repo


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A file to publish: its path in the repo, and its bytes with the two digests by which the Hub knows them."""

    path: str
    content: bytes
    sha256: str  # of the content: what the Hub lists for large and binary files
    git_sha1: str  # of git's header and the content: what it lists for the others

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.content)


def outgoing(path: str, content: bytes) -> Outgoing:
    """Return a file to publish.

    >>> outgoing("a.txt", b"hello").git_sha1
    'b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0'
    """
    header = f"blob {len(content)}\0".encode()
    return Outgoing(path, content, hashlib.sha256(content).hexdigest(), hashlib.sha1(header + content).hexdigest())


def read_outgoing(folder: Path, paths: Iterable[str]) -> list[Outgoing]:
    """Read the files of `folder` at these relative paths, sorted.

    Raises ReleaseError for odd names, links and gaps.
    """
    files = []
    for path in sorted(paths):
        root = folder
        for part in PurePosixPath(path).parts:
            root /= part
            if PART.fullmatch(part) is None:
                raise ReleaseError(
                    f"{folder}: cannot publish the name {path!r}; rename it (letters, digits, dots, - and _)"
                )
            if root.is_symlink():
                raise ReleaseError(f"{root} is a link; put a copy of the file in its place")
        try:
            if not stat.S_ISREG(root.stat().st_mode):
                raise ReleaseError(f"{root} is no file; remove it")
            files.append(outgoing(path, root.read_bytes()))
        except OSError as error:
            raise ReleaseError(f"{root}: {error.strerror}; write the folder anew") from None
    return files


def machine_places(folder: Path) -> set[str]:
    """Return the folders of this machine that nobody else needs to know.

    These are home, here, that of temporary files, a virtual environment, the release's.

    >>> str(Path.home()) in machine_places(Path("friends-lines")) or len(str(Path.home())) < SHORTEST_PLACE
    True
    """
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 (Path.home raises where there is none)
    folders = [home, Path.cwd(), Path(tempfile.gettempdir()), folder.absolute().parent]
    if sys.prefix != sys.base_prefix:
        folders.append(Path(sys.prefix))  # a virtual environment; the system's Python is in /usr like everyone's
    places = {str(path) for path in [*folders, *(path.resolve() for path in folders)]}
    return {path for path in places if len(path) >= SHORTEST_PLACE}


def check_secrets(files: Iterable[Outgoing], token: str, places: Iterable[str]) -> None:
    """Refuse to send the token in use, another secret or a path of this machine. Raises ReleaseError.

    >>> check_secrets([outgoing("README.md", b"one\\nsee /home/ana/notes")], "x" * 40, ["/home/ana"])
    Traceback (most recent call last):
        ...
    cards.hub.files.ReleaseError: README.md: line 2 holds a path of this machine (/home/ana); take it out
    """
    for file in files:
        for text, position in suspicious(file.content, token, places):
            raise ReleaseError(f"{file.path}: {where(file.content, position)} holds {text}; take it out")


def suspicious(content: bytes, token: str, places: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Yield (what it is, where it starts) of all that must not leave this machine."""
    narrow = content.replace(b"\0", b"")  # UTF-16 and UTF-32, in either order of bytes, without their empty halves
    for text in (content, narrow) if len(narrow) < len(content) else (content,):
        for what, start in named_in(text, token, places):
            yield what, start if text is content else next(islice(re.finditer(rb"[^\0]", content), start, None)).start()


def named_in(text: bytes, token: str, places: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Yield (what it is, where it starts) of what must not leave this machine, of each kind the first."""
    at = text.find(token.encode())
    if at >= 0:
        yield "the token in use (revoke it, it has been written to a file)", at
    for what, shape in SHAPES.items():
        if match := shape.search(text):
            article = "an" if what[0] in "aeiou" else "a"
            yield f"what looks like {article} {what}", match.start()
    for path in sorted(places, key=len, reverse=True):
        forms = {
            os.fsencode(form) for form in (path, json.dumps(path)[1:-1], path.replace("/", "\\/"), quote(path, ""))
        }
        for match in re.finditer(b"|".join(map(re.escape, sorted(forms))), text):
            after = text[match.end() : match.end() + 4].decode(errors="replace")[:1]
            if not (after.isalnum() or after == "_"):  # "/home/anabel" is somebody else's
                yield f"a path of this machine ({path})", match.start()
                break


def where(content: bytes, position: int) -> str:
    r"""Describe a position for a message: the line in a text, else the byte.

    >>> where(b"one\ntwo", 5), where(b"\0\0\0", 2)
    ('line 2', 'byte 2')
    """
    line = content.count(b"\n", 0, position) + 1
    return f"byte {position:,}" if b"\0" in content else f"line {line}"


def digest_of(files: Sequence[Outgoing]) -> str:
    """Return the digest of names and contents together as hex digits.

    >>> digest_of([outgoing("a", b""), outgoing("b", b"x")])[:8]
    '0c78a205'
    """
    listed = "\n".join(f"{file.path} {file.sha256}" for file in sorted(files, key=lambda file: file.path))
    return hashlib.sha256(listed.encode()).hexdigest()
