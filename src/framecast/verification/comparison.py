"""One forecast against another: skill and paired differences, under the same draws of blocks.

What both find hard cancels in each draw, so that a difference is far more certain than two intervals side by side
suggest. A verdict is given only where the 95 % interval excludes zero.
"""

from itertools import combinations
from typing import Any

from framecast.verification.plain import entry, number
from framecast.verification.scores import Bootstrap
from framecast.verification.scores.bootstrap import Statistic
from framecast.verification.statistics import difference, quotient, skill

COMPARED = (
    *("crps", "rmse", "mae", "energy_score", "flux_crps", "mpf_crps", "fluence_crps", "t2pf_crps", "flux_dtw"),
    *("member_rmse", "member_mae", "psnr", "ssim", "ms_ssim", "member_psnr", "member_ssim", "member_ms_ssim"),
)
"""Scores whose differences are reported, beside those of events."""

_HIGHER_IS_BETTER = ("psnr", "ssim", "ms_ssim", "member_psnr", "member_ssim", "member_ms_ssim")

Statistics = dict[str, Statistic]


def differences(forecasts: dict[str, Statistics], bootstrap: Bootstrap) -> list[dict[str, Any]]:
    """Return the paired differences of each pair of forecasts, in their order.

    Args:
        forecasts: name -> its statistics by name.
        bootstrap: the draws of blocks.

    Returns:
        One object for each pair: ``first``, ``second``, and ``scores``: name -> ``{value, relative, "90", "95",
        verdict, by_lead}``. ``value`` is first minus second, ``relative`` that over the second's score; ``better``
        means that the first is.
    """
    return [
        {"first": first, "second": second, "scores": _pair(forecasts[first], forecasts[second], bootstrap)}
        for first, second in combinations(forecasts, 2)
    ]


def skill_against(forecast: Statistics, reference: Statistics, bootstrap: Bootstrap) -> dict[str, Any]:
    """Return 1 - CRPS / CRPS of the reference, its verdict, and the same by lead time."""
    total = bootstrap.estimate(skill(forecast["crps"], reference["crps"]))
    by_lead = bootstrap.estimate(skill(forecast["crps_by_lead"], reference["crps_by_lead"]))
    return {**entry(total), "verdict": _verdict(total.sign), "by_lead": entry(by_lead)}


def oracle_skill(
    forecast: Statistics, persistence: Statistics, oracle: Statistics, bootstrap: Bootstrap
) -> dict[str, Any]:
    """Return (CRPS persistence - CRPS) / (CRPS persistence - CRPS oracle): 0 is persistence, 1 perfect knowledge."""
    gained = difference(persistence["crps"], forecast["crps"])
    possible = difference(persistence["crps"], oracle["crps"])
    return entry(bootstrap.estimate(quotient(gained, possible)))


def _pair(first: Statistics, second: Statistics, bootstrap: Bootstrap) -> dict[str, Any]:
    found: dict[str, Any] = {}
    events = [name for name in first if name.startswith(("brier_", "fss_")) and not name.endswith("_by_lead")]
    for name in (*COMPARED, *events):
        total = difference(first[name], second[name])
        estimate = bootstrap.estimate(total)
        relative = bootstrap.value(quotient(total, second[name]))
        found[name] = {
            **entry(estimate),
            "relative": number(relative),
            "verdict": _verdict(estimate.sign if _higher_is_better(name) else -estimate.sign),
        }
        by_lead = f"{name}_by_lead"
        if by_lead in first:
            found[name]["by_lead"] = entry(bootstrap.estimate(difference(first[by_lead], second[by_lead])))
    return found


def _higher_is_better(name: str) -> bool:
    return name in _HIGHER_IS_BETTER or name.startswith("fss_")


def _verdict(sign: int) -> str:
    return {1: "better", -1: "worse", 0: "undecided"}[sign]
