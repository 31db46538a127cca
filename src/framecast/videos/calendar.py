"""Times of any calendar as nanoseconds since an origin.

Windows, cadences and lead times need times that can be subtracted. A date of a climate model without leap days, of
months of 30 days or of the year 12, or the seconds of a simulation that knows no date, is therefore kept in memory as
``datetime64[ns]`` on an even clock: the time since the calendar's origin, counted in its own days, added to
1970-01-01. For ordinary dates that is the date itself. Its `Calendar` converts a time to text.

References:
    CF Conventions 1.11, section 4.4.1 (calendars).
"""

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import cftime
import numpy as np
import numpy.typing as npt

from framecast.core.errors import DataError
from framecast.core.options import format_duration, parse_duration
from framecast.videos.frames import nanoseconds

Clock = npt.NDArray[np.datetime64]

_EPOCH = np.datetime64("1970-01-01", "us")
_YEARS = range(1690, 2250)
"""Years that nanoseconds since 1970 can count."""


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """Meaning of times on the clock.

    Attributes:
        name: of the CF calendar: ``proleptic_gregorian``, ``noleap``, ``360_day`` …; ``none`` for times elapsed since
            the start of a simulation, which have no date.
        origin: the date that the clock counts from; empty for ``none``.
    """

    name: str = "proleptic_gregorian"
    origin: str = "1970-01-01"

    @property
    def ordinary(self) -> bool:
        """Whether times on the clock are standard dates."""
        return self == Calendar()

    @property
    def attributes(self) -> dict[str, str]:
        """The CF attributes of `encode`'s numbers."""
        if self.name == "none":
            return {"units": "microseconds"}
        return {"units": f"microseconds since {self.origin}", "calendar": self.name}

    def encode(self, clock: Clock) -> npt.NDArray[np.int64]:
        """Return times on the clock as whole microseconds, to be stored with `attributes`."""
        return (clock.astype("datetime64[us]") - _EPOCH).astype(np.int64)

    def dates(self, clock: Clock) -> npt.NDArray[Any]:
        """Return times on the clock as ``datetime64[ns]``, as cftime dates, or as ``timedelta64[ns]``."""
        if self.ordinary:
            return clock
        if self.name == "none":
            return clock.astype("datetime64[ns]") - _EPOCH.astype("datetime64[ns]")
        attributes = self.attributes
        return np.asarray(cftime.num2date(self.encode(clock), attributes["units"], attributes["calendar"]))

    def on_this_clock(self, clock: Clock, calendar: "Calendar") -> Clock:
        """Return times on the clock of ``calendar``, which may count from another origin, on this one's.

        Raises:
            DataError: it is another calendar.
        """
        if calendar == self:
            return clock
        if calendar.name != self.name:
            raise DataError(f"times use the calendars {self.name} and {calendar.name}; they must share one")
        origin = cftime.datetime(*map(int, calendar.origin.split("-")), calendar=self.name)
        apart = cftime.date2num(origin, self.attributes["units"], calendar=self.name)
        return clock + np.timedelta64(int(apart), "us").astype("timedelta64[ns]")

    def moment(self, time: np.datetime64) -> str:
        """Return `text` as it stands in a heading: dates of the ordinary calendar are UTC."""
        return f"{self.text(time)} UTC" if self.ordinary else self.text(time)

    def iso(self, time: np.datetime64) -> str:
        """Return the time to the second as in tables: ``2017-08-13T06:00:00``, or ``5400s`` without dates."""
        if self.name == "none":
            return f"{int(time.astype('datetime64[ns]').astype(np.int64)) / 1e9:.15g}s"
        return self.text(time, "s").replace(" ", "T")

    @property
    def year(self) -> np.timedelta64:
        """The length of a year; that of the seasons in the ordinary calendar."""
        days = {"noleap": 365, "365_day": 365, "all_leap": 366, "366_day": 366, "360_day": 360}.get(self.name, 365.2425)
        return np.timedelta64(round(days * 86400), "s")

    def parse(self, text: str) -> np.datetime64:
        """Return the time on the clock that is written ``2017-08-13T06:00``, or ``90s`` where there are no dates.

        Raises:
            DataError: it is not a time of this calendar.
        """
        if self.name == "none":
            return _EPOCH.astype("datetime64[ns]") + np.timedelta64(round(parse_duration(text) * 1e9), "ns")
        fields = re.fullmatch(r"\s*(\d{1,4})-(\d\d?)-(\d\d?)(?:[T ](\d\d?):(\d\d)(?::(\d\d))?Z?)?\s*", text)
        try:
            if fields is None:
                raise ValueError
            numbers = [int(field or 0) for field in fields.groups()]
            if self.ordinary:
                return nanoseconds(np.datetime64(datetime(*numbers).isoformat(), "us"))  # type: ignore[arg-type,call-overload]
            date = cftime.datetime(*numbers, calendar=self.name)
            micros = cftime.date2num(date, self.attributes["units"], calendar=self.name)
            return nanoseconds(_EPOCH + np.timedelta64(int(micros), "us"))
        except ValueError:
            raise DataError(
                f"{text!r} is not a time of the calendar {self.name}: write it like 2021-07-14T12:00"
            ) from None

    def text(self, time: np.datetime64, unit: str = "m") -> str:
        """Return a time on the clock as a person reads it: ``2017-08-13 06:00``, or ``90s`` without dates."""
        if self.ordinary:
            return str(np.datetime_as_string(time, unit=unit)).replace("T", " ")  # type: ignore[call-overload]
        date = self.dates(np.array([time]))[0]
        if self.name == "none":
            seconds = float(date / np.timedelta64(1, "ns")) / 1e9
            return format_duration(seconds) if seconds > 0 else f"{seconds:g}s"
        return str(date.strftime("%Y-%m-%d %H:%M" + (":%S" if unit == "s" else ""))).strip()


