"""Motion of the pixels of a region in its frame: differential rotation and foreshortening.

A region is cut about a tracked point, so that its mean position is fixed. Differential rotation still shears it, and
foreshortening changes it towards the limb. Both are known in advance.
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from framecast.data.archive.reader import Archive
from framecast.domains.solar.cut import offsets
from framecast.domains.solar.fits_header import earth_observer
from framecast.domains.solar.projection import project, unproject
from framecast.domains.solar.tracks import drift_rate
from framecast.videos.frames import FrameSpec

if TYPE_CHECKING:
    from framecast.data.windows import Window

_CARRINGTON = 14.1844
"""Rotation rate of Carrington coordinates in degrees per day."""

_EARTH = 0.9856
"""Orbital rate of an observer near the Earth in degrees per day."""

_DAY = 86400.0


def can_rotate(archive: Archive) -> bool:
    """Return whether the archive contains tracked regions with positions in the sky."""
    held = set(archive.sequence(archive.sequences[0]).variables)
    return "pixel_arcsec" in archive.attrs and {"hpc_x", "hpc_y"} <= held


def rotation_flow(archive: Archive, window: "Window", *, frames: FrameSpec) -> npt.NDArray[np.float32]:
    """Return the motion of the surface in the frame of a region, ``[2, y, x]``, pixels per ``frames.cadence``.

    It is that at the middle of the forecast, so that the displacement at its end is correct.
    Beyond the limb nothing moves. In a frame of fixed pointing all of the surface does, else what differs from the
    middle.
    """
    sequence, index = archive.sequence(window.sequence), window.indices[frames.past - 1]
    x0, y0 = (float(sequence[name].values[index]) for name in ("hpc_x", "hpc_y"))
    observer, pixel = earth_observer(window.issue_time), float(archive.attrs["pixel_arcsec"])
    law, fixed = sequence.attrs.get("rotation", "howard"), "pointing_arcsec" in sequence.attrs

    def seen(longitude: npt.ArrayLike, latitude: npt.ArrayLike, days: float) -> npt.NDArray[np.float64]:
        """Return x and y in arcsec of points of the surface so many days later."""
        turned = np.asarray(longitude) + days * (drift_rate(latitude, rotation=law) + _CARRINGTON - _EARTH)
        return np.stack(project(turned, latitude, observer)[:2])

    def middle(days: float) -> npt.NDArray[np.float64]:
        x, y = (x0, y0) if fixed else seen(*unproject(x0, y0, observer), days)
        return np.reshape((x, y), (2, 1, 1))

    halfway, half = frames.lead_times[-1] / 2 / _DAY, frames.cadence / 2 / _DAY
    (x,), (y,) = middle(halfway)
    surface = unproject(x + offsets(frames.width, pixel), (y + offsets(frames.height, pixel))[:, None], observer)
    before, after = (seen(*surface, days) - middle(halfway + days) for days in (-half, half))
    return np.nan_to_num((after - before) / pixel).astype(np.float32)
