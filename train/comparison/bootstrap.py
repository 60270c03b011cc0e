"""Means with 95 % intervals, by drawing whole clusters again and again.

A cluster is what was sampled together: all answers to one prompt, over its seeds, or all replies of one episode.
Drawing clusters, not answers, keeps apart what is known apart: three seeds of one prompt are not three prompts.
Percentiles of a few clusters reach too short (of 7, they miss the truth in 13 of 100 cases instead of 5), so they are
stretched as Student's t is against the normal distribution, but not beyond the values themselves.

Where a cluster shows nothing (0) and none shows anything on one side of it, drawing them again cannot either, however
few they are. There the interval reaches at least to 3/n from the mean: the rule of three for what never happened in n.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

DRAWS = 2000
ENDS = (2.5, 97.5)  # per cent
FEWEST = 5  # clusters; an interval from fewer would look far surer than it is
SEED = 0
RULE_OF_THREE = 3.0

Values = npt.NDArray[np.float64]


def stretch(clusters: int) -> float:
    """How much further than the percentiles an interval has to reach: the t distribution's 97.5 % point over 1.96.

    And √(n / (n - 1)), as drawing from n values spreads less than they do.

    >>> [round(stretch(clusters), 2) for clusters in (5, 7, 120)]
    [1.56, 1.34, 1.01]
    """
    degrees = clusters - 1
    z = 1.959964
    t = z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)  # Abramowitz, Stegun 26.7.5
    return math.sqrt(clusters / degrees) * t / z


def interval(values: Values, weights: Values | None = None, signed: bool = False) -> dict[str, float] | None:
    """{mean, low, high} of one value per cluster, weighted by the clusters' sizes if they are given; always the same.

    Clusters whose value is NaN have nothing to say and are left out. None if fewer than FEWEST are left. `signed`: of
    differences, which could be below 0 as well.

    >>> interval(np.zeros(100))
    {'mean': 0.0, 'low': 0.0, 'high': 0.03}
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
    drawn = np.random.default_rng(SEED).integers(len(values), size=(DRAWS, len(values)))
    means = (values * sizes)[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    mean = (values * sizes).sum() / sizes.sum()
    reach = (np.percentile(means, ENDS) - mean) * stretch(len(values))
    low, high = np.clip(mean + reach, values.min(), values.max())
    unseen = RULE_OF_THREE / len(values) if (values == 0).any() else 0.0
    if not (values > 0).any():
        high = max(high, mean + unseen)
    if signed and not (values < 0).any():
        low = min(low, mean - unseen)
    return {"mean": round(float(mean), 6), "low": round(float(low), 6), "high": round(float(high), 6)}
