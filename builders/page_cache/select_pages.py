"""Which of the pages that were read go into the dataset, and what the manifest says of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from friends_corpus.core.files import sha256_of
from friends_corpus.show.page_names import SAMPLE, find_pages

from .pages import FailedPage, ReadPage, Result


def sort_out(
    results: Iterable[Result],
) -> tuple[list[ReadPage], list[tuple[ReadPage, str]], list[FailedPage]]:
    """Pages to ship (in the order of their episodes), pages not to ship with the reason, pages that failed.

    Two pages with the same episode are one too many: the first by name is kept, the other one fails.
    """
    shipped, left_out, failed = [], [], []
    taken: dict[tuple[int, int], str] = {}
    for page in sorted(results, key=lambda page: page.name):
        if isinstance(page, FailedPage):
            failed.append(page)
            continue
        episode = page.episode
        numbers = [(episode.season, number) for number in episode.numbers]
        twice = [number for number in numbers if number in taken]
        if episode.variant or not numbers:
            left_out.append((page, f"variant: {episode.variant or 'no episode number'}"))
        elif twice:
            season, number = twice[0]
            both = f"{taken[twice[0]]} and {page.name}"
            problem = f"{both} both hold season {season} episode {number}; remove one of them"
            failed.append(FailedPage(page.name, page.sha256, problem, page.locator))
        else:
            shipped.append(page)
            taken.update(dict.fromkeys(numbers, page.name))
    return sorted(shipped, key=lambda page: (page.episode.season, page.episode.numbers)), left_out, failed


def is_sample(hashes: Iterable[str]) -> bool:
    """Whether pages of these SHA-256 are the project's own, whose dialogue is invented; wherever they lie."""
    return set(hashes) <= {sha256_of(path) for path in find_pages(SAMPLE)}


def identity(page: Result) -> dict[str, Any]:
    """What a page's entry in the manifest begins with: its name, where in a file of several it is, the file's hash."""
    return {"page": page.name, **({"locator": page.locator} if page.locator else {}), "sha256": page.sha256}


def page_entry(page: ReadPage, splits: Mapping[str, str], repeats: Iterable[str]) -> dict[str, Any]:
    """A shipped page in the manifest."""
    id = page.episode.id
    marks = {"repeats": True} if id in repeats else {}
    return {**identity(page), "episode": id, "split": splits[id], **marks}
