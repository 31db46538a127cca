"""Regions cut out of an image with one interpolation: north up, sub-pixel positions, no aliasing.

Every output pixel is the mean over a small lattice of samples that covers it, each taken from the image's cubic spline
at its direction. The lattice is as fine as the image's own pixels, so that a coarser output averages over everything it
covers (no aliasing, no flicker as a feature drifts across pixels) while an output as fine as the image is a plain cubic
interpolation. Rotation, scale and position enter in the same single step.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from framecast.core.errors import DataError
from framecast.domains.solar.disk_pictures import read_picture
from framecast.domains.solar.image import FrameHeader, Pointing
from framecast.domains.solar.observations import Rejected
from framecast.domains.solar.options import View
from framecast.domains.solar.projection import from_centre
from framecast.domains.solar.radiometry import Radiometry
from framecast.domains.solar.reader import read_image

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Moment:
    """One moment to cut: its files, the positions (arcsec) of all visible regions, and how they become frames."""

    frames: tuple[FrameHeader | None, ...]
    x: Array
    y: Array
    view: View
    radiometry: Radiometry


@dataclass(frozen=True)
class Extract:
    """Result of a `Moment`.

    Attributes:
        intensity: ``[region, channel, row, column]`` in the unit of the images, NaN where masked.
        saturated: pixels of each frame that are masked because they overlap saturated ones, ``[region, channel]``.
        missing: pixels without a value in each file that was read.
        overexposed: saturated pixels in each of them.
        failed: files that could not be read.
    """

    intensity: npt.NDArray[np.float32]
    saturated: npt.NDArray[np.int32]
    missing: tuple[int, ...]
    overexposed: tuple[int, ...]
    failed: tuple[Rejected, ...]


def extract(moment: Moment) -> Extract:
    """Read the files of one moment, once each, and cut all regions seen in them."""
    view = moment.view
    intensity = np.full((len(moment.x), len(moment.frames), view.height, view.width), np.nan, np.float32)
    saturated = np.zeros(intensity.shape[:2], np.int32)
    missing, overexposed, failed = [], [], []
    for channel, frame in enumerate(moment.frames):
        if frame is None:
            continue
        try:
            image = read_image(frame.path) if frame.disk is None else read_picture(frame)
        except DataError as error:
            failed.append(Rejected(frame.path, str(error)))
            continue
        missing.append(int(np.isnan(image.data).sum()))
        overexposed.append(int(moment.radiometry.saturated(image).sum()))
        seen = cut(
            moment.radiometry.rate(image),
            frame.pointing,
            moment.x,
            moment.y,
            pixel=view.pixel,
            height=view.height,
            width=view.width,
            limb=frame.observer.limb if view.off_limb == "mask" else None,
        )
        if overexposed[-1]:
            spoilt = cut_mask(moment.radiometry.spoilt(image), frame.pointing, moment.x, moment.y, view)
            saturated[:, channel] = (spoilt & ~np.isnan(seen)).sum(axis=(1, 2))
            seen[spoilt] = np.nan
        intensity[:, channel] = seen
    return Extract(intensity, saturated, tuple(missing), tuple(overexposed), tuple(failed))


def cut_mask(mask: Mask, pointing: Pointing, x: npt.ArrayLike, y: npt.ArrayLike, view: View) -> Mask:
    """Return which pixels of each field of view ``[region, row, column]`` see one of ``mask`` ``[row, column]``."""
    factor = _fineness(view.pixel, pointing)
    across = offsets(view.width * factor, view.pixel / factor)
    up = offsets(view.height * factor, view.pixel / factor)
    x, y = np.atleast_1d(np.asarray(x, np.float64)), np.atleast_1d(np.asarray(y, np.float64))
    result = np.zeros((len(x), view.height, view.width), bool)
    for region, (x0, y0) in enumerate(zip(x, y, strict=True)):
        column, row = pointing.pixels(x0 + across[None, :], y0 + up[:, None])
        result[region] = _block_sum(_seen(row, column, mask, whole=False).astype(np.float64), factor) > 0
    return result


def cut(
    data: npt.NDArray[np.float32],
    pointing: Pointing,
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    pixel: float,
    height: int,
    width: int,
    limb: float | None = None,
) -> npt.NDArray[np.float32]:
    """Return the fields of view centred at ``x``, ``y`` (arcsec, ``[region]``) in pixels of side ``pixel`` (arcsec).

    A pixel is NaN where less than half of it is covered by pixels of ``data`` ``[row, column]`` that have a value, and
    beyond ``limb``, the angular radius of the disk in arcsec, if it is given. The spline overshoots beside bright
    points; what leaves the range of the image's values is clipped to it.

    Returns:
        ``[region, row, column]`` float32; row 0 is the southernmost, column 0 the easternmost.
    """
    factor = _fineness(pixel, pointing)
    finite = np.isfinite(data)
    whole = bool(finite.all())
    spline = ndimage.spline_filter(data if whole else _filled(data, finite), order=3, output=np.float64, mode="mirror")
    low, high = np.nanmin(data), np.nanmax(data)
    across = offsets(width * factor, pixel / factor)
    up = offsets(height * factor, pixel / factor)
    x, y = np.atleast_1d(np.asarray(x, np.float64)), np.atleast_1d(np.asarray(y, np.float64))
    result = np.empty((len(x), height, width), np.float32)
    for region, (x0, y0) in enumerate(zip(x, y, strict=True)):
        column, row = pointing.pixels(x0 + across[None, :], y0 + up[:, None])
        samples = ndimage.map_coordinates(spline, [row, column], order=3, mode="mirror", prefilter=False)
        seen = _seen(row, column, finite, whole)
        values = samples.clip(low, high)
        if seen.all():
            result[region] = _block_sum(values, factor) / factor**2
        else:
            count = _block_sum(seen.astype(np.float64), factor)
            total = _block_sum(np.where(seen, values, 0.0), factor)
            result[region] = np.where(count >= factor**2 / 2, total / np.maximum(count, 1), np.nan)
        if limb is not None:
            distance = from_centre(x0 + offsets(width, pixel)[None, :], y0 + offsets(height, pixel)[:, None])
            result[region][distance > limb] = np.nan
    return result


def offsets(count: int, step: float) -> Array:
    """Return the middles of ``count`` pixels in arcsec, ``step`` apart and centred on 0."""
    return (np.arange(count, dtype=np.float64) - (count - 1) / 2) * step


def _fineness(pixel: float, pointing: Pointing) -> int:
    """Return how many samples along each side of a pixel (arcsec) are as fine as the image's own pixels."""
    return max(1, int(np.ceil(pixel / pointing.scale - 0.1)))


def _block_sum(samples: Array, factor: int) -> Array:
    rows, columns = samples.shape
    return samples.reshape(rows // factor, factor, columns // factor, factor).sum(axis=(1, 3))


def _seen(row: Array, column: Array, finite: Mask, whole: bool) -> Mask:
    """Return which samples fall on a pixel of the image that has a value."""
    i, j = np.floor(row + 0.5).astype(np.int64), np.floor(column + 0.5).astype(np.int64)
    inside = (i >= 0) & (j >= 0) & (i < finite.shape[0]) & (j < finite.shape[1])
    if not whole:
        inside[inside] = finite[i[inside], j[inside]]
    return inside


def _filled(data: npt.NDArray[np.float32], finite: Mask) -> npt.NDArray[np.float32]:
    """Return ``data`` with every hole filled by the nearest value, so that the spline does not ring at its edge."""
    nearest = ndimage.distance_transform_edt(~finite, return_distances=False, return_indices=True)
    return data[tuple(nearest)]
