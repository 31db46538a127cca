"""Decoding of CF variables: packing undone, missing values NaN, texts as text, times on a clock.

xarray undoes packing. Two things are decoded here, because xarray often reads them wrongly or not at all: texts, and
times of every calendar.
"""

import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from framecast.core.errors import DataError
from framecast.videos.calendar import Calendar, Clock, decode_clock, seconds_in, to_clock

_TIME_NAMES = ("time", "times", "date", "dates", "datetime", "timestamp", "valid_time")
_STAMP = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T_ ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?Z?)?")


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """A dataset whose dates are ``datetime64[ns]`` on the clock of their calendar.

    Attributes:
        dataset: the variables.
        calendars: by dated variable.
        precision: seconds that two neighbouring stored numbers of a dated variable are apart, where that is not 0.
        undecodable: variables with units of dates that cannot be read, and why.
    """

    dataset: xr.Dataset
    calendars: dict[str, Calendar] = field(default_factory=dict)
    precision: dict[str, float] = field(default_factory=dict)
    undecodable: dict[str, str] = field(default_factory=dict)


def decode(stored: xr.Dataset) -> Decoded:
    """Return ``stored``, opened with ``decode_cf=False``, decoded."""
    stored = stored.copy()
    for name, variable in stored.variables.items():
        if variable.dtype.kind in "iuf":
            _number_attributes(str(name), variable)
        _widen_missing(variable)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # xarray: several fill values, all of which it applies
        dataset = xr.decode_cf(stored, decode_times=False, decode_timedelta=False, decode_coords="all")
    decoded = Decoded(dataset=dataset)
    replaced: dict[str, xr.Variable] = {}
    for name, variable in dataset.variables.items():
        if variable.ndim <= 2 and _is_angle_in_radians(variable):
            degrees = {"units": "degrees_north" if "latitude" in variable.attrs["standard_name"] else "degrees_east"}
            replaced[str(name)] = xr.Variable(variable.dims, np.rad2deg(variable.values), variable.attrs | degrees)
            continue
        if variable.ndim > 2 or (read := _reader(str(name), variable)) is None:
            continue
        try:
            clock, calendar = read(variable.values)
        except DataError as error:
            decoded.undecodable[str(name)] = str(error)
            continue
        attrs = {key: value for key, value in variable.attrs.items() if key not in ("units", "calendar")}
        replaced[str(name)] = xr.Variable(variable.dims, clock, attrs)
        decoded.calendars[str(name)] = calendar
        if variable.dtype.kind == "f" and (step := _spacing(variable)):
            decoded.precision[str(name)] = step
    coords = {name: value for name, value in replaced.items() if name in dataset.coords}
    others = {name: value for name, value in replaced.items() if name not in coords}
    return replace(decoded, dataset=dataset.assign_coords(coords).assign(others))


def _is_angle_in_radians(variable: xr.Variable) -> bool:
    named = variable.attrs.get("standard_name") in ("latitude", "longitude")
    return named and str(variable.attrs.get("units", "")).lower() in ("radian", "radians", "rad")


def _number_attributes(name: str, variable: xr.Variable) -> None:
    """Replace packing and missing values that are written as text, such as ``"0.1"``, by their numbers.

    Raises:
        DataError: a scale or an offset is not a number.
    """
    for key in ("scale_factor", "add_offset", "_FillValue", "missing_value"):
        texts = np.ravel(variable.attrs.get(key, ()))
        if not texts.size or texts.dtype.kind not in "SUOT":
            continue
        try:
            numbers = [float(part) for text in texts for part in as_text(text).replace(",", " ").split()]
        except ValueError:
            numbers = []
        if key in ("scale_factor", "add_offset") and len(numbers) != 1:
            raise DataError(f"the {key} of {name} is {as_text(texts[0])!r}, which is not a number: correct it")
        whole = variable.dtype.kind in "iu" and key in ("_FillValue", "missing_value")
        values = [int(number) if whole and number.is_integer() else number for number in numbers]
        variable.attrs.pop(key)
        if values:
            variable.attrs[key] = values[0] if len(values) == 1 else np.array(values)


