"""The version of the parser: a hash over exactly the code that decides how a page is read."""

from __future__ import annotations

from importlib.metadata import version

from friends_corpus.core.fingerprint import hash_code

ROOMS = ("formats", "parsing", "show")  # of friends_corpus, all that is in them; a show's data is in Show.version
CORE = ("core/cli.py", "core/fingerprint.py", "core/manifest.py", "core/model.py")  # what these rooms import besides

PARSER_VERSION = f"{hash_code('friends_corpus', (*ROOMS, *CORE))}-lxml-{version('lxml')}"
