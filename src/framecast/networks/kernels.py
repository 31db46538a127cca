"""Operators of the networks that pass over memory less often than the formula they stand for.

On a CPU a layer of few channels is bound by memory rather than by arithmetic: every operator that only adds a bias,
applies a function or adds a residual reads and writes the whole video once more. In inference in float32 oneDNN does
these things while a matrix product is still in its registers. Everywhere else (training, bf16, GPUs, compilers, other
processors) the functions are what their first lines say, written with PyTorch's own operators.
"""

import platform
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

_X86 = platform.machine().lower() in ("x86_64", "amd64")
# Not a public name: later versions may call it otherwise.
_FUSED = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def fuses(x: Tensor) -> bool:
    """Whether oneDNN's fused float32 operators take ``x``: inference in float32 on an x86 processor, not compiled."""
    return (
        _X86
        and _FUSED
        and x.is_cpu
        and x.dtype == torch.float32
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )


def linear(x: Float[Tensor, "*shape i"], layer: nn.Linear) -> Float[Tensor, "*shape o"]:
    """Return ``layer(x)``."""
    result: Tensor = _fused(x, layer, "none") if fuses(x) else layer(x)
    return result


def linear_silu(x: Float[Tensor, "*shape i"], layer: nn.Linear) -> Float[Tensor, "*shape o"]:
    """Return ``SiLU(layer(x))``."""
    return _fused(x, layer, "swish") if fuses(x) else functional.silu(layer(x))


def linear_add(
    x: Float[Tensor, "*shape i"], layer: nn.Linear, other: Float[Tensor, "*shape o"]
) -> Float[Tensor, "*shape o"]:
    """Return ``other + layer(x)``."""
    if not fuses(x):
        return other + layer(x)
    result: Tensor = torch.ops.mkldnn._linear_pointwise.binary(x, other, layer.weight, layer.bias, "add")
    return result


def _fused(x: Tensor, layer: nn.Linear, follows: str) -> Tensor:
    """Return the map of ``x`` and what ``follows`` it, in oneDNN's words: "none" or "swish", which is SiLU."""
    result: Tensor = torch.ops.mkldnn._linear_pointwise(x, layer.weight, layer.bias, follows, [], "")
    return result


Image = Float[Tensor, "batch _ time pixels"]
"""A video as one channels-last image per sample, ``[B, C, T, H·W]``."""


def temporal_convolution(x: Image, weight: Float[Tensor, "o i 3 1"]) -> Image:
    """Return the convolution of ``x`` over time, zeros before the first and after the last frame.

    oneDNN finds the gradient of such a weight at a tenth to a half of the rate of a matrix product, which it is: in
    float32 on a CPU it is taken as three of them.
    """
    trained = torch.is_grad_enabled() and weight.requires_grad and not torch.compiler.is_compiling()
    if trained and x.is_cpu and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu"):
        result: Tensor = _TemporalConvolution.apply(x, weight)
        return result
    return functional.conv2d(x, weight, padding=(1, 0))


class _TemporalConvolution(torch.autograd.Function):
    """`temporal_convolution` with the gradient of its weight as Σ gᵀx over all pixels, x moved by a frame or not."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        """Convolve."""
        ctx.save_for_backward(x, weight)
        return functional.conv2d(x, weight, padding=(1, 0))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return the gradients of ``x`` and of ``weight``."""
        x, weight = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        of_x = of_weight = None
        if ctx.needs_input_grad[0]:
            arguments = [1, 1], [1, 0], [1, 1], False, [0, 0], 1, [True, False, False]
            of_x = torch.ops.aten.convolution_backward(gradient, x, weight, None, *arguments)[0]
        if ctx.needs_input_grad[1]:
            g, seen = gradient.permute(0, 2, 3, 1), x.permute(0, 2, 3, 1)
            pairs = (g[:, 1:], seen[:, :-1]), (g, seen), (g[:, :-1], seen[:, 1:])
            taps = [torch.bmm(a.flatten(1, 2).transpose(1, 2), b.flatten(1, 2)).sum(dim=0) for a, b in pairs]
            of_weight = torch.stack(taps, dim=2)[..., None]
        return of_x, of_weight
