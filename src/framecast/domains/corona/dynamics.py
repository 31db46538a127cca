"""The dynamics of a region, with the exact distribution for any step.

Loop brightness, temperature and sway and the motions of the polarities are critically damped oscillators driven by
white noise, in units of their standard deviations:

    dz = λ v dt,    dv = -λ z dt - 2 λ v dt + 2 √λ dW,

whose stationary law is two independent standard normals; past frames tell the velocity, hence the trend. Background
modes are Ornstein-Uhlenbeck processes, da = -λ a dt + √(2λ) dW. Both are stepped by their exact transition law
(Gillespie 1996, Physical Review E 54, 2084).

An arcade stores energy E at a rate that itself wanders, flares at the rate ``exp((E - 1)/sharpness) / flare_hours``
and then loses a random fraction of E; flare plasma drains through stages of falling temperature, each linear. This part
is stepped in slices of at most five minutes.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from scipy.linalg import expm

from framecast.domains.corona.region import Region
from framecast.domains.corona.spec import CoronaSpec
from framecast.domains.corona.state import STAGES, StateLayout, wavenumbers

_SLICE_HOURS = 1.0 / 12.0
_BURN_IN_HOURS = 600.0

# Mean hours that flare plasma spends in each stage before the arcade's own factor.
_STAGE_HOURS = (0.3, 2.0, 1.5, 1.5)


@dataclass(frozen=True)
class Streams:
    """Generators of one region, one for each purpose, so that drawing more of one changes none of the others."""

    geometry: np.random.Generator
    beginning: np.random.Generator
    evolution: np.random.Generator
    photons: np.random.Generator


def region_streams(seed: int, region: int) -> Streams:
    """Return the generators of region number ``region``."""
    return Streams(*map(np.random.default_rng, np.random.SeedSequence(seed, spawn_key=(region,)).spawn(4)))


def member_streams(seed: int, window: str, member: int) -> tuple[np.random.Generator, np.random.Generator]:
    """Return evolution and photons of one oracle member; they depend on these three values alone."""
    digest = hashlib.sha256(window.encode()).digest()
    words = np.frombuffer(digest, dtype="<u4").astype(int).tolist()
    sequence = np.random.SeedSequence([seed, *words], spawn_key=(member,))
    evolution, photons = sequence.spawn(2)
    return np.random.default_rng(evolution), np.random.default_rng(photons)


@dataclass(frozen=True)
class Drive:
    """The random numbers of one step.

    ``normal`` is for oscillators and background, ``[..., component]``; ``arcade_normal`` for supply and flare size and
    ``arcade_uniform`` for the flares' occurrence and the released share, ``[..., slice, arcade, 2]``.
    """

    normal: np.ndarray
    arcade_normal: np.ndarray
    arcade_uniform: np.ndarray


class Dynamics:
    """The law of change of several regions at once, one step of ``hours`` at a time.

    There is one region per run; one region alone serves any number of runs.
    """

    def __init__(self, spec: CoronaSpec, regions: list[Region], *, hours: float) -> None:
        self.layout = StateLayout.of(spec)
        self.hours = hours
        self._slices = max(1, int(np.ceil(hours / _SLICE_HOURS - 1e-9)))
        self._oscillators = _oscillator_step(np.stack([region.rates for region in regions]), hours)
        self._background_decay = np.tile(np.exp(-_background_rates(spec) * hours), 4)
        self._arcades = _Arcades(spec, regions, hours=hours / self._slices)

    def drive(self, generator: np.random.Generator) -> Drive:
        """Return one run's random numbers for one step: always the same number of them."""
        shape = (self._slices, self.layout.arcades, 2)
        return Drive(
            generator.standard_normal(self.layout.background.stop),
            generator.standard_normal(shape),
            generator.random(shape),
        )

    def step(self, state: np.ndarray, drives: list[Drive]) -> np.ndarray:
        """Return the state ``[run, component]`` float32 one step later: all that the next step depends on."""
        layout, count = self.layout, self.layout.oscillators
        normal = np.stack([drive.normal for drive in drives])
        after = np.empty(state.shape, dtype=np.float64)
        z, v = state[:, :count], state[:, count : 2 * count]
        stay, swap, back, damp, root_z, cross, root_v = self._oscillators
        after[:, :count] = stay * z + swap * v + root_z * normal[:, :count]
        after[:, count : 2 * count] = back * z + damp * v + cross * normal[:, :count]
        after[:, count : 2 * count] += root_v * normal[:, count : 2 * count]
        decay = self._background_decay
        after[:, layout.background] = decay * state[:, layout.background]
        after[:, layout.background] += np.sqrt(1.0 - np.square(decay)) * normal[:, layout.background]
        arcades = self._arcades.run(
            layout.arcade_part(state).astype(np.float64),
            np.stack([drive.arcade_normal for drive in drives], axis=1),
            np.stack([drive.arcade_uniform for drive in drives], axis=1),
        )
        after[:, layout.background.stop :] = arcades.reshape(len(state), -1)
        return after.astype(np.float32)


