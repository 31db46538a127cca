"""Conversion of stored values to the requested unit, and its description.

What radars give is reflectivity in dBZ or rain collected over some minutes, in mm or kg m⁻²; both are converted to a
rate (``mm/h``) on request. A Z-R relation is a choice, so it is reported whenever it is used.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from framecast.core.errors import ConfigError, DataError
from framecast.importers.options import ImportOptions
from framecast.videos.units import are_ratios, convert, convertible, is_multiple, known, same_unit

Values = npt.NDArray[np.floating]
Change = Callable[[Values], Values]

COLLECTED_OVER = "collected_over"
"""Attribute with the accumulation interval of totals in seconds."""

PLAIN = "plain_numbers"
"""Attribute of variables in unit 1 that are not fractions, such as the pixels of pictures."""

_WATER = re.compile(
    r"(^|[^a-z])(pr|prc|prl|prsn|prw|tp|cp|lsp|mtpr|tprate|apcp|swe|snw|tcwv|pwat|mrros?|mrsos?|evspsbl)([^a-z]|$)"
    r"|precip|(^|[^a-z])rain|snow|water|evap|transpir|run_?off|melt|graupel|hail"
)
"""Names of masses of water, in CF's standard names and those of variables."""

_REFLECTIVITY = ("dbz", "dbzh")


def is_reflectivity(unit: str) -> bool:
    """Whether ``unit`` is that of radar reflectivity on its logarithmic scale."""
    return unit.strip().lower() in _REFLECTIVITY


def is_rate(unit: str) -> bool:
    """Whether ``unit`` is a depth per time."""
    return convertible("mm/h", unit)


def is_depth(unit: str) -> bool:
    """Whether ``unit`` is a depth of water, or its mass per area."""
    return convertible(unit, "mm", water=True)


def from_reflectivity(wanted: str, zr: Sequence[float]) -> tuple[str, Change]:
    """Return the conversion of dBZ to a rate, in words and as a function.

    Args:
        wanted: unit of the rate.
        zr: a and b of Z = a Rᵇ with Z in mm⁶ m⁻³ and R in mm/h (Marshall & Palmer 1948: 200 and 1.6).
    """
    a, b = zr
    return (
        f"dBZ by Z = {a:g} R^{b:g}",
        lambda z: convert((10 ** (z.astype(np.float64) / 10) / a) ** (1 / b), "mm/h", wanted),
    )


def from_total(stored: str, wanted: str, collected: float | None, channel: str) -> tuple[str, Change]:
    """Return the conversion of totals to a rate, in words and as a function.

    Args:
        stored: unit of the totals.
        wanted: unit of the rate.
        collected: their accumulation interval in seconds; None if unknown.
        channel: named in errors.

    Raises:
        DataError: the accumulation interval is unknown.
    """
    if collected is None:
        raise DataError(
            f"{channel} is a total in {stored}, and a rate in {wanted} needs the accumulation interval, which the "
            "source does not state: give --collected-over, such as 5min"
        )
    hours = collected / 3600
    return (
        f"{stored} over {collected / 60:g} min",
        lambda total: convert(convert(total, stored, "mm", water=True) / hours, "mm/h", wanted),
    )


@dataclass(frozen=True)
class Conversion:
    """How the values of a channel become those of the archive, once scale and offset are applied.

    Attributes:
        unit: of the archive.
        stored: unit of the values before.
        said: the conversion in a few words; empty if there is none.
        convert: from ``stored`` to ``unit``; None if they are equal.
    """

    unit: str
    stored: str
    said: str = ""
    convert: Callable[[Values], Values] | None = None


