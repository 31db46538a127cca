import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from framecast.core.errors import ConfigError, DataError
from framecast.videos.normalise import Normaliser, Stretch, fit_stretch

CURVES = ("linear", "sqrt", "log1p", "asinh")

stretches = st.builds(
    Stretch,
    curve=st.sampled_from(CURVES),
    softening=st.floats(0.1, 100),
    saturation=st.one_of(st.none(), st.floats(10, 1e5)),
    mean=st.floats(-5, 5),
    std=st.floats(0.1, 10),
)
pixels = st.lists(st.floats(0, 1e4, width=32), min_size=1, max_size=20)


class TestStretch:
    @pytest.mark.thorough
    @settings(deadline=None)
    @given(stretch=stretches, values=pixels)
    def test_inverse_undoes_forward_within_the_limits(self, stretch, values):
        x = torch.tensor(values, dtype=torch.float64)
        expected = x if stretch.saturation is None else x.clamp(max=stretch.saturation)
        torch.testing.assert_close(stretch.inverse(stretch.forward(x)), expected, rtol=1e-9, atol=1e-9)

    @pytest.mark.thorough
    @settings(deadline=None)
    @given(stretch=stretches, values=pixels)
    def test_float32_is_enough(self, stretch, values):
        x = torch.tensor(values)
        expected = x if stretch.saturation is None else x.clamp(max=stretch.saturation)
        # A relative error of 1e-6 in a logarithm of order ten, and the cancellation about the mean.
        torch.testing.assert_close(
            stretch.inverse(stretch.forward(x)), expected, rtol=2e-4, atol=2e-4 * stretch.softening
        )

    @pytest.mark.thorough
    @settings(deadline=None)
    @given(stretch=stretches, values=st.lists(st.floats(-20, 20), min_size=1, max_size=20))
    def test_forward_undoes_inverse_where_nothing_is_clipped(self, stretch, values):
        z = torch.tensor(values, dtype=torch.float64)
        x = stretch.inverse(z)
        inside = torch.isfinite(x)
        if stretch.floor is not None:
            inside &= x > 1e-6
        if stretch.saturation is not None:
            inside &= x.abs() < stretch.saturation * (1 - 1e-9)
        torch.testing.assert_close(stretch.forward(x)[inside], z[inside], rtol=1e-6, atol=1e-5)

    @pytest.mark.parametrize("curve", ["linear", "asinh"])
    def test_odd_curves_treat_both_signs_alike(self, curve):
        stretch = Stretch(curve=curve, softening=3.0, saturation=50.0)
        x = torch.tensor([0.5, 20.0, 50.0])
        torch.testing.assert_close(stretch.forward(-x), -stretch.forward(x))
        torch.testing.assert_close(stretch.inverse(stretch.forward(-x)), -x)

    @pytest.mark.parametrize("curve", CURVES)
    def test_saturated_pixels_are_clipped_and_so_are_forecasts(self, curve):
        stretch = Stretch(curve=curve, saturation=50.0, mean=1.0, std=3.0)
        assert stretch.forward(torch.tensor([80.0])) == stretch.forward(torch.tensor([50.0]))
        assert stretch.inverse(torch.tensor([1e3])).item() == 50.0

    @pytest.mark.parametrize("curve", ["sqrt", "log1p"])
    def test_one_sided_curves_take_the_negative_as_zero(self, curve):
        stretch = Stretch(curve=curve, mean=1.0, std=2.0)
        torch.testing.assert_close(stretch.forward(torch.tensor([-3.0])), stretch.forward(torch.tensor([0.0])))
        # A network may say less than the normalised zero: that is zero too.
        assert stretch.inverse(torch.tensor([-10.0])).item() == 0.0

    @pytest.mark.parametrize(
        ("curve", "expected"),
        [("linear", 3.0), ("sqrt", 3.0**0.5), ("log1p", float(np.log(4.0))), ("asinh", float(np.arcsinh(3.0)))],
    )
    def test_the_formula(self, curve, expected):
        stretch = Stretch(curve=curve, softening=2.0, mean=0.5, std=4.0)
        assert stretch.forward(torch.tensor([6.0])).item() == pytest.approx((expected - 0.5) / 4.0, rel=1e-6)

    @settings(deadline=None)
    @given(stretch=stretches, a=st.floats(-1e4, 1e4), b=st.floats(-1e4, 1e4))
    def test_brighter_never_becomes_fainter(self, stretch, a, b):
        z = stretch.forward(torch.tensor([min(a, b), max(a, b)], dtype=torch.float64))
        assert z[0] <= z[1]

    @settings(deadline=None)
    @given(stretch=stretches)
    def test_masked_pixels_stay_masked(self, stretch):
        x = torch.tensor([torch.nan, 1.0])
        assert stretch.forward(x).isnan().tolist() == [True, False]
        assert stretch.inverse(x).isnan().tolist() == [True, False]

    @pytest.mark.parametrize("change", [{"softening": 0.0}, {"std": 0.0}, {"std": float("nan")}, {"saturation": -1.0}])
    def test_what_must_be_positive(self, change):
        with pytest.raises(ConfigError, match="must be positive"):
            Stretch(**change)


