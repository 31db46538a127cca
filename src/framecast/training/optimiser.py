"""AdamW without decay on norms and biases, and the learning rate at each step."""

import math
from collections.abc import Mapping

import torch
from torch import nn

from framecast.core.errors import ConfigError
from framecast.training.options import TrainingOptions


def build_optimiser(network: nn.Module, options: TrainingOptions) -> torch.optim.AdamW:
    """Return AdamW over the parameters of ``network``.

    Weight decay acts on matrices and convolution kernels only, not on the gain of a norm or on biases
    (Loshchilov & Hutter 2019, arXiv 1711.05101, for the decoupled decay). On a GPU a step is one fused kernel. Each
    group has the ``factor`` of its learning rate; parameters of factor 0 are left out and need no gradient.

    Raises:
        ConfigError: ``options.rates`` names a part that the network does not have, or freezes all of it.
    """
    groups = []
    for factor, members in _by_rate(network, options.rates).items():
        for parameter in members if not factor else ():
            parameter.requires_grad_(False)
        decayed = [p for p in members if p.requires_grad and p.ndim > 1]
        free = [p for p in members if p.requires_grad and p.ndim <= 1]
        groups += [{"params": decayed, "weight_decay": options.weight_decay, "factor": factor}]
        groups += [{"params": free, "weight_decay": 0.0, "factor": factor}]
    on_gpu = all(parameter.is_cuda for parameter in network.parameters())
    return torch.optim.AdamW(groups, lr=options.learning_rate, fused=on_gpu or None)


def _by_rate(network: nn.Module, rates: Mapping[str, float]) -> dict[float, list[nn.Parameter]]:
    """Return the parameters by the factor on their learning rate, that of the longest name in ``rates`` that fits."""
    found: dict[float, list[nn.Parameter]] = {}
    used: set[str] = set()
    for name, parameter in network.named_parameters():
        fitting = [part for part in rates if name == part or name.startswith(f"{part}.")]
        used.update(fitting)
        found.setdefault(rates[max(fitting, key=len)] if fitting else 1.0, []).append(parameter)
    if unknown := sorted(set(rates) - used):
        parts = ", ".join(dict.fromkeys(name.partition(".")[0] for name, _ in network.named_parameters()))
        raise ConfigError(f"training.rates names {', '.join(unknown)}; the network has the parts {parts}")
    if set(found) == {0.0}:
        raise ConfigError("training.rates is 0 for the whole network: nothing would be trained")
    return found


def learning_rate(step: int, options: TrainingOptions) -> float:
    """Return the learning rate of optimizer step ``step`` (the first is 0)."""
    rate = options.learning_rate * min(1.0, (step + 1) / max(1, options.warmup))
    if options.decay == "cosine" and step >= options.warmup:
        done = (step - options.warmup) / max(1, options.last_step - options.warmup)
        rate *= 0.5 * (1.0 + math.cos(math.pi * done))
    return rate
