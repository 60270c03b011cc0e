"""Pages → segments and episodes: reads the bytes, cuts the blocks, folds the segments into a script.

python -m friends_corpus.parse PAGE_OR_FOLDER… [--segments S.jsonl] [--lines L.jsonl]
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from .blocks import read_blocks
from .command import BAD_INPUT, InputError, complain, exit_code
from .cues import read_habits
from .model import DIRECTION_KINDS, SPOKEN_KINDS, Episode, Line, ParseError, Scene, Segment, StageDirection, Utterance
from .normalise import normalise
from .segments import cut
from .show import FRIENDS, Show, friends, read_show
from .sources import SAMPLE, find_pages, identify
from .speakers import title_case
from .wording import wording

WRITTEN = re.compile(r"(?i)\b(?:written|teleplay|story)(?: ?by)? ?:? ?(.*)")  # "Teleplay by: Jane Doe & John Roe"
TWO_DEEDS = re.compile(
    r"(?i)\b(written|teleplay|story) ?(?:and|&) ?(?:directed|teleplay|story)\b"
)  # "Written & Directed"
TRANSCRIBED = re.compile(  # "Transcribed by: Jane Doe", "Minor additions and adjustments by Jane Doe"
    r"(?i)\b(?:transcri\w+|adjust\w+|additions|help|check|html\w*) ?(?:by\b|from\b|:) ?:? ?(.*)"
)
NAME_LIST = re.compile(r"(?:, ?(?:and )?| ?& ?| and |;|/)(?:compiled by )?")
FULL_STOP = re.compile(r"(?<=\w\w)\.$")  # of a sentence, not of an initial
CREDIT_START = re.compile(  # the second credit of a line: "Story by: Jane Doe Teleplay by: John Roe"
    r"(?i)(?:[,;]|(?<![ \xa0]))[ \xa0]+(?:and )?"  # from the first blank of many only: linear
    r"(?=(?:part \w+ )?(?:with (?:help|minor)|teleplay|story|written|transcribed|directed|produced)\b"
    r"[^:\n]{0,25}?(?:\bby\b|\bfrom\b|:))"
)
ASIDE = re.compile(r"[(\[][^)\]]*[)\]]?")  # "(Yeah, that one.)"
TITLE_GOES_ON = re.compile(r"(?:With|Where|When|After|That|In|At|Of|And|The)\b", re.I)  # "The One<br>With A Kettle"


def _parser_version() -> str:
    """A hash over the code that decides how a page is read, lxml included; `Show.version` covers the data."""
    digest = sha256()
    for part in sorted(files(__package__).iterdir(), key=lambda part: part.name):
        if part.name.endswith(".py"):
            digest.update(part.name.encode() + part.read_bytes())
    digest.update(version("lxml").encode())
    return digest.hexdigest()[:16]


PARSER_VERSION = _parser_version()  # part of the key under which parsed pages are cached


def parse_page(name: str, data: bytes, show: Show | None = None) -> tuple[tuple[Segment, ...], Episode[Utterance]]:
    """All segments of a page, and the episode folded from them.

    `name` is the file name (it says season and episode), `data` the bytes as served, `show`
    whose page it is (default: *Friends*). Raises ParseError for bytes that
    are no page, a page without speakers, and a page whose episode cannot be told.

    >>> page = b"<h1>The One</h1><p>[Scene: A park.]</p><p><b>Joey:</b> (sits) Hi.</p>"
    >>> segments, episode = parse_page("0101.html", page)
    >>> [(segment.kind, segment.text.strip()) for segment in segments[-4:]]
    [('cue', 'Joey'), ('punctuation', ':'), ('direction', '(sits)'), ('speech', 'Hi.')]
    >>> [(utterance.cue, utterance.text) for utterance in episode.utterances()]
    [('Joey', '(sits) Hi.')]
    """
    blocks = read_blocks(data)
    if not blocks:
        raise ParseError("no visible text; the page is empty or was cut off: fetch it again")
    show = show or friends()
    source = identify(name, next((block.text for block in blocks if block.heading), blocks[0].text), show)
    segments = cut(blocks, read_habits(blocks, source.id, show))
    if not any(segment.kind == "cue" for segment in segments):
        raise ParseError("no speaker label such as 'Joey:' anywhere, so no transcript; remove the file from the folder")
    title, written_by, transcribed_by = read_credits(segments, show)
    scenes = tuple(fold_scenes(segments))
    return segments, Episode(
        name, source.season, source.numbers, source.variant, title, written_by, transcribed_by, scenes
    )


def fold_scenes(segments: tuple[Segment, ...]) -> Iterator[Scene[Utterance]]:
    """Scenes in order: a heading opens one; a direction that fills its line stands alone, any other is in a turn.

    Speech without a label goes on with the turn before it and takes along the directions printed in between.
    """
    heading: str | None = None
    events: list[list[Segment]] = []
    turn: list[Segment] = []  # the event that unlabelled speech belongs to; empty after a heading or a marker
    label_open = apart = True  # a cue goes on with the label before it; nothing but directions yet in this line
    for segment, following in zip(segments, [*segments[1:], None], strict=True):
        ends_line = segment.text.endswith("\n")
        if segment.kind == "heading":
            if events or heading is not None:
                yield _scene(heading, events)
            heading, events, turn = " ".join(segment.text.split()), [], []
        elif segment.kind in ("marker", "credit"):
            turn = []
        elif segment.kind == "cue" and not (turn and label_open):
            turn = [segment]
            events.append(turn)
        elif segment.kind in DIRECTION_KINDS and (
            not turn
            or (apart and (ends_line or (following and following.kind in ("cue", "heading", *DIRECTION_KINDS))))
        ):
            events.append([segment])
        elif turn and (
            segment.kind in SPOKEN_KINDS or segment.kind in DIRECTION_KINDS or (segment.kind == "note" and not apart)
        ):
            _absorb(events, turn)
            turn.append(segment)
        label_open = not ends_line and (segment.kind == "cue" or (label_open and segment.kind in DIRECTION_KINDS))
        apart = ends_line or (apart and segment.kind in DIRECTION_KINDS)
    yield _scene(heading, events)


def _absorb(events: list[list[Segment]], turn: list[Segment]) -> None:
    """Move what stands after a turn into it: the turn goes on."""
    index = len(events)
    while events[index - 1] is not turn:
        index -= 1
    for between in events[index:]:
        turn.extend(between)
    del events[index:]


def _scene(heading: str | None, events: list[list[Segment]]) -> Scene[Utterance]:
    return Scene(heading, tuple(map(_event, events)))


def _event(segments: list[Segment]) -> Utterance | StageDirection:
    if segments[0].kind == "cue":
        return Utterance(tuple(segments))
    return StageDirection(" ".join(segments[0].text.split()), (segments[0].order,))


def read_credits(segments: tuple[Segment, ...], show: Show) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Title, writers and transcribers from the title and credit segments; addresses are not among the names."""
    titles = [" ".join(segment.text.split()) for segment in segments if segment.kind == "title"]
    words = wording(show)
    titles = [words.title_prefix.sub("", title) for title in titles if not words.name.fullmatch(title)]
    first = next((number for number, title in enumerate(titles) if words.title.match(title)), 0)
    title = " ".join(titles[first : first + 1])
    for more in titles[first + 1 :]:
        if words.title.match(more) or not TITLE_GOES_ON.match(more):
            break
        title += f" {more}"
    written: dict[str, None] = {}
    transcribed: dict[str, None] = {}
    credits = (segment for segment in segments if segment.kind in ("credit", "dropped:address"))
    text = "".join(s.text if s.kind == "credit" else s.text[len(s.text.rstrip()) :] for s in credits)
    for line in CREDIT_START.sub("\n", TWO_DEEDS.sub(r"\1", text)).splitlines():
        line = " ".join(ASIDE.sub(" ", line.strip(" ()[]")).split())
        for pattern, people in ((TRANSCRIBED, transcribed), (WRITTEN, written)):
            if match := pattern.search(line):
                names = (FULL_STOP.sub("", name.strip(" :")) for name in NAME_LIST.split(match[1]))
                people.update((name, None) for name in names if name)
                break
    title = title.strip(' "“”')
    return (title_case(title) if title.isupper() else title), tuple(written), tuple(transcribed)


