import numpy as np
import pytest

from framecast.core.errors import DataError
from framecast.importers.expressions import evaluate
from framecast.videos.units import (
    are_ratios,
    by_channel,
    convert,
    convertible,
    joined,
    known,
    same_unit,
    select,
    unit_of_expression,
)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("m s-1", "m s**-1"),
        ("m/s", "m s^-1"),
        ("kg m-2 s-1", "kg/m^2/s"),
        ("DN / s", "DN/s"),
        ("dBZ", "dBZ"),
        ("mm/h", "mm hr-1"),
        ("Celsius", "degrees_celsius"),
        ("Kelvin", "K"),
        ("Gauss", "gauss"),
        ("m of water equivalent", "m"),
        ("mm of water", "mm"),
        ("centigrade", "degC"),
        ("deg F", "degF"),
        ("meters per second", "m s-1"),
        ("kmh", "km/h"),
        ("mb", "hPa"),
        ("pct", "%"),
        ("(0 - 1)", "fraction (0-1)"),
    ],
)
def test_ways_of_writing_one_unit(first: str, second: str) -> None:
    assert same_unit(first, second)
    values = np.array([1.0, np.nan])
    assert convert(values, first, second) is values


@pytest.mark.parametrize(("first", "second"), [("Mm", "mm"), ("MPa", "mPa"), ("K", "degC"), ("DN", "DN/s"), ("%", "1")])
def test_different_units(first: str, second: str) -> None:
    assert not same_unit(first, second)


@pytest.mark.parametrize(
    ("unit", "wanted", "expected"),
    [("knots", "m s**-1", 0.514444), ("degC", "K", 274.15), ("hPa", "Pa", 100), ("mm h-1", "m s-1", 1e-3 / 3600)],
)
def test_conversion(unit: str, wanted: str, expected: float) -> None:
    assert convert(np.array([1.0]), unit, wanted) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("unit", "wanted"), [("K", "m/s"), ("DN/s", "K"), ("nonsense", "K"), ("dBZ", "mm/h")])
def test_no_way(unit: str, wanted: str) -> None:
    with pytest.raises(DataError, match="cannot be converted"):
        convert(np.array([1.0]), unit, wanted)


def test_units_of_several_channels_are_one_text_and_come_apart_again():
    unit = joined(["m s-1", "K"])
    assert by_channel(unit, 2) == ("m s-1", "K")
    assert joined(["K", "K"]) == "K"
    assert by_channel("K", 3) == ("K", "K", "K")
    assert select(unit, ("u", "t"), ("t",)) == "K"
    assert select(unit, ("u", "t"), ("t", "u")) == "K, m s-1"
    assert same_unit(unit, "m/s, kelvin")
    assert not same_unit(unit, "K, m/s")
    assert not same_unit(unit, "K")


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [("hPa", "hPa", "hPa"), ("hPa", "Pa", ""), ("K", "degC", ""), ("m/s", "m s-1", "m/s"), ("m", "km", "")],
)
def test_differences_of_other_units_have_none(a, b, expected):
    assert unit_of_expression("a - b", {"a": a, "b": b}, evaluate) == expected


@pytest.mark.parametrize(("unit", "says"), [("K", True), ("mm/h", True), ("1", False), ("", False), ("counts!", False)])
def test_units_that_say_nothing_are_told_from_those_that_do(unit, says):
    assert known(unit) == says


@pytest.mark.parametrize(
    ("unit", "wanted", "value"),
    [("kg m-2 s-1", "mm/h", 3600), ("kg/m^2/s", "mm/day", 86400), ("kg m**-2", "cm", 0.1), ("m", "mm", 1000)],
)
def test_masses_of_water_are_depths(unit, wanted, value):
    np.testing.assert_allclose(convert(np.ones(2), unit, wanted, water=True), value)


@pytest.mark.parametrize(("unit", "wanted"), [("kg s-1", "m3 s-1"), ("kg m-2", "mm/h"), ("kg m-3", "1"), ("kg", "mm")])
def test_other_masses_are_no_depths(unit, wanted):
    assert not convertible(unit, wanted, water=True)
    assert not convertible("kg m-2 s-1", "mm/h")


@pytest.mark.parametrize(
    ("unit", "wanted", "yes"),
    [("1", "%", True), ("(0 - 1)", "%", True), ("fraction", "g/kg", True), ("1", "degree", False), ("1", "K", False)],
)
def test_fractions(unit, wanted, yes):
    assert are_ratios(unit, wanted) == yes
