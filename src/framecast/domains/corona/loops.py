"""The loops: rows of points along parabolas, whose light follows from brightness, temperature and stored energy."""

from itertools import pairwise

import numpy as np
from scipy.sparse import csc_array

from framecast.domains.corona.region import WIDTHS, Region
from framecast.domains.corona.response import response
from framecast.domains.corona.spec import CoronaSpec
from framecast.domains.corona.state import STAGES, StateLayout
from framecast.domains.corona.waves import Array, FloatArray

# What flare plasma does in each stage: log10 temperature, emission measure, and how much it keeps to the feet (the
# ribbons) instead of filling the loop; above 1, also how much brighter the feet are.
_STAGE_TEMPERATURE = (7.20, 6.85, 6.35, 6.00)
_STAGE_EMISSION = (0.15, 1.0, 0.10, 0.04)
_STAGE_FEET = (4.0, 0.0, 0.0, 0.5)

# Flare plasma below this emission measure has drained.
_NO_FLARE = 1e-4

# What stored energy does to an arcade, per critical energy: e-folds of emission, log10 of temperature.
_ENERGY_BRIGHTENS, _ENERGY_HEATS, _ENERGY_REFERENCE = 1.3, 0.25, 0.5


class Loops:
    """Draws the loops of one region."""

    def __init__(self, spec: CoronaSpec, region: Region) -> None:
        self._spec = spec
        self._region = region
        self._layout = StateLayout.of(spec)
        self._arcade = region.arcade.astype(int)
        # An arcade's brighter loops take more of its flares.
        weight = np.where(self._arcade >= 0, np.exp(region.brightness), 0.0)
        total = np.bincount(np.maximum(self._arcade, 0), weight, minlength=spec.arcades)
        self._flare_share = weight / total[self._arcade]
        scale = float(min(spec.height, spec.width))
        self._points = LoopPoints(region, scale)
        self._splats = [Splat(spec, width * scale) for width in WIDTHS]

    def draw(self, states: Array, displacement: Array, separation: Array) -> FloatArray:
        """Return the loops' DN/s, ``[frame, channel, y, x]``; for the arguments see `Background.draw`."""
        points = self._points
        feet = self._feet(states, displacement, separation)
        y, x, length = points.place(feet, self._layout.loop_part(states, 2))
        light = points.light(self._emission(states), self._flare_emission(states), self._spec.channels)
        light *= length[..., None].astype(np.float32)
        centre_y, centre_x = (self._spec.height - 1) / 2, (self._spec.width - 1) / 2
        ends = np.searchsorted(points.profile, np.arange(len(WIDTHS) + 1))
        parts = [slice(*pair) for pair in pairwise(ends)]
        frames = [
            splat.draw(y[:, part] + centre_y, x[:, part] + centre_x, light[:, part])
            for splat, part in zip(self._splats, parts, strict=True)
        ]
        return np.sum(frames, axis=0)

    def _feet(self, states: Array, displacement: Array, separation: Array) -> tuple[Array, Array]:
        """Return the loops' footpoints ``[frame, loop, 2]``: carried by the polarities, sheared by stored energy."""
        region = self._region
        energy = self._layout.arcade_part(states)[..., 0]
        shear = energy[..., None] * region.shear
        shear = np.where((region.arcade >= 0)[:, None], shear[:, self._arcade], 0.0)
        both = displacement[:, None]
        a = region.foot_a + both + region.polarity_a[:, None] * separation[:, None] + shear
        b = region.foot_b + both + region.polarity_b[:, None] * separation[:, None] - shear
        return a, b

    def _emission(self, states: Array) -> tuple[Array, Array]:
        """Return the loops' emission measure and log10 temperature, ``[frame, loop]``."""
        region, layout = self._region, self._layout
        arcade = self._arcade
        energy = layout.arcade_part(states)[..., 0][:, arcade] - _ENERGY_REFERENCE
        energy = np.where(arcade >= 0, energy, 0.0)
        brightness = region.brightness + region.brightness_spread * layout.loop_part(states, 0)
        temperature = region.temperature + region.temperature_spread * layout.loop_part(states, 1)
        return np.exp(brightness + _ENERGY_BRIGHTENS * energy), temperature + _ENERGY_HEATS * energy

    def _flare_emission(self, states: Array) -> Array:
        """Return the emission measure of flare plasma in each loop and stage, ``[frame, stage, loop]``."""
        stages = self._layout.arcade_part(states)[..., 2:] * np.array(_STAGE_EMISSION)
        stages = np.where(stages > _NO_FLARE, stages, 0.0)
        return stages.swapaxes(1, 2)[..., self._arcade] * self._flare_share


