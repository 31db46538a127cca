"""The fixed parameters of a region: the footpoints of its loops, their mean brightness and temperature.

A region is a pair of opposite polarities seen from above. Arcs join them like field lines of a dipole; fans of long
strands leave them and fade; arcades of low loops straddle the neutral line between them; bright points dot the quiet
Sun. A loop from footpoint a to footpoint b is the parabola ``a + (b - a) s + 4 s (1 - s) bulge``, ``s`` in [0, 1].
"""

from dataclasses import dataclass, fields

import numpy as np

from framecast.core.errors import DataError
from framecast.domains.corona.spec import STRANDS, CoronaSpec

# Standard deviations of the loops' Gaussian cross profiles: strand, loop, haze.
WIDTHS = (0.006, 0.012, 0.045)

# Concentrations of magnetic flux in a polarity: loops are rooted in them.
_SPOTS = 5


@dataclass(frozen=True, kw_only=True)
class Region:
    """The fixed parameters of one region. Positions are (y, x) from the frame's centre, in shorter sides.

    Attributes:
        foot_a: where each loop starts, ``[loop, 2]``.
        foot_b: where it ends, ``[loop, 2]``.
        bulge: how far its middle lies off the straight line, ``[loop, 2]``.
        polarity_a: +1, -1 or 0: the footpoint moves with the first, the second, or both polarities, ``[loop]``.
        polarity_b: the same of the other footpoint.
        arcade: index of the arcade the loop belongs to, or -1.
        profile: index into `WIDTHS`.
        brightness: mean natural logarithm of the loop's emission measure.
        brightness_spread: its standard deviation.
        temperature: mean log10 of the loop's temperature in kelvin.
        temperature_spread: its standard deviation.
        slope: e-folds of emission lost from a to b.
        dip: e-folds of emission lost from the feet to the middle.
        rates: relaxation rates of the oscillators (see `state.StateLayout`), per hour.
        poles: mean positions of the two polarities, ``[2, 2]``.
        spots: where each polarity's flux is concentrated, ``[2, spot, 2]``.
        plage: emission measure of the plage about each spot.
        plage_size: standard deviation of its extent.
        halo: emission measure of the diffuse corona over the region, and the standard deviation of its extent.
        shear: displacement of an arcade's first footpoints at the critical energy; the others go the opposite way.
        supply: energy that an arcade stores per hour, in critical energies.
        cooling: factor on an arcade's cooling times.
        pattern_seed: decides the patterns of grain and threads, ``[1]`` (see `waves.patterns`).
    """

    foot_a: np.ndarray
    foot_b: np.ndarray
    bulge: np.ndarray
    polarity_a: np.ndarray
    polarity_b: np.ndarray
    arcade: np.ndarray
    profile: np.ndarray
    brightness: np.ndarray
    brightness_spread: np.ndarray
    temperature: np.ndarray
    temperature_spread: np.ndarray
    slope: np.ndarray
    dip: np.ndarray
    rates: np.ndarray
    poles: np.ndarray
    spots: np.ndarray
    plage: np.ndarray
    plage_size: np.ndarray
    halo: np.ndarray
    shear: np.ndarray
    supply: np.ndarray
    cooling: np.ndarray
    pattern_seed: np.ndarray

    def to_vector(self) -> np.ndarray:
        """Return all parameters in one float64 vector, in the order of `shapes`. The inverse of `from_vector`."""
        return np.concatenate([np.asarray(getattr(self, field.name), np.float64).ravel() for field in fields(self)])

    @classmethod
    def from_vector(cls, vector: np.ndarray, layout: dict[str, list[int]]) -> "Region":
        """Return the region with the parameters in ``vector``, with the shapes that `shapes` returned.

        Raises:
            DataError: the two do not match.
        """
        sizes = [int(np.prod(shape)) for shape in layout.values()]
        if list(layout) != [field.name for field in fields(cls)] or sum(sizes) != vector.size:
            raise DataError("the archive's region parameters are not those of this format: write the archive anew")
        parts = np.split(np.asarray(vector, np.float64), np.cumsum(sizes)[:-1])
        return cls(**{name: part.reshape(shape) for (name, shape), part in zip(layout.items(), parts, strict=True)})

    def shapes(self) -> dict[str, list[int]]:
        """Return the shape of each parameter, by name."""
        return {field.name: list(np.shape(getattr(self, field.name))) for field in fields(self)}


@dataclass(frozen=True)
class _Bipole:
    """The two polarities: their centre, the unit vectors along and across their axis, and half their distance.

    ``lean`` is the shift of the tops of all loops by the inclination of the line of sight.
    """

    centre: np.ndarray
    axis: np.ndarray
    across: np.ndarray
    half: float
    poles: np.ndarray
    spots: np.ndarray
    lean: np.ndarray


