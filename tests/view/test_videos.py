"""What panels show: the values of the file, to half a step of 65534."""

import numpy as np
import pytest
import xarray as xr

from framecast.core.errors import ConfigError
from framecast.reports.colours import Brightness
from framecast.verification.samples import Sample
from framecast.view.videos import MAPS, Shown, colour_tables, decode, encode, show


@pytest.fixture(scope="module")
def file(forecasts):
    return xr.open_zarr(forecasts[0], decode_timedelta=True).load()


@pytest.fixture(scope="module")
def sample(file, forecasts):
    return Sample.of(file, 3, where=forecasts[0])


@pytest.mark.parametrize("softening", [None, 0.5])
def test_codes_hold_values_to_half_a_step(softening):
    values = np.random.default_rng(0).lognormal(0, 2, (3, 5, 7)).astype(np.float32)
    values[1, 2, 3], values[0, 0, 0] = np.nan, np.inf
    header, found = decode(encode(Shown(values=values, light=Brightness(0.0, 9.0, softening))))
    known = np.isfinite(values)
    assert np.array_equal(np.isfinite(found), known)
    soft = softening or 0.0
    slope = np.hypot(found[known] - header["low"], soft) if soft else 1.0
    assert np.all(np.abs(found[known] - values[known]) <= 0.5001 * header["step"] * slope * 1.001 + 1e-6)
    assert found[known].min() == pytest.approx(values[known].min())
    assert found[known].max() == pytest.approx(values[known].max(), rel=1e-5)


@pytest.mark.parametrize("value", [0.0, 7.5, np.nan])
def test_frames_of_one_value_stay_so(value):
    _, found = decode(encode(Shown(values=np.full((1, 2, 2), value), light=Brightness(0.0, 1.0, None))))
    assert np.array_equal(found, np.full((1, 2, 2), value), equal_nan=True)


def future(sample, what, minus=""):
    shown = show(sample, 0, what, minus)
    assert shown.values.shape == (3 + 3, 12, 16)
    return shown.values[3:]


def test_panels_are_what_numpy_says_of_the_file(sample, file):
    members = file["forecast"].isel(sample=3, channel=0).transpose("member", "lead_time", "y", "x").values
    truth = file["truth"].isel(sample=3, channel=0).values
    last = file["past"].isel(sample=3, past_time=-1, past_channel=1).values
    known = np.isfinite(truth)
    for what, wanted in {
        "truth": truth,
        "member-4": members[3],
        "mean": members.mean(0),
        "spread": members.std(0, ddof=1) * np.sqrt(11 / 10),
        "quantile-0.5": np.median(members, 0),
        "quantile-0.25": np.quantile(members, 0.25, axis=0, method="weibull"),
        "above-101.5": (members >= 101.5).mean(0),
        "persistence": np.broadcast_to(last, truth.shape),
    }.items():
        found = future(sample, what)
        assert np.allclose(found[known], wanted[known], rtol=1e-5, atol=1e-4), what
        assert np.isnan(found[~known]).all(), what
    assert np.allclose(future(sample, "mean", "truth")[known], (members.mean(0) - truth)[known], atol=1e-4)
    assert np.allclose(future(sample, "truth", "persistence")[known], (truth - last)[known], atol=1e-4)
    past = file["past"].isel(sample=3, past_channel=1).values
    assert np.array_equal(show(sample, 0, "mean").values[:3], past, equal_nan=True)


@pytest.mark.parametrize(
    ("what", "minus"), [("member-11", ""), ("member-0", ""), ("quantile-1", ""), ("nothing", ""), ("mean", "x")]
)
def test_what_cannot_be_shown_is_refused(sample, what, minus):
    with pytest.raises(ConfigError, match=r"requested|cannot be shown"):
        show(sample, 0, what, minus)


def test_colour_tables_have_256_colours():
    tables = colour_tables()
    assert set(tables) == set(MAPS)
    assert {len(text) for text in tables.values()} == {256 * 6}
    assert tables["gray"].startswith("000000")
    assert tables["gray"].endswith("ffffff")
