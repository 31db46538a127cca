"""Compiling a network: fewer passes over memory and fewer launches, for minutes of waiting the first time."""

from torch import nn


def compile_network(network: nn.Module) -> None:
    """Compile ``network`` in place, for batches, lengths and sizes of any kind.

    Batch, frames and size are left open, so that other ones compile nothing again. Two exceptions, each compiled once
    when it first comes: a single sample, and on a CPU fewer than 16 frames in a batch, which PyTorch convolves by a
    path of their own.

    On a GPU the launches of an evaluation are recorded as a CUDA graph besides, one for each batch that occurs.
    PyTorch warms up and captures on a stream of its own, copies the inputs to where the graph reads them, and hands out
    memory that the next evaluation writes again: what is kept of an output must be made of it before, as every step of
    a sampler does. Noise is drawn and the sampler steps outside of the graph.
    """
    on_gpu = all(parameter.is_cuda for parameter in network.parameters())
    network.compile(mode="reduce-overhead" if on_gpu else "default", dynamic=True)
