"""The sorting network against torch's own sort."""

import math

import pytest
import torch

from framecast.verification.scores import between_members, crps, power_spectrum, similarities, variogram_score
from framecast.verification.scores import sorting as module
from framecast.verification.scores.sorting import pieces, sort_members


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


FUNCTIONS = {
    "crps": crps,
    "between_members": lambda members, truth: between_members(members, truth, torch.rand(9, 1).expand(9, 13).double()),
    "power_spectrum": lambda members, truth: power_spectrum(members),
    "similarities": lambda members, truth: similarities(members, truth.expand_as(members), data_range=2.0),
    "variogram_score": variogram_score,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_pieces_make_the_whole(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    random = torch.Generator().manual_seed(1)
    members, truth = (torch.randn(*shape, 2, 3, 9, 13, generator=random) for shape in ((5,), ()))
    members[0, 0, 0, 2, 3] = truth[1, 2, 4, 4] = torch.nan
    found = []
    for most in (10**9, 300, 1):
        monkeypatch.setattr(module, "_VALUES", most)
        torch.manual_seed(0)
        score = FUNCTIONS[name](members, truth)
        found.append(score if isinstance(score, tuple) else (score,))
    for whole, some, single in zip(*found, strict=True):
        torch.testing.assert_close(some, whole, equal_nan=True)
        torch.testing.assert_close(single, whole, equal_nan=True)


@pytest.mark.parametrize(("length", "each"), [(0, 5), (1, 10**9), (10, 2**20), (7, 1), (9, 0)])
def test_pieces_cover_every_place_once_and_are_bounded(length: int, each: int) -> None:
    places = list(range(length))
    found = [places[own] for own in pieces(length, each)]
    assert found and [place for own in found for place in own] == places
    assert all(len(own) == 1 or len(own) * each <= module._VALUES for own in found if own)
