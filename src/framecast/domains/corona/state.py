"""The state of a region: one vector that determines the distribution of its future.

The vector is ``[oscillator positions | oscillator velocities | background | arcades]``. Positions, velocities and
background amplitudes have the standard normal law at all times, each independent of the others; the arcades' part
(stored energy, supply, hot plasma on its way down in temperature) is what flares.
"""

from dataclasses import dataclass

import numpy as np

from framecast.domains.corona.spec import CoronaSpec

VERSION = 1

# Stages of flare plasma, from the impulsive phase down: what is released enters the first and drains to the next.
STAGES = 4


@dataclass(frozen=True)
class StateLayout:
    """The positions of the parts of the state in the vector.

    The oscillators are, in this order: brightness, temperature and sway of each loop; the region's displacement
    (y, x); the displacement of one polarity against the other (y, x). ``modes`` background modes evolve.
    """

    loops: int
    arcades: int
    modes: int

    @classmethod
    def of(cls, spec: CoronaSpec) -> "StateLayout":
        """Return the layout of a region's state."""
        return cls(spec.loops, spec.arcades, len(wavenumbers(spec)))

    @property
    def oscillators(self) -> int:
        """Number of oscillators."""
        return 3 * self.loops + 4

    @property
    def background(self) -> slice:
        """Amplitudes of the background: density (real, imaginary), temperature (real, imaginary)."""
        return slice(2 * self.oscillators, 2 * self.oscillators + 4 * self.modes)

    @property
    def size(self) -> int:
        """Number of components."""
        return self.background.stop + self.arcades * (2 + STAGES)

    def loop_part(self, state: np.ndarray, index: int) -> np.ndarray:
        """Return brightness (0), temperature (1) or sway (2) of the loops, ``[..., loop]``, in standard deviations."""
        return state[..., index * self.loops : (index + 1) * self.loops]

    def motion(self, state: np.ndarray) -> np.ndarray:
        """Return displacement and separation, ``[..., 4]``, in standard deviations."""
        return state[..., 3 * self.loops : self.oscillators]

    def fields(self, state: np.ndarray) -> np.ndarray:
        """Return the background's amplitudes ``[..., field, part, mode]``."""
        return state[..., self.background].reshape(*state.shape[:-1], 2, 2, self.modes)

    def arcade_part(self, state: np.ndarray) -> np.ndarray:
        """Return ``[..., arcade, (energy, supply, stages…)]``."""
        return state[..., self.background.stop :].reshape(*state.shape[:-1], self.arcades, 2 + STAGES)


def wavenumbers(spec: CoronaSpec) -> np.ndarray:
    """Return the wavenumbers (y, x) of the evolving background modes, ``[mode, 2]``, one of each ± pair."""
    ky, kx = np.meshgrid(np.arange(-spec.modes, spec.modes + 1), np.arange(spec.modes + 1), indexing="ij")
    chosen = (ky**2 + kx**2 <= spec.modes**2) & ((kx > 0) | (ky > 0))
    return np.stack([ky[chosen], kx[chosen]], axis=-1)
