"""Colour maps: those of the data's domain where it has some, perceptually uniform ones for everything else.

Inferno for what has one sign, purple over white to orange for signed quantities; both survive every kind of colour
vision.
"""

import matplotlib
from matplotlib.colors import Colormap

from framecast.core.domain import Domain

SIGNED = "PuOr_r"
"""Name of the colour map for quantities that may be above or below zero."""


def colour_map(channel: str, domain: Domain) -> Colormap:
    """Return the colours for ``channel`` of data of ``domain``."""
    own = domain.colours(channel)
    return matplotlib.colormaps["inferno"] if own is None else own
