"""The results of an evaluation, as typed values; `framecast.verification.files` writes them as ``scores.json``.

A missing value is NaN here and ``null`` in the file. Arrays by lead time have one entry for each of
`Scores.lead_times_h`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from framecast.verification.scores import Estimate


@dataclass(frozen=True, kw_only=True)
class ScoreInfo:
    """Name and interpretation of a score; see `framecast.verification.catalogue.Score`."""

    label: str
    unit: str
    better: str | None
    hint: str
    shown: str | None
    ensembles: bool


@dataclass(frozen=True, kw_only=True)
class QuantityInfo:
    """Name of a derived quantity; see `framecast.verification.quantities.Quantity`."""

    label: str
    unit: str
    relative: bool
    headline: bool


@dataclass(frozen=True, kw_only=True)
class ScoreResult:
    """A score of one forecast.

    Attributes:
        total: over all pixels and lead times; for a spectral score one value for each wavelength.
        by_lead: for each lead time, where the score has one.
        by_channel: for each of several channels, in the unit of the images.
    """

    total: Estimate
    by_lead: Estimate | None = None
    by_channel: Estimate | None = None

    @property
    def value(self) -> float:
        """The score in total; NaN if it has none."""
        return float(self.total.value)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A score of one forecast against the same of another, under the same draws of blocks.

    Attributes:
        total: the skill 1 - score / score of the other; in `Difference` the score minus that of the other.
        verdict: ``better`` or ``worse`` where the 95 % interval excludes zero, else ``undecided``.
        relative: the difference over the other's score.
        by_lead: likewise for each lead time.
    """

    total: Estimate
    verdict: str
    relative: float = float("nan")
    by_lead: Estimate | None = None


@dataclass(frozen=True, kw_only=True)
class IntervalScores:
    """Scores of the central intervals of one level.

    Attributes:
        coverage: fraction of the truths inside.
        half_width: mean, in the unit of the quantity.
        relative_half_width: mean of half-width over truth.
        interval_score: mean interval (Winkler) score; lower is better.
    """

    coverage: Estimate
    half_width: float
    relative_half_width: float
    interval_score: float


@dataclass(frozen=True, kw_only=True)
class QuantityScores:
    """Scores of a derived quantity.

    Attributes:
        crps: mean CRPS.
        mae: mean absolute error of the median member.
        relative_mae: mean of that error over the truth.
        intervals: level in percent -> the ensemble's central intervals.
    """

    crps: float
    mae: float
    relative_mae: float
    intervals: dict[int, IntervalScores]


@dataclass(frozen=True, kw_only=True)
class Recalibrated:
    """The recalibrated intervals of a model.

    Attributes:
        blocks: unit treated as exchangeable.
        number_of_blocks: how many of them it was made from.
        calibration_samples: windows it was made from.
        seen_samples: how many of those are among the scored samples.
        quantities: name -> level in percent -> their scores.
    """

    blocks: str
    number_of_blocks: int
    calibration_samples: int
    seen_samples: int
    quantities: dict[str, dict[int, IntervalScores]]


@dataclass(frozen=True, kw_only=True)
class EventResult:
    """Reliability of the probability that a pixel reaches a threshold; one entry for each bin with a pixel.

    Attributes:
        base_rate: fraction of the pixels that reach it.
        probability: mean forecast probability.
        observed: observed frequency.
        fraction: of the pixels.
        hit_rate: fraction of the events with a warning, by falling warning threshold.
        false_alarm_rate: fraction of the non-events with a warning, likewise.
        roc_area: area under the curve of both: 0.5 is no skill, 1 perfect discrimination.
        economic_value: of the best warning, for each of `Scores.cost_loss`.
    """

    base_rate: float
    probability: np.ndarray
    observed: Estimate
    fraction: np.ndarray
    hit_rate: np.ndarray | None = None
    false_alarm_rate: np.ndarray | None = None
    roc_area: Estimate | None = None
    economic_value: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True)
class SpreadBins:
    """Observed error by predicted spread, ``[bin]``; unit of the images."""

    spread: np.ndarray
    error: np.ndarray
    count: np.ndarray


