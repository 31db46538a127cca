"""Stratified scores, area weights, several channels, times of other calendars."""

import numpy as np
import pytest
import xarray as xr

import framecast as fc
from framecast.core.errors import ConfigError, DataError
from framecast.data.forecasts import SampleInfo, write_forecast
from framecast.verification.cases import Cases
from framecast.verification.evaluation import evaluate
from framecast.verification.rows import score_rows
from framecast.verification.strata import find_strata
from framecast.videos.calendar import Calendar
from framecast.videos.frames import FrameSpec

DEGREES = {
    "y": ("y", np.array([0.0, 30.0, 60.0]), {"units": "degrees_north", "standard_name": "latitude"}),
    "x": ("x", np.array([10.0, 20.0, 30.0, 40.0]), {"units": "degrees_east", "standard_name": "longitude"}),
}


@pytest.fixture
def written(tmp_path):
    """Write a forecast of two channels, u a hundred times as large as v, and return its arrays."""

    def make(times, calendar=Calendar(), channels=("u", "v"), name="f.zarr"):
        random = np.random.default_rng(5)
        scale = np.array([100.0, 1.0])[: len(channels), None, None, None]
        shape = (len(times), len(channels), 2, 3, 4)
        truth = random.normal(size=shape) * scale
        members = (
            truth[:, None]
            + random.normal(size=(len(times), 4, *shape[1:]))
            * scale
            * np.array([0.2, 0.9]).reshape(-1, 1, 1, 1)[: len(channels)]
        )
        frames = FrameSpec(
            past_channels=channels, future_channels=channels, past=1, future=2, cadence=3600.0, height=3, width=4
        )
        with write_forecast(
            tmp_path / name,
            frames=frames,
            samples=[SampleInfo(sequence=f"s{k}", issue_time=time, label="MX"[k % 2]) for k, time in enumerate(times)],
            members=4,
            unit="m/s",
            attrs={"model": "net"},
            dressing=None,
            positions=DEGREES,
            calendar=calendar,
        ) as writer:
            for k in range(len(times)):
                past = np.zeros((len(channels), 1, 3, 4), np.float32)
                writer.write(k, past=past, truth=truth[k].astype("f4"), forecast=members[k].astype("f4"))
        return tmp_path / name, members.astype("f4"), truth.astype("f4")

    return make


TIMES = [np.datetime64(f"2020-{month:02}-15T06", "ns") for month in (1, 2, 6, 7)]


def crps(members, truth, **options):
    return float(fc.score(members, truth, **options)["crps"])


@pytest.mark.thorough
def test_seasons_labels_regions_and_classes_are_scored_by_themselves(written, tmp_path):
    path, members, truth = written(TIMES, channels=("u",))
    mask = xr.Dataset({"sea": (("y", "x"), np.array([[0, 0, 1, 1]] * 3, np.int8))})
    mask["sea"].attrs |= {"flag_values": np.array([0, 1], np.int8), "flag_meanings": "land sea"}
    mask.to_netcdf(tmp_path / "mask.nc", engine="h5netcdf")
    found = evaluate(
        path,
        by=("season", "label"),
        region=("tropics=-20:40,0:25",),
        mask=tmp_path / "mask.nc",
        weights="none",
        replicates=100,
    )
    parts = {part.name: part for part in found.scores.strata}
    assert list(parts) == [
        "season DJF",
        "season JJA",
        "label M",
        "label X",
        "region tropics",
        "class land",
        "class sea",
    ]
    expected = {
        "season DJF": (slice(0, 2), slice(None), slice(None)),
        "label X": (slice(1, None, 2), slice(None), slice(None)),
        "region tropics": (slice(None), slice(0, 2), slice(0, 2)),
        "class sea": (slice(None), slice(None), slice(2, None)),
    }
    for name, (samples, rows, columns) in expected.items():
        value = crps(members[samples][..., rows, columns], truth[samples][..., rows, columns])
        assert float(parts[name].scores["net"]["crps"]) == pytest.approx(value, rel=1e-5)
    assert parts["season DJF"].samples == 2 and parts["region tropics"].judged_pixels == 4 * 2 * 4
    assert np.isfinite(float(parts["class land"].skill["net"]["persistence"]))


