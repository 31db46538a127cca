"""The colours in which SDO/AIA publishes its images, one map for each passband, so that the channel is recognised.

They consist of a few curves of brightness x in 0 … 1: the line x, its root, its square, a mixture of both, and the
three ramps of the "red temperature" table.
"""

from functools import cache

import numpy as np
from matplotlib.colors import Colormap, ListedColormap

_X = np.linspace(0.0, 1.0, 256)

_CURVES: dict[str, np.ndarray] = {
    "line": _X,
    "root": np.sqrt(_X),
    "square": np.square(_X),
    "mixed": (np.sqrt(_X) + np.square(_X) / 2) / 1.5,
    "half": np.clip((_X - 190 / 255) / (65 / 255), 0, 1) / 2,
    "red": np.clip(_X / (176 / 255), 0, 1),
    "green": np.clip((_X - 120 / 255) / (135 / 255), 0, 1),
    "blue": np.clip((_X - 190 / 255) / (65 / 255), 0, 1),
}

# Passband in ångström: the curves of red, green and blue.
_AIA = {
    "94": ("square", "mixed", "line"),
    "131": ("green", "red", "red"),
    "171": ("red", "line", "blue"),
    "193": ("root", "line", "square"),
    "211": ("root", "line", "mixed"),
    "304": ("red", "green", "blue"),
    "335": ("square", "line", "root"),
    "1600": ("mixed", "mixed", "square"),
    "1700": ("root", "line", "line"),
    "4500": ("line", "line", "half"),
}


@cache
def passband_colours(channel: str) -> Colormap | None:
    """Return the colours of a channel whose name is a passband of AIA (``171``, ``AIA 171``), None of any other."""
    wavelength = channel.lower().removeprefix("aia").strip(" _-")
    if wavelength not in _AIA:
        return None
    return ListedColormap(np.stack([_CURVES[name] for name in _AIA[wavelength]], axis=-1), name=f"aia{wavelength}")