def _widen_missing(variable: xr.Variable) -> None:
    """Add to ``missing_value`` of floating-point numbers what becomes of it in float32 and float64."""
    stated = [number for name in ("_FillValue", "missing_value") for number in np.ravel(variable.attrs.get(name, ()))]
    if variable.dtype.kind == "f" and all(np.asarray(number).dtype.kind in "iuf" for number in stated) and stated:
        with np.errstate(over="ignore"):
            written = [*stated, *(variable.dtype.type(number) for number in stated), *(float(str(n)) for n in stated)]
        variable.attrs["missing_value"] = np.unique(np.array(written, np.float64))


def as_text(value: Any) -> str:
    """Return a label as text: bytes as UTF-8, 171.0 as ``171``, dates without empty parts."""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace").rstrip("\0 ").strip()
    if isinstance(value, float | np.floating):
        return f"{float(value):.10g}"
    if isinstance(value, np.datetime64):
        return re.sub(r"(T00:00|:00)?(:00)?(\.0+)?$", "", str(value))
    return str(value).strip()


def _reader(name: str, variable: xr.Variable) -> Callable[[Any], tuple[Clock, Calendar]] | None:
    """Return the decoder of the times of a variable, if it contains dates."""
    units = variable.attrs.get("units")
    if variable.dtype.kind in "M":
        return to_clock
    if isinstance(units, bytes):
        units = units.decode("utf-8", errors="replace")
    if isinstance(units, str) and variable.dtype.kind in "fiu":
        if " since " in units:
            return lambda numbers: decode_clock(numbers, {**variable.encoding, **variable.attrs, "units": units})
        if units.startswith("day as %Y%m%d"):
            return _numbered_days
    named = name.lower() in _TIME_NAMES or variable.attrs.get("standard_name") == "time"
    if named and not units and variable.dtype.kind in "iu" and _are_days(variable.values):
        return _numbered_days
    return _stamps if named and variable.dtype.kind in "OSUT" else None


def _stamps(texts: npt.NDArray[Any]) -> tuple[Clock, Calendar]:
    """Return times written as text, such as ``2020-01-01_06:00:00`` of WRF."""
    stamps = [as_text(text) for text in texts.ravel()]
    if wrong := [stamp for stamp in stamps if stamp and not _STAMP.fullmatch(stamp)]:
        raise DataError(f"{wrong[0]!r} is not a time: write it as 2020-01-01T06:00:00")
    times = [stamp.replace("_", "T").replace(" ", "T").removesuffix("Z") or "NaT" for stamp in stamps]
    try:
        return to_clock(np.array(times, dtype="datetime64[us]").reshape(texts.shape))
    except ValueError as error:
        raise DataError(f"times as text: {error}") from None


def _are_days(numbers: npt.NDArray[Any]) -> bool:
    """Whether all numbers are dates written as 20200131."""
    days, months = numbers % 100, numbers // 100 % 100
    likely = (numbers > 18000000) & (numbers < 22000000) & (days >= 1) & (days <= 31) & (months >= 1) & (months <= 12)
    return bool(numbers.size and likely.all())


def _numbered_days(numbers: npt.NDArray[Any]) -> tuple[Clock, Calendar]:
    """Return times written as 20200131.25, which is six o'clock."""
    days, fraction = np.divmod(np.asarray(numbers, np.float64), 1)
    texts = [f"{int(day):08d}" for day in days.ravel()]
    try:
        dates = np.array([f"{text[:4]}-{text[4:6]}-{text[6:]}" for text in texts], "datetime64[s]").reshape(days.shape)
    except ValueError as error:
        raise DataError(f"times as %Y%m%d: {error}") from None
    return to_clock(dates + np.rint(fraction * 86400).astype("timedelta64[s]"))


def _spacing(variable: xr.Variable) -> float:
    """Return the seconds between neighbouring floating-point numbers at the largest stored time."""
    values = np.abs(variable.values[np.isfinite(variable.values)])
    units: Mapping[str, Any] = variable.attrs
    unit = str(units.get("units", "")).partition(" since ")[0].strip().lower()
    if not values.size:
        return 0.0
    try:
        return float(np.spacing(values.max())) * seconds_in(unit)
    except DataError:
        return 0.0
