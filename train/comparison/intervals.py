"""Numbers with their intervals: as words, and as rows of dots on a scale (drawn by the template cards/interval.svg)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

MARGIN = 3.0  # per cent of the width on both sides, so that a dot at the end is whole
TICKS = 4  # at most so many steps on a scale
HARD = "\xa0"  # a space at which no line ends
ROW, AXIS = 36, 24  # pixels: one row of a plot, and its scale below


@dataclass(frozen=True)
class Unit:
    """How numbers of one kind are written: times `factor`, with `digits`, then `suffix` (`points`: of a difference)."""

    factor: float
    digits: int
    suffix: str
    points: str


UNITS = {
    "share": Unit(100, 1, f"{HARD}%", f"{HARD}points"),
    "count": Unit(1, 2, "", ""),
    "tokens": Unit(1, 1, "", f"{HARD}tokens"),
    "nats": Unit(1, 3, "", f"{HARD}nats"),
}


def worded(value: Mapping[str, float], unit: str, difference: bool = False) -> str:
    r"""Word a mean with its interval; every number of a difference has its sign.

    The only place where such text may be broken is before the bracket.

    >>> worded({"mean": 0.123, "low": 0.08, "high": 0.17}, "share")
    '12.3\xa0% [8.0,\xa017.0]'
    >>> worded({"mean": -0.123, "low": -0.17, "high": 0.0}, "share", difference=True)
    '−12.3\xa0points [−17.0,\xa0+0.0]'
    """
    shown = UNITS[unit]
    sign, suffix = ("+", shown.points) if difference else ("", shown.suffix)
    mean, low, high = (f"{value[key] * shown.factor:{sign}.{shown.digits}f}" for key in ("mean", "low", "high"))
    return minus(f"{mean}{suffix} [{low},{HARD}{high}]")


def amount(value: float, unit: str) -> str:
    r"""Return the size of a difference in words.

    >>> amount(0.05, "share"), amount(0.05, "nats")
    ('5\xa0points', '0.05\xa0nats')
    """
    shown = UNITS[unit]
    return f"{value * shown.factor:.6g}{shown.points}"


def minus(text: str) -> str:
    """Return numbers with a minus sign instead of a hyphen."""
    return text.replace("-", "−")


def ticks(low: float, high: float) -> list[float]:
    """Round numbers at equal steps, from at most `low` to at least `high`.

    >>> ticks(0.0, 0.37)
    [0.0, 0.1, 0.2, 0.3, 0.4]
    >>> ticks(2.0, 2.0)
    [1.9, 1.95, 2.0, 2.05, 2.1]
    """
    if not low < high:
        pad = abs(low) / 20 or 1.0
        low, high = low - pad, high + pad
    least = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(least))
    step = next(factor * power for factor in (1, 2, 5, 10, 20) if factor * power >= least * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{number * step:.9g}") for number in range(first, last + 1)]


class Plot(TypedDict):
    """What the template interval.svg draws: places along the scale in per cent of the width, those down in pixels."""

    height: int
    foot: int
    ticks: list[dict[str, object]]
    reference: float | None
    rows: list[dict[str, object]]


def plot(rows: Sequence[tuple[str, Mapping[str, float], str]], unit: str, reference: float | None) -> Plot:
    """Return the values of cards/interval.svg: rows of (name, {mean, low, high}, text), and a line at `reference`.

    Places along the scale are per cent of the width, those down the page pixels. The scale starts at 0 where that is
    near enough for the differences to be seen.
    """
    values = [value[key] for _, value, _ in rows for key in ("mean", "low", "high")]
    values += [] if reference is None else [reference]
    low, high = min(values), max(values)
    scale = ticks(0.0 if 0 <= low < high / 2 else low, high)

    def place(value: float) -> float:
        return round(MARGIN + (100 - 2 * MARGIN) * (value - scale[0]) / (scale[-1] - scale[0]), 2)

    return {
        "height": ROW * len(rows) + AXIS,
        "foot": ROW * len(rows),
        "ticks": [{"x": place(tick), "label": minus(f"{tick * UNITS[unit].factor:.6g}")} for tick in scale],
        "reference": None if reference is None else place(reference),
        "rows": [
            {"y": ROW * number, "name": name, "words": words}
            | {key: place(value[key]) for key in ("mean", "low", "high")}
            for number, (name, value, words) in enumerate(rows)
        ],
    }
