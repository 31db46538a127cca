"""The result in sentences. A verdict is given only where the 95 % interval excludes zero, or the nominal value."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from framecast.reports.style import Look
from framecast.reports.tables import LEVEL
from framecast.reports.wording import counted, inline, listed, percent, short
from framecast.verification.baselines import BASELINES
from framecast.verification.blocks import ENOUGH_BLOCKS
from framecast.verification.results import Comparison, Difference, ForecastScores, IntervalScores, Scores
from framecast.verification.scores import Estimate
from framecast.videos.units import by_channel


def title(scores: Scores, looks: dict[str, Look]) -> str:
    """Return the subject of the page."""
    names = [looks[name].label for name in scores.models]
    return f"Forecasts by {names[0]}" if len(names) == 1 else f"{listed(names)} compared"


def introduction(scores: Scores, longest: str) -> str:
    """Return how many forecasts of which kind were evaluated, and against what."""
    members = [scores[name].members for name in scores.models]
    size = counted(members[0], "member") if len(set(members)) == 1 else f"{listed([str(m) for m in members])} members"
    others = "the observations and against baseline forecasts" if scores.baselines else "the observations"
    models = "" if len(members) == 1 else f" by each of {len(members)} models"
    number = counted(scores.samples, "ensemble forecast")
    return f"{number} of {size}{models}, up to {longest} ahead, evaluated against {others}."


def verdicts(scores: Scores, looks: dict[str, Look]) -> list[str]:
    """Return one sentence on models against each other, on each model against each baseline, and on its spread."""
    models = set(scores.models)
    sentences = [
        _but(_between(p, scores, looks), [_opposite(p.first, p.second, p.scores["crps"].verdict, scores)])
        for p in scores.differences
        if {p.first, p.second} <= models
    ]
    for name in scores.models:
        found, own = scores[name], looks[name].label
        bands = [] if found.point else structure(found, scores.wavelengths_px)
        sentences += _against(name, scores, looks, bands)
        if not found.point:
            sentences += _structure(own, bands)
            sentences += _calibration(own, found, scores)
    return sentences


def _against(name: str, scores: Scores, looks: dict[str, Look], bands: Sequence["Band"]) -> list[str]:
    """Return a sentence on a model against the strongest baseline; persistence alone allows no verdict."""
    other = scores.strongest
    if other is None or other not in scores[name].skill:
        return []
    entry, own, baseline = scores[name].skill[other]["crps"], looks[name].label, inline(looks[other].label)
    if not scores.fair:
        return [
            f"{own} has {1 - float(entry.total):.2f} times the CRPS of {baseline}, a deterministic forecast, which is "
            "no measure of its skill: compare with an ensemble baseline (framecast reference stores the training data "
            "needed with a model)."
        ]
    beside = [_opposite(name, other, entry.verdict, scores)]
    if entry.verdict == "better" and any(band.implausible for band in bands):
        beside.append("its members do not look like observations")
    several = len(scores.baselines) > 1
    return [_but(_skill(own, f"{baseline}, the strongest baseline" if several else baseline, entry), beside)]


@dataclass(frozen=True)
class Band:
    """Power of single members at the scales of one third of the spectrum.

    Attributes:
        name: ``large``, ``medium`` or ``small``.
        shortest: shortest wave in it, pixels.
        longest: longest wave in it.
        power: power of a member over that of the truth; geometric mean.
        low: lower end of its 95 % interval, from those of its wavelengths; the power itself where there is none.
        high: upper end.
        judged: whether there is an interval.
    """

    name: str
    shortest: float
    longest: float
    power: float
    low: float
    high: float
    judged: bool = True

    @property
    def implausible(self) -> bool:
        """Whether members are noise, or blurred, at these scales: twice or half the power, by the whole interval."""
        return self.low > 2.0 or self.high < 0.5

    @property
    def verdict(self) -> str:
        """The verdict of the interval, or of the power itself if there is none; empty if that is near 1."""
        if self.implausible:
            return "too much (noise)" if self.low > 1 else "too little (blurred)"
        if not self.judged or self.low <= 1 <= self.high:
            return ""
        return "too much" if self.low > 1 else "too little"


def structure(found: ForecastScores, wavelengths: Sequence[float]) -> list[Band]:
    """Return the structure of the members at large, medium and small scales, where spectra are known."""
    result = found.scores.get("power_ratio")
    if result is None or not np.isfinite(result.total.value).any():
        return []
    ends = result.total.bounds()
    judged = bool(np.isfinite(ends[0]).any())
    whole = np.stack([result.total.value, *(ends if judged else [result.total.value] * 2)])
    bands = []
    for name, part in zip(("large", "medium", "small"), np.array_split(np.arange(len(wavelengths)), 3), strict=True):
        curves = whole[:, part]
        known = (np.isfinite(curves) & (curves > 0)).all(axis=0)
        if known.any():
            power, least, most = np.exp(np.log(curves[:, known]).mean(axis=1)).tolist()
            bands.append(Band(name, wavelengths[part[-1]], wavelengths[part[0]], power, least, most, judged))
    return bands


def _structure(own: str, bands: Sequence[Band]) -> list[str]:
    wrong = [band for band in bands if band.verdict]
    if not bands:
        return []
    if not wrong:
        same = f"The structure of single members of {own} is not distinguishable from that of the observations."
        return [same] if all(band.judged for band in bands) else []
    parts = [
        f"{band.verdict} at {band.name} scales, {short(band.power)} times (waves of {band.shortest:.3g} to "
        f"{band.longest:.3g} pixels, {_within(band.low, band.high, short) if band.judged else 'no interval'})"
        for band in wrong
    ]
    return [f"The power of single members of {own} differs from that of the observations: {'; '.join(parts)}."]


def _within(low: float, high: float, form: Callable[[float], str] = percent) -> str:
    return f"95 % interval {form(low)} to {form(high)}"


def _opposite(first: str, second: str, verdict: str, scores: Scores) -> str:
    """Return which shown scores contradict the CRPS about two forecasts."""
    pair = scores.difference(first, second)
    other = {"better": "worse", "worse": "better"}.get(verdict)
    if pair is None or other is None:
        return ""
    names = [name for name, info in scores.score_info.items() if info.shown and name in pair.scores]
    labels = [inline(scores.score_info[name].label) for name in names if pair.scores[name].verdict == other]
    quantities = [label.removesuffix(", CRPS") for label in labels if label.endswith(", CRPS")]
    parts = [label for label in labels if not label.endswith(", CRPS")]
    parts += [f"the CRPS of {listed(quantities)}"] if quantities else []
    return f"{other} in {', and in '.join([listed(parts[:-1]), parts[-1]] if parts[1:] else parts)}" if parts else ""


def _but(sentence: str, beside: Sequence[str]) -> str:
    parts = [part for part in beside if part]
    return f"{sentence.removesuffix('.')}; but {', and '.join(parts)}." if parts else sentence


def notes(scores: Scores, looks: dict[str, Look]) -> list[str]:
    """Return reservations about the table."""
    said = []
    bootstrap, left_out = scores.bootstrap, scores.left_out
    blocks = bootstrap.number_of_blocks
    if blocks < ENOUGH_BLOCKS:
        number = "is only 1 independent block" if blocks == 1 else f"are only {blocks} independent blocks"
        refused = blocks == 1 or bootstrap.refused
        what = "no interval can be given" if refused else "the intervals are rough, and probably too narrow"
        why = f" ({bootstrap.blocks}; {bootstrap.reason})" if bootstrap.reason else ""
        insist = "; --blocks selects others" if bootstrap.refused else ""
        said.append(f"There {number}: {what}{why}{insist}.")
    said += [
        f"{counted(count, 'window')} of {looks[name].label} are ignored because another file does not contain them."
        for name, count in left_out.windows.items()
        if count
    ]
    if scores.judged_samples < scores.samples:
        said.append(f"{scores.samples - scores.judged_samples} of {scores.samples} samples have no pixel to score.")
    if left_out.by_forecasts > 0:
        said.append(
            f"{100 * left_out.by_forecasts:.2g} % of the observed pixels are left out for all forecasts, because "
            "one of them has no value there."
        )
    for name, look in looks.items():
        if scores[name].missing_members:
            said.append(f"{look.label}: {scores[name].missing_members} member values are missing and left out.")
    for name in scores.models:
        found, own = scores[name], looks[name].label
        if found.objection is not None:
            said.append(f"The recalibration of {own} is not used: {found.objection}.")
        if found.recalibrated is not None and (seen := found.recalibrated.seen_samples):
            of = f"{own} was recalibrated on {seen} of these {scores.samples} samples"
            said.append(f"{of}: its recalibrated coverage is therefore optimistic.")
        if found.unlike:
            of = f"{len(found.unlike)} of {scores.samples} pasts are unlike the training data of {own}"
            said.append(f"{of}: {found.unlike[0]}.")
    if "persistence" not in scores.forecasts:
        said.append("There is no persistence: a forecast channel is not among the past channels.")
    elif "dressed_persistence" not in scores.forecasts:
        said.append("There is no dressed persistence: the file contains no training windows to dress it with.")
    return said


def legend(scores: Scores) -> list[str]:
    """Return how to read the headline table."""
    bootstrap, said = scores.bootstrap, []
    if scores.scale:
        units = by_channel(scores.unit, len(scores.channels))
        own = [
            f"{short(scale)} {unit} in {name}".replace("  ", " ")
            for name, scale, unit in zip(scores.channels, scores.scale, units, strict=True)
        ]
        said.append(
            "Over several channels, scores in the unit of the images are means of the channels' own, each in standard "
            f"deviations (σ) of what is observed in it: {listed(own)}."
        )
    if scores.weights:
        said.append(f"Pixels are weighted by the {scores.weights}, their area.")
    if bootstrap.number_of_blocks > 1 and not bootstrap.refused:
        known = np.isfinite(bootstrap.effective_samples)
        worth = f"; the {scores.samples} samples are worth {bootstrap.effective_samples:.0f} independent ones"
        said.append(
            f"Intervals come from {bootstrap.replicates} bootstrap draws of {_blocks(scores)}, taken to be independent "
            f"of each other{f' ({bootstrap.reason})' if bootstrap.reason else ''}{worth if known else ''}."
        )
    known = {baseline.name: baseline.description for baseline in BASELINES}
    said += [
        found.description or known[name]
        for name, found in scores.forecasts.items()
        if name != "persistence" and (found.description or name in known)
    ]
    limit = max(scores[name].attainable_coverage[96] for name in scores.models)
    if 0 < limit < 0.96:
        said.append(f"With so few members, central intervals reach a coverage of at most {100 * limit:.1f} %.")
    return said


def _between(pair: Difference, scores: Scores, looks: dict[str, Look]) -> str:
    first, second = looks[pair.first].label, looks[pair.second].label
    entry, size = pair.scores["crps"], scores[pair.second]["crps"].value
    if not entry.total.certain or not size:
        return f"Between {first} and {second} no interval can be given: there are too few independent blocks."
    low, high = sorted(entry.total.bounds() / size)
    change = f"{percent(float(entry.total) / size, signed=True)} CRPS, {_within(low, high)}"
    if entry.verdict == "undecided":
        return f"The difference between {first} and {second} is undecided ({change})."
    return f"{first} is {entry.verdict} than {second} ({change})."


def _skill(own: str, other: str, entry: Comparison) -> str:
    if not entry.total.certain:
        return f"{own} against {other}: no interval can be given, there are too few independent blocks."
    value, (low, high) = float(entry.total), entry.total.bounds()
    if entry.verdict == "undecided":
        return f"{own} against {other}: undecided, a CRPS skill of {percent(value)} ({_within(low, high)})."
    if entry.verdict == "better":
        return f"{own} is better than {other}: its CRPS is {percent(value)} lower ({_within(low, high)})."
    return f"{own} is worse than {other}: its CRPS is {percent(-value)} higher ({_within(-high, -low)})."


def _calibration(own: str, found: ForecastScores, scores: Scores) -> list[str]:
    """Return a sentence on the spread of an ensemble, pixel by pixel, and on its intervals of derived quantities."""
    said, spread = [], found["spread_skill"].total
    if spread.certain:
        low, high = spread.bounds()
        words = judged(spread, 1.0, "overconfident (underdispersed)", "underconfident (overdispersed)")
        word = f"is {words}" if words else "is not distinguishable from well calibrated"
        said.append(
            f"Pixel by pixel {own} {word}: its spread is {float(spread):.3g} times its error "
            f"({_within(low, high, '{:.3g}'.format)})."
        )
    own_intervals = {name: entry.intervals[LEVEL] for name, entry in found.quantities.items()}
    said += _coverages("", own_intervals, found.attainable_coverage[LEVEL], scores)
    if found.recalibrated is not None:
        widened = {name: levels[LEVEL] for name, levels in found.recalibrated.quantities.items()}
        said += _coverages("recalibrated ", widened, LEVEL / 100, scores)
    return said


def _coverages(kind: str, intervals: Mapping[str, IntervalScores], nominal: float, scores: Scores) -> list[str]:
    """Return a sentence on how often the intervals of the headline quantities contain the truth."""
    parts = []
    for name in scores.headline:
        if name in intervals and intervals[name].coverage.certain:
            coverage = intervals[name].coverage
            low, high = coverage.bounds()
            words = judged(coverage, nominal, "too narrow (overconfident)", "too wide (underconfident)")
            parts.append(
                f"{inline(scores.quantity_info[name].label)} {percent(coverage)} ({percent(low)} to {percent(high)}), "
                f"{words or 'not distinguishable from nominal'}"
            )
    few = "" if nominal > LEVEL / 100 - 0.005 else ", the most that so few members can reach"
    reach = f"nominal coverage {percent(nominal)}{few}"
    return [f"Coverage of its {kind}{LEVEL} % intervals ({reach}): {'; '.join(parts)}."] if parts else []


def judged(estimate: Estimate, nominal: float, below: str, above: str) -> str:
    """Return ``below`` or ``above`` where the 95 % interval excludes the nominal value, else nothing."""
    low, high = estimate.bounds()
    return below if high < nominal else above if low > nominal else ""


def _blocks(scores: Scores) -> str:
    number, blocks = scores.bootstrap.number_of_blocks, scores.bootstrap.blocks
    if blocks in ("sequence", "day", "sample"):
        return counted(number, blocks)
    return f"{number} {'days of a sequence' if blocks == 'sequence-day' else blocks}"
