"""From state to light: the DN/s that each passband would see on average.

A loop is a row of points along its parabola. Each point's light is shared among the four pixels about it, and the
sum over loops of one width is blurred by their Gaussian cross profile: that is linear in the number of points, moves
smoothly by fractions of a pixel, and conserves flux at any size of the frame.

The background is the quiet Sun and the plage about the polarities: emission measure and temperature modulated by
sums of plane waves that drift with the region.
"""

import numpy as np
import numpy.typing as npt

from framecast.data.corona.region import WIDTHS, Region
from framecast.data.corona.response import response
from framecast.data.corona.spec import CoronaSpec
from framecast.data.corona.state import STAGES, Layout, wavenumbers

Array = npt.NDArray[np.float64]
FloatArray = npt.NDArray[np.float32]

# Plane waves repeat after this many longer sides of the frame.
_PERIOD = 1.5

# What flare plasma does in each stage: log10 temperature, emission measure, and whether it sits at the feet (ribbons)
# or in the whole loop.
_STAGE_TEMPERATURE = (7.20, 6.85, 6.35, 6.00)
_STAGE_EMISSION = (0.15, 1.0, 0.10, 0.04)
_STAGE_FEET = (4.0, 0.0, 0.0, 0.5)

# The quiet Sun's emission measure and temperature; the spread of their modulation.
_QUIET, _QUIET_TEMPERATURE = 0.11, 6.13
_DENSITY_SPREAD, _TEMPERATURE_SPREAD, _TEXTURE_SPREAD = 0.45, 0.05, 0.30
_PLAGE_TEMPERATURE, _PLAGE_TEXTURE_SPREAD = 6.22, 0.75

# What stored energy does to an arcade, per critical energy: e-folds of emission, log10 of temperature.
_ENERGY_BRIGHTENS, _ENERGY_HEATS, _ENERGY_REFERENCE = 1.3, 0.22, 0.5


