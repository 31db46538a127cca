"""CRPS, energy score, spread and ranks against scoringrules, worked numbers and their defining properties."""

import math

import numpy as np
import pytest
import scoringrules
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framecast.verification.scores import (
    between_members,
    crps,
    energy_score,
    ensemble_mean,
    ensemble_variance,
    rank_histogram,
    reliability_and_potential,
    uncertainty,
    vector_energy_score,
)

NAN = math.nan


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


@pytest.mark.parametrize("members", [2, 3, 7, 20, 50, 150])
def test_crps_agrees_with_scoringrules(members: int) -> None:
    forecast, truth = normal(members, 4, 5), normal(4, 5, seed=1)
    for fair, estimator in ((True, "fair"), (False, "nrg")):
        expected = scoringrules.crps_ensemble(truth.numpy(), forecast.numpy(), m_axis=0, estimator=estimator)
        np.testing.assert_allclose(crps(forecast, truth, fair=fair), expected, rtol=1e-10, atol=1e-12)


def test_crps_worked_by_hand() -> None:
    # members 0 and 2, truth 1: |errors| are 1, the pair differs by 2, so 1 - 2/2 fair and 1 - 2/4 otherwise
    forecast, truth = torch.tensor([[0.0], [2.0]]), torch.tensor([1.0])
    assert crps(forecast, truth).item() == 0.0
    assert crps(forecast, truth, fair=False).item() == 0.5
    assert crps(torch.tensor([[3.0]]), truth, fair=False).item() == 2.0


def test_fair_crps_does_not_depend_on_the_number_of_members_and_the_plain_one_does() -> None:
    truth = normal(40_000, seed=1)
    expected = 1 / math.sqrt(math.pi)  # of N(0, 1) judged by its own law
    for members in (2, 5, 20):
        forecast = normal(members, 40_000, seed=members)
        assert crps(forecast, truth).mean().item() == pytest.approx(expected, abs=0.012)
        plain = crps(forecast, truth, fair=False).mean().item()
        assert plain == pytest.approx(expected * (1 + 1 / members), abs=0.012)


@pytest.mark.thorough
@pytest.mark.parametrize("score", [lambda x, y: crps(x, y).mean(), lambda x, y: _mean_energy(x, y)])
def test_the_true_law_scores_best(score) -> None:
    truth = normal(800, 2, seed=1)
    forecast = normal(10, 800, 2)
    best = score(forecast, truth)
    for other in (forecast + 0.4, forecast * 0.6, forecast * 1.6):
        assert score(other, truth) > best


def _mean_energy(forecast: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    return torch.stack([energy_score(forecast[:, k], truth[k]) for k in range(len(truth))]).mean()


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 9), st.integers(0, 10_000), st.floats(-50, 50), st.floats(0.1, 20))
def test_scores_follow_shift_and_scale_and_ignore_the_order_of_members(members, seed, shift, scale) -> None:
    forecast, truth = normal(members, 6, seed=seed), normal(6, seed=seed + 1)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(members))
    for score in (crps, energy_score):
        moved = score(scale * forecast[order] + shift, scale * truth + shift)
        torch.testing.assert_close(moved, scale * score(forecast, truth), rtol=1e-6, atol=1e-6)


def test_crps_is_differentiable() -> None:
    forecast = normal(5, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: crps(x, normal(3, seed=1)), forecast)


def test_crps_keeps_single_precision_far_from_zero() -> None:
    forecast, truth = normal(20, 100), normal(100, seed=1)
    far = crps((forecast + 3000).float(), (truth + 3000).float())
    np.testing.assert_allclose(far, crps(forecast, truth), atol=2e-3)


def test_missing_members_are_absent_and_missing_truth_is_left_out() -> None:
    forecast = torch.tensor([[1.0, 1.0, NAN, NAN], [NAN, 2.0, NAN, 2.0], [4.0, 3.0, 7.0, NAN]])
    truth = torch.tensor([2.0, NAN, 2.0, 5.0])
    result = crps(forecast, truth)
    assert result[0] == crps(torch.tensor([[1.0], [4.0]]), torch.tensor([2.0]))[0]
    assert result[1:].isnan().all()
    np.testing.assert_allclose(crps(forecast, truth, fair=False)[2:], [5.0, 3.0])
    assert ensemble_mean(forecast)[0] == 2.5
    assert ensemble_variance(forecast)[0] == pytest.approx(4.5 * 3 / 2)
    assert ensemble_variance(forecast)[2:].isnan().all()


