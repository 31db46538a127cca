"""The result in sentences. A verdict is given only where the 95 % interval excludes zero."""

from typing import Any

from framecast.reports.style import Look
from framecast.reports.wording import counted, listed, percent

Scores = dict[str, Any]

_FEW_BLOCKS = 8


def title(scores: Scores, looks: dict[str, Look]) -> str:
    """Return what the page is about."""
    names = [looks[name].label for name in scores["models"]]
    return f"Forecasts by {names[0]}" if len(names) == 1 else f"{listed(names)} compared"


def introduction(scores: Scores, longest: str) -> str:
    """Return how many forecasts of which kind were judged, and against what."""
    members = [scores["forecasts"][name]["members"] for name in scores["models"]]
    size = counted(members[0], "member") if len(set(members)) == 1 else f"{listed([str(m) for m in members])} members"
    others = "what was then observed"
    if "persistence" in scores["forecasts"] or "climatology" in scores["forecasts"]:
        others += " and against forecasts that cost nothing"
    models = "" if len(members) == 1 else f" by each of {len(members)} models"
    number = counted(scores["samples"], "ensemble forecast")
    return f"{number} of {size}{models}, up to {longest} ahead, judged against {others}."


def verdicts(scores: Scores, looks: dict[str, Look]) -> list[str]:
    """Return one sentence on models against each other, on each model against each baseline, and on its spread."""
    sentences = [
        _between(pair, scores, looks)
        for pair in scores["differences"]
        if {pair["first"], pair["second"]} <= set(scores["models"])
    ]
    for name in scores["models"]:
        found = scores["forecasts"][name]
        own = looks[name].label
        sentences += [_skill(own, looks[other].label.lower(), entry) for other, entry in found["skill"].items()]
        if found["members"] > 1:
            sentences += _honesty(own, found)
    return sentences


def notes(scores: Scores, looks: dict[str, Look]) -> list[str]:
    """Return what a reader has to know before trusting the table."""
    said = []
    blocks, left_out = scores["bootstrap"]["number_of_blocks"], scores["left_out"]
    if blocks < _FEW_BLOCKS:
        number = "is only 1 independent block" if blocks == 1 else f"are only {blocks} independent blocks"
        what = "the intervals are rough, and probably too narrow" if blocks > 1 else "no interval can be given"
        said.append(f"There {number}: {what}.")
    for name, count in left_out["windows"].items():
        if count:
            said.append(f"{counted(count, 'window')} of {looks[name].label} are left aside: another file lacks them.")
    if scores["judged_samples"] < scores["samples"]:
        missing = scores["samples"] - scores["judged_samples"]
        said.append(f"{missing} of {scores['samples']} samples hold nothing to judge.")
    if left_out["by_forecasts"] > 0:
        said.append(
            f"{100 * left_out['by_forecasts']:.2g} % of the observed pixels are left out everywhere, "
            "because a forecast says nothing about them."
        )
    for name, look in looks.items():
        missing = scores["forecasts"][name]["missing_members"]
        if missing:
            said.append(f"{look.label}: {missing} member values are missing and left out.")
    for name in scores["models"]:
        found = scores["forecasts"][name]
        if "calibration_objection" in found:
            said.append(f"The calibration of {looks[name].label} is not used: {found['calibration_objection']}.")
        seen = found.get("calibrated", {}).get("seen_samples", 0)
        if seen:
            said.append(
                f"{looks[name].label} was calibrated on {seen} of these {scores['samples']} samples: its calibrated "
                "coverage flatters it."
            )
    if "persistence" not in scores["forecasts"]:
        said.append("There is no persistence: a forecast channel is not among the channels seen.")
    elif "dressed_persistence" not in scores["forecasts"]:
        said.append("There is no dressed persistence: the file holds no training residuals.")
    return said


