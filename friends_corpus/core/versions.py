"""Versions of the form X.Y.Z."""

import argparse
import re

VERSION = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){2}")  # "1.0.0"


def version(text: str) -> str:
    """Return the text if it is a version; for argparse.

    >>> version("1.0.0")
    '1.0.0'
    """
    if VERSION.fullmatch(text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form 1.0.0")
    return text
