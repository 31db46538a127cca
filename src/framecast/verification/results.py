"""What an evaluation found, as typed values; `framecast.verification.files` writes them as ``scores.json``.

A figure that has no value is NaN here and ``null`` in the file. Arrays by lead time have one entry for each of
`Scores.lead_times_h`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from framecast.verification.scores import Estimate


@dataclass(frozen=True, kw_only=True)
class ScoreInfo:
    """What a score is called and how it is read; see `framecast.verification.catalogue.Score`."""

    label: str
    unit: str
    better: str | None
    hint: str
    shown: str | None
    ensembles: bool


@dataclass(frozen=True, kw_only=True)
class QuantityInfo:
    """What a derived quantity is called; see `framecast.verification.quantities.Quantity`."""

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
    """How good the central intervals of one level are.

    Attributes:
        coverage: fraction of the truths that they hold.
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
    """How well a derived quantity is forecast.

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
    """The intervals that the model's recalibration makes of its own.

    Attributes:
        blocks: what it took to be exchangeable.
        number_of_blocks: how many of them it was made from.
        calibration_samples: windows it was made from.
        seen_samples: how many of those are among the judged samples.
        quantities: name -> level in percent -> how good they are.
    """

    blocks: str
    number_of_blocks: int
    calibration_samples: int
    seen_samples: int
    quantities: dict[str, dict[int, IntervalScores]]


@dataclass(frozen=True, kw_only=True)
class EventResult:
    """Reliability of the probability that a pixel reaches a threshold; one entry for each bin that holds a pixel.

    Attributes:
        base_rate: fraction of the pixels that reach it.
        probability: mean forecast probability.
        observed: fraction in which it happened.
        fraction: of the pixels.
        hit_rate: fraction of the events that are warned of, by falling probability that warns.
        false_alarm_rate: fraction of the non-events that are warned of, likewise.
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
    """Error found by the spread predicted, ``[bin]``; unit of the images."""

    spread: np.ndarray
    error: np.ndarray
    count: np.ndarray


@dataclass(frozen=True, kw_only=True)
class ForecastScores:
    """Everything known of one forecast.

    Attributes:
        kind: ``model``, or the name of the baseline.
        label: what it is called.
        members: number of members.
        missing_members: member values that are missing at judged pixels.
        scores: name -> score.
        quantities: name -> how well it is forecast.
        attainable_coverage: level in percent -> the coverage of a reliable ensemble of as many members.
        events: text of the threshold -> its reliability.
        ranks: fraction of the pixels whose truth has each rank among the members.
        spread: error by predicted spread.
        skill: name of the baseline -> name of the score -> skill.
        oracle_skill: (CRPS persistence - CRPS) / (CRPS persistence - CRPS oracle).
        recalibrated: its recalibrated intervals, if it has a recalibration that holds.
        objection: why the recalibration it carries does not hold.
        description: one sentence on how a baseline was made.
        unlike: in what pasts are unlike the model's training data, one line for each that is.
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
    """The draws that intervals come from.

    Attributes:
        blocks: what is drawn.
        number_of_blocks: how many there are.
        replicates: how often they were drawn.
        seed: of the draws.
        effective_samples: how many independent samples would give as certain a mean CRPS; NaN where it is not known.
        reason: why these blocks, where they were chosen.
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
    """What is not judged.

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
    """How forecasts do in a part of what is judged: a season, a region, a class of a mask.

    Attributes:
        name: such as ``season JJA`` or ``region alps``.
        samples: with a judged pixel in it.
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
    """How well one forecast says whether an event happens within the horizon; see `framecast.verification.occurrences`.

    Attributes:
        label: what it is called.
        brier: Brier score.
        roc_area: area under the relative operating characteristic.
        tss: true skill statistic of its warnings.
        hss: Heidke skill score of its warnings.
        table: hits, false alarms, misses and correct negatives.
        probability: mean probability in each bin that holds a window.
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
    """Whether an event happens within the horizon, and how well that was forecast.

    Attributes:
        event: such as ``peak>=50000`` or ``class>=M``.
        windows: judged.
        happened: in how many of them it happened.
        models: names of the forecasts that are no references.
        forecasts: name -> how well it was forecast.
        activity: level of activity in the past -> windows, and in how many of them it happened.
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
        samples: windows that all files hold.
        judged_samples: with at least one judged pixel.
        judged_pixels: over samples, channels and lead times.
        left_out: what is not judged.
        unit: of the images.
        channels: names.
        lead_times_h: hours.
        data_range: of each channel, for PSNR and SSIM.
        wavelengths_px: of spectral scores, pixels per wave.
        thresholds: of the events.
        climatology_like: ``any``, ``hour`` or ``season``.
        bootstrap: where intervals come from.
        score_info: name of each score -> how it is read, in the order of the catalogue.
        quantity_info: name of each derived quantity -> what it is called.
        models: names of the files' forecasts.
        forecasts: name -> what is known of it, the models first.
        differences: of each pair of forecasts.
        provenance: name of a model -> attributes of its file.
        scale: of several channels: standard deviation of the observations in each. Scores in the unit of the images
            are given over channels as the mean of theirs in these units.
        weights: what pixels are weighted by; empty where all weigh alike.
        cost_loss: ratios of cost to loss of the economic value.
        strata: scores in parts of what is judged.
        occurrences: whether events happened within the horizon, and how well that was forecast.
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
        """The baseline with the lowest CRPS on the judged samples, the one to quote."""
        known = [name for name in self.baselines if np.isfinite(self.forecasts[name]["crps"].value)]
        return min(known, key=lambda name: self.forecasts[name]["crps"].value, default=None)

    @property
    def fair(self) -> bool:
        """Whether a skill says something: a single frame, as persistence is, has no chance against an ensemble."""
        ensembles = [name for name in self.baselines if not self.forecasts[name].point]
        return bool(ensembles) or all(self.forecasts[name].point for name in self.models)

    @property
    def headline(self) -> list[str]:
        """Names of the derived quantities that tables, charts and verdicts show."""
        return [name for name, info in self.quantity_info.items() if info.headline]

    def difference(self, first: str, second: str) -> Difference | None:
        """Return how two forecasts compare, if they were compared in this order."""
        return next((d for d in self.differences if (d.first, d.second) == (first, second)), None)
