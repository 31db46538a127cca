"""The tables of the report: rows of figures with their intervals, one column for each forecast."""

from collections.abc import Sequence
from dataclasses import dataclass

from framecast.reports.charts import shown
from framecast.reports.style import Look
from framecast.reports.wording import Clock, counted, inline, percent, short, span, with_unit
from framecast.verification.results import Comparison, ScoreResult, Scores
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
    """A row of a table; the hint says in a few words how to read it."""

    label: str
    hint: str
    cells: list[Cell]


@dataclass(frozen=True)
class Column:
    """The head of a column; models are highlighted."""

    text: str
    model: bool = False


@dataclass(frozen=True)
class Table:
    """A table with a title; the first column names the rows."""

    title: str
    columns: list[Column]
    rows: list[Row]

    @classmethod
    def of(cls, title: str, columns: Sequence[str | Column], rows: list[Row]) -> "Table | None":
        """Return a table, or nothing without rows."""
        heads = [Column(each) if isinstance(each, str) else each for each in columns]
        return cls(title, heads, rows) if rows else None


_NOTHING = Cell("–")

LEVEL = 90
"""The central intervals in tables and sentences, in percent."""


def _cell(figure: Estimate | ScoreResult | Comparison | None, *, as_percent: bool = False, verdict: str = "") -> Cell:
    """Return a figure, of a score or skill the total, with its interval; a dash where there is none."""
    if figure is None:
        return _NOTHING
    estimate = figure if isinstance(figure, Estimate) else figure.total
    text = percent(estimate) if as_percent else short(estimate)
    return Cell(text, span(estimate.bounds(), as_percent=as_percent), verdict)


def _columns(scores: Scores, looks: dict[str, Look]) -> list[Column]:
    return [Column(look.label, name in scores.models) for name, look in looks.items()]


def headline(scores: Scores, looks: dict[str, Look]) -> Table | None:
    """Return the table of the scores that matter most, models first."""
    forecasts = [scores[name] for name in looks]

    rows = []
    for name, info in scores.score_info.items():
        if info.shown:
            own = [None if info.ensembles and each.point else each[name].total for each in forecasts]
            rows.append(Row(with_unit(info.label, info.unit), info.hint, list(map(_cell, own))))
    for name in scores.headline:
        held = [None if each.point else each.quantities[name].intervals[LEVEL].coverage for each in forecasts]
        text = f"{LEVEL} % intervals: {inline(scores.quantity_info[name].label)}"
        rows.append(Row(text, "observed coverage", [_cell(each, as_percent=True) for each in held]))
    for name in scores.baselines:
        text = f"CRPS skill against {inline(looks[name].label)}"
        skills = [(each.kind, each.skill[name]["crps"] if name in each.skill else None) for each in forecasts]
        cells = [
            _cell(own, as_percent=True, verdict=own.verdict if own and kind == "model" else "") for kind, own in skills
        ]
        rows.append(Row(text, "1 − CRPS ratio", cells))
    if any(each.oracle_skill is not None for each in forecasts):
        cells = [
            Cell("100 %") if each.kind == "oracle" else _cell(each.oracle_skill, as_percent=True) for each in forecasts
        ]
        rows.append(Row("Fraction of attainable skill", "0: persistence, 100 %: oracle", cells))
    title = f"{counted(scores.judged_samples, 'sample')}, all pixels and lead times"
    return Table.of(title, ["small: 95 % interval", *_columns(scores, looks)], rows)


def by_channel(scores: Scores, looks: dict[str, Look]) -> Table | None:
    """Return the shown scores of each of several channels, in their own unit."""
    rows = []
    for name, info in scores.score_info.items():
        units = by_channel_units(scores.unit, len(scores.channels))
        for k, channel in enumerate(scores.channels if info.shown else ()):
            unit = units[k] if info.unit == SCALED else info.unit
            results = [scores[look].scores[name].by_channel for look in looks]
            if any(result is not None for result in results):
                cells = [_cell(own and own.at(k)) for own in results]
                rows.append(Row(f"{with_unit(info.label, unit)}: {channel}", info.hint, cells))
    return Table.of("Scores by channel", ["", *_columns(scores, looks)], rows)


