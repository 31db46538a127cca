"""Physical units as people and CF write them: whether two are the same, and the way from one to the other."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from framecast.core.errors import DataError

SEPARATOR = ", "
"""Between the units of several channels."""


def convert(
    values: npt.NDArray[np.floating], unit: str, wanted: str, *, water: bool = False
) -> npt.NDArray[np.floating]:
    """Return ``values`` in ``wanted`` instead of ``unit`` (``m s-1``, ``degC``, ``mm/h``); unchanged where alike.

    With ``water``, masses of water per area become depths: 1 kg m-2 is 1 mm.

    Raises:
        DataError: there is no way from one to the other, or one of them is unknown.
    """
    if same_unit(unit, wanted):
        return values
    if not convertible(unit, wanted, water=water):
        raise DataError(f"values in {unit} cannot be converted to {wanted}")
    quantity = _registry().Quantity(values.astype(np.float64), _parsed(unit))
    return np.asarray(quantity.to(_parsed(wanted), *(["water"] if water else [])).magnitude)


def known(unit: str) -> bool:
    """Whether ``unit`` says what values are in; numbers, counts and texts that nobody knows do not."""
    found = _parsed(unit)
    return unit.strip() not in ("", "1") and found is not None and not found.dimensionless


def convertible(unit: str, wanted: str, *, water: bool = False) -> bool:
    """Whether values in ``unit`` can be converted to ``wanted``, masses of ``water`` per area also to depths."""
    source, target = _parsed(unit), _parsed(wanted)
    if source is None or target is None:
        return False
    ways = [(_parsed("kg m-2"), _parsed("mm")), (_parsed("kg m-2 s-1"), _parsed("mm/h"))] if water else []
    pair = source.dimensionality, target.dimensionality
    return pair[0] == pair[1] or pair in [(mass.dimensionality, depth.dimensionality) for mass, depth in ways]


def are_ratios(unit: str, wanted: str) -> bool:
    """Whether both are units of fractions, such as 1, % and g/kg, which angles and counts are not."""
    parsed = _parsed(unit), _parsed(wanted)
    return all(each is not None and (1 * each).to_root_units().unitless for each in parsed)


def is_multiple(unit: str) -> bool:
    """Whether ``unit`` is a known one with a factor, such as ``mm/10min``, which is not understood."""
    return _parsed(unit) is None and known(re.sub(r"(?<![\w.^*+-])\d[\d.]*(\^\d+|[eE][+-]?\d+)?\s*", "", unit))


def joined(units: Sequence[str]) -> str:
    """Return the units of several channels as one text: the only one, or all with commas between them."""
    return units[0] if len(set(units)) == 1 else SEPARATOR.join(units)


def by_channel(unit: str, channels: int) -> tuple[str, ...]:
    """Return the unit of each channel from what `joined` made."""
    parts = unit.split(SEPARATOR)
    return tuple(parts) if len(parts) == channels else (unit,) * channels


def shown(unit: str) -> str:
    """Return ``unit`` as it stands behind a number: nothing for plain numbers, whose unit is 1."""
    return "" if unit == "1" else unit


def select(unit: str, channels: Sequence[str], wanted: Sequence[str]) -> str:
    """Return the unit of the ``wanted`` ones of ``channels``, as `joined` makes it; ``unit`` is that of all."""
    own = dict(zip(channels, by_channel(unit, len(channels)), strict=True))
    return joined([own.get(channel, unit) for channel in wanted])


def unit_of_expression(
    expression: str, units: Mapping[str, str], evaluate: Callable[[str, Mapping[str, Any]], Any]
) -> str:
    """Return the unit of what ``evaluate`` makes of values in ``units``; empty where units do not tell it."""
    if not all(known(unit) for unit in units.values()) or not units:
        return ""
    numbers = {name: 2.0 + k for k, name in enumerate(units)}
    try:
        found = evaluate(
            expression, {name: _registry().Quantity(numbers[name], _parsed(unit)) for name, unit in units.items()}
        )
        if not np.isclose(found.magnitude, evaluate(expression, numbers)):
            return ""  # hPa - Pa: what is computed is in neither
        return next((unit for unit in units.values() if found.units == _parsed(unit)), f"{found.units:~C}")
    except Exception:  # of pint, for units that do not go together
        return ""


def same_unit(first: str, second: str) -> bool:
    """Whether two ways of writing mean one unit: ``m s-1``, ``m/s`` and ``m s**-1`` do."""
    if _plain(first) == _plain(second):
        return True
    if SEPARATOR in first + second:
        pairs = first.split(SEPARATOR), second.split(SEPARATOR)
        return len(pairs[0]) == len(pairs[1]) and all(map(same_unit, *pairs))
    one, other = _parsed(first), _parsed(second)
    if one is None or other is None or one.dimensionality != other.dimensionality:
        return False
    registry = _registry()
    ends = [registry.Quantity(value, one).to(other).magnitude for value in (0.0, 1.0)]
    return bool(np.allclose(ends, [0.0, 1.0], rtol=1e-9, atol=1e-12))


def _plain(unit: str) -> str:
    return re.sub(r"[\s*^]+", "", unit)


_WRITTEN = (
    (r"\b(deg(rees?)?[_ ]?c(elsius)?|celsius|centigrade|°c)\b", "degC"),
    (r"\b(deg(rees?)?[_ ]?f(ahrenheit)?)\b", "degF"),
    (r"^[([]?0(\.0?)?\s*[-,]\s*1(\.0?)?[)\]]?$|^fraction( \(0-1\))?$", "dimensionless"),
    (r"^(percentage|pct)$", "percent"),
    (r"^([cm]?m) of (liquid )?water( equivalent)?", r"\1"),
    (r"^(mb|millibars?)$", "mbar"),
    (r"^(kmh|kph)$", "km/h"),
    (r"\bkelvin\b", "kelvin"),
    (r"\bgauss\b", "gauss"),
    (r"\s+per\s+", "/"),
)
"""What people write, and what pint knows."""


@lru_cache
def _parsed(unit: str) -> Any:
    """Return what pint makes of ``unit``; None where it knows none."""
    text = unit.strip()
    for written, meant in _WRITTEN:
        text = re.sub(f"(?i){written}", meant, text)
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

    registry: Any = pint.UnitRegistry(autoconvert_offset_to_baseunit=True)
    water: Any = pint.Context("water")
    density = registry.Quantity(1000.0, "kg / m**3")
    for time in ("", " / [time]"):
        water.add_transformation(f"[mass] / [length] ** 2{time}", f"[length]{time}", lambda _, mass: mass / density)
    registry.add_context(water)
    return registry