class TestNormaliser:
    normaliser = Normaliser(
        stretches={"a": Stretch(curve="linear", mean=1.0, std=2.0), "b": Stretch(curve="linear", mean=-3.0)}
    )

    def test_each_channel_has_its_own_stretch_whatever_the_order(self):
        video = torch.full((5, 2, 3, 4, 6), 7.0)
        z = self.normaliser.forward(video, ("b", "a"))
        assert z.shape == video.shape
        assert (z[:, 0] == 10.0).all() and (z[:, 1] == 3.0).all()
        torch.testing.assert_close(self.normaliser.inverse(z, ("b", "a")), video)

    def test_an_unknown_channel(self):
        with pytest.raises(DataError, match=r"channel c; .* a, b"):
            self.normaliser.forward(torch.zeros(2, 1, 4, 4), ("a", "c"))

    def test_another_number_of_channels(self):
        with pytest.raises(DataError, match="3 channels and 2 names"):
            self.normaliser.forward(torch.zeros(3, 1, 4, 4), ("a", "b"))

    def test_its_json_is_its_arguments(self):
        adapter = TypeAdapter(Normaliser)
        assert adapter.validate_json(adapter.dump_json(self.normaliser)) == self.normaliser


class TestFit:
    @settings(deadline=None)
    @given(
        curve=st.sampled_from(CURVES),
        softening=st.floats(0.1, 100),
        saturation=st.one_of(st.none(), st.floats(100, 1000)),
        seed=st.integers(0, 100),
    )
    def test_mean_zero_and_deviation_one(self, curve, softening, saturation, seed):
        values = np.random.default_rng(seed).gamma(2.0, 50.0, size=(3, 40))
        values[0, :5] = np.nan
        stretch = fit_stretch(values, curve=curve, softening=softening, saturation=saturation)
        z = stretch.forward(torch.from_numpy(values[np.isfinite(values)]))
        assert z.mean().item() == pytest.approx(0, abs=1e-9)
        assert z.std(correction=0).item() == pytest.approx(1, abs=1e-9)
        assert (stretch.curve, stretch.softening, stretch.saturation) == (curve, softening, saturation)

    def test_infinite_pixels_are_left_out(self):
        assert fit_stretch(np.array([1.0, 2.0, np.inf, -np.inf])) == fit_stretch(np.array([1.0, 2.0]))

    @pytest.mark.parametrize("values", [[], [np.nan, np.nan], [np.inf]])
    def test_no_finite_pixel(self, values):
        with pytest.raises(DataError, match="no finite pixel"):
            fit_stretch(np.array(values))

    @pytest.mark.parametrize("value", [0.0, 1.0, 1024.0])
    def test_a_constant(self, value):
        with pytest.raises(DataError, match=f"constant \\({value:g}\\)"):
            fit_stretch(np.full(100, value), curve="linear")

    def test_a_constant_that_rounds(self):
        with pytest.raises(DataError, match="constant"):
            fit_stretch(np.full(864, 7.0), curve="log1p")


def test_below_the_threshold_it_is_exactly_dry():
    stretch = fit_stretch(np.array([0.0, 0.0, 0.05, 0.5, 4.0]), curve="log1p", dry=0.1)
    values = torch.tensor([0.0, 0.05, 0.0999, 0.1, 3.0, torch.nan])
    z = stretch.forward(values)
    assert z[0] == z[1] == z[2] < z[3]
    nearly = stretch.inverse(z + 0.02)
    assert (nearly[:3] == 0).all()
    torch.testing.assert_close(stretch.inverse(z)[3:], values[3:], equal_nan=True)
    assert "zero below 0.1" in stretch.describe()
    with pytest.raises(ConfigError, match="dry"):
        Stretch(dry=0.0)
