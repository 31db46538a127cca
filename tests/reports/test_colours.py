"""Astronomers' colours for the Sun, whether their package is there or not."""

import numpy as np
import pytest

from framecast.reports.colours import colour_map

PASSBANDS = ("94", "131", "171", "193", "211", "304", "335", "1600", "1700", "4500")


@pytest.mark.parametrize("passband", PASSBANDS)
def test_solar_colours_are_those_of_sunpy(passband: str) -> None:
    maps = pytest.importorskip("sunpy.visualization.colormaps")
    levels = np.arange(256)
    ours, theirs = colour_map(passband)(levels), maps.cmlist[f"sdoaia{passband}"](levels)
    assert ours == pytest.approx(theirs, abs=1.01 / 255)  # they round down to bytes


def test_channels_are_known_by_the_names_people_give_them() -> None:
    assert colour_map("AIA 171") is not colour_map("rain")
    for name in ("AIA 171", "aia_171", "171"):
        assert colour_map(name)(0.7) == colour_map("171")(0.7)


def test_everything_else_is_shown_in_a_map_of_even_steps() -> None:
    assert colour_map("t2m").name == colour_map("1234").name == "inferno"


@pytest.mark.parametrize("passband", PASSBANDS)
def test_brighter_is_brighter(passband: str) -> None:
    luminance = colour_map(passband)(np.arange(256))[:, :3] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance) >= -1e-6).all()
