import math

import pytest
import torch

from framecast.core.errors import ConfigError
from framecast.generators.ensemble_loss import TERMS, EnsembleLoss, ensemble_crps, measure_scales
from framecast.verification.scores import crps

SHAPE = (3, 1, 2, 8, 8)  # batch, channel, time, height, width
LEAD = torch.ones(1, 2)


def everything(truth):
    return torch.ones_like(truth, dtype=torch.bool)


def score(term, members, truth, scales):
    """The mean score of a term, and its standard error over the batch."""
    derived = zip(TERMS[term](members, scales), TERMS[term](truth, scales), strict=True)
    each = torch.stack([ensemble_crps(ours - theirs) for ours, theirs in derived]).mean(dim=0)
    return each.mean().item(), each.std().item() / math.sqrt(len(each))


def fields(count, seed, *, slope=1.3, size=32):
    """Random frames of power k^(-2 slope), ``[count, 1, 2, size, size]``, of variance 1."""
    white = torch.randn(count, 1, 2, size, size, generator=torch.Generator().manual_seed(seed))
    frequency = torch.fft.fftfreq(size)
    wave = torch.hypot(frequency[:, None], frequency)
    wave[0, 0] = 1 / size
    filtered = torch.fft.ifft2(torch.fft.fft2(white) * wave**-slope).real
    return filtered / filtered.std()


