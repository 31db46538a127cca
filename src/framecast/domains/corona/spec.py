"""The law of the synthetic corona: every constant that determines the appearance and evolution of a region.

Lengths are in units of the frame's shorter side and times in hours, so that the same region can be drawn at any size
and cadence. The values describe one Sun that does not exist, with the orders of magnitude of the real one.
"""

import json
from dataclasses import asdict, dataclass

from framecast.core.configuration import from_plain
from framecast.core.errors import ConfigError, DataError, FramecastError
from framecast.core.reading import parse_json
from framecast.domains.corona.response import check_channels

# Strands of one fan.
STRANDS = 8
_COUNTS = ("height", "width", "arcs", "fans", "arcades", "arcade_loops", "bright_points", "modes", "pattern_modes")
_MOST = 10_000


@dataclass(frozen=True, kw_only=True)
class CoronaSpec:
    """Frame, cadence and law of a synthetic active region.

    Attributes:
        channels: passbands in ångström, by name: 94, 131, 171, 193, 211, 335.
        height: rows of a frame.
        width: columns of a frame.
        cadence: seconds between two frames.
        exposure: seconds of light in a pixel, the binned camera pixels added up (16 pixels of 2.9 s).
        arcs: loops that join the two polarities.
        fans: bundles of long loops that leave a polarity and fade; eight strands each.
        arcades: rows of low sheared loops over the neutral line; each stores energy and flares.
        arcade_loops: loops of one arcade.
        bright_points: small isolated brightenings in the quiet Sun.
        modes: largest wavenumber of the evolving background.
        pattern_modes: largest wavenumber of the fine grain.
        brightness_hours: relaxation time of a loop's brightness, median over loops.
        temperature_hours: relaxation time of a loop's temperature, median over loops.
        sway_hours: relaxation time of a loop's sideways motion.
        drift_hours: relaxation time of the motions of the polarities.
        drift: standard deviation of the region's displacement.
        separation: standard deviation of each polarity's displacement against the other's.
        background_hours: lifetime of the largest background structures; smaller ones live shorter.
        supply_hours: time in which an arcade stores the critical energy, median over arcades.
        supply_spread: standard deviation of the logarithm of the supply over time.
        supply_memory_hours: correlation time of the supply.
        flare_hours: mean waiting time for a flare at the critical energy.
        flare_sharpness: energy over which the flare rate grows e-fold, in units of the critical energy.
        flare_size: emission measure released by a flare of the critical energy.
        flare_scatter: standard deviation of the logarithm of that emission measure.
    """

    channels: tuple[str, ...] = ("193", "211", "94")
    height: int = 64
    width: int = 64
    cadence: float = 7200.0
    exposure: float = 46.0
    arcs: int = 60
    fans: int = 10
    arcades: int = 3
    arcade_loops: int = 10
    bright_points: int = 24
    modes: int = 14
    pattern_modes: int = 128
    brightness_hours: float = 7.0
    temperature_hours: float = 10.0
    sway_hours: float = 12.0
    drift_hours: float = 20.0
    drift: float = 0.06
    separation: float = 0.02
    background_hours: float = 60.0
    supply_hours: float = 36.0
    supply_spread: float = 0.5
    supply_memory_hours: float = 30.0
    flare_hours: float = 8.0
    flare_sharpness: float = 0.12
    flare_size: float = 80.0
    flare_scatter: float = 0.8

    def __post_init__(self) -> None:
        check_channels(self.channels)
        for name, value in asdict(self).items():
            if name != "channels" and not 0 < value < float("inf"):
                raise ConfigError(f"{name} is {value}; it must be positive")
            if name in _COUNTS and value > _MOST:
                raise ConfigError(f"{name} is {value}; at most {_MOST} are simulated")
        if min(self.height, self.width) < 8:
            raise ConfigError(f"a frame of {self.height}×{self.width} pixels shows no loop: use at least 8×8")

    @property
    def hours(self) -> float:
        """Hours between two frames."""
        return self.cadence / 3600.0

    @property
    def loops(self) -> int:
        """Number of loops of all kinds, strands and bright points counted."""
        return self.arcs + STRANDS * self.fans + self.arcades * self.arcade_loops + self.bright_points

    @property
    def extent(self) -> tuple[float, float]:
        """Height and width of the frame in units of its shorter side."""
        short = min(self.height, self.width)
        return self.height / short, self.width / short

    def to_json(self) -> str:
        """Return the specification as JSON. The inverse of `from_json`."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "CoronaSpec":
        """Return the specification that `to_json` wrote.

        Raises:
            DataError: the text is not such a specification.
        """
        where = "the archive's synthetic-corona specification"
        try:
            return from_plain(cls, parse_json(text, where=where), where=where)
        except FramecastError as error:
            raise DataError(f"{error}: it is unreadable, write it anew") from None
