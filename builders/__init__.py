"""Build, check, compare, export and publish the dataset folder `friends-lines`.

`python -m builders` lists the commands. Nothing is to be imported from here: the folder is the interface.
"""

import sys

if sys.argv[:1] == ["-m"]:  # a command begins: before any other import
    if not (sys.flags.safe_path or __file__.startswith(sys.path[0])):
        del sys.path[0]  # the current folder, and no clone
    from friends_corpus.core.import_path import leave_current_folder

    leave_current_folder()

from friends_corpus.core.versions import __version__

__all__ = ["__version__"]
