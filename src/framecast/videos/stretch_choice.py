"""Which stretch suits the values of a channel, decided from a sample of them.

The rules, in this order:

- signed values: ``linear``; ``asinh`` where they are centred near zero and have long tails
- bounded values, whose largest value occurs often or lies close to the bulk: ``linear``
- many exact zeros: ``log1p``, whose floor keeps zero exact, with the softening of the values above zero
- positive and skewed values: ``log1p``
- everything else: ``linear``

Every quantity compared is a ratio of values, so that the choice does not depend on the unit.
"""

import numpy as np
import numpy.typing as npt

from framecast.videos.normalise import TRACE, Curve, Stretch, fit_stretch, loss_below_floor

_TAIL = 15.0
"""Distance of the outermost thousandth from the median, in mean absolute deviations: 4 for a normal distribution."""

_RANGE = 8.0
"""The outermost thousandth over the median of the positive values: 4 for a Rayleigh distribution, 10 for rain."""

_MANY_ZEROS = 0.1
"""Fraction of exact zeros."""

_PILED_UP = 0.005
"""Fraction of pixels at the largest value above which it is a bound."""

_SAMPLE = 1_000_000


def choose_stretch(
    pixels: npt.NDArray[np.floating],
    *,
    softening: float | None = None,
    saturation: float | None = None,
    dry: float | None = None,
) -> Stretch:
    """Return the stretch that suits the finite ``pixels`` of one channel; its ``reason`` says why in a few words.

    The ``softening`` is that given (physical unit), or the median of the nonzero values.

    Raises:
        DataError: no finite pixel, or all pixels equal.
    """
    finite = np.asarray(pixels, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    if finite.size == 0 or finite.min() == finite.max():
        return fit_stretch(finite, curve="linear")  # raises errors
    sample = finite[:: max(1, finite.size // _SAMPLE)]
    curve, reason = _signed(sample) if loss_below_floor(finite) > TRACE else _positive(sample)
    bend = softening or 1.0
    if curve != "linear" and not softening:
        bend = float(f"{np.median(np.abs(sample[sample != 0]) if curve == 'asinh' else sample[sample > 0]):.2g}")
    return fit_stretch(finite, curve=curve, softening=bend, saturation=saturation, dry=dry, reason=reason)


def _signed(sample: npt.NDArray[np.float64]) -> tuple[Curve, str]:
    below = f"{_percent(np.mean(sample < 0))} of the values below zero"
    median = np.median(sample)
    outermost = np.quantile(np.abs(sample - median), 0.999)
    if outermost > _TAIL * np.abs(sample - median).mean() and abs(median) < 0.1 * outermost:
        return "asinh", f"signed with long tails: {below}"
    return "linear", f"signed: {below}"


def _positive(sample: npt.NDArray[np.float64]) -> tuple[Curve, str]:
    positive = sample[sample > 0]
    zeros, highest = np.mean(sample <= 0), positive.max()
    piled_up = np.mean(sample == highest)
    median, outermost = np.quantile(positive, [0.5, 0.999])
    if piled_up > _PILED_UP and highest < _RANGE * median:
        return "linear", f"bounded: {_percent(piled_up)} of the values are {highest:g}, the largest"
    if zeros >= _MANY_ZEROS:
        return "log1p", f"{_percent(zeros)} exact zeros, which stay exact"
    if outermost > _RANGE * median:
        return "log1p", f"positive and skewed: the top 0.1 % are {outermost / median:.2g} times the median"
    return "linear", "positive and not skewed"


def _percent(fraction: np.floating) -> str:
    return f"{100 * fraction:.2g} %"
