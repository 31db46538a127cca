"""Persistence and its dressed ensemble."""

import numpy as np
import torch

from framecast.verification.baselines import draw_occasions, draw_residuals, dressed_persistence, persistence


def test_persistence_is_the_last_frame_at_every_lead_time() -> None:
    last = torch.rand(2, 3, 4)
    forecast = persistence(last, 5)
    assert forecast.shape == (1, 2, 5, 3, 4)
    assert all(torch.equal(forecast[0, :, k], last) for k in range(5))


def test_dressing_adds_whole_residuals_and_leaves_masked_pixels_as_they_were() -> None:
    last = torch.rand(1, 2, 2)
    residuals = torch.rand(3, 1, 4, 2, 2)
    residuals[1, 0, 2, 0, 0] = torch.nan
    forecast = dressed_persistence(last, residuals)
    assert torch.equal(forecast[0], last[:, None] + residuals[0])
    assert forecast[1, 0, 2, 0, 0] == last[0, 0, 0]


def test_draws_are_without_repetition_and_depend_on_seed_and_sample_alone() -> None:
    first = draw_residuals(50, 20, seed=1, sample=7)
    assert len(set(first)) == 20
    np.testing.assert_array_equal(first, draw_residuals(50, 20, seed=1, sample=7))
    assert not np.array_equal(first, draw_residuals(50, 20, seed=1, sample=8))
    assert not np.array_equal(first, draw_residuals(50, 20, seed=2, sample=7))
    assert sorted(draw_residuals(5, 20, seed=0, sample=0)) == [0, 1, 2, 3, 4]


def test_occasions_are_those_of_a_like_hour_or_season() -> None:
    times = np.datetime64("2019-01-01T00:00", "ns") + np.arange(365 * 8) * np.timedelta64(3, "h")
    issue = np.datetime64("2021-07-02T23:00", "ns")
    for like, hours in (("hour", 24), ("season", 365.2425 * 24)):
        chosen = times[draw_occasions(times, issue, 20, like=like, seed=0, sample=3)]
        apart = ((chosen - issue) / np.timedelta64(1, "h")) % hours
        apart = np.minimum(apart, hours - apart)
        assert len(set(chosen)) == 20
        assert apart.max() <= (1 if like == "hour" else 40)
    assert len(set(draw_occasions(times, issue, 20, like="hour", seed=0, sample=3) // 8)) > 15  # of many days
    any_ = draw_occasions(times, issue, 20, like="any", seed=0, sample=3)
    np.testing.assert_array_equal(any_, draw_residuals(len(times), 20, seed=0, sample=3))
    assert len(draw_occasions(times[:7], issue, 20, like="season", seed=0, sample=3)) == 7
