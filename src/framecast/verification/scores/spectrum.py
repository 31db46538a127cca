"""The radially averaged power spectrum of an image."""

import torch
from jaxtyping import Float
from torch import Tensor

from framecast.verification.scores.pieces import pieces


def power_spectrum(image: Float[Tensor, "*shape height width"]) -> Float[Tensor, "*shape wavenumber"]:
    """Return the mean power over rings of equal wavenumber, in the unit of the image squared.

    The mean is subtracted and a Hann window applied, since the image is not periodic. Ring k contains the waves of k
    cycles per shorter side, k = 1 … shorter side // 2; the longer side of a frame that is not square is measured in the
    same cycles per pixel. A blurred forecast lacks power at large k, a noisy one has too much.

    Args:
        image: any unit. An image with NaN has a spectrum of NaN: it is left out, not filled.
    """
    height, width = image.shape[-2:]
    rings = min(height, width) // 2
    rows, columns = (
        torch.hann_window(n, periodic=False, dtype=image.dtype, device=image.device) for n in (height, width)
    )
    window = rows[:, None] * columns
    frequency = torch.hypot(
        torch.fft.fftfreq(height, device=image.device)[:, None], torch.fft.fftfreq(width, device=image.device)
    )
    ring = torch.round(frequency * min(height, width)).long().flatten()
    planes = image.reshape(-1, height, width)
    found = [_rings(planes[own], window, ring) for own in pieces(len(planes), height * width)]
    return torch.cat(found)[:, 1 : rings + 1].reshape(*image.shape[:-2], rings)


def _rings(image: Tensor, window: Tensor, ring: Tensor) -> Tensor:
    """Return the mean power of each ring of images ``[image, height, width]``."""
    centred = (image - image.mean(dim=(-2, -1), keepdim=True)) * window / window.square().mean().sqrt()
    wave = torch.fft.fft2(centred, norm="ortho")
    power = wave.real.square() + wave.imag.square()
    total = power.new_zeros(len(power), int(ring.max()) + 1).index_add_(-1, ring, power.flatten(-2))
    return total / torch.bincount(ring)
