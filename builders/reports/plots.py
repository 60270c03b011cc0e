"""The plots of the quality report: the same bytes on every machine with the same matplotlib."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from friends_corpus.core import cache
from friends_corpus.core.cli import shorten

from .page_stats import Counts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from builders.configs.tables import Tables

    from .stats import Stats

FOLDER = "plots"
DPI = 120
WIDTH = 8.0  # inches: 960 pixels, a little more than the column of a card is wide
SPEAKERS = 12
BESIDE_AXIS = 21  # characters of a label
SETTINGS = "MPLCONFIGDIR"  # where matplotlib keeps its list of fonts
BLUE, GREY, ORANGE, INK = "#2f6690", "#6b7280", "#d97706", "#111827"
GROWTH = 1.5  # each bar of line lengths is so much wider than the one before
CHUNK_BARS = 24


@dataclass(frozen=True, slots=True)
class Plot:
    """A picture in the dataset folder: its path there, and in words what it shows."""

    path: str
    caption: str


@dataclass(frozen=True, slots=True)
class PlotData:
    """What is drawn beyond the numbers of stats.json; small enough to be handed to another process."""

    lines: Mapping[tuple[str, int], int]  # (speaker, season) → lines
    line_lengths: Sequence[int]  # in characters
    chunk_lengths: Sequence[int]


def plot_data(rows: Tables) -> PlotData:
    """Collect the counts for the plots from the rows of each config."""
    import pyarrow as pa
    import pyarrow.compute as pc

    lines, speakers = rows["lines"], rows["lines"]["speakers"].combine_chunks()
    seasons = lines["season"].take(pc.list_parent_indices(speakers))
    text = (
        pa.table({"speaker": speakers.flatten(), "season": seasons})
        .group_by(["speaker", "season"])
        .aggregate([([], "count_all")])
    )
    return PlotData(
        {(row["speaker"], row["season"]): row["count_all"] for row in text.to_pylist()},
        pc.utf8_length(lines["text"]).to_pylist(),
        pc.utf8_length(rows["chunks"]["text"]).to_pylist(),
    )


def draw_plots(folder: Path, counts: PlotData, stats: Stats, chunk_chars: int) -> None:
    """Draw all plots into `folder`."""
    (folder / FOLDER).mkdir()
    with fixed_style():
        draw = {
            "speakers": lambda: draw_speakers(counts, stats),
            "lengths": lambda: draw_lengths(counts, stats, chunk_chars),
            "dropped": lambda: draw_dropped(stats["dropped"]),
        }
        for name, plot in plots(stats["dropped"]).items():
            no_software = {"Software": None}  # the file would name its maker
            draw[name]().savefig(folder / plot.path, dpi=DPI, metadata=no_software)


def plots(dropped: Counts) -> dict[str, Plot]:
    """Return the plots of a build by name; dropped text has one only if there is any."""
    captions = {
        "speakers": "Lines per speaker and season",
        "lengths": "Length of lines and chunks in characters",
        "dropped": "Characters dropped, by reason",
    }
    shown = [name for name in captions if name != "dropped" or dropped]
    return {name: Plot(f"{FOLDER}/{name}.png", captions[name]) for name in shown}


@contextmanager
def fixed_style() -> Iterator[None]:
    """Use matplotlib's defaults, whatever the user's settings."""
    import_matplotlib()

    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # quality.md says so
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "axes.edgecolor": GREY,
                "axes.spines.right": False,
                "axes.spines.top": False,
                "axes.titlelocation": "left",
                "axes.titlesize": 11,
                "font.size": 10,
                "text.color": INK,
                "text.parse_math": False,  # a speaker named "$x$" is only a name
            }
        )
        yield


def import_matplotlib() -> None:
    """Import matplotlib with its font list from our cache, and with nothing else of this machine."""
    if SETTINGS in os.environ:
        return
    kept, name = cache.open_cache("matplotlib", quiet=True), version("matplotlib")
    lists = (kept and cache.load(kept, name, dict[str, str])) or {}
    with TemporaryDirectory() as folder:
        os.environ[SETTINGS] = folder
        try:
            for file, fonts in lists.items():
                Path(folder, file).write_text(fonts, encoding="utf-8")
            import matplotlib.font_manager  # noqa: F401  (which reads or writes the list)
            from matplotlib.backends import backend_agg  # noqa: F401
        finally:
            del os.environ[SETTINGS]
        caches = {path.name: path.read_text(encoding="utf-8") for path in Path(folder).glob("fontlist-*.json")}
        if kept and caches != lists:
            cache.store(kept, name, caches)


def new_figure(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """Return an empty figure (size in inches) with its panels side by side."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure, [figure.add_subplot(1, columns, column + 1) for column in range(columns)]


