"""The charts of the report, section by section; each with a caption, and with words for those who do not see it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from framecast.reports import charts
from framecast.reports.clock import Clock
from framecast.reports.maps import error_maps
from framecast.reports.picture import Picture, save_figure
from framecast.reports.style import Look
from framecast.reports.tables import Table, events, quantities
from framecast.reports.wording import listed, percent, short
from framecast.verification.evaluation import Evaluation

_CHANNELS_SHOWN = 3


@dataclass(frozen=True)
class Section:
    """A part of the page: pictures side by side (or across the page), and maybe a table."""

    name: str
    title: str
    pictures: list[Picture]
    table: Table | None = None
    wide: bool = False


def difference_charts(scores: dict[str, Any], looks: dict[str, Look], figures: Path) -> list[Picture]:
    """Return one chart for each model: its scores against those of every other forecast."""
    pictures = []
    for k, name in enumerate(scores["models"]):
        figure = charts.differences(scores, name)
        if figure is not None:
            pictures.append(
                save_figure(
                    figure,
                    figures / _numbered("differences", k),
                    title=f"{looks[name].label} against the others",
                    caption="Change of each score, in percent of the other's, with its paired 95 % interval; for all "
                    "of them less is better. Filled: the interval excludes zero. Open: undecided.",
                    alt=f"Intervals of the relative difference of {len(charts.SHOWN)} scores between "
                    f"{looks[name].label} and each other forecast. {_words(scores, looks, name)}",
                )
            )
    return pictures


def sections(evaluation: Evaluation, looks: dict[str, Look], figures: Path) -> list[Section]:
    """Draw and save all charts that the scores allow, by section."""
    scores = evaluation.scores
    parts = [
        Section("lead-time", "How long knowledge lasts", _saved(_lead_time(scores, looks), figures)),
        Section(
            "reliability",
            "How honest the uncertainty is",
            _saved(_reliability(evaluation, looks), figures),
            quantities(scores, looks),
        ),
        Section("structure", "Structure at each scale", _saved(_structure(evaluation), figures)),
        Section("events", "Reaching a threshold", _saved(_events(scores, looks), figures), events(scores, looks)),
        Section("maps", "Where it errs", _saved(_maps(evaluation, looks), figures), wide=True),
    ]
    return [part for part in parts if part.pictures]


@dataclass(frozen=True)
class _Drawn:
    """A figure that may not exist, and its words."""

    name: str
    figure: Figure | None
    title: str
    caption: str
    alt: str
    drawn: bool = True


def _saved(drawn: Iterator[_Drawn], figures: Path) -> list[Picture]:
    return [
        save_figure(
            chart.figure,
            figures / chart.name,
            title=chart.title,
            caption=chart.caption,
            alt=chart.alt,
            drawn=chart.drawn,
        )
        for chart in drawn
        if chart.figure is not None
    ]


def _lead_time(scores: dict[str, Any], looks: dict[str, Look]) -> Iterator[_Drawn]:
    clock = Clock.of(3600 * scores["lead_times_h"][-1])
    first, last = (clock.text(3600 * scores["lead_times_h"][k]) for k in (0, -1))
    ends = [
        f"{looks[name].label} goes from {short(found['crps_by_lead'][0])} at {first} to "
        f"{short(found['crps_by_lead'][-1])} at {last}."
        for name, found in scores["forecasts"].items()
    ]
    yield _Drawn(
        "crps-by-lead",
        charts.crps_by_lead(scores),
        "Error by lead time",
        "Fair continuous ranked probability score; lower is better. Bands: 95 % intervals of the models.",
        f"Line chart of CRPS against lead time. {' '.join(ends)}",
    )
    several = len(scores["models"]) > 1
    yield _Drawn(
        "skill-by-lead",
        charts.skill_by_lead(scores),
        "Skill by lead time",
        "1 − CRPS of the model / CRPS of the baseline: above 0 the model is better. Bands: paired 95 % intervals.",
        f"Line chart of the skill of {'each model' if several else 'the model'} by lead time. In total: "
        + listed([f"{looks[n].label} {percent(_first_skill(scores, n))}" for n in scores["models"]])
        + ".",
    )
    yield _Drawn(
        "error-and-spread",
        charts.error_and_spread(scores),
        "Error and spread",
        "In a reliable ensemble the spread (dashed) equals the error of the ensemble mean (solid).",
        "Line chart of RMSE and ensemble spread against lead time. Spread over error in total: "
        + listed([f"{looks[n].label} {short(scores['forecasts'][n]['spread_skill'])}" for n in scores["models"]])
        + ".",
    )


def _reliability(evaluation: Evaluation, looks: dict[str, Look]) -> Iterator[_Drawn]:
    scores = evaluation.scores
    for k, name in enumerate(scores["models"]):
        found = scores["forecasts"][name]
        for calibrated in (False, True):
            held = found.get("calibrated") if calibrated else found
            if held is None:
                continue
            coverage, after = held["coverage"]["fluence"], " after calibration" if calibrated else ""
            yield _Drawn(
                _numbered("reliability-calibrated" if calibrated else "reliability", k),
                charts.reliability(scores, name, calibrated=calibrated),
                f"Do the intervals hold{after}?" + (f" {looks[name].label}" if len(scores["models"]) > 1 else ""),
                "How often the truth fell within "
                + (
                    "the intervals that calibration on other samples makes of the model's."
                    if calibrated
                    else "the model's central intervals of flux quantities."
                )
                + " Bars: 95 % intervals.",
                f"Reliability diagram of {looks[name].label}{after}, observed against promised coverage. "
                f"The 50 % interval of the fluence held {percent(coverage.get('50'))}, "
                f"the 90 % interval {percent(coverage.get('90'))}.",
            )
    yield _Drawn(
        "ranks",
        charts.ranks(scores),
        "Rank of the truth",
        "Where the true pixel falls among the sorted members. Flat: reliable. U-shaped: too narrow. Sloping: bias.",
        f"Rank histogram of the truth among the members. {_outermost(scores, looks)}",
    )
    yield _Drawn(
        "spread-and-error",
        charts.spread_and_error(scores, evaluation.tallies),
        "Does it know when it does not know?",
        "Error of the ensemble mean, by the spread predicted. On the line the ensemble knows its own error.",
        "Error found against spread predicted, on logarithmic axes, with the line where both are equal.",
    )


def _events(scores: dict[str, Any], looks: dict[str, Look]) -> Iterator[_Drawn]:
    for k, value in enumerate(scores.get("thresholds", [])):
        threshold = f"{value:g}"
        event = f"at least {threshold} {scores['unit']}".rstrip()
        rate = scores["forecasts"][scores["models"][0]]["thresholds"][threshold]["base_rate"]
        often = f"It happens in {percent(rate)} of the pixels."
        yield _Drawn(
            _numbered("brier-by-lead", k),
            charts.brier_by_lead(scores, threshold),
            f"Brier score: {event}",
            f"Mean squared error of the probability that a pixel reaches {threshold}; lower is better. {often}",
            f"Line chart of the Brier score of the event of {event} against lead time, for each forecast. {often}",
        )
        yield _Drawn(
            _numbered("event-reliability", k),
            charts.event_reliability(scores, threshold),
            f"Do the probabilities hold? {event.capitalize()}",
            "How often the event happened where it was given so much probability. On the line: reliable. Larger marks "
            "stand for more pixels.",
            f"Reliability diagram of the event of {event}: observed frequency against forecast probability.",
        )
        yield _Drawn(
            _numbered("fractions-skill", k),
            charts.fss_by_width(scores, threshold),
            f"Right place, or nearly: {event}",
            "Fractions skill score in squares of so many pixels: 1 is perfect. Above the dotted line a forecast is "
            "useful at this size.",
            f"Line chart of the fractions skill score of the event of {event} against the size of the squares.",
        )


def _structure(evaluation: Evaluation) -> Iterator[_Drawn]:
    yield _Drawn(
        "spectra",
        charts.spectra(evaluation.scores, evaluation.tallies),
        "Power at each scale",
        "Power of forecast images over that of the truth. Below 1: too smooth; above: too noisy. A single member "
        "should stay at 1; a mean of members may not.",
        "Power spectrum relative to the truth against wavelength, for single members of each forecast.",
    )


def _maps(evaluation: Evaluation, looks: dict[str, Look]) -> Iterator[_Drawn]:
    cases = evaluation.cases
    channels = cases.channels[:_CHANNELS_SHOWN]
    for k, name in enumerate(cases.models):
        maps = evaluation.maps[name]
        yield _Drawn(
            _numbered("maps", k),
            error_maps(maps, channels=channels, unit=cases.unit),
            looks[name].label if len(cases.models) > 1 else "",
            "Mean over samples and lead times. Error and spread share their colours: alike where the ensemble is "
            "reliable. Bias: mean of the ensemble mean minus the truth. Grey: never observed.",
            f"Maps of error, spread and bias of {looks[name].label}, at each pixel of the frame, "
            f"for {listed([str(channel) for channel in channels])}.",
            drawn=False,
        )


def _numbered(name: str, k: int) -> str:
    """Return the file name for the model number ``k``; the first has none."""
    return name if k == 0 else f"{name}-{k + 1}"


def _first_skill(scores: dict[str, Any], name: str) -> float | None:
    skill = scores["forecasts"][name]["skill"]
    return next(iter(skill.values()))["value"] if skill else None


def _outermost(scores: dict[str, Any], looks: dict[str, Look]) -> str:
    """Return how often the truth is beyond all members."""
    words = []
    for name in scores["models"]:
        ranks = scores["forecasts"][name]["ranks"]
        if len(ranks) > 2:
            beyond = f"{percent(ranks[0] + ranks[-1])} of the true pixels lie beyond all members"
            words.append(f"{looks[name].label}: {beyond}, {percent(2 / len(ranks))} would be reliable.")
    return " ".join(words)


def _words(scores: dict[str, Any], looks: dict[str, Look], name: str) -> str:
    """Return the relative difference in CRPS to each other forecast."""
    words = []
    for other, look in looks.items():
        entry = charts.against(scores, name, other).get("crps")
        if entry is not None:
            words.append(f"CRPS against {look.label}: {percent(entry[0], signed=True)}.")
    return " ".join(words)
