"""Pictures keep the north up, share one brightness, hide what is masked."""

import numpy as np
import pytest

from framecast.plots.film import Brightness, _picture, colour_map


def test_brightness_is_linear_for_even_fields_and_asinh_for_what_spans_decades() -> None:
    random = np.random.default_rng(0)
    even, skewed = random.normal(280, 5, 5000), random.lognormal(2, 2, 5000)
    assert Brightness.of(even).softening is None
    stretch = Brightness.of(skewed)
    assert stretch.softening is not None
    values = np.array([stretch.low, np.median(skewed), stretch.high, 1e9])
    shown = stretch(values)
    assert shown[0] == 0
    assert shown[2] == pytest.approx(1)
    assert shown[3] == 1
    assert shown[1] > 3 * (values[1] - stretch.low) / (stretch.high - stretch.low)
    assert (np.diff(stretch(np.sort(skewed))) >= 0).all()


def test_constant_and_absent_fields_have_a_brightness() -> None:
    assert np.isfinite(Brightness.of(np.full(9, 3.0))(np.array([3.0]))).all()
    assert Brightness.of(np.full(9, np.nan)) == Brightness(0.0, 1.0, None)


def test_row_zero_is_at_the_bottom_and_masked_pixels_are_grey() -> None:
    values = np.zeros((4, 4))
    values[0] = 1.0
    masked = np.zeros((4, 4), dtype=bool)
    masked[3, 0] = True
    picture = np.asarray(_picture(values, masked, colour_map("other"), (64, 64))).astype(int)
    assert picture[-1].sum() > 5 * picture[20].sum()
    assert tuple(picture[2, 2]) == (38, 41, 48)


def test_the_sun_has_astronomers_colours() -> None:
    pytest.importorskip("sunpy")
    assert colour_map("171").name != colour_map("94").name
    assert colour_map("AIA 171").name == colour_map("171").name
    assert colour_map("rain").name == "inferno"
