"""The tables of the report: rows of figures with their intervals, one column for each forecast."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from framecast.reports.charts import shown
from framecast.reports.clock import Clock
from framecast.reports.style import Look
from framecast.reports.wording import counted, inline, percent, short, span, with_unit
from framecast.verification.results import Comparison, ForecastScores, Scores
from framecast.verification.scores import Estimate
from framecast.verification.summary import SCALED
from framecast.videos.units import by_channel as by_channel_units


@dataclass(frozen=True)
class Cell:
    """A figure, its interval, and whether it is better or worse than what it is compared with."""

    text: str
    range: str = ""
    verdict: str = ""


@dataclass(frozen=True)
class Row:
    """A line of a table; the hint says in a word how to read it."""

    label: str
    hint: str
    cells: list[Cell]


@dataclass(frozen=True)
class Column:
    """The head of a column; a model's is set off from the baselines'."""

    text: str
    model: bool = False


@dataclass(frozen=True)
class Table:
    """A table with a title; the first column names the rows."""

    title: str
    columns: list[Column]
    rows: list[Row]


_NOTHING = Cell("–")

LEVEL = 90
"""The central intervals in tables and sentences, in percent."""


def headline(scores: Scores, looks: dict[str, Look]) -> Table:
    """Return the table of the scores that matter most, models first."""

    def row(text: str, hint: str, cell: Callable[[ForecastScores], Cell]) -> Row:
        return Row(text, hint, [cell(scores[name]) for name in looks])

    def figure(name: str) -> Callable[[ForecastScores], Cell]:
        def cell(found: ForecastScores) -> Cell:
            if scores.score_info[name].ensembles and found.point:
                return _NOTHING
            return Cell(short(found[name].total), span(found[name].total.bounds()))

        return cell

    def coverage(quantity: str) -> Callable[[ForecastScores], Cell]:
        def cell(found: ForecastScores) -> Cell:
            held = found.quantities[quantity].intervals[LEVEL].coverage
            return _NOTHING if found.point else Cell(percent(held), span(held.bounds(), as_percent=True))

        return cell

    def skill(other: str) -> Callable[[ForecastScores], Cell]:
        def cell(found: ForecastScores) -> Cell:
            if other not in found.skill:
                return _NOTHING
            entry = found.skill[other]["crps"]
            verdict = entry.verdict if found.kind == "model" else ""
            return Cell(percent(entry.total), span(entry.total.bounds(), as_percent=True), verdict)

        return cell

    def attainable(found: ForecastScores) -> Cell:
        if found.oracle_skill is None:
            return Cell("100 %") if found.kind == "oracle" else _NOTHING
        return Cell(percent(found.oracle_skill), span(found.oracle_skill.bounds(), as_percent=True))

    rows = [
        row(with_unit(info.label, info.unit), info.hint, figure(name))
        for name, info in scores.score_info.items()
        if info.shown
    ]
    rows += [
        row(f"{LEVEL} % intervals: {inline(scores.quantity_info[name].label)}", "observed coverage", coverage(name))
        for name in scores.headline
    ]
    rows += [
        row(f"CRPS skill against {inline(looks[name].label)}", "1 − CRPS ratio", skill(name))
        for name in scores.baselines
    ]
    if any(found.oracle_skill is not None for found in scores.forecasts.values()):
        rows.append(row("Fraction of attainable skill", "0: persistence, 100 %: oracle", attainable))
    columns = [Column("small: 95 % interval")]
    columns += [Column(look.label, name in scores.models) for name, look in looks.items()]
    return Table(f"{counted(scores.judged_samples, 'sample')}, all pixels and lead times", columns, rows)


def by_channel(scores: Scores, looks: dict[str, Look]) -> Table | None:
    """Return the shown scores of each of several channels, in their own unit."""
    rows = []
    for name, info in scores.score_info.items():
        units = by_channel_units(scores.unit, len(scores.channels))
        for k, channel in enumerate(scores.channels if info.shown else ()):
            unit = units[k] if info.unit == SCALED else info.unit
            results = [scores[look].scores[name].by_channel for look in looks]
            if any(result is not None for result in results):
                cells = [
                    _NOTHING if own is None else Cell(short(own.at(k)), span(own.at(k).bounds())) for own in results
                ]
                rows.append(Row(f"{with_unit(info.label, unit)}: {channel}", info.hint, cells))
    columns = [Column(""), *(Column(look.label, name in scores.models) for name, look in looks.items())]
    return Table("Each channel by itself", columns, rows) if rows else None


def strata(scores: Scores, looks: dict[str, Look]) -> Table | None:
    """Return the CRPS of each forecast in every part, and the skill of the models against the strongest baseline."""
    reference, rows = scores.strongest, []
    columns = ["", *(f"CRPS: {look.label}" for look in looks.values())]
    if reference is not None:
        columns += [f"Skill of {looks[name].label} against {inline(looks[reference].label)}" for name in scores.models]
    for part in scores.strata:
        found = [part.scores[name]["crps"] for name in looks]
        cells = [Cell(short(own), span(own.bounds())) for own in found]
        if reference is not None:
            skills = [part.skill[name][reference] for name in scores.models]
            cells += [Cell(percent(own), span(own.bounds(), as_percent=True)) for own in skills]
        rows.append(Row(part.name, counted(part.samples, "sample"), cells))
    return Table("Parts of what is judged", [Column(text) for text in columns], rows) if rows else None


def compared(scores: Scores, looks: dict[str, Look]) -> Table | None:
    """Return the paired differences of each model with every forecast after it, with verdicts."""
    names, rows = shown(scores), []
    for pair in scores.differences:
        if pair.first not in scores.models:
            continue
        cells = [_difference(pair.scores[name], scores[pair.second][name].value) for name in names]
        if any(cell is not _NOTHING for cell in cells):
            rows.append(Row(f"{looks[pair.first].label} against {looks[pair.second].label}", "", cells))
    if not rows:
        return None
    columns = [Column("negative: the first is better"), *(Column(scores.score_info[name].label) for name in names)]
    return Table("Change of each score, in percent of the second forecast's", columns, rows)


def quantities(scores: Scores, looks: dict[str, Look]) -> Table | None:
    """Return how well derived quantities are forecast, one row for each quantity and forecast."""
    columns = ["", "Error of the median", f"{LEVEL} % interval, ±", "Coverage", f"Interval score ({LEVEL} %)"]
    clock = Clock.of(3600 * scores.lead_times_h[-1])
    rows = []
    for quantity in scores.headline:
        info = scores.quantity_info[quantity]
        for name, look in looks.items():
            entry = scores[name].quantities[quantity]
            interval = entry.intervals[LEVEL]
            if info.relative:
                error, half = percent(entry.relative_mae), percent(interval.relative_half_width)
                score = short(interval.interval_score)
            else:
                error, half, score = (
                    f"{short(clock.number(3600 * value))} {clock.unit}" if info.unit == "h" else short(value)
                    for value in (entry.mae, interval.half_width, interval.interval_score)
                )
            cells = [Cell(error), Cell(half), Cell(percent(interval.coverage)), Cell(score)]
            cells = [cells[0], *[_NOTHING] * 3] if scores[name].point else cells
            rows.append(Row(f"{info.label}: {look.label}", "", cells))
    return Table("Derived quantities", [Column(text) for text in columns], rows) if rows else None


def events(scores: Scores, looks: dict[str, Look]) -> Table | None:
    """Return the scores of each event and the Brier skill against the baselines, one row for each forecast."""
    references, rows = scores.baselines, []
    columns = [
        "",
        "Brier score",
        "ROC area",
        "CRPS above it",
        "CSI",
        "POD",
        "FAR",
        *(f"Brier skill against {inline(looks[name].label)}" for name in references),
    ]
    for threshold in scores.thresholds:
        for name, look in looks.items():
            found, key = scores[name], f"brier_{threshold:g}"
            skills = [found.skill.get(other, {}).get(key) for other in references]
            others = [found.scores.get(f"{kind}_{threshold:g}") for kind in ("twcrps", "csi", "pod", "far")]
            cells = [
                _NOTHING if own is None else Cell(short(own), span(own.bounds()))
                for own in (
                    found[key].total,
                    found.events[f"{threshold:g}"].roc_area,
                    *(None if other is None else other.total for other in others),
                )
            ]
            cells += [
                _NOTHING if skill is None else Cell(percent(skill.total), span(skill.total.bounds(), as_percent=True))
                for skill in skills
            ]
            rows.append(Row(f"≥ {threshold:g} {scores.unit}: {look.label}", "", cells))
    title = "Forecasts of thresholds, with a warning where half of the members reach it"
    return Table(title, [Column(text) for text in columns], rows) if rows else None


def occurrences(scores: Scores) -> Table | None:
    """Return how well it is forecast whether events happen, one row for each event and forecast."""

    def cell(estimate: Estimate | None, *, as_percent: bool = False) -> Cell:
        if estimate is None or not np.isfinite(estimate.value):
            return _NOTHING
        return Cell(
            percent(estimate) if as_percent else short(estimate), span(estimate.bounds(), as_percent=as_percent)
        )

    rows = []
    for each in scores.occurrences:
        for own in each.forecasts.values():
            hits, alarms, misses, negatives = own.table
            rows.append(
                Row(
                    f"{each.event}: {own.label}",
                    f"{each.happened} of {counted(each.windows, 'window')}",
                    [
                        cell(own.brier),
                        *(cell(own.skill.get(other), as_percent=True) for other in ("climatology", "activity")),
                        cell(own.roc_area),
                        cell(own.tss),
                        cell(own.hss),
                        Cell(f"{hits} / {alarms} / {misses} / {negatives}"),
                        *(cell(own.by_activity.get(level)) for level in ("low", "medium", "high")),
                    ],
                )
            )
    columns = ["", "Brier score", "skill against climatology", "skill against persistence of activity", "ROC area"]
    columns += ["TSS", "HSS", "hits / false alarms / misses / correct negatives"]
    columns += [f"Brier score, {level} activity" for level in ("low", "medium", "high")]
    return Table("Whether events happen within the horizon", [Column(text) for text in columns], rows) if rows else None


def _difference(entry: Comparison, size: float) -> Cell:
    """Return the relative difference, its interval and its verdict in a word."""
    if not entry.total.certain or not size or size != size:
        return _NOTHING
    return Cell(
        f"{percent(float(entry.total) / size, signed=True)} {entry.verdict}",
        span(sorted(entry.total.bounds() / size), as_percent=True),
        entry.verdict,
    )
