"""Versions of the form X.Y.Z: the one of this package, where its code lives, and how they are read."""

import argparse
import re

__version__ = "0.2.0"  # setup.cfg, CITATION.cff and CHANGELOG.md say the same
REPOSITORY = "https://github.com/OWNER/friends-corpus"  # a placeholder until the code has an address
VERSION = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){2}")  # "1.0.0"


def version(text: str) -> str:
    """Return the text if it is a version; for argparse.

    >>> version("1.0.0")
    '1.0.0'
    """
    if VERSION.fullmatch(text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form 1.0.0")
    return text
