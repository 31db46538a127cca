"""From state to light: the loops, and their background of quiet Sun, plage and halo, modulated by random fields."""

import numpy as np
import numpy.typing as npt

from framecast.domains.corona.loops import Loops
from framecast.domains.corona.region import Region
from framecast.domains.corona.response import response
from framecast.domains.corona.spec import CoronaSpec
from framecast.domains.corona.state import StateLayout, wavenumbers
from framecast.domains.corona.waves import Array, FloatArray, Waves, coordinates, patterns

# The quiet Sun is plasma of two temperatures: its cool part (transition region, seen in 171) and its corona.
_COOL, _COOL_TEMPERATURE = 0.085, 5.90
_QUIET, _QUIET_TEMPERATURE = 0.075, 6.14
_PLAGE_TEMPERATURE = 6.22

# Spread of the temperature (log10); e-folds of emission for one standard deviation of density, grain and threads.
_TEMPERATURE_SPREAD = 0.05
_COOL_FIELDS = (0.35, 0.17, 0.28)
_QUIET_FIELDS = (0.45, 0.15, 0.17)
_PLAGE_FIELDS = (0.27, 0.40, 0.50)

# Mean and inverse standard deviation of |g|, g standard normal.
_THREAD_MEAN, _THREAD_SCALE = np.float32(np.sqrt(2 / np.pi)), np.float32(1 / np.sqrt(1 - 2 / np.pi))

# How far the fine grain turns into another for one standard deviation of the evolving temperature, in radians.
_TURN = 2.0


class Background:
    """Draws the background of the loops of one region.

    Fine grain changes without leaving its scale: two fixed patterns A and B are mixed as ``A cos θ + B sin θ``, the
    angle θ following the evolving temperature. Threads are the lines along which another such mixture changes sign.
    """

    def __init__(self, spec: CoronaSpec, region: Region) -> None:
        self._spec = spec
        self._region = region
        self._layout = StateLayout.of(spec)
        self._y, self._x = coordinates(spec)
        self._evolving = Waves(spec, spec.modes)
        fixed = patterns(spec, int(region.pattern_seed[0]))
        self._patterns = fixed[None]
        self._fine = Waves(spec, fixed.shape[-1] - 1)
        modes = wavenumbers(spec)
        power = 1.0 / (1.0 + np.square(np.hypot(*modes.T) / 1.5)) ** 1.1
        self._amplitude = np.sqrt(power / power.sum())
        self._place = modes[:, 0] + spec.modes, modes[:, 1]

    def draw(self, states: Array, displacement: Array, separation: Array) -> FloatArray:
        """Return the background's DN/s, ``[frame, channel, y, x]``, of ``states`` ``[frame, component]``.

        The region is moved by ``displacement`` ``[frame, (y, x)]``, its first polarity also by ``separation``, the
        second oppositely.
        """
        region = self._region
        fields = self._evolving.draw(self._lattice(states), displacement)
        density, warmth = fields[:, 0], fields[:, 1]
        a, b, c, d = self._fine.draw(self._patterns, displacement).swapaxes(0, 1)
        cosine, sine = np.cos(_TURN * warmth), np.sin(_TURN * warmth)
        grain = a * cosine + b * sine
        threads = _THREAD_MEAN - np.abs(c * cosine + d * sine)
        threads *= _THREAD_SCALE

        def layer(weights: tuple[float, float, float]) -> FloatArray:
            return np.exp(weights[0] * density + weights[1] * grain + weights[2] * threads)

        plage = np.zeros_like(density)
        for spots, sign, peaks, reaches in zip(region.spots, (1, -1), region.plage, region.plage_size, strict=True):
            for spot, peak, reach in zip(spots, peaks, reaches, strict=True):
                plage += self._patch(spot + displacement + sign * separation, peak, reach)
        plage *= layer(_PLAGE_FIELDS)
        halo = self._patch(region.poles.mean(axis=0) + displacement, region.halo[0], region.halo[1])
        plage += halo * layer(_QUIET_FIELDS)
        quiet, cool = _QUIET * layer(_QUIET_FIELDS), _COOL * layer(_COOL_FIELDS)
        shift = _TEMPERATURE_SPREAD * warmth
        seen = [
            cool * response(name, np.array(_COOL_TEMPERATURE, np.float32))
            + quiet * response(name, _QUIET_TEMPERATURE + shift)
            + plage * response(name, _PLAGE_TEMPERATURE + shift)
            for name in self._spec.channels
        ]
        return np.stack(seen, axis=1)

    def _patch(self, centre: Array, peak: float, reach: float) -> FloatArray:
        """Return ``[frame, y, x]``: a Gaussian of this height and standard deviation about ``centre``."""
        along_y = peak * np.exp(-0.5 * np.square((self._y - centre[:, :1]) / reach))
        along_x = np.exp(-0.5 * np.square((self._x - centre[:, 1:]) / reach))
        return along_y.astype(np.float32)[:, :, None] * along_x.astype(np.float32)[:, None, :]

    def _lattice(self, states: Array) -> npt.NDArray[np.complex64]:
        """Return the amplitudes of density and temperature, ``[frame, 2, ky, kx]``, each of a unit-variance field."""
        parts = self._layout.fields(states)
        modes = self._spec.modes
        lattice = np.zeros((len(states), 2, 2 * modes + 1, modes + 1), np.complex64)
        lattice[:, :, self._place[0], self._place[1]] = self._amplitude * (parts[:, :, 0] + 1j * parts[:, :, 1])
        return lattice


class Renderer:
    """Draws one region in the frame and the channels of a specification."""

    def __init__(self, spec: CoronaSpec, region: Region) -> None:
        self._spec = spec
        self._layout = StateLayout.of(spec)
        self._background = Background(spec, region)
        self._loops = Loops(spec, region)

    def __call__(self, states: np.ndarray) -> FloatArray:
        """Return the expected DN/s of ``states`` ``[..., component]``, ``[..., channel, y, x]`` float32."""
        spec = self._spec
        flat = states.reshape(-1, states.shape[-1]).astype(np.float64)
        out = np.empty((len(flat), len(spec.channels), spec.height, spec.width), np.float32)
        # A few frames at a time: more would not fit into the processor's cache.
        step = max(1, 2**16 // (spec.height * spec.width))
        for start in range(0, len(flat), step):
            part = flat[start : start + step]
            motion = self._layout.motion(part)
            displacement, separation = spec.drift * motion[:, :2], spec.separation * motion[:, 2:]
            drawn = self._background.draw(part, displacement, separation)
            drawn += self._loops.draw(part, displacement, separation)
            out[start : start + step] = drawn
        return out.reshape(*states.shape[:-1], *out.shape[1:])
