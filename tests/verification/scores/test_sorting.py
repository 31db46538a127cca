"""The sorting network against torch's own sort."""

import math

import pytest
import torch

from framecast.verification.scores.sorting import sort_members


@pytest.mark.parametrize("members", [*range(1, 34), 50, 64, 127, 128, 129])
def test_sorts_any_number_of_members(members: int) -> None:
    values = torch.randint(0, 9, (members, 40), generator=torch.Generator().manual_seed(members)).float()
    assert torch.equal(sort_members(values), values.sort(dim=0).values)


def test_zeros_and_ones_sort_in_every_arrangement() -> None:
    # the 0-1 principle: a network that sorts these sorts everything
    bits = (torch.arange(2**12)[None] >> torch.arange(12)[:, None]) & 1
    ordered = sort_members(bits.float())
    assert (ordered.diff(dim=0) >= 0).all()
    assert torch.equal(ordered.sum(0), bits.sum(0).float())


def test_missing_members_come_last() -> None:
    values = torch.tensor([[math.nan], [2.0], [math.nan], [1.0]])
    assert sort_members(values).flatten().tolist() == [1.0, 2.0, math.inf, math.inf]
