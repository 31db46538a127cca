"""Central intervals: what they promise is what exchangeable truths find, whatever the law and the number of members."""

import itertools
import math

import numpy as np
import pytest
import scoringrules
import torch

from framecast.verification.scores import LEVELS, attainable, central_interval, covered, interval_score

NAN = math.nan


def draws(law: str, *shape: int) -> torch.Tensor:
    random = np.random.default_rng(7)
    values = {
        "normal": lambda: random.normal(size=shape),
        "heavy": lambda: random.lognormal(sigma=2.0, size=shape),
        "few values": lambda: random.integers(1, 4, size=shape).astype(float),
        "constant": lambda: np.full(shape, 12.0),
    }[law]()
    return torch.from_numpy(values)


@pytest.mark.thorough
@pytest.mark.parametrize("law", ["normal", "heavy", "few values", "constant"])
@pytest.mark.parametrize("members", [2, 5, 20, 50])
def test_coverage_is_nominal_for_exchangeable_truths(law: str, members: int) -> None:
    values = draws(law, members + 1, 20_000)
    for level in LEVELS:
        observed = covered(values[1:], values[0], level).mean().item()
        assert observed == pytest.approx(attainable(level, members), abs=0.012), level


@pytest.mark.parametrize("law", ["normal", "heavy"])
def test_the_drawn_interval_covers_what_it_says(law: str) -> None:
    values = draws(law, 21, 20_000)
    for level in (0.5, 0.8, 0.9, 0.96):
        low, high = central_interval(values[1:], level)
        inside = ((values[0] >= low) & (values[0] <= high)).double().mean().item()
        assert inside == pytest.approx(attainable(level, 20), abs=0.015), level


def test_usual_sample_quantiles_would_be_too_narrow() -> None:
    values = draws("normal", 21, 20_000)
    low, high = (torch.quantile(values[1:], q, dim=0) for q in (0.05, 0.95))
    inside = ((values[0] >= low) & (values[0] <= high)).double().mean().item()
    assert inside == pytest.approx(17.1 / 21, abs=0.015)  # positions 1.95 to 19.05 of 21


@pytest.mark.parametrize("members", [3, 20])
@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_ends_are_the_weibull_quantiles_of_numpy(members: int, level: float) -> None:
    forecast = draws("normal", members, 7)
    expected = np.quantile(forecast.numpy(), [(1 - level) / 2, (1 + level) / 2], axis=0, method="weibull")
    for end, wanted in zip(central_interval(forecast, level), expected, strict=True):
        np.testing.assert_allclose(end, wanted, rtol=1e-9)


def test_no_interval_reaches_beyond_the_members() -> None:
    forecast = draws("normal", 20, 9)
    low, high = central_interval(forecast, 0.96)
    assert torch.equal(low, forecast.amin(0))
    assert torch.equal(high, forecast.amax(0))
    assert attainable(0.96, 20) == pytest.approx(19 / 21)
    assert attainable(0.9, 20) == 0.9


def test_intervals_are_nested() -> None:
    forecast = draws("heavy", 20, 50)
    ends = [central_interval(forecast, level) for level in LEVELS]
    for (low, high), (lower, higher) in itertools.pairwise(ends):
        assert (lower <= low).all()
        assert (higher >= high).all()


def test_a_missing_member_is_absent() -> None:
    forecast = draws("normal", 6, 4)
    forecast[2, 1] = NAN
    forecast[:, 2] = NAN
    low, high = central_interval(forecast, 0.5)
    rest = forecast[[0, 1, 3, 4, 5], 1:2]
    torch.testing.assert_close((low[1:2], high[1:2]), central_interval(rest, 0.5))
    assert low[2].isnan()
    truth = torch.zeros(4, dtype=torch.float64)
    truth[3] = NAN
    held = covered(forecast, truth, 0.5)
    assert held[2:].isnan().all()
    assert held[1] == covered(rest, truth[1:2], 0.5)[0]


def test_one_member_is_a_point() -> None:
    assert covered(torch.tensor([[1.0, 1.0]]), torch.tensor([1.0, 2.0]), 0.9).tolist() == [1.0, 0.0]


def test_interval_score_agrees_with_scoringrules_and_is_proper() -> None:
    truth = draws("normal", 20_000)
    expected = scoringrules.interval_score(truth[:5].numpy(), -0.3, 0.4, 0.1)
    low, high = torch.full((5,), -0.3, dtype=torch.float64), torch.full((5,), 0.4, dtype=torch.float64)
    np.testing.assert_allclose(interval_score(low, high, truth[:5], 0.9), expected)

    def mean(half: float) -> float:
        edge = torch.full_like(truth, half)
        return interval_score(-edge, edge, truth, 0.9).mean().item()

    assert mean(1.645) < min(mean(1.3), mean(2.0))
