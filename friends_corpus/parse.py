"""python -m friends_corpus.parse: read transcript pages and write their segments and lines as JSON Lines."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from friends_corpus.core.cli import BAD_INPUT, InputError, complain, exit_code
from friends_corpus.core.files import check_new, open_new
from friends_corpus.core.model import Episode, Line, ParseError, Segment, Utterance
from friends_corpus.formats.pages import read_pages
from friends_corpus.parsing.coverage import doubts
from friends_corpus.parsing.normalise import normalise
from friends_corpus.parsing.script import parse_page
from friends_corpus.parsing.translations import TRANSLATION
from friends_corpus.show.config import Show
from friends_corpus.show.options import add_show_options, read_show_options
from friends_corpus.show.page_names import SAMPLE, file_name, find_pages, page_name


def line_row(episode: Episode[Line], line: Line) -> dict[str, object]:
    """Return a line as the JSON row of `--lines`."""
    return {
        "page": episode.page,
        "season": episode.season,
        "episode": episode.numbers[0] if episode.numbers else None,
        "episodes": list(episode.numbers),
        "scene": line.scene,
        "position": line.position,
        "speakers": list(line.speakers),
        "cue": line.cue,
        "text": line.text,
        "text_with_directions": line.text_with_directions,
        "segments": list(line.segments),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Parse pages into JSON lines; 0 if all could be read, 2 if any could not (the others are still written)."""
    parser = argparse.ArgumentParser(
        prog="python -m friends_corpus.parse",
        description="Read transcript pages and write what is in them as JSON Lines.",
        epilog=f"Example: python -m friends_corpus.parse {SAMPLE} --lines lines.jsonl",
    )
    parser.add_argument("pages", nargs="+", type=Path, metavar="PAGE_OR_FOLDER", help="HTML pages, or folders of them")
    parser.add_argument(
        "--segments", type=Path, metavar="FILE", help="every visible character, classified: {page, order, kind, text}"
    )
    parser.add_argument(
        "--lines", type=Path, metavar="FILE", help="every spoken line: {page, season, …, speakers, cue, text, …}"
    )
    add_show_options(parser)
    options = parser.parse_args(argv)
    return exit_code(lambda: parse_pages(options), "the output holds the pages before this one")


def parse_pages(options: argparse.Namespace) -> int:
    """Write what was asked for, and return the exit code. Raises InputError, OSError."""
    if options.segments and options.lines and options.segments.resolve() == options.lines.resolve():
        raise InputError(f"--segments and --lines are both {options.lines}; give each a file of its own")
    counts = Counter(pages=0, segments=0, lines=0)
    for out in filter(None, (options.segments, options.lines)):
        check_new(out)
    show = read_show_options(options)
    paths = [path for where in options.pages for path in find_pages(where)]
    with ExitStack() as stack:
        segments_out, lines_out = (
            stack.enter_context(open_new(out)) if out else None for out in (options.segments, options.lines)
        )
        for script in (script for path in paths for script in read_scripts(path, show)):
            if script is None:
                counts["pages failed"] += 1
                continue
            segments, printed = script
            episode = normalise(printed, show)
            for doubt in doubts(episode):
                print(f"warning: {doubt}", file=sys.stderr)
            counts.update("lines left out as a translation" for segment in segments if segment.kind == TRANSLATION)
            lines = [line for line in episode.utterances() if line.text]
            counts.update(pages=1, segments=len(segments), lines=len(lines))
            for segment in segments if segments_out else ():
                row = {"page": episode.page, "order": segment.order, "kind": segment.kind, "text": segment.text}
                print(json.dumps(row, ensure_ascii=False), file=segments_out)
            for line in lines if lines_out else ():
                print(json.dumps(line_row(episode, line), ensure_ascii=False), file=lines_out)
    print(", ".join(f"{count} {what}" for what, count in counts.items()))
    return BAD_INPUT if counts["pages failed"] else 0


def read_scripts(path: Path, show: Show) -> Iterator[tuple[tuple[Segment, ...], Episode[Utterance]] | None]:
    """Yield what each page of a file holds; None, after a line on stderr, for one that cannot be read."""
    name = file_name(path, show)
    try:
        pages = read_pages(name, path.read_bytes(), show)
    except ParseError as error:
        complain(f"{path}: {error}")
        yield None
        return
    for page in pages:
        for note in page.notes:
            print(f"note: {path}: {note}", file=sys.stderr)
        try:
            yield parse_page(page, name, show)
        except ParseError as error:
            complain(f"{page_name(str(path), page.locator)}: {error}")
            yield None


if __name__ == "__main__":
    sys.exit(main())
