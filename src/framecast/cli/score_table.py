"""The scores of an evaluation on a terminal: a row for each forecast, and what the rows do not say."""

from typing import Any

from framecast.cli.console import print_grid, say

LEVEL = "90"
"""The central intervals in the table, in percent."""


def print_scores(scores: dict[str, Any]) -> None:
    """Print one row for each forecast: CRPS, RMSE, spread/error, coverage, and its skill; then what differs.

    Args:
        scores: the content of ``scores.json``.
    """
    forecasts = scores["forecasts"]
    unit = f" [{scores['unit']}]" if scores["unit"] else ""
    reference = next((name for name in ("persistence", "climatology") if name in forecasts), None)
    calibrated = any("calibrated" in entry for entry in forecasts.values())
    columns = ["", "members", f"CRPS{unit}", "RMSE", "spread/error", f"{LEVEL} % holds"]
    columns += ["calibrated"] if calibrated else []
    columns += [f"skill against {reference}"] if reference else []
    rows = []
    for name, entry in forecasts.items():
        ensemble = entry["members"] > 1
        cells = [
            name.replace("_", " ") if entry["kind"] != "model" else name,
            str(entry["members"]),
            _short(entry["crps"]),
            _short(entry["rmse"]),
            _short(entry["spread_skill"]) if ensemble else "-",
            _held(entry) if ensemble else "-",
        ]
        cells += [_held(entry["calibrated"]) if "calibrated" in entry else "-"] if calibrated else []
        cells += [_skill(entry["skill"].get(reference))] if reference else []
        rows.append(cells)
    print_grid(f"{scores['samples']} samples, averaged over all pixels and lead times", columns, rows)
    for line in [*_remarks(scores), *_differences(scores)]:
        say(line)


def _remarks(scores: dict[str, Any]) -> list[str]:
    """Return what must be known to read the columns on intervals."""
    forecasts = scores["forecasts"]
    ensembles = [entry for entry in forecasts.values() if entry["members"] > 1]
    what = f"{LEVEL} % holds: how often central {LEVEL} % intervals of the fluence held the truth"
    said = [what] if ensembles else []
    for members in sorted({entry["members"] for entry in ensembles}):
        reach = next(entry["attainable_coverage"][LEVEL] for entry in ensembles if entry["members"] == members)
        if reach < (int(LEVEL) - 0.5) / 100:
            said.append(f"{members} members reach at most {_percent(reach)}, since M hold (M - 1)/(M + 1) between them")
    for name in scores["models"]:
        if missing := forecasts[name].get("missing_members"):
            said.append(
                f"{name} has {missing} pixels of members that are infinite or missing where others have values; "
                f"{_percent(scores['left_out']['by_forecasts'])} of the known pixels have too few, and are not judged"
            )
        if objection := forecasts[name].get("calibration_objection"):
            said.append(f"the calibration of {name} is not used: {objection}")
        if seen := forecasts[name].get("calibrated", {}).get("seen_samples"):
            said.append(f"{name} was calibrated on {seen} of these samples: its calibrated coverage flatters it")
    return said


def _differences(scores: dict[str, Any]) -> list[str]:
    """Return what is known of the difference between each two models."""
    models = scores["models"]
    return [_difference(pair) for pair in scores["differences"] if {pair["first"], pair["second"]} <= set(models)]


def _difference(pair: dict[str, Any]) -> str:
    crps = pair["scores"]["crps"]
    names = f"{pair['first']} against {pair['second']}"
    if crps["verdict"] == "undecided":
        return f"{names}: undecided, the 95 % interval of their difference in CRPS holds zero"
    low, high = (_short(bound) for bound in crps["95"])
    return f"{names}: {crps['verdict']}, CRPS {crps['value']:+.4g} (95 % interval {low} to {high})"


def _held(entry: dict[str, Any]) -> str:
    return _percent(entry["coverage"]["fluence"][LEVEL])


def _skill(skill: dict[str, Any] | None) -> str:
    if skill is None:
        return ""
    low, high = skill["95"]
    interval = f" ({_percent(low)} to {_percent(high)})" if low is not None and high is not None else ""
    return _percent(skill["value"]) + interval


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"
