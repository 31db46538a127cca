"""The tables of the report: rows of figures with their intervals, one column for each forecast."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from framecast.reports.clock import Clock
from framecast.reports.style import QUANTITIES, Look
from framecast.reports.wording import counted, percent, short, span

Scores = dict[str, Any]
Found = dict[str, Any]


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
    rows: list[Row] = field(default_factory=list)


_NOTHING = Cell("–")


def headline(scores: Scores, looks: dict[str, Look]) -> Table:
    """Return the table of the scores that matter most, models first."""
    forecasts = scores["forecasts"]
    unit = f" ({scores['unit']})" if scores["unit"] else ""

    def row(text: str, hint: str, cell: Callable[[Found], Cell]) -> Row:
        return Row(text, hint, [cell(forecasts[name]) for name in looks])

    def figure(key: str) -> Callable[[Found], Cell]:
        return lambda found: Cell(short(found[key]), span(found["confidence"][key]["95"]))

    def of_ensemble(cell: Callable[[Found], Cell]) -> Callable[[Found], Cell]:
        return lambda found: cell(found) if found["members"] > 1 else _NOTHING

    def coverage(quantity: str, level: str) -> Callable[[Found], Cell]:
        return of_ensemble(
            lambda found: Cell(
                percent(found["coverage"][quantity][level]),
                span(found["confidence"]["coverage"][quantity][level]["95"], as_percent=True),
            )
        )

    def skill(other: str) -> Callable[[Found], Cell]:
        def cell(found: Found) -> Cell:
            entry = found["skill"].get(other)
            if entry is None:
                return _NOTHING
            verdict = entry["verdict"] if found["kind"] == "model" else ""
            return Cell(percent(entry["value"]), span(entry["95"], as_percent=True), verdict)

        return cell

    def known(found: Found) -> Cell:
        if "oracle_skill" not in found:
            return Cell("100 %") if found["kind"] == "oracle" else _NOTHING
        return Cell(percent(found["oracle_skill"]["value"]), span(found["oracle_skill"]["95"], as_percent=True))

    rows = [
        row(f"CRPS{unit}", "fair, per pixel; lower is better", figure("crps")),
        row(f"RMSE{unit}", "of the ensemble mean", figure("rmse")),
        row(f"MAE{unit}", "of the ensemble mean", figure("mae")),
        row("Spread / error", "1 is reliable", of_ensemble(figure("spread_skill"))),
        row("SSIM of a member", "1 is identical", figure("member_ssim")),
        row(f"Flux CRPS{unit}", "sum over the image", figure("flux_crps")),
        row("Flux curve, warped (DTW)", "0 is identical", figure("flux_dtw")),
        row("Fluence in the 50 % interval", "50 % is reliable", coverage("fluence", "50")),
        row("Fluence in the 90 % interval", "90 % is reliable", coverage("fluence", "90")),
        row("Maximum flux in the 90 % interval", "90 % is reliable", coverage("mpf", "90")),
    ]
    rows += [
        row(f"Skill against {looks[name].label.lower()}", "1 − CRPS ratio", skill(name))
        for name in looks
        if any(name in found["skill"] for found in forecasts.values())
    ]
    if "oracle" in forecasts and "persistence" in forecasts:
        rows.append(row("Share of what can be known", "0: persistence, 100 %: oracle", known))
    columns = [Column("small: 95 % interval")]
    columns += [Column(look.label, name in scores["models"]) for name, look in looks.items()]
    return Table(f"{counted(scores['judged_samples'], 'sample')}, all pixels and lead times", columns, rows)


def compared(scores: Scores, looks: dict[str, Look]) -> Table | None:
    """Return the paired differences of each model with every forecast after it, with verdicts."""
    shown = {
        "crps": "CRPS",
        "rmse": "RMSE",
        "fluence_crps": "Fluence",
        "mpf_crps": "Maximum flux",
        "t2pf_crps": "Time of maximum",
    }
    rows = []
    for pair in scores["differences"]:
        if pair["first"] not in scores["models"]:
            continue
        second = scores["forecasts"][pair["second"]]
        cells = [_difference(pair["scores"][score], second[score]) for score in shown]
        if any(cell is not _NOTHING for cell in cells):
            rows.append(Row(f"{looks[pair['first']].label} against {looks[pair['second']].label}", "", cells))
    if not rows:
        return None
    columns = [Column("negative: the first is better"), *map(Column, shown.values())]
    return Table("Change of each score, in percent of the second forecast's", columns, rows)


def quantities(scores: Scores, looks: dict[str, Look]) -> Table:
    """Return how well the quantities that people decide on are forecast, one row for each quantity and forecast."""
    columns = ["", "Error of the median", "90 % interval, ±", "held", "Interval score (90 %)"]
    clock = Clock.of(3600 * scores["lead_times_h"][-1])
    rows = []
    for quantity, look in QUANTITIES.items():
        for name, drawn in looks.items():
            found = scores["forecasts"][name]
            entry = found["quantities"][quantity]
            if quantity == "t2pf":
                error = _time(clock, entry["mae"])
                half, score = (_time(clock, entry[key]["90"]) for key in ("half_width", "interval_score"))
            else:
                error, half = percent(entry["relative_mae"]), percent(entry["relative_half_width"]["90"])
                score = short(entry["interval_score"]["90"])
            ensemble = found["members"] > 1
            cells = [
                Cell(error),
                Cell(half if ensemble else "–"),
                Cell(percent(found["coverage"][quantity]["90"]) if ensemble else "–"),
                Cell(score if ensemble else "–"),
            ]
            rows.append(Row(f"{look.label}: {drawn.label}", "", cells))
    return Table("What people decide on", [Column(text) for text in columns], rows)


def events(scores: Scores, looks: dict[str, Look]) -> Table | None:
    """Return the Brier score of each event and its skill against the baselines, one row for each forecast."""
    references = [name for name in looks if any(name in found["skill"] for found in scores["forecasts"].values())]
    columns = ["", "Brier score", *(f"Brier skill against {looks[name].label.lower()}" for name in references)]
    rows = []
    for value in scores.get("thresholds", []):
        threshold = f"{value:g}"
        for name, drawn in looks.items():
            found = scores["forecasts"][name]["thresholds"][threshold]
            cells = [Cell(short(found["brier"]), span(found["confidence"]["brier"]["95"]))]
            for other in references:
                entry = found["brier_skill"].get(other)
                cells.append(Cell(percent(entry["value"]), span(entry["95"], as_percent=True)) if entry else _NOTHING)
            rows.append(Row(f"≥ {threshold} {scores['unit']}: {drawn.label}", "", cells))
    return Table("Brier scores", [Column(text) for text in columns], rows) if rows else None


def _difference(entry: Found, size: float | None) -> Cell:
    """Return the relative difference, its interval and its verdict in a word."""
    if entry["value"] is None or entry["95"][0] is None or not size:
        return _NOTHING
    low, high = sorted(end / size for end in entry["95"])
    return Cell(
        f"{percent(entry['value'] / size, signed=True)} {entry['verdict']}",
        span((low, high), as_percent=True),
        entry["verdict"],
    )


def _time(clock: Clock, hours: float | None) -> str:
    return "–" if hours is None else f"{short(clock.number(3600 * hours))} {clock.unit}"
