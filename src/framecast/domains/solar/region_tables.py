"""Tables of regions to follow: one position for each, or the daily positions of HARP and NOAA catalogues.

A line says which region (``id``, ``NOAA``, ``HARPNUM``), when (``time``), and where, in one of these ways:

- ``x`` and ``y``: helioprojective, in arcsec, as this observer sees it;
- ``carrington_longitude`` and ``latitude``, in degrees;
- ``stonyhurst_longitude`` and ``latitude``, in degrees from the central meridian as the Earth sees it, west positive
  (also ``LON_FWT`` and ``LAT_FWT``, keywords of HARP);
- ``location``: the same in the form ``N12W34``, as NOAA's Solar Region Summary has it.

A region with one line is a point that rotates with the Sun; one with several moves through its positions.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from framecast.core.errors import DataError
from framecast.data.tables import Record, read_table
from framecast.domains.solar.flares import region_number
from framecast.domains.solar.image import FrameHeader
from framecast.domains.solar.location import parse_location
from framecast.domains.solar.projection import Observer, unproject
from framecast.domains.solar.rotation import days_between
from framecast.domains.solar.times import EXPECTED, moment
from framecast.domains.solar.tracks import TURN, Fix, Track, ahead_of_earth

_COLUMNS: dict[str, tuple[str, ...]] = {
    "noaa": ("noaa", "noaa_ar", "ar_noaanum", "ar"),
    "harp": ("harpnum", "harp"),
    "id": ("id", "region", "name", "number", "nmbr"),
    "time": ("time", "date", "t_rec", "t", "date_obs", "date-obs"),
    "x": ("x", "hpc_x", "tx"),
    "y": ("y", "hpc_y", "ty"),
    "carrington": ("carrington_longitude", "carrington", "crln", "lo"),
    "stonyhurst": ("stonyhurst_longitude", "stonyhurst", "lon_fwt", "hgs_lon", "longitude", "lon"),
    "latitude": ("latitude", "lat_fwt", "hgs_lat", "lat"),
    "location": ("location", "position"),
}
_PREFIX = {"noaa": "AR", "harp": "HARP", "id": ""}
_UNSAFE = re.compile(r"[^A-Za-z0-9_.+-]+")


def read_regions(path: str | Path, frames: Sequence[FrameHeader]) -> list[Track]:
    """Return the regions in the table at ``path``, in the order of their first lines.

    Where a region is seen in arcsec, or from the Earth, becomes its place on the Sun with the observers of the images:
    at the time of an image it is exactly there.

    Args:
        path: the table (see above for its columns).
        frames: images in order of time.

    Raises:
        DataError: the file is no such table, or a position is off the disk; the message names the line.
    """
    table = read_table(path, _COLUMNS, required=("time",))
    identity = next((column for column in _PREFIX if column in table.columns), None)
    if identity is None:
        raise DataError(f"{table.path} does not say which region a line is of: it needs a column id, NOAA or HARPNUM")
    observers = Observers(frames)
    found: dict[str, dict[np.datetime64, Fix]] = {}
    for record in table.records:
        region = record.read(identity, str, "the number or name of a region")
        fix = _fix(record, observers)
        if found.setdefault(region, {}).setdefault(fix.time, fix) != fix:
            raise DataError(f"{record.place} puts {region} at another place at {fix.time} than a line before it")
    return [
        _track(region, _PREFIX[identity], [fixes[time] for time in sorted(fixes)]) for region, fixes in found.items()
    ]


class Observers:
    """Where the images were taken from, at any time: interpolated between them, and as the Earth moves beyond them.

    Args:
        frames: in order of time.
    """

    def __init__(self, frames: Sequence[FrameHeader]) -> None:
        self._start = frames[0].time
        self._days = days_between(self._start, np.array([frame.time for frame in frames]))
        places = [frame.observer for frame in frames]
        # What is left of the longitude when a steady turn is taken off does not wind up, whatever gaps there are.
        self._rest = np.unwrap([p.longitude for p in places] + TURN * self._days, period=360)
        self._latitude = [place.latitude for place in places]
        self._distance = [place.distance for place in places]
        self.ahead_of_earth = ahead_of_earth(frames)

    def at(self, time: np.datetime64) -> Observer:
        """Return the observer at ``time``."""
        day = float(days_between(self._start, np.array([time]))[0])
        return Observer(
            longitude=float(np.interp(day, self._days, self._rest) - TURN * day) % 360,
            latitude=float(np.interp(day, self._days, self._latitude)),
            distance=float(np.interp(day, self._days, self._distance)),
        )


def _fix(record: Record, observers: Observers) -> Fix:
    time = record.read("time", moment, EXPECTED)
    if "x" in record and "y" in record:
        x, y = record.number("x"), record.number("y")
        longitude, latitude = (float(value) for value in unproject(x, y, observers.at(time)))
        if np.isnan(longitude):
            raise DataError(f"{record.place} has x {x:g}, y {y:g} arcsec, which is off the disk: give a point on it")
    elif "carrington" in record:
        longitude, latitude = record.number("carrington"), record.number("latitude")
    elif "stonyhurst" in record or "location" in record:
        if "stonyhurst" in record:
            west, latitude = record.number("stonyhurst"), record.number("latitude")
        else:
            west, latitude = record.read("location", parse_location, "a place such as N12W34")
        longitude = west + observers.at(time).longitude - observers.ahead_of_earth
    else:
        raise DataError(
            f"{record.place} has no position: give x and y, carrington_longitude and latitude, stonyhurst_longitude "
            "and latitude, or location"
        )
    if not -90 <= latitude <= 90:
        raise DataError(f"{record.place} has latitude {latitude:g}; it must be from -90 to 90 degrees")
    return Fix(time=time, longitude=longitude % 360, latitude=latitude)


def _track(region: str, prefix: str, fixes: Sequence[Fix]) -> Track:
    number = region_number(region)
    name = f"{prefix}{number}" if number.isdecimal() else _UNSAFE.sub("-", region).strip("-.") or "region"
    return Track(
        name=name,
        longitude=fixes[0].longitude,
        latitude=fixes[0].latitude,
        reference=fixes[0].time,
        later=tuple(fixes[1:]),
        region=number,
    )
