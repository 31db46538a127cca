"""Cuts: exact where the answer is known, masked where nothing was seen, free of aliasing."""

import numpy as np
import pytest

from framecast.domains.solar.cut import cut, offsets
from framecast.domains.solar.image import Pointing


def pointing(scale: float = 2.4, roll: float = 0.0, pixel: tuple[float, float] = (100.0, 99.0)) -> Pointing:
    c, s = scale * np.cos(np.radians(roll)), scale * np.sin(np.radians(roll))
    return Pointing(pixel=pixel, direction=(0.0, 0.0), matrix=((c, -s), (s, c)))


def scene(where: Pointing, size: int = 200) -> np.ndarray:
    """Plane waves of 40 and 31 arcsec on the sky, whatever the pixels are: x and y differ, so a flip shows."""
    rows, columns = np.mgrid[:size, :size]
    (a, b), (c, d) = where.matrix
    x = a * (columns - where.pixel[0]) + b * (rows - where.pixel[1])
    y = c * (columns - where.pixel[0]) + d * (rows - where.pixel[1])
    return wave(x, y).astype(np.float32)


def wave(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return 100 + 10 * np.sin(2 * np.pi * x / 40) + 7 * np.cos(2 * np.pi * y / 31 + 0.3)


@pytest.mark.parametrize(
    "where", [pointing(), pointing(roll=180.0), pointing(roll=33.0), pointing(pixel=(91.3, 104.9))]
)
@pytest.mark.parametrize("centre", [(0.0, 0.0), (31.7, -12.3)])
def test_sub_pixel_positions_scale_and_roll_are_exact(where: Pointing, centre: tuple[float, float]) -> None:
    result = cut(scene(where), where, [centre[0]], [centre[1]], pixel=2.4, height=20, width=30)[0]
    expected = wave(centre[0] + offsets(30, 2.4)[None, :], centre[1] + offsets(20, 2.4)[:, None])
    assert np.abs(result - expected).max() < 0.02  # of waves of amplitude 17


def test_coarser_pixels_are_the_mean_over_their_area() -> None:
    where = pointing()
    result = cut(scene(where), where, [3.1], [4.2], pixel=9.6, height=8, width=8)[0]
    fine = cut(scene(where), where, [3.1], [4.2], pixel=2.4, height=32, width=32)[0]
    assert result == pytest.approx(fine.reshape(8, 4, 8, 4).mean(axis=(1, 3)), abs=0.02)


def test_no_aliasing_from_a_pattern_finer_than_the_output() -> None:
    rows, columns = np.mgrid[:200, :200]
    checks = (100 + 50 * (-1.0) ** ((rows + columns) // 1)).astype(np.float32)
    result = cut(checks, pointing(), [1.3], [0.4], pixel=9.6, height=16, width=16)[0]
    assert np.abs(result - 100).max() < 1


def test_missing_block_is_masked_and_does_not_spread() -> None:
    where = pointing()
    data = scene(where)
    damaged = data.copy()
    damaged[95:103, 90:98] = np.nan
    options = {"pixel": 2.4, "height": 40, "width": 40}
    whole = cut(data, where, [1.2], [1.2], **options)[0]
    result = cut(damaged, where, [1.2], [1.2], **options)[0]
    assert np.isnan(result).sum() == 64
    rows, columns = np.nonzero(np.isnan(result))
    far = np.ones_like(result, bool)
    far[max(rows.min() - 4, 0) : rows.max() + 5, max(columns.min() - 4, 0) : columns.max() + 5] = False
    assert np.abs(result - whole)[far].max() < 0.1
    assert np.nanmax(np.abs(result - whole)) < 6


def test_beyond_the_image_nothing_is_invented() -> None:
    where = pointing()
    result = cut(scene(where), where, [-240.0], [0.0], pixel=2.4, height=10, width=20)[0]
    assert np.isnan(result[:, :10]).all()
    assert np.isfinite(result[:, 11:]).all()


def test_beyond_the_limb_is_masked_only_if_asked() -> None:
    where = pointing()
    options = {"pixel": 2.4, "height": 40, "width": 40}
    masked = cut(scene(where), where, [100.0], [0.0], limb=100.0, **options)[0]
    x, y = np.meshgrid(100 + offsets(40, 2.4), offsets(40, 2.4))
    assert (np.isnan(masked) == (np.hypot(x, y) > 100.0)).all()
    assert np.isfinite(cut(scene(where), where, [100.0], [0.0], **options)).all()


def test_values_stay_within_the_images_range() -> None:
    data = np.zeros((200, 200), np.float32)
    data[100, 100] = 1000.0
    result = cut(data, pointing(), [0.7], [0.9], pixel=2.4, height=30, width=30)
    assert result.min() >= 0.0
    assert result.max() <= 1000.0
