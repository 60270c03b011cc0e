"""Config `lines`: one row per spoken turn; `text` is the speech alone."""

from typing import Any

from friends_corpus.core.ids import line_id
from friends_corpus.core.model import Episode, Line
from friends_corpus.core.persona import listed

Row = dict[str, Any]
EPISODE_COLUMNS = tuple("season episode episodes episode_title written_by transcribed_by".split())
SCENE_COLUMNS = (*EPISODE_COLUMNS, "scene", "scene_heading")


def line_rows(episode: Episode[Line]) -> list[Row]:
    """Return a row for every turn with speech, in order; a turn with only a direction has no row.

    Which scenes repeat each other is seen when all rows are made: `dup_cluster` is null until then.

    >>> line = Line(1, 12, ("Joey",), "Joey", "Hi.", "(waving) Hi.", ("waving",), (3, 4))
    >>> from friends_corpus.core.model import Scene
    >>> [row] = line_rows(Episode("0101.html", 1, (1,), "", "The One", (), (), (Scene("[Scene: A kitchen]", (line,)),)))
    >>> row["id"], row["speaker"], row["text"], row["scene_heading"]
    ('s01e01_c01_u0012', 'Joey', 'Hi.', '[Scene: A kitchen]')
    """
    return [
        {
            "id": line_id(episode.id, line.scene, line.position),
            "season": episode.season,
            "episode": episode.numbers[0] if episode.numbers else None,
            "episodes": list(episode.numbers),
            "episode_title": episode.title,
            "written_by": list(episode.written_by),
            "transcribed_by": list(episode.transcribed_by),
            "scene": line.scene,
            "scene_heading": episode.scenes[line.scene - 1].heading,
            "position": line.position,
            "speaker": listed(line.speakers),
            "speakers": list(line.speakers),
            "speaker_ids": list(line.speaker_ids),
            "cue": line.cue,
            "text": line.text,
            "text_with_directions": line.text_with_directions,
            "directions": list(line.directions),
            "source": episode.page,
            "dup_cluster": None,
        }
        for line in episode.utterances()
        if line.text
    ]
