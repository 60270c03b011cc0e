"""Statistics that only the pages hold: the part of stats.json that no check can compute from rows."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from typing_extensions import TypedDict

from builders.page_cache.pages import ReadPage
from builders.page_cache.select_pages import Selection, identity, is_sample
from friends_corpus.core.manifest import Count, EpisodeId, FailedPage, Natural, Page
from friends_corpus.core.model import Episode, Line, StageDirection
from friends_corpus.show.config import Show

DROPPED = "dropped:"
WHERE = {  # kind of segment → what becomes of it, for the card
    "cue": "`cue` as printed; whom it means in `speaker` and `speakers`",
    "speech": "`text`",
    "direction": "in a turn `directions` and `text_with_directions`, else `chunks.text_with_directions`",
    "transition": "as directions",
    "caption": "as directions",
    "heading": "`scene_heading`",
    "title": "`episode_title`, where it is the episode's, else in no row",
    "credit": "the names in `written_by` and `transcribed_by`, the rest in no row",
    "note": "in a turn as a direction, else in no row",
    "marker": "in no row: breaks, credits, the end",
    "punctuation": "in no row: what parts a label from its speech",
}
REASONS = {  # of drops
    "address": "people's addresses; in no row",
    "navigation": "what belongs to the site; in no row",
    "translation": "lines that translate the one above; in no row",
    "no_label": "speech under nobody's label; in no row",
    "no_speech": "turns of directions alone; in no row of `lines`, printed in `chunks.text_with_directions`",
    "scene_without_speech": "scenes in which nobody speaks: heading, directions, such turns; in no row",
}
Counts = dict[str, Count]  # kind or reason → pieces of pages


class PageRow(TypedDict):
    """A shipped page, as only it can tell."""

    episode: EpisodeId
    page: str
    episodes: list[int]
    scenes: Natural
    unknown_cues: Natural
    notes: Natural
    dropped: Natural


class UnknownCue(TypedDict):
    """A label that the show does not know."""

    cue: str
    lines: Natural
    first_in: str


class PageStats(TypedDict):
    """What of stats.json only the pages tell; `pages_table` in the order of the episodes."""

    pages_table: list[PageRow]
    unknown_cues: list[UnknownCue]
    segments: Counts
    dropped: Counts


@dataclass(frozen=True, slots=True)
class PageFacts:
    """All that a corpus needs of its pages besides the rows; `pages` and `failed` as in the manifest, by name.

    The splits of the pages are not known yet. `sample`: all shipped pages are the project's invented ones.
    """

    pages: Sequence[Page]
    failed: Sequence[FailedPage]
    stats: PageStats
    sample: bool

    @property
    def episodes(self) -> list[str]:
        """The ids of the shipped episodes."""
        return [page["episode"] for page in self.pages if "episode" in page]


def page_facts(selection: Selection, show: Show) -> PageFacts:
    """Gather the facts of the pages of a build."""
    shipped = [{**identity(page), "episode": page.episode.id} for page in selection.shipped]
    left_out = [{**identity(page), "reason": reason} for page, reason in selection.left_out]
    pages = cast(list[Page], sorted([*shipped, *left_out], key=lambda page: str(page["page"])))
    failed: list[FailedPage] = [{**identity(page), "error": page.error} for page in selection.failed]
    sample = is_sample(page.sha256 for page in selection.shipped)
    return PageFacts(pages, failed, page_stats(selection.shipped, show), sample)


def page_stats(pages: Sequence[ReadPage], show: Show) -> PageStats:
    """Return the statistics of the shipped pages, which are in the order of their episodes."""
    unknown = {page.episode.id: unknown_in(page.episode, show) for page in pages}
    segments = add_up((kind, *counts) for page in pages for kind, counts in page.kinds.items())
    return {
        "pages_table": [page_row(page, sum(unknown[page.episode.id].values())) for page in pages],
        "unknown_cues": [
            {"cue": cue, "lines": lines, "first_in": next(id for id, cues in unknown.items() if cue in cues)}
            for cue, lines in ranked(sum(unknown.values(), Counter()))
        ],
        "segments": segments,
        "dropped": dropped_kinds(segments) | add_up(unspoken(page.episode for page in pages)),
    }


def page_row(page: ReadPage, unknown_cues: int) -> PageRow:
    """Return the row of a page in `pages_table`."""
    return {
        "episode": page.episode.id,
        "page": page.name,
        "episodes": list(page.episode.numbers),
        "scenes": len(page.episode.scenes),
        "unknown_cues": unknown_cues,
        "notes": page.kinds.get("note", (0, 0))[0],
        "dropped": sum(counts[0] for kind, counts in page.kinds.items() if kind.startswith(DROPPED)),
    }


def unknown_in(episode: Episode[Line], show: Show) -> Counter[str]:
    """Count the lines under each cue that the show does not know."""
    cues = Counter(line.cue for line in episode.utterances() if line.text)
    return Counter({cue: lines for cue, lines in cues.items() if not show.people.is_known(cue, episode.id)})


def ranked(counts: Counter[str]) -> list[tuple[str, int]]:
    """Sort counts by frequency, ties by name."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def add_up(pieces: Iterable[tuple[str, int, int]]) -> Counts:
    """Return the sums of (kind or reason, how many pieces, their characters), sorted.

    >>> add_up([("note", 1, 9), ("cue", 2, 8), ("note", 1, 5)])
    {'cue': {'count': 2, 'characters': 8}, 'note': {'count': 2, 'characters': 14}}
    """
    totals: Counts = {}
    for kind, count, characters in pieces:
        entry = totals.setdefault(kind, {"count": 0, "characters": 0})
        entry["count"] += count
        entry["characters"] += characters
    return dict(sorted(totals.items()))


def dropped_kinds(segments: Counts) -> Counts:
    """Return what the parser dropped, by reason.

    >>> dropped_kinds({"cue": {"count": 2, "characters": 8}, "dropped:navigation": {"count": 1, "characters": 4}})
    {'navigation': {'count': 1, 'characters': 4}}
    """
    return {kind.removeprefix(DROPPED): counts for kind, counts in segments.items() if kind.startswith(DROPPED)}


def unspoken(episodes: Iterable[Episode[Line]]) -> Iterator[tuple[str, int, int]]:
    """Yield (reason, pieces, characters) of what has no row of `lines`, for nobody speaks in it.

    `no_speech` are turns that hold only a direction; they are printed in `chunks.text_with_directions`.
    `scene_without_speech` are scenes of nothing else, with heading, directions and such turns; they are in no row.
    """
    for scene in (scene for episode in episodes for scene in episode.scenes):
        lines = [event for event in scene.events if isinstance(event, Line)]
        if any(line.text for line in lines):
            yield from (("no_speech", 1, len(line.text_with_directions)) for line in lines if not line.text)
        else:
            directions = [event.text for event in scene.events if isinstance(event, StageDirection)]
            pieces = [scene.heading or "", *directions, *(line.text_with_directions for line in lines)]
            yield "scene_without_speech", sum(map(bool, pieces)), sum(map(len, pieces))
