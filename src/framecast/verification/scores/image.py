"""Scores of whole images: similarity (PSNR, SSIM and its version over several scales), power spectrum, variogram.

Similarities were designed for photographs, and need the relevant range of values (``data_range``): it is not derived
from the images, or the score of a faint frame would depend on its maximum. They measure how similar single images look,
not whether an ensemble is well calibrated: a blurred mean often has the best PSNR.

Frames are compared where both are known. A window with an unknown pixel is left out, and windows end at the
border: nothing is padded.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d

from framecast.verification.scores.sorting import pieces

_WINDOW, _SIGMA = 11, 1.5
_K1, _K2 = 0.01, 0.03
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def similarities(
    forecast: Float[Tensor, "*shape height width"], truth: Float[Tensor, "*shape height width"], *, data_range: float
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """Return the structural similarity, SSIM, and that over several scales, MS-SSIM; both are 1 for the same image.

    SSIM, -1 to 1, is the mean over Gaussian windows (σ 1.5, 11×11 pixels; smaller for a frame that is smaller) of the
    similarity of brightness, contrast and structure. For MS-SSIM, 0 to 1, the image is halved up to four times, as long
    as a window of 11 pixels fits (`scales`); the weights of the scales that remain are those of the paper, divided by
    their sum. Negative similarities count as 0.

    Args:
        forecast: images, any unit; NaN is unknown, and so is a pixel of which a part is at a coarser scale.
        truth: observations, same unit.
        data_range: range of the relevant values, in that unit.

    Returns:
        NaN without a fully known window.

    References:
        Wang, Bovik, Sheikh & Simoncelli (2004), "Image quality assessment", IEEE Trans. Image Process. 13, eq. 13;
        Wang, Simoncelli & Bovik (2003), "Multiscale structural similarity for image quality assessment", Asilomar
        Conf. Signals Syst. Comput., eq. 7.
    """
    shape, size = forecast.shape[:-2], forecast.shape[-2:]
    planes = forecast.reshape(-1, *size), truth.reshape(-1, *size)
    each = 8 * size.numel()  # six maps of an image, and what they are filtered into
    found = [_similarities(planes[0][own], planes[1][own], data_range) for own in pieces(len(planes[0]), each)]
    ssims, others = (torch.cat(kind).reshape(shape) for kind in zip(*found, strict=True))
    return ssims, others


def _similarities(forecast: Tensor, truth: Tensor, data_range: float) -> tuple[Tensor, Tensor]:
    levels = scales(*forecast.shape[-2:])
    found = []
    for _ in range(levels):
        found.append(_similarity(forecast, truth, data_range))
        forecast, truth = _halved(forecast), _halved(truth)
    parts = [*(contrast for _, contrast in found[:-1]), found[-1][0]]
    weights = [weight / sum(_WEIGHTS[:levels]) for weight in _WEIGHTS[:levels]]
    powers = [part.clamp(min=0.0) ** weight for part, weight in zip(parts, weights, strict=True)]
    return found[0][0], torch.stack(powers).prod(dim=0)


def scales(height: int, width: int) -> int:
    """Return over how many scales frames of this size are compared: 5 from 176 pixels on, 1 below 22."""
    return next((k for k in range(len(_WEIGHTS), 1, -1) if min(height, width) >> (k - 1) >= _WINDOW), 1)


def _similarity(forecast: Tensor, truth: Tensor, data_range: float) -> tuple[Tensor, Tensor]:
    """Return the mean SSIM over the known windows, and the same without brightness."""
    known = ~torch.isnan(forecast + truth)
    x, y = (torch.where(known, image, 0.0) for image in (forecast, truth))
    window = _window(x)
    maps = torch.stack([x, y, x * x, y * y, x * y, (~known).to(x.dtype)])
    mean_x, mean_y, xx, yy, xy, unknown = _filtered(maps, window)
    whole = unknown < 1e-6
    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2
    variance = xx + yy - mean_x.square() - mean_y.square()
    brightness = (2 * mean_x * mean_y + c1) / (mean_x.square() + mean_y.square() + c1)
    contrast = (2 * (xy - mean_x * mean_y) + c2) / (variance + c2)
    return _mean(brightness * contrast, whole), _mean(contrast, whole)


def _window(image: Tensor) -> Tensor:
    size = min(_WINDOW, *((side - 1) // 2 * 2 + 1 for side in image.shape[-2:]))
    place = torch.arange(size, dtype=image.dtype, device=image.device) - size // 2
    weight = torch.exp(-0.5 * (place / _SIGMA) ** 2)
    return weight / weight.sum()


def _filtered(image: Tensor, window: Tensor) -> Tensor:
    """Return weighted means over the windows that lie within the image."""
    planes = image.reshape(-1, 1, *image.shape[-2:])
    planes = conv2d(conv2d(planes, window[None, None, :, None]), window[None, None, None])
    return planes.reshape(*image.shape[:-2], *planes.shape[-2:])


def _halved(image: Tensor) -> Tensor:
    planes = avg_pool2d(image.reshape(-1, 1, *image.shape[-2:]), 2)
    return planes.reshape(*image.shape[:-2], *planes.shape[-2:])


def _mean(values: Tensor, known: Tensor) -> Tensor:
    total, count = torch.where(known, values, 0.0).sum((-2, -1)), known.sum((-2, -1))
    return torch.where(count > 0, total / count, torch.nan)


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


def variogram_score(
    forecast: Float[Tensor, " member *shape height width"],
    truth: Float[Tensor, " *shape height width"],
    *,
    power: float = 0.5,
    lags: Sequence[int] = (1, 2, 4, 8),
) -> Float[Tensor, "*shape"]:
    r"""Return the variogram score of order ``power`` of each frame; lower is better.

    .. math:: \operatorname{mean}_{i,j} \Big(|y_i - y_j|^p - \tfrac1M \sum_m |x_{m,i} - x_{m,j}|^p\Big)^2

    over the pairs of pixels that lie ``lags`` apart along a row or a column, with equal weights.

    Args:
        forecast: members, any unit; NaN members are absent.
        truth: observations, same unit.
        power: p.
        lags: pixels; those that do not fit into the frame are left out.

    Returns:
        In the unit of the forecast to the power 2p; NaN where no pair is known.

    References:
        Scheuerer & Hamill (2015), "Variogram-based proper scoring rules for probabilistic forecasts of multivariate
        quantities", Mon. Weather Rev. 143, eq. 9.
    """
    size = truth.shape[-2:]
    frames, came = forecast.reshape(len(forecast), -1, *size), truth.reshape(-1, *size)
    each = len(forecast) * size.numel()
    found = [_variogram(frames[:, own], came[own], power, lags) for own in pieces(len(came), each)]
    return torch.cat(found).reshape(truth.shape[:-2])


def _variogram(forecast: Tensor, truth: Tensor, power: float, lags: Sequence[int]) -> Tensor:
    total, count = truth.new_zeros(truth.shape[:-2]), truth.new_zeros(truth.shape[:-2])
    for lag in lags:
        for dim in (-2, -1):
            if truth.shape[dim] <= lag:
                continue
            expected = _differences(forecast, lag, dim, power).nanmean(0)
            squared = (_differences(truth, lag, dim, power) - expected).square()
            known = ~torch.isnan(squared)
            total += torch.where(known, squared, 0.0).sum((-2, -1))
            count += known.sum((-2, -1))
    return torch.where(count > 0, total / count.clamp(min=1), torch.nan)


def _differences(image: Tensor, lag: int, dim: int, power: float) -> Tensor:
    size = image.shape[dim] - lag
    return (image.narrow(dim, lag, size) - image.narrow(dim, 0, size)).abs() ** power
