"""python -m friends_corpus: list the commands of this package."""

import sys

from friends_corpus.core.commands import list_commands

sys.exit(list_commands("friends_corpus"))
