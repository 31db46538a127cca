"""FITS cards to a `FrameHeader`, for the layouts that solar archives use.

A card may be called by several names and an angle given in several units; this file knows them. Missing values that
cannot be inferred are errors; inferred or repaired ones leave a note.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from framecast.core.errors import DataError
from framecast.domains.solar.image import FrameHeader, Pointing
from framecast.domains.solar.offline import offline
from framecast.domains.solar.projection import ARCSEC, SOLAR_RADIUS, Observer
from framecast.videos.frames import nanoseconds

_PLAUSIBLE_SCALE = (0.01, 60.0)
_HEXADECIMAL = re.compile(r"0[xX][0-9a-fA-F]{1,8}")
_LEAP = re.compile(r"(\d{4}-(?:06-30|12-31))T23:59:60(\.\d+)?")
_AIA_NAME = re.compile(r"(\d{2,4})_(?:THIN|THICK|OPEN)")
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?Z?")


def interpret(path: Path, cards: Mapping[str, Any], shape: tuple[int, int], comments: str = "") -> FrameHeader:
    """Return the header of an image of ``shape`` (rows, columns) from its ``cards``; undefined ones are ignored.

    ``comments`` is the text of its COMMENT cards.

    Raises:
        DataError: date, wavelength or pointing are absent or impossible.
    """
    notes: list[str] = []
    time = _time(path, cards, notes)
    pointing = _pointing(path, cards, shape, comments, notes)
    return FrameHeader(
        path=path,
        time=time,
        wavelength=_wavelength(path, cards),
        exposure=_number(cards, "EXPTIME", "EXPOSURE", "XPOSURE", default=float("nan")),
        quality=_quality(path, cards),
        unit=str(_first(cards, "BUNIT", "PIXLUNIT") or "DN").strip(),
        instrument=str(_first(cards, "INSTRUME", "TELESCOP") or "unknown").strip(),
        shape=shape,
        pointing=pointing,
        observer=_observer(path, cards, time, notes),
        notes=tuple(notes),
    )


def _first(cards: Mapping[str, Any], *names: str) -> Any:
    """Return the value of the first of the cards ``names`` that has one: not blank, and no word for "nothing"."""
    for name in names:
        value = cards.get(name)
        value = value.decode("ascii", "replace") if isinstance(value, bytes) else value
        if value is not None and not (isinstance(value, str) and value.strip().lower() in _NOTHING):
            return value
    return None


_NOTHING = {"", "nan", "n/a", "na", "none", "null", "unknown", "missing"}


def _number(cards: Mapping[str, Any], *names: str, default: float | None = None) -> float:
    """Return the first of the cards ``names`` that is a number."""
    for name in names:
        try:
            number = float(_first(cards, name))
        except (TypeError, ValueError):
            continue
        if np.isfinite(number):
            return number
    if default is None:
        raise KeyError(names[0])
    return default


def _time(path: Path, cards: Mapping[str, Any], notes: list[str]) -> np.datetime64:
    """Return when the exposure began, from the first card with a date."""
    failure = DataError(f"{path} has no date (DATE-OBS): a frame without a time cannot be placed")
    clock = _first(cards, "TIME-OBS", "TIME_OBS")
    for number, name in enumerate(("DATE-OBS", "DATE_OBS", "DATE-BEG", "T_OBS")):
        text = _first(cards, name)
        if text is None:
            continue
        text = str(text).strip()
        if clock is not None and len(text) <= 10:
            text = f"{text}T{str(clock).strip()}"
        try:
            return _instant(path, text, cards, notes)
        except DataError as error:
            failure = error if number == 0 or "no date" in str(failure) else failure
    raise failure


def _instant(path: Path, text: str, cards: Mapping[str, Any], notes: list[str]) -> np.datetime64:
    """Return the time (UTC) in the ``text`` of a card, in the time scale of TIMESYS."""
    scale = str(cards.get("TIMESYS") or "UTC").strip().lower()
    if scale == "utc" and _ISO.fullmatch(text):
        try:
            return _without_leap_second(text, notes)
        except ValueError:
            raise DataError(f"{path} has date {text!r}, which does not exist") from None
    from astropy.time.core import ScaleValueError
    from sunpy.time import parse_time

    with offline():
        try:
            moment = parse_time(text, scale=scale) if scale != "utc" else parse_time(text)
            return _without_leap_second(str(moment.utc.isot), notes)
        except ScaleValueError:
            raise DataError(f"{path} has TIMESYS {scale.upper()!r}; use a known scale such as UTC or TAI") from None
        except ValueError:
            raise DataError(f"{path} has date {text!r}; write it as 2017-08-08T00:00:00") from None


def _without_leap_second(text: str, notes: list[str]) -> np.datetime64:
    """Return the time of ISO 8601 ``text``, or raise ``ValueError``."""
    text = text.removesuffix("Z")
    if not (leap := _LEAP.fullmatch(text)):
        return nanoseconds(np.datetime64(text))
    from astropy.time import Time

    day = np.datetime64(leap[1])
    with offline():
        length = (Time(str(day + 1), scale="utc") - Time(str(day), scale="utc")).to_value("s")
    if length < 86400.5:
        raise ValueError(text)
    notes.append("within a leap second, which has no time of its own: replaced by the second after it")
    return nanoseconds(np.datetime64(f"{day + 1}T00:00:00{leap[2] or ''}"))


def _wavelength(path: Path, cards: Mapping[str, Any]) -> int:
    wavelength = _number(cards, "WAVELNTH", default=float("nan"))
    if not np.isfinite(wavelength) and (named := _AIA_NAME.fullmatch(str(_first(cards, "WAVE_STR") or ""))):
        return int(named[1])  # AIA's own name of the channel, such as 171_THIN
    if not np.isfinite(wavelength):
        raise DataError(f"{path} has no wavelength (WAVELNTH): its channel is unknown")
    return round(wavelength * (10 if str(cards.get("WAVEUNIT") or "").strip().lower() in ("nm", "nanometer") else 1))


def _quality(path: Path, cards: Mapping[str, Any]) -> int:
    """Return the bits of QUALITY: a number, or one written as text, decimal or hexadecimal (``0x40000000``, HMI)."""
    word = cards.get("QUALITY")
    if word is None:
        return 0
    text = (word.decode("ascii", "replace") if isinstance(word, bytes) else str(word)).strip()
    with suppress(ValueError, OverflowError):
        bits = int(text, 0) if _HEXADECIMAL.fullmatch(text) else int(float(text))
        if -(2**31) <= bits < 2**32 and (_HEXADECIMAL.fullmatch(text) or bits == float(text)):
            return bits & 0xFFFFFFFF  # bit 31 of a signed number is its sign
    raise DataError(f"{path} has QUALITY {text!r}, which is not a bit mask, so its quality is unknown")


def _pointing(
    path: Path, cards: Mapping[str, Any], shape: tuple[int, int], comments: str, notes: list[str]
) -> Pointing:
    needed = ["CRPIX1", "CRPIX2"] + ([] if "CD1_1" in cards else ["CDELT1", "CDELT2"])
    if absent := [name for name in needed if _first(cards, name) is None]:
        raise DataError(
            f"{path} has no pointing ({', '.join(absent)} missing): the positions of its pixels are unknown"
        )
    for axis, kinds in (("CTYPE1", ("HPLN", "SOLAR")), ("CTYPE2", ("HPLT", "SOLAR"))):
        kind = str(cards.get(axis) or "").strip().upper()
        if kind and not kind.startswith(kinds):
            raise DataError(f"{path} has {axis} {kind!r}; only images in helioprojective coordinates can be read")
    try:
        pixel = _number(cards, "CRPIX1") - 1, _number(cards, "CRPIX2") - 1
        units = _arcsec(path, cards, "CUNIT1"), _arcsec(path, cards, "CUNIT2")
        direction = _number(cards, "CRVAL1", default=0.0) * units[0], _number(cards, "CRVAL2", default=0.0) * units[1]
        matrix = np.array(units)[:, None] * _matrix(cards, notes)
    except KeyError as error:
        raise DataError(f"{path} has no pointing ({error.args[0]} is not a number)") from None
    matrix *= _binning(cards, shape, comments, notes)
    low, high = _PLAUSIBLE_SCALE
    determinant = float(np.linalg.det(matrix)) if np.isfinite(matrix).all() else float("nan")
    scale = np.sqrt(abs(determinant))
    sides = np.sqrt((matrix**2).sum(0))
    if not np.isfinite([*pixel, *direction]).all() or not low <= scale <= high or sides.max() > 2 * sides.min():
        raise DataError(
            f"{path} has pixels of {sides[0]:g} by {sides[1]:g} arcsec (CDELT1, CDELT2); "
            f"from {low:g} to {high:g} and nearly square is possible for an image of the Sun"
        )
    if determinant < 0:
        raise DataError(
            f"{path} is mirrored (the signs of CDELT1 and CDELT2 differ): mirrored images are not supported"
        )
    _check_disk(path, cards, scale)
    (xc, xr), (yc, yr) = matrix.tolist()
    return Pointing(pixel=pixel, direction=direction, matrix=((xc, xr), (yc, yr)))


def _matrix(cards: Mapping[str, Any], notes: list[str]) -> np.ndarray:
    """Return the degrees (or whatever CUNIT says) of x and y per column and row, from CD, PC or CROTA."""
    indices = [(1, 1), (1, 2), (2, 1), (2, 2)]
    if "CD1_1" in cards:
        return np.array([_number(cards, f"CD{i}_{j}", default=0.0) for i, j in indices]).reshape(2, 2)
    scales = np.array([_number(cards, "CDELT1"), _number(cards, "CDELT2")])
    if any(_first(cards, f"PC{i}_{j}") is not None for i, j in indices):
        turn = np.array([_number(cards, f"PC{i}_{j}", default=float(i == j)) for i, j in indices]).reshape(2, 2)
    else:
        name = next((name for name in ("CROTA2", "CROTA", "CROTA1", "SC_ROLL") if _first(cards, name) is not None), "")
        angle = np.radians(_number(cards, name)) if name else 0.0
        if not name:
            notes.append("no roll angle in the header: north assumed to be up")
        ratio = scales[1] / scales[0] if scales.all() else 1.0
        turn = np.array([[np.cos(angle), -np.sin(angle) * ratio], [np.sin(angle) / ratio, np.cos(angle)]])
    return scales[:, None] * turn


def _arcsec(path: Path, cards: Mapping[str, Any], name: str) -> float:
    unit = str(cards.get(name) or "arcsec").strip().lower()
    known = {"arcsec": 1.0, "arcseconds": 1.0, "arcsecs": 1.0, "deg": 3600.0, "degree": 3600.0, "rad": ARCSEC}
    if unit not in known:
        raise DataError(f"{path} has {name} {unit!r}; arcsec, deg and rad are understood")
    return known[unit]


def _binning(cards: Mapping[str, Any], shape: tuple[int, int], comments: str, notes: list[str]) -> float:
    """Return how many detector pixels one pixel of an EIT image spans.

    EIT writes the scale of its detector (2.63 arcsec) into CDELT whatever the size of the image; the first and last
    detector columns read out stand in the comments as P1_X and P2_X.
    """
    if "EIT" not in str(cards.get("INSTRUME") or "") or _number(cards, "CDELT1", default=0.0) > 3:
        return 1.0
    first, last = (re.search(rf"{name}\s*=\s*(\d+)", comments) for name in ("P1_X", "P2_X"))
    if not first or not last:
        return 1.0
    factor = (int(last[1]) - int(first[1]) + 1) / shape[1]
    if factor != 1.0:
        notes.append(f"CDELT is that of the detector: multiplied by {factor:g}, the detector pixels in one pixel")
    return factor


def _check_disk(path: Path, cards: Mapping[str, Any], scale: float) -> None:
    """Raise if the header's own radius of the Sun in pixels contradicts its pixel size."""
    radius, pixels = _number(cards, "RSUN_OBS", default=0.0), _number(cards, "R_SUN", default=0.0)
    if radius <= 0 or pixels <= 0:
        return
    binning = radius / pixels / scale
    power = np.log2(binning)  # level 1.5 keeps R_SUN of the unbinned image
    if abs(power - round(power)) > 0.05:
        raise DataError(
            f"{path} has pixels of {scale:.4g} arcsec (CDELT1), but a Sun of {radius:.1f} arcsec (RSUN_OBS) and "
            f"{pixels:.1f} pixels (R_SUN) implies {radius / pixels:.4g}: its header contradicts itself"
        )


