"""Flux quantities on curves worked by hand, and what happens where pixels are missing."""

import math

import numpy as np
import pytest
import torch

from framecast.verification.quantities import dtw_distance, fluence, flux, maximum_flux, quantities, time_to_maximum

NAN = math.nan


def test_worked_by_hand() -> None:
    curve = torch.tensor([[1.0, 5.0, 2.0], [7.0, 7.0, 1.0]])
    found = quantities(curve, 7200.0)
    assert found["mpf"].tolist() == [5.0, 7.0]
    assert found["t2pf"].tolist() == [4.0, 2.0]  # the first of two equal maxima
    assert found["fluence"].tolist() == [16.0, 30.0]


def test_a_constant_curve_peaks_first() -> None:
    assert time_to_maximum(torch.zeros(6), 3600.0).item() == 1.0


def test_a_missing_frame_leaves_nothing_defined() -> None:
    curve = torch.tensor([1.0, NAN, 3.0])
    assert all(value.isnan() for value in quantities(curve, 3600.0).values())
    assert maximum_flux(curve).isnan()
    assert fluence(curve, 1.0).isnan()


def test_flux_counts_the_same_pixels_in_members_and_truth() -> None:
    truth = torch.tensor([[[1.0, 2.0], [NAN, 4.0]]])
    members = torch.tensor([[[[1.0, 2.0], [9.0, 4.0]]], [[[1.0, NAN], [9.0, 4.0]]]])
    valid = ~truth.isnan()
    assert flux(truth).tolist() == [7.0]
    found = flux(members, valid)
    assert found[0].item() == 7.0
    assert found[1].isnan()  # a sum with a part missing is no sum
    assert flux(torch.full((2, 3, 3), NAN)).isnan().all()


def test_flux_of_many_small_pixels_is_exact() -> None:
    image = torch.full((1024, 1024), 0.1)
    assert flux(image).item() == pytest.approx(float(image[0, 0]) * 1024**2, rel=1e-6)


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
