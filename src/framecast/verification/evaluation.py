"""Evaluation: forecasts against each other and the baselines, on the same pixels and with intervals for every score.

`sources` opens the files, `cases` reads one sample after the other, `tally` accumulates the sums for every score of the
`catalogue`, `summary` converts them to `results` with intervals, `tables` and `files` write those. Only one sample is
in memory at a time.

Which pixels count: those where the truth is known and every forecast has enough members (the same pixels for all
forecasts, so that the comparison is fair). The number of dropped pixels is part of the result.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import numpy as np
import torch
import xarray as xr

from framecast.core.domain import find_domain
from framecast.core.errors import ConfigError, DataError
from framecast.core.options import options_of
from framecast.core.progress import note
from framecast.data.forecasts import open_forecast
from framecast.verification.baselines import BASELINES
from framecast.verification.blocks import Chosen, independent_blocks
from framecast.verification.cases import Baseline, Case, Cases, Climate
from framecast.verification.catalogue import SCORES, Judged, Score, event_scores, quantity_scores, vector_scores
from framecast.verification.ensembles import as_forecast, stem
from framecast.verification.nowcasts import NOWCASTS, nowcast
from framecast.verification.occurrences import Event, JudgedWindows, judge_event
from framecast.verification.options import EvaluationOptions
from framecast.verification.quantities import (
    QUANTITIES,
    Cadence,
    Quantity,
    area_above,
    measure,
    quantities_of,
    spacing,
    volume_above,
)
from framecast.verification.results import ForecastScores, Scores
from framecast.verification.rows import SampleScores, sample_scores, to_dataset
from framecast.verification.scores import Bootstrap
from framecast.verification.sources import finite_tensor
from framecast.verification.strata import find_strata
from framecast.verification.summary import draw_scores, forecast_scores, quantity_info, score_info, summarise
from framecast.verification.tally import Maps, Sums, Tally
from framecast.videos.calendar import seconds_in
from framecast.videos.frames import as_float32
from framecast.videos.units import by_channel, convert, same_unit

__all__ = ["Case", "Cases", "Evaluation", "Maps", "Tally", "evaluate", "score"]


Entry = TypeVar("Entry", bound=Score | Quantity | Baseline)


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The result of an evaluation.

    Attributes:
        cases: the samples, to be read again for pictures.
        maps: errors of the forecasts by pixel, by name; those of the files come first.
        scores: every score with its intervals; ``scores["model"]["crps"].value`` is one of them.
        samples: scores of each sample.
        quantities: the derived quantities that were scored.
    """

    cases: Cases
    maps: dict[str, Maps]
    scores: Scores
    samples: list[SampleScores]
    quantities: tuple[Quantity, ...]

    def ranked(self) -> list[int]:
        """Return the samples from the best to the worst forecast of the first file.

        Ranked by the CRPS relative to persistence, so that bright regions are not penalised; relative to the mean
        absolute truth if there is no persistence.
        """
        name = self.cases.models[0]

        def relative(sample: SampleScores) -> float:
            persistence = sample.forecasts.get("persistence", {}).get("crps", sample.truth)
            return sample.forecasts[name]["crps"] / persistence if persistence else 1.0

        judged = [sample for sample in self.samples if np.isfinite(sample.forecasts[name]["crps"])]
        return [sample.index for sample in sorted(judged, key=relative)]

    def to_dataset(self) -> xr.Dataset:
        """Return the scores as an xarray dataset along ``forecast``; see `framecast.verification.rows.to_dataset`."""
        found = self.scores
        return to_dataset(
            found.forecasts,
            found.score_info,
            found.quantity_info,
            lead_times_h=found.lead_times_h,
            wavelengths_px=found.wavelengths_px,
        )


