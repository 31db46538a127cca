"""Compiling a network: fewer passes over memory and fewer launches, after minutes of compilation."""

import torch
from torch import Tensor, nn


def compile_network(network: nn.Module) -> None:
    """Compile ``network`` in place, for batches of any number.

    The batch size is dynamic, so that another one needs no compilation; a single sample, another size or another number
    of frames does: with those dynamic too, the compiler of PyTorch fails on the backward pass (pytorch/pytorch
    185510).

    On a GPU the launches of an evaluation are recorded as a CUDA graph besides, one for each batch that occurs. The
    next evaluation writes into the same memory: what is kept of an output must be made of it before, as every step of
    a sampler does.
    """
    on_gpu = all(parameter.is_cuda for parameter in network.parameters())
    compiled = torch.compile(network.forward, mode="reduce-overhead" if on_gpu else "default", dynamic=False)

    def forward(*inputs: Tensor | None) -> Tensor:
        for tensor in inputs:
            if tensor is not None and len(tensor) > 1:
                torch._dynamo.mark_dynamic(tensor, 0)
        return compiled(*inputs)

    network.forward = forward
