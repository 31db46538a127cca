"""One observation: its pixels, and its header in the units of this package."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from framecast.core.errors import DataError
from framecast.domains.solar.options import Disk
from framecast.domains.solar.projection import ARCSEC, Observer

_RATE = re.compile(r"/\s*(\([^)]*)?(s|sec|secs|second|seconds)\b|\b(s|sec|second|seconds)\s*(\*\*|\^)?\s*\(?-1")
_WORDS = re.compile(r"[a-zµ]+")
_DATA_NUMBERS = {"dn", "dns", "adu", "count", "counts", "ct", "cts"}
_ELECTRONS, _PHOTONS = {"electron", "electrons"}, {"photon", "photons", "ph"}
_COUNTS = _DATA_NUMBERS | _ELECTRONS | _PHOTONS
_GAUSS = {"g", "gauss", "mx/cm^2", "mx cm-2"}
_BESIDE = {"s", "sec", "secs", "second", "seconds", "pix", "pixel", "pixels"}
"""Denominators of units of counts."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Pointing:
    """Pointing of the pixels: the gnomonic projection (TAN) of FITS (Calabretta and Greisen 2002, A&A 395, 1077).

    Attributes:
        pixel: column and row of the reference pixel, counted from 0 (FITS: CRPIX − 1).
        direction: helioprojective x and y of the reference pixel, in arcsec (CRVAL).
        matrix: arcsec of x and y per column and row, ``((xc, xr), (yc, yr))`` (CDELT times PC, or CD).
    """

    pixel: tuple[float, float]
    direction: tuple[float, float]
    matrix: tuple[tuple[float, float], tuple[float, float]]

    @property
    def scale(self) -> float:
        """Side of a pixel, in arcsec."""
        return float(np.sqrt(abs(np.linalg.det(np.array(self.matrix)))))

    def pixels(self, x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Array, Array]:
        """Return column and row (from 0, fractional) of the directions ``x`` and ``y`` in arcsec."""
        x0, y0 = (angle / ARCSEC for angle in self.direction)
        dx, y = np.asarray(x, np.float64) / ARCSEC - x0, np.asarray(y, np.float64) / ARCSEC
        depth = np.sin(y0) * np.sin(y) + np.cos(y0) * np.cos(y) * np.cos(dx)
        u = np.cos(y) * np.sin(dx) / depth * ARCSEC
        v = (np.cos(y0) * np.sin(y) - np.sin(y0) * np.cos(y) * np.cos(dx)) / depth * ARCSEC
        inverse = np.linalg.inv(np.array(self.matrix))
        column = inverse[0, 0] * u + inverse[0, 1] * v + self.pixel[0]
        row = inverse[1, 0] * u + inverse[1, 1] * v + self.pixel[1]
        return column, row


@dataclass(frozen=True, kw_only=True)
class FrameHeader:
    """An observation without its pixels.

    Attributes:
        path: the file.
        time: start of the exposure, UTC (DATE-OBS).
        wavelength: in ångström, rounded to a whole number.
        exposure: seconds the shutter was open; NaN if the file does not say.
        quality: the observatory's quality word; 0 if it gives none.
        unit: unit of the pixels, such as ``DN``.
        instrument: its name.
        shape: rows and columns.
        pointing: of the pixels.
        observer: position from which the image was taken.
        notes: what was assumed or repaired, one short sentence each.
        disk: how a picture without a header shows the Sun, from which the rest follows; None for all other files.
    """

    path: Path
    time: np.datetime64
    wavelength: int
    exposure: float
    quality: int
    unit: str
    instrument: str
    shape: tuple[int, int]
    pointing: Pointing
    observer: Observer
    notes: tuple[str, ...] = ()
    disk: Disk | None = None

    @property
    def per_second(self) -> bool:
        """Whether the exposure is divided out already, as ``DN/s``, ``DN / (pix s)`` or ``DN s-1 pixel-1`` say."""
        return bool(_RATE.search(self.unit.lower()))

    @property
    def counts(self) -> bool:
        """Whether the unit is one of counts: DN, electrons or photons, by pixel and second or not."""
        return self._words <= _COUNTS

    @property
    def final_unit(self) -> str:
        """Unit of the pixels in an archive: counts by second; anything else, such as ``G``, unchanged."""
        if not self.counts:
            return "G" if self.unit.lower() in _GAUSS else self.unit
        base = "electron" if self._words & _ELECTRONS else "photon" if self._words & _PHOTONS else "DN"
        return f"{base}/s"

    @property
    def divided_out(self) -> float:
        """Seconds by which the pixels are divided; NaN if the exposure does not matter or is divided out already."""
        return self.exposure if self.counts and not self.per_second else float("nan")

    @property
    def _words(self) -> set[str]:
        return set(_WORDS.findall(self.unit.lower())) - _BESIDE

    def check_exposure(self) -> None:
        """Raise `DataError` if the pixels are counts that cannot be brought to a rate."""
        if self.counts and not self.per_second and not 0 < self.exposure < np.inf:
            raise DataError(
                f"{self.path} has exposure time {self.exposure:g} s: without a positive EXPTIME its DN cannot be "
                "converted to DN/s; leave the file out"
            )


@dataclass(frozen=True, kw_only=True)
class SolarImage:
    """An observation.

    Attributes:
        header: what its header says.
        data: pixels as in the file, ``[row, column]`` float32, NaN where there is none.
        saturation: value of a pixel, in the unit of the file, above which it means "this or more".
    """

    header: FrameHeader
    data: npt.NDArray[np.float32]
    saturation: float = float("inf")

    @property
    def rate(self) -> npt.NDArray[np.float32]:
        """The pixels in `FrameHeader.final_unit`: counts divided by the exposure, once."""
        self.header.check_exposure()
        seconds = self.header.divided_out
        return self.data if np.isnan(seconds) else self.data / np.float32(seconds)
