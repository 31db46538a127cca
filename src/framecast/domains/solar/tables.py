"""User-supplied tables: positions on the Sun, dates to leave out, and regions to follow.

A line of a table of regions gives the region (``id``, ``NOAA``, ``HARPNUM``), the time (``time``), and the position, in
one of these ways:

- ``x`` and ``y``: helioprojective, in arcsec, as the observer of the images sees it;
- ``carrington_longitude`` and ``latitude``, in degrees;
- ``stonyhurst_longitude`` and ``latitude``, in degrees from the central meridian as the Earth sees it, west positive
  (also ``LON_FWT`` and ``LAT_FWT``, keywords of HARP);
- ``location``: the same in the form ``N12W34``, as NOAA's Solar Region Summary has it.

A region with one line is a point that rotates with the Sun; one with several moves through its positions.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from framecast.core.errors import DataError
from framecast.data.tables import Record, TextTable, read_table
from framecast.domains.solar.image import FrameHeader
from framecast.domains.solar.offline import offline
from framecast.domains.solar.places import Arcsec, Carrington, Place, Stonyhurst, parse_location
from framecast.domains.solar.projection import Observer, project, unproject
from framecast.domains.solar.times import EXPECTED, moment
from framecast.domains.solar.tracks import TURN, Fix, Track, ahead_of_earth, days_between

PLACE_COLUMNS: dict[str, tuple[str, ...]] = {
    "x": ("x", "hpc_x", "tx"),
    "y": ("y", "hpc_y", "ty"),
    "stonyhurst": ("stonyhurst_longitude", "stonyhurst", "hgs_x", "lon_fwt", "hgs_lon", "longitude", "lon"),
    "latitude": ("latitude", "hgs_y", "lat_fwt", "hgs_lat", "lat"),
    "location": ("location", "position"),
}
"""Columns that `read_place` reads, and their other names."""

_REGION_COLUMNS: dict[str, tuple[str, ...]] = {
    "noaa": ("noaa", "noaa_ar", "ar_noaanum", "ar"),
    "harp": ("harpnum", "harp"),
    "id": ("id", "region", "name", "number", "nmbr"),
    "time": ("time", "date", "t_rec", "t", "date_obs", "date-obs"),
    "carrington": ("carrington_longitude", "carrington", "crln", "lo"),
    **PLACE_COLUMNS,
}
_PREFIX = {"noaa": "AR", "harp": "HARP", "id": ""}
_SPAN_COLUMNS = {"start": ("start", "date", "time", "t", "from", "begin"), "end": ("end", "stop", "to", "until")}

_NUMBER = re.compile(r"(?:NOAA|SHARP|HARP|AR|\s|_|-)*0*(\d+)", re.IGNORECASE)
_UNSAFE = re.compile(r"[^A-Za-z0-9_.+-]+")

_DAY = np.timedelta64(86_400 * 10**9 - 1, "ns")
_MINUTE = np.timedelta64(60, "s")

Span = tuple[np.datetime64, np.datetime64]


def region_number(text: str) -> str:
    """Return the number in ``AR12673``, ``NOAA 12673`` or ``00377``; other text is returned unchanged."""
    text = text.strip()
    found = _NUMBER.fullmatch(text.removesuffix(".0"))
    return "" if text in ("0", "") else found[1] if found else text


def sequence_name(region: str) -> str:
    """Return the name of a region as the name of a sequence: without letters that folders may not have."""
    return _UNSAFE.sub("-", region).strip("-.") or "region"


def read_exclusions(path: str | Path) -> tuple[Span, ...]:
    """Return the stretches of time, start and end included, of a list of bad dates: eclipses, manoeuvres, flat fields.

    The table has columns ``start`` and ``end``, or one column of dates: a day without a time is the whole day, a time
    without an end the images within a minute of it.

    Raises:
        DataError: it is not such a table; the message names the line.
    """
    return tuple(map(_span, read_table(path, _SPAN_COLUMNS, required=("start",), unnamed="start").records))


def _span(record: Record) -> Span:
    start = record.read("start", moment, EXPECTED)
    last = "end" if "end" in record else "start"
    end = record.read(last, moment, EXPECTED)
    if end < start:
        raise DataError(f"{record.place} ends before it starts: put its times in order")
    if len(record.text(last).strip()) <= len("2017-08-08"):
        return start, end + _DAY
    return (start, end) if last == "end" else (start - _MINUTE, end + _MINUTE)


def read_place(record: Record) -> Place | None:
    """Return the position in the line of a table; None if there is none.

    Raises:
        DataError: a cell cannot be read, or the latitude is invalid.
    """
    place: Stonyhurst | Carrington
    if "x" in record and "y" in record:
        return Arcsec(record.number("x"), record.number("y"))
    if "carrington" in record:
        place = Carrington(record.number("carrington"), record.number("latitude"))
    elif "stonyhurst" in record and "latitude" in record:
        place = Stonyhurst(record.number("stonyhurst"), record.number("latitude"))
    elif "location" in record:
        place = Stonyhurst(*record.read("location", parse_location, "a position such as N12W34"))
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
        x, y, mu = project(degrees[:, 0], degrees[:, 1], Observer(longitude=0.0, latitude=tilt, distance=distance))
        seen[rows] = np.where(mu > 0, [x, y], np.nan).T
    return seen


def read_pointings(path: str | Path) -> list[Track]:
    """Return the fields of view in the table at ``path`` that do not move: columns id, time, x and y in arcsec.

    Raises:
        DataError: the file is not such a table, or moves a region.
    """
    table = read_table(path, _REGION_COLUMNS, required=("time", "x", "y"))
    identity = _identity(table)
    found: dict[str, Track] = {}
    for record in table.records:
        region = record.read(identity, str, "the number or name of a region")
        pointing = record.number("x"), record.number("y")
        if region in found and found[region].pointing != pointing:
            raise DataError(
                f"{record.place} gives a second position for {region}, and a fixed pointing has one: give one "
                "position for each"
            )
        found[region] = fixed(region, pointing, record.read("time", moment, EXPECTED), prefix=_PREFIX[identity])
    return list(found.values())


def fixed(region: str, pointing: tuple[float, float], time: np.datetime64, *, prefix: str = "") -> Track:
    """Return the field of view around ``pointing`` (arcsec) that does not move."""
    return replace(_track(region, prefix, [Fix(time=time, longitude=np.nan, latitude=np.nan)]), pointing=pointing)


def read_regions(path: str | Path, frames: Sequence[FrameHeader]) -> list[Track]:
    """Return the regions in the table at ``path`` (see above for its columns), in the order of their first lines.

    Where a region is seen in arcsec, or from the Earth, becomes its place on the Sun with the observers of the images
    (in order of time): at the time of an image it is exactly there.

    Raises:
        DataError: the file is not such a table, or a position is off the disk; the message names the line.
    """
    table = read_table(path, _REGION_COLUMNS, required=("time",))
    identity = _identity(table)
    observers = Observers.of(frames)
    found: dict[str, dict[np.datetime64, Fix]] = {}
    for record in table.records:
        region = record.read(identity, str, "the number or name of a region")
        fix = _fix(record, observers)
        if found.setdefault(region, {}).setdefault(fix.time, fix) != fix:
            raise DataError(f"{record.place} puts {region} at a different position at {fix.time} than an earlier line")
    return [
        _track(region, _PREFIX[identity], [fixes[time] for time in sorted(fixes)]) for region, fixes in found.items()
    ]


def _identity(table: TextTable) -> str:
    """Return the column with the region of each line."""
    identity = next((column for column in _PREFIX if column in table.columns), None)
    if identity is None:
        raise DataError(f"{table.path} does not give the region of each line: it needs a column id, NOAA or HARPNUM")
    return identity


class Observers:
    """Positions of observers at any time: interpolated between images, and moving like the Earth beyond them.

    Args:
        times: of the images, in order.
        places: the observers, as arrays.
        ahead_of_earth: degrees by which they are west of the Earth.
    """

    def __init__(self, times: npt.NDArray[np.datetime64], places: Observer, *, ahead_of_earth: float = 0.0) -> None:
        self._start = times[0]
        self._days = days_between(self._start, times)
        # What is left of the longitude when a steady turn is taken off does not wind up, whatever gaps there are.
        self._rest = np.unwrap(places.longitude + TURN * self._days, period=360)
        self._latitude, self._distance = places.latitude, places.distance
        self.ahead_of_earth = ahead_of_earth

    @classmethod
    def of(cls, frames: Sequence[FrameHeader]) -> "Observers":
        """Return the observers of ``frames``, in order of time."""
        times = np.array([frame.time for frame in frames])
        places = Observer.of([frame.observer for frame in frames])
        return cls(times, places, ahead_of_earth=ahead_of_earth(frames))

    def at(self, time: np.datetime64 | npt.NDArray[np.datetime64]) -> Observer:
        """Return the observer at ``time``, one or several."""
        day = days_between(self._start, np.asarray(time))
        return Observer(
            longitude=(np.interp(day, self._days, self._rest) - TURN * day) % 360,
            latitude=np.interp(day, self._days, self._latitude),
            distance=np.interp(day, self._days, self._distance),
        )


def _fix(record: Record, observers: Observers) -> Fix:
    time, place = record.read("time", moment, EXPECTED), read_place(record)
    if place is None:
        raise DataError(
            f"{record.place} has no position: give x and y, carrington_longitude and latitude, stonyhurst_longitude "
            "and latitude, or location"
        )
    fix = locate(place, time, observers)
    if np.isnan(fix.longitude):
        x, y = place
        raise DataError(f"{record.place} has x {x:g}, y {y:g} arcsec, which is off the disk: give a point on it")
    return fix


def locate(place: Place, time: np.datetime64, observers: Observers) -> Fix:
    """Return the position of ``place`` on the surface at ``time``; NaN for arcsec beyond the limb."""
    if isinstance(place, Stonyhurst | Carrington):
        longitude, latitude = place
        if isinstance(place, Stonyhurst):
            longitude += observers.at(time).longitude - observers.ahead_of_earth
    else:
        longitude, latitude = (float(value) for value in unproject(*place, observers.at(time)))
    return Fix(time=time, longitude=longitude % 360, latitude=latitude)


def _track(region: str, prefix: str, fixes: Sequence[Fix]) -> Track:
    number = region_number(region)
    return Track(
        name=f"{prefix}{number}" if number.isdecimal() else sequence_name(region),
        longitude=fixes[0].longitude,
        latitude=fixes[0].latitude,
        reference=fixes[0].time,
        later=tuple(fixes[1:]),
        region=number,
    )
