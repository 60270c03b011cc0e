"""Read from a busy server's answer when to ask again."""

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

WHOLE_SECONDS = re.compile(r"[0-9]+")  # "120"
LONGEST = 1e9  # seconds, thirty years: what is longer is as good as this


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds that Retry-After asks for; None if it says nothing to be understood.

    A date counts from the server's own clock where it tells that, else from `now`. Names of headers in lower case.

    >>> retry_after({"retry-after": "120"}, 0), retry_after({"retry-after": "soon"}, 0), retry_after({}, 0)
    (120.0, None, None)
    >>> retry_after({"retry-after": "Thu, 01 Jan 1970 00:01:00 GMT"}, 20)
    40.0
    >>> retry_after({"retry-after": "Thu, 01 Jan 1970 00:01:00 GMT", "date": "Thu, 01 Jan 1970 00:00:15 GMT"}, 1e9)
    45.0
    """
    value = headers.get("retry-after", "").strip()
    if WHOLE_SECONDS.fullmatch(value):
        return min(float(value), LONGEST)
    until, sent = (_seconds(date) for date in (value, headers.get("date", "")))
    return None if until is None else min(max(0.0, until - (now if sent is None else sent)), LONGEST)


def _seconds(date: str) -> float | None:
    """Return the seconds since 1970 at the date of a header."""
    try:
        moment = parsedate_to_datetime(date)
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        return None