def checkerboards(video):
    """The same means over 2×2 pixels, and within each square a checkerboard of the variance that was there."""
    means = torch.nn.functional.avg_pool2d(video.flatten(0, 2), 2).repeat_interleave(2, -1).repeat_interleave(2, -2)
    means = means.reshape(video.shape)
    sign = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(video.shape[-2] // 2, video.shape[-1] // 2)
    amplitude = torch.randn(*video.shape[:-2], video.shape[-2] // 2, video.shape[-1] // 2)
    amplitude = amplitude.repeat_interleave(2, -1).repeat_interleave(2, -2)
    return means + (video - means).std() * amplitude * sign


@pytest.mark.parametrize("members", [2, 3, 5])
def test_it_is_the_fair_crps(members):
    drawn, truth = torch.randn(members, *SHAPE), torch.randn(SHAPE)
    expected = crps(drawn, truth).flatten(1).mean(dim=1)
    torch.testing.assert_close(EnsembleLoss(pooled=0.0)(drawn, truth, everything(truth)), expected)


@pytest.mark.parametrize("members", [2, 3, 5])
def test_with_fairness_0_the_members_are_the_whole_law(members):
    drawn, truth = torch.randn(members, *SHAPE), torch.randn(SHAPE)
    pairs = (drawn[:, None] - drawn[None]).abs().mean(dim=(0, 1)) / 2
    expected = ((drawn - truth).abs().mean(dim=0) - pairs).flatten(1).mean(dim=1)
    torch.testing.assert_close(ensemble_crps(drawn - truth, fairness=0.0), expected)
    halfway = (expected + ensemble_crps(drawn - truth)) / 2
    torch.testing.assert_close(ensemble_crps(drawn - truth, fairness=0.5), halfway)


@pytest.mark.parametrize("term", TERMS)
def test_the_truth_s_own_law_is_best(term):
    """Two members of s times the truth's law: each score is least at s = 1."""
    truth, one, two = fields(300, 0), fields(300, 1), fields(300, 2)
    scales = measure_scales(fields(100, 3), LEAD)
    losses = {s: score(term, s * torch.stack([one, two]), truth, scales)[0] for s in (0.4, 0.7, 1.0, 1.4, 2.5)}
    assert min(losses, key=losses.__getitem__) == 1.0


@pytest.mark.parametrize(
    ("term", "sees"),
    [
        ("pixels", False),
        ("pooled", False),
        ("time_mean", False),
        ("spectral", True),
        ("modulus", True),
        ("differences", True),
    ],
)
def test_what_sees_a_checkerboard(term, sees):
    """Members with the truth's means over 2×2 pixels and variance within: pixels and aligned means cannot tell."""
    torch.manual_seed(0)
    truth, members = fields(400, 10), torch.stack([fields(400, 11), fields(400, 12)])
    scales = measure_scales(fields(100, 13), LEAD)
    (true, error), (false, _) = (score(term, own, truth, scales) for own in (members, checkerboards(members)))
    assert (false > true + 4 * error and false > 1.02 * true) == sees


@pytest.mark.parametrize(("term", "sees"), [("pixels", False), ("pooled", True), ("spectral", True)])
def test_what_sees_that_frames_move_as_a_whole(term, sees):
    """Members of the same pixels, each for itself, against a truth whose frames are one number everywhere."""
    random = torch.Generator().manual_seed(1)

    def common():
        return torch.randn(2000, 1, 1, 1, 1, generator=random).expand(2000, 1, 2, 8, 8)

    truth, together = common(), torch.stack([common(), common()])
    apart = torch.randn(2, 2000, 1, 2, 8, 8, generator=random)
    scales = measure_scales(common() + 0.1 * torch.randn(SHAPE[1:], generator=random), LEAD)
    ratio = score(term, apart, truth, scales)[0] / score(term, together, truth, scales)[0]
    assert (ratio > 1.2) == sees


@pytest.mark.parametrize(("term", "sees"), [("pixels", False), ("differences", False), ("changes", True)])
def test_what_sees_sums_that_flicker(term, sees):
    """Truth and members whose frames share an amount beside independent pixels, and members of an amount per frame."""
    random = torch.Generator().manual_seed(2)

    def drawn(amounts):
        amount = 0.6 * torch.randn(2000, 1, amounts, 1, 1, generator=random)
        return amount + torch.randn(2000, 1, 2, 8, 8, generator=random)

    truth, steady, flickering = drawn(1), torch.stack([drawn(1), drawn(1)]), torch.stack([drawn(2), drawn(2)])
    scales = measure_scales(drawn(1), LEAD)
    ratio = score(term, flickering, truth, scales)[0] / score(term, steady, truth, scales)[0]
    assert (ratio > 1.1) == sees


def test_changes_are_those_of_means_over_squares():
    video = torch.randn(4, 1, 3, 8, 8)
    scales = measure_scales(video, torch.ones(1, 3))
    found = TERMS["changes"](video, scales)
    halves = video.reshape(4, 1, 3, 2, 4, 2, 4).mean(dim=(-3, -1)).diff(dim=2)
    assert [each.shape[-1] for each in found] == [8, 4, 2, 1]
    torch.testing.assert_close(found[2], halves / halves.std())
    assert not TERMS["changes"](video[:, :, :1], measure_scales(video[:, :, :1], torch.ones(1, 1)))[0].any()


def test_moduli_alone_do_not_say_where_things_are():
    """The negative of a video has its moduli, and their score; the coefficients' score sees it."""
    truth, scales = fields(300, 20), measure_scales(fields(100, 23), LEAD)
    near = torch.stack([truth + 0.1 * fields(300, seed) for seed in (21, 22)])
    turned = -near
    assert score("modulus", turned, truth, scales)[0] == pytest.approx(
        score("modulus", near, truth, scales)[0], rel=1e-4
    )
    assert score("spectral", turned, truth, scales)[0] > 3 * score("spectral", near, truth, scales)[0]


def test_peak_and_integral_are_those_of_the_video():
    """x0 is in units that differ by lead time: the time maximum is taken of what is in one unit."""
    video, lead = torch.randn(4, 1, 2, 8, 8), torch.tensor([[0.5, 2.0]])
    scales = measure_scales(video, lead)
    physical = video * lead[..., None, None]
    torch.testing.assert_close(TERMS["time_max"](video, scales)[0], physical.amax(dim=2) / 2.0)
    torch.testing.assert_close(TERMS["time_mean"](video, scales)[0], physical.mean(dim=2) / 2.0)


def test_every_term_is_of_order_one_on_the_truth():
    truth, scales = fields(100, 30), measure_scales(fields(100, 31), LEAD)
    for name in ("pixels", "spectral", "modulus", "differences", "changes"):
        for each in TERMS[name](truth, scales):
            assert 0.2 < each.abs().square().mean().sqrt() < 6, name


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


@pytest.mark.parametrize("term", TERMS)
def test_no_term_rewards_spread_where_nothing_is_known(term):
    truth, drawn = torch.randn(SHAPE), torch.randn(2, *SHAPE)
    known = torch.rand(SHAPE) < 0.995
    known[0, :, :, :4] = False
    wild = torch.where(known, drawn, 100 * drawn)
    loss = EnsembleLoss(**dict.fromkeys(TERMS, 0.0) | {term: 1.0})
    scales = measure_scales(truth, LEAD)
    first, second = (loss(own, torch.where(known, truth, torch.nan), known, scales) for own in (drawn, wild))
    torch.testing.assert_close(first, second)
    assert first.isfinite().all()
    assert (first[0] == 0) == (term in ("spectral", "modulus"))  # a window that is half unknown has no spectrum


def test_terms_in_units_of_the_truth_need_them():
    truth = torch.randn(SHAPE)
    with pytest.raises(ConfigError, match="measure"):
        EnsembleLoss(spectral=0.1)(torch.randn(2, *SHAPE), truth, everything(truth))


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


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"pooled": -1.0}, "must not be negative"),
        ({"spectral": float("nan")}, "must not be negative"),
        ({"pixels": 0.0, "pooled": 0.0}, "every weight"),
        ({"fairness": 1.5}, "between 0 and 1"),
    ],
)
def test_impossible_weights_are_refused(settings, rule):
    with pytest.raises(ConfigError, match=rule):
        EnsembleLoss(**settings)
