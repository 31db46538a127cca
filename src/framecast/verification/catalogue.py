"""The catalogue of scores. Tables, charts, comparisons, verdicts and files are made from its entries.

To add a score, write a function of one sample and its entry in `SCORES`, or pass your own `Score` to `evaluate`. The
function returns what is averaged; the entry defines how the score follows from the averages:

    Score(name="bias", label="Bias", function=lambda sample: sample.error, better=None)

The average is over all scored pixels (with equal weights), frames or samples, depending on the values of the function.
RMSE and MAE are those of the ensemble mean.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from framecast.verification import scores
from framecast.verification.quantities import Cadence, Quantity, dtw_distance, measure
from framecast.verification.scores.events import critical_success, detection, false_alarm_ratio
from framecast.videos.units import shown

Means = np.ndarray
Better = Literal["lower", "higher"]

_MEMBERS = 3
"""Number of members whose SSIM is computed. Members are exchangeable: more of them cost time and add little."""

_WIDTHS = (1, 3, 5, 9, 17, 33, 65, 129)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One forecast of one sample beside the truth, in physical units: the argument of scores.

    Attributes:
        members: ``[member, channel, time, height, width]``; NaN where a member has no value.
        truth: ``[channel, time, height, width]``; NaN where nothing is scored.
        data_range: range of the observations in each channel, for PSNR and SSIM.
        cadence: see `framecast.verification.quantities.Cadence`.
        quantities: the derived quantities of the evaluation.
        scale: standard deviation of the observations in each channel, of several channels.
        uncertainty: CRPS of the climatology of the observations in each channel.
        weights: of the pixels, ``[height, width]``, with a mean of 1; equal by default.
    """

    members: Tensor
    truth: Tensor
    data_range: Tensor
    cadence: Cadence
    uncertainty: Tensor
    quantities: tuple[Quantity, ...] = ()
    scale: Tensor | None = None
    weights: Tensor | None = None

    @property
    def point(self) -> bool:
        """Whether there is one member: a deterministic forecast, with its absolute error as CRPS and no spread."""
        return len(self.members) == 1

    @cached_property
    def valid(self) -> Tensor:
        """The scored pixels, like the truth."""
        return ~torch.isnan(self.truth)

    @cached_property
    def mean(self) -> Tensor:
        """The ensemble mean, like the truth."""
        return self.members[0] if self.point else scores.ensemble_mean(self.members)

    @cached_property
    def error(self) -> Tensor:
        """Ensemble mean minus truth."""
        return self.mean - self.truth

    @cached_property
    def variance(self) -> Tensor:
        """The ensemble variance, corrected for the number of members."""
        return torch.zeros_like(self.truth) if self.point else scores.ensemble_variance(self.members)

    @cached_property
    def true_power(self) -> Tensor:
        """Power spectrum of the truth, ``[channel, time, wavenumber]``."""
        return scores.power_spectrum(self.truth)

    @cached_property
    def between(self) -> tuple[Tensor, ...]:
        """Sums between the sorted members, for the reliability part of the CRPS."""
        return scores.between_members(self.members, self.truth, self.weights)

    @cached_property
    def similarity(self) -> dict[str, Tensor]:
        """``ssim`` and ``ms_ssim`` of the mean and the first members to the truth, ``[image, channel, time]``."""
        images = torch.cat([self.mean[None], self.members[:_MEMBERS]])
        found = [
            scores.similarities(own, truth.expand_as(own), data_range=float(reach))
            for own, truth, reach in zip(images.unbind(1), self.truth, self.data_range, strict=True)
        ]
        return dict(zip(("ssim", "ms_ssim"), (torch.stack(kind, 1) for kind in zip(*found, strict=True)), strict=True))

    @cached_property
    def values(self) -> dict[str, tuple[Tensor, Tensor]]:
        """Name of a quantity -> its values ``[member, channel(, time)]`` and the true one ``[channel(, time)]``."""
        return {
            quantity.name: (
                measure(quantity, self.members, self.valid, self.cadence, self.weights),
                measure(quantity, self.truth, self.valid, self.cadence, self.weights),
            )
            for quantity in self.quantities
        }


