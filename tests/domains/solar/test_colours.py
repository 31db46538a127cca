"""Astronomers' colours for the Sun, whether their package is there or not."""

import numpy as np
import pytest

from framecast.domains.solar.colours import passband_colours

PASSBANDS = ("94", "131", "171", "193", "211", "304", "335", "1600", "1700", "4500")


@pytest.mark.parametrize("passband", PASSBANDS)
def test_the_colours_are_those_of_sunpy(passband: str) -> None:
    maps = pytest.importorskip("sunpy.visualization.colormaps")
    levels = np.arange(256)
    ours, theirs = passband_colours(passband)(levels), maps.cmlist[f"sdoaia{passband}"](levels)
    assert ours == pytest.approx(theirs, abs=1.01 / 255)  # they round down to bytes


def test_channels_are_known_by_the_names_people_give_them() -> None:
    for name in ("AIA 171", "aia_171", "171"):
        assert passband_colours(name)(0.7) == passband_colours("171")(0.7)


def test_other_channels_have_none() -> None:
    assert passband_colours("t2m") is None
    assert passband_colours("1234") is None


@pytest.mark.parametrize("passband", PASSBANDS)
def test_brighter_is_brighter(passband: str) -> None:
    luminance = passband_colours(passband)(np.arange(256))[:, :3] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance) >= -1e-6).all()