def test_a_constant_target_and_equal_members_have_defined_scores() -> None:
    forecast, truth = torch.full((4, 3), 2.0), torch.full((3,), 5.0)
    assert crps(forecast, truth).tolist() == [3.0, 3.0, 3.0]
    assert ensemble_variance(forecast).tolist() == [0.0, 0.0, 0.0]
    assert energy_score(forecast, truth).item() == pytest.approx(3.0)


def test_an_empty_set_has_no_score() -> None:
    empty = torch.zeros(4, 0)
    assert crps(empty, torch.zeros(0)).shape == (0,)
    assert energy_score(empty, torch.zeros(0)).isnan()
    assert rank_histogram(empty, torch.zeros(0)).tolist() == [0.0] * 5


def test_energy_score_agrees_with_scoringrules_up_to_the_root_of_the_size() -> None:
    forecast, truth = normal(8, 30), normal(30, seed=1)
    expected = scoringrules.es_ensemble(truth.numpy(), forecast.numpy(), m_axis=0, v_axis=1, estimator="fair")
    assert energy_score(forecast, truth).item() == pytest.approx(expected / math.sqrt(30), rel=1e-6)


def test_energy_score_of_one_point_is_the_crps() -> None:
    forecast, truth = normal(8, 1), normal(1, seed=1)
    torch.testing.assert_close(energy_score(forecast, truth), crps(forecast, truth)[0])


def test_energy_score_leaves_out_masked_points_then_broken_members() -> None:
    forecast, truth = normal(5, 6), normal(6, seed=1)
    expected = energy_score(forecast[[0, 1, 2, 4]][:, 1:5], truth[1:5])
    truth[0] = NAN
    forecast[:, 5] = NAN
    forecast[3, 2] = NAN
    torch.testing.assert_close(energy_score(forecast, truth), expected)


@pytest.mark.parametrize("fair", [True, False])
def test_vector_energy_score_agrees_with_scoringrules_at_every_point(fair: bool) -> None:
    forecast, truth = normal(7, 2, 5, 4), normal(2, 5, 4, seed=1)
    estimator = "fair" if fair else "nrg"
    expected = scoringrules.es_ensemble(
        np.moveaxis(truth.numpy(), 0, -1), np.moveaxis(forecast.numpy(), 1, -1), m_axis=0, estimator=estimator
    )
    np.testing.assert_allclose(vector_energy_score(forecast, truth, fair=fair), expected, rtol=1e-9)


def test_vector_energy_score_does_not_depend_on_the_axes_and_leaves_out_what_is_unknown() -> None:
    forecast, truth = normal(6, 2, 9), normal(2, 9, seed=1)
    turn = torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=forecast.dtype)
    turned = vector_energy_score(torch.einsum("ij,mjk->mik", turn, forecast), turn @ truth)
    torch.testing.assert_close(turned, vector_energy_score(forecast, truth))
    torch.testing.assert_close(vector_energy_score(forecast[:, :1], truth[:1]), crps(forecast[:, 0], truth[0]))
    length = torch.linalg.vector_norm(forecast[0] - truth, dim=0)
    torch.testing.assert_close(vector_energy_score(forecast[:1], truth, fair=False), length)
    assert vector_energy_score(forecast[:1], truth).isnan().all()
    expected = vector_energy_score(forecast[1:], truth)
    forecast[0, 1] = NAN
    torch.testing.assert_close(vector_energy_score(forecast, truth), expected)
    truth[0, 3] = NAN
    assert vector_energy_score(forecast, truth).isnan().nonzero().tolist() == [[3]]