@dataclass(frozen=True)
class Score:
    """One entry of the catalogue.

    Attributes:
        name: the key in ``scores.json``, a Python identifier.
        label: its name in charts and tables.
        function: what is averaged, one array or several: ``[channel, time, height, width]`` for a value of each pixel,
            with one channel where it is of all together, ``[channel, time]`` of each frame, ``[channel]`` or ``[]``;
            not finite where there is no value.
        combine: from the averages, as many as ``function`` returned arrays, to the score; elementwise.
        unit: its unit, where ``{unit}`` stands for that of the images.
        better: ``lower`` or ``higher``; ``None`` if there is neither, such as for a ratio that should be 1.
        hint: its interpretation, in a few words.
        shown: ``console``: on the terminal and in the report; ``report``; ``None``: in the files only.
        ensembles: whether it needs several members.
        skill: whether its skill against each baseline is reported.
        spectral: whether the arrays have a last axis of wavenumbers: ``[channel, time, wavenumber]``.
        binned: whether the arrays have a last axis, ``[channel, time, bin]``, that ``combine`` takes together.
    """

    name: str
    label: str
    function: Callable[[Judged], Tensor | tuple[Tensor, ...]]
    combine: Callable[..., Means] = lambda mean: mean
    unit: str = "{unit}"
    better: Better | None = "lower"
    hint: str = ""
    shown: Literal["console", "report"] | None = None
    ensembles: bool = False
    skill: bool = False
    spectral: bool = False
    binned: bool = False

    @property
    def scaled(self) -> bool:
        """Whether it is in the unit of the images, so that a common scale is needed over channels."""
        return self.unit == "{unit}"

    def parts(self, sample: Judged) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return sum and count of each array that is averaged; over the pixels of a frame for values of pixels."""
        values = self.function(sample)
        return [_summed(value, sample) for value in (values if isinstance(values, tuple) else (values,))]


def skill(score: Means, reference: Means) -> Means:
    """Return 1 - score / reference: the relative reduction of the reference's error."""
    return 1 - scores.ratio(score, reference)


def quantity_scores(quantities: Iterable[Quantity]) -> tuple[Score, ...]:
    """Return the scores of derived quantities: the CRPS of each, and the DTW distance of curves."""
    found = []
    for quantity in quantities:
        name, label = quantity.name, quantity.label
        found.append(
            Score(
                name=f"{name}_crps",
                label=f"{label}, CRPS",
                function=lambda s, name=name: scores.crps(*s.values[name], fair=not s.point),  # type: ignore[misc]
                unit=quantity.unit,
                shown="report" if quantity.headline or quantity.by_lead else None,
            )
        )
        if quantity.by_lead:
            found.append(
                Score(
                    name=f"{name}_dtw",
                    label=f"{label} curve, warped (DTW)",
                    function=lambda s, name=name: dtw_distance(*s.values[name]).nanmean(0),  # type: ignore[misc]
                    unit="",
                    hint="0 is identical",
                )
            )
    return tuple(found)


def vector_scores(units: Sequence[str]) -> tuple[Score, ...]:
    """Return the score of the channels at each pixel as one vector, where there are several and all are in one unit."""
    if len(units) < 2 or len(set(units)) > 1:
        return ()
    return (
        Score(
            name="vector_energy_score",
            label="Vector energy score",
            function=lambda s: scores.vector_energy_score(s.members, s.truth, fair=not s.point)[None],
            unit=shown(units[0]),
            hint="of the channels at a pixel together; lower is better",
            shown="report",
            skill=True,
        ),
    )


