import pytest
import torch

from framecast.core.errors import ConfigError
from framecast.generators.ensemble_loss import EnsembleLoss, fair_crps, pooled_crps
from framecast.verification.scores import crps

SHAPE = (3, 1, 2, 8, 8)  # batch, channel, time, height, width


def everything(truth):
    return torch.ones_like(truth, dtype=torch.bool)


@pytest.mark.parametrize("members", [2, 3, 5])
def test_it_is_the_fair_crps(members):
    drawn, truth = torch.randn(members, *SHAPE), torch.randn(SHAPE)
    expected = crps(drawn, truth).flatten(1).mean(dim=1)
    torch.testing.assert_close(EnsembleLoss(pooled=0.0)(drawn, truth, everything(truth)), expected)


def test_the_truth_s_own_law_is_best():
    """Two members of N(0, s²) against a truth of N(0, 1): the loss is least at s = 1."""
    random = torch.Generator().manual_seed(0)
    truth = torch.randn(20000, 1, 1, 1, 1, generator=random)
    unit = torch.randn(2, *truth.shape, generator=random)
    losses = {s: fair_crps(s * unit - truth).mean().item() for s in (0.5, 0.8, 1.0, 1.25, 2.0)}
    assert min(losses, key=losses.__getitem__) == 1.0


def test_only_pooled_scales_see_what_pixels_have_in_common():
    """Frames that move as a whole: members that do too are better than members of the same pixels that do not."""
    random = torch.Generator().manual_seed(1)

    def common():
        return torch.randn(4000, 1, 1, 1, 1, generator=random).expand(4000, 1, 2, 8, 8)

    truth = common()
    together = torch.stack([common(), common()])
    apart = torch.randn(2, 4000, 1, 2, 8, 8, generator=random)
    pixels, pooled = fair_crps(apart - truth).mean() / fair_crps(together - truth).mean(), pooled_crps(apart - truth)
    assert pixels == pytest.approx(1.0, abs=0.1)
    assert pooled.mean() > 1.2 * pooled_crps(together - truth).mean()


def test_pixels_that_are_not_known_do_not_count():
    truth, drawn = torch.randn(SHAPE), torch.randn(2, *SHAPE)
    known = torch.rand(SHAPE) < 0.7
    loss = EnsembleLoss()
    torch.testing.assert_close(
        loss(drawn, torch.where(known, truth, torch.nan), known),
        loss(torch.where(known, drawn, 5.0), torch.where(known, truth, 9.0), known),
    )
    alone = EnsembleLoss(pooled=0.0)(drawn, truth, known)
    expected = [crps(drawn[:, k], truth[k])[known[k]].mean() for k in range(len(truth))]
    torch.testing.assert_close(alone, torch.stack(expected))
    assert not loss(drawn, truth, torch.zeros_like(known)).any()


def test_the_squared_error_of_one_member():
    truth, drawn = torch.randn(SHAPE), torch.randn(1, *SHAPE)
    expected = (drawn[0] - truth).square().flatten(1).mean(dim=1)
    torch.testing.assert_close(EnsembleLoss(kind="mse")(drawn, truth, everything(truth)), expected)


@pytest.mark.parametrize(
    ("kind", "members", "rule"), [("crps", 1, "compares at least two"), ("mse", 2, "takes one, the mean")]
)
def test_impossible_ensembles_are_refused(kind, members, rule):
    with pytest.raises(ConfigError, match=rule):
        EnsembleLoss(kind=kind).check(members)


def test_a_negative_weight_is_refused():
    with pytest.raises(ConfigError, match="must not be negative"):
        EnsembleLoss(pooled=-1.0)
