"""Fused operators of the networks, with fewer passes over memory than the formulas.

On a CPU a layer of few channels is bound by memory rather than by arithmetic: every operator that only adds a bias,
applies a function or adds a residual reads and writes the whole video once more. In float32 oneDNN adds bias and
residual while a matrix product is still in its registers, and a norm with its modulation is two sums and one
affine map; gradients are written out likewise. Everywhere else (bf16, GPUs, compilers, other processors) the
functions are compositions of PyTorch's own operators.
"""

import platform
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

_X86 = platform.machine().lower() in ("x86_64", "amd64")
# Not a public name: later versions may rename it.
_FUSED = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def exact(x: Tensor) -> bool:
    """Whether ``x`` is computed as it is, in float32 or float64 on a CPU, with neither autocast nor a compiler."""
    return (
        x.is_cpu
        and x.dtype in (torch.float32, torch.float64)
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )


def fuses(x: Tensor) -> bool:
    """Whether oneDNN's fused float32 operators take ``x``."""
    return _X86 and _FUSED and exact(x) and x.dtype == torch.float32 and torch.backends.mkldnn.is_available()


def linear(
    x: Float[Tensor, "*shape i"], layer: nn.Linear, other: Float[Tensor, "*shape o"] | None = None
) -> Float[Tensor, "*shape o"]:
    """Return ``layer(x)``, plus ``other`` where it is given."""
    if not fuses(x):
        result: Tensor = layer(x)
        return result if other is None else other + result
    return affine(x, layer.weight, layer.bias, other)


def linear_silu(x: Float[Tensor, "*shape i"], layer: nn.Linear) -> Float[Tensor, "*shape o"]:
    """Return ``SiLU(layer(x))``."""
    if fuses(x) and not torch.is_grad_enabled():
        return _map(x, layer.weight, layer.bias, follows="swish")
    return functional.silu(linear(x, layer))


def affine(x: Tensor, weight: Tensor, bias: Tensor | None, other: Tensor | None = None) -> Tensor:
    """Return x·weightᵀ + bias + other, for an ``x`` that `fuses`."""
    if torch.is_grad_enabled():
        return _Affine.apply(x, weight, bias, other)
    return _map(x, weight, bias, other)


def _map(x: Tensor, weight: Tensor, bias: Tensor | None, other: Tensor | None = None, follows: str = "none") -> Tensor:
    """Return x·weightᵀ + bias + other and what ``follows`` it, in oneDNN's words: "none" or "swish", which is SiLU."""
    operator = torch.ops.mkldnn._linear_pointwise
    if other is None:
        result: Tensor = operator(x, weight, bias, follows, [], "")
    else:
        result = operator.binary(x, other, weight, bias, "add")
    return result


class _Affine(torch.autograd.Function):
    """`affine`, in training."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, other: Tensor | None) -> Tensor:
        """Map."""
        ctx.save_for_backward(x, weight)
        return _map(x, weight, bias, other)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of the four arguments."""
        x, weight = ctx.saved_tensors
        wanted, gradient = ctx.needs_input_grad, gradient.contiguous()
        rows = gradient.flatten(0, -2)
        of_x = _map(gradient, weight.t().contiguous(), None) if wanted[0] else None
        of_weight = rows.t() @ x.reshape(-1, x.shape[-1]) if wanted[1] else None
        return of_x, of_weight, rows.sum(dim=0) if wanted[2] else None, gradient if wanted[3] else None


_FAR = 64.0
"""Squares of a sample's mean over its variance above which the mean is subtracted before anything is squared."""

Video = Float[Tensor, "batch time height width channel"]
PerChannel = Float[Tensor, "#batch 1 1 1 channel"]


def norm(x: Video, weight: PerChannel, bias: PerChannel, *, eps: float) -> Video:
    """Return (x - mean)/sqrt(variance + eps)·weight + bias, mean and variance over everything in a sample.

    Every sum runs over whole rows of a sample, so that it is the same in whatever batch and on however many threads.
    """
    if torch.is_grad_enabled():
        return _Norm.apply(x, weight, bias, eps)
    return _normalise(x, weight, bias, eps)[0]


def _normalise(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return the result, the mean and 1/sqrt(variance + eps) of every sample."""
    values, rows = x[0].numel(), x.flatten(3)
    mean = _per_sample(rows.sum(dim=3)) / values
    variance = _per_sample(torch.linalg.vector_norm(rows, dim=3).square()) / values - mean.square()
    far = mean.square() > _FAR * variance
    if far.any():
        variance = torch.where(far, _per_sample((x - mean).square().flatten(3).sum(dim=3)) / values, variance)
    scale = (variance + eps).rsqrt()
    return torch.addcmul(torch.addcmul(bias, mean * scale, weight, value=-1), x, weight * scale), mean, scale


def _per_sample(sums: Float[Tensor, "batch time height"]) -> Float[Tensor, "batch 1 1 1 1"]:
    return sums.flatten(1).sum(dim=1)[:, None, None, None, None]


class _Norm(torch.autograd.Function):
    """`norm`, in training: x is kept, and the normalised video is not."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
        """Normalise."""
        result, mean, scale = _normalise(x, weight, bias, eps)
        ctx.save_for_backward(x, weight, mean, scale)
        ctx.bias_shape = bias.shape
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of ``x``, ``weight`` and ``bias``.

        With x̂ the normalised video, s its scale, w the weight and ⟨·⟩ the mean over a sample, that of x is
        s·(w·g - ⟨w·g⟩ - x̂·⟨w·g·x̂⟩); both means come of sums over pixels, one value per channel.
        """
        x, weight, mean, scale = ctx.saved_tensors
        gradient = gradient.contiguous()
        product = gradient * x
        of_bias = gradient.flatten(1, 3).sum(dim=1)[:, None, None, None]
        of_weight = scale * (product.flatten(1, 3).sum(dim=1)[:, None, None, None] - mean * of_bias)
        along = scale**2 * (weight * of_weight).sum(dim=4, keepdim=True) / x[0].numel()
        constant = mean * along - scale * (weight * of_bias).sum(dim=4, keepdim=True) / x[0].numel()
        of_x = torch.addcmul(constant, gradient, scale * weight, out=product).addcmul_(x, along, value=-1)
        return of_x, of_weight.sum_to_size(weight.shape), of_bias.sum_to_size(ctx.bias_shape), None


Image = Float[Tensor, "batch _ time pixels"]
"""A video as one channels-last image per sample, ``[B, C, T, H·W]``."""


def temporal_convolution(x: Image, weight: Float[Tensor, "o i 3 1"]) -> Image:
    """Return the convolution of ``x`` over time, zeros before the first and after the last frame.

    oneDNN finds the gradient of such a weight at a tenth to a half of the rate of a matrix product, which it is: in
    float32 on a CPU it is taken as three of them.
    """
    trained = torch.is_grad_enabled() and weight.requires_grad
    if trained and exact(x):
        return _TemporalConvolution.apply(x, weight)
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
