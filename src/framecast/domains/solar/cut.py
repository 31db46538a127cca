"""Regions cut out of an image with one interpolation: north up, sub-pixel positions, no aliasing.

Every output pixel is the mean over a small lattice of samples that covers it, each taken from the image's cubic
spline at the direction it looks to. The lattice is as fine as the image's own pixels, so that a coarser output
averages over everything it covers (no aliasing, no flicker as a feature drifts across pixels) while an output as fine
as the image is a plain cubic interpolation. Rotation, scale and position enter in the same single step.
"""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from framecast.domains.solar.image import Pointing
from framecast.domains.solar.projection import from_centre


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
    """Return the fields of view centred at ``x``, ``y``, as they would look in pixels of side ``pixel``.

    A pixel is NaN where less than half of it is covered by pixels of the image that have a value. The spline
    overshoots beside bright points; what leaves the range of the image's values is clipped to it.

    Args:
        data: the image, ``[row, column]``, NaN where there is none.
        pointing: where its pixels look.
        x: helioprojective x of the middle of each region, in arcsec, ``[region]``.
        y: helioprojective y, likewise.
        pixel: side of an output pixel, in arcsec.
        height: rows of the output.
        width: columns of the output.
        limb: angular radius of the disk in arcsec, beyond which pixels are masked; None masks none.

    Returns:
        ``[region, row, column]`` float32; row 0 is the southernmost, column 0 the easternmost.
    """
    factor = max(1, int(np.ceil(pixel / pointing.scale - 0.1)))
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


def offsets(count: int, step: float) -> npt.NDArray[np.float64]:
    """Return the middles of ``count`` pixels in arcsec, ``step`` apart and centred on 0."""
    return (np.arange(count, dtype=np.float64) - (count - 1) / 2) * step


def _block_sum(samples: npt.NDArray[np.float64], factor: int) -> npt.NDArray[np.float64]:
    rows, columns = samples.shape
    return samples.reshape(rows // factor, factor, columns // factor, factor).sum(axis=(1, 3))


def _seen(
    row: npt.NDArray[np.float64], column: npt.NDArray[np.float64], finite: npt.NDArray[np.bool_], whole: bool
) -> npt.NDArray[np.bool_]:
    """Return which samples fall on a pixel of the image that has a value."""
    i, j = np.floor(row + 0.5).astype(np.int64), np.floor(column + 0.5).astype(np.int64)
    inside = (i >= 0) & (j >= 0) & (i < finite.shape[0]) & (j < finite.shape[1])
    if not whole:
        inside[inside] = finite[i[inside], j[inside]]
    return inside


def _filled(data: npt.NDArray[np.float32], finite: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Return ``data`` with every hole filled by the nearest value, so that the spline does not ring at its edge."""
    nearest = ndimage.distance_transform_edt(~finite, return_distances=False, return_indices=True)
    return data[tuple(nearest)]
