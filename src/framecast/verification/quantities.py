r"""The catalogue of derived quantities: numbers relevant to decisions, computed for each member of an ensemble.

A quantity is a function of one video, so that the members give a forecast interval. Those of the
catalogue are made from the total of a frame (the sum over its pixels) and from single pixels. With F frames at the lead
times :math:`t_1, \ldots, t_F` and :math:`t_0 = 0`:

- total: the sum over the pixels of each frame, as in the reference; where the positions of the pixels have a unit of
  length or angle, times the area of a pixel, an integral independent of the pixel size;
- peak, the largest total, and time of peak, its lead time, the first of several equal maxima;
- integral, :math:`\sum_k (t_k - t_{k-1})` total, in the unit of the total times hours;
- mean and maximum pixel; area and volume above a threshold.

Where a sum over pixels has no meaning, as for temperatures, the mean over the area replaces the total; on latitude
grids pixels are weighted by their area.

To add one, write a function of a video and its entry in `QUANTITIES`, or pass your own `Quantity` to `evaluate`. Their
names for a kind of data are in its domain (`framecast.core.domain.Domain.labels`).

References:
    Francisco et al. (2024), "Generative simulations of the solar corona evolution with denoising diffusion", arXiv
    2410.20843 (peak, time of peak and integral, there MPF, T2PF and fluence).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
import xarray as xr
from torch import Tensor

from framecast.core.domain import Domain
from framecast.videos.directions import pixel_area

Cadence = float | Tensor
"""Seconds between two frames; where they are uneven, to each frame from the one before, ``[time]``, the first from the
issue time."""


def spacing(lead_times: Sequence[float]) -> Cadence:
    """Return the cadence of frames at ``lead_times`` (seconds): one number where they are even."""
    steps = [after - before for before, after in pairwise((0.0, *lead_times))]
    return steps[0] if max(steps) - min(steps) <= 1e-6 * max(steps) else torch.tensor(steps, dtype=torch.float64)


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """One entry of the catalogue.

    Attributes:
        name: the key in ``scores.json``, a Python identifier.
        label: its name in charts and tables.
        function: from videos ``[..., time, height, width]``, NaN where a pixel is not scored, and the cadence
            (`Cadence`), to values ``[...]``, or ``[..., time]`` for a quantity of each frame. Members without a value
            at a scored pixel are handled by `measure`.
        unit: its unit, where ``{unit}`` stands for that of the images.
        by_lead: whether the values are one for each frame.
        relative: whether errors and widths are given relative to the truth, and recalibrated in units of the
            ensemble's spread; false for times.
        headline: whether tables, charts and verdicts show it.
        by_area: whether it is linear in means over the area, so that pixels are weighted by theirs.
        summed: whether it is a sum over pixels, which becomes an integral if the area of a pixel is known.
    """

    name: str
    label: str
    function: Callable[[Tensor, Any], Tensor]
    unit: str = "{unit}"
    by_lead: bool = False
    relative: bool = True
    headline: bool = False
    by_area: bool = False
    summed: bool = False


def total(video: Tensor, cadence: Cadence = 0.0) -> Tensor:
    """Return the sum over the pixels of each frame of ``[..., height, width]``; NaN for a frame without any."""
    known = ~torch.isnan(video)
    # Double precision inside: 128² float32 pixels lose four digits otherwise.
    values = torch.where(known, video, 0.0).sum(dim=(-2, -1), dtype=torch.float64)
    return torch.where(known.flatten(-2).any(-1), values, torch.nan).to(video.dtype)


def peak(video: Tensor, cadence: Cadence = 0.0) -> Tensor:
    """Return the largest total over the frames of ``[..., time, height, width]``; NaN if one frame's is."""
    return total(video).amax(dim=-1)


def time_of_peak(video: Tensor, cadence: Cadence) -> Tensor:
    """Return the hours from the issue time to the largest total; the first of equal ones; NaN if one frame's is."""
    return _time_of_largest(total(video), cadence)


