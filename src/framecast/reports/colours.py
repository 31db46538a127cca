"""Colour maps: those of the data's domain if it defines them, perceptually uniform ones otherwise.

Inferno for what has one sign, purple over white to orange for signed quantities; both are suitable for every kind of
colour vision.
"""

import matplotlib
import numpy as np
from matplotlib.colors import Colormap

from framecast.core.domain import Domain
from framecast.videos.units import convertible

SIGNED = "PuOr_r"
"""Name of the colour map for quantities that may be above or below zero."""


_LEAST = 0.1  # smallest ratio of the extreme values of the two signs for a field to count as signed


def colour_map(channel: str, domain: Domain) -> Colormap:
    """Return the colours for ``channel`` of data of ``domain``; see `SIGNED` for those of values of both signs."""
    return domain.colours(channel) or matplotlib.colormaps["inferno"]


def is_signed(values: np.ndarray, unit: str) -> bool:
    """Whether ``values`` have both signs and a physical zero, as velocities have; °C and dBZ do not."""
    known = values[np.isfinite(values)]
    low, high = (float(value) for value in np.percentile(known, [0.2, 99.8])) if known.size else (0.0, 0.0)
    both = low < 0 < high and min(-low, high) > _LEAST * max(-low, high)
    return both and not unit.lower().startswith("db") and not convertible(unit, "K")  # last: it loads pint
