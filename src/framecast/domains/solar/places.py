"""Notations of positions on the Sun."""

import re
from typing import NamedTuple

_LOCATION = re.compile(r"([NS])\s*(\d{1,2}(?:\.\d+)?)\s*([EW])\s*(\d{1,3}(?:\.\d+)?)", re.IGNORECASE)


class Arcsec(NamedTuple):
    """Helioprojective x (to the west) and y (to the north)."""

    x: float
    y: float


class Stonyhurst(NamedTuple):
    """Degrees west of the central meridian as the Earth sees it, and heliographic latitude."""

    longitude: float
    latitude: float


class Carrington(NamedTuple):
    """Carrington longitude and heliographic latitude in degrees."""

    longitude: float
    latitude: float


Place = Arcsec | Stonyhurst | Carrington


def parse_location(text: str) -> tuple[float, float]:
    """Return Stonyhurst longitude (west positive) and latitude in degrees from ``N12W34``.

    Raises:
        ValueError: it is not a location.
    """
    found = _LOCATION.fullmatch(text.strip())
    if found is None:
        raise ValueError(text)
    north, west = float(found[2]), float(found[4])
    return west if found[3] in "Ww" else -west, north if found[1] in "Nn" else -north


def place_name(longitude: float, latitude: float) -> str:
    """Return Stonyhurst longitude and latitude in degrees as NOAA writes a place, ``N13W08``."""
    north, west = ("N" if latitude >= 0 else "S"), ("W" if longitude >= 0 else "E")
    return f"{north}{round(abs(latitude)):02d}{west}{round(abs(longitude)):02d}"
