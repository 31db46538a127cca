r"""Hits of particles on the detector, found by their edges and replaced by the median around them.

A hit is sharper than the point spread function. The method is that of van Dokkum (2001, PASP 113, 1420),
"L.A.Cosmic", in which the image need not be deconvolved and no point spread function be known:

- the Laplacian of the image, sampled twice as finely so that negative lobes can be cut off, is large at sharp edges
  (eqs. 5 to 9): :math:`L^+`;
- divided by the noise and freed from smooth structure it says how significant an edge is (eqs. 11 to 13):
  :math:`S' = L^+/2N - \mathrm{median}_5(L^+/2N)`;
- against the fine structure :math:`F = M_3 - M_7(M_3)` of the image it distinguishes hits from sharp true features,
  which are at least as wide as the point spread function (eq. 14): :math:`L^+/F`.

Instead of gain and readout noise, which the files do not contain, the noise N is measured: it follows
:math:`N^2 = a + b\, M_5` with the median :math:`M_5` of the 5×5 pixels around, and a and b come from how the pixels
scatter about it in the dark and the bright parts of the image. What it finds can be seen in ``docs/solar.md``.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from framecast.core.errors import ConfigError

Image = npt.NDArray[np.float32]

_BINS = 24
_CROSS = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]], np.float32)


@dataclass(frozen=True, kw_only=True)
class Despiking:
    """How hits are distinguished from the Sun.

    Attributes:
        significance: how many times the noise an edge must be (van Dokkum's σ_lim).
        contrast: how many times the fine structure it must be (f_lim); higher spares more of what is small and bright.
        passes: how often it is done at most, for hits that cover several pixels.
    """

    significance: float = 8.0
    contrast: float = 5.0
    passes: int = 4

    def __post_init__(self) -> None:
        for name in ("significance", "contrast", "passes"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} of despiking is {getattr(self, name)}; it must be positive")

    def __call__(self, data: Image) -> Image:
        """Return ``data`` ``[row, column]`` with every hit replaced by the median of its untouched neighbours."""
        clean = data
        found = np.zeros(data.shape, bool)
        for _ in range(self.passes):
            new = self.find(clean) & ~found
            if not new.any():
                break
            found |= new
            clean = _replaced(data, found)
        return clean

    def find(self, data: Image) -> npt.NDArray[np.bool_]:
        """Return which pixels of ``data`` are hit, ``[row, column]``, in one pass."""
        known = np.isfinite(data)
        image = data if known.all() else np.where(known, data, np.nanmedian(data)).astype(np.float32)
        middle = ndimage.median_filter(image, 5, mode="mirror")
        noise = _noise(image, middle)
        edges = _edges(image)
        significance = edges / (2 * noise)
        significance -= ndimage.median_filter(significance, 5, mode="mirror")
        fine = ndimage.median_filter(image, 3, mode="mirror")
        fine -= ndimage.median_filter(fine, 7, mode="mirror")
        fine = np.maximum(fine, 0.5 * noise)
        hit = (significance > self.significance) & (edges > self.contrast * fine) & known
        # What touches a hit is part of it when it is half as significant (van Dokkum, section 3.3).
        around = ndimage.binary_dilation(hit, np.ones((3, 3), bool))
        return hit | (around & (significance > 0.5 * self.significance) & (image > middle + 3 * noise) & known)

    def describe(self) -> str:
        """Return the step in words."""
        return f"hits beyond {self.significance:g} times the noise replaced by the median around them (L.A.Cosmic)"

    def provenance(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        return {"significance": self.significance, "contrast": self.contrast, "passes": self.passes}


def _edges(image: Image) -> Image:
    """Return L⁺: the Laplacian at twice the sampling, its negative part cut off, summed back to the image's pixels."""
    fine = np.repeat(np.repeat(image, 2, axis=0), 2, axis=1)
    positive = np.maximum(ndimage.convolve(fine, _CROSS, mode="mirror"), 0)
    rows, columns = image.shape
    return positive.reshape(rows, 2, columns, 2).mean(axis=(1, 3)).astype(np.float32)


def _noise(image: Image, middle: Image) -> Image:
    """Return the standard deviation expected of each pixel, from N² = a + b M₅ fitted to the image itself."""
    scatter = np.abs(image - middle)
    floor = 1.0 + float(np.median(scatter)) ** 2  # at least a whole DN: flat skies have no scatter at all
    order = np.quantile(middle, np.linspace(0, 1, _BINS + 1))
    place = np.clip(np.searchsorted(order, middle, side="right") - 1, 0, _BINS - 1)
    counts = np.bincount(place.ravel(), minlength=_BINS)
    bins = np.flatnonzero(counts >= min(50, image.size // _BINS))
    level = np.array([np.median(middle[place == k]) for k in bins])
    variance = np.array([(1.4826 * np.median(scatter[place == k])) ** 2 for k in bins])
    # The median: structure scatters too, and parts of the image full of it should not decide.
    slope = float(np.median(variance / np.maximum(level, 1.0))) if len(bins) else 0.0
    return np.sqrt(np.maximum(floor + slope * np.maximum(middle, 0), floor)).astype(np.float32)


def _replaced(data: Image, hit: npt.NDArray[np.bool_]) -> Image:
    """Return ``data`` with the pixels of ``hit`` replaced by the median of the others within 5×5, or 9×9."""
    result = data.copy()
    for row, column in zip(*np.nonzero(hit), strict=True):
        for reach in (2, 4, 8):
            window = np.s_[max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1]
            around = data[window][~hit[window]]
            around = around[np.isfinite(around)]
            if around.size:
                result[row, column] = np.median(around)
                break
    return result