def to_clock(times: npt.ArrayLike) -> tuple[Clock, Calendar]:
    """Return ``times`` (datetime64, timedelta64 or cftime) on the clock, NaT where there is none, and their calendar.

    Raises:
        DataError: they are something else, of several calendars, or more than 290 years from the calendar's origin.
    """
    values = np.asarray(times)
    if values.dtype.kind == "m":
        return _EPOCH.astype("datetime64[ns]") + values.astype("timedelta64[ns]"), Calendar(name="none", origin="")
    if values.dtype.kind == "M":
        try:
            return nanoseconds(values), Calendar()
        except ValueError:
            known = ~np.isnat(values)
            dates = [
                cftime.DatetimeProlepticGregorian(*time.timetuple()[:6], time.microsecond)
                for time in values[known].tolist()
            ]
            return _from_cftime(dates, known)
    known = np.array([isinstance(time, cftime.datetime) for time in values.ravel()], dtype=bool).reshape(values.shape)
    if not known.any():
        raise DataError(f"times are {values.dtype}; they must be dates (datetime64 or cftime) or timedelta64")
    return _from_cftime(list(values[known]), known)


def _from_cftime(dates: list[Any], known: npt.NDArray[np.bool_]) -> tuple[Clock, Calendar]:
    names = {date.calendar for date in dates}
    if len(names) > 1:
        raise DataError(f"times use the calendars {', '.join(sorted(names))}; they must share one")
    years = [date.year for date in dates]
    common = min(years) in _YEARS and max(years) in _YEARS
    origin = "1970-01-01" if common else f"{max(1, min(years) // 100 * 100):04d}-01-01"
    name = names.pop()
    if name in ("standard", "gregorian") and common:
        name = "proleptic_gregorian"  # the same since 1582
    calendar = Calendar(name=name, origin=origin)
    micros = np.asarray(cftime.date2num(dates, f"microseconds since {origin}", calendar=name), dtype=np.int64)
    clock = np.full(known.shape, np.datetime64("NaT", "ns"))
    try:
        clock[known] = nanoseconds(_EPOCH + micros.astype("timedelta64[us]"))
    except ValueError:
        raise DataError(
            f"times from the year {min(years)} to {max(years)} span more than the 290 years that one archive can "
            "contain: import parts of them"
        ) from None
    return clock, calendar


