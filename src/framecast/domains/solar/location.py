"""Where on the Sun something was, in the ways that catalogues of events write it."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from framecast.core.errors import DataError
from framecast.data.tables import Record
from framecast.domains.solar.offline import offline
from framecast.domains.solar.projection import project

PLACE_COLUMNS: dict[str, tuple[str, ...]] = {
    "x": ("x", "hpc_x"),
    "y": ("y", "hpc_y"),
    "stonyhurst": ("stonyhurst_longitude", "hgs_x", "hgs_lon"),
    "latitude": ("latitude", "hgs_y", "hgs_lat"),
    "location": ("location", "position"),
}
"""Columns of a table of events that `read_place` reads, and what else they may be called."""

_LOCATION = re.compile(r"([NS])\s*(\d{1,2}(?:\.\d+)?)\s*([EW])\s*(\d{1,3}(?:\.\d+)?)", re.IGNORECASE)


class Arcsec(NamedTuple):
    """Helioprojective x (to the west) and y (to the north), as the Earth sees it."""

    x: float
    y: float


class Stonyhurst(NamedTuple):
    """Degrees west of the central meridian as the Earth sees it, and heliographic latitude."""

    longitude: float
    latitude: float


Place = Arcsec | Stonyhurst


def parse_location(text: str) -> tuple[float, float]:
    """Return Stonyhurst longitude (west positive) and latitude in degrees from ``N12W34``.

    Raises:
        ValueError: it is no location.
    """
    found = _LOCATION.fullmatch(text.strip())
    if found is None:
        raise ValueError(text)
    north, west = float(found[2]), float(found[4])
    return west if found[3] in "Ww" else -west, north if found[1] in "Nn" else -north


def read_place(record: Record) -> Place | None:
    """Return where the line of a table says it was; None where it does not.

    Raises:
        DataError: a cell cannot be read, or the latitude is none.
    """
    if "x" in record and "y" in record:
        return Arcsec(record.number("x"), record.number("y"))
    if "stonyhurst" in record and "latitude" in record:
        place = Stonyhurst(record.number("stonyhurst"), record.number("latitude"))
    elif "location" in record:
        place = Stonyhurst(*record.read("location", parse_location, "a place such as N12W34"))
    else:
        return None
    if not -90 <= place.latitude <= 90:
        raise DataError(f"{record.place} has latitude {place.latitude:g}; it must be from -90 to 90 degrees")
    return place


def seen_from_earth(places: Sequence[Place], times: npt.NDArray[np.datetime64]) -> npt.NDArray[np.float64]:
    """Return ``[place, 2]``, helioprojective x and y in arcsec of each place at its time; NaN behind the limb."""
    seen = np.array([place if isinstance(place, Arcsec) else (np.nan, np.nan) for place in places], np.float64)
    seen = seen.reshape(len(places), 2)
    if rows := [k for k, place in enumerate(places) if isinstance(place, Stonyhurst)]:
        from astropy.time import Time
        from sunpy.coordinates.sun import B0, earth_distance

        degrees = np.array([places[k] for k in rows], np.float64)
        with offline():
            when = Time(times[rows].astype("datetime64[ns]").astype(str))
            tilt, distance = B0(when).to_value("deg"), earth_distance(when).to_value("m")
        x, y, mu = project(
            degrees[:, 0], degrees[:, 1], observer_longitude=0.0, observer_latitude=tilt, distance=distance
        )
        seen[rows] = np.where(mu > 0, [x, y], np.nan).T
    return seen
