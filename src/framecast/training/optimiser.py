"""AdamW without decay on norms and biases, and the learning rate at each step."""

import math

import torch
from torch import nn

from framecast.training.options import TrainingOptions


def build_optimiser(network: nn.Module, options: TrainingOptions) -> torch.optim.AdamW:
    """Return AdamW over the parameters of ``network``.

    Weight decay pulls on matrices and convolution kernels only: a norm's gain or a bias has no scale to shrink
    (Loshchilov & Hutter 2019, arXiv 1711.05101, for the decoupled decay). On a GPU a step is one fused kernel.
    """
    decayed = [p for p in network.parameters() if p.requires_grad and p.ndim > 1]
    free = [p for p in network.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": options.weight_decay}, {"params": free, "weight_decay": 0.0}]
    on_gpu = all(parameter.is_cuda for parameter in network.parameters())
    return torch.optim.AdamW(groups, lr=options.learning_rate, fused=on_gpu or None)


def learning_rate(step: int, options: TrainingOptions) -> float:
    """Return the learning rate of optimizer step ``step`` (the first is 0)."""
    rate = options.learning_rate * min(1.0, (step + 1) / max(1, options.warmup))
    if options.decay == "cosine" and step >= options.warmup:
        done = (step - options.warmup) / max(1, options.last_step - options.warmup)
        rate *= 0.5 * (1.0 + math.cos(math.pi * done))
    return rate
