"""Show foreign text safely: control and bidirectional characters are printed as escapes.

A terminal obeys control characters, and characters that turn the direction of writing let a line say what it does not
say. Commands print through `screened`; cards and pages ask `visible`. Data itself is never changed.
"""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

UNSEEN = re.compile(  # C0 but tab and newline, C1, what turns or ends a line, what has no shape at all, halves of pairs
    "[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
CREDENTIALS = re.compile(  # "https://ana:secret@example.org", "ana:secret@proxy:3128"
    r"""(?:(?<=://)(?:[^\s/?#:@]{0,200}:(?!\d{0,5}[/?#])[^\s'"]{1,500}|[^\s/?#]{0,500})|[^\s/:@'"]{1,100}:[^\s/@'"]{1,200})@(?=[\w\[])"""
)
CURSOR = re.compile(r"[\r\n]*(?:\x1b\[A)*")  # what tqdm moves the cursor with, as a write of its own


def visible(text: str) -> str:
    r"""Return the text with an escape for every character that acts on what shows it; newlines and tabs stay.

    >>> visible("Joey\x1b[31m: \u202eih")
    'Joey\\u001b[31m: \\u202eih'
    """
    return UNSEEN.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    """Return the escape of a character as in JSON, which stays JSON so."""
    digits = match[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{digits[start : start + 4]}" for start in range(0, len(digits), 4))


def masked(text: str) -> str:
    """Return the text without the user and password of an address.

    >>> masked("https://ana:secret@example.org/x: no answer; proxy ana:secret@proxy:3128")
    'https://***@example.org/x: no answer; proxy ***@proxy:3128'
    """
    return CREDENTIALS.sub("***@", text)


class _Screen:
    """A stream through which all is written visible and masked; a carriage return only begins or ends a write."""

    def __init__(self, stream: Any, bars: bool) -> None:
        self._stream, self._bars = stream, bars

    def write(self, text: str) -> int:
        """Write text, and say that all of it is written."""
        if not (self._bars and CURSOR.fullmatch(text)):
            start, end = ("\r" if begins else "" for begins in (text.startswith("\r"), text[1:].endswith("\r")))
            text = start + masked(visible(text.removeprefix("\r").removesuffix("\r"))) + end
        self._stream.write(text)
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write each."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def screened() -> Iterator[None]:
    """Print through a screen, whoever prints."""
    with redirect_stdout(_Screen(sys.stdout, False)), redirect_stderr(_Screen(sys.stderr, True)):
        yield
