"""Times from file names, by a pattern that is detected automatically; else frame numbers."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import PurePath

import numpy as np
import numpy.typing as npt

from framecast.core.errors import DataError

_YEAR = r"(?P<Y>(?:19|20|21)\d\d)"
_DAY = r"(?P<s>[-_./]?)(?P<m>0[1-9]|1[0-2])(?P=s)(?P<d>0[1-9]|[12]\d|3[01])"
_CLOCK = r"[-_./ T]*(?P<H>[01]\d|2[0-3])(?P<c>[-_.:h]?)(?P<M>[0-5]\d)(?:(?P=c)(?P<S>[0-5]\d))?"
_OFFSET = r"(?P<o>[+-](?:0\d|1[0-4]):?(?:00|15|30|45)(?!\d))?"
_HOUR = r"T?(?P<h>[01]\d|2[0-3])"
_PATTERNS = (
    re.compile(rf"(?<!\d){_YEAR}{_DAY}(?:{_CLOCK}{_OFFSET}|{_HOUR})?(?!\d)"),
    re.compile(rf"(?<!\d){_YEAR}[-_.]?(?P<j>[0-3]\d\d)(?:{_CLOCK}{_OFFSET})?(?!\d)"),
    re.compile(r"(?<!\d)(?P<y>\d\d)(?P<j>[0-3]\d\d)(?P<H>[01]\d|2[0-3])(?P<M>[0-5]\d)(?!\d)"),
)


def times_in_names(
    paths: Sequence[PurePath], pattern: str | None = None
) -> tuple[npt.NDArray[np.datetime64] | npt.NDArray[np.int64], str]:
    """Return the time of each file, or the number of its frame if names contain no dates, and how it was found.

    Args:
        paths: the files; folders count too.
        pattern: as for `datetime.strptime`, for the name without its ending.

    Raises:
        DataError: no name fits the ``pattern``.
    """
    names = [_stem(path) for path in paths]
    if pattern is not None:
        times = np.array([_parsed(name, pattern) for name in names], "datetime64[us]").astype("datetime64[ns]")
        if np.isnat(times).all():
            raise DataError(f"no file name matches the time pattern {pattern}: the first is {names[0]}")
        return times, f"times from file names by {pattern}"
    with_folders = [PurePath(*path.parts[-5:-1], name).as_posix() for path, name in zip(paths, names, strict=True)]
    for texts, expression in product((names, with_folders), _PATTERNS):
        for back in (1, 2):
            pairs = [_found(expression, text, back) for text in texts]
            offsets = list(dict.fromkeys(offset for time, offset in pairs if time is not None))
            from_utc = any(offsets) and _are_from_utc(offsets)
            dates = [time - _span(offset) if time and from_utc else time for time, offset in pairs]
            found = np.array(dates, "datetime64[us]")
            known = found[~np.isnat(found)]
            if 2 * len(known) >= len(found) and len(np.unique(known)) == len(known):
                listed = ", ".join(filter(None, offsets[:3]))
                said = f" in UTC, from local times of UTC{listed}" if from_utc else ""
                if any(offsets) and not from_utc:
                    said = f", in which {listed} … are not read as offsets from UTC"
                return found.astype("datetime64[ns]"), f"times from file names{said}"
    for back in range(1, 4):
        runs = [re.findall(r"\d+", name) for name in names]
        if all(len(run) >= back for run in runs):
            numbers = np.array([int(run[-back][-18:]) for run in runs])
            if len(np.unique(numbers)) == len(numbers):
                return numbers, "frames numbered by file names"
    return np.argsort(np.argsort(np.array(with_folders))), "frames in the order of file names"


def _stem(path: PurePath) -> str:
    name = path.name
    while (ending := PurePath(name).suffix) and not re.search(r"\d", ending):
        name = name[: -len(ending)]
    return name


def _parsed(name: str, pattern: str) -> datetime | None:
    """Return the time of a name by ``pattern``, in UTC, or of its part before a numeric ending."""
    for text in (name, PurePath(name).stem):
        try:
            time = datetime.strptime(text, pattern)
        except ValueError:
            continue
        return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time
    return None


def _span(offset: str) -> timedelta:
    """Return an offset from UTC that is written as +0130 or +01:30; nothing for an empty one."""
    digits = offset[1:].replace(":", "") or "0000"
    ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -ahead if offset.startswith("-") else ahead


def _are_from_utc(offsets: Sequence[str]) -> bool:
    """Whether these are offsets from UTC: the same in all names, or +0100 in winter and +0200 in summer.

    More of them are lead times, those after - may be the end of an interval, and -0100 may be a number.
    """
    if len(offsets) == 1:
        return offsets[0].startswith("+") or ":" in offsets[0]
    return len(offsets) == 2 and all(offset.startswith("+") for offset in offsets)


def _found(expression: re.Pattern[str], text: str, back: int) -> tuple[datetime | None, str]:
    """Return the time at the last match (``back`` 1) or the one before, None without one, and its offset from UTC."""
    matches = list(expression.finditer(text))
    if len(matches) < back:
        return None, ""
    part = matches[-back].groupdict()
    year = int(part["Y"]) if "Y" in part else (lambda y: 1900 + y if y > 68 else 2000 + y)(int(part["y"]))
    hour, minute, second = (int(part.get(name) or 0) for name in ("H", "M", "S"))
    hour = int(part.get("h") or hour)
    clock, offset = timedelta(hours=hour, minutes=minute, seconds=second), part.get("o") or ""
    try:
        if "j" in part:
            return datetime(year, 1, 1) + timedelta(days=int(part["j"]) - 1) + clock, offset
        return datetime(year, int(part["m"]), int(part["d"])) + clock, offset
    except ValueError:
        return None, ""
