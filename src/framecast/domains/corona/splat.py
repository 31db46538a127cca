"""Lines of light from points: each point is shared among the four pixels about it, then all are blurred at once.

That is linear in the number of points, moves smoothly by fractions of a pixel, and conserves flux at any size.
"""

import numpy as np
from scipy.sparse import csc_array

from framecast.domains.corona.pixel_grid import Array, FloatArray
from framecast.domains.corona.spec import CoronaSpec


class Splat:
    """Sums points into frames and blurs them by a Gaussian of ``sigma`` pixels."""

    def __init__(self, spec: CoronaSpec, sigma: float) -> None:
        # Narrower than a pixel, a loop keeps its flux and is drawn as wide as the camera resolves.
        drawn = max(sigma, 0.7)
        self._margin = int(np.ceil(4 * drawn)) + 1
        self._size = spec.height + 2 * self._margin, spec.width + 2 * self._margin
        self._rows = _blur(spec.height, self._margin, drawn)
        self._columns = _blur(spec.width, self._margin, drawn).T.copy()
        self._peak = np.float32(np.sqrt(2 * np.pi) * sigma)

    def draw(self, y: Array, x: Array, light: FloatArray) -> FloatArray:
        """Return ``[frame, channel, y, x]`` of points at ``y``, ``x`` ``[frame, point]`` (row, column of the frame).

        Args:
            y: rows.
            x: columns.
            light: value on the spine × length in pixels, ``[frame, point, channel]``.
        """
        frames, points, channels = light.shape
        height, width = self._size
        row, column = (y + self._margin).astype(np.float32), (x + self._margin).astype(np.float32)
        inside = (row >= 0) & (row < height - 1) & (column >= 0) & (column < width - 1)
        row, column = np.where(inside, row, np.float32(0.0)), np.where(inside, column, np.float32(0.0))
        top, left = row.astype(np.int32), column.astype(np.int32)
        down, right = row - top.astype(np.float32), column - left.astype(np.float32)
        # A point outside has no share in any pixel: its row and column, hence down and right, are 0.
        up, back = inside - down, 1 - right
        # One column of four entries per point: a sparse matrix from points to pixels, which never needs sorting.
        share = np.stack([up * back, up * right, down * back, down * right], axis=-1)
        corner = np.arange(0, frames * height * width, height * width, dtype=np.int32)[:, None] + top * width + left
        pixel = corner[..., None] + np.array([0, 1, width, width + 1], np.int32)
        ends = np.arange(0, 4 * frames * points + 1, 4, dtype=np.int32)
        shape = (frames * height * width, frames * points)
        sums = csc_array((share.ravel(), pixel.ravel(), ends), shape=shape) @ light.reshape(-1, channels)
        image = np.ascontiguousarray(sums.reshape(frames, height, width, channels).transpose(0, 3, 1, 2))
        return self._peak * (self._rows @ image @ self._columns)


def _blur(size: int, margin: int, sigma: float) -> FloatArray:
    """Return the matrix ``[size, size + 2 margin]`` that blurs a padded axis by a Gaussian of unit sum."""
    offset = np.arange(size + 2 * margin)[None, :] - margin - np.arange(size)[:, None]
    kernel = np.exp(-0.5 * np.square(offset / sigma))
    return (kernel / np.exp(-0.5 * np.square(np.arange(-8 * margin, 8 * margin + 1) / sigma)).sum()).astype(np.float32)
