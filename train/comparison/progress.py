"""A bar on a terminal, about ten lines elsewhere."""

import sys
from collections.abc import Iterator, Sequence
from typing import TypeVar

from tqdm import tqdm

LINES = 10
Item = TypeVar("Item")


def bar(items: Sequence[Item], what: str) -> Iterator[Item]:
    """Iterate over items with a progress bar on stderr.

    >>> list(bar([1, 2], "replies"))
    [1, 2]
    """
    shown = tqdm(items, desc=what, dynamic_ncols=True, disable=None)  # None: where stderr is no terminal
    for done, item in enumerate(shown, 1):
        yield item
        if shown.disable and (done == len(items) or done % max(1, len(items) // LINES) == 0):
            print(f"{what:<10}{done}/{len(items)}", file=sys.stderr, flush=True)
