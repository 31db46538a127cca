"""Random fields as sums of plane waves: smooth ones that evolve, and the fixed patterns of the fine structure."""

import numpy as np
import numpy.typing as npt

from framecast.domains.corona.spec import CoronaSpec

Array = npt.NDArray[np.float64]
FloatArray = npt.NDArray[np.float32]

# Period of the plane waves in longer sides of the frame.
PERIOD = 1.5


def coordinates(spec: CoronaSpec) -> tuple[Array, Array]:
    """Return the y of the rows and the x of the columns, from the frame's centre, in units of its shorter side."""
    short = float(min(spec.height, spec.width))
    y = (np.arange(spec.height, dtype=np.float64) - (spec.height - 1) / 2) / short
    x = (np.arange(spec.width, dtype=np.float64) - (spec.width - 1) / 2) / short
    return y, x


class Waves:
    """Real fields made of plane waves with wavenumbers up to ``largest``."""

    def __init__(self, spec: CoronaSpec, largest: int) -> None:
        y, x = coordinates(spec)
        wave = 2.0 * np.pi / (PERIOD * max(spec.extent))
        self._ky = wave * np.arange(-largest, largest + 1)
        self._kx = wave * np.arange(largest + 1)
        self._rows = np.exp(1j * y[:, None] * self._ky).astype(np.complex64)
        self._columns = np.exp(1j * self._kx[:, None] * x).astype(np.complex64)

    def draw(self, lattice: npt.NDArray[np.complex64], displacement: Array) -> FloatArray:
        """Return the fields ``[frame, field, y, x]`` of amplitudes ``[frame or 1, field, ky, kx]``.

        Each frame's fields are moved by ``displacement`` ``[frame, (y, x)]``.
        """
        along_y = np.exp(-1j * displacement[:, :1] * self._ky)
        along_x = np.exp(-1j * displacement[:, 1:] * self._kx)
        phase = (along_y[:, :, None] * along_x[:, None, :]).astype(np.complex64)
        return np.ascontiguousarray((self._rows @ ((lattice * phase[:, None]) @ self._columns)).real)


def patterns(spec: CoronaSpec, seed: int) -> npt.NDArray[np.complex64]:
    """Return the plane waves ``[pattern, ky, kx]`` of four fixed patterns, two for the grain and two for the threads.

    Phases are random, amplitudes are not; with no wave left out, each pattern has unit variance. Waves shorter than two
    pixels are left out; the others are the same for every size of frame. The phases are raw words of Philox (Salmon et
    al. 2011, SC '11), the same in every release.
    """
    largest = spec.pattern_modes
    words = np.random.Philox(key=seed).random_raw(4 * (2 * largest + 1) * (largest + 1))
    turns = (words >> np.uint64(11)).astype(np.float64).reshape(4, 2 * largest + 1, largest + 1) * 2.0**-53
    ky = np.arange(-largest, largest + 1)[:, None]
    kx = np.arange(largest + 1)[None, :]
    k = np.hypot(ky, kx) / max(spec.extent)
    amplitude = np.stack([k / 12.0 / (1.0 + np.square(k / 12.0)) ** 1.25, k / 9.0 / (1.0 + np.square(k / 9.0)) ** 1.5])
    amplitude[:, (np.hypot(ky, kx) > largest) | ((kx == 0) & (ky <= 0))] = 0.0
    amplitude *= np.sqrt(2.0 / np.square(amplitude).sum(axis=(1, 2), keepdims=True))
    kept = min(largest, int(PERIOD * max(spec.height, spec.width) / 2))
    waves = np.repeat(amplitude, 2, axis=0) * np.exp(2j * np.pi * turns)
    return waves[:, largest - kept : largest + kept + 1, : kept + 1].astype(np.complex64)