@dataclass(frozen=True, kw_only=True)
class ForecastScores:
    """Results of one forecast.

    Attributes:
        kind: ``model``, or the name of the baseline.
        label: its label.
        members: number of members.
        missing_members: member values that are missing at scored pixels.
        scores: name -> score.
        quantities: name -> its scores.
        attainable_coverage: level in percent -> the coverage of a reliable ensemble of as many members.
        events: text of the threshold -> its reliability.
        ranks: fraction of the pixels whose truth has each rank among the members.
        spread: error by predicted spread.
        skill: name of the baseline -> name of the score -> skill.
        oracle_skill: (CRPS persistence - CRPS) / (CRPS persistence - CRPS oracle).
        recalibrated: its recalibrated intervals, if it has a valid recalibration.
        objection: why its recalibration does not apply.
        description: one sentence on how a baseline was made.
        unlike: how pasts are unlike the model's training data, one line for each such past.
    """

    kind: str
    label: str
    members: int
    missing_members: int
    scores: dict[str, ScoreResult]
    quantities: dict[str, QuantityScores]
    attainable_coverage: dict[int, float]
    ranks: np.ndarray
    spread: SpreadBins
    events: dict[str, EventResult] = field(default_factory=dict)
    skill: dict[str, dict[str, Comparison]] = field(default_factory=dict)
    oracle_skill: Estimate | None = None
    recalibrated: Recalibrated | None = None
    objection: str | None = None
    description: str = ""
    unlike: list[str] = field(default_factory=list)

    def __getitem__(self, name: str) -> ScoreResult:
        return self.scores[name]

    @property
    def point(self) -> bool:
        """Whether it is a single value instead of an ensemble."""
        return self.members == 1


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Two forecasts compared: each score of the first minus that of the second."""

    first: str
    second: str
    scores: dict[str, Comparison]


@dataclass(frozen=True, kw_only=True)
class BootstrapInfo:
    """The bootstrap.

    Attributes:
        blocks: what is drawn.
        number_of_blocks: how many there are.
        replicates: how often they were drawn.
        seed: of the draws.
        effective_samples: number of independent samples with the same uncertainty of the mean CRPS; NaN if unknown.
        reason: why these blocks were chosen automatically.
        refused: whether there are too few for an interval.
    """

    blocks: str
    number_of_blocks: int
    replicates: int
    seed: int
    effective_samples: float = float("nan")
    reason: str = ""
    refused: bool = False


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """What is not scored.

    Attributes:
        windows: name of a model -> its windows that another file lacks.
        unobserved: fraction of all truth pixels that are unknown.
        by_forecasts: fraction of the known ones at which a forecast has too few members.
    """

    windows: dict[str, int]
    unobserved: float
    by_forecasts: float


@dataclass(frozen=True, kw_only=True)
class StratumScores:
    """Scores of a subset: a season, a region, a class of a mask.

    Attributes:
        name: such as ``season JJA`` or ``region alps``.
        samples: with a scored pixel in it.
        judged_pixels: over samples, channels and lead times.
        scores: name of the forecast -> name of the score -> its value.
        skill: name of the model -> name of the baseline -> skill in CRPS.
    """

    name: str
    samples: int
    judged_pixels: int
    scores: dict[str, dict[str, Estimate]]
    skill: dict[str, dict[str, Estimate]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class OccurrenceForecast:
    """Scores of one forecast of an event within the horizon; see `framecast.verification.occurrences`.

    Attributes:
        label: its label.
        brier: Brier score.
        roc_area: area under the relative operating characteristic.
        tss: true skill statistic of its warnings.
        hss: Heidke skill score of its warnings.
        table: hits, false alarms, misses and correct negatives.
        probability: mean probability in each bin with a window.
        observed: frequency of the event in it.
        count: windows in it.
        skill: name of a reference -> Brier skill.
        by_activity: level of activity in the past -> Brier score.
    """

    label: str
    brier: Estimate
    roc_area: Estimate
    tss: Estimate
    hss: Estimate
    table: list[int]
    probability: np.ndarray
    observed: Estimate
    count: np.ndarray
    skill: dict[str, Estimate] = field(default_factory=dict)
    by_activity: dict[str, Estimate] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Occurrences:
    """Occurrence of an event within the horizon, and scores of its forecasts.

    Attributes:
        event: such as ``peak>=50000`` or ``class>=M``.
        windows: number scored.
        happened: in how many of them it occurred.
        models: names of the forecasts that are not references.
        forecasts: name -> its scores.
        activity: level of activity in the past -> windows, and in how many of them it occurred.
    """

    event: str
    windows: int
    happened: int
    models: list[str]
    forecasts: dict[str, OccurrenceForecast]
    activity: dict[str, list[int]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Scores:
    """The result of an evaluation; ``scores["model"]["crps"].value`` is one number of it.

    Attributes:
        samples: windows that all files contain.
        judged_samples: with at least one scored pixel.
        judged_pixels: over samples, channels and lead times.
        left_out: what is not scored.
        unit: of the images.
        channels: names.
        lead_times_h: hours.
        data_range: of each channel, for PSNR and SSIM.
        wavelengths_px: of spectral scores, pixels per wave.
        thresholds: of the events.
        climatology_like: ``any``, ``hour`` or ``season``.
        bootstrap: where intervals come from.
        score_info: name of each score -> its interpretation, in the order of the catalogue.
        quantity_info: name of each derived quantity -> its label.
        models: names of the files' forecasts.
        forecasts: name -> its results, the models first.
        differences: of each pair of forecasts.
        provenance: name of a model -> attributes of its file.
        scale: of several channels: standard deviation of the observations in each. Scores in the unit of the images
            are given over channels as the mean of theirs in these units.
        weights: of the pixels; empty if equal.
        cost_loss: ratios of cost to loss of the economic value.
        strata: scores of seasons, sequences, regions and the like.
        occurrences: events within the horizon, and scores of their forecasts.
    """

    samples: int
    judged_samples: int
    judged_pixels: int
    left_out: LeftOut
    unit: str
    channels: list[str]
    lead_times_h: list[float]
    data_range: list[float]
    wavelengths_px: list[float]
    thresholds: list[float]
    climatology_like: str
    bootstrap: BootstrapInfo
    score_info: dict[str, ScoreInfo]
    quantity_info: dict[str, QuantityInfo]
    models: list[str]
    forecasts: dict[str, ForecastScores]
    differences: list[Difference]
    provenance: dict[str, dict[str, Any]]
    scale: list[float] = field(default_factory=list)
    weights: str = ""
    cost_loss: list[float] = field(default_factory=list)
    strata: list[StratumScores] = field(default_factory=list)
    occurrences: list[Occurrences] = field(default_factory=list)

    def __getitem__(self, name: str) -> ForecastScores:
        return self.forecasts[name]

    @property
    def baselines(self) -> list[str]:
        """The forecasts that skill is measured against, in order."""
        skills: list[Mapping[str, Any]] = [found.skill for found in self.forecasts.values()]
        return [name for name in self.forecasts if any(name in skill for skill in skills)]

    @property
    def strongest(self) -> str | None:
        """The baseline with the lowest CRPS on the scored samples, the one to quote."""
        known = [name for name in self.baselines if np.isfinite(self.forecasts[name]["crps"].value)]
        return min(known, key=lambda name: self.forecasts[name]["crps"].value, default=None)

    @property
    def fair(self) -> bool:
        """Whether a skill is meaningful: an ensemble is not comparable with a deterministic forecast."""
        ensembles = [name for name in self.baselines if not self.forecasts[name].point]
        return bool(ensembles) or all(self.forecasts[name].point for name in self.models)

    @property
    def headline(self) -> list[str]:
        """Names of the derived quantities that tables, charts and verdicts show."""
        return [name for name, info in self.quantity_info.items() if info.headline]

    def difference(self, first: str, second: str) -> Difference | None:
        """Return how two forecasts compare, if they were compared in this order."""
        return next((d for d in self.differences if (d.first, d.second) == (first, second)), None)
