"""Write `lines` as a ConvoKit corpus (https://convokit.cornell.edu/documentation/data_format.html).

A scene is a conversation, and a line replies to the line before it in its scene. ConvoKit knows one speaker for each
utterance: the same persons are one, so “Joey and Ross” and “Ross and Joey” are, and two persons of one name are two.
It sorts by timestamps; nobody knows the time of a line, so they count the turns of the page.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from builders.configs.lines import Row
from friends_corpus.core.ids import scene_of
from friends_corpus.core.manifest import Manifest

UTTERANCE_META = ("position", "speakers", "speaker_ids", "cue", "text_with_directions", "directions")
CONVERSATION_META = (
    "season",
    "episode",
    "episodes",
    "episode_title",
    "written_by",
    "transcribed_by",
    "scene",
    "scene_heading",
    "source",
    "dup_cluster",
)
TYPES = {  # ConvoKit's names for the types of meta values
    **dict.fromkeys((*UTTERANCE_META, *CONVERSATION_META, "split"), "<class 'str'>"),
    **dict.fromkeys(("season", "episode", "scene", "position", "lines"), "<class 'int'>"),
    **dict.fromkeys(
        ("episodes", "written_by", "transcribed_by", "speakers", "speaker_ids", "directions"), "<class 'list'>"
    ),
}


def convokit_files(rows: Iterable[tuple[str, Row]], manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Yield (file name, a piece of its text) in order; `rows` are (split, row), scene by scene.

    Text is ASCII, with JSON's escapes: ConvoKit opens its files in the encoding of the reader's system.
    """
    conversations: dict[str, dict[str, Any]] = {}
    speakers: Counter[str] = Counter()
    names: dict[tuple[str, ...], str] = {}  # ids → the first display name, which no others have
    scene = conversation = before = None
    for split, row in rows:
        if scene_of(row["id"]) != scene:
            scene, conversation, before = scene_of(row["id"]), row["id"], None
            meta = {name: row[name] for name in CONVERSATION_META} | {"split": split}
            conversations[row["id"]] = {"meta": meta, "vectors": []}
        ids = tuple(sorted(row["speaker_ids"]))
        if ids not in names:
            names[ids] = row["speaker"] if row["speaker"] not in names.values() else " and ".join(ids)
        speakers[names[ids]] += 1
        utterance = {
            "id": row["id"],
            "conversation_id": conversation,
            "text": row["text"],
            "speaker": names[ids],
            "meta": {name: row[name] for name in UTTERANCE_META},
            "reply_to": before,
            "timestamp": row["position"],
            "vectors": [],
        }
        before = row["id"]
        yield "utterances.jsonl", json.dumps(utterance) + "\n"
    yield "speakers.json", json.dumps({name: {"meta": {"lines": n}, "vectors": []} for name, n in speakers.items()})
    yield "conversations.json", json.dumps(conversations)
    corpus = {
        "name": manifest["dataset"],
        "version": manifest["version"],
        "archive": manifest["show"]["archive"],
        "license": "other",
    }
    yield "corpus.json", json.dumps(corpus)
    index = {  # the types of all meta fields
        "utterances-index": {name: [TYPES[name]] for name in UTTERANCE_META},
        "speakers-index": {"lines": [TYPES["lines"]]},
        "conversations-index": {name: [TYPES[name]] for name in (*CONVERSATION_META, "split")},
        "overall-index": {name: ["<class 'str'>"] for name in corpus},
        "vectors": [],
        "version": 1,
    }
    yield "index.json", json.dumps(index)