def draw_region(spec: CoronaSpec, generator: np.random.Generator) -> Region:
    """Return a new region. Nothing but the bright points' positions depends on the size of the frame."""
    tilt = generator.normal(0.0, 0.25) + np.pi * generator.integers(2)
    axis = np.array([np.sin(tilt), np.cos(tilt)])
    across = np.array([axis[1], -axis[0]])
    half = generator.uniform(0.12, 0.22)
    centre = generator.normal(0.0, 0.04, 2)
    poles = np.stack([centre + half * axis, centre - half * axis])
    spots = poles[:, None] + generator.normal(0.0, 0.30 * half, (2, _SPOTS, 2))
    bipole = _Bipole(centre, axis, across, half, poles, spots, lean=generator.normal(0.0, 0.06, 2))

    shear = across * generator.choice([-1.0, 1.0]) * generator.uniform(0.04, 0.08, (spec.arcades, 1))
    parts = [draw(spec, generator, bipole) for draw in (_arcs, _fans, _arcade_loops, _bright_points)]
    loops = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Region(
        **loops,
        rates=_rates(spec, generator),
        poles=poles,
        spots=spots,
        plage=np.exp(generator.normal(-1.9, 0.5, (2, _SPOTS))),
        plage_size=generator.uniform(0.03, 0.08, (2, _SPOTS)),
        halo=np.array([np.exp(generator.normal(-2.0, 0.3)), 1.6 * half]),
        shear=shear,
        supply=np.exp(generator.normal(0.0, 0.45, spec.arcades)) / spec.supply_hours,
        cooling=np.exp(generator.normal(0.0, 0.3, spec.arcades)),
        pattern_seed=generator.integers(2**53, size=1).astype(np.float64),
    )


Loops = dict[str, np.ndarray]


def _arcs(spec: CoronaSpec, generator: np.random.Generator, bipole: _Bipole) -> Loops:
    """Loops from polarity to polarity: those that start farther off the axis bulge farther out and are cooler."""
    axis, across, half, poles = bipole.axis, bipole.across, bipole.half, bipole.poles
    count = spec.arcs
    angle = generator.normal(0.0, 1.0, count)
    reach = half * generator.uniform(0.1, 0.9, count)
    outward = (-np.cos(angle) * reach)[:, None] * axis
    sideways = (np.sin(angle) * reach)[:, None] * across
    size = np.minimum(np.abs(angle), 1.6)
    height = half * np.minimum(0.15 + generator.gamma(3.0, 0.2, count) * size, 1.3)
    haze = generator.random(count) < 0.25
    # Half way from where a dipole would root it to the nearest spot.
    rooted = np.stack([poles[0] - outward * 0.6 + sideways, poles[1] + outward * 0.6 + sideways])
    feet = 0.4 * rooted + 0.6 * _nearest(rooted, bipole.spots) + generator.normal(0.0, 0.012, (2, count, 2))
    return {
        "foot_a": feet[0],
        "foot_b": feet[1],
        "bulge": (np.sign(angle) * height)[:, None] * across + height[:, None] / half * bipole.lean,
        "polarity_a": np.ones(count),
        "polarity_b": -np.ones(count),
        "arcade": np.full(count, -1),
        "profile": np.where(haze, 2, generator.choice(2, count, p=(0.7, 0.3))),
        "brightness": np.where(haze, -2.2, generator.normal(-1.5, 0.7, count)),
        "brightness_spread": generator.uniform(0.4, 0.8, count),
        "temperature": 6.42 - 0.12 * size + generator.normal(0.0, 0.05, count),
        "temperature_spread": generator.uniform(0.03, 0.08, count),
        "slope": generator.normal(0.0, 0.8, count),
        "dip": generator.uniform(0.2, 1.8, count),
    }


def _nearest(places: np.ndarray, spots: np.ndarray) -> np.ndarray:
    """Return for each place ``[2, loop, 2]`` the nearest spot of the same polarity, the same shape."""
    distance = np.linalg.norm(places[:, :, None] - spots[:, None], axis=-1)
    return np.take_along_axis(spots, distance.argmin(axis=-1)[..., None], axis=1)


