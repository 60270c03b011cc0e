"""Pages → their segments, and the episodes that are folded from them."""

from collections.abc import Iterator

from friends_corpus.core.model import (
    DIRECTION_KINDS,
    SPOKEN_KINDS,
    Episode,
    Page,
    ParseError,
    Scene,
    Segment,
    StageDirection,
    Utterance,
)
from friends_corpus.formats.pages import read_pages
from friends_corpus.show.config import Show, friends
from friends_corpus.show.page_names import identify, page_name

from .coverage import check_coverage
from .credits import read_credits
from .habits import read_habits
from .segments import cut


def read_script(name: str, data: bytes, show: Show | None = None) -> tuple[tuple[Segment, ...], Episode[Utterance]]:
    """Return the segments and the episode of a file that holds one page.

    `name` is the file's (it says season and episode), `data` its bytes as served, `show` whose page it is (default:
    *Friends*). Raises ParseError for bytes that are no page, for several pages, and as `parse_page` does.

    >>> page = b"<h1>The One</h1><p>[Scene: A park.]</p><p><b>Joey:</b> (sits) Hi.</p>"
    >>> segments, episode = read_script("0101.html", page)
    >>> [(segment.kind, segment.text.strip()) for segment in segments[-4:]]
    [('cue', 'Joey'), ('punctuation', ':'), ('direction', '(sits)'), ('speech', 'Hi.')]
    >>> [(utterance.cue, utterance.text) for utterance in episode.utterances()]
    [('Joey', '(sits) Hi.')]
    """
    pages = read_pages(name, data, show)
    if len(pages) != 1:
        raise ParseError(f"{len(pages)} episodes in one file, where one was expected")
    return parse_page(pages[0], name, show or friends())


def parse_page(page: Page, file: str, show: Show) -> tuple[tuple[Segment, ...], Episode[Utterance]]:
    """Return all segments of a page, and the episode folded from them; `file` is the name of the page's file.

    Raises ParseError for a page without text or speakers, one whose episode cannot be told, and one that is read badly.
    """
    blocks = page.blocks
    if not blocks:
        raise ParseError("no visible text; the page is empty or was cut off: fetch it again")
    heading = next((block.text for block in blocks if block.heading), blocks[0].text)
    source = identify(page.locator or file, heading, show)
    habits = read_habits(blocks, source.id, show)
    segments = cut(blocks, habits)
    title, written_by, transcribed_by = read_credits(segments, show)
    episode = Episode(
        page_name(file, page.locator),
        source.season,
        source.numbers,
        source.variant,
        title,
        written_by,
        transcribed_by,
        tuple(fold_scenes(segments)),
        f"{page.format}, {'a column' if blocks[-1].role else habits.style}",
    )
    check_coverage(segments, episode)
    return segments, episode


def fold_scenes(segments: tuple[Segment, ...]) -> Iterator[Scene[Utterance]]:
    """Yield scenes in order: a heading opens one.

    A direction that fills its line stands alone, any other is in a turn. Speech without a label goes on with
    the turn before it and takes along the directions printed in between.
    """
    heading: str | None = None
    events: list[list[Segment]] = []
    turn: list[Segment] = []  # the event that unlabelled speech belongs to; empty after a heading or a marker
    label_open = apart = True  # a cue goes on with the label before it; nothing but directions yet in this line
    for segment, following in zip(segments, [*segments[1:], None], strict=True):
        ends_line = segment.text.endswith("\n")
        if segment.kind == "heading":
            if events or heading is not None:
                yield Scene(heading, tuple(map(_event, events)))
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
    yield Scene(heading, tuple(map(_event, events)))


def _absorb(events: list[list[Segment]], turn: list[Segment]) -> None:
    """Move what stands after a turn into it: the turn goes on."""
    index = len(events)
    while events[index - 1] is not turn:
        index -= 1
    for between in events[index:]:
        turn.extend(between)
    del events[index:]


def _event(segments: list[Segment]) -> Utterance | StageDirection:
    if segments[0].kind == "cue":
        return Utterance(tuple(segments))
    return StageDirection(" ".join(segments[0].text.split()), (segments[0].order,))
