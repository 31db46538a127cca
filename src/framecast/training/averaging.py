"""The exponential moving average of the weights, which is what forecasts are made with."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


class EMA(AveragedModel):
    """Averages the parameters of a network: ``average ← d·average + (1 - d)·weights`` after each step.

    The decay rises to its final value as ``d = min(decay, (1 + n)/(10 + n))`` with the number n of averaged steps, so
    that the average forgets the random initial weights however short the run is.

    Args:
        network: whose parameters are averaged; buffers are copied.
        decay: the final decay per step.
    """

    def __init__(self, network: nn.Module, *, decay: float) -> None:
        def average(averaged: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
            steps = int(count)
            torch._foreach_lerp_(list(averaged), list(current), 1.0 - min(decay, (1.0 + steps) / (10.0 + steps)))

        super().__init__(network, multi_avg_fn=average)

    @torch.no_grad()
    def follow(self, network: nn.Module) -> None:
        """Take the weights of ``network`` as they are: what stands for the average before averaging begins."""
        torch._foreach_copy_(list(self.module.parameters()), list(network.parameters()))
