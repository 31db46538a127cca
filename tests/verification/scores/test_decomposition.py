import numpy as np
import pytest
import scoringrules
import torch

from framecast.verification.scores import between_members, reliability_and_potential, uncertainty


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
    for came, crps in ((0.0, 1.5), (2.0, 0.5), (4.0, 1.5)):
        reliability, potential = parts(members, torch.full((1, 1, 1, 1), came))
        assert reliability + potential == pytest.approx(crps)


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
