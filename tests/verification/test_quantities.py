"""Flux quantities on curves worked by hand, and what happens where pixels are missing."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import xarray as xr

from framecast.core.domain import Domain
from framecast.verification.quantities import (
    QUANTITIES,
    area_above,
    dtw_distance,
    integral,
    measure,
    peak,
    quantities_of,
    time_of_peak,
    total,
    volume_above,
)

NAN = math.nan
NAMED = {quantity.name: quantity for quantity in QUANTITIES}


def video(*curve: float) -> torch.Tensor:
    """A video of frames of 2×2 pixels with these totals, all of them in one pixel."""
    frames = torch.zeros(len(curve), 2, 2)
    frames[:, 0, 0] = torch.tensor(curve)
    return frames


def values(name: str, frames: torch.Tensor, cadence: float = 7200.0) -> torch.Tensor:
    return measure(NAMED[name], frames, torch.ones_like(frames, dtype=torch.bool), cadence)


def test_worked_by_hand() -> None:
    both = torch.stack([video(1, 5, 2), video(7, 7, 1)])
    assert values("total", both).tolist() == [[1, 5, 2], [7, 7, 1]]
    assert values("peak", both).tolist() == [5.0, 7.0]
    assert values("time_of_peak", both).tolist() == [4.0, 2.0]  # the first of two equal maxima
    assert values("integral", both).tolist() == [16.0, 30.0]
    assert values("mean", both).tolist() == pytest.approx([8 / 12, 15 / 12])
    assert values("maximum", both).tolist() == [5.0, 7.0]
    valid = torch.ones_like(both, dtype=torch.bool)
    assert measure(area_above(2.0), both, valid, 1.0).tolist() == pytest.approx([2 / 12, 2 / 12])
    assert measure(volume_above(2.0), both, valid, 1.0).tolist() == pytest.approx([3 / 3, 10 / 3])


def test_a_constant_curve_peaks_first() -> None:
    assert time_of_peak(torch.zeros(6, 2, 2), 3600.0).item() == 1.0


@pytest.mark.parametrize("name", [name for name in NAMED if name != "total"])
def test_a_missing_pixel_leaves_nothing_defined(name: str) -> None:
    assert values(name, video(1, NAN, 3)).isnan()


def test_members_and_truth_are_measured_on_the_same_pixels() -> None:
    truth = torch.tensor([[[1.0, 2.0], [NAN, 4.0]]])
    members = torch.tensor([[[[1.0, 2.0], [9.0, 4.0]]], [[[1.0, NAN], [9.0, 4.0]]]])
    valid = ~truth.isnan()
    assert total(truth).tolist() == [7.0]
    found = measure(NAMED["total"], members, valid, 1.0)
    assert found[0].item() == 7.0
    assert found[1].isnan()  # a sum with a part missing is not a sum
    assert total(torch.full((2, 3, 3), NAN)).isnan().all()
    assert measure(NAMED["maximum"], members, valid, 1.0)[0].item() == 4.0  # not 9, which nobody can judge


def test_the_sum_of_many_small_pixels_is_exact() -> None:
    image = torch.full((1024, 1024), 0.1)
    assert total(image).item() == pytest.approx(float(image[0, 0]) * 1024**2, rel=1e-6)


def test_a_domain_gives_its_own_labels() -> None:
    domain = SimpleNamespace(totals=True, quantities=lambda: (), labels={"total": "Flux"})
    found = {quantity.name: quantity.label for quantity in quantities_of(domain)}
    assert (found["total"], found["peak"]) == ("Flux", NAMED["peak"].label)


def test_warping_forgives_a_delay_and_not_a_height() -> None:
    truth = torch.tensor([1.0, 1, 5, 2, 1, 1])
    late = torch.tensor([1.0, 1, 1, 5, 2, 1])
    assert dtw_distance(late, truth) == 0
    assert dtw_distance(truth, truth) == 0
    norm = truth.double().norm()
    assert dtw_distance(torch.tensor([1.0, 1, 7, 2, 1, 1]), truth) == pytest.approx(float(2 / norm))
    assert dtw_distance(1.3 * truth, truth) <= 0.3 + 1e-6


def test_warping_is_the_best_of_all_paths() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(2, 5))

    def best(i: int, j: int) -> float:
        here = (x[i] - y[j]) ** 2
        before = [best(i - a, j - b) for a, b in ((1, 0), (0, 1), (1, 1)) if i >= a and j >= b]
        return here + min(before, default=0.0)

    found = dtw_distance(torch.from_numpy(x), torch.from_numpy(y))
    assert float(found) == pytest.approx(math.sqrt(best(4, 4)) / np.linalg.norm(y))
    many = dtw_distance(torch.from_numpy(random.normal(size=(3, 2, 5))), torch.from_numpy(random.normal(size=(2, 5))))
    assert many.shape == (3, 2)


def test_warping_of_what_is_unknown_or_dark_is_nan() -> None:
    curve = torch.tensor([1.0, 2.0, 3.0])
    assert torch.isnan(dtw_distance(torch.tensor([1.0, torch.nan, 3.0]), curve))
    assert torch.isnan(dtw_distance(curve, torch.tensor([1.0, torch.nan, 3.0])))
    assert torch.isnan(dtw_distance(curve, torch.zeros(3)))


@pytest.mark.parametrize("fine", [1, 2, 4])
def test_a_flux_over_an_area_does_not_depend_on_the_size_of_the_pixels(fine: int) -> None:
    """The same field on finer pixels: sums grow with their number, integrals stay."""
    video = torch.rand(3, 1, 2, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    finer = video.repeat_interleave(fine, -1).repeat_interleave(fine, -2)
    side = 8 * fine
    coords = {
        name: xr.DataArray(4.8 / fine * np.arange(side), dims=name, attrs={"units": "arcsec"}) for name in ("y", "x")
    }
    found = {entry.name: entry for entry in quantities_of(Domain(totals=True), coords)}
    valid = torch.ones_like(finer, dtype=torch.bool)
    area = 4.8**2
    for name, expected in (("total", total(video)), ("peak", peak(video)), ("integral", integral(video, 7200.0))):
        assert torch.allclose(measure(found[name], finer, valid, 7200.0), area * expected)
    assert found["total"].unit.format(unit="DN/s") == "DN/s·arcsec²"
    assert found["integral"].unit.format(unit="DN/s") == "DN/s·arcsec²·h"
    assert found["mean"].unit == found["maximum"].unit == "{unit}"
    without = {name: axis.assign_attrs(units="pixel") for name, axis in coords.items()}
    assert quantities_of(Domain(totals=True), without) == quantities_of(Domain(totals=True))
