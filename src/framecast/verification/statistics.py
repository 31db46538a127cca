"""The scores of one forecast as functions of how often each sample counts.

Written this way a score, its interval, its difference from another forecast's and their ratio are all the same
computation under other weights. The mean is over all judged pixels (each counts alike), and over samples for
quantities of a whole forecast. RMSE and MAE are those of the ensemble mean.
"""

import numpy as np
from torch import Tensor

from framecast.verification.quantities import quantities
from framecast.verification.scores import crps
from framecast.verification.scores.bootstrap import Statistic, mean
from framecast.verification.tally import Tally


def pixel_statistics(tally: Tally) -> dict[str, Statistic]:
    """Return CRPS, RMSE, MAE and the spread/skill ratio, in total and (``_by_lead``) by lead time."""
    found = {}
    for suffix, axes in (("", (1, 2)), ("_by_lead", (1,))):
        count = tally.count.sum(axes)
        squared = mean(tally.squared.sum(axes), count)
        variance = mean(tally.variance.sum(axes), count)
        found[f"crps{suffix}"] = mean(tally.crps.sum(axes), count)
        found[f"rmse{suffix}"] = root(squared)
        found[f"mae{suffix}"] = mean(tally.absolute.sum(axes), count)
        found[f"spread_skill{suffix}"] = root(quotient(variance, squared))
    return found


def image_statistics(tally: Tally) -> dict[str, Statistic]:
    """Return scores of single images: PSNR, SSIM and MS-SSIM of the mean, and these, RMSE and MAE of a member."""
    found = {}
    images, scale = tally.likeness, tally.likeness.data_range[:, None] ** 2
    for suffix, axes in (("", (1, 2)), ("_by_lead", (1,))):
        count = tally.count.sum(axes)
        found[f"psnr{suffix}"] = _decibel(mean((tally.squared / scale).sum(axes), count))
        found[f"member_psnr{suffix}"] = _decibel(mean((images.squared / scale).sum(axes), count))
        found[f"member_rmse{suffix}"] = root(mean(images.squared.sum(axes), count))
        found[f"member_mae{suffix}"] = mean(images.absolute.sum(axes), count)
        for name in ("ssim", "ms_ssim", "member_ssim", "member_ms_ssim"):
            found[f"{name}{suffix}"] = mean_of(getattr(images, name), axes=axes)
    return found


def spectrum_statistics(tally: Tally) -> dict[str, Statistic]:
    """Return the power of a member and of the ensemble mean over that of the truth, by wavenumber."""
    true = mean_of(tally.true_spectrum, axes=(1, 2))
    return {
        "power_ratio": quotient(mean_of(tally.spectrum, axes=(1, 2)), true),
        "mean_power_ratio": quotient(mean_of(tally.mean_spectrum, axes=(1, 2)), true),
    }


def video_statistics(tally: Tally, cadence: float) -> dict[str, Statistic]:
    """Return the energy score, and the CRPS of the flux and of what is derived from it (``mpf_crps`` …)."""
    flux, truth = tally.flux_curves()
    flux_crps = _crps(flux, truth, tally)
    found = {
        "energy_score": mean_of(tally.energy),
        "flux_dtw": mean_of(tally.warping),
        "flux_crps": mean_of(flux_crps),
        "flux_crps_by_lead": mean_of(flux_crps.swapaxes(1, 2), axes=(2,)),
    }
    targets = quantities(truth, cadence)
    for name, values in quantities(flux, cadence).items():
        found[f"{name}_crps"] = mean_of(_crps(values, targets[name], tally))
    return found


def mean_of(values: np.ndarray, axes: tuple[int, ...] | None = None) -> Statistic:
    """Return the mean over samples (the first axis) and ``axes`` (all by default) of what is not NaN."""
    axes = tuple(range(1, values.ndim)) if axes is None else axes
    known = np.isfinite(values)
    return mean(np.where(known, values, 0.0).sum(axes), known.sum(axes))


def root(statistic: Statistic) -> Statistic:
    """Return the square root of a statistic."""
    return lambda weights: np.sqrt(statistic(weights))


def difference(first: Statistic, second: Statistic) -> Statistic:
    """Return first minus second, under the same draws."""
    return lambda weights: first(weights) - second(weights)


def quotient(top: Statistic, bottom: Statistic) -> Statistic:
    """Return the ratio of two statistics; NaN where the lower is zero."""

    def statistic(weights: np.ndarray) -> np.ndarray:
        numerator, denominator = top(weights), bottom(weights)
        result = np.full(np.shape(numerator), np.nan)
        return np.divide(numerator, denominator, out=result, where=denominator != 0)

    return statistic


def skill(score: Statistic, reference: Statistic) -> Statistic:
    """Return 1 - score / reference: the share of the reference's error that is gone."""
    ratio = quotient(score, reference)
    return lambda weights: 1 - ratio(weights)


def _decibel(error: Statistic) -> Statistic:
    """Return -10 log10 of a statistic; NaN where it is zero: without error there is no ratio."""

    def statistic(weights: np.ndarray) -> np.ndarray:
        values = error(weights)
        return -10 * np.log10(np.where(values > 0, values, np.nan))

    return statistic


def _crps(forecast: Tensor, truth: Tensor, tally: Tally) -> np.ndarray:
    result: np.ndarray = crps(forecast, truth, fair=not tally.point).numpy()
    return result
