"""The last frame of a region turned with the Sun, pixel by pixel: persistence that knows rotation and foreshortening.

A region is cut about a point that is followed, so that it stays in place on the whole. Its northern part still lags
behind its southern one, and all of it is foreshortened on its way to the limb. Both are known in advance: each pixel
of a frame to come is traced back to the place in the last frame at which that point of the surface was then.
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from framecast.data.archive.reader import Archive
from framecast.domains.solar.cut import offsets
from framecast.domains.solar.projection import SOLAR_RADIUS, Observer, project, unproject
from framecast.domains.solar.tracks import drift_rate
from framecast.videos.frames import FrameSpec

if TYPE_CHECKING:
    from framecast.data.windows import Window

_CARRINGTON = 14.1844
"""Degrees per day by which Carrington's coordinates turn."""

_EARTH = 0.9856
"""Degrees per day by which an observer near the Earth goes around the Sun."""

_DAY = 86400.0


def can_rotate(archive: Archive) -> bool:
    """Return whether the archive holds tracked regions of which it says where in the sky they are."""
    held = set(archive.sequence(archive.sequences[0]).variables)
    return "pixel_arcsec" in archive.attrs and {"hpc_x", "hpc_y"} <= held


def rotated(archive: Archive, window: "Window", last: npt.NDArray[np.float32], *, frames: FrameSpec) -> np.ndarray:
    """Return the last frame at each lead time as rotation alone would have it, ``[channel, time, y, x]``.

    A pixel whose place was not in the last frame, or behind the limb, keeps its value.

    Args:
        archive: with tracked regions.
        window: where the forecast is issued.
        last: the last frame seen, ``[channel, y, x]``.
        frames: lead times and size.
    """
    sequence, index = archive.sequence(window.sequence), window.indices[frames.past - 1]
    x0, y0 = (float(sequence[name].values[index]) for name in ("hpc_x", "hpc_y"))
    observer, pixel = _observer(window.issue_time), float(archive.attrs["pixel_arcsec"])
    across, up = offsets(frames.width, pixel), offsets(frames.height, pixel)
    longitude, latitude = unproject(x0, y0, observer)
    found = np.empty((len(last), frames.future, frames.height, frames.width), np.float32)
    for k, seconds in enumerate(frames.lead_times):
        days = seconds / _DAY
        x, y, _ = _seen(longitude + days * _turn(latitude), latitude, observer)
        there = unproject(x + across[None, :], y + up[:, None], observer)
        west, north, facing = _seen(there[0] - days * _turn(there[1]), there[1], observer)
        column, row = (west - x0 - across[0]) / pixel, (north - y0 - up[0]) / pixel
        known = np.isfinite(column) & (facing > 0)
        place = np.where(known, [row, column], -1e6)
        for channel, own in enumerate(last):
            values = ndimage.map_coordinates(own, place, order=1, mode="constant", cval=np.nan)
            found[channel, k] = np.where(np.isfinite(values), values, own)
    return found


def _turn(latitude: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return degrees of longitude per day as seen from the Earth."""
    return drift_rate(latitude) + _CARRINGTON - _EARTH


def _seen(longitude: npt.ArrayLike, latitude: npt.ArrayLike, observer: Observer) -> tuple[np.ndarray, ...]:
    return project(
        longitude,
        latitude,
        observer_longitude=observer.longitude,
        observer_latitude=observer.latitude,
        distance=observer.distance,
    )


def _observer(time: np.datetime64) -> Observer:
    """Return an observer at the Earth, whose meridian is longitude 0."""
    import astropy.units as u
    from sunpy.coordinates import sun

    when = str(time.astype("datetime64[s]"))
    distance = sun.earth_distance(when).to_value(u.m)
    assert distance > SOLAR_RADIUS
    return Observer(longitude=0.0, latitude=float(sun.B0(when).to_value(u.deg)), distance=float(distance))
