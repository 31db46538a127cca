"""A unit that is asked for: converted, named or refused, with a scale of the user's and without."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from framecast.core.errors import ConfigError, DataError
from framecast.data.archive.reader import Archive
from framecast.importers.conversions import check_all_used, find_conversion, from_reflectivity, from_total
from framecast.importers.expressions import rescales
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
        ("1", {"unit": "%"}, None, 0.05, 5.0),
        ("(0 - 1)", {"unit": "%"}, None, 0.05, 5.0),
        ("%", {"unit": "fraction"}, None, 5.0, 0.05),
        ("1", {"unit": "g/kg"}, None, 0.005, 5.0),
        ("1", {"unit": "K"}, None, 5.0, 5.0),  # plain numbers are named
        ("1", {"unit": "degrees"}, None, 5.0, 5.0),
        ("kg m-2 s-1", {"unit": "mm/h"}, None, 1.0, 3600.0),
        ("kg m**-2", {"unit": "cm"}, None, 1.0, 0.1),
        ("Kelvin", {"unit": "degC"}, None, 273.15, 0.0),
        ("mm/10min", {"unit": "mm/h", "scale": 6.0}, None, 5.0, 5.0),
        ("dBZ", {"scale": 0.5, "offset": -32.0}, None, 5.0, 5.0),
    ],
)
def test_scaled_values_become_those_of_the_unit(stored, given, collected, value, expected):
    found = find_conversion("rain", stored, ImportOptions(**given), collected=collected, source="a.nc", named=["rain"])
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


WATER = ["precipitation_flux", "snowfall_flux", "surface_runoff_flux", "water_evapotranspiration_flux", "pr", "mtpr"]
OTHERS = ["gross_primary_productivity_of_biomass", "terrain_flux", "prx", "downward_mass_flux_of_salt_in_sea_water"]


@pytest.mark.parametrize("name", WATER)
def test_a_mass_of_water_becomes_a_depth(name):
    options = ImportOptions(unit="mm/h")
    found = find_conversion("a", "kg m-2 s-1", options, collected=None, source="a.nc", named=[name])
    assert "1 kg m-2 is 1 mm" in found.said


@pytest.mark.parametrize("names", [["gpp"], *([name] for name in OTHERS), ["pr", "gpp"], []])
def test_the_mass_of_something_else_does_not(names):
    with pytest.raises(DataError, match="not known to be water"):
        find_conversion("a", "kg m-2 s-1", ImportOptions(unit="mm/h"), collected=None, source="a.nc", named=names)


@pytest.mark.parametrize("most", [1.0, 90.0])
def test_fractions_that_are_percentages_are_told_of(most, tmp_path):
    source = stored(tmp_path / "c.nc", "1", np.linspace(0, most, 48, dtype=np.float32).reshape(3, 4, 4))
    found = import_data(source, tmp_path / "a.zarr", unit="%", progress=False)
    assert any("values in % are" in note for note in found.notes) == (most > 1)


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


def test_marshall_and_palmer():
    """23 dBZ are 1 mm/h: 10 log10(200) = 23.01."""
    said, rate = from_reflectivity("mm/h", (200.0, 1.6))
    values = rate(np.array([10 * np.log10(200), 10 * np.log10(200 * 10**1.6), np.nan]))
    np.testing.assert_allclose(values, [1, 10, np.nan])
    assert "200" in said
    assert "1.6" in said
    _, other = from_reflectivity("m/s", (316.0, 1.5))
    np.testing.assert_allclose(other(np.array([25.0])), (10**2.5 / 316) ** (1 / 1.5) / 3.6e6)


@pytest.mark.parametrize("unit", ["mm", "kg m-2", "m"])
def test_a_total_over_its_interval(unit):
    _, rate = from_total(unit, "mm/h", 300.0, "rain")
    amount = 0.001 if unit == "m" else 1.0
    np.testing.assert_allclose(rate(np.array([0.0, amount])), [0, 12])


def test_a_total_over_an_unknown_interval_is_refused():
    with pytest.raises(DataError, match="--collected-over"):
        from_total("mm", "mm/h", None, "rain")


def stored(path: Path, unit: str, values: np.ndarray) -> Path:
    times = np.datetime64("2020-01-01", "ns") + np.arange(len(values)) * np.timedelta64(5, "m")
    data = xr.Dataset({"rain": (("time", "y", "x"), values, {"units": unit})}, coords={"time": times})
    data.to_netcdf(path, engine="h5netcdf")
    return path


def test_an_import_converts_dries_and_then_averages(tmp_path):
    values = np.zeros((3, 4, 4), np.float32)
    values[:, :2, :2] = [[1.0, 0.004], [0.0, 0.5]]  # 12, 0.048, 0 and 6 mm/h
    source = stored(tmp_path / "rain.nc", "mm", values)
    out = tmp_path / "rain.zarr"
    import_data(source, out, unit="mm/h", collected_over="5min", dry_below=0.1, coarsen=2, progress=False)
    archive = Archive.open(out)
    assert archive.unit == "mm/h"
    frame = archive.read(archive.sequences[0])[0, 0]
    np.testing.assert_allclose(frame, [[4.5, 0], [0, 0]], rtol=1e-6)
    assert archive.attrs["converted"] == {"rain": "converted from mm over 5 min"}
    assert archive.attrs["dry_below"] == 0.1


@pytest.mark.parametrize("total", [True, False])
def test_totals_since_the_start_of_a_run_are_told_of(total, tmp_path):
    hourly = np.random.default_rng(0).random((6, 4, 4), np.float32)
    source = stored(tmp_path / "rain.nc", "mm", hourly.cumsum(axis=0) if total else hourly)
    found = import_data(source, tmp_path / "a.zarr", unit="mm/h", collected_over="5min", progress=False)
    assert any("never falls from frame to frame" in note for note in found.notes) == total


def test_impossible_options_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="zr"):
        import_data(tmp_path, tmp_path / "out.zarr", zr=(200.0,))
    with pytest.raises(ConfigError):
        import_data(tmp_path, tmp_path / "out.zarr", collected_over="soon")


@pytest.mark.slow
def test_the_files_of_three_services(real_data, tmp_path):
    """The rates are those of pysteps' own readers and formulas."""
    pytest.importorskip("pysteps")
    for name, unit in (("fmi/20160928", "dBZ"), ("mch/20150515", "mm"), ("knmi", "mm")):
        folder = real_data / "radar-rain" / name
        files = sorted(folder.iterdir())[:2]
        import_data(files, tmp_path / "raw.zarr", overwrite=True, progress=False, cadence="5min")
        import_data(files, tmp_path / "rate.zarr", unit="mm/h", overwrite=True, progress=False, cadence="5min")
        raw, rate = (Archive.open(tmp_path / each) for each in ("raw.zarr", "rate.zarr"))
        assert raw.unit == unit
        assert rate.channels == ("rain_rate",)  # of every service, so that one model takes them all
        values = raw.read(raw.sequences[0])
        expected = 12 * values if unit == "mm" else (10 ** (values.astype(float) / 10) / 200) ** (1 / 1.6)
        np.testing.assert_allclose(rate.read(rate.sequences[0]), expected, rtol=1e-5)


