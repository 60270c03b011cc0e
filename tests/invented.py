"""Invented episodes for the builder tests: as hand-made Episode objects and as pages in the archive's markup."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from friends_corpus.core.model import Episode, Line, Scene, StageDirection

NAMES = ("Joey", "Ross", "Monica", "Rachel", "Phoebe", "Chandler")
THINGS = ("kettle", "ladder", "pigeon", "violin", "lamp", "cactus", "tuba", "canoe", "scarf", "melon", "drum", "kite")


def direction(text: str) -> StageDirection:
    return StageDirection(text, (0,))


def episode(
    *scenes: Sequence[tuple[str, str] | tuple[str, str, str] | StageDirection],
    page: str = "0101.html",
    title: str = "The One With The Kettle",
    headings: Sequence[str | None] = (),
    variant: str = "",
) -> Episode[Line]:
    """Scenes of ("Joey", "Hi.") or ("Joey and Ross", "Hi.", "(waving) Hi.") or `direction(…)`."""
    built: list[Scene[Line]] = []
    position = 0
    for number, events in enumerate(scenes, start=1):
        made: list[Line | StageDirection] = []
        for event in events:
            if isinstance(event, StageDirection):
                made.append(event)
                continue
            speakers = tuple(event[0].split(" and "))
            printed = event[2] if len(event) == 3 else event[1]
            directions = ("a direction",) if printed != event[1] else ()
            made.append(Line(number, position, speakers, event[0].upper(), event[1], printed, directions, (position,)))
            position += 1
        heading = headings[number - 1] if headings else f"[Scene: Room {number}]"
        built.append(Scene(heading, tuple(made)))
    numbers = (int(page[2:4]),) if page[2:4].isdecimal() else ()
    return Episode(page, int(page[:2]), numbers, variant, title, ("A. Writer",), ("A. Fan",), tuple(built))


def page(number: int, title: str = "", scenes: int = 2, turns: int = 6, extra: str = "") -> str:
    """The HTML of an invented episode page; different numbers talk about different things."""
    title = title or f"The One With The {THINGS[number % len(THINGS)].title()}"
    lines = [f"<html><head><title>{html.escape(title)}</title></head><body>", f"<h1>{html.escape(title)}</h1>"]
    lines.append("<p>Written by: Wanda Writer</p>\n<p>Transcribed by: Fred Fan</p>\n<hr>")
    for scene in range(scenes):
        lines.append(f"<p>[Scene: Room {scene + 1}, all look at a {THINGS[(number + scene) % len(THINGS)]}.]</p>")
        for turn in range(turns):
            thing = THINGS[(number * 5 + scene * 3 + turn) % len(THINGS)]
            name = NAMES[(number + turn) % len(NAMES)]
            speech = f"(smiling) My {thing} number {number} is bigger than yours, {turn} times."
            lines.append(f"<p><b>{name}:</b> {speech}</p>")
        lines.append("<p>(They leave.)</p>")
    return "\n".join([*lines, extra, "<p><b>End</b></p>", "</body></html>"])


def write_pages(folder: Path, numbers: Sequence[int] = (1, 2, 3, 4), season: int = 1) -> Path:
    """A folder with the pages 0101.html … ."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (folder / f"{season:02d}{number:02d}.html").write_text(page(number), encoding="utf-8")
    return folder