def _observer(path: Path, cards: Mapping[str, Any], time: np.datetime64, notes: list[str]) -> Observer:
    names = ("CRLN_OBS",), ("CRLT_OBS", "HGLT_OBS", "SOLAR_B0"), ("DSUN_OBS",), ("RSUN_OBS",)
    given = [_number(cards, *own, default=float("nan")) for own in names]
    longitude, latitude, distance, radius = (value if np.isfinite(value) else float("nan") for value in given)
    if np.isnan(distance) and radius > 0:
        distance = SOLAR_RADIUS / np.sin(radius / ARCSEC)
    if not np.isfinite([longitude, latitude, distance]).all():
        computed = _ephemeris(cards, time, notes)
        longitude = computed.longitude if np.isnan(longitude) else longitude
        latitude = computed.latitude if np.isnan(latitude) else latitude
        distance = computed.distance if np.isnan(distance) else distance
    if not (abs(latitude) <= 90 and distance > 2 * SOLAR_RADIUS):
        raise DataError(
            f"{path} has an impossible observer: latitude {latitude:g}°, distance {distance:g} m (DSUN_OBS)"
        )
    return Observer(longitude=longitude % 360, latitude=latitude, distance=distance)


def earth_observer(time: np.datetime64) -> Observer:
    """Return an observer at the Earth, by the ephemeris."""
    return _ephemeris({}, time, [])


