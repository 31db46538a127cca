"""Notations of times in solar tables."""

import re
from typing import NamedTuple

import numpy as np

from framecast.core.options import parse_duration
from framecast.domains.solar.offline import offline
from framecast.videos.frames import nanoseconds, span

EXPECTED = "a time such as 2017-09-06T11:53 (UTC)"
"""What to write for a time, for messages."""


class Latest(NamedTuple):
    """The time of the newest observation, plus so many seconds."""

    seconds: float = 0.0


_OFFSET = re.compile(r"(.+?)([+-]\d+(?:\.\d+)?(?:s|min|h|d))")
_ISO = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[T ]+(\d{1,2}):?(\d{2})(?::?(\d{2}(?:\.\d+)?))?)?Z?")
_JSOC = re.compile(r"(\d{4})\.(\d{2})\.(\d{2})(?:_(\d{2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?)?(?:_(TAI|UTC|UT|Z))?")


def moment(text: str) -> np.datetime64:
    """Return the time (UTC) that ``text`` names: ISO 8601, with slashes, or JSOC's (``2017.09.06_12:00_TAI``).

    Raises:
        ValueError: it is not such a time, is not a valid date, or is not from 1678 to 2261.
    """
    text = text.strip()
    iso, jsoc = _ISO.fullmatch(text), _JSOC.fullmatch(text)
    found = iso or jsoc
    if found is None:
        raise ValueError(text)
    year, month, day, hour, minute, second = (part or "0" for part in found.groups()[:6])
    iso_text = f"{year}-{int(month):02d}-{int(day):02d}T{int(hour):02d}:{minute:0>2}:{second:0>2}"
    time = nanoseconds(np.datetime64(iso_text))
    if not (jsoc and jsoc[7] == "TAI"):
        return time
    from astropy.time import Time

    with offline():
        return np.datetime64(Time(str(time), scale="tai").utc.isot, "ns")


def minute(time: np.datetime64 | str) -> str:
    """Return ``time`` (UTC) as text, without its seconds."""
    return str(time)[:16].replace("T", " ")


def moment_or_latest(text: str) -> np.datetime64 | Latest:
    """Return the time that ``text`` names, or `Latest` for ``latest``, either with an offset as in ``latest-6h``.

    Raises:
        ValueError: as `moment`.
    """
    found = _OFFSET.fullmatch(text.strip())
    base, seconds = (found[1], parse_duration(found[2][1:]) * (-1 if found[2][0] == "-" else 1)) if found else (text, 0)
    if base.strip().lower() == "latest":
        return Latest(float(seconds))
    return moment(base) + span(seconds)
