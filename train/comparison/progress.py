"""A bar on a terminal, about ten lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TypeVar

from tqdm import tqdm

LINES = 10
Item = TypeVar("Item")


def bar(items: Sequence[Item], what: str) -> Iterator[Item]:
    """The items, and on stderr how many of them are done.

    >>> list(bar([1, 2], "replies"))
    [1, 2]
    """
    if sys.stderr.isatty():
        yield from tqdm(items, desc=what, dynamic_ncols=True)
        return
    for done, item in enumerate(items, 1):
        yield item
        if done == len(items) or done % max(1, len(items) // LINES) == 0:
            print(f"{what:<10}{done}/{len(items)}", file=sys.stderr, flush=True)
