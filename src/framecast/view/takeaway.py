"""Downloads of a window: an animation of the panels, the ensemble as NetCDF."""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import matplotlib
import numpy as np
from matplotlib.colors import Colormap

from framecast.core.errors import ConfigError
from framecast.data.netcdf import write_netcdf
from framecast.reports.colours import Brightness
from framecast.reports.film import animate
from framecast.reports.panels import Panel, Panels
from framecast.verification.samples import Sample
from framecast.view.library import ForecastFile, Library
from framecast.view.videos import MAPS, Shown, show, title

MOST_PANELS = 12

Stretch = Literal["", "linear", "log", "asinh"]


@dataclass(frozen=True, kw_only=True)
class Dress:
    """How images are coloured; spread, probabilities and differences have colours of their own.

    Attributes:
        colours: name of the map; that of the channel by default.
        stretch: the curve; by default the one that suits the values.
        low: shown as the darkest; by default what suits the values.
        high: shown as the brightest, likewise.
    """

    colours: str = ""
    stretch: Stretch = ""
    low: float | None = None
    high: float | None = None


def animation(
    library: Library, key: str, number: int, panels: str, *, channel: int, dress: Dress, speed: float, kind: str
) -> bytes:
    """Return an animation of panels of window ``number``, as the addresses of the browser name them, side by side.

    The panels stand with commas between them, such as ``truth,mean,member-3~truth``; ``@KEY/NUMBER`` after one names
    another file. ``speed`` is in frames per second, ``kind`` ``mp4``, ``gif`` or ``webp``.

    Raises:
        ConfigError: a panel is not known, or there are too many.
    """
    wanted = [text for text in panels.split(",") if text]
    if not 1 <= len(wanted) <= MOST_PANELS:
        raise ConfigError(f"{len(wanted)} panels were requested; an animation has 1 to {MOST_PANELS}")
    sample, file = library.sample(key, number), library.file(key)
    unit = sample.units[channel]
    drawn = []
    for text in wanted:
        spec, _, place = text.partition("@")
        what, _, minus = spec.partition("~")
        own = sample
        name = title(what, minus, unit)
        if place:
            other, _, count = place.rpartition("/")
            own = library.sample(other, int(count) if count.isdecimal() else -1)
            name = f"{library.file(other).name}: {name}"
        drawn.append(_panel(name, show(own, channel, what, minus), file.colours[channel], dress))
    whole = Panels(
        times=[*sample.past_times, *sample.lead_times],
        panels=drawn,
        columns=math.ceil(len(drawn) / math.ceil(len(drawn) / 4)),
        title=f"{sample.sequence}   {sample.issued}",
        unit=unit,
    )
    with TemporaryDirectory(prefix="framecast-") as folder:
        path = Path(folder) / f"animation.{kind}"
        animate(whole, path, speed=speed)
        return path.read_bytes()


def _panel(name: str, shown: Shown, colours: Colormap, dress: Dress) -> Panel:
    if shown.colours:  # of its own
        return Panel(name, shown.values, shown.light, matplotlib.colormaps[shown.colours])
    if dress.colours in MAPS:
        colours = matplotlib.colormaps[dress.colours]
    low = shown.light.low if dress.low is None else dress.low
    high = shown.light.high if dress.high is None else dress.high
    if not low < high:
        raise ConfigError(f"the range from {low:g} to {high:g} is empty: the first number must be the smaller one")
    soft = shown.light.softening
    if dress.stretch == "log":
        least = low if low > 0 else high / 1e3
        if high <= 0:
            raise ConfigError(f"the range ends at {high:g}, and only positive values have a logarithm: choose asinh")
        return Panel(
            name,
            np.log10(np.maximum(shown.values, least)),
            Brightness(math.log10(least), math.log10(high), None),
            colours,
        )
    soft = (soft or (high - low) / 20) if dress.stretch == "asinh" else None if dress.stretch == "linear" else soft
    return Panel(name, shown.values, Brightness(low, high, soft), colours)


def netcdf(file: ForecastFile, number: int) -> bytes:
    """Return the ensemble of one window, with what was observed, as a NetCDF file."""
    with TemporaryDirectory(prefix="framecast-") as folder:
        path = Path(folder) / "ensemble.nc"
        write_netcdf(file.stored, path, command="framecast view", sample=number)
        return path.read_bytes()


def file_name(sample: Sample, ending: str) -> str:
    """Return a name for a file of this window, letters, digits and dashes."""
    return re.sub(r"[^A-Za-z0-9]+", "-", f"{sample.sequence}-{sample.calendar.iso(sample.issue)}")[:100] + ending
