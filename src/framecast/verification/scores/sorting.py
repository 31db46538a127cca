"""Large ensembles: a piece at a time, and sorting a few members at a great many points at once.

What a score computes on the way is a multiple of what it is given. A library sort processes the members of one point
after the other; with 20 members on the first axis and 100,000 points behind them that is an order of magnitude slower
than a sorting network, which compares whole planes. With few points the library sort is faster.
"""

from collections.abc import Iterator
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

_LARGEST_NETWORK = 128
_FEWEST_POINTS = 1000


def sort_members(forecast: Float[Tensor, " member *shape"]) -> Float[Tensor, " member *shape"]:
    """Return the members in ascending order at each point, NaN last and turned into infinity.

    References:
        Batcher (1968), "Sorting networks and their applications", AFIPS 32 (odd-even merge sort).
    """
    forecast = torch.where(torch.isnan(forecast), torch.inf, forecast)
    if len(forecast) > _LARGEST_NETWORK or forecast.numel() < _FEWEST_POINTS * len(forecast):
        return forecast.sort(dim=0).values
    planes = list(forecast.unbind(0))
    for i, j in _comparisons(len(planes)):
        planes[i], planes[j] = torch.minimum(planes[i], planes[j]), torch.maximum(planes[i], planes[j])
    return torch.stack(planes)


@lru_cache
def _comparisons(size: int) -> tuple[tuple[int, int], ...]:
    """Return the pairs that odd-even merge sort compares, in order."""
    pairs: list[tuple[int, int]] = []
    block = 1
    while block < size:
        distance = block
        while distance >= 1:
            for start in range(distance % block, size - distance, 2 * distance):
                inside = range(start, start + min(distance, size - start - distance))
                pairs += [(i, i + distance) for i in inside if i // (2 * block) == (i + distance) // (2 * block)]
            distance //= 2
        block *= 2
    return tuple(pairs)


_VALUES = 2**22  # values of a piece, about: the working memory of a score is then some hundred megabytes at most


def pieces(length: int, each: int) -> Iterator[slice]:
    """Yield slices that cover ``length`` places with ``each`` values at a place; one for an empty length."""
    step = max(1, _VALUES // max(1, each))
    for start in range(0, max(1, length), step):
        yield slice(start, start + step)
