"""Hits: found where they were put, not found where there is only the Sun."""

from pathlib import Path

import numpy as np
import pytest

from framecast.core.errors import ConfigError
from framecast.domains.solar.despike import Despiking
from framecast.domains.solar.reader import read_image


@pytest.fixture(scope="module")
def sky() -> np.ndarray:
    """A disk with loops drawn by optics of 1.2 pixels (one standard deviation), and photon noise."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:160, :160]
    image = np.where(np.hypot(rows - 80, columns - 80) < 60, 200.0, 8.0)
    for _ in range(60):
        row, column = random.uniform(30, 130, 2)
        image += 600 * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * 1.2**2))
    return random.poisson(image).astype(np.float32)


def test_hits_are_found_and_the_sun_is_left_alone(sky: np.ndarray) -> None:
    random = np.random.default_rng(1)
    hit = np.zeros(sky.shape, bool)
    hit[tuple(random.integers(5, 155, (2, 150)))] = True
    struck = sky + np.where(hit, random.uniform(400, 3000, sky.shape), 0).astype(np.float32)
    despiking = Despiking()
    assert despiking.find(sky).mean() < 1e-3
    assert despiking.find(struck)[hit].mean() > 0.97
    clean = despiking(struck)
    untouched = ~hit
    assert (clean[untouched] != struck[untouched]).mean() < 2e-3
    error = np.abs(clean - sky)[hit]
    assert np.median(error) < 30
    assert np.median(np.abs(struck - sky)[hit]) > 1000


def test_tracks_of_several_pixels_are_followed(sky: np.ndarray) -> None:
    struck = sky.copy()
    struck[20, 20:25] += 900  # a graze
    struck[100, 100] += 2000
    struck[101, 101] += 1200
    clean = Despiking()(struck)
    assert np.abs(clean[20, 20:25] - sky[20, 20:25]).max() < 100
    assert abs(clean[100, 100] - sky[100, 100]) < 250
    assert abs(clean[101, 101] - sky[101, 101]) < 250


def test_missing_pixels_stay_missing_and_do_no_harm(sky: np.ndarray) -> None:
    holed = sky.copy()
    holed[60:70, 60:70] = np.nan
    holed[30, 30] = 5000
    clean = Despiking()(holed)
    assert np.isnan(clean).sum() == 100
    assert clean[30, 30] < 1000


def test_a_blank_image_has_no_hits() -> None:
    blank = np.full((32, 32), 7.0, np.float32)
    assert np.array_equal(Despiking()(blank), blank)


def test_impossible_settings_are_told() -> None:
    with pytest.raises(ConfigError, match="contrast of despiking is 0"):
        Despiking(contrast=0)


@pytest.mark.thorough
def test_real_hits_go_and_the_real_sun_stays(real_data: Path) -> None:
    despiking = Despiking()
    struck = read_image(real_data / "aia304-cutouts-2022-04-02" / "AIA20220402_131505_0304.fits").data
    calm = read_image(
        real_data / "aia304-cutouts-2022-04-02" / "aia.lev1_euv_12s.2022-04-02T132011Z.304.image.fits"
    ).data
    assert 0.004 < despiking.find(struck).mean() < 0.02  # raw: hits all over it
    assert despiking.find(calm).mean() < 0.001  # the observatory took its hits out already
    assert struck.max() > 3000
    assert despiking(struck).max() < 800
