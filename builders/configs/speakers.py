"""Config `speakers`: one row per person, group or thing that speaks, with what the lines say of it."""

from collections import Counter
from collections.abc import Mapping

import pyarrow as pa

from friends_corpus.core.ids import episode_of
from friends_corpus.show.speakers import FIXED_KINDS, Known

from .lines import Row

USED = ["id", "speakers", "speaker_ids", "cue", "text"]


def speaker_rows(lines: pa.Table, known: Mapping[str, Known]) -> list[Row]:
    """Return a row for every id in `speaker_ids`, those with most lines first; `known` is what the show's table says.

    >>> columns = {"id": ["s01e01_c01_u0000"], "speakers": [["Mike"]], "speaker_ids": [["mike-hannigan"]]}
    >>> lines = pa.table({**columns, "cue": ["MIKE"], "text": ["Oh, hi."]})
    >>> [row] = speaker_rows(lines, {"mike-hannigan": Known("Mike Hannigan")})
    >>> row["name"], row["full_name"], row["kind"], row["lines"], row["words"], row["first_episode"]
    ('Mike', 'Mike Hannigan', 'guest', 1, 2, 's01e01')
    """
    names: dict[str, Counter[str]] = {}
    labels: dict[str, Counter[str]] = {}
    episodes: dict[str, dict[str, None]] = {}
    words: Counter[str] = Counter()
    for row in lines.select(USED).to_pylist():
        spoken = len(row["text"].split())
        for id, name in zip(row["speaker_ids"], row["speakers"], strict=True):
            names.setdefault(id, Counter())[name] += 1
            labels.setdefault(id, Counter()).update([row["cue"]] if len(row["speakers"]) == 1 else [])
            episodes.setdefault(id, {})[episode_of(row["id"])] = None
            words[id] += spoken
    rows = []
    for id in sorted(names, key=lambda id: (-names[id].total(), id)):
        name, *others = by_frequency(names[id])
        facts = known.get(id, Known())
        rows.append(
            {
                "speaker_id": id,
                "name": name,
                "full_name": facts.full_name or None,
                "other_names": others,
                "labels": by_frequency(labels[id]),
                "kind": facts.kind or ("recurring" if len(episodes[id]) > 1 else "guest"),
                "lines": names[id].total(),
                "words": words[id],
                "episodes": len(episodes[id]),
                "first_episode": min(episodes[id]),
                "last_episode": max(episodes[id]),
            }
        )
    return rows


def by_frequency(counts: Counter[str]) -> list[str]:
    """Return what was counted, the most frequent first, ties by name."""
    return sorted(counts, key=lambda name: (-counts[name], name))


def known_in(speakers: pa.Table) -> dict[str, Known]:
    """Return what only the show's table tells of the speakers in a folder."""
    rows = speakers.select(["speaker_id", "full_name", "kind"]).to_pylist()
    return {
        row["speaker_id"]: Known(row["full_name"] or "", row["kind"] if row["kind"] in FIXED_KINDS else "")
        for row in rows
    }