@pytest.mark.thorough
def test_masks_are_arranged_by_the_coordinates_of_the_forecast(written, tmp_path):
    path, *_ = written(TIMES, channels=("u",))
    sea = np.arange(12).reshape(3, 4) % 5 == 0
    names = ("latitude", "longitude")
    mask = xr.DataArray(sea.astype("i1"), dims=names, name="sea", coords={"latitude": [0.0, 30, 60]})
    mask = mask.assign_coords(longitude=[370.0, 380, 390, 400])  # those of the forecast, counted otherwise

    def pixels(mask):
        mask.to_dataset().to_netcdf(tmp_path / "mask.nc", engine="h5netcdf")
        cases = Cases([path], seed=0)
        return find_strata(cases, mask=tmp_path / "mask.nc")[1].pixels.numpy()

    turned = mask.transpose(*names[::-1])[::-1, ::-1]
    for given in (mask, turned, mask.drop_vars(names), turned[::-1, ::-1].drop_vars(names)):
        np.testing.assert_array_equal(pixels(given), sea)
    with pytest.raises(DataError, match="another latitude"):
        pixels(mask.assign_coords(latitude=[0.0, 31, 60]))


@pytest.mark.thorough
def test_regions_in_metres_are_no_longitudes(written, monkeypatch):
    metres = {name: (name, np.arange(float(n)) * 1000 + 500, {"units": "m"}) for name, n in (("y", 3), ("x", 4))}
    monkeypatch.setitem(globals(), "DEGREES", metres)
    path, *_ = written(TIMES, channels=("u",))
    [part] = find_strata(Cases([path], seed=0), regions=("part=0:3000,1000:2000",))
    np.testing.assert_array_equal(part.pixels, np.array([[False, True, False, False]] * 3))


@pytest.mark.thorough
def test_impossible_parts_are_refused(written):
    path, *_ = written(TIMES)
    with pytest.raises(DataError, match=r"contains no pixel.*0 to 60"):
        evaluate(path, region=("south=-60:-50,0:20",))
    with pytest.raises(ConfigError, match="SOUTH:NORTH"):
        evaluate(path, region=("alps",))


@pytest.mark.thorough
def test_pixels_count_by_their_area_on_a_grid_of_latitudes(written):
    path, members, truth = written(TIMES, channels=("u",))
    area = np.cos(np.deg2rad([0.0, 30.0, 60.0]))[:, None]
    found = evaluate(path, replicates=100).scores
    assert found.weights and not evaluate(path, replicates=100, weights="none").scores.weights
    assert found["net"]["crps"].value == pytest.approx(crps(members, truth, weights=area), rel=1e-6)
    squares = ((members.mean(1) - truth) ** 2 * area).mean() / area.mean()
    assert found["net"]["rmse"].value == pytest.approx(np.sqrt(squares), rel=1e-5)


@pytest.mark.thorough
def test_means_over_the_area_take_the_place_of_sums(written):
    path, members, _ = written(TIMES, channels=("u",))
    found = evaluate(path, replicates=100)
    assert found.scores.headline == ["mean", "peak_mean", "time_of_peak", "maximum"]
    area = np.cos(np.deg2rad([0.0, 30.0, 60.0]))[:, None]
    mean = {quantity.name: quantity for quantity in found.quantities}["area_mean"]
    import torch

    from framecast.verification.quantities import measure

    values = measure(
        mean, torch.from_numpy(members[0]), torch.ones(1, 2, 3, 4, dtype=bool), 1.0, torch.from_numpy(area)
    )
    assert values.numpy() == pytest.approx((members[0] * area).mean((-2, -1)) / area.mean(), rel=1e-5)


