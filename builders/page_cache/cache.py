"""Read pages, kept between builds under `$XDG_CACHE_HOME/friends-corpus/pages`: one file per page content.

The key covers all that decides the result (the page's bytes and name, the parser), so an entry is never out of date.
Entries are JSON behind their own checksum: a damaged one is as good as none.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from friends_corpus.core.files import write_whole
from friends_corpus.core.fingerprint import hash_code
from friends_corpus.core.model import Episode, Line, Scene, StageDirection

READER = hash_code("builders", ["page_cache"])  # what is kept of a page, and how it is encoded


def key(page: str, sha256: str, parser: str) -> str:
    """The entry's file name."""
    return hashlib.sha256(json.dumps([READER, page, sha256, parser]).encode()).hexdigest()


def load(folder: Path, key: str) -> Any | None:
    """What `store` kept, or None where there is no whole entry."""
    try:
        checksum, _, payload = (folder / key).read_bytes().partition(b"\n")
    except OSError:
        return None
    if hashlib.sha256(payload).hexdigest().encode() != checksum:
        return None
    return json.loads(payload)


def store(folder: Path, key: str, value: Any) -> None:
    """Keeps a JSON value; the entry appears whole or not at all, also with several builds at once."""
    payload = json.dumps(value, separators=(",", ":")).encode()
    folder.mkdir(parents=True, exist_ok=True)
    content = hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload
    write_whole(folder / key, content, durable=False)  # a damaged entry is as good as none


def encode(episode: Episode[Line]) -> list[Any]:
    """An episode as JSON lists in the order of the fields; a direction is a list of two, a line of eight."""
    scenes = [[scene.heading, [_encode_event(event) for event in scene.events]] for scene in episode.scenes]
    return [
        episode.page,
        episode.season,
        episode.numbers,
        episode.variant,
        episode.title,
        episode.written_by,
        episode.transcribed_by,
        scenes,
    ]


def _encode_event(event: Line | StageDirection) -> list[Any]:
    if isinstance(event, StageDirection):
        return [event.text, event.segments]
    return [
        event.scene,
        event.position,
        event.speakers,
        event.cue,
        event.text,
        event.text_with_directions,
        event.directions,
        event.segments,
    ]


def decode(value: list[Any]) -> Episode[Line]:
    """The inverse of `encode`."""
    page, season, numbers, variant, title, written_by, transcribed_by, scenes = value
    return Episode(
        page,
        season,
        tuple(numbers),
        variant,
        title,
        tuple(written_by),
        tuple(transcribed_by),
        tuple(Scene(heading, tuple(_decode_event(event) for event in events)) for heading, events in scenes),
    )


def _decode_event(value: list[Any]) -> Line | StageDirection:
    if len(value) == 2:
        return StageDirection(value[0], tuple(value[1]))
    scene, position, speakers, cue, text, printed, directions, segments = value
    return Line(scene, position, tuple(speakers), cue, text, printed, tuple(directions), tuple(segments))