def _time_of_largest(curve: Tensor, cadence: Cadence) -> Tensor:
    first = curve.argmax(dim=-1)
    if isinstance(cadence, Tensor):
        hours = cadence.double().cumsum(0)[first.cpu()].to(curve.device) / 3600
    else:
        hours = (first + 1).double() * (cadence / 3600)
    return torch.where(torch.isnan(curve).any(-1), torch.nan, hours)


def integral(video: Tensor, cadence: Cadence) -> Tensor:
    """Return the integral of the total over time, unit of the images times hours; NaN if one frame's total is."""
    curve = total(video).double()
    if isinstance(cadence, Tensor):
        return (curve * (cadence.to(curve) / 3600)).sum(dim=-1)
    return curve.sum(dim=-1) * (cadence / 3600)


def mean_value(video: Tensor, cadence: Cadence = 0.0) -> Tensor:
    """Return the mean over all pixels and frames of ``[..., time, height, width]``."""
    return video.double().nanmean(dim=(-3, -2, -1))


def area_mean(video: Tensor, cadence: Cadence = 0.0) -> Tensor:
    """Return the mean over the pixels of each frame of ``[..., height, width]``; NaN for a frame without any."""
    return video.double().nanmean(dim=(-2, -1))


def maximum(video: Tensor, cadence: Cadence = 0.0) -> Tensor:
    """Return the largest pixel of all frames of ``[..., time, height, width]``; NaN where there is none."""
    known = ~torch.isnan(video)
    largest = torch.where(known, video, -torch.inf).amax(dim=(-3, -2, -1))
    return torch.where(known.flatten(-3).any(-1), largest, torch.nan)


def area_above(threshold: float, unit: str = "") -> Quantity:
    """Return the quantity "fraction of the pixels that reach ``threshold`` (``unit``)", the mean over all frames."""

    def fraction(video: Tensor, cadence: Cadence) -> Tensor:
        reached = torch.where(torch.isnan(video), torch.nan, (video >= threshold).double())
        return reached.nanmean(dim=(-3, -2, -1))

    name, label = f"area_above_{threshold:g}", f"Area above {threshold:g} {unit}".rstrip()
    return Quantity(name=name, label=label, function=fraction, unit="", relative=False, headline=True)


def volume_above(threshold: float, unit: str = "") -> Quantity:
    """Return the quantity "sum of what the pixels exceed ``threshold`` (``unit``) by", the mean over all frames."""

    def excess(video: Tensor, cadence: Cadence) -> Tensor:
        return total((video.double() - threshold).clamp(min=0.0)).mean(-1)

    label = f"Volume above {threshold:g} {unit}".rstrip()
    return Quantity(name=f"volume_above_{threshold:g}", label=label, function=excess)


QUANTITIES = (
    Quantity(name="total", label="Total", function=total, by_lead=True, summed=True),
    Quantity(name="peak", label="Peak total", function=peak, headline=True, summed=True),
    Quantity(name="integral", label="Integral", function=integral, unit="{unit}·h", headline=True, summed=True),
    Quantity(name="time_of_peak", label="Time of peak", function=time_of_peak, unit="h", relative=False, headline=True),
    Quantity(name="mean", label="Mean", function=mean_value),
    Quantity(name="maximum", label="Maximum pixel", function=maximum),
)
"""The quantities of data with meaningful sums; `area_above` and `volume_above` are added for each threshold."""

AREA_MEANS = (
    Quantity(name="area_mean", label="Area mean", function=area_mean, by_lead=True, by_area=True),
    Quantity(name="mean", label="Mean", function=mean_value, headline=True, by_area=True),
    Quantity(
        name="peak_mean",
        label="Peak of the area mean",
        function=lambda video, cadence: area_mean(video).amax(dim=-1),
        headline=True,
        by_area=True,
    ),
    Quantity(
        name="time_of_peak",
        label="Time of peak",
        function=lambda video, cadence: _time_of_largest(area_mean(video), cadence),
        unit="h",
        relative=False,
        headline=True,
        by_area=True,
    ),
    Quantity(name="maximum", label="Maximum pixel", function=maximum, headline=True),
)
"""The quantities of all other data."""