def decode_clock(numbers: npt.NDArray[Any], attrs: Mapping[str, Any]) -> tuple[Clock, Calendar]:
    """Return numbers stored with CF attributes on the clock; NaN and fill values become NaT.

    Units of months and years are read in the calendar of twelve months of 30 days, whatever the file says: only there
    is a month a length of time.

    Args:
        numbers: any shape.
        attrs: ``units``, such as ``hours since 2020-01-01`` or, for times without dates, ``seconds``; ``calendar``,
            the ordinary one by default; ``_FillValue`` and ``missing_value``.

    Raises:
        DataError: the units are not of time.
    """
    numbers = np.asarray(numbers)
    known = np.isfinite(numbers.astype(np.float64))
    if numbers.dtype == np.int64:
        known &= numbers != np.iinfo(np.int64).min  # NaT, as xarray stores it
    for name in ("_FillValue", "missing_value"):
        fill = np.ravel(np.asarray(attrs.get(name)))
        if fill.size == 1 and fill.dtype.kind in "iuf":
            known &= numbers != fill[0]
    clock = np.full(numbers.shape, np.datetime64("NaT", "ns"))
    if not known.any():
        return clock, Calendar()
    clock[known], calendar = _decoded(numbers[known], str(attrs.get("units")), attrs.get("calendar"))
    return clock, calendar


def _decoded(numbers: npt.NDArray[Any], units: str, calendar: str | None) -> tuple[Clock, Calendar]:
    unit, _, since = units.partition(" since ")
    unit, calendar = unit.strip().lower(), str(calendar or "standard").lower()
    if unit in _MONTHS:
        unit, numbers, calendar = "days", numbers * _MONTHS[unit], "360_day"
    if not since:
        return to_clock(np.rint(numbers * (seconds_in(unit) * 1e9)).astype(np.int64).astype("timedelta64[ns]"))
    if calendar in _ORDINARY and (clock := _ordinary(numbers, unit, since)) is not None:
        return clock, Calendar()
    try:
        return to_clock(np.asarray(cftime.num2date(numbers, f"{unit} since {since}", calendar=calendar)))
    except (ValueError, TypeError, OverflowError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"units {units!r} and calendar {calendar!r}: {' '.join(str(error).split())}") from None


def _ordinary(numbers: npt.NDArray[Any], unit: str, since: str) -> Clock | None:
    """Return numbers of ``unit`` since a date of the ordinary calendar, to the microsecond; None for other dates."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy: an offset from UTC is subtracted, as it should be
            start = nanoseconds(np.datetime64(since.strip().removesuffix("Z").removesuffix(" UTC"), "us"))
        micros = seconds_in(unit) * 1e6
    except (ValueError, DataError):
        return None
    end = numbers.astype(np.float64) * (micros / 1e6) + float(start.astype(np.int64)) / 1e9
    if np.isnat(start) or np.abs(end).max() > _MOST_SECONDS:
        return None
    if numbers.dtype.kind in "iu" and micros >= 1:
        passed = numbers.astype(np.int64) * round(micros)
    else:
        passed = np.rint(numbers.astype(np.float64) * micros).astype(np.int64)
    return start + passed.astype("timedelta64[us]").astype("timedelta64[ns]")


_MOST_SECONDS = 9.2e9
"""What nanoseconds of 64 bits can count, on both sides of 1970."""

_ORDINARY = ("standard", "gregorian", "proleptic_gregorian")
_MONTHS = {"month": 30, "months": 30, "year": 360, "years": 360, "yr": 360, "yrs": 360, "common_years": 360}
_SECONDS = {
    **dict.fromkeys(("ns", "nsec", "nanosecond", "nanoseconds"), 1e-9),
    **dict.fromkeys(("us", "microsec", "microsecs", "microsecond", "microseconds"), 1e-6),
    **dict.fromkeys(("ms", "msec", "msecs", "millisec", "millisecs", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
    **dict.fromkeys(("week", "weeks"), 604800.0),
}


def seconds_in(unit: str) -> float:
    """Return the seconds in one ``unit`` of time as CF writes it.

    Raises:
        DataError: it is not a unit of time with a fixed length.
    """
    try:
        return _SECONDS[unit.strip().lower()]
    except KeyError:
        raise DataError(f"{unit!r} is not a unit of time") from None


def is_time(unit: str) -> bool:
    """Whether ``unit`` is one of time."""
    return unit.strip().lower() in _SECONDS
