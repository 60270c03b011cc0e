"""python -m train: list the commands of this package."""

import sys

from friends_corpus.core.commands import list_commands

sys.exit(list_commands("train"))
