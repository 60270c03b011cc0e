"""Config `chat`: a main character's line as the answer to the lines before it, in TRL's conversational format.

The published notebooks trained on scripts, and a model that learns scripts writes scripts. Here the target is one line
of one person, the others are the user, and the loss of training is on that line alone.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from friends_corpus.core.cli import InputError
from friends_corpus.core.persona import listed, system_message

from .lines import SCENE_COLUMNS, Row
from .named_lines import named

if TYPE_CHECKING:
    import pyarrow as pa

EARLIER_LINES = 4  # of the scene, in the prompt: who answers needs the topic, and prompts are read but not trained
EARLIER_CHARACTERS = 600  # of those lines together; the line that is answered is there in any case
GROUP = re.compile(  # speakers that are no person: "All", "Everyone But Monica", "The Guys"; whoever answers may be one
    r"(?i)(?:the )?(?:whole )?(?:all|both|every(?:one|body)|gang|group|guys|girls|boys|friends|others|crowd|together"
    r"|audience|men|women|kids|people|class|party|room)\b"
    r"(?: (?:but|except|else|almost|at|in|of|three|four|five|six)\b.*)?"
)
ALL = "all"  # instead of one character's name
PLACE = ("id", *SCENE_COLUMNS, "position")
NO_ROW = {  # why a line gives no row
    "other_speaker": "the speaker is not one of the characters of chat",
    "several_speakers": "several people say it together",
    "opens_scene": "it opens the scene",
    "goes_on": "its speaker also has the line before it",
}

Message = dict[str, str]


def chat_rows(lines: Sequence[Row], title: str, characters: Collection[str]) -> list[Row]:
    """Return a row for every line in which one of `characters` answers somebody in the same scene.

    `title` is the show's. Rows have the ids of their lines.

    >>> from friends_corpus.core.model import Episode, Line, Scene
    >>> from builders.configs.lines import line_rows
    >>> hi = Line(1, 0, ("Ross",), "Ross", "Hi.", "(waving) Hi.", ("waving",), ())
    >>> hey = Line(1, 1, ("Joey",), "Joey", "Hey!", "Hey!", (), ())
    >>> episode = Episode("0101.html", 1, (1,), "", "The One", (), (), (Scene(None, (hi, hey)),))
    >>> [row] = chat_rows(line_rows(episode), "Friends", ["Joey"])
    >>> row["id"], row["prompt"], row["completion"]  # doctest: +NORMALIZE_WHITESPACE
    ('s01e01_c01_u0001',
     [{'role': 'system', 'content': 'You are Joey from Friends. You are talking with Ross.'},
      {'role': 'user', 'content': 'Hi.'}],
     [{'role': 'assistant', 'content': 'Hey!'}])
    """
    return [chat_row(line, earlier, title) for line, earlier, reason in candidates(lines, characters) if not reason]


def chat_row(line: Row, earlier: Sequence[Row], title: str) -> Row:
    """Return the row for a line that answers `earlier`, the few lines before it in the scene."""
    character = line["speaker"]
    return {
        **{column: line[column] for column in PLACE},
        "character": character,
        "speaker_ids": line["speaker_ids"],
        "prompt": make_prompt(character, recent(earlier, character), title),
        "completion": [{"role": "assistant", "content": line["text"]}],
        "source": line["source"],
        "dup_cluster": line["dup_cluster"],
    }


def candidates(lines: Sequence[Row], characters: Collection[str]) -> Iterator[tuple[Row, Sequence[Row], str]]:
    """Yield each line, the few before it in its scene, and why it gives no row: a key of NO_ROW, or ""."""
    for _, group in groupby(lines, key=lambda line: (line["source"], line["scene"])):
        scene = list(group)
        for index, line in enumerate(scene):
            earlier = scene[max(0, index - EARLIER_LINES) : index]
            before = earlier[-1]["speakers"] if earlier else []
            yield line, earlier, no_row(line["speakers"], before, characters)


def count_no_row(lines: pa.Table, characters: Collection[str]) -> Counter[str]:
    """Count, for each key of NO_ROW, the rows of `lines` that have no row here for that reason."""
    rows = lines.select(["source", "scene", "speakers"]).to_pylist()
    return Counter(reason for _, _, reason in candidates(rows, characters) if reason)


def no_row(speakers: Sequence[str], before: Sequence[str], characters: Collection[str]) -> str:
    """Return why a line gives no row, or ""; `before` are the speakers of the line before it in the scene.

    >>> [no_row(["Joey"], before, ["Joey"]) for before in ([], ["Ross"], ["Joey"], ["Joey", "Ross"])]
    ['opens_scene', '', 'goes_on', 'goes_on']
    >>> [no_row(speakers, ["Ross"], ["Joey"]) for speakers in (["Ross"], ["Monica"], ["Joey", "Monica"])]
    ['other_speaker', 'other_speaker', 'several_speakers']
    """
    if not any(name in characters for name in speakers):
        return "other_speaker"
    if len(speakers) > 1:
        return "several_speakers"
    if not before:
        return "opens_scene"
    return "goes_on" if speakers[0] in before else ""


def recent(earlier: Sequence[Row], character: str) -> Sequence[Row]:
    """Return the last lines that fit into a prompt, starting with one that the character does not speak.

    The last line of `earlier` is never the character's.
    """
    first = len(earlier) - 1
    size = len(earlier[first]["text"])
    while first > 0 and (size := size + len(earlier[first - 1]["text"])) <= EARLIER_CHARACTERS:
        first -= 1
    while earlier[first]["speakers"] == [character]:
        first += 1
    return earlier[first:]


def make_prompt(character: str, earlier: Sequence[Row], title: str) -> list[Message]:
    """Return the system message, then the earlier lines: the character's own as the assistant's, others as the user's.

    Consecutive lines of one role are one message. If several others speak, each line starts with its speaker. A line
    that the character speaks together with others is theirs.

    >>> def said(who, text): return {"speakers": who.split(" and "), "text": text}
    >>> lines = [said("Ross", "Hi."), said("Joey", "Hey."), said("Joey and Monica", "Wow!"), said("Ross", "What?")]
    >>> for message in make_prompt("Joey", lines, "Friends"): print([message["role"], message["content"]])
    ['system', 'You are Joey from Friends. You are talking with Ross and Monica.']
    ['user', 'Ross: Hi.']
    ['assistant', 'Hey.']
    ['user', 'Monica: Wow!\\nRoss: What?']
    """
    others = [[name for name in line["speakers"] if name != character] for line in earlier]
    people = list(dict.fromkeys(name for names in others for name in names))
    partners = [name for name in people if not GROUP.fullmatch(name)]
    partners += ["others"] if len(partners) < len(people) else []
    messages = [{"role": "system", "content": system_message(character, listed(partners), title)}]
    for line, names in zip(earlier, others, strict=True):
        role = "user" if names else "assistant"
        text = named(listed(names), line["text"]) if names and len(people) > 1 else line["text"]
        if messages[-1]["role"] == role:
            messages[-1]["content"] += f"\n{text}"
        else:
            messages.append({"role": role, "content": text})
    return messages


def main_character(name: str, cast: Mapping[str, str]) -> str:
    """Return the member of the cast (display name → full name) that a name means, or ALL. Raises InputError.

    >>> [main_character(name, {"Joey": "Joey Tribbiani"}) for name in ("joey", "JOEY  Tribbiani", "all")]
    ['Joey', 'Joey', 'all']
    """
    meant = {spelling.casefold(): character for character, full in cast.items() for spelling in (character, full)}
    meant[ALL] = ALL
    folded = " ".join(name.casefold().split())
    if folded in meant and folded:
        return meant[folded]
    near = difflib.get_close_matches(folded, meant, n=1)
    known = ", ".join([*cast, ALL]) if cast else f"{ALL}; its show.yaml lists no cast"
    hint = f"did you mean {meant[near[0]]!r}?" if near else f"choose from {known}"
    raise InputError(f"--character {name!r} is not a main character of the show ({hint})")


def characters_of(character: str, cast: Collection[str]) -> list[str]:
    """Return the result of `main_character` as a list of characters.

    >>> characters_of("all", ["Joey", "Ross"]), characters_of("Ross", ["Joey", "Ross"])
    (['Joey', 'Ross'], ['Ross'])
    """
    return list(cast) if character == ALL else [character]
