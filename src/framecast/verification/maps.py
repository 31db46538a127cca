"""Where in the frame forecasts err: sums over the samples, kept for each pixel.

Pixels of different regions have nothing in common but their place in the frame, so that these maps tell of the edges
and the centre, of masks, and for a fixed field of view (rain, weather) of places.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from framecast.verification.scores import ensemble_mean, ensemble_variance

if TYPE_CHECKING:
    from framecast.verification.cases import Case

Array = np.ndarray


@dataclass
class Maps:
    """Sums over samples and lead times at each pixel, ``[channel, y, x]``.

    Attributes:
        count: how often the pixel was judged.
        error: sum of ensemble mean minus truth.
        squared: sum of its square.
        variance: sum of the ensemble variance, corrected for its finite size.
    """

    count: Array
    error: Array
    squared: Array
    variance: Array

    @classmethod
    def empty(cls, channels: int, size: tuple[int, int]) -> "Maps":
        """Return the maps of no sample yet."""
        return cls(*np.zeros((4, channels, *size)))

    def record(self, case: "Case", name: str) -> None:
        """Add the forecast ``name`` of one sample."""
        forecast, valid = case.forecasts[name], case.valid
        point = len(forecast) == 1
        error = (forecast[0] if point else ensemble_mean(forecast)) - case.truth
        self.count += valid.sum(1).numpy()
        sums = [error, error.square(), torch.zeros_like(error) if point else ensemble_variance(forecast)]
        for total, values in zip((self.error, self.squared, self.variance), sums, strict=True):
            total += torch.where(valid, values, 0.0).sum(1, dtype=torch.float64).numpy()

    @property
    def bias(self) -> Array:
        """Mean error, NaN where nothing was judged; ``[channel, y, x]``."""
        return self._mean(self.error)

    @property
    def rmse(self) -> Array:
        """Root mean squared error of the ensemble mean."""
        return np.sqrt(self._mean(self.squared))

    @property
    def spread(self) -> Array:
        """Root of the mean ensemble variance."""
        return np.sqrt(self._mean(self.variance))

    def _mean(self, total: Array) -> Array:
        return np.divide(total, self.count, out=np.full(total.shape, np.nan), where=self.count > 0)