def event_scores(threshold: float, size: tuple[int, int]) -> tuple[Score, ...]:
    """Return the scores of the event that a pixel reaches ``threshold``, which is in the unit of the images.

    Squares up to the shorter side of frames of ``size`` (height, width) are compared.
    """
    brier = Score(
        name=f"brier_{threshold:g}",
        label=f"Brier score of ≥ {threshold:g}",
        function=lambda s: scores.brier_score(s.members, s.truth, threshold, fair=not s.point),
        unit="",
        skill=True,
    )
    beyond = Score(
        name=f"twcrps_{threshold:g}",
        label=f"CRPS above {threshold:g}",
        function=lambda s: scores.threshold_weighted_crps(s.members, s.truth, threshold, fair=not s.point),
        hint="threshold-weighted",
        skill=True,
    )
    squares = [_fractions_skill(threshold, width) for width in _WIDTHS if width <= min(size)]
    return (brier, beyond, *_warnings(threshold), *squares)


def _warnings(threshold: float) -> tuple[Score, ...]:
    """Return the scores of warnings, given where half of the members or more reach ``threshold``."""

    def table(sample: Judged) -> tuple[Tensor, ...]:
        probability, _ = scores.exceedance(sample.members, threshold)
        warned, happened = probability >= 0.5, sample.truth >= threshold
        cells = (warned & happened, warned & ~happened, ~warned & happened)
        return tuple(torch.where(torch.isnan(probability), torch.nan, cell.to(sample.truth)) for cell in cells)

    kinds: tuple[tuple[str, str, Better, Callable[..., Means]], ...] = (
        ("csi", "Critical success index", "higher", critical_success),
        ("pod", "Probability of detection", "higher", lambda hits, alarms, misses: detection(hits, misses)),
        ("far", "False alarm ratio", "lower", lambda hits, alarms, misses: false_alarm_ratio(hits, alarms)),
    )
    return tuple(
        Score(
            name=f"{name}_{threshold:g}",
            label=f"{label} of ≥ {threshold:g}",
            function=table,
            combine=combine,
            unit="",
            better=better,
            hint="warned where half of the members reach it",
        )
        for name, label, better, combine in kinds
    )


def _fractions_skill(threshold: float, width: int) -> Score:
    return Score(
        name=f"fss_{threshold:g}_{width}",
        label=f"Fractions skill score of ≥ {threshold:g} in squares of {width}",
        function=lambda s: scores.fractions(s.members, s.truth, threshold, width=width),
        combine=skill,
        unit="",
        better="higher",
    )


def kept(values: Tensor) -> np.ndarray:
    """Return ``values`` in memory of NumPy's: small tensors kept between large temporary ones would fragment it."""
    return values.numpy().copy()


def _summed(values: Tensor, sample: Judged) -> tuple[np.ndarray, np.ndarray]:
    known = torch.isfinite(values)
    if values.ndim < 4:
        return kept(torch.where(known, values, 0.0).double()), kept(known)
    known = known & (sample.valid if len(values) == len(sample.valid) else sample.valid.all(0, keepdim=True))
    total = torch.where(known, values, 0.0)
    if sample.weights is None:
        return kept(total.sum((-2, -1), dtype=torch.float64)), kept(known.sum((-2, -1)))
    return kept((total * sample.weights).sum((-2, -1)).double()), kept((known * sample.weights).sum((-2, -1)))


def _energy(sample: Judged) -> Tensor:
    scale = 1.0 if sample.scale is None else sample.scale[:, None, None, None].to(sample.truth)
    if sample.point:
        return (sample.error / scale).square().nanmean().sqrt()
    return scores.energy_score(sample.members / scale, sample.truth / scale)


def _similarity(name: str, label: str, *, of_members: bool = False, **told: Any) -> Score:
    """Return the entry of a structural similarity, that of the ensemble mean or the mean of those of members."""

    def function(sample: Judged) -> Tensor:
        found = sample.similarity[name]
        return found[1:].nanmean(0) if of_members else found[0]

    return Score(
        name=f"member_{name}" if of_members else name,
        label=f"{label} of a member" if of_members else label,
        function=function,
        unit="",
        better="higher",
        **told,
    )


def _member_error(sample: Judged) -> Tensor:
    return torch.where(sample.valid, sample.members - sample.truth, torch.nan)


