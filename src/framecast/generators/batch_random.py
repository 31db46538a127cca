"""Random numbers of a training batch: each element has its own generator.

A batch may be cut into parts, to fit into memory or for several processes. The numbers of an element depend only on the
batch's key and its index, so that the noise is the same however the batch is divided.
"""

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from framecast.core.seeding import generator


class BatchRandom:
    """Per-element random draws of the batch with this key, such as (seed, step), or of some of its ``total`` places.

    Later draws come later in their streams.
    """

    def __init__(self, *key: int, total: int, places: range | None = None) -> None:
        self._key = key
        self._places = range(total) if places is None else places
        self._total = total

    def __len__(self) -> int:
        return len(self._places)

    def each(self, draw: Callable[[torch.Generator], Tensor]) -> Tensor:
        """Return ``[place, ...]``: what ``draw`` returns for the generator of each place, on the CPU."""
        return torch.stack([draw(own) for own in self.own])

    def normal(self, *shape: int) -> Tensor:
        """Return standard normal deviates ``[place, *shape]``, float32, on the CPU."""
        return self.each(lambda own: torch.randn(shape, generator=own))

    def spread(self, draw: Callable[[int, torch.Generator], Tensor]) -> Tensor:
        """Return these elements of what ``draw(total, generator)`` returns for the whole batch, on the CPU.

        For values spread over the batch, such as diffusion times.
        """
        return draw(self._total, self._shared)[list(self._places)]

    @cached_property
    def own(self) -> list[torch.Generator]:
        """The generator of each place."""
        return [generator(*self._key, place) for place in self._places]

    @cached_property
    def _shared(self) -> torch.Generator:
        return generator(*self._key)
