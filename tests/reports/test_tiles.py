"""Frames as pictures: the north stays up, and what is masked is hidden."""

import numpy as np
import pytest

from framecast.core.domain import Domain
from framecast.reports.colours import colour_map
from framecast.reports.tiles import MASKED, tile, tile_size


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
