"""What a user may say of a source: each field is an argument of `framecast.import_data` and an option of the command.

Everything has a default that the source itself decides.
"""

from dataclasses import dataclass, field
from typing import Any

from framecast.core.errors import ConfigError
from framecast.core.options import parse_duration


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """What is read of a source, and how.

    Attributes:
        variables: variable that holds the frames; several become channels.
        channel: dimension of channels, or NAME=EXPRESSION for a channel computed from variables, such as
            ``speed=hypot(u, v)``.
        time: coordinate with the times, or how file names give them, such as ``%Y%m%d_%H%M``.
        y: dimension of rows.
        x: dimension of columns.
        sequence: dimension that numbers separate videos, or ``file`` or ``folder`` where each of these is one.
        dims: names of the dimensions in their order, such as ``sample,y,x,time``, where the source has none.
        name: name of the sequence if there is only one; by default that of the source.
        group: group of a NetCDF, HDF5 or Zarr source that holds the frames.
        unit: physical unit, or CHANNEL=UNIT. Values are converted from the unit of the source where that is known; to a
            rate of rain such as ``mm/h`` also from reflectivity and from totals.
        scale: factor from stored to physical values
        offset: offset added to the scaled values. CF attributes are applied before both.
        zr: a and b of Z = a R^b, by which reflectivity in dBZ becomes mm/h.
        collected_over: interval of which totals of rain are, such as ``5min``, where the source does not say.
        dry_below: physical values below this become exactly 0, before pixels are averaged.
        missing: stored values that mean unknown.
        mask: expression of variables that is true where pixels are unknown, such as ``lsm > 0.5``.
        region: west, south, east and north edge: longitudes and latitudes, or x and y where there are none.
        start: first time, such as ``2020-06-01T12:00``.
        end: last time, included.
        every: keep one frame per interval, such as ``3h``, or every n-th frame for a number n.
        cadence: time between two frames, such as ``5min``; by default the median step.
        interpolate: put frames of uneven times on whole multiples of the cadence, linearly between neighbours.
        coarsen: average blocks of this many rows and columns into one pixel, unknown if any of them is.
        multiple: trim rows and columns, alike on both sides, to a multiple of this.
        flip_y: the first row is the top one; only for sources without a coordinate that says so.
        independent: sequences are independent, so they may be split between training and test.
    """

    variables: tuple[str, ...] = field(default=(), metadata={"flag": "--variable"})
    channel: tuple[str, ...] = ()
    time: str | None = None
    y: str | None = None
    x: str | None = None
    sequence: str | None = None
    dims: str | None = None
    name: str | None = None
    group: str | None = None
    unit: tuple[str, ...] = ()
    scale: float = 1.0
    offset: float = 0.0
    zr: tuple[float, ...] = field(default=(200.0, 1.6), metadata={"metavar": "A,B"})
    collected_over: str | None = None
    dry_below: float | None = None
    missing: tuple[float, ...] = ()
    mask: str | None = None
    region: tuple[float, ...] = field(default=(), metadata={"metavar": "W,S,E,N"})
    start: str | None = None
    end: str | None = None
    every: str | None = None
    cadence: str | None = None
    interpolate: bool = False
    coarsen: int = 1
    multiple: int = 1
    flip_y: bool = False
    independent: bool = False

    def __post_init__(self) -> None:
        for name in ("variables", "channel", "unit", "missing"):
            given = getattr(self, name)
            if isinstance(given, str | int | float):
                object.__setattr__(self, name, (given,))
            else:
                object.__setattr__(self, name, tuple(given or ()))
        if self.coarsen < 1 or self.multiple < 1:
            raise ConfigError(f"coarsen {self.coarsen} and multiple {self.multiple}: both must be 1 or more")
        if self.region and (len(self.region) != 4 or self.region[1] >= self.region[3]):
            raise ConfigError(f"region {self.region}: give west, south, east and north, such as -10,50,2,58")
        if len(self.zr) != 2 or min(self.zr) <= 0:
            raise ConfigError(f"zr {self.zr}: give the two positive numbers of Z = a R^b, such as 200,1.6")
        if self.collected_over is not None:
            parse_duration(self.collected_over)
        if self.cadence is not None and not float(self.seconds or 0) > 0:
            raise ConfigError(f"a cadence of {self.cadence} s is impossible: give the time between two frames")

    @property
    def channel_dimension(self) -> str | None:
        """The dimension of channels, if one was named."""
        named = [each for each in self.channel if "=" not in each]
        if len(named) > 1:
            raise ConfigError(f"{', '.join(named)}: name one dimension of channels")
        return named[0] if named else None

    @property
    def expressions(self) -> dict[str, str]:
        """What the channels are computed from, by their name."""
        pairs = [each.partition("=") for each in self.channel if "=" in each]
        return {name.strip(): expression.strip() for name, _, expression in pairs}

    @property
    def dimension_names(self) -> tuple[str, ...]:
        """The names in ``dims``."""
        return tuple(name.strip() for name in self.dims.split(",")) if self.dims else ()

    @property
    def name_pattern(self) -> str | None:
        """How file names give the times, if the user says it."""
        return self.time if self.time is not None and "%" in self.time else None

    @property
    def time_name(self) -> str | None:
        """The coordinate with the times, if the user names it."""
        return None if self.name_pattern else self.time

    @property
    def seconds(self) -> float | None:
        """The cadence in seconds."""
        return None if self.cadence is None else parse_duration(self.cadence)

    def unit_of(self, channel: str) -> str | None:
        """Return the unit that the user gives for a channel."""
        own: dict[Any, str] = {}
        for text in self.unit:
            name, given, unit = text.rpartition("=")
            own[name if given else None] = unit
        return own.get(channel, own.get(None))