def _ephemeris(cards: Mapping[str, Any], time: np.datetime64, notes: list[str]) -> Observer:
    """Return the observer from the position cards of SOHO or STEREO, else from the Earth's ephemeris."""
    import astropy.units as u
    from astropy.coordinates import HeliocentricMeanEcliptic, SkyCoord
    from astropy.time import Time
    from sunpy.coordinates import HeliographicStonyhurst, get_earth
    from sunpy.coordinates.sun import L0

    with offline():
        moment = Time(str(time), scale="utc")
        if _first(cards, "HEC_X") is not None:
            position = [_number(cards, f"HEC_{axis}") for axis in "XYZ"] * u.km
            frame = HeliocentricMeanEcliptic(obstime=moment, representation_type="cartesian")
            place = SkyCoord(*position, frame=frame).transform_to(HeliographicStonyhurst(obstime=moment))
        else:
            place = get_earth(moment)
        stonyhurst = _number(cards, "HGLN_OBS", default=place.lon.to_value(u.deg))
        if _first(cards, "HEC_X", "HGLN_OBS") is None:
            notes.append("no position of the observer in the header: assumed to be at the Earth")
        return Observer(
            longitude=float(L0(moment).to_value(u.deg) + stonyhurst) % 360,
            latitude=float(place.lat.to_value(u.deg)),
            distance=float(place.radius.to_value(u.m)),
        )
