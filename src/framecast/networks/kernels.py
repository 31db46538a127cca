"""Operators of the networks that pass over memory less often than the formula they stand for.

On a CPU a layer of few channels is bound by memory rather than by arithmetic: every operator that only adds a bias,
applies a function or adds a residual reads and writes the whole video once more. In inference in float32 oneDNN does
these things while a matrix product is still in its registers. Everywhere else (training, bf16, GPUs, compilers, other
processors) the functions are what their first lines say, written with PyTorch's own operators.
"""

import platform

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

_X86 = platform.machine().lower() in ("x86_64", "amd64")


def fuses(x: Tensor) -> bool:
    """Whether oneDNN's fused float32 operators take ``x``: inference in float32 on an x86 processor, not compiled."""
    return (
        _X86
        and x.is_cpu
        and x.dtype == torch.float32
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and torch.backends.mkldnn.is_available()
        and not torch.compiler.is_compiling()
    )


def linear(x: Float[Tensor, "*shape i"], layer: nn.Linear) -> Float[Tensor, "*shape o"]:
    """Return ``layer(x)``."""
    if not fuses(x):
        return layer(x)
    return torch.ops.mkldnn._linear_pointwise(x, layer.weight, layer.bias, "none", [], "")


def linear_silu(x: Float[Tensor, "*shape i"], layer: nn.Linear) -> Float[Tensor, "*shape o"]:
    """Return ``SiLU(layer(x))``."""
    if not fuses(x):
        return functional.silu(layer(x))
    return torch.ops.mkldnn._linear_pointwise(x, layer.weight, layer.bias, "swish", [], "")


def linear_add(
    x: Float[Tensor, "*shape i"], layer: nn.Linear, other: Float[Tensor, "*shape o"]
) -> Float[Tensor, "*shape o"]:
    """Return ``other + layer(x)``."""
    if not fuses(x):
        return other + layer(x)
    return torch.ops.mkldnn._linear_pointwise.binary(x, other, layer.weight, layer.bias, "add")
