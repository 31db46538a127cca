"""Sums for forecasts of events: that a pixel's value reaches a threshold."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from framecast.verification.scores import brier_score, fractions, reliability

if TYPE_CHECKING:
    from framecast.verification.cases import Case, Cases

Array = np.ndarray

_WIDTHS = (1, 3, 5, 9, 17, 33, 65, 129)
_MOST_BINS = 11


def widths(size: tuple[int, int]) -> tuple[int, ...]:
    """Return the widths of the squares that are compared: up to the frame's shorter side."""
    return tuple(width for width in _WIDTHS if width <= min(size))


@dataclass(kw_only=True)
class EventTally:
    """Sums over the judged pixels of each sample; the second axis is the threshold.

    Attributes:
        thresholds: in the unit of the images.
        widths: of the squares, in pixels.
        brier: sum of the (fair) Brier score, ``[sample, threshold, channel, time]``.
        happened: pixels that reached the threshold, likewise.
        table: number of points, sum of probabilities, number of events, by bin of probability, ``[sample, threshold,
            bin, 3]``.
        above: sum over the line of the fractions skill score, ``[sample, threshold, width, channel, time]``.
        below: the one below it.
    """

    thresholds: tuple[float, ...]
    widths: tuple[int, ...]
    brier: Array
    happened: Array
    table: Array
    above: Array
    below: Array

    @classmethod
    def empty(cls, cases: "Cases", members: int) -> "EventTally":
        """Return the sums of no sample yet."""
        samples, thresholds, squares = len(cases), len(cases.thresholds), widths(cases.size)
        frames = (len(cases.channels), len(cases.lead_times))
        return cls(
            thresholds=cases.thresholds,
            widths=squares,
            brier=np.zeros((samples, thresholds, *frames)),
            happened=np.zeros((samples, thresholds, *frames)),
            table=np.zeros((samples, thresholds, min(members + 1, _MOST_BINS), 3)),
            above=np.zeros((samples, thresholds, len(squares), *frames)),
            below=np.zeros((samples, thresholds, len(squares), *frames)),
        )

    def record(self, case: "Case", forecast: Tensor) -> None:
        """Add the members of one sample."""
        k, truth = case.index, torch.where(case.valid, case.truth, torch.nan)
        fair = len(forecast) > 1
        for t, threshold in enumerate(self.thresholds):
            score = brier_score(forecast, truth, threshold, fair=fair)
            self.brier[k, t] = torch.where(case.valid, score, 0.0).sum((-2, -1), dtype=torch.float64)
            self.happened[k, t] = (truth >= threshold).sum((-2, -1))
            self.table[k, t] = reliability(forecast, truth, threshold, bins=self.table.shape[2])
            for w, width in enumerate(self.widths):
                self.above[k, t, w], self.below[k, t, w] = fractions(forecast, truth, threshold, width=width)
