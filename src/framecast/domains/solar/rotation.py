"""How a point of the Sun's surface moves: the rotation is faster at the equator than near the poles."""

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from framecast.core.errors import ConfigError

Rotation = Literal["howard", "snodgrass", "allen", "rigid"]

_DAY = np.timedelta64(86_400_000_000_000, "ns")


def drift_rate(latitude: npt.ArrayLike, *, rotation: Rotation = "howard") -> npt.NDArray[np.float64]:
    """Return how fast points at ``latitude`` (degrees) gain on the Carrington system, in degrees of longitude per day.

    The sidereal rate A + B sin²Θ + C sin⁴Θ of sunpy's ``differential_rotation`` minus the 14.1844°/day with which
    Carrington's coordinates turn by definition. The default coefficients are those of Howard, Harvey and Forgach
    (1990, Solar Physics 130, 295), measured on magnetic features.

    Raises:
        ConfigError: ``rotation`` is none of the laws.
    """
    if rotation not in get_args(Rotation):
        raise ConfigError(f"rotation is {rotation!r}; it can be {', '.join(get_args(Rotation))}")
    import astropy.units as u
    from sunpy.sun.constants import sidereal_rotation_rate
    from sunpy.sun.models import differential_rotation

    degrees = np.asarray(latitude, np.float64) * u.deg
    rate = differential_rotation(1 * u.day, degrees, model=rotation, frame_time="sidereal").to_value(u.deg)
    return np.asarray(rate - sidereal_rotation_rate.to_value(u.deg / u.day), np.float64)


def days_between(start: np.datetime64, times: npt.NDArray[np.datetime64]) -> npt.NDArray[np.float64]:
    """Return the days from ``start`` to each of ``times``."""
    return (times.astype("datetime64[ns]") - start.astype("datetime64[ns]")) / _DAY
