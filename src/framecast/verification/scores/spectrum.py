"""How much structure an image has at each scale: the radially averaged power spectrum."""

import torch
from jaxtyping import Float
from torch import Tensor


def power_spectrum(image: Float[Tensor, "*shape height width"]) -> Float[Tensor, "*shape wavenumber"]:
    """Return the mean power over rings of equal wavenumber, in the unit of the image squared.

    The mean is taken off and a Hann window applied, for the edges of a cut-out image do not meet. Ring k holds the
    waves of k cycles per shorter side, k = 1 … shorter side // 2; the longer side of a frame that is not square is
    measured in the same cycles per pixel. A blurred forecast lacks power at large k, a noisy one has too much.

    Args:
        image: any unit. An image that holds NaN has a spectrum of NaN: it is left out, not filled.
    """
    height, width = image.shape[-2:]
    rings = min(height, width) // 2
    rows, columns = (
        torch.hann_window(n, periodic=False, dtype=image.dtype, device=image.device) for n in (height, width)
    )
    window = rows[:, None] * columns
    centred = (image - image.mean(dim=(-2, -1), keepdim=True)) * window / window.square().mean().sqrt()
    wave = torch.fft.fft2(centred, norm="ortho")
    power = wave.real.square() + wave.imag.square()
    frequency = torch.hypot(
        torch.fft.fftfreq(height, device=image.device)[:, None], torch.fft.fftfreq(width, device=image.device)
    )
    ring = torch.round(frequency * min(height, width)).long().flatten()
    total = power.new_zeros(*power.shape[:-2], int(ring.max()) + 1).index_add_(-1, ring, power.flatten(-2))
    return (total / torch.bincount(ring))[..., 1 : rings + 1]
