"""Select the pages that go into the dataset, and describe the others for the manifest."""

from collections.abc import Iterable
from dataclasses import dataclass

from friends_corpus.core.files import sha256_of
from friends_corpus.core.manifest import PageIdentity
from friends_corpus.show.page_names import SAMPLE, find_pages

from .pages import FailedPage, ReadPage, Result


@dataclass(frozen=True, slots=True)
class Selection:
    """The pages of a build: to ship (in the order of their episodes), not to ship with the reason, failed."""

    shipped: list[ReadPage]
    left_out: list[tuple[ReadPage, str]]
    failed: list[FailedPage]


def select_pages(results: Iterable[Result]) -> Selection:
    """Tell which pages to ship. Of two pages with the same episode the first by name is kept, the other one fails."""
    selection = Selection([], [], [])
    taken: dict[tuple[int, int], str] = {}
    for page in sorted(results, key=lambda page: page.name):
        if isinstance(page, FailedPage):
            selection.failed.append(page)
            continue
        episode = page.episode
        numbers = [(episode.season, number) for number in episode.numbers]
        twice = [number for number in numbers if number in taken]
        if episode.variant or not numbers:
            selection.left_out.append((page, f"variant: {episode.variant or 'no episode number'}"))
        elif twice:
            both = f"{taken[twice[0]]} and {page.name} both hold season {twice[0][0]} episode {twice[0][1]}"
            problem = f"{both}; remove one of them"
            selection.failed.append(FailedPage(page.name, page.sha256, problem, page.locator))
        else:
            selection.shipped.append(page)
            taken.update(dict.fromkeys(numbers, page.name))
    selection.shipped.sort(key=lambda page: (page.episode.season, page.episode.numbers))
    return selection


def is_sample(hashes: Iterable[str]) -> bool:
    """Tell whether pages of these SHA-256 are the project's own, whose dialogue is invented; wherever they lie."""
    return set(hashes) <= {sha256_of(path) for path in find_pages(SAMPLE)}


def identity(page: Result) -> PageIdentity:
    """Return what a page's entry in the manifest begins with; a locator only where its file holds other pages."""
    if page.locator:
        return {"page": page.name, "locator": page.locator, "sha256": page.sha256}
    return {"page": page.name, "sha256": page.sha256}
