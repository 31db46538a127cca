"""The quiet Sun and the plage: emission measure and temperature modulated by drifting plane waves."""

import numpy as np
import numpy.typing as npt

from framecast.data.corona.geometry import Array, FloatArray, coordinates
from framecast.data.corona.region import Region
from framecast.data.corona.response import response
from framecast.data.corona.spec import CoronaSpec
from framecast.data.corona.state import Layout, wavenumbers

# Plane waves repeat after this many longer sides of the frame.
_PERIOD = 1.5

# The quiet Sun's emission measure and temperature; the spread of their modulation.
_QUIET, _QUIET_TEMPERATURE = 0.10, 6.13
_DENSITY_SPREAD, _TEMPERATURE_SPREAD, _TEXTURE_SPREAD = 0.60, 0.05, 0.22
_PLAGE_TEMPERATURE, _PLAGE_TEXTURE_SPREAD, _PLAGE_DENSITY_SPREAD = 6.22, 0.75, 0.27


class Background:
    """Draws what lies beneath the loops of one region.

    Args:
        spec: frame, channels and constants.
        region: the region's fixed parameters.
    """

    def __init__(self, spec: CoronaSpec, region: Region) -> None:
        self._spec = spec
        self._region = region
        self._layout = Layout.of(spec)
        self._y, self._x = coordinates(spec)
        self._evolving = _Waves(spec, spec.modes)
        self._network = _Waves(spec, spec.texture_modes)
        self._texture = (region.texture[0] + 1j * region.texture[1]).astype(np.complex64)
        modes = wavenumbers(spec)
        power = 1.0 / (1.0 + np.square(np.hypot(*modes.T) / 1.5)) ** 1.1
        self._amplitude = np.sqrt(power / power.sum())
        self._place = modes[:, 0] + spec.modes, modes[:, 1]

    def draw(self, states: Array, displacement: Array, separation: Array) -> FloatArray:
        """Return the background's DN/s, ``[frame, channel, y, x]``.

        Args:
            states: ``[frame, component]``.
            displacement: of the region, ``[frame, (y, x)]``.
            separation: of the first polarity against the region, ``[frame, (y, x)]``; the second moves oppositely.
        """
        region = self._region
        fields = self._evolving.draw(self._lattice(states), displacement)
        density, warmth = fields[:, 0], fields[:, 1]
        texture = self._network.draw(self._texture[None, None], displacement)[:, 0]
        quiet = _QUIET * np.exp(_DENSITY_SPREAD * density + _TEXTURE_SPREAD * texture)
        plage = self._patch(region.poles[0] + displacement + separation, region.plage[0], region.plage_size[0])
        plage += self._patch(region.poles[1] + displacement - separation, region.plage[1], region.plage_size[1])
        plage *= np.exp(_PLAGE_TEXTURE_SPREAD * texture + _PLAGE_DENSITY_SPREAD * density)
        halo = self._patch(region.poles.mean(axis=0) + displacement, region.halo[0], region.halo[1])
        plage += halo * np.exp(_DENSITY_SPREAD * density)
        cool = _QUIET_TEMPERATURE + _TEMPERATURE_SPREAD * warmth
        warm = _PLAGE_TEMPERATURE + _TEMPERATURE_SPREAD * warmth
        seen = [quiet * response(name, cool) + plage * response(name, warm) for name in self._spec.channels]
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


class _Waves:
    """Real fields made of plane waves with wavenumbers up to ``largest``."""

    def __init__(self, spec: CoronaSpec, largest: int) -> None:
        y, x = coordinates(spec)
        wave = 2.0 * np.pi / (_PERIOD * max(spec.extent))
        self._ky = wave * np.arange(-largest, largest + 1)
        self._kx = wave * np.arange(largest + 1)
        self._rows = np.exp(1j * y[:, None] * self._ky).astype(np.complex64)
        self._columns = np.exp(1j * self._kx[:, None] * x).astype(np.complex64)

    def draw(self, lattice: npt.NDArray[np.complex64], displacement: Array) -> FloatArray:
        """Return the fields ``[frame, field, y, x]``.

        Args:
            lattice: amplitudes ``[frame or 1, field, ky, kx]``.
            displacement: by how much each frame's fields are moved, ``[frame, (y, x)]``.
        """
        along_y = np.exp(-1j * displacement[:, :1] * self._ky)
        along_x = np.exp(-1j * displacement[:, 1:] * self._kx)
        phase = (along_y[:, :, None] * along_x[:, None, :]).astype(np.complex64)
        return np.ascontiguousarray((self._rows @ ((lattice * phase[:, None]) @ self._columns)).real)
