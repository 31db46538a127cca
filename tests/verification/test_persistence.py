"""The family of dressed persistence: each variant against a world in which it is the right one."""

import numpy as np
import pytest
import torch

from framecast.verification.persistence import FittedPersistence, Occasions, Variant, compare_variants, family
from framecast.verification.scores import crps

N, LEADS, SIZE = 48, 3, (8, 10)


def occasions(law: str, *, seed: int = 0) -> Occasions:
    """Windows a day apart whose changes are additive, proportional to brightness, or a return to the mean."""
    random = np.random.default_rng(seed)
    mean = np.exp(random.normal(3, 1, (N, 1, *SIZE)))
    last = (
        mean * np.exp(random.normal(0, 0.3, mean.shape)) if law != "returns" else mean + random.normal(0, 9, mean.shape)
    )
    shape = (N, 1, LEADS, *SIZE)
    noise = random.normal(size=shape)
    future = {
        "additive": last[:, :, None] + noise,
        "multiplicative": last[:, :, None] * np.exp(0.3 * noise),
        "returns": mean[:, :, None] + 0.3 * (last - mean)[:, :, None] + 0.5 * noise,
    }[law]
    last, mean, future = (torch.from_numpy(x).float() for x in (last, mean, future))
    return Occasions(last=last, mean=mean, future=future, times=86400.0 * np.arange(N), span=3600.0)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("law", "multiplicative", "damped"),
    [("additive", False, False), ("multiplicative", True, False), ("returns", False, True)],
)
def test_training_chooses_the_variant_that_is_the_law(law, multiplicative, damped):
    tried = compare_variants(occasions(law), 12)
    assert set(tried) == set(family())
    best = min(tried, key=tried.get)
    if law != "additive":
        assert best.multiplicative == multiplicative and (best.damped or not damped)
    wrong = Variant(multiplicative=not multiplicative, damped=damped)
    assert tried[best] <= tried[Variant(multiplicative=multiplicative, damped=damped)] < tried[wrong]


def test_the_choice_is_right_for_windows_that_were_not_looked_at():
    train, test = occasions("multiplicative"), occasions("multiplicative", seed=1)
    tried = compare_variants(train, 12)
    order = np.random.default_rng(0).permutation(N)

    def error(variant: Variant) -> float:
        fitted = FittedPersistence(train, variant)
        scores = [crps(fitted.draw(test.last[k], test.mean[k], 12, order=order), test.future[k]) for k in range(N)]
        return float(torch.stack(scores).mean())

    assert error(min(tried, key=tried.get)) < 0.95 * error(Variant())


def test_additive_without_damping_is_dressed_persistence():
    train = occasions("additive")
    drawn = FittedPersistence(train, Variant()).draw(train.last[0], train.mean[0], 5, order=np.arange(1, 6))
    residuals = train.future[1:6] - train.last[1:6, :, None]
    torch.testing.assert_close(drawn, (train.last[0][:, None] + residuals).clamp(min=train.floor))


def test_damping_is_the_regression_on_the_last_frame():
    fitted = FittedPersistence(occasions("returns"), Variant(damped=True))
    assert fitted._damping.shape == (1, LEADS, 1, 1)
    assert fitted._damping.flatten().tolist() == pytest.approx([0.3] * LEADS, abs=0.02)


def test_like_brightness_takes_the_windows_nearest_in_brightness():
    train = occasions("additive")
    level = train.last.mean((1, 2, 3))
    fitted = FittedPersistence(train, Variant(like=True))
    drawn = fitted.draw(train.last[7], train.mean[7], 4, order=np.arange(N))
    nearest = np.sort((level - level[7]).abs().argsort()[:4].numpy())
    expected = train.last[7][:, None] + (train.future - train.last[:, :, None])[nearest]
    torch.testing.assert_close(drawn, expected.clamp(min=train.floor))


def test_no_member_is_negative_where_training_never_was_and_unknown_pixels_stay_unknown():
    train = occasions("multiplicative")
    last = train.last[0].clone()
    last[0, 0, 0] = torch.nan
    for variant in family():
        drawn = FittedPersistence(train, variant).draw(last, train.mean[0], 6, order=np.arange(N))
        assert torch.isnan(drawn[..., 0, 0]).all() and (drawn.nan_to_num(0) >= 0).all()


def test_frames_that_move_are_persisted_as_they_move():
    once = occasions("multiplicative")
    shifted = once.last.roll(2, -1)
    world = Occasions(
        last=once.last,
        mean=once.mean,
        future=shifted[:, :, None] + torch.randn(N, 1, LEADS, *SIZE, generator=torch.Generator().manual_seed(0)),
        times=once.times,
        span=once.span,
        moved=shifted[:, :, None].expand(-1, -1, LEADS, -1, -1),
    )
    tried = compare_variants(world, 12)
    assert len(tried) == 2 * len(list(family()))
    best = min(tried, key=tried.get)
    assert best.moved
    drawn = FittedPersistence(world, best).draw(
        world.last[0], world.mean[0], 6, order=np.arange(1, 7), moved=world.moved[0]
    )
    assert (drawn.mean(0) - world.future[0]).abs().mean() < 2 < (world.last[0] - shifted[0]).abs().mean()


@pytest.mark.thorough
def test_windows_that_share_frames_do_not_forecast_each_other():
    """Each window occurs twice at the same time: the residual of its twin would make the forecast perfect."""
    once = occasions("multiplicative")
    twice = Occasions(
        last=once.last.repeat(2, 1, 1, 1),
        mean=once.mean.repeat(2, 1, 1, 1),
        future=once.future.repeat(2, 1, 1, 1, 1),
        times=np.tile(once.times, 2),
        span=once.span,
    )
    near = Variant(like=True, multiplicative=True)
    assert compare_variants(twice, 4)[near] > 0.7 * compare_variants(once, 2)[near]
    apart = Occasions(**{**vars(twice), "times": 86400.0 * np.arange(2 * N)})
    assert compare_variants(apart, 4)[near] < compare_variants(twice, 4)[near]
