"""python -m builders.explain: show where a row of the dataset comes from and why it was read that way.

Shows the page with its address and hash, what is printed around the row, which label made each turn, and how the label
was resolved to people. The exit code is 1 if the page, or the show's files, are not those the dataset was built from.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from friends_corpus.core.cli import Failed, InputError, exit_code, natural
from friends_corpus.core.ids import episode_of, kind_of, line_id, numbers_of, scene_of

if TYPE_CHECKING:
    from friends_corpus.core.manifest import Manifest
    from friends_corpus.core.manifest import Page as ManifestPage
    from friends_corpus.core.model import Episode, Line, Page, Segment, Utterance
    from friends_corpus.show.config import Show

    from .configs.lines import Row

WIDTH = 100  # characters of printed text on a line


@dataclass(frozen=True, slots=True)
class Source:
    """A page as it was read now: its segments, its turns as printed and as shipped, and what the labels are read by."""

    show: Show
    page: Page
    segments: Sequence[Segment]
    turns: Mapping[int, tuple[Utterance, Line]]  # by position
    episode: Episode[Line]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 explained, 1 another page than the manifest's, 2 bad usage or id."""
    parser = argparse.ArgumentParser(
        prog="python -m builders.explain",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Example: python -m builders.explain friends-lines s11e01_c01_u0000",
    )
    add = parser.add_argument
    add("folder", type=Path, metavar="FOLDER", help="dataset folder")
    add("row", metavar="ROW_ID", help="id of a line (s01e01_c03_u0012) or of a chunk (s01e01_c03_k02)")
    add(
        "--pages", type=Path, metavar="DIR", help="folder of the pages it was built from (default: the invented sample)"
    )
    from friends_corpus.show.options import add_show_options

    add_show_options(parser)
    add("--context", type=natural, default=4, metavar="N", help="segments shown before and after (default: 4)")
    options = parser.parse_args(arguments)
    return exit_code(lambda: print(*explain(options), sep="\n"), "nothing was changed")


def explain(options: argparse.Namespace) -> Iterator[str]:
    """Yield the report, line by line. Raises InputError, Failed."""
    from friends_corpus.show.options import read_show_options

    from .folder.manifest import need_manifest

    folder, row_id = options.folder, options.row
    manifest = need_manifest(folder)
    kind = kind_of(row_id)
    if kind is None:
        raise InputError(
            f"{row_id!r} is not a row id; ids look like s01e01_c03_u0012 (lines) or s01e01_c03_k02 (chunks)"
        )
    episode = episode_of(row_id)
    split = next((split for split, ids in manifest["splits"].items() if episode in ids), None)
    if split is None:
        raise InputError(f"{row_id}: the dataset has no episode {episode}")
    config = f"{kind}s"
    row = next(iter(find_rows(folder, manifest, (config, split), "id", row_id)), None)
    if row is None:
        raise InputError(f"{row_id}: {config} has no such row (turns without speech have a number but no row)")
    entry = next((page for page in manifest["pages"] if page.get("episode") == episode), None)
    if entry is None:
        raise InputError(f"{folder}: manifest.json lists no page of {episode}; run: python -m builders.check")
    show = read_show_options(options)
    check_same_show(show, folder, manifest)
    source = read_source(options.pages or show.sample, entry, show)
    lines = [numbers_of(id)[-1] for id in row.get("line_ids", [row_id])]
    check_same(row, [source.turns.get(position) for position in lines])
    yield from describe_row(row, split, folder, manifest)
    if "line_ids" not in row:
        yield describe_chat(row, split, folder, manifest)
    yield from describe_page(row, entry, manifest, show)
    turns = [source.turns[position] for position in lines]
    orders = [order for _, line in turns for order in line.segments]
    yield from describe_source(source.segments, orders, options.context)
    yield from describe_turns(source, turns)


def check_same_show(show: Show, folder: Path, manifest: Manifest) -> None:
    """Refuse another show, and another edition of the show: labels would mean other people."""
    title, version = (manifest["show"][key] for key in ("title", "version"))
    if show.title != title:
        raise InputError(f"{folder} was built from the show {title!r}; give its folder with --show")
    if show.version != version:
        raise Failed(
            f"{show.folder}: show.yaml and speakers.csv are version {show.version} of {title!r}, the dataset was built "
            f"with version {version}; give the folder of that version with --show"
        )


def find_rows(folder: Path, manifest: Manifest, of: tuple[str, str], column: str, value: str) -> list[Row]:
    """Return the rows of a split of a config that have a value in a column. Raises InputError for an invalid file."""
    from .checks.integrity import need_part
    from .checks.row_rules import check_rows

    part = need_part(folder, manifest, *of)
    for violation in check_rows(part):
        raise InputError(f"{folder / str(violation)}; run: python -m builders.check")
    return [row for row in part.rows if row[column] == value]


def read_source(folder: Path, entry: ManifestPage, show: Show) -> Source:
    """Read the page of a manifest's entry again, if its file is still the same."""
    import hashlib

    from friends_corpus.core.model import ParseError
    from friends_corpus.formats.pages import read_pages
    from friends_corpus.parsing.normalise import normalise
    from friends_corpus.parsing.script import parse_page
    from friends_corpus.show.page_names import file_of

    locator = entry.get("locator", "")
    file = file_of(entry["page"], locator)
    path = folder / file
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give the folder of the pages with --pages") from None
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 != entry["sha256"]:
        raise Failed(f"{path} has sha256 {sha256}; the dataset was built from a page with sha256 {entry['sha256']}")
    try:
        page = next((page for page in read_pages(file, data, show) if page.locator == locator), None)
        if page is None:
            raise ParseError(f"the file has no page {entry['page']}")
        segments, printed = parse_page(page, file, show)
    except ParseError as error:
        raise Failed(f"{path}: this version of the parser cannot read it: {error}") from None
    episode = normalise(printed, show)
    turns = zip(printed.utterances(), episode.utterances(), strict=True)
    return Source(show, page, segments, {line.position: (turn, line) for turn, line in turns}, episode)


