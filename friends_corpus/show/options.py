"""The options by which commands are told of a show: --show, --pages-table, --columns."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .config import Show


def add_show_options(parser: argparse.ArgumentParser) -> None:
    """Add them to a parser."""
    add = parser.add_argument
    folder = "folder of another show, with show.yaml, speakers.csv and, if you have it, episodes.csv (default: Friends)"
    add("--show", type=Path, metavar="DIR", help=folder)
    table = "CSV of pages whose names do not say it: file,season,episode (12-13 for two parts)"
    add("--pages-table", type=Path, metavar="FILE", help=table)
    columns = "what tables call their columns: speaker=author,text=quote (also season, episode, title, scene)"
    add("--columns", default="", metavar="NEED=COLUMN,…", help=columns)


def read_show_options(options: argparse.Namespace) -> "Show":
    """Return the show that the options name. Raises InputError."""
    from .config import FRIENDS, read_show

    table: Path | None = options.pages_table
    return read_show((options.show or FRIENDS).absolute(), table and table.absolute(), options.columns)