class Renderer:
    """Draws one region in the frame and the channels of a specification.

    Args:
        spec: frame, channels and constants.
        region: the region's fixed parameters.
    """

    def __init__(self, spec: CoronaSpec, region: Region) -> None:
        self._spec = spec
        self._region = region
        self._layout = Layout.of(spec)
        self._scale = float(min(spec.height, spec.width))
        self._loops = _LoopPoints(region, self._scale)
        self._profiles = [_Profile(spec, width * self._scale) for width in WIDTHS]
        self._waves = _Waves(spec, max(spec.modes, spec.texture_modes))

    def __call__(self, states: np.ndarray) -> FloatArray:
        """Return the expected intensity.

        Args:
            states: ``[..., component]``.

        Returns:
            DN/s, ``[..., channel, y, x]`` float32.
        """
        spec = self._spec
        flat = states.reshape(-1, states.shape[-1]).astype(np.float64)
        out = np.empty((len(flat), len(spec.channels), spec.height, spec.width), np.float32)
        # A few frames at a time: large frames would not fit into the cache, nor many into memory.
        step = max(1, 2**18 // (spec.height * spec.width))
        for start in range(0, len(flat), step):
            part = slice(start, start + step)
            out[part] = self._background(flat[part])
            self._add_loops(flat[part], out[part])
        return out.reshape(*states.shape[:-1], *out.shape[1:])

    def _motion(self, states: Array) -> tuple[Array, Array]:
        """Return the displacement of the region and that of the first polarity against it, ``[frame, (y, x)]``."""
        motion = self._layout.motion(states)
        return self._spec.drift * motion[:, :2], self._spec.separation * motion[:, 2:]

    def _background(self, states: Array) -> FloatArray:
        spec, region = self._spec, self._region
        displacement, separation = self._motion(states)
        phase = self._waves.drift(displacement)
        fields = self._layout.fields(states)
        density = self._waves.draw(self._waves.lattice(fields[:, 0], spec) * phase)
        warmth = self._waves.draw(self._waves.lattice(fields[:, 1], spec) * phase)
        fine = np.zeros(phase.shape[1:], np.complex64)
        rows, columns = region.texture.shape[1:]
        top = (fine.shape[0] - rows) // 2
        fine[top : top + rows, :columns] = region.texture[0] + 1j * region.texture[1]
        texture = self._waves.draw(fine * phase)

        y, x = self._coordinates()
        plage = np.zeros_like(density)
        for k, sign in enumerate((1.0, -1.0)):
            centre = region.poles[k] + displacement + sign * separation
            reach = region.plage_size[k]
            along_y = np.exp(-0.5 * np.square((y - centre[:, :1]) / reach))
            along_x = np.exp(-0.5 * np.square((x - centre[:, 1:]) / reach))
            plage += (region.plage[k] * along_y[:, :, None] * along_x[:, None, :]).astype(np.float32)
        quiet = _QUIET * np.exp(_DENSITY_SPREAD * density + _TEXTURE_SPREAD * texture)
        plage *= np.exp(_PLAGE_TEXTURE_SPREAD * texture + 0.5 * _DENSITY_SPREAD * density)
        cool = _QUIET_TEMPERATURE + _TEMPERATURE_SPREAD * warmth
        warm = _PLAGE_TEMPERATURE + _TEMPERATURE_SPREAD * warmth
        return np.stack([quiet * response(c, cool) + plage * response(c, warm) for c in spec.channels], axis=1)

    def _coordinates(self) -> tuple[Array, Array]:
        """Return the pixel centres' y and x, from the frame's centre, in shorter sides."""
        height, width = self._spec.height, self._spec.width
        return (np.arange(height) - (height - 1) / 2) / self._scale, (np.arange(width) - (width - 1) / 2) / self._scale

    def _add_loops(self, states: Array, frames: FloatArray) -> None:
        points = self._loops
        y, x, length = points.place(self._feet(states), self._layout.loop_part(states, 2))
        light = points.light(self._emission(states), self._flare_emission(states), self._spec.channels)
        centre_y, centre_x = (self._spec.height - 1) / 2, (self._spec.width - 1) / 2
        for index, profile in enumerate(self._profiles):
            mine = slice(*np.searchsorted(points.profile, [index, index + 1]))
            weight = light[:, :, mine] * length[:, None, mine]
            frames += profile.draw(y[:, mine] + centre_y, x[:, mine] + centre_x, weight)

    def _feet(self, states: Array) -> tuple[Array, Array]:
        """Return the loops' footpoints ``[frame, loop, 2]``: carried by the polarities, sheared by stored energy."""
        region = self._region
        displacement, separation = self._motion(states)
        energy = self._layout.arcade_part(states)[..., 0]
        shear = energy[..., None] * region.shear
        shear = np.where((region.arcade >= 0)[:, None], shear[:, region.arcade.astype(int)], 0.0)
        both = displacement[:, None]
        a = region.foot_a + both + region.polarity_a[:, None] * separation[:, None] + shear
        b = region.foot_b + both + region.polarity_b[:, None] * separation[:, None] - shear
        return a, b

    def _emission(self, states: Array) -> tuple[Array, Array]:
        """Return the loops' emission measure and log10 temperature, ``[frame, loop]``."""
        region, layout = self._region, self._layout
        arcade = region.arcade.astype(int)
        energy = layout.arcade_part(states)[..., 0][:, arcade] - _ENERGY_REFERENCE
        energy = np.where(arcade >= 0, energy, 0.0)
        brightness = region.brightness + region.brightness_spread * layout.loop_part(states, 0)
        temperature = region.temperature + region.temperature_spread * layout.loop_part(states, 1)
        return np.exp(brightness + _ENERGY_BRIGHTENS * energy), temperature + _ENERGY_HEATS * energy

    def _flare_emission(self, states: Array) -> Array:
        """Return the emission measure of flare plasma in each loop and stage, ``[frame, stage, loop]``."""
        arcade = self._region.arcade.astype(int)
        stages = self._layout.arcade_part(states)[..., 2:][:, arcade] * np.array(_STAGE_EMISSION)
        share = np.exp(self._region.brightness - self._region.brightness.mean()) / self._spec.arcade_loops
        return np.where((arcade >= 0)[:, None], stages * share[:, None], 0.0).swapaxes(1, 2)


class _LoopPoints:
    """The points along all loops, sorted by width so that each width is one slice."""

    def __init__(self, region: Region, scale: float) -> None:
        order = np.argsort(region.profile, kind="stable")
        span = np.linalg.norm(region.foot_b - region.foot_a, axis=-1)
        # The longest a loop may become: its parabola's length, and room for moving feet.
        reach = (span + 2.0 * np.linalg.norm(region.bulge, axis=-1) + 0.1) * scale
        # Points lie closer than the narrower of a pixel and the loop's own standard deviation.
        spacing = np.maximum(1.0, np.array(WIDTHS)[region.profile.astype(int)] * scale)
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

    def light(self, steady: tuple[Array, Array], flares: Array, channels: tuple[str, ...]) -> Array:
        """Return the DN/s of a loop's spine at each point, ``[frame, channel, point]``."""
        emission, temperature = steady
        frames = len(emission)
        light = np.empty((frames, len(channels), self.loop.size))
        burning = flares.max(axis=(0, 2)) > 1e-4
        for k, channel in enumerate(channels):
            light[:, k] = (emission * response(channel, temperature))[:, self.loop] * self._shape
            for stage in range(STAGES):
                if burning[stage]:
                    seen = response(channel, np.array(_STAGE_TEMPERATURE[stage]))
                    light[:, k] += (seen * flares[:, stage])[:, self.loop] * self._feet[stage]
        return light


class _Profile:
    """Sums points into frames and blurs them by a Gaussian of ``sigma`` pixels."""

    def __init__(self, spec: CoronaSpec, sigma: float) -> None:
        # Narrower than a pixel, a loop keeps its flux and is drawn as wide as the camera resolves.
        drawn = max(sigma, 0.7)
        self._margin = int(np.ceil(4 * drawn)) + 1
        self._size = spec.height + 2 * self._margin, spec.width + 2 * self._margin
        self._rows = _blur(spec.height, self._margin, drawn)
        self._columns = _blur(spec.width, self._margin, drawn).T.copy()
        self._peak = np.sqrt(2 * np.pi) * sigma

    def draw(self, y: Array, x: Array, weight: Array) -> FloatArray:
        """Return ``[frame, channel, y, x]`` of points at ``y``, ``x`` ``[frame, point]`` (row, column of the frame).

        Args:
            y: rows.
            x: columns.
            weight: value on the spine × length in pixels, ``[frame, channel, point]``.
        """
        frames, channels, _ = weight.shape
        height, width = self._size
        row, column = y + self._margin, x + self._margin
        inside = (row >= 0) & (row < height - 1) & (column >= 0) & (column < width - 1)
        row, column = np.where(inside, row, 0.0), np.where(inside, column, 0.0)
        weight = np.where(inside[:, None], weight, 0.0)
        top, left = row.astype(np.int64), column.astype(np.int64)
        down, right = row - top, column - left
        planes = np.arange(frames * channels).reshape(frames, channels, 1) * (height * width)
        index = planes + (top * width + left)[:, None]
        corners = ((0, (1 - down) * (1 - right)), (1, (1 - down) * right), (width, down * (1 - right)))
        sums = np.zeros(frames * channels * height * width)
        for offset, share in (*corners, (width + 1, down * right)):
            values = (weight * share[:, None]).ravel()
            sums += np.bincount((index + offset).ravel(), values, minlength=sums.size)
        image = sums.reshape(frames, channels, height, width).astype(np.float32)
        return self._peak * (self._rows @ image @ self._columns)


def _blur(size: int, margin: int, sigma: float) -> FloatArray:
    """Return the matrix ``[size, size + 2 margin]`` that blurs a padded axis by a Gaussian of unit sum."""
    offset = np.arange(size + 2 * margin)[None, :] - margin - np.arange(size)[:, None]
    kernel = np.exp(-0.5 * np.square(offset / sigma))
    return (kernel / np.exp(-0.5 * np.square(np.arange(-8 * margin, 8 * margin + 1) / sigma)).sum()).astype(np.float32)


class _Waves:
    """Real fields made of plane waves with wavenumbers up to ``largest``."""

    def __init__(self, spec: CoronaSpec, largest: int) -> None:
        height, width = spec.extent
        self._wave = 2.0 * np.pi / (_PERIOD * max(height, width))
        self._ky = np.arange(-largest, largest + 1)
        self._kx = np.arange(largest + 1)
        scale = min(spec.height, spec.width)
        y = (np.arange(spec.height) - (spec.height - 1) / 2) / scale
        x = (np.arange(spec.width) - (spec.width - 1) / 2) / scale
        self._rows = np.exp(1j * self._wave * y[:, None] * self._ky).astype(np.complex64)
        self._columns = np.exp(1j * self._wave * self._kx[:, None] * x).astype(np.complex64)
        evolving = wavenumbers(spec)
        power = 1.0 / (1.0 + np.square(np.hypot(*evolving.T) / 2.0)) ** 0.9
        self._amplitude = np.sqrt(power / power.sum())
        self._place = evolving[:, 0] + largest, evolving[:, 1]

    def lattice(self, parts: Array, spec: CoronaSpec) -> npt.NDArray[np.complex64]:
        """Return amplitudes ``[frame, ky, kx]`` of a unit-variance field from normals ``[frame, 2, mode]``."""
        lattice = np.zeros((len(parts), self._ky.size, self._kx.size), np.complex64)
        lattice[:, self._place[0], self._place[1]] = self._amplitude * (parts[:, 0] + 1j * parts[:, 1])
        return lattice

    def drift(self, displacement: Array) -> npt.NDArray[np.complex64]:
        """Return the phases ``[frame, ky, kx]`` that move a field by ``displacement`` ``[frame, (y, x)]``."""
        along_y = np.exp(-1j * self._wave * displacement[:, :1] * self._ky)
        along_x = np.exp(-1j * self._wave * displacement[:, 1:] * self._kx)
        return (along_y[:, :, None] * along_x[:, None, :]).astype(np.complex64)

    def draw(self, lattice: npt.NDArray[np.complex64]) -> FloatArray:
        """Return the field ``[frame, y, x]`` of amplitudes ``[frame, ky, kx]``."""
        return np.ascontiguousarray((self._rows @ (lattice @ self._columns)).real)