def draw_speakers(counts: PlotData, stats: Stats) -> Figure:
    """Draw a heat map of the speakers with the most lines, season by season."""
    seasons = [row["season"] for row in stats["seasons"]]
    speakers = [row["speaker"] for row in stats["speakers"][:SPEAKERS]]
    cells = [[counts.lines.get((name, season), 0) for season in seasons] for name in speakers]
    width, height = min(WIDTH, 3.2 + 0.48 * len(seasons)), 0.65 + 0.3 * len(speakers)
    figure, [axes] = new_figure(width, height)
    palest = 1.8 * max(map(max, cells))  # dark numbers stay legible on the darkest cell
    axes.imshow(cells, cmap="Blues", vmin=0, vmax=palest, aspect="auto")
    for y, row in enumerate(cells):
        for x, count in enumerate(row):
            if count:
                axes.text(x, y, f"{count:,}", ha="center", va="center")
    axes.set_xticks(range(len(seasons)), [f"{season}" for season in seasons])
    axes.set_yticks(range(len(speakers)), [shorten(name, BESIDE_AXIS) for name in speakers])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("season")
    figure.subplots_adjust(left=1.85 / width, right=1 - 0.1 / width, bottom=0.5 / height, top=1 - 0.1 / height)
    return figure


def draw_lengths(counts: PlotData, stats: Stats, chunk_chars: int) -> Figure:
    """Draw two histograms with their medians: lines (logarithmic axis) and chunks."""
    import numpy as np

    figure, [left, right] = new_figure(WIDTH, 3.2, columns=2)
    longest = stats["line_characters"]["longest"]
    grown = (round(GROWTH**step) for step in range(2, 99) if GROWTH ** (step - 1) <= longest)
    edges = list(dict.fromkeys([1, 2, *grown]))
    left.stairs(*np.histogram(counts.line_lengths, edges), fill=True, color=BLUE)
    left.set_xscale("log")
    ticks = [tick for tick in (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000) if tick <= edges[-1]]
    left.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    left.set_xticks([], minor=True)
    left.set_ylabel("how many")
    left.set_title("lines")
    right.stairs(*np.histogram(counts.chunk_lengths, CHUNK_BARS), fill=True, color=BLUE)
    right.axvline(chunk_chars, color=ORANGE, linewidth=1.5)
    right.set_title(f"chunks (the limit of {chunk_chars:,} in orange)")
    right.xaxis.set_major_formatter(thousands)
    for axes, lengths in ((left, stats["line_characters"]), (right, stats["chunk_characters"])):
        axes.axvline(lengths["median"], color=INK, linewidth=1.2, linestyle="--")
        axes.set_xlabel(f"characters (dashed: the median, {lengths['median']:,})")
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(thousands)
    figure.subplots_adjust(left=0.1, right=0.985, bottom=0.16, top=0.9, wspace=0.18)
    return figure


def thousands(value: float, position: float = 0) -> str:
    """Return a number with thousands separators, as an axis label.

    >>> thousands(2500.0)
    '2,500'
    """
    return f"{value:,.0f}"


def draw_dropped(dropped: Counts) -> Figure:
    """Draw bars for the text that is on the pages but in no row of `lines`."""
    reasons = sorted(dropped, key=lambda reason: (dropped[reason]["characters"], reason))
    height = 0.75 + 0.32 * len(reasons)
    figure, [axes] = new_figure(WIDTH, height)
    values = [dropped[reason]["characters"] for reason in reasons]
    axes.barh(range(len(reasons)), values, color=BLUE, height=0.66)
    for y, reason in enumerate(reasons):
        pieces = dropped[reason]["count"]
        label = f" {values[y]:,} in {pieces:,} {'piece' if pieces == 1 else 'pieces'}"
        axes.text(values[y], y, label, va="center")
    axes.set_yticks(range(len(reasons)), [shorten(reason.replace("_", " "), BESIDE_AXIS) for reason in reasons])
    axes.set_xlim(0, max(1, *values) * 1.3)
    axes.xaxis.set_major_formatter(thousands)
    axes.set_xlabel("characters")
    axes.tick_params(axis="y", length=0)
    figure.subplots_adjust(left=0.235, right=0.985, bottom=0.55 / height, top=1 - 0.1 / height)
    return figure
