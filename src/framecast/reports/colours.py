"""Colour maps: those of the data's domain where it has some, perceptually uniform ones for everything else.

Inferno for what has one sign, purple over white to orange for signed quantities; both survive every kind of colour
vision.
"""

import matplotlib
import numpy as np
from matplotlib.colors import Colormap

from framecast.core.domain import Domain
from framecast.videos.units import convertible

SIGNED = "PuOr_r"
"""Name of the colour map for quantities that may be above or below zero."""


_LEAST = 0.1
"""Fraction of the largest values of one sign that those of the other must reach, for a field to count as signed."""


def colour_map(channel: str, domain: Domain, *, signed: bool = False) -> Colormap:
    """Return the colours for ``channel`` of data of ``domain``, whose values have both signs if ``signed``."""
    own = None if signed else domain.colours(channel)
    return matplotlib.colormaps[SIGNED if signed else "inferno"] if own is None else own


def is_signed(values: np.ndarray, unit: str) -> bool:
    """Whether ``values`` lie on both sides of a 0 that means something, as that of a velocity; °C and dBZ have none."""
    if unit.lower().startswith("db") or convertible(unit, "K"):
        return False
    known = values[np.isfinite(values)]
    if not known.size:
        return False
    low, high = (float(value) for value in np.percentile(known, [0.2, 99.8]))
    return low < 0 < high and min(-low, high) > _LEAST * max(-low, high)
