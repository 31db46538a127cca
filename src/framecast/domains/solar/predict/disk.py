"""The whole disk with the box of one region in it, so that a person sees where on the Sun a forecast is made."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from framecast.domains.solar.colours import passband_colours
from framecast.domains.solar.cut import cut, offsets
from framecast.domains.solar.image import SolarImage
from framecast.domains.solar.radiometry import Radiometry
from framecast.reports.brightness import Brightness
from framecast.reports.style import chart

_ACROSS = 640
_SKY = "#0b0d12"
_BOX = "#56b4e9"


@dataclass(frozen=True, kw_only=True)
class Box:
    """A region as it stands in the image.

    Attributes:
        x: helioprojective x of its middle at successive times, in arcsec.
        y: helioprojective y, likewise.
        now: which of these times is that of the image.
        width: in arcsec.
        height: in arcsec.
    """

    x: Sequence[float]
    y: Sequence[float]
    now: int
    width: float
    height: float


def disk_picture(image: SolarImage, box: Box, *, radiometry: Radiometry = Radiometry()) -> Figure:
    """Return the observation ``image``, north up, with the limb, the ``box`` and the path of its middle."""
    header = image.header
    limb = header.observer.limb
    pixel = 2.4 * limb / _ACROSS
    rate = radiometry.rate(image)
    view = cut(rate, header.pointing, [0.0], [0.0], pixel=pixel, height=_ACROSS, width=_ACROSS)[0]
    edge = offsets(_ACROSS, pixel)[-1] + pixel / 2
    colours = (passband_colours(str(header.wavelength)) or matplotlib.colormaps["inferno"]).with_extremes(bad=_SKY)
    figure, axes = chart(5.2, 5.0)
    axes.grid(visible=False)
    shown = np.ma.masked_invalid(Brightness.of(rate)(view))
    axes.imshow(shown, origin="lower", extent=(-edge, edge, -edge, edge), cmap=colours, vmin=0, vmax=1)
    around = np.radians(np.arange(361))
    axes.plot(limb * np.cos(around), limb * np.sin(around), color="white", linewidth=0.7, alpha=0.7)
    left, low = box.x[box.now] - box.width / 2, box.y[box.now] - box.height / 2
    corners = [(left, low), (left + box.width, low), (left + box.width, low + box.height), (left, low + box.height)]
    axes.plot(*zip(*corners, corners[0], strict=True), color=_BOX, linewidth=1.6)
    axes.plot(box.x, box.y, color=_BOX, linewidth=1.2, linestyle=":")
    axes.plot(box.x[-1], box.y[-1], color=_BOX, marker=".", markersize=6)
    axes.set_xlim(-edge, edge)
    axes.set_ylim(-edge, edge)
    axes.set_xlabel("Solar X (arcsec)", fontsize=9.5)
    axes.set_ylabel("Solar Y (arcsec)", fontsize=9.5)
    return figure
