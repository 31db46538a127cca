"""A unit that is asked for: converted, named or refused, with a scale of the user's and without."""

import numpy as np
import pytest
import xarray as xr

from framecast.core.errors import ConfigError, DataError
from framecast.importers.conversions import check_all_used, find_conversion
from framecast.importers.importing import import_data
from framecast.importers.options import ImportOptions

DEGREES = {"scale": 1.0, "offset": -273.15, "unit": "degC"}
CODES = {"scale": 0.5, "offset": -32.0, "unit": "mm/h"}


@pytest.mark.parametrize(
    ("stored", "given", "collected", "value", "expected"),
    [
        ("K", {"unit": "degC"}, None, 273.15, 0.0),
        ("K", DEGREES, None, 7.0, 7.0),  # the scale is the conversion
        ("dBZ", {"unit": "mm/h"}, None, 23.0103, 1.0),
        ("dBZ", CODES, None, 23.0103, 1.0),  # no scale makes a rate of reflectivity
        ("mm", {"unit": "mm/h"}, 300.0, 1.0, 12.0),
        ("mm", {"unit": "mm/h", "scale": 12.0}, 300.0, 12.0, 12.0),  # the scale is the conversion
        ("mm", {"unit": "mm/h", "scale": 0.01, "collected_over": "10min"}, 300.0, 1.0, 6.0),
        ("", CODES, None, 5.0, 5.0),
        ("g/kg", {"unit": "kg kg-1"}, None, 5.0, 0.005),
        ("%", {"unit": "1"}, None, 5.0, 0.05),
        ("degrees", {"unit": "rad"}, None, 180.0, np.pi),
        ("1", {"unit": "%"}, None, 5.0, 5.0),  # plain numbers are named
        ("Kelvin", {"unit": "degC"}, None, 273.15, 0.0),
        ("mm/10min", {"unit": "mm/h", "scale": 6.0}, None, 5.0, 5.0),
        ("dBZ", {"scale": 0.5, "offset": -32.0}, None, 5.0, 5.0),
    ],
)
def test_scaled_values_become_those_of_the_unit(stored, given, collected, value, expected):
    found = find_conversion("rain", stored, ImportOptions(**given), collected=collected, source="a.nc")
    assert found.unit == given.get("unit", stored)
    values = np.array([value])
    np.testing.assert_allclose(values if found.convert is None else found.convert(values), [expected], rtol=1e-5)


@pytest.mark.parametrize(
    ("stored", "given", "words"),
    [
        ("K", {"unit": "degC"}, ["from K"]),
        ("K", DEGREES, ["- 273.15", "--unit", "K"]),
        ("dBZ", CODES, ["× 0.5 - 32", "200 R^1.6"]),
        ("widgets", {"unit": "K"}, ["--unit", "widgets"]),
        ("dBZ", {"scale": 0.5, "offset": -32.0}, ["× 0.5 - 32"]),
    ],
)
def test_what_is_done_is_said(stored, given, words):
    said = find_conversion("rain", stored, ImportOptions(**given), collected=None, source="a.nc").said
    assert all(word in said for word in words), said


@pytest.mark.parametrize(
    ("stored", "asked"), [("K", "m"), ("dBZ", "K"), ("mm/h", "dBZ"), ("mm/10min", "mm/h"), ("10^3 kg m-3", "kg m-3")]
)
def test_what_no_conversion_leads_to_is_refused(stored, asked):
    with pytest.raises(DataError, match="--scale and --offset"):
        find_conversion("rain", stored, ImportOptions(unit=asked), collected=None, source="a.nc")


@pytest.mark.parametrize(
    ("stored", "given"),
    [
        ("", {"unit": "mm/h", "collected_over": "5min"}),
        ("mm", {"collected_over": "5min"}),
        ("mm", {"unit": "mm/h", "collected_over": "5min", "zr": (316.0, 1.5)}),
        ("dBZ", {"unit": "mm/h", "collected_over": "5min"}),
    ],
)
def test_an_option_for_rain_that_changes_nothing_is_refused(stored, given):
    options = ImportOptions(**given)
    with pytest.raises(ConfigError, match=r"--collected-over|--zr"):
        check_all_used([find_conversion("rain", stored, options, collected=None, source="a.nc")], options)


def test_codes_are_no_reflectivity(tmp_path):
    """181 dBZ would be 7e8 mm/h."""
    values = np.tile(np.array([0, 60, 181], np.uint8), (3, 3, 1))
    times = np.datetime64("2020-01-01", "ns") + np.arange(3) * np.timedelta64(5, "m")
    data = xr.Dataset({"z": (("time", "y", "x"), values, {"units": "dBZ"})}, coords={"time": times})
    data.to_netcdf(tmp_path / "z.nc", engine="h5netcdf")
    with pytest.raises(DataError, match="--scale"):
        import_data(tmp_path / "z.nc", tmp_path / "z.zarr", unit="mm/h", progress=False)
    assert not (tmp_path / "z.zarr").exists()
    found = import_data(tmp_path / "z.nc", tmp_path / "z.zarr", unit="mm/h", scale=0.5, offset=-32, progress=False)
    np.testing.assert_allclose(found.high, (10**5.85 / 200) ** (1 / 1.6), rtol=1e-5)
