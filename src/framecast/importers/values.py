"""Special stored values: codes for missing data, and values outside the range of float32."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from framecast.core.errors import DataError
from framecast.videos.units import same_unit

_POSSIBLE: tuple[tuple[str, float, float], ...] = (
    ("K", 0, np.inf),
    ("degC", -273.15, np.inf),
    ("dBZ", -60, 90),
    ("dBZH", -60, 90),
    ("mm/h", 0, 3000),
    ("%", -100, 1000),
)
"""Units, and the physical range of quantities in them."""

_MOST_SUSPECTS = 8
_NETCDF_FILL = 9.969209968386869e36
"""Fill values of the NetCDF library."""

_LIMITS = np.finfo(np.float32)


def means(stored: npt.NDArray[np.generic], value: float) -> npt.NDArray[np.bool_]:
    """Return where ``stored`` is ``value``, as written out or as float32 keeps it."""
    with np.errstate(over="ignore"):
        return (stored == value) | (stored == np.float64(np.float32(value)))


def to_float32(stored: npt.NDArray[np.generic], name: str) -> npt.NDArray[np.float32]:
    """Return ``stored`` as float32, NaN for fill values of the NetCDF library.

    Raises:
        DataError: a value is outside the range of float32.
    """
    if stored.dtype.kind != "f" or stored.dtype.itemsize < 4:
        return stored.astype(np.float32)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        size = np.abs(stored)
        values = stored.astype(np.float32)
        lost = np.isfinite(size) & ((size > _LIMITS.max) | ((size > 0) & (size < _LIMITS.tiny)))
    values[means(stored, _NETCDF_FILL)] = np.nan
    if lost.any():
        raise DataError(
            f"{name} contains {stored[lost][0]:g}, outside the range of float32 ({_LIMITS.tiny:.0e} to "
            f"{_LIMITS.max:.0e}): import it in a larger or smaller unit with --scale and --unit"
        )
    return values


def implausible(channel: str, unit: str, low: float, high: float) -> str:
    """Return a remark on a channel with values outside the range of its unit; empty if there are none."""
    for known, least, most in _POSSIBLE:
        slack = 0.01 * (high - low)
        if (low < least - slack or high > most + slack) and same_unit(unit, known):  # in this order: it loads pint
            limits = f"{least:g} to {most:g}" if np.isfinite(most) else f"at least {least:g}"
            return (
                f"{channel} goes from {low:g} to {high:g} {unit}, and values in {unit} are {limits}, unless they "
                "are differences: convert stored codes to physical values with --scale and --offset"
            )
    return ""


@dataclass
class Growth:
    """Whether values never fall from one frame to the next, and how often some have grown.

    Attributes:
        last: the frame before, ``[y, x]``; None at the beginning of a video.
    """

    falls: int = 0
    rises: int = 0
    last: npt.NDArray[np.float32] | None = None

    @property
    def steady(self) -> bool:
        """Whether they have grown in several steps and never fallen."""
        return self.rises > 1 and not self.falls

    def see(self, frames: npt.NDArray[np.float32]) -> None:
        """Compare the next ``frames`` of a video, ``[frame, y, x]``, with each other and the one before."""
        if not self.falls:
            own = frames if self.last is None else np.concatenate([self.last[None], frames])
            steps = np.diff(own, axis=0)
            self.falls += int((steps < 0).any(axis=(1, 2)).sum())
            self.rises += int((steps > 0).any(axis=(1, 2)).sum())
            self.last = frames[-1].copy()


class ValueWatch:
    """Looks for values that seem to be codes for missing data while a file is read.

    Args:
        missing: the values given by the user.
        valid: the limits that the source states.
    """

    def __init__(self, missing: Sequence[float] = (), valid: tuple[float, float] = (-np.inf, np.inf)) -> None:
        self.missing, self.valid, self.matched, self.infinite, self.frames = missing, valid, 0, 0, 0
        self._low, self._high = np.inf, -np.inf
        self._suspects: Counter[float] = Counter()

    def see(self, known: npt.NDArray[np.floating], matched: int, frames: int) -> None:
        """Check the stored values ``known`` (no NaN) of so many frames, in which ``missing`` was ``matched``."""
        self.matched += matched
        self.frames += frames
        finite = np.isfinite(known)
        if not finite.all():
            self.infinite += int((~finite).sum())
            known = known[finite]
        for _ in range(_MOST_SUSPECTS):
            strange = _far(known)
            if strange is None:
                break
            found = means(known, strange)
            self._suspects[strange] += int(found.sum())
            known = known[~found]
        if known.size:
            self._low, self._high = min(self._low, float(known.min())), max(self._high, float(known.max()))

    def notes(self, frames: int) -> tuple[str, ...]:
        """Return remarks for the user, if all of ``frames`` were checked."""
        if self.frames < frames:
            return ()
        found = []
        if self.missing and not self.matched:
            found.append(f"--missing {','.join(f'{value:g}' for value in self.missing)} matches no stored value")
        if self.infinite:
            found.append(f"{self.infinite} values are infinite: they are masked")
        apart = max(self._high - self._low, 0.0)
        for value, count in self._suspects.items():
            far = value < self._low - apart or value > self._high + apart
            if count > 1 and apart > 0 and (far or value < 0 <= self._low):
                short = f"{float(str(np.float32(value))):.10g}"
                found.append(
                    f"{count} values are {short}, {'far from' if far else 'below'} all others ({self._low:g} to "
                    f"{self._high:g}): if that marks missing pixels, import again with --missing {short}"
                )
        low, high = self.valid
        slack = 1e-3 * apart
        if self._low < low - slack or self._high > high + slack:
            found.append(
                f"values go from {self._low:g} to {self._high:g}, and the source states {low:g} to {high:g} as "
                "valid: those beyond are kept; mask them with --mask EXPRESSION"
            )
        return tuple(found)


def _far(known: npt.NDArray[np.floating]) -> float | None:
    """Return the end of the values that is further from all others than they are from each other, or the only whole
    number below zero; a value that is alone there, too.
    """
    if not known.size:
        return None
    for end in (float(known.min()), float(known.max())):
        others = known[~means(known, end)]
        if not others.size:
            return end
        low, high = float(others.min()), float(others.max())
        if max(low - end, end - high) > high - low or (known.dtype.kind == "f" and end < 0 <= low and end.is_integer()):
            return end
    return None