def check_same(row: Row, turns: Sequence[tuple[Utterance, Line] | None]) -> None:
    """Refuse a row that this version of the parser would not make of the page."""
    texts = [turn["text"] for turn in row["turns"]] if "turns" in row else [row["text"]]
    if [turn[1].text if turn else None for turn in turns] != texts:
        raise Failed(f"{row['id']} was built by another version of the parser; build the dataset again")


def describe_row(row: Row, split: str, folder: Path, manifest: Manifest) -> Iterator[str]:
    """Describe the row itself: texts, split, chunk, other scenes of its cluster."""
    chunk = "line_ids" in row
    yield f"{row['id']}: a row of {'chunks' if chunk else 'lines and named_lines'}, split {split}"
    yield ""
    shown = row["text"] if chunk else f"{row['speaker']}: {row['text']}"
    yield from (f"    {part}" for text in shown.splitlines() for part in textwrap.wrap(text, WIDTH))
    yield ""
    if not chunk:
        chunks = find_rows(folder, manifest, ("chunks", split), "source", row["source"])
        yield f"chunk     {', '.join(matches['id'] for matches in chunks if row['id'] in matches['line_ids'])}"
    cluster = row.get("dup_cluster")
    if cluster is None:
        yield "repeats   none: the scene is in no cluster of repeated scenes"
    else:
        parts = [("chunks", split) for split in manifest["configs"]["chunks"]["splits"]]
        matches = [row for part in parts for row in find_rows(folder, manifest, part, "dup_cluster", cluster)]
        scenes = {scene_of(row["id"]) for row in matches}
        yield f"repeats   {cluster}: the scenes {', '.join(sorted(scenes))} repeat each other"


def describe_chat(row: Row, split: str, folder: Path, manifest: Manifest) -> str:
    """Tell whether a line has a row in `chat`, too: whom it answers, or why it answers nobody."""
    from .configs.chat import NO_ROW, candidates, characters_of

    splits = manifest["configs"].get("chat", {"splits": {}})["splits"]
    matches = find_rows(folder, manifest, ("chat", split), "id", row["id"]) if split in splits else []
    if matches:
        return f"chat      the row with the same id: {matches[0]['prompt'][0]['content']}"
    lines = find_rows(folder, manifest, ("lines", split), "source", row["source"])
    characters = characters_of(manifest["parameters"]["character"], manifest["show"]["cast"])
    reason = next(reason for line, _, reason in candidates(lines, characters) if line["id"] == row["id"])
    return f"chat      no row: {NO_ROW[reason]}"


def describe_page(row: Row, entry: ManifestPage, manifest: Manifest, show: Show) -> Iterator[str]:
    """Describe where the row stands: page, address, hash, scene."""
    from friends_corpus.parsing.version import PARSER_VERSION
    from friends_corpus.show.page_names import file_of

    numbers = " and ".join(str(number) for number in row["episodes"])
    yield f"page      {entry['page']}: season {row['season']}, episode {numbers}, “{row['episode_title']}”"
    url = show.page_url(file_of(entry["page"], entry.get("locator", "")))
    url = "none: an invented page of this project" if manifest["sample"] else url
    yield f"url       {url or 'none: the show has no archive'}"
    yield f"sha256    {entry['sha256']}, as in the manifest"
    heading = row["scene_heading"]
    yield f"scene     {row['scene']}: {'no heading' if heading is None else heading}"
    same = manifest["software"]["parser"] == PARSER_VERSION
    yield f"parser    {PARSER_VERSION}, {'as in the manifest' if same else 'not the one in the manifest; same row'}"


def describe_source(segments: Sequence[Segment], orders: Sequence[int], context: int) -> Iterator[str]:
    """Yield the printed text around the row, segment by segment; the row's own are marked."""
    first, last = min(orders), max(orders)
    own = set(orders)
    start, end = max(0, first - context), min(len(segments), last + 1 + context)
    yield ""
    yield f"printed there (segments {start} to {end - 1} of {len(segments)}; > marks this row's)"
    for segment in segments[start:end]:
        head = f"{'>' if segment.order in own else ' '} {segment.order:>5}  {segment.kind:<19} "
        text = textwrap.wrap(" ".join(segment.text.split()), WIDTH) or [""]
        yield head + f"\n{' ' * len(head)}".join(text)


def describe_turns(source: Source, turns: Sequence[tuple[Utterance, Line]]) -> Iterator[str]:
    """Tell of each turn what its label is, why that is a label, and who is meant by it."""
    from friends_corpus.parsing.habits import read_habits

    from .interop.cue_reasons import describe_speakers, find_label

    habits = read_habits(source.page.blocks, source.episode.id, source.show)
    for utterance, line in turns:
        label = find_label(source.page.blocks, source.segments, habits, utterance.parts[0].order)
        yield ""
        yield f"why {line_id(source.episode.id, line.scene, line.position)} is a turn"
        yield f"    label     “{label.printed}”, {label.weight}, {label.place}"
        yield f"    accepted  {label.reason}"
        yield f"    cue       “{line.cue}”"
        for speaker in describe_speakers(utterance.cue, source.episode.id, source.show):
            yield f"    speaker   {speaker}"
        kinds = dict.fromkeys(part.kind for part in utterance.parts)
        yield f"    made of   {', '.join(kinds)} (segments {', '.join(map(str, line.segments))})"


if __name__ == "__main__":
    sys.exit(main())
