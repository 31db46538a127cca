"""Averages of the weights over the steps: what forecasts are made with.

The average that a model is saved with is exponential. Any number of power-function averages can be kept in addition,
whose length is a fixed fraction of the run: from snapshots of them, an average of any other length can be put together
when the training is over (`framecast.training.reconstruction`).

Only parameters are averaged; buffers are constants of the network.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from framecast.models.checkpoint import stored
from framecast.training.reconstruction import exponent
from framecast.training.sharding import like, reshard, whole

Decay = Callable[[int], float]


def _copy(values: Iterable[Tensor], into: Iterable[Tensor]) -> None:
    """Copy tensors one by one, as required for sharded ones."""
    for value, place in zip(values, into, strict=True):
        place.copy_(value)


class Average:
    """A running average of the parameters of a network: ``average ← d·average + (1 - d)·weights`` after each step.

    Args:
        network: whose parameters are averaged; the average begins with their values.
        decay: d at the step after so many averaged ones; see `exponential` and `power`.
    """

    def __init__(self, network: nn.Module, decay: Decay) -> None:
        self.values = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
        self.decay = decay
        self.count = 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Include the current weights in the average."""
        torch._foreach_lerp_(list(self.values.values()), list(network.parameters()), 1.0 - self.decay(self.count))
        self.count += 1

    @torch.no_grad()
    def follow(self, network: nn.Module) -> None:
        """Set the average to the current weights, before averaging starts."""
        _copy(network.parameters(), self.values.values())

    def weights(self, network: nn.Module) -> dict[str, Tensor]:
        """Return the ``state_dict`` with the averages, whole and on the CPU; if it is divided, in every process."""
        reshard(network)
        named = network.state_dict()
        first = {id(parameter): name for name, parameter in network.named_parameters()}
        for name, parameter in network.named_parameters(remove_duplicate=False):  # shared weights have two names
            named[name] = self.values[first[id(parameter)]]
        return stored({name: whole(value.detach()) for name, value in named.items()})

    def load(self, values: Mapping[str, Tensor], count: int) -> None:
        """Restore ``values`` and ``count``; KeyError if a parameter is missing."""
        for name, value in self.values.items():
            value.copy_(like(values[name], value))
        self.count = count

    @contextmanager
    def within(self, network: nn.Module) -> Iterator[nn.Module]:
        """Give ``network`` the averaged weights for the block that follows, and then restore its own exactly."""
        reshard(network)
        parameters = list(network.parameters())
        own = [parameter.detach().clone() for parameter in parameters]
        with torch.no_grad():
            _copy(self.values.values(), parameters)
        try:
            yield network
        finally:
            reshard(network)
            with torch.no_grad():
                _copy(own, parameters)


def exponential(decay: float) -> Decay:
    """Return a decay that rises to its final value as ``d = min(decay, (1 + n)/(10 + n))`` with n averaged steps.

    The first step is taken whole, so that the random initial weights do not enter the average even in a short run.
    """
    return lambda count: min(decay, (1.0 + count) / (10.0 + count)) if count else 0.0


def power(width: float) -> Decay:
    """Return the decay under which weights of step τ count as ``τ^γ`` (Karras et al. 2024, section 3.1, 2312.02696).

    ``d = (1 - 1/t)^(γ + 1)`` at step t, counted from 1: the random initial weights do not count at all. The standard
    deviation of the profile as a fraction of the training time, ``width``, gives γ; at most 0.28.
    """
    gamma = exponent(width)
    return lambda count: (1.0 - 1.0 / (count + 1)) ** (gamma + 1)
