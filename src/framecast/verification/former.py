"""Reading ``scores.json`` of schema 2, which had names of the Sun for derived quantities and another structure."""

from dataclasses import asdict
from typing import Any

from framecast.verification.baselines import BASELINES
from framecast.verification.catalogue import SCORES, event_scores, quantity_scores
from framecast.verification.quantities import QUANTITIES
from framecast.verification.recalibration.calibration import FORMER_NAMES
from framecast.verification.summary import quantity_info, score_info

_LABELS = {baseline.name: baseline.label for baseline in BASELINES}
_PARTS = ("half_width", "relative_half_width", "interval_score")


def from_schema_2(content: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a schema 2 file arranged and named as in schema 3."""
    unit, thresholds = content["unit"], content.get("thresholds", [])
    quantities = [quantity for quantity in QUANTITIES if quantity.name in FORMER_NAMES.values()]
    size = 2 * len(content["wavelengths_px"])
    entries = [*SCORES, *quantity_scores(quantities)]
    entries += [score for threshold in thresholds for score in event_scores(threshold, (size, size))]
    forecasts = {name: _forecast(name, found) for name, found in content["forecasts"].items()}
    present = {name for found in forecasts.values() for name in found["scores"]}
    return content | {
        "score_info": {score.name: asdict(score_info(score, unit)) for score in entries if score.name in present},
        "quantity_info": {quantity.name: asdict(quantity_info(quantity, unit)) for quantity in quantities},
        "forecasts": forecasts,
        "differences": [
            pair | {"scores": {_named(name): _comparison(entry) for name, entry in pair["scores"].items()}}
            for pair in content["differences"]
        ],
    }


def _forecast(name: str, found: dict[str, Any]) -> dict[str, Any]:
    confidence = found["confidence"]
    scores = {}
    for key in confidence:
        if key != "coverage" and not key.endswith("_by_lead"):
            scores[_named(key)] = _score(found, confidence, key)
    events, brier_skill = {}, {}
    for threshold, event in found.get("thresholds", {}).items():
        scores[f"brier_{threshold}"] = _score(event, event["confidence"], "brier")
        for width in event["fss"]:
            fss, bounds = (
                {key: part[key][width] for key in ("fss", "fss_by_lead")} for part in (event, event["confidence"])
            )
            scores[f"fss_{threshold}_{width}"] = _score(fss, bounds, "fss")
        reliability = event["reliability"]
        events[threshold] = {"base_rate": event["base_rate"], **reliability, "fraction": reliability["share"]}
        brier_skill[f"brier_{threshold}"] = event["brier_skill"]
    return {
        "kind": found["kind"],
        "label": _LABELS.get(found["kind"], name),
        "members": found["members"],
        "missing_members": found["missing_members"],
        "scores": scores,
        "quantities": {
            FORMER_NAMES[key]: {**found["quantities"].get(key, _UNKNOWN), "intervals": _intervals(found, key)}
            for key in found["coverage"]
        },
        "attainable_coverage": found["attainable_coverage"],
        "ranks": found["ranks"],
        "spread": {"spread": [], "error": [], "count": []},
        "events": events,
        "skill": {
            other: {
                "crps": _comparison(entry),
                **{key: {"total": by[other], "verdict": _verdict(by[other])} for key, by in brier_skill.items()},
            }
            for other, entry in found["skill"].items()
        },
        "oracle_skill": found.get("oracle_skill"),
        "recalibrated": _recalibrated(found["calibrated"]) if "calibrated" in found else None,
        "objection": found.get("calibration_objection"),
    }


_UNKNOWN = {"crps": None, "mae": None, "relative_mae": None}


def _score(values: dict[str, Any], confidence: dict[str, Any], key: str) -> dict[str, Any]:
    by_lead = f"{key}_by_lead"
    return {
        "total": {"value": values[key], **confidence[key]},
        "by_lead": {"value": values[by_lead], **confidence[by_lead]} if by_lead in values else None,
    }


def _comparison(entry: dict[str, Any]) -> dict[str, Any]:
    total = {key: entry[key] for key in ("value", "90", "95")}
    return {"relative": None} | entry | {"total": total, "by_lead": entry.get("by_lead")}


def _intervals(held: dict[str, Any], key: str) -> dict[str, Any]:
    """Return coverage and widths by level; the flux of a frame had coverage only."""
    widths = held["quantities"].get(key, {}) if "quantities" in held else {part: held[part][key] for part in _PARTS}
    return {
        level: {
            "coverage": {"value": value, **held["confidence"]["coverage"][key][level]},
            **{part: widths.get(part, {}).get(level) for part in _PARTS},
        }
        for level, value in held["coverage"][key].items()
    }


def _recalibrated(held: dict[str, Any]) -> dict[str, Any]:
    return held | {"quantities": {FORMER_NAMES[key]: _intervals(held, key) for key in held["coverage"]}}


def _verdict(estimate: dict[str, Any]) -> str:
    low, high = estimate["95"]
    if low is None or low <= 0 <= high:
        return "undecided"
    return "better" if low > 0 else "worse"


def _named(score: str) -> str:
    """Return the present name of a score: ``peak_crps`` for ``mpf_crps``."""
    quantity, _, rest = score.partition("_")
    return f"{FORMER_NAMES[quantity]}_{rest}" if quantity in FORMER_NAMES else score
