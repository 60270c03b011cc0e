"""Means with 95 % intervals, by drawing whole clusters again and again.

A cluster is what was sampled together: all answers to one prompt, over its seeds, or all replies of one episode.
Drawing clusters, not answers, keeps apart what is known apart: three seeds of one prompt are not three prompts.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

DRAWS = 2000
ENDS = (2.5, 97.5)  # per cent
FEWEST = 5  # clusters; an interval from fewer would look far surer than it is
SEED = 0

Values = npt.NDArray[np.float64]


def interval(values: Values, weights: Values | None = None) -> dict[str, float] | None:
    """{mean, low, high} of one value per cluster, weighted by the clusters' sizes if they are given; always the same.

    Clusters whose value is NaN have nothing to say and are left out. None if fewer than FEWEST are left.

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
    low, high = np.percentile(means, ENDS)
    mean = (values * sizes).sum() / sizes.sum()
    return {"mean": round(float(mean), 6), "low": round(float(low), 6), "high": round(float(high), 6)}