def test_spread_equals_error_for_a_reliable_ensemble() -> None:
    for members in (2, 5, 20):
        forecast, truth = normal(members, 60_000), normal(60_000, seed=1)
        error = (ensemble_mean(forecast) - truth).square().mean()
        ratio = (ensemble_variance(forecast).mean() / error).sqrt().item()
        assert ratio == pytest.approx(1.0, abs=0.015)


def test_rank_histogram_worked_by_hand() -> None:
    forecast = torch.tensor([[1.0, 1.0, 0.0, 1.0], [2.0, 2.0, 0.0, NAN]])
    truth = torch.tensor([0.0, 1.5, 0.0, 3.0])  # rank 0; rank 1; tied with both; left out
    np.testing.assert_allclose(rank_histogram(forecast, truth), [1 + 1 / 3, 1 + 1 / 3, 1 / 3])


def test_rank_histogram_is_flat_for_a_reliable_ensemble_even_with_ties() -> None:
    for values in (normal(10, 50_000), normal(10, 50_000).round(), normal(10, 50_000).clamp(min=0.0)):
        share = rank_histogram(values[1:], values[0]) / 50_000
        np.testing.assert_allclose(share, 0.1, atol=0.006)


def draw(members, spread, bias=0.0, seed=0, shape=(1, 4, 30, 30)):
    """Truth and members around a signal that both share; reliable where the spread is 1 and the bias 0."""
    random = torch.Generator().manual_seed(seed)
    signal = 2 * torch.randn(shape, generator=random)
    truth = signal + torch.randn(shape, generator=random)
    return signal + bias + spread * torch.randn(members, *shape, generator=random), truth


def parts(members, truth, weights=None):
    """Reliability and potential CRPS over everything."""
    means = [part.mean(0).numpy() for part in between_members(members, truth, weights)]
    return tuple(map(float, reliability_and_potential(*means)))


@pytest.mark.parametrize(("spread", "bias"), [(1.0, 0.0), (0.3, 0.0), (2.0, 1.0)])
def test_the_parts_add_up_to_the_crps_of_the_members(spread, bias):
    members, truth = draw(7, spread, bias)
    reliability, potential = parts(members, truth)
    expected = scoringrules.crps_ensemble(truth.numpy().ravel(), members.numpy().reshape(7, -1).T, estimator="nrg")
    assert reliability + potential == pytest.approx(expected.mean(), rel=1e-6)


def test_a_reliable_ensemble_has_next_to_no_reliability_part_and_others_have():
    reliable = parts(*draw(9, 1.0))[0]
    assert reliable < 0.02  # that of the truth's rank among a finite number of members
    assert parts(*draw(9, 0.3))[0] > 10 * reliable and parts(*draw(9, 1.0, bias=1.0))[0] > 10 * reliable


def test_by_hand_with_two_members_and_the_truth_outside():
    members = torch.tensor([1.0, 3.0]).reshape(2, 1, 1, 1, 1)
    for came, whole in ((0.0, 1.5), (2.0, 0.5), (4.0, 1.5)):
        reliability, potential = parts(members, torch.full((1, 1, 1, 1), came))
        assert reliability + potential == pytest.approx(whole)


def test_weights_are_how_often_a_pixel_counts():
    members, truth = draw(5, 0.7, shape=(1, 1, 1, 2))
    twice = [torch.cat([video[..., :1], video], dim=-1) for video in (members, truth)]
    assert parts(members, truth, torch.tensor([[2.0, 1.0]])) == pytest.approx(parts(*twice))


def test_unknown_points_are_left_out():
    members, truth = draw(5, 1.0)
    holes = truth.clone()
    holes[..., ::2] = torch.nan
    assert parts(members, holes) == pytest.approx(parts(members[..., 1::2], truth[..., 1::2]))


@pytest.mark.thorough
def test_the_uncertainty_is_the_crps_of_the_climatology():
    values = np.random.default_rng(0).gamma(0.5, size=300).round(2)
    expected = scoringrules.crps_ensemble(values, np.broadcast_to(values, (300, 300)), estimator="nrg").mean()
    assert uncertainty(values) == pytest.approx(expected)
