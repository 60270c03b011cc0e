"""The data model, one type per stage, on one screen.

bytes → list[Page] → list[Segment] → Episode[Utterance] → Episode[Line] → rows (builders)

Everything is frozen and fully filled when it is made. Vocabulary: season > episode > scene > utterance; a *cue* is
the label as printed ("PHOE/MNCA"), a *speaker* the person it means ("Phoebe"); a *stage direction* is a type of its
own and never a fake speaker.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from .ids import episode_id, speaker_id
from .persona import listed

SPOKEN_KINDS = ("cue", "punctuation", "speech")  # what makes a turn
DIRECTION_KINDS = ("direction", "transition", "caption")  # what tells the actors or the viewer something: in or between


class ParseError(ValueError):
    """A page that cannot be read as a transcript; the message names the page, the place and the remedy."""


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of visible text in one weight."""

    text: str
    bold: bool = False


class Style(NamedTuple):
    """A stretch of a block's text in another style than its neighbours: "i", "span.speaker", "font.0000ff"."""

    start: int
    end: int
    name: str


@dataclass(frozen=True, slots=True)
class Block:
    """One printed line of a page: what stands between two paragraph borders or <br>.

    `runs` concatenated are its visible text. `paragraph` is False for a line that a <br> began; `heading` is True
    inside <h1>…<h6>. `element` names what the line stands in where that says something: "td1", "dt", "p.character".
    """

    runs: tuple[Run, ...]
    paragraph: bool = True
    heading: bool = False
    element: str = ""
    styles: tuple[Style, ...] = ()  # other than bold
    role: str = ""  # what the format says that it is: "label", "speech", "direction", "heading", "note"
    text: str = field(init=False)  # all runs joined, blanks as the page has them

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", "".join([run.text for run in self.runs]))

    def part(self, start: int, end: int) -> Block:
        """Return the block between two positions of its text."""
        runs, offset = [], 0
        for run in self.runs:
            text = run.text[max(0, start - offset) : max(0, end - offset)]
            if text:
                runs.append(Run(text, run.bold))
            offset += len(run.text)
        clipped = [Style(max(a, start) - start, min(b, end) - start, name) for a, b, name in self.styles]
        styles = tuple(style for style in clipped if style.start < style.end)
        return Block(tuple(runs), self.paragraph, self.heading, self.element, styles, self.role)

    @property
    def look(self) -> str:
        """What its element and a style that it is in from end to end are called: "td1 i"."""
        end = len(self.text.rstrip())
        whole = next((style.name for style in reversed(self.styles) if style.start == 0 and style.end >= end), "")
        return f"{self.element} {whole}".strip()


@dataclass(frozen=True, slots=True)
class Page:
    """One episode as a file prints it. `locator` says where in the file: "3", "S01E03"; "" where it fills the file.

    `format` says what it was read from, `notes` what was guessed about it.
    """

    blocks: tuple[Block, ...]
    locator: str = ""
    notes: tuple[str, ...] = ()
    format: str = "HTML"


@dataclass(frozen=True, slots=True)
class Segment:
    """A classified stretch of the page. All segments joined in order are the page's visible text, exactly."""

    order: int
    kind: str  # SPOKEN_KINDS, DIRECTION_KINDS, title, credit, heading, marker, note, dropped:<reason>
    text: str


@dataclass(frozen=True, slots=True)
class StageDirection:
    """What a line of the script tells the actors: "(Enter Joey)"; as printed."""

    text: str
    segments: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Utterance:
    """One turn as printed: its segments in order, of SPOKEN_KINDS, DIRECTION_KINDS, and notes."""

    parts: tuple[Segment, ...]

    @property
    def cue(self) -> str:
        """The label without dashes or brackets around it: "PHOE/MNCA"."""
        return "".join(part.text for part in self.parts if part.kind == "cue").strip(" \xa0\n-–>()[]")

    @property
    def text(self) -> str:
        """What stands beside the label, directions included: "(whispering) Maybe."."""
        return " ".join(part.text.strip() for part in self.parts if part.kind not in ("cue", "punctuation"))


@dataclass(frozen=True, slots=True)
class Line:
    """One turn as shipped. `text` is the speech alone and may be empty where a turn holds only a direction."""

    scene: int  # 1-based in the page
    position: int  # counts utterances from 0 through the whole page
    speakers: tuple[str, ...]  # display names: ("Phoebe", "Monica"), ("All",); never empty
    cue: str
    text: str
    text_with_directions: str
    directions: tuple[str, ...]
    segments: tuple[int, ...]
    speaker_ids: tuple[str, ...] = ()  # one each; where none are given, those that follow from the names

    @property
    def speaker(self) -> str:
        """All speakers in one text: "Phoebe and Monica"."""
        return listed(self.speakers)

    def __post_init__(self) -> None:
        if not self.speaker_ids:
            object.__setattr__(self, "speaker_ids", tuple(map(speaker_id, self.speakers)))


E_ = TypeVar("E_", Utterance, Line)


@dataclass(frozen=True, slots=True)
class Scene(Generic[E_]):
    """A scene heading (None for a cold open without one) and what happens under it, in order."""

    heading: str | None
    events: tuple[E_ | StageDirection, ...]


@dataclass(frozen=True, slots=True)
class Episode(Generic[E_]):
    """A page as a script. `numbers` has two entries on a two-part page and none on an outtakes page."""

    page: str  # its name: "0101.html", "both.html#S01E03" (show/page_names.py)
    season: int
    numbers: tuple[int, ...]
    variant: str  # "" for the aired episode, "uncut", "outtakes"
    title: str
    written_by: tuple[str, ...]
    transcribed_by: tuple[str, ...]
    scenes: tuple[Scene[E_], ...]
    form: str = ""  # the format and how labels are printed: "HTML, bold labels with a colon"

    @property
    def id(self) -> str:
        """`s06e15`; pages with two episodes take the first number, outtakes have none: `s07`."""
        return episode_id(self.season, self.numbers[0] if self.numbers else None)

    def utterances(self) -> Iterator[E_]:
        """Yield the turns of all scenes, in order."""
        for scene in self.scenes:
            for event in scene.events:
                if not isinstance(event, StageDirection):
                    yield event
