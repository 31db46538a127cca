"""Spatially correlated noise: its amplitude at each scale.

The brightness of a whole frame is one number among thousands. White noise perturbs it so little that a diffusion
determines it at the very highest noise levels, and a network learns it last, since it hardly counts in the loss:
members then agree on a brightness that is uncertain. Noise correlated between neighbours, as between frames of a video
in Ge et al. 2023 (arXiv 2305.10474), treats all scales equally. Samplers need no change: their arithmetic is linear and
independent of the covariance.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def coloured(noise: Float[Tensor, "batch channel time height width"], slope: float) -> Tensor:
    """Return noise of variance 1 whose standard deviation at scale s, 1, 2, 4, … pixels, falls as ``s ** -slope``.

    Slope 1 is white noise as it is; slope 0 varies as much over whole frames as from pixel to pixel. The means m(s)
    of white noise over squares of s×s pixels fall as 1/s, and the differences of neighbouring scales, m(s) - m(2s),
    are independent of each other. Each is brought to the size it should have:

        x = Σ s^(1 - slope) (m(s) - m(2s)),    s = 1, 2, 4, …,    and at last the mean over all frames.

    The variance is 1 for square frames whose side is a power of two, and slightly less where squares leave a border.
    """
    if slope == 1:
        return noise
    frames, power = noise.shape[2], 1 - slope
    total, side, variance = noise, 1, 0.0
    while 2 * side <= min(noise.shape[-2:]):
        variance += 0.75 * side ** (-2 * slope)
        side *= 2
        total = total + (side**power - (side / 2) ** power) * _spread_means(noise, side)
    # m(side) of all frames falls by another √frames, as if the scale had grown by so much.
    everywhere = noise.mean(dim=(2, 3, 4), keepdim=True)
    last = (side * frames**0.5) ** power
    total = total + (last - side**power) * everywhere
    variance += side ** (-2 * slope) * (1 - 1 / frames) + (side * frames**0.5) ** (-2 * slope)
    return total / variance**0.5


_PERSISTENCE = 0.7
"""Correlation of a smooth field with that of the frame before."""


def smooth_fields(white: Float[Tensor, "batch scale time height width"]) -> Tensor:
    """Return Gaussian fields of variance 1 with one length scale each: 2, 4, 8, … pixels, the k-th 2^(k + 1).

    Field k is white noise whose spectrum is multiplied by exp(-(π l f)²), f in cycles per pixel, so that pixels at a
    distance r are correlated as exp(-r² / (2 l²)); it is periodic. In time each is autoregressive of first order:
    n_t = ρ n_(t-1) + sqrt(1 - ρ²) w_t with ρ = 0.7. So is the noise of FourCastNet 3 (Bonev et al. 2025,
    arXiv 2507.12144). Each batch element is computed by itself, so that its numbers do not depend on the others.
    """
    count, height, width = white.shape[1], *white.shape[-2:]
    rows, columns = torch.fft.fftfreq(height, device=white.device), torch.fft.rfftfreq(width, device=white.device)
    squared = rows[:, None].square() + columns.square()
    length = 2.0 ** torch.arange(1, count + 1, device=white.device)
    gain = torch.exp(-((math.pi * length[:, None, None]) ** 2) * squared)
    whole = torch.cat([gain, gain[..., 1 : (width + 1) // 2]], dim=-1)  # each coefficient of the full spectrum once
    gain = (gain / whole.square().mean(dim=(-2, -1), keepdim=True).sqrt())[:, None]
    smooth = torch.stack([torch.fft.irfft2(torch.fft.rfft2(own) * gain, s=(height, width)) for own in white.float()])
    return _autoregressive(smooth)


def smooth_fields_by_matrices(
    white: Float[Tensor, "batch scale time height width"],
    rows: Float[Tensor, "scale height height"],
    columns: Float[Tensor, "scale width width"],
) -> Tensor:
    """Return `smooth_fields` of ``white`` by matrix products, for graphs without Fourier transforms.

    The spectral factor is a product over the two axes, so that each field is ``rows @ white @ columns.T`` with the
    matrices of `smoothing` for height and width.
    """
    return _autoregressive(rows[:, None] @ white.float() @ columns[:, None].transpose(-1, -2))


def smoothing(scales: int, size: int) -> Float[Tensor, "scale size size"]:
    """Return the periodic convolutions of `smooth_fields` along an axis of ``size`` pixels, one for each scale."""
    places, length = torch.arange(size), 2.0 ** torch.arange(1, scales + 1, dtype=torch.float64)
    frequencies = torch.fft.fftfreq(size, dtype=torch.float64)
    gain = torch.exp(-((math.pi * length[:, None] * frequencies) ** 2))
    gain = gain / gain.square().mean(dim=-1, keepdim=True).sqrt()
    response = gain @ torch.cos(2 * math.pi * frequencies[:, None] * places) / size
    return response[:, (places[:, None] - places) % size].float()


def _autoregressive(smooth: Tensor) -> Tensor:
    """Return fields of which each frame is correlated with the one before."""
    frames = [smooth[:, :, 0]]
    for fresh in smooth[:, :, 1:].unbind(dim=2):
        frames.append(_PERSISTENCE * frames[-1] + math.sqrt(1 - _PERSISTENCE**2) * fresh)
    return torch.stack(frames, dim=2)


def _spread_means(noise: Tensor, side: int) -> Tensor:
    """Return the mean over every square of ``side`` pixels at each of them; 0 where no whole square fits."""
    means = functional.avg_pool3d(noise, (1, side, side))
    wide = means.repeat_interleave(side, dim=3).repeat_interleave(side, dim=4)
    return functional.pad(wide, (0, noise.shape[-1] - wide.shape[-1], 0, noise.shape[-2] - wide.shape[-2]))