@pytest.mark.thorough
def test_no_channel_drowns_another(written):
    """Over channels: the mean of their scores, each in standard deviations of what is observed in it."""
    path, members, truth = written(TIMES)
    found = evaluate(path, replicates=100, weights="none").scores
    own = [crps(members[:, :, [c]], truth[:, [c]]) for c in range(2)]
    result = found["net"]["crps"]
    assert result.by_channel.value == pytest.approx(own, rel=1e-5)
    assert found.scale == pytest.approx(truth.std((0, 2, 3, 4)), rel=1e-5)
    assert result.value == pytest.approx(np.mean(np.array(own) / found.scale), rel=1e-5)
    assert found.score_info["crps"].unit == "σ" and result.value > 0.1  # v alone is that bad
    assert float(fc.score(members, truth)["crps"]) == pytest.approx(result.value, rel=1e-6)


def test_the_parts_of_the_crps_add_up(written):
    path, members, truth = written(TIMES, channels=("u",))
    found = evaluate(path, replicates=100, weights="none").scores["net"]
    parts = [found[f"crps_{part}"].value for part in ("reliability", "resolution", "uncertainty")]
    difference = np.abs(members[:, :, None] - members[:, None]).mean((1, 2)).mean() / 2
    own = np.abs(members - truth[:, None]).mean() - difference
    assert parts[0] - parts[1] + parts[2] == pytest.approx(own, rel=1e-4)


@pytest.mark.thorough
def test_figures_are_the_same_at_any_power_of_ten(written):
    _, members, truth = written(TIMES, channels=("u",))
    small, large = (fc.score(members * factor, truth * factor) for factor in (1.0, 1e6))
    for name in ("crps", "crps_reliability", "variogram_score"):
        assert float(large[name]) == pytest.approx(1e6 * float(small[name]), rel=1e-4)
    assert float(large["spread_skill"]) == pytest.approx(float(small["spread_skill"]), rel=1e-5)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("calendar", "texts"),
    [
        pytest.param(
            Calendar(name="360_day", origin="2000-01-01"),
            ["2000-02-30T06:00", "2000-02-30T18:00", "2000-07-30T06:00"],
            marks=pytest.mark.slow,
        ),
        (Calendar(name="none", origin=""), ["1h", "2h", "30h"]),
    ],
)
def test_other_calendars_are_shown_as_they_are(calendar, texts, written, tmp_path):
    path, *_ = written([calendar.parse(text) for text in texts], calendar, channels=("u",))
    found = fc.evaluate(path, replicates=100, progress=False)
    assert [sample.issue_time[:16] for sample in found.samples] == [calendar.iso(calendar.parse(t))[:16] for t in texts]
    page = found.report(tmp_path / "report", progress=False).read_text(encoding="utf-8")
    issued = calendar.text(calendar.parse(texts[0]))
    assert "1970" not in page and any(calendar.text(calendar.parse(text)) in page for text in texts), issued
    assert found.scores.bootstrap.blocks == "sequence"
    if calendar.name == "none":
        with pytest.raises(ConfigError, match="needs dates"):
            evaluate(path, blocks="day")
        with pytest.raises(ConfigError, match="needs dates"):
            evaluate(path, by=("season",))
    else:
        assert [part.name for part in evaluate(path, by=("month",)).scores.strata] == ["month 02", "month 07"]
    assert all("1970" not in str(row) for row in score_rows(found.scores))


@pytest.mark.thorough
def test_coordinates_of_arrays_in_memory_are_compared():
    members = xr.DataArray(
        np.random.default_rng(0).normal(size=(3, 2, 4)), dims=("member", "y", "x"), coords={"y": [0.0, 1.0]}
    )
    truth = xr.DataArray(np.zeros((2, 4)), dims=("y", "x"), coords={"y": [1.0, 0.0]})
    truth[0] = 5.0  # at y = 1
    turned = fc.score(members, truth.isel(y=[1, 0]))
    assert float(fc.score(members, truth)["crps"]) == float(turned["crps"])
    with pytest.raises(DataError, match=r"no y 0\.0"):
        fc.score(members, truth.assign_coords(y=[1.0, 2.0]))


@pytest.mark.thorough
def test_latitudes_that_differ_from_those_of_the_ensemble_are_refused():
    random = np.random.default_rng(0)
    lat = {"lat": ("y", [50.0, 51.0, 52.0])}
    members = xr.DataArray(random.normal(size=(3, 3, 3)), dims=("member", "y", "x"), coords=lat)
    truth = members[0] + 0.1
    fc.score(members, truth)
    with pytest.raises(DataError, match="truth: lat differs"):
        fc.score(members, truth[::-1])