class LoopPoints:
    """The points along all loops, sorted by width so that each width is one slice."""

    def __init__(self, region: Region, scale: float) -> None:
        order = np.argsort(region.profile, kind="stable")
        span = np.linalg.norm(region.foot_b - region.foot_a, axis=-1)
        # The fastest that s may run along the loop, with room for moving feet and sway.
        reach = (span + 5.0 * np.linalg.norm(region.bulge, axis=-1) + 0.05) * scale
        # At this spacing the sum over points, shared among pixels and blurred, ripples by 3 % at most.
        spacing = np.maximum(0.9, 0.9 * np.array(WIDTHS)[region.profile.astype(int)] * scale)
        counts = np.ceil(reach / spacing).astype(int)[order] + 1
        self.loop = np.repeat(order, counts)
        self.profile = region.profile[self.loop]
        first = np.repeat(np.cumsum(counts) - counts, counts)
        self._s = (np.arange(self.loop.size) - first + 0.5) / np.repeat(counts, counts)
        self._step = 1.0 / np.repeat(counts, counts)
        self._arch = 4.0 * self._s * (1.0 - self._s)
        self._region = region
        self._scale = scale
        r, s = region, self._s
        ends = np.minimum(1.0, 8.0 * np.minimum(s, 1.0 - s) + 0.3)
        self._shape = ends * np.exp(-r.slope[self.loop] * s - r.dip[self.loop] * self._arch)
        feet = np.exp(-np.square(np.minimum(s, 1.0 - s) / 0.12))
        self._feet = 1.0 - np.minimum(1.0, np.array(_STAGE_FEET))[:, None] * (1.0 - feet)
        self._feet *= np.maximum(1.0, np.array(_STAGE_FEET))[:, None] * ends

    def place(self, feet: tuple[Array, Array], sway: Array) -> tuple[Array, Array, Array]:
        """Return y, x and the length of loop per point in pixels, ``[frame, point]``, from the frame's centre."""
        a, b = feet
        bulge = (1.0 + 0.25 * sway[..., None]) * self._region.bulge
        y, dy = self._parabola(a[..., 0], b[..., 0], bulge[..., 0])
        x, dx = self._parabola(a[..., 1], b[..., 1], bulge[..., 1])
        return y, x, np.hypot(dy, dx) * self._step

    def _parabola(self, a: Array, b: Array, bulge: Array) -> tuple[Array, Array]:
        """Return coordinate and its derivative in s, ``[frame, point]``, in pixels."""
        across, arch = self._scale * (b - a)[:, self.loop], self._scale * bulge[:, self.loop]
        start = self._scale * a[:, self.loop]
        return start + across * self._s + arch * self._arch, across + arch * (4.0 - 8.0 * self._s)

    def light(self, steady: tuple[Array, Array], flares: Array, channels: tuple[str, ...]) -> FloatArray:
        """Return the DN/s of a loop's spine at each point, ``[frame, point, channel]``."""
        emission, temperature = steady
        light = np.empty((len(emission), self.loop.size, len(channels)), np.float32)
        burning = flares.max(axis=(0, 2)) > 0.0
        for k, channel in enumerate(channels):
            light[:, :, k] = (emission * response(channel, temperature))[:, self.loop] * self._shape
            for stage in range(STAGES):
                if burning[stage]:
                    seen = response(channel, np.array(_STAGE_TEMPERATURE[stage]))
                    light[:, :, k] += (seen * flares[:, stage])[:, self.loop] * self._feet[stage]
        return light


class Splat:
    """Lines of light from points: each is shared among the four pixels about it, then all are blurred at once.

    The blur is a Gaussian of ``sigma`` pixels. That is linear in the number of points, moves smoothly by fractions of a
    pixel, and conserves flux at any size.
    """

    def __init__(self, spec: CoronaSpec, sigma: float) -> None:
        # Narrower than a pixel, a loop keeps its flux and is drawn as wide as the camera resolves.
        drawn = max(sigma, 0.7)
        self._margin = int(np.ceil(4 * drawn)) + 1
        self._size = spec.height + 2 * self._margin, spec.width + 2 * self._margin
        self._rows = _blur(spec.height, self._margin, drawn)
        self._columns = _blur(spec.width, self._margin, drawn).T.copy()
        self._peak = np.float32(np.sqrt(2 * np.pi) * sigma)

    def draw(self, y: Array, x: Array, light: FloatArray) -> FloatArray:
        """Return ``[frame, channel, y, x]`` of points at rows ``y`` and columns ``x`` ``[frame, point]``.

        ``light`` is the value on the spine × length in pixels, ``[frame, point, channel]``.
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
