"""Conformal intervals: the promise by simulation, the quantile by its formula, and the borders by hand."""

import math

import numpy as np
import pytest
import torch

from framecast.verification.recalibration.conformal import conformal_offset, conformity, widened


def _coverage(level: float, *, blocks: int, per_block: int, grouped: bool, repeats: int, effect: float) -> float:
    """Return how often calibrated intervals of a far too confident forecast hold the truth of a new block.

    Truths are a block's effect plus noise; the forecast says [-0.2, 0.2] always.
    """
    random = torch.Generator().manual_seed(7)
    shift = effect * torch.randn(blocks + 1, repeats, generator=random)
    truth = shift + torch.randn(per_block, blocks + 1, repeats, generator=random)
    seen, new = truth[:, :-1].reshape(-1, repeats), truth[0, -1]
    edge = torch.full_like(seen, 0.2)
    scores = conformity(-edge, edge, seen, torch.ones_like(seen))
    block = torch.arange(blocks).repeat(per_block) if grouped else None
    offset = conformal_offset(scores, level, block)
    low, high = widened(-edge[0], edge[0], offset, torch.ones_like(offset))
    return float(((low <= new) & (new <= high)).double().mean())


@pytest.mark.thorough
@pytest.mark.parametrize("level", [0.5, 0.9, 0.96])
def test_the_promise_holds_and_is_not_overdone(level: float) -> None:
    held = _coverage(level, blocks=49, per_block=1, grouped=False, repeats=8000, effect=0.0)
    error = 3 * math.sqrt(level * (1 - level) / 8000)
    assert level - error <= held <= level + 1 / 50 + error


@pytest.mark.thorough
def test_it_holds_for_a_new_block_whose_windows_depend_on_each_other() -> None:
    level = 0.8
    held = _coverage(level, blocks=4, per_block=25, grouped=True, repeats=4000, effect=5.0)
    naive = _coverage(level, blocks=4, per_block=25, grouped=False, repeats=4000, effect=5.0)
    error = 3 * math.sqrt(level * (1 - level) / 4000)
    assert held >= level - error
    assert naive < level - error  # what windows counted one by one would have promised


def test_the_offset_is_the_order_statistic_of_the_paper() -> None:
    scores = torch.randn(57, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ordered = scores.sort().values
    for level in (0.1, 0.5, 0.9, 0.96):
        place = math.ceil(level * 58) - 1
        assert conformal_offset(scores, level) == ordered[place]
        assert conformal_offset(scores, level, torch.randperm(57)) == ordered[place]  # each its own block


def test_blocks_weigh_alike_whatever_their_size() -> None:
    # three blocks: one window at 0, one at 1, eight at 2; each weighs a quarter, the last quarter lies at infinity
    scores, block = torch.tensor([0.0, 1.0, *[2.0] * 8]), torch.tensor([0, 1, *[2] * 8])
    assert [conformal_offset(scores, level, block).item() for level in (0.25, 0.26, 0.5, 0.74, 0.75)] == [0, 1, 1, 2, 2]
    assert conformal_offset(scores, 0.76, block) == math.inf


def test_too_few_windows_promise_nothing() -> None:
    scores = torch.zeros(9)
    assert conformal_offset(scores, 0.9) == 0  # 9 of 10
    assert conformal_offset(scores, 0.91) == math.inf
    assert conformal_offset(torch.full((9,), torch.nan), 0.1) == math.inf
    assert conformal_offset(torch.cat([scores, torch.full((5,), torch.nan)]), 0.91) == math.inf  # NaN do not count


def test_each_point_of_the_shape_has_its_own_offset() -> None:
    scores = torch.from_numpy(np.random.default_rng(1).normal(size=(40, 2, 3)))
    offsets = conformal_offset(scores, 0.8)
    assert offsets.shape == (2, 3)
    for point in np.ndindex(2, 3):
        assert offsets[point] == conformal_offset(scores[(slice(None), *point)], 0.8)


def test_scores_say_how_far_outside_the_truth_lay() -> None:
    low, high, scale = (torch.tensor([value] * 5) for value in (1.0, 3.0, 2.0))
    truth = torch.tensor([0.0, 1.0, 2.0, 7.0, torch.nan])
    torch.testing.assert_close(
        conformity(low, high, truth, scale), torch.tensor([0.5, 0.0, -0.5, 2.0, torch.nan]), equal_nan=True
    )
    sure = conformity(low, low, torch.tensor([1.0, 1.1, 0.0, torch.nan, 1.0]), torch.zeros(5))
    torch.testing.assert_close(sure, torch.tensor([0, torch.inf, torch.inf, torch.nan, 0]), equal_nan=True)


def test_intervals_widen_and_narrow_about_themselves() -> None:
    low, high, scale = torch.tensor([0.0] * 5), torch.tensor([4.0] * 5), torch.tensor([2.0, 2.0, 2.0, 2.0, 0.0])
    offset = torch.tensor([1.0, -0.5, -3.0, torch.inf, torch.inf])
    new_low, new_high = widened(low, high, offset, scale)
    assert new_low.tolist() == [-2, 1, 2, -math.inf, -math.inf]
    assert new_high.tolist() == [6, 3, 2, math.inf, math.inf]


def test_exactly_those_within_the_offset_are_held() -> None:
    random = torch.Generator().manual_seed(2)
    low = torch.randn(300, generator=random, dtype=torch.float64)
    high, scale = low + torch.rand(300, generator=random).double(), 0.5 + torch.rand(300, generator=random).double()
    truth = 2 * torch.randn(300, generator=random, dtype=torch.float64)
    scores = conformity(low, high, truth, scale)
    for level in (0.1, 0.6, 0.9):
        offset = conformal_offset(scores, level)
        new_low, new_high = widened(low, high, offset.expand(300), scale)
        inside = (new_low <= truth + 1e-12) & (truth - 1e-12 <= new_high)
        assert (inside | (scores > offset)).all()
        assert inside.double().mean() >= level
