"""The commands of all packages: `friends-corpus NAME` runs one, `python -m PACKAGE` lists them; none is imported."""

import ast
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from .cli import complain, did_you_mean, show_no_tracebacks
from .import_path import leave_current_folder

ROOT = Path(__file__).parents[2]  # where the packages lie
COMMANDS = {  # in the order of the pipeline
    "fetch": "friends_corpus.fetch",
    "survey": "friends_corpus.survey",
    "parse": "friends_corpus.parse",
    "build": "builders.build",
    "check": "builders.check",
    "diff": "builders.diff",
    "explain": "builders.explain",
    "align": "builders.align",
    "export": "builders.export",
    "publish-dataset": "builders.publish",
    "sft": "train.sft",
    "compare": "train.compare",
    "report": "train.report",
    "chat": "train.chat",
    "merge": "train.merge",
    "bench": "train.bench",
    "lesson": "train.lesson",
    "publish-adapter": "train.publish",
}
USAGE = "usage: friends-corpus COMMAND …; friends-corpus COMMAND --help says more of one"
HELP: tuple[list[str], ...] = ([], ["-h"], ["--help"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command by its name as if by `python -m`; without a name list them all."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given in HELP:
        print("\n".join([USAGE, "", *(f"  {name:<17} {purpose(module)}" for name, module in COMMANDS.items())]))
        return 0
    name = given[0]
    if name not in COMMANDS:
        return complain(f"no command {name!r}{did_you_mean(name, COMMANDS)}; friends-corpus --help lists them all")
    sys.argv[1:] = given[1:]
    show_no_tracebacks()
    leave_current_folder()
    runpy.run_module(COMMANDS[name], run_name="__main__", alter_sys=True)  # it ends with sys.exit
    return 0


def list_commands(package: str) -> int:
    """Print a package's commands, one on each line: what `python -m PACKAGE` does."""
    if sys.argv[1:] not in HELP:
        return complain(f"python -m {package} only lists commands; run one of them: python -m {package}.NAME")
    modules = [module for module in COMMANDS.values() if module.startswith(f"{package}.")]
    print("\n".join(f"python -m {module:<{max(map(len, modules))}}  {purpose(module)}" for module in modules))
    return 0


def purpose(module: str) -> str:
    """Return what the first line of a command's docstring says after its name.

    >>> purpose("train.chat")
    'talk to adapters of train.sft, in the terminal or on a page.'
    """
    source = ROOT.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0].partition(": ")[2]
