"""The figures as tables: one row per sample, and every score in long form.

A table opens in any program; ``scores.json`` says more.
"""

import csv
import io
from typing import Any

import numpy as np

from framecast.verification.cases import Cases
from framecast.verification.plain import number
from framecast.verification.tally import Tally

_BY_LEAD = "_by_lead"
_LEVELS = ("90", "95")
_TOTALS = (
    *("crps", "rmse", "mae", "spread_skill", "energy_score", "flux_crps"),
    *("mpf_crps", "fluence_crps", "t2pf_crps", "flux_dtw", "psnr", "ssim", "ms_ssim"),
    *("member_rmse", "member_mae", "member_psnr", "member_ssim", "member_ms_ssim"),
)


def sample_table(cases: Cases, tallies: dict[str, Tally]) -> list[dict[str, Any]]:
    """Return one row per sample: where it is from, the size of what came, and how each forecast did.

    Columns: ``sample``, ``sequence``, ``issue_time``, ``truth`` (mean absolute value), and for each forecast
    ``crps NAME``, ``rmse NAME`` and ``energy_score NAME``. ``None`` where nothing is judged.
    """
    size = _per_sample(next(iter(tallies.values())), "truth")
    columns = {}
    for name, tally in tallies.items():
        columns[f"crps {name}"] = _per_sample(tally, "crps")
        columns[f"rmse {name}"] = np.sqrt(_per_sample(tally, "squared"))
        columns[f"energy_score {name}"] = tally.energy
    return [
        {
            "sample": k,
            "sequence": cases.sequences[k],
            "issue_time": str(np.datetime64(cases.issue_times[k], "s")),
            "truth": number(size[k]),
            **{name: number(values[k]) for name, values in columns.items()},
        }
        for k in range(len(cases))
    ]


def score_table(scores: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every score in long form: forecast, the one it is compared with, score, lead time, value and intervals."""
    leads = scores["lead_times_h"]
    rows = []
    for name, found in scores["forecasts"].items():
        confidence = found["confidence"]
        for score in _TOTALS:
            rows.append(_row(name, "", score, "", found[score], confidence[score]))
            if f"{score}{_BY_LEAD}" in found:
                key = f"{score}{_BY_LEAD}"
                rows += _rows(name, "", score, leads, found[key], confidence[key])
        for quantity, levels in found["coverage"].items():
            for level, value in levels.items():
                row = _row(name, "", f"coverage_{quantity}_{level}", "", value, confidence["coverage"][quantity][level])
                rows.append(row)
        for threshold, events in found.get("thresholds", {}).items():
            bounds = events["confidence"]
            rows.append(_row(name, "", f"brier_{threshold}", "", events["brier"], bounds["brier"]))
            rows += _rows(name, "", f"brier_{threshold}", leads, events["brier_by_lead"], bounds["brier_by_lead"])
            for width, value in events["fss"].items():
                rows.append(_row(name, "", f"fss_{threshold}_{width}", "", value, bounds["fss"][width]))
        for other, entry in found["skill"].items():
            rows.append(_row(name, other, "crps_skill", "", entry["value"], entry))
            rows += _rows(name, other, "crps_skill", leads, entry["by_lead"]["value"], entry["by_lead"])
        if "oracle_skill" in found:
            entry = found["oracle_skill"]
            rows.append(_row(name, "oracle", "oracle_skill", "", entry["value"], entry))
    for pair in scores["differences"]:
        for score, entry in pair["scores"].items():
            words = pair["first"], pair["second"], f"{score}_difference"
            rows.append(_row(*words, "", entry["value"], entry))
            if "by_lead" in entry:
                rows += _rows(*words, leads, entry["by_lead"]["value"], entry["by_lead"])
    return rows


def as_csv(rows: list[dict[str, Any]]) -> str:
    """Return rows of one kind as CSV text with a header."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _rows(
    name: str, other: str, score: str, leads: list[float], values: list[Any], bounds: dict[str, Any]
) -> list[dict[str, Any]]:
    rows = []
    for k, lead in enumerate(leads):
        own = {level: [end[k] for end in bounds[level]] for level in _LEVELS}
        rows.append(_row(name, other, score, lead, values[k], own))
    return rows


def _row(name: str, other: str, score: str, lead: Any, value: Any, bounds: dict[str, Any]) -> dict[str, Any]:
    row = {"forecast": name, "against": other, "score": score, "lead_time_h": lead, "value": value}
    for level in _LEVELS:
        row[f"low_{level}"], row[f"high_{level}"] = bounds[level]
    return row


def _per_sample(tally: Tally, name: str) -> np.ndarray:
    total, count = getattr(tally, name).sum((1, 2)), tally.count.sum((1, 2))
    return np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
