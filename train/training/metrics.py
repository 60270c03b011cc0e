"""The numbers of a run as lines of JSON, while it trains and in its folder."""

import json
from collections.abc import Mapping
from typing import Any


def metrics_line(entry: Mapping[str, Any]) -> str:
    """Return a logged entry as a line of JSON, its keys sorted.

    >>> metrics_line({"step": 3, "loss": 2.5})
    '{"loss": 2.5, "step": 3}\\n'
    """
    return json.dumps(entry, sort_keys=True) + "\n"
