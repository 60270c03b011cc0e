"""Config `chunks`: consecutive turns of one scene as one script excerpt, up to a number of characters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from friends_corpus.model import Episode, Line, StageDirection

from .lines import NO_CLUSTERS, Row, display, episode_columns, line_id, scene_id
from .named_lines import named


@dataclass(frozen=True, slots=True)
class Turn:
    """A spoken line as a line of the script, and as printed: with directions, and with the script lines around it.

    Those that lead up to it ("(Joey waves.)") come before it; at the end of a scene, those that follow come after it.
    """

    line: Line
    text: str
    text_with_directions: str


def chunk_rows(episode: Episode[Line], chunk_chars: int, clusters: Mapping[str, str] = NO_CLUSTERS) -> list[Row]:
    """The scenes of an episode cut into chunks whose `text` has at most `chunk_chars` characters.

    Two kinds of chunk are longer: a turn that is too long by itself stands alone, and a lone turn left over at the end
    of a scene joins the chunk before it.
    """
    shared = episode_columns(episode)
    rows = []
    for number, scene in enumerate(episode.scenes, start=1):
        for index, turns in enumerate(pack(turns_of(scene.events), chunk_chars), start=1):
            rows.append(
                {
                    "id": f"{scene_id(episode.id, number)}_k{index:02d}",
                    **shared,
                    "scene": number,
                    "scene_heading": scene.heading,
                    "line_ids": [line_id(episode, turn.line) for turn in turns],
                    "speakers": list(dict.fromkeys(name for turn in turns for name in turn.line.speakers)),
                    "turns": [{"speaker": display(t.line.speakers), "text": t.line.text} for t in turns],
                    "text": "\n".join(turn.text for turn in turns),
                    "text_with_directions": "\n".join(turn.text_with_directions for turn in turns),
                    "source": episode.page,
                    "dup_cluster": clusters.get(scene_id(episode.id, number)),
                }
            )
    return rows


def turns_of(events: Sequence[Line | StageDirection]) -> list[Turn]:
    """A scene's spoken turns. Directions, and turns without speech, go with the turn after them; the last ones of a
    scene with the turn before them. A scene in which nobody speaks gives no turns.

    >>> nods = Line(1, 0, ("Ross",), "Ross", "", "(nods)", ("nods",), (2,))
    >>> hi = Line(1, 1, ("Joey",), "Joey", "Hi.", "Hi.", (), (4,))
    >>> [turn] = turns_of([StageDirection("(Enter Joey)", (1,)), nods, hi, StageDirection("(He leaves)", (5,))])
    >>> print(turn.text_with_directions)
    (Enter Joey)
    Ross: (nods)
    Joey: Hi.
    (He leaves)
    """
    turns: list[Turn] = []
    waiting: list[str] = []
    for event in events:
        if isinstance(event, StageDirection):
            waiting.append(event.text)
            continue
        speaker = display(event.speakers)
        waiting.append(named(speaker, event.text_with_directions))
        if event.text:
            turns.append(Turn(event, named(speaker, event.text), "\n".join(waiting)))
            waiting = []
    if turns and waiting:
        last = turns[-1]
        turns[-1] = Turn(last.line, last.text, "\n".join([last.text_with_directions, *waiting]))
    return turns


def pack(turns: Sequence[Turn], chunk_chars: int) -> list[list[Turn]]:
    """Greedy packing; every turn once, in order.

    >>> turns = turns_of([Line(1, 0, ("Joey",), "Joey", text, text, (), ()) for text in "abcd"])
    >>> [[turn.text for turn in chunk] for chunk in pack(turns, 15)]
    [['Joey: a', 'Joey: b'], ['Joey: c', 'Joey: d']]
    >>> [[turn.text for turn in chunk] for chunk in pack(turns[:3], 15)]
    [['Joey: a', 'Joey: b', 'Joey: c']]
    """
    chunks = list(_greedy(turns, chunk_chars))
    if len(chunks) > 1 and len(chunks[-1]) == 1 and not any(_too_long(chunk, chunk_chars) for chunk in chunks[-2:]):
        chunks[-2:] = [chunks[-2] + chunks[-1]]
    return chunks


def _greedy(turns: Sequence[Turn], chunk_chars: int) -> Iterator[list[Turn]]:
    chunk: list[Turn] = []
    size = 0
    for turn in turns:
        if chunk and size + 1 + len(turn.text) > chunk_chars:
            yield chunk
            chunk = []
        size = size + 1 + len(turn.text) if chunk else len(turn.text)
        chunk.append(turn)
    if chunk:
        yield chunk


def _too_long(chunk: Sequence[Turn], chunk_chars: int) -> bool:
    """Greedy packing exceeds the limit only where one turn does by itself; such a turn stands alone."""
    return len(chunk) == 1 and len(chunk[0].text) > chunk_chars
