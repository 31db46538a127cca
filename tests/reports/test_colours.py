"""Which colours a channel is shown in."""

import matplotlib
import numpy as np
import pytest

from framecast.core.domain import Domain
from framecast.reports.colours import MASKED, Brightness, colour_map, tile, tile_size


def test_data_of_no_domain_is_shown_in_a_map_of_even_steps() -> None:
    assert colour_map("t2m", Domain()).name == colour_map("171", Domain()).name == "inferno"


def test_a_domain_chooses_the_colours_of_the_channels_it_knows() -> None:
    ocean = Domain(name="ocean", colours={"depth": matplotlib.colormaps["Blues"]}.get)
    assert colour_map("depth", ocean).name == "Blues"
    assert colour_map("salinity", ocean).name == "inferno"


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


def test_rain_in_few_pixels_is_not_shown_as_none() -> None:
    """Nearly all zero: the percentiles coincide, and the maximum decides."""
    rain = np.zeros(10_000)
    rain[:3] = 12.0
    assert Brightness.of(rain)(np.array([12.0])) == 1.0
    assert Brightness.of(rain).high == 12.0


def test_spread_begins_at_zero_and_bends_like_the_images() -> None:
    images = Brightness(2.0, 102.0, 10.0)
    spread = Brightness.of_spread(np.linspace(0, 50, 5001), images)
    assert spread.low == 0.0
    assert spread.high == pytest.approx(49.9)
    assert spread.softening == pytest.approx(4.99)
    assert Brightness.of_spread(np.full(4, np.nan), images).high == 1.0


def test_row_zero_is_at_the_bottom_and_masked_pixels_are_grey() -> None:
    values = np.zeros((4, 4))
    values[0] = 1.0
    masked = np.zeros((4, 4), dtype=bool)
    masked[3, 0] = True
    picture = np.asarray(tile(values, masked, colour_map("other", Domain()), (64, 64))).astype(int)
    assert picture[-1].sum() > 5 * picture[20].sum()
    assert tuple(picture[2, 2]) == MASKED


@pytest.mark.parametrize(
    ("shape", "wanted", "enlarge_only", "expected"),
    [
        ((64, 64), 256, True, (256, 256)),
        ((300, 150), 256, True, (150, 300)),
        ((1000, 500), 256, True, (192, 384)),
        ((300, 150), 132, False, (66, 132)),
        ((1, 500), 100, False, (100, 1)),
    ],
)
def test_tiles_keep_the_shape_of_the_frame(
    shape: tuple[int, int], wanted: int, enlarge_only: bool, expected: tuple[int, int]
) -> None:
    assert tile_size(shape, wanted, enlarge_only=enlarge_only) == expected
