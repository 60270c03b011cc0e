"""Several episodes in one file, told apart by the lines that name them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from friends_corpus.core.model import Block, Page, ParseError
from friends_corpus.show.config import Show
from friends_corpus.show.wording import wording

LONGEST = 110  # characters of a line that names an episode
APART = 5  # lines between two episodes; what is nearer is one head, a list of episodes, or a menu
SHOWN = 60  # characters of a line in a message
SEASON = re.compile(r"(?i)\W*season\s+(\d{1,2})\W*")  # "SEASON 2"
NUMBERED = re.compile(  # "Episode 3", "Season 1, Episode 3: The Kettle", "S01E03 – The Kettle", "1x03"
    r"(?i)\W*(?:(?:season\s+(?P<season>\d{1,2})\W+)?(?:episode|ep\.?)\s+(?P<episode>\d{1,2})\b(?!:\d)"
    r"|s(?P<s>\d{1,2})\W?e(?P<e>\d{1,2})\b|(?P<x>\d{1,2})x(?P<y>\d\d)\b).*"
)
END = re.compile(r"(?i)\W*(?:the )?end\W*")

Number = tuple[int, int]  # season, episode


@dataclass(slots=True)
class Boundary:
    """A line that may name an episode: where it is, what it says, and the episodes that it can mean."""

    index: int
    text: str
    numbers: list[Number]  # that it can mean; none: a title that is not in the list
    both: bool = False  # it means all of them: a page of two parts


def split_episodes(blocks: Sequence[Block], show: Show) -> list[Page]:
    """Return one page for each episode in a file; a single one without a locator where no line names another.

    Raises ParseError for an episode whose number cannot be told.
    """
    boundaries = _apart([*_boundaries(blocks, show)])
    notes = _number(boundaries, show)
    distinct = {tuple(boundary.numbers) for boundary in boundaries}
    if len(distinct) < 2:
        locator = _locator(boundaries[0].numbers) if boundaries and boundaries[0].numbers else ""
        return [Page(tuple(blocks), locator, tuple(notes) if locator else ())]
    pages = []
    starts = [0, *(boundary.index for boundary in boundaries[1:])]
    for boundary, start, end in zip(boundaries, starts, [*starts[1:], len(blocks)], strict=True):
        if not boundary.numbers:
            raise ParseError(
                f"line {boundary.index + 1}, “{boundary.text[:SHOWN]}”, begins an episode, and nothing says which; "
                f"write its number there (S01E03), or its title into {show.folder / 'episodes.csv'}"
            )
        own = [note for note in notes if note.startswith(f"line {boundary.index + 1},")]
        pages.append(Page(tuple(blocks[start:end]), _locator(boundary.numbers), tuple(own)))
    return pages


def _boundaries(blocks: Sequence[Block], show: Show) -> Iterator[Boundary]:
    """Yield the lines that may name an episode."""
    season, ended = 1, False
    title_form = wording(show).title
    for index, block in enumerate(blocks):
        text = " ".join(block.text.split())
        if not 0 < len(text) <= LONGEST:
            continue
        if match := SEASON.fullmatch(text):
            season = int(match[1])
        elif match := NUMBERED.fullmatch(text):
            season = int(match["season"] or match["s"] or match["x"] or season)
            yield Boundary(index, text, [(season, int(match["episode"] or match["e"] or match["y"]))])
        elif ":" not in text[1:40] or title_form.match(text):
            in_form = bool(title_form.match(text))
            matches = [(found.season, found.number) for found in show.episodes.find(text, loosely=in_form)]
            if matches or in_form:
                yield Boundary(index, text, matches)
                season = matches[0][0] if matches else season
            elif ended and not END.fullmatch(text) and text[-1] not in ".!?)]":
                yield Boundary(index, text, [])
        ended = bool(END.fullmatch(text))


def _apart(boundaries: Sequence[Boundary]) -> list[Boundary]:
    """Join the boundaries of one head, and leave out those that say the same as the one before."""
    kept: list[Boundary] = []
    last = -APART - 1
    for boundary in boundaries:
        near, last = boundary.index - last <= APART, boundary.index
        if kept and near:
            kept[-1].numbers = kept[-1].numbers or boundary.numbers
            if len(boundary.numbers) == 1 < len(kept[-1].numbers):
                kept[-1].numbers = boundary.numbers
        elif not (kept and boundary.numbers and boundary.numbers == kept[-1].numbers and len(boundary.numbers) == 1):
            kept.append(boundary)
    return kept


def _number(boundaries: Sequence[Boundary], show: Show) -> list[str]:
    """Decide which episode each boundary means, and return what was guessed."""
    notes = []
    taken: set[Number] = {boundary.numbers[0] for boundary in boundaries if len(boundary.numbers) == 1}
    shared = [boundary for boundary in boundaries if len(boundary.numbers) > 1]
    for boundary in shared:
        free = [number for number in boundary.numbers if number not in taken]
        others = [other for other in shared if other.numbers == boundary.numbers and other is not boundary]
        if others or len(free) == 1:
            boundary.numbers = free[:1]
            taken.update(free[:1])
            notes.append(_note(boundary, "the title of two episodes, taken in order"))
    order = [(episode.season, episode.number) for episode in show.episodes.episodes]
    for index, boundary in enumerate(boundaries):
        if not boundary.numbers and (number := _between(boundaries, index, order)):
            boundary.numbers = [number]
            notes.append(_note(boundary, "by its place between its neighbours"))
    return notes


def _between(boundaries: Sequence[Boundary], index: int, order: Sequence[Number]) -> Number | None:
    """Return the number of a title that is not in the list, where its neighbours leave only one."""
    before = next((other for other in range(index - 1, -1, -1) if boundaries[other].numbers), -1)
    after = next((other for other in range(index + 1, len(boundaries)) if boundaries[other].numbers), -1)
    if after < 0:
        return None
    high = boundaries[after].numbers[0]
    low = boundaries[before].numbers[-1] if before >= 0 else (high[0], 0)
    listed = order[order.index(low) + 1 : order.index(high)] if low in order and high in order else ()
    if len(listed) == after - before - 1:
        return listed[index - before - 1]
    if low[0] == high[0] and high[1] - low[1] == after - before:
        return low[0], low[1] + index - before
    return None


def _note(boundary: Boundary, why: str) -> str:
    number = _locator(boundary.numbers)
    return f"line {boundary.index + 1}, “{boundary.text[:SHOWN]}”, is taken for {number}: {why}"


def _locator(numbers: Sequence[Number]) -> str:
    """Return how a page is called in its file: "S01E03", "0615-0616"."""
    if len(numbers) > 1:
        return "-".join(f"{season:02}{number:02}" for season, number in numbers)
    return f"S{numbers[0][0]:02}E{numbers[0][1]:02}"
