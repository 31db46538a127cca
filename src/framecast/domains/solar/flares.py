"""Flares: what their classes stand for, and which is the largest to come."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from framecast.core.errors import ConfigError
from framecast.domains.solar.location import Place

CLASSES = ("quiet", "C", "M", "X")
"""The classes of Francisco et al. (2024, arXiv 2410.20843); the first is "less than the second"."""

HORIZON = 12 * 3600.0
"""Seconds after a frame within which a flare must start, as in that paper."""

_SCALE = {"A": 1e-8, "B": 1e-7, "C": 1e-6, "M": 1e-5, "X": 1e-4}
_CLASS = re.compile(r"([ABCMX])\s*(\d*\.?\d*)", re.IGNORECASE)
_REGION = re.compile(r"(?:NOAA|SHARP|HARP|AR|\s|_|-)*0*(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Flare:
    """An event of a list.

    Attributes:
        start: when it begins, UTC.
        flux: the peak flux in W/m² between 1 and 8 Å, which its class stands for (M1.5 is 1.5e-5).
        region: number of the active region, empty where the list gives none.
        place: where on the Sun it is, where the list says it.
    """

    start: np.datetime64
    flux: float
    region: str
    place: Place | None = None


def peak_flux(text: str) -> float:
    """Return the peak flux in W/m² that the class ``text`` (``M``, ``C4.2``, ``X10``) stands for.

    Raises:
        ValueError: it is no class.
    """
    found = _CLASS.fullmatch(text.strip())
    if found is None:
        raise ValueError(text)
    return _SCALE[found[1].upper()] * float(found[2] or 1)


def region_number(text: str) -> str:
    """Return the number in ``AR12673``, ``NOAA 12673`` or ``00377``; what is no number comes back as it is."""
    text = text.strip()
    found = _REGION.fullmatch(text.removesuffix(".0"))
    return "" if text in ("0", "") else found[1] if found else text


def thresholds(classes: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return the fluxes in W/m² from which each of ``classes`` but the first counts.

    Raises:
        ConfigError: they are no classes of flares, or not in rising order.
    """
    try:
        fluxes = np.array([peak_flux(name) for name in classes[1:]])
    except ValueError as error:
        raise ConfigError(f"{error.args[0]!r} is no class of flares; write such as quiet,C,M,X or quiet,M5") from None
    if not len(fluxes) or (np.diff(fluxes) <= 0).any():
        raise ConfigError(f"classes are {', '.join(classes)}; write what is none of them first, then them, rising")
    return fluxes


def largest_within(
    times: npt.NDArray[np.datetime64], flares: Sequence[Flare], *, horizon: float, classes: Sequence[str] = CLASSES
) -> npt.NDArray[np.int64]:
    """Return for each of ``times`` the class of the largest flare that starts after it and up to ``horizon`` s later.

    Args:
        times: ``[time]``.
        flares: of one region.
        horizon: seconds.
        classes: their names; the first stands for less than the second.
    """
    fluxes, span = thresholds(classes), np.timedelta64(round(horizon * 1e9), "ns")
    labels = np.zeros(len(times), np.int64)
    for flare in flares:
        place = int(np.searchsorted(fluxes, flare.flux * (1 + 1e-9), side="right"))
        near = (times < flare.start) & (flare.start <= times + span)
        labels[near] = np.maximum(labels[near], place)
    return labels