def find_conversion(
    channel: str,
    stored: str,
    options: ImportOptions,
    *,
    collected: float | None,
    source: str,
    named: Sequence[str] = (),
    difference: bool = False,
) -> Conversion:
    """Return the conversion of a channel to the requested unit.

    A known unit is converted. With a scale, the requested unit is that of the scaled values, except for a rate from
    reflectivity and a total whose interval the user gives.

    Args:
        channel: its name.
        stored: the unit of the source; empty if it has none.
        options: the user's options.
        collected: accumulation interval of a total in seconds, from the source.
        source: named in errors.
        named: CF's standard name of each variable that the channel is made from, or its own; from which it follows
            whether a mass is one of water.
        difference: whether values are differences, such as anomalies.

    Raises:
        DataError: both units are known and cannot be converted, a difference would be shifted, or the accumulation
            interval of a total is unknown.
    """
    asked, scaled = options.unit_of(channel), _scaling(options)
    if asked is None or same_unit(stored, asked):
        unit = stored if asked is None else asked
        return Conversion(unit, unit, scaled)
    then = f"{scaled}, then converted" if scaled else "converted"
    if is_rate(asked) and is_reflectivity(stored):
        how, change = from_reflectivity(asked, options.zr)
        return Conversion(asked, stored, f"{then} from {how}", change)
    if is_rate(asked) and is_depth(stored) and not (scaled and options.interval is None):
        how, change = from_total(stored, asked, options.interval or collected, channel)
        return Conversion(asked, stored, f"{then} from {how}", change)
    if scaled or not ((_physical(stored) and _physical(asked)) or _comparable(stored, asked)):
        if not scaled and is_multiple(stored):
            raise DataError(
                f"{channel} is in {stored} in {source}, a unit with a factor, which is not understood: give the "
                f"conversion to {asked} with --scale and --offset"
            )
        label = f"--unit names them, the source states {stored}" if stored else ""
        return Conversion(asked, asked, "; ".join(filter(None, (scaled, label))))
    if not convertible(stored, asked) and convertible(stored, asked, water=True):
        if not named or not all(_WATER.search(name.lower()) and "sea_water" not in name for name in named):
            raise DataError(
                f"{channel} is in {stored} in {source}, which is a depth in {asked} only for water (1 kg m-2 is 1 mm), "
                f"and {', '.join(named) or channel} is not known to be water: if it is, set its attribute "
                "standard_name, or give the conversion with --scale"
            )
        change = partial(convert, unit=stored, wanted=asked, water=True)
        return Conversion(asked, stored, f"converted from {stored}, of water: 1 kg m-2 is 1 mm", change)
    if not convertible(stored, asked):
        raise DataError(
            f"{channel} is in {stored} in {source}, which cannot be converted to {asked}: leave --unit out, or "
            "give the conversion to physical values with --scale and --offset"
        )
    if difference and abs(convert(np.zeros(1), stored, asked)[0]) > 0:
        raise DataError(
            f"{channel} is a difference in {stored} in {source}, which a conversion to {asked} would shift: leave "
            "--unit out, or give the conversion with --scale and --offset"
        )
    return Conversion(asked, stored, f"converted from {stored}", lambda values: convert(values, stored, asked))


def check_all_used(found: list[Conversion], options: ImportOptions) -> None:
    """Raise `ConfigError` if an option for rain rates is given and does not apply."""
    changed = [each.stored for each in found if each.convert is not None and is_rate(each.unit)]
    units = ", ".join(dict.fromkeys(each.stored or "no known unit" for each in found))
    for option, given, uses, what in (
        ("--collected-over", options.collected_over is not None, is_depth, "totals (mm, kg m-2)"),
        ("--zr", options.zr != ImportOptions().zr, is_reflectivity, "reflectivity (dBZ)"),
    ):
        if given and not any(map(uses, changed)):
            raise ConfigError(
                f"{option} converts {what} into a rate (--unit mm/h), and there is nothing to convert: the values "
                f"are in {units}; leave it out, or give --scale and --unit instead"
            )


def _physical(unit: str) -> bool:
    return known(unit) or is_reflectivity(unit)


def _comparable(stored: str, asked: str) -> bool:
    """Whether both are known units without dimension, such as % and g/kg; 1 may be a fraction, and no angle."""
    if stored.strip() == "1" or asked.strip() == "1":
        return are_ratios(stored, asked)
    return bool(stored.strip()) and convertible(stored, asked)


def _scaling(options: ImportOptions) -> str:
    """Return scale and offset in words; empty if there are none."""
    factor = f" × {options.scale:g}" if options.scale != 1 else ""
    more = f" {'+-'[options.offset < 0]} {abs(options.offset):g}" if options.offset else ""
    return f"stored values{factor}{more}" if factor or more else ""
