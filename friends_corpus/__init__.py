"""Turn raw *Friends* transcript pages into clean, speaker-attributed lines.

    import friends_corpus as fc
    show = fc.read("pages/")
    show.lines(speaker="Joey"), show.scenes(), show.pairs(), show.to_pandas()  # docs/api.md

`python -m friends_corpus` lists the commands. The names below are the data model of a page; rooms hold the rest.
"""

import sys
from typing import TYPE_CHECKING, Any

if sys.argv[:1] == ["-m"]:  # a command begins: before any other import
    if not (sys.flags.safe_path or __file__.startswith(sys.path[0])):
        del sys.path[0]  # the current folder, and no clone
    from .core.import_path import leave_current_folder

    leave_current_folder()

from .core.model import Block, Episode, Line, ParseError, Run, Scene, Segment, StageDirection, Utterance
from .core.versions import __version__

if TYPE_CHECKING:
    from .api.transcripts import read, read_page


def __getattr__(name: str) -> Any:  # a command that reads no pages does not wait for lxml
    if name in ("read", "read_page"):
        from .api import transcripts

        return getattr(transcripts, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Block",
    "Episode",
    "Line",
    "ParseError",
    "Run",
    "Scene",
    "Segment",
    "StageDirection",
    "Utterance",
    "__version__",
    "read",
    "read_page",
]
