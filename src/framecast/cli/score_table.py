"""The scores of an evaluation on a terminal: a row for each forecast, with remarks."""

from collections.abc import Mapping

from framecast.cli.console import print_grid, say
from framecast.reports.style import looks
from framecast.reports.verdicts import notes, verdicts
from framecast.verification.results import IntervalScores, ScoreInfo, Scores
from framecast.verification.scores import Estimate
from framecast.verification.summary import SCALED
from framecast.videos import units

LEVEL = 90
"""The central intervals in the table, in percent."""


def print_scores(scores: Scores) -> None:
    """Print one row for each forecast: headline scores, coverage and skill; then remarks and differences."""
    shown = {name: info for name, info in scores.score_info.items() if info.shown == "console"}
    reference = scores.strongest
    recalibrated = any(found.recalibrated is not None for found in scores.forecasts.values())
    quantity = next(iter(scores.headline), None)
    columns = ["", "members"]
    columns += [info.label for info in shown.values()]
    columns += [f"{LEVEL} % coverage"] if quantity else []
    columns += ["recalibrated"] if recalibrated and quantity else []
    columns += [f"skill against {scores[reference].label.lower()}"] if reference else []
    rows = []
    for found in scores.forecasts.values():
        cells = [found.label, str(found.members)]
        cells += ["-" if info.ensembles and found.point else _short(found[name].value) for name, info in shown.items()]
        if quantity:
            cells.append("-" if found.point else _held(found.quantities[quantity].intervals))
            widened = found.recalibrated.quantities.get(quantity, {}) if found.recalibrated else {}
            cells += [_held(widened) if widened else "-"] if recalibrated else []
        skill = found.skill.get(reference or "", {}).get("crps")
        cells += [_skill_text(skill.total) if skill else ""] if reference else []
        rows.append(cells)
    print_grid(f"{scores.samples} samples, averaged over all pixels and lead times{_unit(shown)}", columns, rows)
    for line in _events(scores):
        say(line)
    for line in [*_remarks(scores, quantity), *verdicts(scores, looks(scores)), *notes(scores, looks(scores))]:
        say(line)


def _unit(shown: Mapping[str, ScoreInfo]) -> str:
    """Return the unit of the scores; empty if channels have different units."""
    unit = next((info.unit for info in shown.values() if info.unit), "")
    return ", in standard deviations of each channel" if unit == SCALED else f", in {unit}" if units.shown(unit) else ""


def _remarks(scores: Scores, quantity: str | None) -> list[str]:
    ensembles = [found for found in scores.forecasts.values() if not found.point]
    said = []
    if ensembles and quantity:
        label = scores.quantity_info[quantity].label.lower()
        said.append(f"{LEVEL} % coverage: fraction of the truths inside the central {LEVEL} % intervals of the {label}")
    for members, reach in sorted({(found.members, found.attainable_coverage[LEVEL]) for found in ensembles}):
        if reach < (LEVEL - 0.5) / 100:
            said.append(
                f"{members} members have a coverage of at most {_percent(reach)}: (M - 1)/(M + 1) of the truths "
                "lie within the range of M members"
            )
    return said


def _events(scores: Scores) -> list[str]:
    said = []
    for each in scores.occurrences:
        for name in each.models:
            own = each.forecasts[name]
            against = [
                f"{_skill_text(estimate)} against {each.forecasts[other].label.lower()}"
                for other, estimate in own.skill.items()
            ]
            said.append(
                f"{each.event}, in {each.happened} of {each.windows} windows: {name} has a Brier score of "
                f"{_short(float(own.brier))}, a skill of {' and '.join(against)}, ROC area "
                f"{_short(float(own.roc_area))}, TSS {_short(float(own.tss))}, HSS {_short(float(own.hss))}"
            )
    return said


def _skill_text(estimate: Estimate) -> str:
    value, (low, high) = 100 * float(estimate), 100 * estimate.bounds()
    return f"{value:.1f} ({low:.1f} to {high:.1f}) %" if estimate.certain else _percent(value / 100)


def _held(intervals: dict[int, IntervalScores]) -> str:
    return _percent(float(intervals[LEVEL].coverage))


def _short(value: float) -> str:
    return "-" if value != value else f"{value:.4g}"


def _percent(value: float) -> str:
    return "-" if value != value else f"{100 * value:.1f} %"
