"""Uncertainty of scores: intervals by resampling independent blocks.

Forecasts of one region, or of one day, share their weather: they are not independent, and an interval that assumes
independence is far too narrow. Whole blocks are drawn instead. A score is a function of the weights of the samples; the
score itself is its value with unit weights, its interval the spread of its values when blocks are drawn with
replacement. Two forecasts are compared under the same draws, so that difficulty common to both cancels.

References:
    Efron & Tibshirani (1993), "An Introduction to the Bootstrap", ch. 13 (percentile intervals);
    Hamill (1999), "Hypothesis tests for evaluating numerical precipitation forecasts", Weather Forecast. 14 (paired
    resampling of whole days).
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Statistic = Callable[[np.ndarray], np.ndarray]
"""From weights ``[draw, sample]`` to values ``[draw, ...]``."""


@dataclass(frozen=True)
class Estimate:
    """A score, or an array of scores, with its intervals.

    Attributes:
        value: ``[...]``.
        intervals: level in percent -> ``(low, high)``, each ``[...]``; NaN where there are fewer than two blocks.
    """

    value: np.ndarray
    intervals: dict[int, tuple[np.ndarray, np.ndarray]]

    def __float__(self) -> float:
        return float(self.value)

    @classmethod
    def of(cls, estimates: "Sequence[Estimate]") -> "Estimate":
        """Return several estimates as one array, along its first axis."""
        ends = {k: np.stack([each.intervals[k] for each in estimates], axis=1) for k in estimates[0].intervals}
        pairs = {level: (low, high) for level, (low, high) in ends.items()}
        return cls(np.array([each.value for each in estimates]), pairs)

    def at(self, index: int) -> "Estimate":
        """Return the entry ``index`` along the first axis."""
        ends = {level: (np.asarray(a[index]), np.asarray(b[index])) for level, (a, b) in self.intervals.items()}
        return Estimate(np.asarray(self.value[index]), ends)

    def bounds(self, level: int = 95) -> np.ndarray:
        """Return both ends of an interval, ``[2, ...]``."""
        return np.array(self.intervals[level])

    @property
    def certain(self) -> bool:
        """Whether a single score has a value and a 95 % interval."""
        return bool(np.isfinite([self.value, *self.intervals[95]]).all())

    @property
    def sign(self) -> int:
        """1 or -1 where the 95 % interval of a single score lies on one side of zero, else 0."""
        low, high = self.intervals[95]
        return int(low > 0) - int(high < 0)


class Bootstrap:
    """The draws of blocks, common to all scores of one evaluation."""

    LEVELS = (90, 95)

    def __init__(self, blocks: Sequence[str], *, replicates: int = 1000, seed: int = 0, least: int = 2) -> None:
        """Draw ``replicates`` times of ``blocks``, the block of each sample; fewer than ``least`` give no interval."""
        names, block = np.unique(np.asarray(blocks, dtype=str), return_inverse=True)
        self.blocks, self.samples, self.least = len(names), len(block), least
        self.replicates, self.seed = replicates, seed
        random = np.random.default_rng(seed)
        drawn = random.multinomial(self.blocks, np.full(self.blocks, 1 / self.blocks), size=replicates)
        self._weights = drawn[:, block].astype(np.float64)

    def draws(self, statistic: Statistic) -> np.ndarray:
        """Return ``statistic`` where each sample counts once, followed by its value in each draw: ``[1 + draw, ...]``.

        Two statistics of the same bootstrap are compared row by row: difficulty common to both cancels.
        """
        return np.concatenate([statistic(np.ones((1, self.samples))), statistic(self._weights)])

    def summarise(self, draws: np.ndarray) -> Estimate:
        """Return the value and the percentile intervals of what `draws` gave, or of a function of it row by row.

        A draw in which the statistic is undefined (NaN: none of its samples was drawn) is left out.
        """
        value, levels = np.asarray(draws[0]), self.LEVELS
        if self.blocks < self.least:
            nothing = np.full_like(value, np.nan)
            return Estimate(value, dict.fromkeys(levels, (nothing, nothing)))
        edges = [50 + side * level / 2 for level in levels for side in (-1, 1)]
        ends = [np.asarray(end) for end in _percentiles(draws[1:], edges)]
        return Estimate(value, dict(zip(levels, zip(ends[::2], ends[1::2], strict=True), strict=True)))

    def estimate(self, statistic: Statistic) -> Estimate:
        """Return the value of ``statistic`` and its percentile intervals."""
        return self.summarise(self.draws(statistic))


def mean(numerator: np.ndarray, denominator: np.ndarray) -> Statistic:
    """Return the statistic ``sum(w numerator) / sum(w denominator)`` over samples, the first axis of both.

    With sums of scores and counts of pixels per sample this is the mean over all pixels. NaN where the denominator
    is zero.
    """
    top, bottom = (np.asarray(x, dtype=np.float64).reshape(len(x), -1) for x in (numerator, denominator))
    return lambda weights: ratio(weights @ top, weights @ bottom).reshape(-1, *numerator.shape[1:])


def ratio(above: Any, below: Any) -> np.ndarray:
    """Return the quotient of numbers or arrays; NaN where the lower is zero."""
    above, below = np.broadcast_arrays(np.asarray(above, np.float64), np.asarray(below, np.float64))
    return np.asarray(np.divide(above, below, out=np.full(above.shape, np.nan), where=below != 0))


def _percentiles(replicates: np.ndarray, edges: Sequence[float]) -> np.ndarray:
    """Return ``[edge, ...]``, each of the draws that are not NaN."""
    if not np.isnan(replicates).any():
        return np.asarray(np.percentile(replicates, edges, axis=0))
    with warnings.catch_warnings():  # where every draw is NaN
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanpercentile(replicates, edges, axis=0))
