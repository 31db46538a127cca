"""Whether a point of the Sun lies in what a sequence shows."""

import numpy as np
import numpy.typing as npt
import xarray as xr

_DAY = np.timedelta64(1, "D")


def shows(
    sequence: xr.Dataset, times: npt.NDArray[np.datetime64], points: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """Return for each point whether it is within the sequence's frame at its time.

    The frame moves evenly between two images, and for a day before the first and after the last as it did last.

    Args:
        sequence: a region of an archive; without coordinates that say where on the Sun it is, it shows nothing.
        times: ``[point]``.
        points: ``[point, 2]``, helioprojective x and y in arcsec; NaN is nowhere.
    """
    if not {"hpc_x", "hpc_y", "x", "y"} <= set(sequence.coords):
        return np.zeros(len(times), bool)
    own = sequence["time"].values.astype("datetime64[ns]")
    within = (own[0] - _DAY <= times) & (times <= own[-1] + _DAY)
    for axis, name in enumerate(("x", "y")):
        side = sequence[name].values
        half = (side[-1] - side[0]) * len(side) / max(1, len(side) - 1) / 2
        middle = _moved(own, sequence[f"hpc_{name}"].values, times)
        within &= np.abs(points[:, axis] - middle) <= abs(half)
    return within


def _moved(
    times: npt.NDArray[np.datetime64], values: npt.NDArray[np.float64], wanted: npt.NDArray[np.datetime64]
) -> npt.NDArray[np.float64]:
    """Return ``values`` at the ``wanted`` times, linear between ``times`` and going on beyond them."""
    known, asked = ((moments - times[0]) / np.timedelta64(1, "s") for moments in (times, wanted))
    found = np.interp(asked, known, values)
    if len(known) > 1:
        first, last = np.diff(values)[[0, -1]] / np.diff(known)[[0, -1]]
        found += np.minimum(asked - known[0], 0) * first + np.maximum(asked - known[-1], 0) * last
    return found
