import numpy as np
import pytest
import scoringrules
import torch

from framecast.verification.scores import threshold_weighted_crps, variogram_score


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_two_pixels_as_scoringrules_has_it(power):
    members, truth = torch.randn(6, 1, 2).double(), torch.randn(1, 2).double()
    expected = scoringrules.vs_ensemble(truth.numpy()[0], members.numpy()[:, 0], p=power)
    # There each pair is counted in both orders, and a pixel with itself, which adds nothing.
    assert 2 * float(variogram_score(members, truth, power=power)) == pytest.approx(float(expected))


def test_many_pairs_are_averaged_and_unknown_ones_left_out():
    members, truth = torch.randn(4, 3, 5), torch.randn(3, 5)
    truth[0, 0] = torch.nan
    pairs = []
    for lag in (1, 2):
        for a in np.ndindex(3, 5):
            for b in ((a[0] + lag, a[1]), (a[0], a[1] + lag)):
                if b[0] < 3 and b[1] < 5:
                    expected = (members[:, *a] - members[:, *b]).abs().sqrt().mean()
                    pairs.append(float(((truth[a] - truth[b]).abs().sqrt() - expected) ** 2))
    assert float(variogram_score(members, truth, lags=(1, 2))) == pytest.approx(np.nanmean(pairs), rel=1e-5)


def test_white_noise_of_the_right_spread_scores_worse_than_smooth_members():
    def smooth(*shape):
        return torch.nn.functional.avg_pool2d(torch.randn(*shape, 40, 40), 9, stride=1) * 9

    truth, members = smooth(1)[0], smooth(20)
    assert variogram_score(members, truth) < 0.7 * variogram_score(torch.randn(20, 32, 32), truth)


def test_the_crps_above_a_threshold_as_scoringrules_has_it():
    members, truth = torch.randn(8, 100).double(), torch.randn(100).double()
    expected = scoringrules.twcrps_ensemble(truth.numpy(), members.numpy().T, a=0.4, estimator="fair")
    assert threshold_weighted_crps(members, truth, 0.4).numpy() == pytest.approx(expected)
    assert float(threshold_weighted_crps(members, truth, 99.0).abs().max()) == 0
