"""Rain as a rate: from reflectivity by a Z-R relation, and from totals by their accumulation interval.

What radars give is reflectivity in dBZ or rain collected over some minutes, in mm or kg m⁻²; both are converted to a
rate (``mm/h``) on request. A Z-R relation is a choice, so it is reported whenever it is used.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from framecast.core.errors import DataError
from framecast.videos.units import convert, convertible

Values = npt.NDArray[np.floating]
Change = Callable[[Values], Values]

COLLECTED_OVER = "collected_over"
"""Attribute with the accumulation interval of totals in seconds."""

_REFLECTIVITY = ("dbz", "dbzh")
_DEPTHS = ("kg m-2", "kg m**-2", "kg/m2", "kg/m^2", "kg m^-2")
"""Mass of water per area, of which 1 kg m⁻² is 1 mm deep."""


def is_reflectivity(unit: str) -> bool:
    """Whether ``unit`` is that of radar reflectivity on its logarithmic scale."""
    return unit.strip().lower() in _REFLECTIVITY


def is_rate(unit: str) -> bool:
    """Whether ``unit`` is a depth per time."""
    return convertible("mm/h", unit)


def is_depth(unit: str) -> bool:
    """Whether ``unit`` is a depth of water, or its mass per area."""
    return unit.strip() in _DEPTHS or convertible(unit, "mm")


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
    depth, hours = "mm" if stored.strip() in _DEPTHS else stored, collected / 3600
    return (
        f"{stored} over {collected / 60:g} min",
        lambda total: convert(convert(total, depth, "mm") / hours, "mm/h", wanted),
    )
