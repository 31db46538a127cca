"""Physical units as people and CF write them: whether two are the same, and the way from one to the other."""

import re
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from framecast.core.errors import DataError


def convert(values: npt.NDArray[np.floating], unit: str, wanted: str) -> npt.NDArray[np.floating]:
    """Return ``values`` in ``wanted`` instead of ``unit`` (``m s-1``, ``degC``, ``mm/h``); unchanged where alike.

    Raises:
        DataError: there is no way from one to the other, or one of them is unknown.
    """
    if same_unit(unit, wanted):
        return values
    source, target = _parsed(unit), _parsed(wanted)
    if source is None or target is None or source.dimensionality != target.dimensionality:
        raise DataError(f"values in {unit} cannot be converted to {wanted}")
    return np.asarray(_registry().Quantity(values.astype(np.float64), source).to(target).magnitude)


def same_unit(first: str, second: str) -> bool:
    """Whether two ways of writing mean one unit: ``m s-1``, ``m/s`` and ``m s**-1`` do."""
    if _plain(first) == _plain(second):
        return True
    one, other = _parsed(first), _parsed(second)
    if one is None or other is None or one.dimensionality != other.dimensionality:
        return False
    registry = _registry()
    ends = [registry.Quantity(value, one).to(other).magnitude for value in (0.0, 1.0)]
    return bool(np.allclose(ends, [0.0, 1.0], rtol=1e-9, atol=1e-12))


def _plain(unit: str) -> str:
    return re.sub(r"[\s*^]+", "", unit)


@lru_cache
def _parsed(unit: str) -> Any:
    """Return what pint makes of ``unit``; None where it knows none."""
    text = re.sub(r"(?i)\b(deg(rees?)?[_ ]?c(elsius)?|celsius|°c)\b", "degC", unit.strip())
    text = re.sub(r"(?<=[A-Za-z\]])\^?([+-]?\d+)", r"**\1", text).replace("%", "percent")
    text = re.sub(r"\s*/\s*", "/", text)
    text = re.sub(r"(?<=[\w)])\s+(?=[A-Za-z(])", " * ", text)
    try:
        return _registry().Unit(text or "dimensionless")
    except Exception:  # pint raises a dozen kinds on texts that are not units
        return None


@lru_cache
def _registry() -> Any:
    import pint

    return pint.UnitRegistry(autoconvert_offset_to_baseunit=True)