def _fans(spec: CoronaSpec, generator: np.random.Generator, bipole: _Bipole) -> Loops:
    """Bundles of strands that leave a spot, away from the other one, and fade."""
    axis, spots = bipole.axis, bipole.spots
    strands = STRANDS
    count = spec.fans * strands
    side = np.repeat(np.where(np.arange(spec.fans) % 2 == 0, 1.0, -1.0), strands)
    direction = np.repeat(generator.normal(0.0, 0.9, spec.fans), strands) + generator.normal(0.0, 0.16, count)
    length = np.repeat(generator.uniform(0.15, 0.55, spec.fans), strands) * generator.uniform(0.7, 1.2, count)
    heading = np.arctan2(axis[0] * side, axis[1] * side) + direction
    ray = np.stack([np.sin(heading), np.cos(heading)], axis=-1)
    spot = np.repeat(generator.integers(0, _SPOTS, spec.fans), strands)
    root = spots[np.where(side > 0, 0, 1), spot] + 0.02 * ray
    bend = (0.22 * direction * length)[:, None] * np.stack([ray[:, 1], -ray[:, 0]], axis=-1)
    foot_a = root + generator.normal(0.0, 0.012, (count, 2))
    return {
        "foot_a": foot_a,
        "foot_b": foot_a + length[:, None] * ray + 2 * bipole.lean,
        "bulge": bend,
        "polarity_a": side,
        "polarity_b": side,
        "arcade": np.full(count, -1),
        "profile": generator.choice(3, count, p=(0.5, 0.35, 0.15)),
        "brightness": np.repeat(generator.normal(-1.2, 0.5, spec.fans), strands) + generator.normal(0.0, 0.5, count),
        "brightness_spread": generator.uniform(0.4, 0.7, count),
        "temperature": np.repeat(generator.uniform(5.95, 6.18, spec.fans), strands),
        "temperature_spread": generator.uniform(0.02, 0.05, count),
        "slope": generator.uniform(2.0, 3.5, count),
        "dip": np.zeros(count),
    }


def _arcade_loops(spec: CoronaSpec, generator: np.random.Generator, bipole: _Bipole) -> Loops:
    """Rows of low hot loops, side by side along the neutral line."""
    axis, across, half = bipole.axis, bipole.across, bipole.half
    arcade = np.repeat(np.arange(spec.arcades), spec.arcade_loops)
    count = arcade.size
    slots = (np.arange(spec.arcades) - (spec.arcades - 1) / 2) * 0.16 + generator.normal(0.0, 0.02, spec.arcades)
    along = slots[arcade] + np.tile(np.linspace(-0.06, 0.06, spec.arcade_loops), spec.arcades)
    span = generator.uniform(0.3, 0.55, spec.arcades)[arcade] * half * generator.uniform(0.5, 1.4, count)
    offset = generator.normal(0.0, 0.02, spec.arcades)[arcade]
    # The neutral line meanders.
    wave, phase = generator.uniform(0.02, 0.05), generator.uniform(0.0, 2 * np.pi)
    offset = offset + wave * np.sin(2 * np.pi * along / 0.35 + phase) + generator.normal(0.0, 0.012, count)
    middle = bipole.centre + along[:, None] * across + offset[:, None] * axis
    return {
        "foot_a": middle + span[:, None] * axis + generator.normal(0.0, 0.014, (count, 2)),
        "foot_b": middle - span[:, None] * axis + generator.normal(0.0, 0.014, (count, 2)),
        "bulge": 0.7 * bipole.lean + generator.normal(0.0, 0.012, (count, 2)),
        "polarity_a": np.full(count, 0.5),
        "polarity_b": np.full(count, -0.5),
        "arcade": arcade,
        "profile": np.tile(np.arange(spec.arcade_loops) % 5 // 4, spec.arcades),
        "brightness": generator.normal(-1.2, 0.7, count),
        "brightness_spread": generator.uniform(0.3, 0.6, count),
        "temperature": np.full(count, 6.50),
        "temperature_spread": np.full(count, 0.03),
        "slope": generator.normal(0.0, 0.3, count),
        "dip": generator.uniform(-0.3, 0.4, count),
    }


def _bright_points(spec: CoronaSpec, generator: np.random.Generator, _: _Bipole) -> Loops:
    """Tiny loops anywhere in the frame."""
    count = spec.bright_points
    place = generator.uniform(-0.55, 0.55, (count, 2)) * np.array(spec.extent)
    return {
        "foot_a": place,
        "foot_b": place + generator.normal(0.0, 0.02, (count, 2)),
        "bulge": generator.normal(0.0, 0.01, (count, 2)),
        "polarity_a": np.zeros(count),
        "polarity_b": np.zeros(count),
        "arcade": np.full(count, -1),
        "profile": np.ones(count, dtype=np.int64),
        "brightness": generator.normal(-1.6, 0.7, count),
        "brightness_spread": generator.uniform(0.5, 1.0, count),
        "temperature": generator.normal(6.15, 0.06, count),
        "temperature_spread": np.full(count, 0.05),
        "slope": np.zeros(count),
        "dip": np.zeros(count),
    }


def _rates(spec: CoronaSpec, generator: np.random.Generator) -> np.ndarray:
    """Relaxation rates of the oscillators, in the order of `state.StateLayout`."""
    count = spec.loops
    return np.concatenate(
        [
            np.exp(generator.normal(0.0, 0.35, count)) / spec.brightness_hours,
            np.exp(generator.normal(0.0, 0.25, count)) / spec.temperature_hours,
            np.full(count, 1.0 / spec.sway_hours),
            np.full(4, 1.0 / spec.drift_hours),
        ]
    )
