"""Keep commands from importing from the current folder, which `python -m` puts first on the path.

Libraries import optional packages by name, long after the start. A folder that is called like one of them, among what
somebody has unpacked, would be run. Imports nothing that Python has not loaded at its own start.
"""

import os
import sys
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader

OURS = ("friends_corpus", "builders", "cards", "train")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))  # noqa: PTH120


class OursAlone(FileFinder):
    """A finder for a clone that is the current folder: of all that lies there only our packages are found."""

    def find_spec(self, name: str, target: object = None) -> ModuleSpec | None:
        """Find one of our packages."""
        return super().find_spec(name) if name in OURS else None


def leave_current_folder() -> None:
    """Take the current folder off the path, here and in the processes that this one starts."""
    try:
        here = os.path.realpath(os.getcwd())  # noqa: PTH109
    except FileNotFoundError:  # it was removed: nothing lies there
        return
    sys.path[:] = [entry for entry in sys.path if os.path.realpath(entry) != here]
    os.environ["PYTHONSAFEPATH"] = "1"
    if here == ROOT:
        sys.path_importer_cache[ROOT] = OursAlone(ROOT, (SourceFileLoader, SOURCE_SUFFIXES))
        sys.path.insert(0, ROOT)
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (ROOT, os.environ.get("PYTHONPATH"))))
