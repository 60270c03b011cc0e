"""Raw *Friends* transcript pages → clean, speaker-attributed lines.

`python -m friends_corpus` lists the commands. The names below are the data model of a page; rooms hold the rest.
"""

from .core.model import Block, Episode, Line, ParseError, Run, Scene, Segment, StageDirection, Utterance

__all__ = ["Block", "Episode", "Line", "ParseError", "Run", "Scene", "Segment", "StageDirection", "Utterance"]
