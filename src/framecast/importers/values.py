"""What stored values mean beyond their unit: those that stand for "not seen", and those that float32 cannot hold."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from framecast.core.errors import DataError

_USUAL: tuple[float, ...] = (
    *(-9999.0, -999.0, -99.0, -9999.9, -999.9, -99.9, -99999.0, -32768.0, -32767.0, -1e30, -1e20, -1e10),
    *(9999.0, 999.0, 99999.0, 999999.0, 32767.0, 65535.0, 1e10, 1e15, 1e20, 1e30),
)
_NETCDF_FILL = 9.969209968386869e36
"""What the NetCDF library writes where nothing was written."""

_LIMITS = np.finfo(np.float32)


def means(stored: npt.NDArray[np.generic], value: float) -> npt.NDArray[np.bool_]:
    """Return where ``stored`` is ``value``, as written out or as float32 keeps it."""
    return (stored == value) | (stored == np.float64(np.float32(value)))


def to_float32(stored: npt.NDArray[np.generic], name: str) -> npt.NDArray[np.float32]:
    """Return ``stored`` as float32, NaN where the NetCDF library would have found nothing written.

    Raises:
        DataError: float32 cannot hold a value.
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
            f"{name} holds {stored[lost][0]:g}, which float32 ({_LIMITS.tiny:.0e} to {_LIMITS.max:.0e}) cannot: "
            "import it in a larger or smaller unit with --scale and --unit"
        )
    return values


class ValueWatch:
    """Looks for values that seem to stand for "not seen" while a file is read.

    Args:
        missing: the values that the user says mean so.
    """

    def __init__(self, missing: Sequence[float] = ()) -> None:
        self.missing, self.matched, self.frames = missing, 0, 0
        self._low, self._high = np.inf, -np.inf
        self._suspects: Counter[float] = Counter()

    def see(self, known: npt.NDArray[np.floating], matched: int, frames: int) -> None:
        """Look at the stored values ``known`` (no NaN) of so many frames, in which ``missing`` was ``matched``."""
        self.matched += matched
        self.frames += frames
        for usual in _suspicious(known):
            found = means(known, usual)
            self._suspects[usual] += int(found.sum())
            known = known[~found]
        if known.size:
            self._low, self._high = min(self._low, float(known.min())), max(self._high, float(known.max()))

    def notes(self, frames: int) -> tuple[str, ...]:
        """Return what a person should know, if all of ``frames`` were looked at."""
        if self.frames < frames:
            return ()
        found = []
        if self.missing and not self.matched:
            found.append(f"--missing {','.join(f'{value:g}' for value in self.missing)} matches no stored value")
        apart = max(self._high - self._low, 0.0)
        for value, count in self._suspects.items():
            if value < self._low - apart or value > self._high + apart:
                found.append(
                    f"{count} values are {value:g}, far from all others ({self._low:g} to {self._high:g}): "
                    f"if that means unknown, import again with --missing {value:g}"
                )
        return tuple(found)


def _suspicious(known: npt.NDArray[np.floating]) -> list[float]:
    if not known.size:
        return []
    ends = float(known.min()), float(known.max())
    return [usual for usual in _USUAL if any(end in (usual, float(np.float32(usual))) for end in ends)]