def legend(scores: Scores) -> list[str]:
    """Return how to read the headline table."""
    bootstrap, said = scores["bootstrap"], []
    if bootstrap["number_of_blocks"] > 1:
        said.append(
            f"Intervals come from {bootstrap['replicates']} draws of {_blocks(scores)}, taken to be independent of "
            "each other."
        )
    forecasts = scores["forecasts"]
    if "dressed_persistence" in forecasts:
        said.append("Dressed persistence is the last frame plus changes seen in training.")
    if "climatology" in forecasts:
        said.append("Climatology draws frames seen in training, whatever the past.")
    if "oracle" in forecasts:
        said.append("The oracle continues the true state, which only a simulation knows: no forecast can be better.")
    limit = max(forecasts[name]["attainable_coverage"]["96"] for name in scores["models"])
    if 0 < limit < 0.96:
        said.append(f"With so few members, central intervals reach at most {100 * limit:.1f} %.")
    return said


def _between(pair: dict[str, Any], scores: Scores, looks: dict[str, Look]) -> str:
    """Return a sentence on two models."""
    first, second = looks[pair["first"]].label, looks[pair["second"]].label
    entry, size = pair["scores"]["crps"], scores["forecasts"][pair["second"]]["crps"]
    if entry["value"] is None or entry["95"][0] is None or not size:
        return f"Between {first} and {second} no interval can be given: there are too few independent blocks."
    low, high = sorted(end / size for end in entry["95"])
    change = f"{percent(entry['value'] / size, signed=True)} CRPS, 95 % interval {percent(low)} to {percent(high)}"
    if entry["verdict"] == "undecided":
        return f"Between {first} and {second} the matter is undecided ({change})."
    return f"{first} is {entry['verdict']} than {second} ({change})."


def _skill(own: str, other: str, entry: dict[str, Any]) -> str:
    """Return a sentence on a model against a baseline."""
    low, high = entry["95"]
    if low is None or entry["value"] is None:
        return f"{own} against {other}: no interval can be given, there are too few independent blocks."
    interval = f"(95 % interval {percent(low)} to {percent(high)})"
    if entry["verdict"] == "undecided":
        return f"{own} against {other}: undecided, a CRPS skill of {percent(entry['value'])} {interval}."
    if entry["verdict"] == "better":
        return f"{own} is better than {other}: its error (CRPS) is {percent(entry['value'])} lower {interval}."
    worse = f"(95 % interval {percent(-high)} to {percent(-low)})"
    return f"{own} is worse than {other}: its error (CRPS) is {percent(-entry['value'])} higher {worse}."


def _honesty(own: str, found: dict[str, Any]) -> list[str]:
    """Return a sentence on the spread of an ensemble, pixel by pixel, and one on its intervals of the fluence."""
    said = []
    ratio, (low, high) = found["spread_skill"], found["confidence"]["spread_skill"]["95"]
    if ratio is not None and low is not None:
        word = "too sure" if high < 1 else "too unsure" if low > 1 else "as sure as it should be"
        said.append(
            f"Pixel by pixel {own} is {word}: its spread is {ratio:.2f} times its error "
            f"(95 % interval {low:.2f} to {high:.2f})."
        )
    promised = found["attainable_coverage"]["90"]
    for calibrated in (False, True) if "calibrated" in found else (False,):
        held, promise = (found["calibrated"], 0.9) if calibrated else (found, promised)
        value, (low, high) = held["coverage"]["fluence"]["90"], held["confidence"]["coverage"]["fluence"]["90"]["95"]
        if value is None or low is None:
            continue
        word = "too narrow" if high < promise else "too wide" if low > promise else "reliable, as far as one can tell"
        reach = "" if promise > 0.895 else f"; so few members reach {percent(promise)} at most"
        said.append(
            f"Its {'calibrated ' if calibrated else ''}90 % intervals of the fluence are {word}: they held "
            f"{percent(value)} of the time (95 % interval {percent(low)} to {percent(high)}{reach})."
        )
    return said


def _blocks(scores: Scores) -> str:
    number = scores["bootstrap"]["number_of_blocks"]
    words = {
        "sequence": "sequence" if number == 1 else "sequences",
        "day": "day" if number == 1 else "days",
        "sequence-day": "days of a sequence",
        "sample": "sample" if number == 1 else "samples",
    }
    return f"{number} {words[scores['bootstrap']['blocks']]}"
