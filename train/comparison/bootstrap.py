"""Means with 95 % intervals, by drawing whole clusters again and again.

A cluster is what was sampled together: all answers to one prompt, over its seeds, or all replies of one episode.
Drawing clusters, not answers, keeps apart what is known apart: three seeds of one prompt are not three prompts.
Percentiles of a few clusters reach too short (of 7, they miss the truth in 13 of 100 cases instead of 5), so those
further out are taken, by as much as Student's t is wider than the normal distribution (Hesterberg's expanded
percentiles, 2015).

What n clusters have not shown, drawing them again cannot show. So each end of an interval is drawn with one cluster
more, which shows there the most that one can, where the unit has a most: a share is from 0 to 1, and of what is counted
it is one event. None in 100 may then be 3 in 100, and one more event never makes an interval end earlier.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

DRAWS = 2000
Z = 1.959964  # standard deviations that hold 95 % of a normal distribution
FEWEST = 5  # clusters; an interval from fewer would look far surer than it is
SEED = 0
MOST = {"share": (1.0,), "count": (1.0,)}  # unit → what one cluster may show that none has shown; least is 0

Values = npt.NDArray[np.float64]
Interval = dict[str, float]  # mean, low, high


@dataclass(frozen=True)
class Measured:
    """One metric: a value per cluster for each arm, NaN where there is none, and how much each cluster weighs."""

    values: Mapping[str, Values]  # arm → (clusters,)
    unit: str
    weights: Values | None = None

    def mean(self, arm: str) -> Interval | None:
        """Return the mean of an arm, or None if it has too few values.

        >>> Measured({"base": np.zeros(100)}, "share").mean("base")
        {'mean': 0.0, 'low': 0.0, 'high': 0.029703}
        """
        most = MOST.get(self.unit, ())
        return interval(self.values[arm], self.weights, [0.0 for _ in most], most)

    def difference(self, arms: Sequence[str], against: str) -> Interval | None:
        """Return how much the mean of `arms` together exceeds that of `against`, paired by cluster.

        >>> Measured({"a": np.array([1.0, 2, 3, 4, 5]), "b": np.array([0.0, 1, 2, 3, 4])}, "nats").difference("a", "b")
        {'mean': 1.0, 'low': 1.0, 'high': 1.0}
        """
        most = MOST.get(self.unit, ())
        together: Values = np.mean([self.values[arm] for arm in arms], axis=0)
        return interval(together - self.values[against], self.weights, [-value for value in most], most)


def interval(
    values: Values, weights: Values | None = None, least: Sequence[float] = (), most: Sequence[float] = ()
) -> Interval | None:
    """Return {mean, low, high} of one value per cluster, weighted by cluster size if given; deterministic.

    `least` and `most`: what one more cluster might show. Clusters whose value is NaN have nothing to say and are left
    out. None if fewer than FEWEST are left.

    >>> interval(np.array([2.0, 2.0, 2.0, 2.0, 2.0, np.nan]))
    {'mean': 2.0, 'low': 2.0, 'high': 2.0}
    >>> interval(np.array([1.0, 3.0])) is None
    True
    """
    known = ~np.isnan(values)
    if known.sum() < FEWEST:
        return None
    values = values[known]
    sizes = np.ones(len(values)) if weights is None else weights[known]
    mean = float(np.average(values, weights=sizes))
    outside = tail(len(values))
    low = min(mean, float(np.percentile(draw(values, sizes, least), outside)))
    high = max(mean, float(np.percentile(draw(values, sizes, most), 100 - outside)))
    return {"mean": round(mean, 6), "low": round(low, 6), "high": round(high, 6)}


def draw(values: Values, sizes: Values, more: Sequence[float]) -> Values:
    """Return the means of resampled clusters, drawn from `values` and from `more`."""
    sizes = np.append(sizes, [sizes.mean() for _ in more])
    drawn = np.random.default_rng(SEED).integers(len(sizes), size=(DRAWS, len(sizes)))
    means: Values = (np.append(values, more) * sizes)[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    return means


def tail(clusters: int) -> float:
    """Return the percentage of resampled means to leave out on each side.

    So many as lie outside of Z times √(n / (n - 1)), for drawing from n values spreads less than they do, times the t
    distribution's 97.5 % point over Z.

    >>> [round(tail(clusters), 2) for clusters in (5, 7, 120)]
    [0.11, 0.43, 2.34]
    """
    degrees = clusters - 1
    t = Z + (Z**3 + Z) / (4 * degrees) + (5 * Z**5 + 16 * Z**3 + 3 * Z) / (96 * degrees**2)  # Abramowitz, Stegun 26.7.5
    return 100 * NormalDist().cdf(-t * math.sqrt(clusters / degrees))
