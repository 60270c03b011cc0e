"""Episode as printed → Episode of lines: clean speech, directions apart, speakers resolved. Never parses."""

import re
from dataclasses import replace
from itertools import count

from friends_corpus.core.model import SPOKEN_KINDS, Episode, Line, Scene, Segment, StageDirection, Utterance
from friends_corpus.show.config import Show, friends

TYPOGRAPHY = str.maketrans(
    {"‘": "'", "’": "'", "‚": "'", "‛": "'", "`": "'", "´": "'", "“": '"', "”": '"', "„": '"', "…": "..."}
    | dict.fromkeys(map(chr, (0xAD, 0x200B, 0x200C, 0x200D, 0xFEFF)), "")  # soft hyphen, zero-width characters
)
STOP = re.compile(r"[,;:!?]|\.(?!\.)")  # punctuation that no blank stands before; not an ellipsis
FIRST_STOP = re.compile(r"\s*(?:[,;:]|\.(?!\s*\.))\s*")  # of a direction that stood before all speech: "(sits). Hi."
DASHES = "-–—"


def normalise(episode: Episode[Utterance], show: Show | None = None) -> Episode[Line]:
    """Turn every utterance into a Line; stage directions and headings stay, blanks folded.

    `show` says whom the cues mean (default: *Friends*).
    """
    people = (show or friends()).people
    positions = count()

    def shipped(event: Utterance | StageDirection, scene: int) -> Line | StageDirection:
        if isinstance(event, StageDirection):
            return StageDirection(fold_blanks(event.text), event.segments)
        speakers = people.resolve(event.cue, episode.id)
        return replace(_line(event, scene, next(positions), speakers), speaker_ids=people.ids(speakers, episode.id))

    scenes = tuple(
        Scene(
            clean(scene.heading) if scene.heading else None,
            tuple(shipped(event, number) for event in scene.events),
        )
        for number, scene in enumerate(episode.scenes, start=1)
    )
    return Episode(
        episode.page,
        episode.season,
        episode.numbers,
        episode.variant,
        clean(episode.title),
        tuple(clean(name) for name in episode.written_by),
        tuple(clean(name) for name in episode.transcribed_by),
        scenes,
        episode.form,
    )


def clean(text: str) -> str:
    """Put straight quotes, three dots for an ellipsis, single blanks, nothing invisible.

    >>> clean("I’m\\xa0 “fine”… ")
    'I\\'m "fine"...'
    """
    return fold_blanks(text if text.isascii() and "`" not in text else text.translate(TYPOGRAPHY))


def fold_blanks(text: str) -> str:
    """Leave single blanks, none at the ends."""
    return " ".join(text.split())


def spoken(parts: tuple[Segment, ...]) -> str:
    """Return the speech of a turn, with no gap, dash or stop left over where a direction stood.

    >>> spoken((Segment(0, "speech", "Hi "), Segment(1, "direction", "(waves)"), Segment(2, "speech", ", all.")))
    'Hi, all.'
    >>> spoken((Segment(0, "direction", "(waves)"), Segment(1, "speech", ". Hi.")))
    'Hi.'
    """
    text = ""
    for part in parts:
        if part.kind == "speech":
            stop = None if text.strip() else FIRST_STOP.match(part.text)
            text = _join(text, part.text) if text.strip() else part.text[stop.end() if stop else 0 :]
    return clean(text)


def _join(before: str, after: str) -> str:
    start = after.lstrip()
    if STOP.match(start):  # "Hi (waves), all." and "Hi! (He waves)." where the full stop ends the direction
        doubled = start[0] == "." and before.rstrip()[-1] in ".?!"
        return before.rstrip() + (start[1:] if doubled else start)
    if before[-1] in DASHES and start[:1] in tuple(DASHES) and start == after:  # "you--(sits)--all", "well-(sits)-no"
        speech = before.rstrip(DASHES)
        return speech + (before[len(speech) :] + after)[:2] + after.lstrip(DASHES)
    return before + ("" if before[-1].isspace() or after[:1].isspace() else " ") + after


def _line(utterance: Utterance, scene: int, position: int, speakers: tuple[str, ...]) -> Line:
    directions = tuple(clean(part.text) for part in utterance.parts if part.kind not in SPOKEN_KINDS)
    text = spoken(utterance.parts)
    if directions and not any(char.isalnum() for char in text):
        text = ""  # "(sighs).": only a direction, its full stop is no speech
    return Line(
        scene=scene,
        position=position,
        speakers=speakers,
        cue=fold_blanks(utterance.cue),
        text=text,
        text_with_directions=fold_blanks(utterance.text),
        directions=directions,
        segments=tuple(part.order for part in utterance.parts),
    )
