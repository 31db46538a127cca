"""The stretch follows the values: signed, bounded, with zeros, skewed; whatever the unit."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from framecast.core.errors import DataError
from framecast.videos.normalise import Normaliser, Stretch, fit_stretch
from framecast.videos.stretch_choice import choose_stretch

Draw = Callable[[np.random.Generator], np.ndarray]

KINDS: dict[str, tuple[str, str, Draw]] = {
    "wind": ("linear", "signed", lambda r: r.normal(0, 5, 50_000)),
    "degrees Celsius": ("linear", "signed", lambda r: r.normal(12, 6, 50_000)),
    "radar in dBZ": ("linear", "signed", lambda r: np.where(r.random(50_000) < 0.8, -32, r.normal(20, 5, 50_000))),
    "magnetogram": ("asinh", "long tails", lambda r: 10 * r.standard_t(1.5, 50_000)),
    "vorticity": ("asinh", "long tails", lambda r: 1e-5 * r.normal(size=50_000) ** 5),
    "rain": ("log1p", "exact zeros", lambda r: np.where(r.random(50_000) < 0.7, 0, r.gamma(0.5, 2, 50_000))),
    "ultraviolet": ("log1p", "skewed", lambda r: 100 * np.exp(r.normal(0, 1.2, 50_000))),
    "read noise about an empty sky": (
        "log1p",
        "",
        lambda r: np.where(r.random(50_000) < 0.5, r.normal(0, 0.3, 50_000), 100 * np.exp(r.normal(0, 1.2, 50_000))),
    ),
    "kelvin": ("linear", "not skewed", lambda r: r.normal(280, 8, 50_000)),
    "cloud fraction": ("linear", "bounded", lambda r: np.clip(r.normal(0.5, 0.5, 50_000), 0, 1)),
    "8 bits": ("linear", "", lambda r: np.clip(r.normal(90, 60, 50_000), 1, 255)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_values_decide(kind: str) -> None:
    curve, reason, draw = KINDS[kind]
    stretch = choose_stretch(draw(np.random.default_rng(0)))
    assert stretch.curve == curve
    assert reason in stretch.reason
    assert stretch.reason in stretch.describe()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("power", [-20, -9, 16, 27])
def test_the_unit_does_not(kind: str, power: int) -> None:
    values = KINDS[kind][2](np.random.default_rng(1)).astype(np.float32)
    plain, scaled = choose_stretch(values), choose_stretch((values.astype(np.float64) * 10.0**power).astype(np.float32))
    assert scaled.curve == plain.curve
    z = plain.forward(torch.from_numpy(values[:500]).double())
    also = scaled.forward(torch.from_numpy(values[:500]).double() * 10.0**power)
    torch.testing.assert_close(also, z, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_channel_holds_comes_back(kind: str) -> None:
    values = KINDS[kind][2](np.random.default_rng(2))
    stretch = choose_stretch(values)
    back = stretch.inverse(stretch.forward(torch.from_numpy(values))).numpy()
    expected = values if stretch.floor is None else np.maximum(values, 0)
    np.testing.assert_allclose(back, expected, rtol=1e-6, atol=1e-9 * np.abs(values).max())


@pytest.mark.parametrize("curve", ["log1p", "sqrt"])
def test_a_curve_that_would_lose_the_values_is_refused(curve: str) -> None:
    values = np.linspace(-1, 3, 1001)
    with pytest.raises(DataError, match=rf"{curve} .*25 % .*-1\).*data.curve=auto"):
        fit_stretch(values, curve=curve)
    noise = KINDS["read noise about an empty sky"][2](np.random.default_rng(0))
    assert (noise < 0).mean() > 0.2
    assert fit_stretch(noise, curve=curve).curve == curve


def test_constant_and_empty_channels_are_errors() -> None:
    with pytest.raises(DataError, match=r"constant \(3\)"):
        choose_stretch(np.full(10, 3.0))
    with pytest.raises(DataError, match="no finite pixel"):
        choose_stretch(np.full(10, np.nan))


def test_what_a_model_of_before_loses_is_said() -> None:
    video = torch.tensor([-1.0, 2, -3, 4, torch.nan]).reshape(1, 1, 1, 5).expand(2, 1, 1, 5)
    old = Normaliser(stretches={"u": Stretch(curve="log1p"), "v": Stretch(curve="linear")})
    assert old.losses(video, ["u", "v"]).startswith("50.0% of u is negative, which log1p takes as 0")
    assert "of v" not in old.losses(video, ["u", "v"])
    assert old.losses(video.abs(), ["u", "v"]) == ""