def test_a_factor_in_an_expression_is_the_conversion(tmp_path):
    times = np.datetime64("2020-01-01", "ns") + np.arange(3) * np.timedelta64(5, "m")
    values = np.full((3, 4, 4), 0.002, np.float32) * np.arange(1, 4, dtype=np.float32)[:, None, None]
    data = xr.Dataset({"tp": (("time", "y", "x"), values, {"units": "m"})}, coords={"time": times})
    data.to_netcdf(tmp_path / "tp.nc", engine="h5netcdf")
    given = {"channel": "r=tp*1000", "progress": False}
    found = import_data(tmp_path / "tp.nc", tmp_path / "a.zarr", unit="mm", **given)
    np.testing.assert_allclose([found.low, found.high], [[2], [6]], rtol=1e-5)
    assert "--unit names what tp*1000 gives" in found.understood
    with pytest.raises(DataError, match="has no unit"):
        import_data(tmp_path / "tp.nc", tmp_path / "b.zarr", **given)
    given["channel"] = "r=-tp"
    found = import_data(tmp_path / "tp.nc", tmp_path / "b.zarr", unit="mm", **given)
    np.testing.assert_allclose([found.low, found.high], [[-6], [-2]], rtol=1e-5)


@pytest.mark.parametrize(
    ("attrs", "given"),
    [
        ({"units_metadata": "temperature: difference"}, {}),
        ({"long_name": "2 metre temperature anomaly"}, {}),
        ({}, {"channel": "d=t - c"}),
    ],
)
def test_differences_are_not_shifted(attrs, given, tmp_path):
    times = np.datetime64("2020-01-01", "ns") + np.arange(3) * np.timedelta64(5, "m")
    variable = (("time", "y", "x"), np.zeros((3, 4, 4), np.float32), {"units": "K", **attrs})
    data = xr.Dataset({"t": variable, "c": variable}, coords={"time": times})
    data.to_netcdf(tmp_path / "t.nc", engine="h5netcdf")
    given = {"variables": "t", "progress": False, "overwrite": True, **given}
    if "channel" in given:
        given.pop("variables")
    with pytest.raises(DataError, match="is a difference in K"):
        import_data(tmp_path / "t.nc", tmp_path / "a.zarr", unit="degC", **given)
    assert import_data(tmp_path / "t.nc", tmp_path / "a.zarr", unit="mK", **given).unit == "mK"


@pytest.mark.parametrize(
    ("expression", "yes"),
    [
        *((text, True) for text in ("tp * 1000", "tp / 0.001", "0.5 * (u + v)", "2 / u")),
        *((text, False) for text in ("u ** (1 / 2)", "-1 * u", "u * v", "hypot(u, v)", "u / 1")),
    ],
)
def test_expressions_that_rescale(expression, yes):
    assert rescales(expression) == yes
