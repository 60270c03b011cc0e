"""Templates of cards and reports, and releases to the Hub."""

from friends_corpus.core.versions import __version__

__all__ = ["__version__"]