@pytest.mark.thorough
def test_weights_are_arranged_by_names_and_coordinates():
    random = np.random.default_rng(0)
    places = {"y": [50.0, 51.0, 52.0], "x": [4.0, 5.0, 6.0]}
    members = xr.DataArray(random.normal(size=(3, 3, 3)), dims=("member", "y", "x"), coords=places)
    truth = xr.DataArray(random.normal(size=(3, 3)), dims=("y", "x"), coords=places)
    weights = xr.DataArray(random.random((3, 3)), dims=("y", "x"), coords=places)

    def crps(given, came=truth, own=members):
        return float(fc.score(own, came, weights=given)["crps"])

    expected = crps(weights.values)
    turned = weights.transpose("x", "y")[:, ::-1]
    assert crps(weights) == crps(turned) == crps(turned, own=members.values) == expected
    assert crps(weights[:, 0]) == crps(weights.values[:, :1]) != crps(weights[0]) == crps(weights.values[0])
    with pytest.raises(ConfigError, match="dimension 'lat' of the weights is unknown"):
        crps(weights.rename(y="lat"))
    with pytest.raises(DataError, match=r"weights: there is no y 5"):
        crps(weights.assign_coords(y=[60.0, 61.0, 62.0]))
    for wrong in (-weights, weights.where(weights > 0.5), 0 * weights):
        with pytest.raises(ConfigError, match="finite numbers of at least 0"):
            crps(wrong)


@pytest.mark.thorough
def test_lead_times_and_units_of_arrays_in_memory_are_used():
    random = np.random.default_rng(0)
    leads = {"lead_time": np.array([5, 10, 15], "m8[m]").astype("m8[ns]")}
    members = xr.DataArray(
        random.normal(280, 3, (4, 3, 2, 4)), dims=("member", "lead_time", "y", "x"), coords=leads, attrs={"units": "K"}
    )
    truth = members[0].copy(data=random.normal(280, 3, (3, 2, 4))).drop_vars("lead_time")
    found, given = fc.score(members, truth), fc.score(members.values, truth.values, cadence=300)
    np.testing.assert_allclose(found["lead_time"], [1 / 12, 1 / 6, 1 / 4])
    assert float(found["time_of_peak_crps"]) == pytest.approx(float(given["time_of_peak_crps"]))
    np.testing.assert_array_equal(fc.score(members, truth, cadence=7200)["lead_time"], [2, 4, 6])
    for numbers, attrs, hours in (([6, 12, 18], {"units": "hours"}, [6, 12, 18]), ([0, 1, 2], {}, [1, 2, 3])):
        own = members.assign_coords(lead_time=("lead_time", numbers, attrs))
        np.testing.assert_allclose(fc.score(own, truth)["lead_time"], hours)
    for wrong, words in (([6, 12, 18], "no unit"), ([2.0, 1.0, 0.0], "does not increase")):
        with pytest.raises(ConfigError, match=words):
            fc.score(members.assign_coords(lead_time=wrong), truth)
    celsius = (truth - 273.15).assign_attrs(units="degC")
    assert float(fc.score(members, celsius)["crps"]) == pytest.approx(float(found["crps"]), rel=1e-4)
    with pytest.raises(DataError, match="values in mm/h cannot be converted to K"):
        fc.score(members, truth.assign_attrs(units="mm/h"))


@pytest.mark.thorough
def test_masked_values_are_unknown_and_complex_ones_refused():
    random = np.random.default_rng(0)
    members, truth = random.normal(size=(4, 6, 5)), random.normal(size=(6, 5))
    truth[0], members[:2, 3] = np.nan, np.nan
    filled = [np.ma.array(np.nan_to_num(own, nan=-9999.0), mask=np.isnan(own)) for own in (members, truth)]
    assert float(fc.score(*filled)["crps"]) == float(fc.score(members, truth)["crps"])
    with pytest.raises(DataError, match="complex: give their magnitude"):
        fc.score(members + 1j, truth)