def strata(scores: Scores, looks: dict[str, Look]) -> Table | None:
    """Return the CRPS of each forecast in every part, and the skill of the models against the strongest baseline."""
    reference, rows = scores.strongest, []
    columns = ["", *(f"CRPS: {look.label}" for look in looks.values())]
    if reference is not None:
        columns += [f"Skill of {looks[name].label} against {inline(looks[reference].label)}" for name in scores.models]
    for part in scores.strata:
        cells = [_cell(part.scores[name]["crps"]) for name in looks]
        if reference is not None:
            cells += [_cell(part.skill[name][reference], as_percent=True) for name in scores.models]
        rows.append(Row(part.name, counted(part.samples, "sample"), cells))
    return Table.of("Stratified scores", columns, rows)


def compared(scores: Scores, looks: dict[str, Look]) -> Table | None:
    """Return the paired differences of each model with every forecast after it, with verdicts."""
    names, rows = shown(scores), []
    for pair in scores.differences:
        if pair.first not in scores.models:
            continue
        cells = [_difference(pair.scores[name], scores[pair.second][name].value) for name in names]
        if any(cell is not _NOTHING for cell in cells):
            rows.append(Row(f"{looks[pair.first].label} against {looks[pair.second].label}", "", cells))
    columns = ["negative: the first is better", *(scores.score_info[name].label for name in names)]
    return Table.of("Change of each score, in percent of the second forecast's", columns, rows)


def quantities(scores: Scores, looks: dict[str, Look]) -> Table | None:
    """Return the scores of derived quantities, one row for each quantity and forecast; None for several units."""
    if len(set(by_channel_units(scores.unit, len(scores.channels)))) > 1:
        return None
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
    return Table.of("Derived quantities", columns, rows)


def events(scores: Scores, looks: dict[str, Look]) -> Table | None:
    """Return the scores of each event and the Brier skill against the baselines, one row for each forecast."""
    references, rows = scores.baselines, []
    columns = ["", "Brier score", "ROC area", "CRPS above it", "CSI", "POD", "FAR"]
    columns += [f"Brier skill against {inline(looks[name].label)}" for name in references]
    for threshold in scores.thresholds:
        for name, look in looks.items():
            found, key = scores[name], f"brier_{threshold:g}"
            others = [found.scores.get(f"{kind}_{threshold:g}") for kind in ("twcrps", "csi", "pod", "far")]
            cells = [_cell(each) for each in (found[key], found.events[f"{threshold:g}"].roc_area, *others)]
            cells += [_cell(found.skill.get(other, {}).get(key), as_percent=True) for other in references]
            rows.append(Row(f"≥ {threshold:g} {scores.unit}: {look.label}", "", cells))
    title = "Forecasts of thresholds, with a warning where half of the members reach it"
    return Table.of(title, columns, rows)


def occurrences(scores: Scores) -> Table | None:
    """Return the scores of event forecasts, one row for each event and forecast."""
    rows = []
    for each in scores.occurrences:
        for own in each.forecasts.values():
            hits, alarms, misses, negatives = own.table
            rows.append(
                Row(
                    f"{each.event}: {own.label}",
                    f"{each.happened} of {counted(each.windows, 'window')}",
                    [
                        _cell(own.brier),
                        *(_cell(own.skill.get(other), as_percent=True) for other in ("climatology", "activity")),
                        *map(_cell, (own.roc_area, own.tss, own.hss)),
                        Cell(f"{hits} / {alarms} / {misses} / {negatives}"),
                        *(_cell(own.by_activity.get(level)) for level in ("low", "medium", "high")),
                    ],
                )
            )
    columns = ["", "Brier score", "skill against climatology", "skill against persistence of activity", "ROC area"]
    columns += ["TSS", "HSS", "hits / false alarms / misses / correct negatives"]
    columns += [f"Brier score, {level} activity" for level in ("low", "medium", "high")]
    return Table.of("Events within the horizon", columns, rows)


def _difference(entry: Comparison, size: float) -> Cell:
    """Return the relative difference, its interval and its verdict in a word."""
    if not entry.total.certain or not size or size != size:
        return _NOTHING
    return Cell(
        f"{percent(float(entry.total) / size, signed=True)} {entry.verdict}",
        span(sorted(entry.total.bounds() / size), as_percent=True),
        entry.verdict,
    )