# ---------------------------------------------------------------- the command


def line_row(episode: Episode[Line], line: Line) -> dict[str, object]:
    """A line as the JSON row of `--lines`."""
    return {
        "page": episode.page,
        "season": episode.season,
        "episode": episode.numbers[0] if episode.numbers else None,
        "episodes": list(episode.numbers),
        "scene": line.scene,
        "position": line.position,
        "speakers": list(line.speakers),
        "cue": line.cue,
        "text": line.text,
        "text_with_directions": line.text_with_directions,
        "segments": list(line.segments),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Parse pages into JSON lines; 0 if all could be read, 2 if any could not (the others are still written)."""
    parser = argparse.ArgumentParser(
        prog="python -m friends_corpus.parse",
        description="Read transcript pages and write what is in them as JSON lines.",
        epilog=f"Example: python -m friends_corpus.parse {SAMPLE} --lines lines.jsonl",
    )
    parser.add_argument("pages", nargs="+", type=Path, metavar="PAGE_OR_FOLDER", help="HTML pages, or folders of them")
    parser.add_argument(
        "--segments", type=Path, metavar="FILE", help="every visible character, classified: {page, order, kind, text}"
    )
    parser.add_argument(
        "--lines", type=Path, metavar="FILE", help="every spoken line: {page, season, …, speakers, cue, text, …}"
    )
    parser.add_argument(
        "--show", type=Path, default=FRIENDS, metavar="DIR", help="folder with show.yaml and speakers.csv (Friends)"
    )
    options = parser.parse_args(argv)
    return exit_code(lambda: parse_pages(options), "what was written is of the pages before")


def parse_pages(options: argparse.Namespace) -> int:
    """Writes what was asked for; returns the exit code. Raises InputError, OSError."""
    if options.segments and options.lines and options.segments.resolve() == options.lines.resolve():
        raise InputError(f"--segments and --lines are both {options.lines}; give each a file of its own")
    counts = {"pages": 0, "segments": 0, "lines": 0}
    failed = 0
    show = read_show(options.show)
    paths = [path for where in options.pages for path in find_pages(where)]
    with ExitStack() as stack:
        segments_out, lines_out = (
            stack.enter_context(out.open("w", encoding="utf-8")) if out else None
            for out in (options.segments, options.lines)
        )
        for path in paths:
            try:
                segments, printed = parse_page(path.name, path.read_bytes(), show)
            except ParseError as error:
                complain(f"{path}: {error}")
                failed += 1
                continue
            episode = normalise(printed, show)
            lines = [line for line in episode.utterances() if line.text]
            counts = {
                "pages": counts["pages"] + 1,
                "segments": counts["segments"] + len(segments),
                "lines": counts["lines"] + len(lines),
            }
            if segments_out:
                for segment in segments:
                    row = {"page": path.name, "order": segment.order, "kind": segment.kind, "text": segment.text}
                    segments_out.write(json.dumps(row, ensure_ascii=False) + "\n")
            if lines_out:
                for line in lines:
                    lines_out.write(json.dumps(line_row(episode, line), ensure_ascii=False) + "\n")
    counts |= {"pages failed": failed} if failed else {}
    print(", ".join(f"{count} {what}" for what, count in counts.items()))
    return BAD_INPUT if failed else 0


if __name__ == "__main__":
    sys.exit(main())
