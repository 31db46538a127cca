"""Rain as a rate: from reflectivity by a Z-R relation, and from totals by the interval they were collected over.

What radars give is reflectivity in dBZ or rain collected over some minutes, in mm or kg m⁻²; asked for a rate of depth
per time (``mm/h``), both become one. A Z-R relation is a choice, so it is said whenever it is used.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from framecast.core.errors import DataError
from framecast.videos.units import convert, convertible

Values = npt.NDArray[np.floating]

COLLECTED_OVER = "collected_over"
"""Attribute of a variable with totals: the seconds over which each was collected."""

_REFLECTIVITY = ("dbz", "dbzh")
_DEPTHS = ("kg m-2", "kg m**-2", "kg/m2", "kg/m^2", "kg m^-2")
"""Water of so much per area, of which 1 kg m⁻² is 1 mm deep."""


@dataclass(frozen=True)
class RainRate:
    """How stored values become a rate.

    Attributes:
        said: what is done, in a few words.
        convert: does it.
    """

    said: str
    convert: Callable[[Values], Values]


def rain_rate(
    stored: str, wanted: str, *, zr: tuple[float, float], collected: float | None, channel: str
) -> RainRate | None:
    """Return how values in ``stored`` become a rate in ``wanted``; None where this is no such conversion.

    Args:
        stored: unit of the source.
        wanted: unit asked for.
        zr: a and b of Z = a Rᵇ with Z in mm⁶ m⁻³ and R in mm/h (Marshall & Palmer 1948: 200 and 1.6).
        collected: seconds over which a total was collected, where they are known.
        channel: named in errors.

    Raises:
        DataError: the source has totals, and nothing says over how long they were collected.
    """
    if not convertible("mm/h", wanted):
        return None
    if stored.strip().lower() in _REFLECTIVITY:
        a, b = zr
        return RainRate(
            f"dBZ by Z = {a:g} R^{b:g}",
            lambda z: convert((10 ** (z.astype(np.float64) / 10) / a) ** (1 / b), "mm/h", wanted),
        )
    depth = "mm" if stored.strip() in _DEPTHS else stored
    if not convertible(depth, "mm"):
        return None
    if collected is None:
        raise DataError(
            f"{channel} is a total in {stored}, and a rate in {wanted} needs the interval it was collected over, which "
            "the source does not say: give --collected-over, such as 5min"
        )
    hours = collected / 3600
    return RainRate(
        f"{stored} over {collected / 60:g} min",
        lambda total: convert(convert(total, depth, "mm") / hours, "mm/h", wanted),
    )
