"""Turn raw *Friends* transcript pages into clean, speaker-attributed lines.

`python -m friends_corpus` lists the commands. The names below are the data model of a page; rooms hold the rest.
"""

import sys

if sys.argv[:1] == ["-m"]:  # a command begins: before any other import
    if not (sys.flags.safe_path or __file__.startswith(sys.path[0])):
        del sys.path[0]  # the current folder, and no clone
    from .core.import_path import leave_current_folder

    leave_current_folder()

from .core.model import Block, Episode, Line, ParseError, Run, Scene, Segment, StageDirection, Utterance
from .core.versions import __version__

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
]
