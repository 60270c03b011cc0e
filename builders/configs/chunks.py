"""Config `chunks`: consecutive turns of one scene as a script excerpt of limited length."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from friends_corpus.core.ids import chunk_id, line_id, scene_of
from friends_corpus.core.model import Episode, Line, StageDirection
from friends_corpus.core.persona import listed

from .lines import SCENE_COLUMNS, Row
from .named_lines import named


def chunk_rows(lines: Sequence[Row], printed: Mapping[str, str], chunk_chars: int) -> list[Row]:
    """Cut lines, scene by scene, into chunks whose `text` has at most `chunk_chars` characters.

    Two kinds of chunk are longer: a turn that is too long by itself stands alone, and a lone turn left over at the end
    of a scene joins the chunk before it. `printed`: id of a line → its turn as `printed_turns` gives it.
    """
    rows = []
    for scene, group in groupby(lines, key=lambda line: scene_of(line["id"])):
        turns = list(group)
        texts = [named(line["speaker"], line["text"]) for line in turns]
        for number, members in enumerate(pack([len(text) for text in texts], chunk_chars), start=1):
            chunk = [turns[member] for member in members]
            rows.append(
                {
                    "id": chunk_id(scene, number),
                    **{column: chunk[0][column] for column in SCENE_COLUMNS},
                    "line_ids": [line["id"] for line in chunk],
                    "speakers": list(dict.fromkeys(name for line in chunk for name in line["speakers"])),
                    "speaker_ids": list(dict.fromkeys(id for line in chunk for id in line["speaker_ids"])),
                    "turns": [{"speaker": line["speaker"], "text": line["text"]} for line in chunk],
                    "text": "\n".join(texts[member] for member in members),
                    "text_with_directions": "\n".join(printed[line["id"]] for line in chunk),
                    "source": chunk[0]["source"],
                    "dup_cluster": chunk[0]["dup_cluster"],
                }
            )
    return rows


def printed_turns(episode: Episode[Line]) -> dict[str, str]:
    """Map the id of each spoken line to its turn as printed, with the directions around it.

    Directions, and turns without speech, go with the turn after them; the last ones of a scene with the turn before
    them. What stands in a scene in which nobody speaks goes nowhere.

    >>> from friends_corpus.core.model import Scene
    >>> nods = Line(1, 0, ("Ross",), "Ross", "", "(nods)", ("nods",), (2,))
    >>> hi = Line(1, 1, ("Joey",), "Joey", "Hi.", "Hi.", (), (4,))
    >>> scene = Scene(None, (StageDirection("(Enter Joey)", (1,)), nods, hi, StageDirection("(He leaves)", (5,))))
    >>> print(printed_turns(Episode("0101.html", 1, (1,), "", "The One", (), (), (scene,)))["s01e01_c01_u0001"])
    (Enter Joey)
    Ross: (nods)
    Joey: Hi.
    (He leaves)
    """
    turns: dict[str, str] = {}
    for scene in episode.scenes:
        waiting: list[str] = []
        last = ""
        for event in scene.events:
            if isinstance(event, StageDirection):
                waiting.append(event.text)
                continue
            waiting.append(named(listed(event.speakers), event.text_with_directions))
            if event.text:
                last = line_id(episode.id, event.scene, event.position)
                turns[last] = "\n".join(waiting)
                waiting = []
        if last and waiting:
            turns[last] = "\n".join([turns[last], *waiting])
    return turns


def pack(sizes: Sequence[int], limit: int) -> list[list[int]]:
    """Pack turns greedily, given their lengths; return lists of their indices, each once and in order.

    >>> pack([7, 7, 7, 7], 15), pack([7, 7, 7], 15)
    ([[0, 1], [2, 3]], [[0, 1, 2]])
    """
    chunks = list(_greedy(sizes, limit))
    too_long = (len(chunk) == 1 and sizes[chunk[0]] > limit for chunk in chunks[-2:])  # it stands alone
    if len(chunks) > 1 and len(chunks[-1]) == 1 and not any(too_long):
        chunks[-2:] = [chunks[-2] + chunks[-1]]
    return chunks


def _greedy(sizes: Sequence[int], limit: int) -> Iterator[list[int]]:
    chunk: list[int] = []
    total = -1  # the line break in front of each turn but the first
    for number, size in enumerate(sizes):
        if chunk and total + 1 + size > limit:
            yield chunk
            chunk, total = [], -1
        chunk.append(number)
        total += 1 + size
    if chunk:
        yield chunk
