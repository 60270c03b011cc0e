"""python -m friends_corpus.survey PAGES: say what would be read of pages nobody has seen, and draft a show for them."""

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rapidfuzz.distance import DamerauLevenshtein

from friends_corpus.core.cli import InputError, exit_code, shorten
from friends_corpus.core.model import Episode, Line, Page, ParseError, Segment
from friends_corpus.formats.pages import read_pages
from friends_corpus.parsing.habits import read_habits
from friends_corpus.parsing.labels import find_cues
from friends_corpus.parsing.normalise import normalise
from friends_corpus.parsing.script import parse_page
from friends_corpus.show.config import Show
from friends_corpus.show.options import add_show_options, read_show_options
from friends_corpus.show.page_names import file_name, find_pages, identify, names_episode

CAST_SHARE = 0.04  # of all lines: who says so many is of the main cast
MOST_CAST = 10
SLIP, RARE, FREQUENT = 2, 3, 10  # edits, and lines of a misspelling and of the name that it means
SHOWN = 12  # names or examples in a line of the screen
TITLE_TO_EDIT = "Untitled show"


@dataclass(slots=True)
class Findings:
    """What was found in all pages."""

    formats: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)  # why labels are labels
    labels: Counter[str] = field(default_factory=Counter)  # display name -> lines
    groups: Counter[str] = field(default_factory=Counter)  # labels that name several
    kinds: Counter[str] = field(default_factory=Counter)  # kind of segment -> characters
    scenes: list[int] = field(default_factory=list)  # of each page
    unlabelled: list[str] = field(default_factory=list)  # speech before any label
    failed: list[str] = field(default_factory=list)
    unnamed: list[str] = field(default_factory=list)  # files whose names do not say their episode
    notes: list[str] = field(default_factory=list)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 surveyed, 2 nothing there could be read."""
    parser = argparse.ArgumentParser(
        prog="python -m friends_corpus.survey",
        description="Look over transcripts and say what would be read of them, and how sure that is.",
        epilog="Then edit what --out drafted, and build: python -m builders.build --pages PAGES --show SHOW",
    )
    parser.add_argument("pages", type=Path, metavar="PAGES", help="a folder of transcripts, or one of them")
    parser.add_argument("--out", type=Path, metavar="SHOW", help="draft show.yaml, speakers.csv and pages.csv there")
    add_show_options(parser)
    options = parser.parse_args(argv)
    return exit_code(lambda: survey(options), "nothing was written", options.out)


def survey(options: argparse.Namespace) -> int:
    """Print the survey, and write the draft of a show. Raises InputError, OSError."""
    if options.out and options.out.exists():
        raise InputError(f"{options.out} is there already; choose another folder for --out")
    show = read_show_options(options)
    findings = Findings()
    for path in find_pages(options.pages):
        look_at(path, show, findings)
    if not findings.labels:
        raise InputError(*findings.failed[:SHOWN], f"{options.pages}: no transcript could be read")
    for name, text in describe(findings):
        print(f"{name:<14}{text}")
    if options.out:
        draft(findings, options.out)
        table = f" --pages-table {options.out / 'pages.csv'}" if findings.unnamed else ""
        command = f"python -m builders.build --show {options.out} --pages {options.pages}{table}"
        print(f"\nwrote {options.out}; edit it, then: {command}")
    return 0


def look_at(path: Path, show: Show, findings: Findings) -> None:
    """Read a file and count what is in it."""
    name = file_name(path, show)
    try:
        pages = read_pages(name, path.read_bytes(), show)
    except (ParseError, OSError) as error:
        findings.failed.append(f"{name}: {error}")
        return
    for page in pages:
        findings.notes += [f"{name}: {note}" for note in page.notes]
        if not page.locator and not names_episode(name, show):
            heading = next((block.text for block in page.blocks if block.heading), "")
            findings.unnamed.append(name)
            page = Page(page.blocks, _locator(name, heading, show, len(findings.unnamed)))
        try:
            segments, printed = parse_page(page, name, show)
        except ParseError as error:
            findings.failed.append(f"{name}: {error}")
            continue
        count(page, segments, normalise(printed, show), show, findings)


def _locator(name: str, heading: str, show: Show, number: int) -> str:
    """Return where a page is taken to be that does not say it: in the order of the files."""
    try:
        source = identify(name, heading, show)
        return f"S{source.season:02}E{source.numbers[0]:02}"
    except (ParseError, IndexError):
        return f"S01E{min(number, 60):02}"


def count(page: Page, segments: Sequence[Segment], episode: Episode[Line], show: Show, findings: Findings) -> None:
    """Count labels, scenes and what is in no turn."""
    findings.formats[episode.form] += 1
    habits = read_habits(page.blocks, episode.id, show)
    for block in page.blocks:
        findings.rules.update(cue.rule.value for cue in find_cues(block, habits))
    in_turns = {order for line in episode.utterances() for order in line.segments}
    for segment in segments:
        findings.kinds[segment.kind] += len(segment.text)
        if segment.kind == "speech" and segment.order not in in_turns and segment.text.strip():
            findings.unlabelled.append(" ".join(segment.text.split()))
    for line in episode.utterances():
        (findings.groups if len(line.speakers) > 1 else findings.labels)[" and ".join(line.speakers)] += 1
    findings.scenes.append(sum(scene.heading is not None for scene in episode.scenes))


def describe(findings: Findings) -> Iterable[tuple[str, str]]:
    """Yield the lines of the screen: a name, and what there is to say."""
    pages = sum(findings.formats.values())
    yield "pages", f"{pages:,} read, {len(findings.failed)} cannot be read"
    for form, number in findings.formats.most_common(SHOWN):
        yield "  form", f"{number:,} × {form}"
    for text in findings.failed[:SHOWN]:
        yield "  not read", shorten(text, 160)
    if findings.unnamed:
        yield "  not named", f"{_some(findings.unnamed)}: taken in order; say which episodes they are in pages.csv"
    for note in findings.notes[:SHOWN]:
        yield "  guessed", shorten(note, 160)
    total = sum(findings.rules.values())
    for rule, number in findings.rules.most_common(3):
        yield "labels", f"{number:,} of {total:,}: {rule}"
    yield "cast", _some([f"{name} {number:,}" for name, number in findings.labels.most_common(MOST_CAST)])
    slips = misspellings(findings.labels)
    if slips:
        yield "misspelt", _some([f"{wrong} → {right}" for wrong, right in slips.items()])
    if findings.groups:
        yield "groups", _some([f"{name} {number:,}" for name, number in findings.groups.most_common(SHOWN)])
    rare = [name for name, number in findings.labels.items() if number == 1 and name not in slips]
    yield "seen once", f"{len(rare):,}: {_some(rare)}"
    with_scenes = sum(number > 0 for number in findings.scenes)
    yield "scenes", f"{sum(findings.scenes):,} headings on {with_scenes} of {len(findings.scenes)} pages"
    if findings.unlabelled:
        yield (
            "in no turn",
            f"{len(findings.unlabelled):,} lines: {_some([f'“{shorten(text)}”' for text in findings.unlabelled[:3]])}",
        )
    characters = sum(findings.kinds.values())
    speech = findings.kinds["speech"] / max(1, characters)
    yield (
        "characters",
        ", ".join(f"{kind} {100 * part / characters:.0f} %" for kind, part in findings.kinds.most_common(5)),
    )
    sure = (
        "sure"
        if speech > 0.5 and not findings.failed and len(findings.unlabelled) < pages
        else "look at the lines above"
    )
    yield "how sure", f"{sure}: {100 * speech:.0f} % of what is visible is speech of a labelled turn"


def _some(names: Sequence[str]) -> str:
    more = f", … ({len(names):,} in all)" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def misspellings(labels: Counter[str]) -> dict[str, str]:
    """Map each rare label to the frequent one that it is nearly.

    >>> misspellings(Counter({"Monica": 40, "Mnoica": 1, "Mona": 20}))
    {'Mnoica': 'Monica'}
    """
    frequent = [name for name, number in labels.items() if number >= FREQUENT and len(name) > 3]
    slips = {}
    for name, number in labels.items():
        if number <= RARE and len(name) > 3:
            near = [
                (distance, other)
                for other in frequent
                if other[0] == name[0]
                and (distance := DamerauLevenshtein.distance(name, other, score_cutoff=SLIP)) <= SLIP
            ]
            if near:
                slips[name] = min(near)[1]
    return slips


def draft(findings: Findings, out: Path) -> None:
    """Write show.yaml, speakers.csv, and pages.csv if names of files do not say the episodes."""
    total = sum(findings.labels.values())
    cast = [name for name, number in findings.labels.most_common(MOST_CAST) if number >= CAST_SHARE * total]
    out.mkdir(parents=True)
    lines = [
        "# Drafted by friends_corpus.survey; edit it. Only the title is required.",
        f"title: {TITLE_TO_EDIT}",
        "cast:  # the main characters: display name, full name",
        *(f"  {_quoted(name)}:" for name in cast),
        "titles: []  # how titles of episodes begin: [The One]",
        "places: []  # places that scene headings may consist of",
    ]
    (out / "show.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with (out / "speakers.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["cue", "speaker", "full_name", "episodes"])
        writer.writerows([wrong, right, "", ""] for wrong, right in misspellings(findings.labels).items())
    if findings.unnamed:
        with (out / "pages.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["file", "season", "episode"])
            writer.writerows([name, 1, number] for number, name in enumerate(findings.unnamed, start=1))


def _quoted(text: str) -> str:
    return text if text.replace(" ", "").replace(".", "").isalpha() else "'" + text.replace("'", "''") + "'"


if __name__ == "__main__":
    sys.exit(main())
