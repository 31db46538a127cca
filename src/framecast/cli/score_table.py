"""The scores of an evaluation on a terminal: a row for each forecast, and what the rows do not say."""

from framecast.cli.console import print_grid, say
from framecast.verification.results import Comparison, Difference, ForecastScores, IntervalScores, Scores

LEVEL = 90
"""The central intervals in the table, in percent."""


def print_scores(scores: Scores) -> None:
    """Print one row for each forecast: headline scores, coverage and skill; then remarks and differences."""
    shown = {name: info for name, info in scores.score_info.items() if info.shown == "console"}
    reference = next(iter(scores.baselines), None)
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
        cells += [_skill(found.skill.get(reference, {}).get("crps"))] if reference else []
        rows.append(cells)
    unit = f", in {scores.unit}" if scores.unit else ""
    print_grid(f"{scores.samples} samples, averaged over all pixels and lead times{unit}", columns, rows)
    for line in [*_remarks(scores, quantity), *_differences(scores)]:
        say(line)


def _remarks(scores: Scores, quantity: str | None) -> list[str]:
    """Return what must be known to read the columns on intervals."""
    ensembles = [found for found in scores.forecasts.values() if not found.point]
    said = []
    if ensembles and quantity:
        label = scores.quantity_info[quantity].label.lower()
        said.append(f"{LEVEL} % coverage: fraction of the truths inside the central {LEVEL} % intervals of the {label}")
    for members in sorted({found.members for found in ensembles}):
        reach = next(found.attainable_coverage[LEVEL] for found in ensembles if found.members == members)
        if reach < (LEVEL - 0.5) / 100:
            said.append(
                f"{members} members reach at most {_percent(reach)}: the outermost of M hold (M - 1)/(M + 1) of the "
                "truths"
            )
    for name in scores.models:
        said += _cautions(name, scores[name], scores.left_out.by_forecasts)
    return said


def _cautions(name: str, found: ForecastScores, left_out: float) -> list[str]:
    said = []
    if found.missing_members:
        said.append(
            f"{name} has {found.missing_members} pixels of members that are infinite or missing where others have "
            f"values; {_percent(left_out)} of the known pixels have too few, and are not judged"
        )
    if found.objection:
        said.append(f"the recalibration of {name} is not used: {found.objection}")
    if found.recalibrated is not None and found.recalibrated.seen_samples:
        said.append(
            f"{name} was recalibrated on {found.recalibrated.seen_samples} of these samples: its recalibrated coverage "
            "is therefore optimistic"
        )
    return said


def _differences(scores: Scores) -> list[str]:
    """Return what is known of the difference between each two models."""
    return [_difference(pair) for pair in scores.differences if {pair.first, pair.second} <= set(scores.models)]


def _difference(pair: Difference) -> str:
    crps = pair.scores["crps"]
    names = f"{pair.first} against {pair.second}"
    if crps.verdict == "undecided":
        return f"{names}: undecided, the 95 % interval of their difference in CRPS includes zero"
    low, high = (_short(bound) for bound in crps.total.bounds())
    return f"{names}: {crps.verdict}, CRPS {float(crps.total):+.4g} (95 % interval {low} to {high})"


def _held(intervals: dict[int, IntervalScores]) -> str:
    return _percent(float(intervals[LEVEL].coverage))


def _skill(skill: Comparison | None) -> str:
    if skill is None:
        return ""
    value, (low, high) = 100 * float(skill.total), 100 * skill.total.bounds()
    return f"{value:.1f} ({low:.1f} to {high:.1f}) %" if skill.total.certain else _percent(value / 100)


def _short(value: float) -> str:
    return "-" if value != value else f"{value:.4g}"


def _percent(value: float) -> str:
    return "-" if value != value else f"{100 * value:.1f} %"
