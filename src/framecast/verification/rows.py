"""The results as tables: every score in long form, one row per sample, and an xarray dataset."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from framecast.core.text import plain_row
from framecast.verification.cases import Cases
from framecast.verification.catalogue import Score
from framecast.verification.results import ForecastScores, QuantityInfo, ScoreInfo, Scores
from framecast.verification.scores import Bootstrap, Estimate
from framecast.verification.tally import Tally

_LEVELS = Bootstrap.LEVELS


@dataclass(frozen=True, kw_only=True)
class SampleScores:
    """Scores of one sample.

    Attributes:
        index: number of the sample.
        sequence: its sequence.
        issue_time: time of the last past frame, ISO 8601; elapsed time if there are no dates.
        truth: mean absolute value of the observations; NaN where nothing is scored.
        forecasts: name of the forecast -> name of the score -> its value in this sample, NaN likewise.
    """

    index: int
    sequence: str
    issue_time: str
    truth: float
    forecasts: dict[str, dict[str, float]]


def sample_scores(cases: Cases, tallies: Mapping[str, Tally], scores: Sequence[Score]) -> list[SampleScores]:
    """Return the scores of each sample that are one number for each."""
    single = [score for score in scores if not score.spectral]
    truth = next(iter(tallies.values())).mean_truth()
    values = {name: {s.name: tally.per_sample(s) for s in single} for name, tally in tallies.items()}
    return [
        SampleScores(
            index=k,
            sequence=cases.sequences[k],
            issue_time=cases.calendar.iso(cases.issue_times[k]),
            truth=float(truth[k]),
            forecasts={
                name: {score: float(column[k]) for score, column in own.items()} for name, own in values.items()
            },
        )
        for k in range(len(cases))
    ]


def sample_rows(samples: Sequence[SampleScores]) -> list[dict[str, Any]]:
    """Return one row per sample: its sequence, the mean absolute observation, and ``SCORE FORECAST`` of each score."""
    return [
        {
            "sample": sample.index,
            "sequence": sample.sequence,
            "issue_time": sample.issue_time,
            "truth": _number(sample.truth),
            **{
                f"{score} {name}": _number(value)
                for name, values in sample.forecasts.items()
                for score, value in values.items()
            },
        }
        for sample in samples
    ]


def score_rows(scores: Scores) -> list[dict[str, Any]]:
    """Return every score in long form: forecast, the one it is compared with, score, lead time, value and intervals."""
    return [row for name in scores.forecasts for row in _forecast_rows(scores, name)] + [
        row
        for pair in scores.differences
        for score, found in pair.scores.items()
        for row in _rows(scores, pair.first, pair.second, f"{score}_difference", found.total, found.by_lead)
    ]


def as_csv(rows: Sequence[dict[str, Any]]) -> str:
    """Return rows of one kind as CSV text with a header."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(plain_row, rows))
    return stream.getvalue()


def to_dataset(
    forecasts: Mapping[str, ForecastScores],
    score_info: Mapping[str, ScoreInfo],
    quantity_info: Mapping[str, QuantityInfo],
    *,
    lead_times_h: Sequence[float],
    wavelengths_px: Sequence[float],
) -> xr.Dataset:
    """Return the scores as variables along ``forecast``, with ``NAME_by_lead`` along ``lead_time``.

    ``NAME_interval`` has the bootstrap intervals along ``interval`` (percent) and ``bound``; ``coverage`` is that of
    the central intervals of each ``quantity`` and ``level`` (percent). Spectral scores have a dimension
    ``wavelength`` (pixels per wave).
    """
    data: dict[str, xr.Variable] = {}
    for name, info in score_info.items():
        attrs = {"long_name": info.label, "units": info.unit, "better": info.better or "none"}
        found = [forecast.scores[name] for forecast in forecasts.values()]
        spectral = ("wavelength",) if found[0].total.value.ndim else ()
        data |= _variables(name, [result.total for result in found], spectral, attrs)
        by_lead = [result.by_lead for result in found if result.by_lead is not None]
        if by_lead:
            data |= _variables(f"{name}_by_lead", by_lead, ("lead_time", *spectral), attrs)
    coords: dict[str, Any] = {
        "forecast": list(forecasts),
        "lead_time": ("lead_time", list(lead_times_h), {"units": "h"}),
        "wavelength": ("wavelength", list(wavelengths_px), {"units": "px"}),
        "interval": list(_LEVELS),
        "bound": ["low", "high"],
    }
    if quantity_info:
        held = [
            [[own.coverage for own in quantity.intervals.values()] for quantity in forecast.quantities.values()]
            for forecast in forecasts.values()
        ]
        dims = ("forecast", "quantity", "level")
        about = {"long_name": "coverage of central intervals"}
        values = [[[float(each) for each in levels] for levels in own] for own in held]
        data["coverage"] = xr.Variable(dims, np.array(values), about)
        ends = [[[[each.bounds(k) for k in _LEVELS] for each in levels] for levels in own] for own in held]
        data["coverage_interval"] = xr.Variable((*dims, "interval", "bound"), np.array(ends))
        levels = next(iter(next(iter(forecasts.values())).quantities.values())).intervals
        coords |= {"quantity": list(quantity_info), "level": list(levels)}
    return xr.Dataset(data, coords=coords)


def _variables(
    name: str, estimates: Sequence[Estimate], dims: tuple[str, ...], attrs: dict[str, str]
) -> dict[str, xr.Variable]:
    ends = np.stack([[estimate.bounds(level) for level in _LEVELS] for estimate in estimates])
    return {
        name: xr.Variable(("forecast", *dims), np.stack([estimate.value for estimate in estimates]), attrs),
        f"{name}_interval": xr.Variable(("forecast", "interval", "bound", *dims), ends),
    }


def _forecast_rows(scores: Scores, name: str) -> Iterator[dict[str, Any]]:
    found = scores.forecasts[name]
    for score, result in found.scores.items():
        if not result.total.value.ndim:
            yield from _rows(scores, name, "", score, result.total, result.by_lead)
    for quantity, entry in found.quantities.items():
        for level, intervals in entry.intervals.items():
            yield _row(name, "", f"coverage_{quantity}_{level}", "", intervals.coverage)
    for other, skills in found.skill.items():
        for score, skill in skills.items():
            yield from _rows(scores, name, other, f"{score}_skill", skill.total, skill.by_lead)
    if found.oracle_skill is not None:
        yield _row(name, "oracle", "oracle_skill", "", found.oracle_skill)


def _rows(
    scores: Scores, name: str, other: str, score: str, total: Estimate, by_lead: Estimate | None
) -> Iterator[dict[str, Any]]:
    yield _row(name, other, score, "", total)
    if by_lead is not None:
        yield from (_row(name, other, score, lead, by_lead.at(k)) for k, lead in enumerate(scores.lead_times_h))


def _row(name: str, other: str, score: str, lead: float | str, estimate: Estimate) -> dict[str, Any]:
    row = {"forecast": name, "against": other, "score": score, "lead_time_h": lead, "value": _number(estimate.value)}
    for level in _LEVELS:
        row[f"low_{level}"], row[f"high_{level}"] = (_number(end) for end in estimate.bounds(level))
    return row


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
