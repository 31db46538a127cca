"""How sure a score is: intervals by resampling independent blocks.

Forecasts of one region, or of one day, share their weather: they are not independent, and an interval that takes
them for it is far too narrow. Whole blocks are drawn instead. A score is a function of how often each sample counts;
the score itself is its value when each counts once, its interval the spread of its values when blocks are drawn with
replacement. Two forecasts are compared under the same draws, so that what both find hard cancels.

References:
    Efron & Tibshirani (1993), "An Introduction to the Bootstrap", ch. 13 (percentile intervals);
    Hamill (1999), "Hypothesis tests for evaluating numerical precipitation forecasts", Weather Forecast. 14 (paired
    resampling of whole days).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

Statistic = Callable[[np.ndarray], np.ndarray]
"""From weights ``[draw, sample]`` to values ``[draw, ...]``."""


@dataclass(frozen=True)
class Estimate:
    """A score, or an array of scores, and the intervals it lies in.

    Attributes:
        value: ``[...]``.
        intervals: level in percent -> ``(low, high)``, each ``[...]``; NaN where there are fewer than two blocks.
    """

    value: np.ndarray
    intervals: dict[int, tuple[np.ndarray, np.ndarray]]

    def __float__(self) -> float:
        return float(self.value)

    def at(self, index: int) -> "Estimate":
        """Return the entry ``index`` along the first axis."""
        ends = {
            level: (np.asarray(low[index]), np.asarray(high[index])) for level, (low, high) in self.intervals.items()
        }
        return Estimate(np.asarray(self.value[index]), ends)

    def bounds(self, level: int = 95) -> np.ndarray:
        """Return the ends of the interval of ``level`` percent, ``[2, ...]``."""
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
        """Draw.

        Args:
            blocks: the block of each sample; samples of different blocks are taken to be independent.
            replicates: number of draws.
            seed: of the draws.
            least: with fewer blocks no interval is given.
        """
        names, block = np.unique(np.asarray(blocks, dtype=str), return_inverse=True)
        self.blocks = len(names)
        self.samples, self.least = len(block), least
        self.replicates = replicates
        self.seed = seed
        random = np.random.default_rng(seed)
        drawn = random.multinomial(self.blocks, np.full(self.blocks, 1 / self.blocks), size=replicates)
        self._weights = drawn[:, block].astype(np.float64)

    def draws(self, statistic: Statistic) -> np.ndarray:
        """Return ``statistic`` where each sample counts once, followed by its value in each draw: ``[1 + draw, ...]``.

        Two statistics of the same bootstrap are compared row by row: what both find hard cancels.
        """
        return np.concatenate([statistic(np.ones((1, self.samples))), statistic(self._weights)])

    def summarise(self, draws: np.ndarray) -> Estimate:
        """Return the value and the percentile intervals of what `draws` gave, or of a function of it row by row.

        A draw in which the statistic is undefined (NaN: none of its samples was drawn) is left out.
        """
        value, replicates = np.asarray(draws[0]), draws[1:]
        nothing = np.full_like(value, np.nan)
        intervals = {
            level: _percentiles(replicates, (50 - level / 2, 50 + level / 2))
            if self.blocks >= self.least
            else (nothing, nothing)
            for level in self.LEVELS
        }
        return Estimate(value, intervals)

    def estimate(self, statistic: Statistic) -> Estimate:
        """Return the value of ``statistic`` and its percentile intervals."""
        return self.summarise(self.draws(statistic))


def mean(numerator: np.ndarray, denominator: np.ndarray) -> Statistic:
    """Return the statistic ``sum(w numerator) / sum(w denominator)`` over samples, the first axis of both.

    With sums of scores and counts of pixels per sample this is the mean over all pixels. NaN where the denominator
    is zero.
    """
    shape = numerator.shape[1:]
    top, bottom = (np.asarray(x, dtype=np.float64).reshape(len(x), -1) for x in (numerator, denominator))

    def statistic(weights: np.ndarray) -> np.ndarray:
        total, count = weights @ top, weights @ bottom
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(count > 0, total / count, np.nan).reshape(-1, *shape)

    return statistic


def _percentiles(replicates: np.ndarray, edges: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    if not np.isnan(replicates).any():
        low, high = np.percentile(replicates, edges, axis=0)
        return np.asarray(low), np.asarray(high)
    low, high = (np.full(replicates.shape[1:], np.nan) for _ in edges)
    for index in np.ndindex(replicates.shape[1:]):
        column = replicates[(slice(None), *index)]
        column = column[~np.isnan(column)]
        if len(column):
            low[index], high[index] = np.percentile(column, edges)
    return low, high