def evaluate(
    forecasts: str | Path | Sequence[str | Path],
    *,
    truth: str | Path | None = None,
    variables: Sequence[str] = (),
    scores: Sequence[Score] = (),
    quantities: Sequence[Quantity] = (),
    baselines: Sequence[Baseline | str] = (),
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Evaluation:
    """Evaluate one forecast file, or several on the windows that they share.

    Args:
        forecasts: folders that ``framecast forecast`` (or `write_forecast`) wrote. Each forecast has the name of its
            model, or of the file if that is taken; baselines are made once, from the first file that contains the
            necessary data.
        truth: observations, an archive or a gridded file: then a forecast may be an ensemble of any model, a file with
            a member dimension, a folder or pattern (``members/*.nc``) of files with a member each; see
            `framecast.verification.ensembles`. None uses the observations in each file.
        variables: of these ensembles, by default all that have members.
        scores: scores in addition to those of the catalogue; one of the same name replaces it. Likewise
        quantities: derived quantities, and
        baselines: baselines, or names of nowcasts (`framecast.verification.nowcasts`); those in a file are always
            included.
        progress: called with the samples done and their number.
        options: the other fields of `framecast.verification.options.EvaluationOptions`; see also
            `framecast.verification.blocks`, `framecast.verification.occurrences` and `framecast.verification.strata`.

    Raises:
        ConfigError: there is no such option, or its value is not possible.
        FramecastError: there is no such folder.
        DataError: it is not a forecast, nothing in it can be scored, the files cannot be compared, or one changes
            meanwhile.
    """
    chosen = options_of(EvaluationOptions, options)
    files = [Path(path) for path in ([forecasts] if isinstance(forecasts, str | Path) else forecasts)]
    scratch = TemporaryDirectory(prefix="framecast-") if truth is not None else None
    if scratch is not None:
        files = _paired(files, truth, Path(scratch.name), variables)
    held = {name for path in files for name in open_forecast(path)}
    named = [name for name in NOWCASTS if f"baseline_{name}" in held]
    named += [name.strip() for each in baselines if isinstance(each, str) for name in each.split(",")]
    added = [nowcast(name) for name in dict.fromkeys(named)]
    added += [each for each in baselines if not isinstance(each, str)]
    cases = Cases(files, seed=chosen.seed, climatology=chosen.climatology, baselines=_joined(BASELINES, added))
    cases.scratch = scratch  # is deleted with the cases
    asked = [Event.parse(text) for text in dict.fromkeys(part for each in chosen.events for part in each.split(","))]
    limits = tuple(sorted({float(value) for value in chosen.thresholds}))
    if limits and len(set(cases.units)) > 1:
        raise ConfigError(f"thresholds are in one unit, and the channels are in {cases.unit}: leave thresholds out")
    measured = _measured(cases.quantities, (*_calibrated(cases), *quantities), limits, cases.unit)
    for event in asked:
        event.check([each.name for each in measured], cases.sources[0].dataset.attrs.get("classes", ()))
    entries = _entries(scores, measured, limits, cases.size, cases.units)
    strata = find_strata(cases, by=chosen.by, regions=chosen.region, mask=chosen.mask)
    areas = cases.weights if chosen.weights == "area" else None
    sums = Sums(cases, scores=entries, quantities=measured, thresholds=limits, strata=strata, areas=areas)
    before: list[dict[str, float]] = []
    for index in range(len(cases)):
        case = cases[index]
        sums.record(case)
        before += [_activity(case.past, sums)] if asked else []
        if progress is not None:
            progress(index + 1, len(cases))
    cases.check_unchanged()
    if not np.any(sums.tallies[cases.models[0]].count):
        raise DataError(
            f"{', '.join(map(str, files))}: there is no pixel where the truth and every forecast are known, so nothing "
            "can be scored; check that the file contains more than NaN"
        )
    values = _relative(sums.tallies, cases.models[0])
    if chosen.blocks == "auto":
        blocks = independent_blocks(cases, values)
    else:
        blocks = Chosen(cases.named(chosen.blocks), chosen.blocks)
    bootstrap = Bootstrap(blocks.names, replicates=chosen.replicates, seed=chosen.seed, least=blocks.least)
    lead = next((each.name for each in measured if each.name in ("peak", "peak_mean", "maximum")), "")
    found = [
        judge_event(event, _windows(sums, before), cases.models, blocks.names, bootstrap, lead=lead) for event in asked
    ]
    return Evaluation(
        cases=cases,
        maps=sums.maps,
        scores=summarise(sums, blocks, bootstrap, values=values, occurrences=found),
        samples=sample_scores(cases, sums.tallies, entries),
        quantities=measured,
    )


def _past_cadence(cases: Cases) -> Cadence:
    """Return the cadence of the past frames; the first of them has the duration of the second."""
    first, second = (*cases.past_times, cases.past_times[0] + cases.lead_times[0])[:2]
    return spacing([time - first + second - first for time in cases.past_times])


def _activity(past: torch.Tensor, sums: Sums) -> dict[str, float]:
    """Return each quantity of a past, the largest over its channels and frames."""
    valid, cadence = ~torch.isnan(past), _past_cadence(sums.cases)
    weights = None if sums.areas is None else torch.from_numpy(sums.areas)
    return {
        each.name: float(torch.amax(measure(each, past, valid, cadence, weights).nan_to_num(-torch.inf)))
        for each in sums.quantities
    }


def _windows(sums: Sums, before: list[dict[str, float]]) -> JudgedWindows:
    """Return the values of events: the largest value over channels and frames."""

    def largest(values: torch.Tensor, axes: int) -> np.ndarray:
        flat = values.double().flatten(axes).nan_to_num(-torch.inf).amax(-1)
        return torch.where(torch.isfinite(flat), flat, torch.nan).numpy()

    cases, names = sums.cases, [each.name for each in sums.quantities]
    own = {name: {model: sums.tallies[model].quantity(name) for model in cases.models} for name in names}
    past = {name: np.array([row[name] for row in before]) for name in names}
    data = cases.sources[0].dataset
    return JudgedWindows(
        values={
            each: {name: largest(members, 2) for name, (members, _) in found.items()} for each, found in own.items()
        },
        came={each: largest(found[cases.models[0]][1], 1) for each, found in own.items()},
        before={
            each: np.where(np.isfinite(found), found, np.nan) for each, found in past.items() if cases.sees_targets
        },
        labels=[str(label) for label in data["label"].values[cases.numbers(0)]] if "label" in data else [],
        classes=list(data.attrs.get("classes", ())),
    )


def _relative(tallies: dict[str, Tally], name: str) -> np.ndarray:
    """Return the logarithm of each sample's CRPS, over persistence's where there is some; NaN where it has none."""
    (score,) = (each for each in tallies[name].scores if each.name == "crps")
    own = tallies[name].per_sample(score)
    other = tallies["persistence"].per_sample(score) if "persistence" in tallies else np.ones_like(own)
    known = (own > 0) & (other > 0)
    return np.log(np.where(known, own, np.nan) / np.where(known, other, 1.0))


def _paired(forecasts: Sequence[Path], truth: Any, scratch: Path, variables: Sequence[str]) -> list[Path]:
    """Write every forecast with its truth into the folder ``scratch``, and return the files."""
    written = []
    for k, path in enumerate(forecasts):
        own = scratch / str(k) / f"{stem(path)}.zarr"
        own.parent.mkdir()
        for remark in as_forecast(path, truth, own, variables=variables):
            note(remark)
        written.append(own)
    return written


def score(
    ensemble: Any,
    truth: Any,
    *,
    cadence: float | None = None,
    unit: str = "",
    data_range: float | Sequence[float] | None = None,
    thresholds: Sequence[float] = (),
    scores: Sequence[Score] = (),
    quantities: Sequence[Quantity] = (),
    weights: Any = None,
    blocks: Sequence[str] | None = None,
    replicates: int = 1000,
    seed: int = 0,
) -> xr.Dataset:
    """Score an ensemble in memory.

    Args:
        ensemble: members as a NumPy array, a tensor or a DataArray, unit of the images; NaN where one has no value.
            ``[member, height, width]``, ``[member, time, height, width]``, ``[member, channel, time, height, width]``
            or ``[sample, member, channel, time, height, width]``. A DataArray with the dimensions of a forecast file
            (``sample``, ``member``, ``channel``, ``lead_time``, ``y``, ``x``) may have them in any order and lack any
            but ``y`` and ``x``; coordinates that both have must be the same, in any order.
        truth: observed values, likewise without members; NaN where unknown. It is converted to the attribute ``units``
            of the ensemble where both have one.
        cadence: seconds between frames; by default from the ensemble's ``lead_time``, or 3600 where it has none.
        unit: of the images. A DataArray's attribute ``units`` by default.
        data_range: range of values, for PSNR and SSIM, for each channel; by default from the 0.1 to the
            99.9 percentile of the truth.
        thresholds: values whose exceedance is scored as an event.
        scores: scores in addition to those of the catalogue.
        quantities: derived quantities in addition to those of the catalogue.
        weights: of the pixels, ``[height, width]`` or broadcast to it, such as ``cos(latitude)[:, None]``, or a
            DataArray with the dimensions ``y``, ``x`` or both, which is arranged by its coordinates.
        blocks: the block of each sample, for the intervals; each sample is one by default.
        replicates: number of bootstrap draws.
        seed: random seed of the draws.

    Returns:
        Each score as a variable, ``NAME_by_lead`` by lead time, ``NAME_interval`` with its bootstrap intervals (NaN
        for one sample), ``coverage`` of the central intervals of derived quantities.

    Raises:
        ConfigError: the shapes do not fit.
        DataError: there is no pixel that can be scored, or the truth is in a unit that cannot be converted.
    """
    members, observed = _arrays(ensemble, truth)
    leads = _lead_times(ensemble, members.shape[3], cadence)
    unit = unit or str(getattr(ensemble, "attrs", {}).get("units", ""))
    valid = ~torch.isnan(observed)
    valid &= (~torch.isnan(members)).sum(1) >= min(2, members.shape[1])
    if not valid.any():
        raise DataError("there is no pixel where the truth and the ensemble are known: nothing can be scored")
    limits = tuple(sorted({float(value) for value in thresholds}))
    size = (members.shape[-2], members.shape[-1])
    measured = _measured(quantities_of(find_domain({}, unit=unit, channels=())), quantities, limits, unit)
    entries = _entries(scores, measured, limits, size, by_channel(unit, observed.shape[1]))
    several = observed.shape[1] > 1
    climate = Climate.of([own[torch.isfinite(own)].numpy() for own in observed.unbind(1)])
    if data_range is not None:
        climate = replace(climate, data_range=np.full(observed.shape[1], data_range, np.float64))
    shared = climate.judged(_areas(weights, size, like=ensemble if isinstance(ensemble, xr.DataArray) else truth))
    tally = Tally(members=members.shape[1], scores=entries, thresholds=limits, scale=climate.scale if several else None)
    for one, came, judged in zip(members, observed, valid, strict=True):
        known = torch.where(judged, came, torch.nan)
        tally.record(Judged(members=one, truth=known, cadence=spacing(leads), quantities=measured, **shared))
    bootstrap = Bootstrap(blocks or [str(k) for k in range(len(members))], replicates=replicates, seed=seed)
    draws = draw_scores(tally, entries, bootstrap)
    found = ForecastScores(**forecast_scores(tally, bootstrap, draws=draws, kind="model", label="forecast"))
    return to_dataset(
        {"forecast": found},
        {entry.name: score_info(entry, unit) for entry in entries},
        {quantity.name: quantity_info(quantity, unit) for quantity in measured},
        lead_times_h=[seconds / 3600 for seconds in leads],
        wavelengths_px=(min(size) / np.arange(1, min(size) // 2 + 1)).tolist(),
    ).isel(forecast=0, drop=True)


def _measured(
    known: Sequence[Quantity], quantities: Sequence[Quantity], thresholds: Sequence[float], unit: str
) -> tuple[Quantity, ...]:
    """Return the derived quantities of an evaluation: the catalogue's, those of thresholds, the user's."""
    above = [make(value, unit) for value in thresholds for make in (area_above, volume_above)]
    return _joined((*known, *above), quantities)


def _calibrated(cases: Cases) -> list[Quantity]:
    """Return the totals in the calibration of a forecast, whatever its kind of data."""
    known = {quantity.name for quantity in cases.quantities}
    scales = [calibration.scales for source in cases.sources if (calibration := source.recalibration[0]) is not None]
    return [entry for entry in QUANTITIES if entry.name not in known and any(entry.name in names for names in scales)]


def _entries(
    scores: Sequence[Score],
    quantities: tuple[Quantity, ...],
    thresholds: Sequence[float],
    size: tuple[int, int],
    units: Sequence[str],
) -> tuple[Score, ...]:
    events = [score for value in thresholds for score in event_scores(value, size)]
    return _joined((*SCORES, *vector_scores(units), *quantity_scores(quantities), *events), scores)


def _joined(own: Sequence[Entry], others: Sequence[Entry]) -> tuple[Entry, ...]:
    """Return all entries; of two that have the same name the later one."""
    return tuple({entry.name: entry for entry in (*own, *others)}.values())


def _arrays(ensemble: Any, truth: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ``[sample, member, channel, time, height, width]`` and the same without members."""
    dims = ("sample", "member", "channel", "lead_time", "y", "x")
    without = tuple(name for name in dims if name != "member")
    members, observed = _ordered(ensemble, dims), _ordered(_aligned(truth, ensemble), without)
    if members.shape[:1] + members.shape[2:] != observed.shape:
        raise ConfigError(
            f"the ensemble is {_text(ensemble)} and the truth {_text(truth)}: the truth must have the shape of the "
            "ensemble without members ([member, height, width] up to [sample, member, channel, time, height, width])"
        )
    return members, observed


def _lead_times(ensemble: Any, frames: int, cadence: float | None) -> list[float]:
    """Return the seconds to each frame: at the ``cadence``, or those of the ensemble."""
    if cadence is None and isinstance(ensemble, xr.DataArray) and "lead_time" in ensemble.coords:
        leads = np.atleast_1d(ensemble["lead_time"].values)
        unit = str(ensemble["lead_time"].attrs.get("units", ""))
        numbered = not unit and leads.dtype.kind in "iu" and np.array_equal(leads - leads[0], np.arange(frames))
        if (np.diff(leads) <= np.zeros(1, np.diff(leads).dtype)).any():
            raise ConfigError("lead_time does not increase: sort the ensemble and the truth by lead_time")
        if leads.dtype.kind == "m":
            return (leads / np.timedelta64(1, "ns") / 1e9).tolist()
        if not numbered:
            try:
                return (leads * seconds_in(unit)).tolist()
            except DataError:
                raise ConfigError(
                    f"lead_time is in {unit or 'no unit'}: give its unit of time as the attribute units, or cadence"
                ) from None
    return [(k + 1) * (3600.0 if cadence is None else cadence) for k in range(frames)]


def _aligned(truth: Any, ensemble: Any) -> Any:
    """Return the truth with the coordinates of the ensemble, in its order, and in its unit."""
    if not isinstance(truth, xr.DataArray) or not isinstance(ensemble, xr.DataArray):
        return truth
    own, wanted = (str(array.attrs.get("units", "")) for array in (truth, ensemble))
    if own and wanted and not same_unit(own, wanted):
        truth = truth.copy(data=convert(as_float32(truth.values), own, wanted))
    return _selected(truth, ensemble, "truth")


def _selected(array: xr.DataArray, like: xr.DataArray, name: str) -> xr.DataArray:
    """Return what an ``array``, with a ``name`` for errors, has at the coordinates of ``like``, in their order."""
    for dim in set(array.dims) & set(like.dims) & set(array.coords) & set(like.coords):
        if not np.array_equal(array[dim].values, like[dim].values):
            if missing := sorted(set(like[dim].values.tolist()) - set(array[dim].values.tolist())):
                raise DataError(
                    f"{name}: there is no {dim} {missing[0]}, which the ensemble has: framecast does not interpolate"
                )
            array = array.sel({dim: like[dim].values})
    for place in sorted(map(str, set(array.coords) & set(like.coords) - set(array.dims))):
        own, wanted = array[place], like[place]
        if not wanted.dims or set(own.dims) != set(wanted.dims) or not set(own.dims) <= {"y", "x"}:
            continue
        own = own.transpose(*wanted.dims)
        if own.shape == wanted.shape and not np.allclose(own, wanted, rtol=0, atol=1e-3, equal_nan=True):
            raise DataError(f"{name}: {place} differs from that of the ensemble: put rows and columns in its order")
    return array


def _ordered(array: Any, dims: tuple[str, ...]) -> torch.Tensor:
    """Return an array with all of ``dims``, those that it lacks of length one."""
    if isinstance(array, xr.DataArray):
        if unknown := [str(name) for name in array.dims if name not in dims]:
            raise ConfigError(f"dimension {unknown[0]!r} is unknown here: use {', '.join(dims)}")
        array = array.expand_dims([name for name in dims if name not in array.dims]).transpose(*dims).values
    elif isinstance(array, torch.Tensor):
        array = array.detach().cpu().numpy()
    values = torch.from_numpy(np.ascontiguousarray(as_float32(array)))
    lacking, shape = [1] * (len(dims) - values.ndim), list(values.shape)
    # NumPy arrays lack leading axes: sample, then channel, then time; members come before the latter two.
    before = [1, shape.pop(0), *lacking[1:]] if "member" in dims and lacking else lacking
    return finite_tensor(values.reshape(*before, *shape))


def _areas(weights: Any, size: tuple[int, int], *, like: Any) -> np.ndarray | None:
    """Return the weights of the pixels with a mean of 1, a DataArray by the names and coordinates of ``like``."""
    if weights is None:
        return None
    if isinstance(weights, xr.DataArray):
        if unknown := [str(name) for name in weights.dims if name not in ("y", "x")]:
            raise ConfigError(f"dimension {unknown[0]!r} of the weights is unknown here: use y and x")
        weights = _selected(weights, like, "weights") if isinstance(like, xr.DataArray) else weights
        weights = weights.transpose("y", "x", missing_dims="ignore")
        weights = weights.expand_dims("x", axis=-1) if weights.dims == ("y",) else weights
    values = np.asarray(getattr(weights, "values", weights), np.float64)
    if not (np.isfinite(values).all() and values.min() >= 0 and values.max() > 0):
        raise ConfigError("weights of the pixels are finite numbers of at least 0, not all of them 0")
    try:
        return np.broadcast_to(values / values.mean(), size).copy()
    except ValueError:
        raise ConfigError(f"weights are {_text(values)} and a frame {_text(np.empty(size))}") from None


def _text(array: Any) -> str:
    return " × ".join(map(str, np.shape(array)))
