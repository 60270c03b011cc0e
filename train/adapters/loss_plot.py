"""The picture of a run: its losses, step by step."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

BLUE, ORANGE = "#2f6690", "#d97706"


def draw_losses(logged: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw a PNG of the training loss of every step and the validation loss of every evaluation.

    `logged` are the entries of metrics.jsonl: {"step", "loss", …} and {"step", "eval_loss", …}.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.6))
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for key, label, color, marker, width in (
        ("loss", "training, each step", BLUE, "", 1.2),
        ("eval_loss", "held out", ORANGE, "o", 1.8),
    ):
        points = [(entry["step"], entry[key]) for entry in logged if key in entry]
        if points:
            axes.plot(*zip(*points, strict=True), label=label, color=color, marker=marker, linewidth=width)
    axes.set_xlabel("step")
    axes.set_ylabel("loss, nats per token")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=120, bbox_inches="tight", metadata={"Software": None})