def quantities_of(domain: Domain, coords: Mapping[Any, xr.DataArray] | None = None) -> tuple[Quantity, ...]:
    """Return the quantities of a kind of data, under the labels that it gives them.

    ``coords`` are the coordinates of the pixels: with a unit of length or angle, sums become integrals over the area.
    """
    catalogue = QUANTITIES if domain.totals else AREA_MEANS
    entries = domain.quantities() or catalogue
    entries = tuple(replace(entry, label=domain.labels.get(entry.name, entry.label)) for entry in entries)
    return entries if coords is None else integrals(entries, coords)


def integrals(quantities: Iterable[Quantity], coords: Mapping[Any, xr.DataArray]) -> tuple[Quantity, ...]:
    """Return the quantities with sums over pixels made integrals over the area, where that of a pixel is known."""
    cell = pixel_area(coords)
    if cell is None:
        return tuple(quantities)
    area, unit = cell

    def integrated(entry: Quantity) -> Quantity:
        own = entry.unit.replace("{unit}", f"{{unit}}·{unit}²")
        return replace(entry, function=lambda *given: entry.function(*given).double() * area, unit=own)

    return tuple(integrated(entry) if entry.summed else entry for entry in quantities)


def measure(
    quantity: Quantity, video: Tensor, valid: Tensor, cadence: Cadence, weights: Tensor | None = None
) -> Tensor:
    """Return a quantity of members or of the truth, on the scored pixels.

    Members and truth are measured on the same pixels: a member that lacks one of them, and a frame without any, has no
    value, since the sum would be incomplete.

    Args:
        quantity: the entry.
        video: ``[..., channel, time, height, width]``, unit of the images.
        valid: the scored pixels, broadcast against ``video``.
        cadence: see `Cadence`.
        weights: of the pixels, ``[height, width]``, for quantities by area.

    Returns:
        ``[..., channel]``, with a last axis of time for a quantity of each frame; float64.
    """
    judged = torch.where(valid, video, torch.nan)
    if weights is not None and quantity.by_area:
        share = torch.where(valid, weights, torch.nan).nanmean(dim=(-2, -1), keepdim=True)
        judged = judged * (weights / share)
    values = quantity.function(judged, cadence).double()
    complete = ~(torch.isnan(video) & valid).flatten(-2).any(-1) & valid.flatten(-2).any(-1)
    return torch.where(complete if quantity.by_lead else complete.all(-1), values, torch.nan)


def dtw_distance(curve: Tensor, truth: Tensor) -> Tensor:
    r"""Return the dynamic time warping distance of curves to the true one, over the norm of the true one.

    .. math:: \frac{1}{\|y\|_2} \min_\pi \sqrt{\sum_{(i, j) \in \pi} (x_i - y_j)^2}

    over all paths :math:`\pi` that go from the first pair of times to the last without going back. A constant factor
    f costs at most ``|f - 1|``, a delay that a path can follow is free.

    Args:
        curve: ``[..., time]``.
        truth: ``[..., time]``, broadcast against ``curve``.

    Returns:
        ``[...]``; NaN if a frame of either is NaN, or if the true curve is zero throughout.

    References:
        Sakoe & Chiba (1978), "Dynamic programming algorithm optimization for spoken word recognition", IEEE Trans.
        Acoust. 26 (symmetric form without weights).
    """
    curve, truth = torch.broadcast_tensors(curve.double(), truth.double())
    times = curve.shape[-1]
    cost = (curve[..., :, None] - truth[..., None, :]).square()
    beyond = torch.full_like(cost[..., 0, 0], torch.inf)
    above = [torch.zeros_like(beyond), *[beyond] * times]
    for i in range(times):
        row = [beyond]
        for j in range(times):
            row.append(cost[..., i, j] + torch.minimum(torch.minimum(above[j], above[j + 1]), row[j]))
        above = row
    norm = torch.linalg.vector_norm(truth, dim=-1)
    return torch.where(norm > 0, above[-1].sqrt() / norm, torch.nan)
