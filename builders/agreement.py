"""What holds between rows: configs that hold the same lines, splits that share no episode, pages that are listed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .chat import characters_of, chat_rows
from .integrity import Part
from .lines import Row
from .manifest import MANIFEST
from .named_lines import named
from .schema import FEATURES, MAY_BE_MISSING
from .splits import SPLITS
from .violation import Violation, shorten

EPISODE = ("season", "episode", "episodes", "episode_title", "written_by", "transcribed_by", "source")
SCENE = ("scene_heading", "dup_cluster")
TEXTS = ("text", "text_with_directions")


def check_agreement(parts: Sequence[Part], manifest: Mapping[str, Any]) -> list[Violation]:
    """Rows against other rows and the manifest; what stands in a file that could not be read is not compared."""
    of = {(part.config, part.split): part for part in parts}
    found = [*check_listed(manifest)]
    for part in parts:
        found += check_splits(part, manifest)
        found += check_constant(part, EPISODE, "episode", lambda row: row["id"].partition("_")[0])
        found += check_constant(part, SCENE, "scene", lambda row: row["id"].rpartition("_")[0])
    found += check_clusters([part for part in parts if part.config == "lines"])
    for split in SPLITS:
        lines, named_lines, chunks, chat = (of.get((config, split)) for config in FEATURES)
        if lines and named_lines:
            found += check_named_lines(lines, named_lines)
        if lines and chunks:
            found += check_chunks(lines, chunks)
        if chunks:
            found += check_sizes(chunks, manifest["parameters"].get("chunk_chars"))
        if lines and chat:
            found += check_chat(lines, chat, manifest)
    return found


def check_listed(manifest: Mapping[str, Any]) -> Iterator[Violation]:
    """The manifest against itself: each episode in one split, that of its page; each config with the same splits."""
    split_of: dict[str, str] = {}
    for split, ids in manifest["splits"].items():
        for id in ids:
            if id in split_of:
                yield Violation(MANIFEST, f"splits: {id} is in {split_of[id]} and in {split}")
            split_of.setdefault(id, split)
    pages = {page["episode"]: page for page in manifest["pages"] if page.get("episode")}
    for id in sorted(split_of.keys() ^ pages.keys()):
        yield Violation(MANIFEST, f"{id} is in {'splits' if id in split_of else 'pages'} alone")
    for id, page in pages.items():
        if id in split_of and page.get("split") != split_of[id]:
            yield Violation(MANIFEST, f"pages: {page['page']} is of {page.get('split')}, its episode of {split_of[id]}")
    splits = {config: set(described["splits"]) for config, described in manifest["configs"].items()}
    for config in splits:
        if splits[config] != splits["lines"] and not (config in MAY_BE_MISSING and splits[config] <= splits["lines"]):
            yield Violation(MANIFEST, f"configs: {config} and lines have not the same splits")


def check_splits(part: Part, manifest: Mapping[str, Any]) -> Iterator[Violation]:
    """Every episode stands in the split that the manifest says, and comes from its page; one violation an episode."""
    split_of = {id: split for split, ids in manifest["splits"].items() for id in ids}
    page_of = {page["episode"]: page["page"] for page in manifest["pages"] if page.get("episode")}
    seen: set[str] = set()
    for number, row in enumerate(part.rows):
        episode = (row["id"] or "").partition("_")[0]
        if episode in seen:
            continue
        seen.add(episode)
        if episode not in split_of:
            yield part.wrong(number, "id", f"episode {episode!r} is not in {MANIFEST}")
        elif split_of[episode] != part.split:
            yield part.wrong(number, "id", f"episode {episode} belongs to {split_of[episode]} by {MANIFEST}")
        if row["source"] != page_of.get(episode, row["source"]):
            yield part.wrong(number, "source", f"is {row['source']!r}, by {MANIFEST} {page_of[episode]!r}")


def check_constant(part: Part, columns: Sequence[str], of: str, key: Callable[[Row], str]) -> Iterator[Violation]:
    """The columns have one value in all rows of an episode or a scene."""
    first: dict[str, Row] = {}
    for number, row in enumerate(part.rows):
        known = first.setdefault(key(row), row) if row["id"] else row
        for column in columns:
            if row[column] != known[column]:
                yield part.wrong(number, column, f"differs within the {of}", differ(row[column], known[column]))


def check_clusters(parts: Sequence[Part]) -> Iterator[Violation]:
    """No scene in one split that repeats a scene of another one; one violation a scene."""
    home: dict[str, Part] = {}
    for part in parts:
        seen: set[str] = set()
        for number, row in enumerate(part.rows):
            cluster, scene = row["dup_cluster"], (row["id"] or "").rpartition("_")[0]
            if cluster is None or scene in seen:
                continue
            seen.add(scene)
            other = home.setdefault(cluster, part)
            if other is not part:
                yield part.wrong(number, "dup_cluster", f"{scene} repeats a scene in {other.split}", cluster)


def check_named_lines(lines: Part, named_lines: Part) -> Iterator[Violation]:
    """The same rows but for "Joey: " in front of both texts."""
    rows = {row["id"]: row for row in lines.rows}
    for number, row in enumerate(named_lines.rows):
        line = rows.pop(row["id"], None)
        if line is None:
            yield named_lines.wrong(number, "id", "is no row of lines")
            continue
        for column, value in line.items():
            expected = named(line["speaker"], value) if column in TEXTS else value
            if row[column] != expected:
                yield named_lines.wrong(number, column, "is not as in lines", differ(row[column], expected))
    for number, row in enumerate(lines.rows):
        if row["id"] in rows:
            yield lines.wrong(number, "id", "is no row of named_lines")


def check_chat(lines: Part, chat: Part, manifest: Mapping[str, Any]) -> Iterator[Violation]:
    """The rows that follow from the lines, for the characters that the manifest says: no other one, none missing."""
    title, cast = manifest["show"]["title"], manifest["show"]["cast"]
    nulls_filled = [
        line | {"speakers": [name or "" for name in line["speakers"] or []], "text": line["text"] or ""}
        for line in lines.rows
    ]
    made_for = characters_of(manifest["parameters"].get("character", ""), cast)
    expected = {row["id"]: row for row in chat_rows(nulls_filled, title, made_for)}
    for number, row in enumerate(chat.rows):
        made = expected.pop(row["id"], None)
        if made is None:
            yield chat.wrong(number, "id", "is no line that answers somebody")
            continue
        for column, value in made.items():
            if row[column] != value:
                yield chat.wrong(number, column, "is not what lines make it", differ(row[column], value))
    for number, line in enumerate(lines.rows):
        if line["id"] in expected:
            yield lines.wrong(number, "id", "is no row of chat")


def check_chunks(lines: Part, chunks: Part) -> Iterator[Violation]:
    """Every line of the split in one chunk, in order, with its speaker and text; and what follows from the turns."""
    numbers = {row["id"]: number for number, row in enumerate(lines.rows)}
    used: set[str] = set()
    last = -1
    for number, chunk in enumerate(chunks.rows):
        members = []
        for id, turn in zip(chunk["line_ids"] or [], chunk["turns"] or [], strict=False):
            if id not in numbers:
                yield chunks.wrong(number, "line_ids", f"{id} is no line of this split")
                continue
            line = lines.rows[numbers[id]]
            members.append(line)
            if id in used:
                yield chunks.wrong(number, "line_ids", f"{id} stands in a second place")
            elif numbers[id] < last:
                yield chunks.wrong(number, "line_ids", f"{id} is out of order")
            used.add(id)
            last = numbers[id]
            for key, value in (turn or {}).items():
                if value != line[key]:
                    yield chunks.wrong(number, "turns", f"{key} of {id} is not that of lines", differ(value, line[key]))
        yield from check_chunk(chunks, number, members)
    for number, line in enumerate(lines.rows):
        if line["id"] not in used:
            yield lines.wrong(number, "id", "is in no chunk")


def check_chunk(chunks: Part, number: int, members: Sequence[Row]) -> Iterator[Violation]:
    """One chunk against its lines."""
    chunk = chunks.rows[number]
    if not members:
        return
    script = "\n".join(named(turn["speaker"], turn["text"]) for turn in chunk["turns"] if turn)
    if chunk["text"] != script:
        yield chunks.wrong(number, "text", "is not its turns", differ(chunk["text"], script))
    speakers = list(dict.fromkeys(name for line in members for name in line["speakers"] or []))
    if chunk["speakers"] != speakers:
        yield chunks.wrong(number, "speakers", "are not those of its lines", differ(chunk["speakers"], speakers))
    printed = chunk["text_with_directions"] or ""
    at = 0
    for line in members:
        turn = named(line["speaker"], line["text_with_directions"])
        at = printed.find(turn, at)
        if at < 0:
            yield chunks.wrong(number, "text_with_directions", f"{line['id']} is not in it")
            break
        at += len(turn)
    for column in (*EPISODE, "scene", *SCENE):
        other = next((line for line in members if line[column] != chunk[column]), None)
        if other:
            detail = f"{other['id']}: {differ(other[column], chunk[column])}"
            yield chunks.wrong(number, column, "is not that of its lines", detail)


def check_sizes(chunks: Part, chunk_chars: int | None) -> Iterator[Violation]:
    """No chunk longer than the manifest's limit but for a turn that stands alone, or a lone last turn that joined."""
    for number, chunk in enumerate(chunks.rows):
        lengths = [len(line) for line in (chunk["text"] or "").split("\n")]
        without_last = sum(lengths[:-1]) + len(lengths) - 2
        if chunk_chars and len(lengths) > 1 and without_last > chunk_chars:
            yield chunks.wrong(number, "text", f"is longer than {chunk_chars:,} characters", f"{len(chunk['text']):,}")


def differ(left: object, right: object) -> str:
    """Two values that should be one."""
    return f"{shorten(repr(left))} instead of {shorten(repr(right))}"
