"""Options of an import: each field is an argument of `framecast.import_data` and an option of the command.

The defaults are determined from the source.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from framecast.core.errors import ConfigError
from framecast.core.options import parse_duration


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """What is read from a source, and how.

    Attributes:
        variables: variable with the frames; several become channels.
        channel: dimension of channels, or NAME=EXPRESSION for a channel computed from variables, such as
            ``speed=hypot(u, v)``.
        time: coordinate with the times, or their pattern in file names, such as ``%Y%m%d_%H%M``.
        y: dimension of rows.
        x: dimension of columns.
        sequence: dimension that numbers separate videos, or ``file`` or ``folder`` if each of these is a video.
        dims: names of the dimensions in order, such as ``sample,y,x,time``, if the source has none.
        name: name of the sequence if there is only one; by default that of the source.
        group: group with the frames, for NetCDF, HDF5 and Zarr sources.
        unit: physical unit, or CHANNEL=UNIT. Values are converted from the unit of the source where that is known; to a
            rate of rain such as ``mm/h`` also from reflectivity and from totals.
        scale: factor from stored to physical values; --unit is then the unit of the scaled values.
        offset: offset added to the scaled values. CF attributes are applied before both.
        zr: coefficients a and b of Z = a R^b, which converts reflectivity in dBZ to mm/h.
        collected_over: accumulation interval of rain totals, such as ``5min``, if the source does not give it.
        dry_below: physical values below this become exactly 0, before pixels are averaged.
        missing: stored values that mean missing data.
        mask: expression of variables that is true where pixels are unknown, such as ``lsm > 0.5``.
        region: west, south, east and north edge: longitudes and latitudes, or x and y without these.
        start: first time, such as ``2020-06-01T12:00``.
        end: last time, included; a date alone is the whole day.
        every: keep one frame per interval, such as ``3h``, or every n-th frame for a number n.
        cadence: time between two frames, such as ``5min``; by default the median step.
        interpolate: resample frames at uneven times to whole multiples of the cadence, linearly between neighbours.
        coarsen: average blocks of this many rows and columns into one pixel, unknown if any of them is.
        multiple: trim rows and columns, equally on both sides, to a multiple of this.
        flip_y: the first row is the top one; only for sources without a coordinate of the rows.
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
        """Pattern of times in file names, if given."""
        return self.time if self.time is not None and "%" in self.time else None

    @property
    def time_name(self) -> str | None:
        """The coordinate with the times, if given."""
        return None if self.name_pattern else self.time

    @property
    def seconds(self) -> float | None:
        """The cadence in seconds."""
        return None if self.cadence is None else parse_duration(self.cadence)

    @property
    def interval(self) -> float | None:
        """The accumulation interval of totals in seconds, if given."""
        return None if self.collected_over is None else parse_duration(self.collected_over)

    @property
    def channels_with_unit(self) -> set[str]:
        """The channels with individual units."""
        return {name for name, given, _ in (text.rpartition("=") for text in self.unit) if given}

    def check_channels(self, channels: Sequence[str]) -> None:
        """Raise `ConfigError` if a channel has a unit that is not among ``channels``."""
        if unknown := sorted(self.channels_with_unit - set(channels)):
            raise ConfigError(f"--unit names {', '.join(unknown)}, and the channels are {', '.join(channels)}")

    def unit_of(self, channel: str) -> str | None:
        """Return the unit that the user gives for a channel."""
        own: dict[Any, str] = {}
        for text in self.unit:
            name, given, unit = text.rpartition("=")
            own[name if given else None] = unit
        return own.get(channel, own.get(None))