def stationary_state(spec: CoronaSpec, regions: list[Region], generators: list[np.random.Generator]) -> np.ndarray:
    """Return a state of each region drawn from the stationary law, ``[region, component]`` float32.

    All but the arcades is drawn from that law directly; the arcades are run for many flares.
    """
    layout = StateLayout.of(spec)
    slices = int(_BURN_IN_HOURS / (2 * _SLICE_HOURS))
    arcades = _Arcades(spec, regions, hours=2 * _SLICE_HOURS)
    normal = np.stack([generator.standard_normal(layout.background.stop) for generator in generators])
    part = np.zeros((len(regions), layout.arcades, 2 + STAGES))
    part[..., 0] = [generator.random(layout.arcades) for generator in generators]
    part[..., 1] = [generator.standard_normal(layout.arcades) for generator in generators]
    shape = (slices, layout.arcades, 2)
    draws = [(generator.standard_normal(shape), generator.random(shape)) for generator in generators]
    part = arcades.run(part, np.stack([a for a, _ in draws], axis=1), np.stack([b for _, b in draws], axis=1))
    return np.concatenate([normal, part.reshape(len(regions), -1)], axis=1).astype(np.float32)


def _background_rates(spec: CoronaSpec) -> np.ndarray:
    """Relaxation rate of each background mode per hour: smaller structures have shorter lifetimes."""
    return (1.0 + np.hypot(*wavenumbers(spec).T)) / 2.0 / spec.background_hours


def _oscillator_step(rates: np.ndarray, hours: float) -> tuple[np.ndarray, ...]:
    """Return the transition matrix of (z, v) row by row and the Cholesky factor of its noise, each like ``rates``.

    With a = λt the matrix is ``M = exp(-a) [[1 + a, a], [-a, 1 - a]]``; the noise's covariance is ``1 - M Mᵀ``,
    since the stationary covariance is the identity.
    """
    a = rates * hours
    decay = np.exp(-a)
    stay, swap, back, damp = (1 + a) * decay, a * decay, -a * decay, (1 - a) * decay
    variance_z = 1.0 - stay**2 - swap**2
    covariance = -(stay * back + swap * damp)
    variance_v = 1.0 - back**2 - damp**2
    root_z = np.sqrt(variance_z)
    cross = covariance / root_z
    return stay, swap, back, damp, root_z, cross, np.sqrt(np.maximum(variance_v - cross**2, 0.0))


class _Arcades:
    """Storage, flares and cooling, in slices of fixed length."""

    def __init__(self, spec: CoronaSpec, regions: list[Region], *, hours: float) -> None:
        self._spec = spec
        self._hours = hours
        self._supply = np.stack([region.supply for region in regions])
        self._memory = np.exp(-hours / spec.supply_memory_hours)
        leave = 1.0 / (np.array(_STAGE_HOURS) * np.stack([region.cooling for region in regions])[..., None])
        generator = np.zeros((*leave.shape, STAGES))
        for k in range(STAGES):
            generator[..., k, k] = -leave[..., k]
            if k + 1 < STAGES:
                generator[..., k + 1, k] = leave[..., k]
        self._drain = expm(generator * hours)

    def run(self, part: np.ndarray, normal: np.ndarray, uniform: np.ndarray) -> np.ndarray:
        """Return ``[run, arcade, component]`` after as many slices as ``normal`` and ``uniform`` have in front."""
        spec = self._spec
        energy, supply, plasma = part[..., 0], part[..., 1], part[..., 2:]
        kick = np.sqrt(1.0 - self._memory**2) * normal[..., 0]
        scatter = spec.flare_size * np.exp(spec.flare_scatter * normal[..., 1])
        share = 0.3 + 0.65 * uniform[..., 1]
        wait = -np.log1p(-uniform[..., 0])
        for k in range(len(normal)):
            energy = energy + self._supply * np.exp(spec.supply_spread * supply) * self._hours
            supply = self._memory * supply + kick[k]
            plasma = np.einsum("...ij,...j->...i", self._drain, plasma)
            # A flare happens in this slice if its exponential waiting time is over.
            flares = wait[k] < self._hours / spec.flare_hours * np.exp((energy - 1.0) / spec.flare_sharpness)
            if flares.any():
                released = np.where(flares, share[k] * energy, 0.0)
                energy = energy - released
                plasma = plasma.copy()
                plasma[..., 0] += scatter[k] * released**2
        return np.concatenate([energy[..., None], supply[..., None], plasma], axis=-1)