def _scaled(squared: Tensor, sample: Judged) -> Tensor:
    return squared.double() / sample.data_range[:, None, None, None].square()


def _decibel(error: Means) -> Means:
    return -10 * np.log10(np.where(error > 0, error, np.nan))


SCORES = (
    Score(
        "crps",
        "CRPS",
        lambda s: scores.crps(s.members, s.truth, fair=not s.point),
        hint="fair, per pixel; lower is better",
        shown="console",
        skill=True,
    ),
    Score(
        "rmse",
        "RMSE",
        lambda s: s.error.square(),
        combine=np.sqrt,
        hint="of the ensemble mean; lower is better",
        shown="console",
    ),
    Score(
        "crps_reliability",
        "CRPS, reliability part",
        lambda s: s.between,
        combine=lambda *means: scores.reliability_and_potential(*means)[0],
        hint="what recalibration could correct; CRPS = reliability − resolution + uncertainty",
        ensembles=True,
        binned=True,
    ),
    Score(
        "crps_resolution",
        "CRPS, resolution part",
        lambda s: (*s.between, s.uncertainty[:, None]),
        combine=lambda *means: np.asarray(means[4][..., 0] - scores.reliability_and_potential(*means[:4])[1]),
        better="higher",
        hint="gain over climatology",
        ensembles=True,
        binned=True,
    ),
    Score(
        "crps_uncertainty",
        "CRPS, uncertainty part",
        lambda s: s.uncertainty[:, None],
        combine=lambda mean: mean[..., 0],
        better=None,
        hint="CRPS of the climatology of the observations",
        binned=True,
    ),
    Score(
        "variogram_score",
        "Variogram score",
        lambda s: scores.variogram_score(s.members, s.truth),
        hint="of order 0.5, pixels 1, 2, 4 and 8 apart",
    ),
    Score("mae", "MAE", lambda s: s.error.abs(), hint="of the ensemble mean"),
    Score(
        "spread_skill",
        "Spread / error",
        lambda s: (s.variance, s.error.square()),
        combine=lambda variance, squared: np.sqrt(scores.ratio(variance, squared)),
        unit="",
        better=None,
        hint="1 is well calibrated",
        shown="console",
        ensembles=True,
    ),
    Score("energy_score", "Energy score", _energy),
    Score(
        "psnr",
        "PSNR",
        lambda s: _scaled(s.error.square(), s),
        combine=_decibel,
        unit="dB",
        better="higher",
        hint="of the ensemble mean",
    ),
    _similarity("ssim", "SSIM", hint="of the ensemble mean"),
    _similarity("ms_ssim", "MS-SSIM", hint="of the ensemble mean"),
    Score(
        "member_rmse",
        "RMSE of a member",
        lambda s: _member_error(s).square().nanmean(0),
        combine=np.sqrt,
    ),
    Score("member_mae", "MAE of a member", lambda s: _member_error(s).abs().nanmean(0)),
    Score(
        "member_psnr",
        "PSNR of a member",
        lambda s: _scaled(_member_error(s).square().nanmean(0), s),
        combine=_decibel,
        unit="dB",
        better="higher",
    ),
    _similarity("ssim", "SSIM", of_members=True, hint="1 is identical", shown="report"),
    _similarity("ms_ssim", "MS-SSIM", of_members=True),
    Score(
        "power_ratio",
        "Power of a member over that of the truth",
        lambda s: (scores.power_spectrum(s.members).mean(0), s.true_power),
        combine=scores.ratio,
        unit="",
        better=None,
        hint="1 is as much structure as in the truth",
        spectral=True,
    ),
    Score(
        "mean_power_ratio",
        "Power of the ensemble mean over that of the truth",
        lambda s: (scores.power_spectrum(s.mean), s.true_power),
        combine=scores.ratio,
        unit="",
        better=None,
        spectral=True,
    ),
)
"""The scores of every evaluation; those of derived quantities and of events are added."""
