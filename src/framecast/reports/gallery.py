"""The charts of the report, section by section; each with a caption and an alternative text."""

from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure

from framecast.reports import charts
from framecast.reports.maps import error_maps
from framecast.reports.page import Section
from framecast.reports.picture import Picture, save_figure
from framecast.reports.style import Look
from framecast.reports.tables import LEVEL, by_channel, compared, events, headline, occurrences, quantities, strata
from framecast.reports.verdicts import legend
from framecast.reports.wording import Clock, inline, listed, percent, short
from framecast.verification.evaluation import Evaluation
from framecast.verification.results import Scores

_CHANNELS_SHOWN = 3


def score_sections(scores: Scores, looks: dict[str, Look], figures: Path) -> list[Section]:
    """Return the headline table, and the forecasts compared with each other."""
    return [
        Section(name="scores", title="Scores", table=headline(scores, looks), legend=legend(scores)),
        Section(name="channels", title="Channels", table=by_channel(scores, looks)),
        Section(name="strata", title="Regions, seasons and classes", table=strata(scores, looks)),
        Section(
            name="differences",
            title="Differences",
            text=[
                "All forecasts are scored on the same pixels, and intervals of differences are paired, so that "
                "difficulty common to both cancels. A forecast is called better or worse only where the 95 % "
                "interval excludes zero."
            ],
            table=compared(scores, looks),
            pictures=_saved(_differences(scores, looks), figures),
        ),
    ]


def chart_sections(evaluation: Evaluation, looks: dict[str, Look], figures: Path) -> list[Section]:
    """Draw and save all charts that the scores allow, by section."""
    scores = evaluation.scores
    return [
        Section(name="lead-time", title="Skill by lead time", pictures=_saved(_lead_time(scores, looks), figures)),
        Section(name="reliability", title="Reliability", pictures=_saved(_reliability(scores, looks), figures)),
        Section(name="quantities", title="Derived quantities", table=quantities(scores, looks)),
        Section(name="spectra", title="Power spectra", pictures=_saved(_spectra(scores), figures)),
        Section(
            name="events",
            title="Threshold exceedance",
            table=events(scores, looks),
            pictures=_saved(_events(scores, looks), figures),
        ),
        Section(name="occurrences", title="Events within the horizon", table=occurrences(scores)),
        Section(name="maps", title="Error maps", wide=_saved(_maps(evaluation, looks), figures, drawn=False)),
    ]


_Drawn = tuple[str, Figure | None, str, str, str]
"""Name of a file, a figure that may not exist, its title, its caption, its alternative text."""


def _saved(charts: Iterator[_Drawn], figures: Path, *, drawn: bool = True) -> list[Picture]:
    return [
        save_figure(figure, figures / name, title=title, caption=caption, alt=alt, drawn=drawn)
        for name, figure, title, caption, alt in charts
        if figure is not None
    ]


def _differences(scores: Scores, looks: dict[str, Look]) -> Iterator[_Drawn]:
    for k, name in enumerate(scores.models):
        yield (
            _numbered("differences", k),
            charts.differences(scores, name),
            f"{looks[name].label} against the others",
            "Change of each score, in percent of the other's, with its paired 95 % interval; lower is better for all. "
            "Filled: the interval excludes zero. Open: undecided.",
            f"Intervals of the relative difference of {len(charts.shown(scores))} scores between {looks[name].label} "
            f"and each other forecast. {_words(scores, looks, name)}",
        )


def _lead_time(scores: Scores, looks: dict[str, Look]) -> Iterator[_Drawn]:
    for name, info in scores.score_info.items():
        figure = charts.score_by_lead(scores, name) if info.shown and not info.ensembles else None
        if figure is not None and name not in ("rmse", "member_ssim"):  # the RMSE is beside the spread
            hint = f" {info.hint[:1].upper()}{info.hint[1:]}." if info.hint else ""
            yield (
                f"{name.replace('_', '-')}-by-lead",
                figure,
                f"{info.label} by lead time",
                f"Bands: 95 % intervals of the models.{hint}",
                f"Line chart of the {inline(info.label)} against lead time. {_ends(scores, looks, name)}",
            )
    several = len(scores.models) > 1
    yield (
        "skill-by-lead",
        charts.skill_by_lead(scores),
        "CRPS skill by lead time",
        "1 − CRPS of the model / CRPS of the baseline: above 0 the model is better. Bands: paired 95 % intervals.",
        f"Line chart of the skill of {'each model' if several else 'the model'} by lead time. In total: "
        + listed([f"{looks[name].label} {_skill(scores, name)}" for name in scores.models])
        + ".",
    )
    yield (
        "error-and-spread",
        charts.error_and_spread(scores),
        "Error and spread",
        "In a well calibrated ensemble the spread (dashed) equals the error of the ensemble mean (solid).",
        "Line chart of RMSE and ensemble spread against lead time. Spread over error in total: "
        + listed([f"{looks[name].label} {short(scores[name]['spread_skill'].total)}" for name in scores.models])
        + ".",
    )


def _reliability(scores: Scores, looks: dict[str, Look]) -> Iterator[_Drawn]:
    for k, name in enumerate(scores.models):
        of = f": {looks[name].label}" if len(scores.models) > 1 else ""
        found = scores[name]
        own = {quantity: entry.intervals for quantity, entry in found.quantities.items()}
        for recalibrated, held in ((False, own), (True, found.recalibrated and found.recalibrated.quantities)):
            if not held:
                continue
            coverages = [
                f"{inline(scores.quantity_info[quantity].label)} {percent(held[quantity][LEVEL].coverage)}"
                for quantity in scores.headline
                if quantity in held
            ]
            kind = "recalibrated" if recalibrated else "central"
            yield (
                _numbered("reliability-recalibrated" if recalibrated else "reliability", k),
                charts.reliability(scores, name, recalibrated=recalibrated),
                f"Coverage of {kind} intervals{of}",
                f"How often the {kind} intervals of derived quantities contain the truth. On the line: well "
                "calibrated. Bars: 95 % intervals.",
                f"Reliability diagram of {looks[name].label}, observed against nominal coverage of {kind} intervals. "
                f"Coverage of the {LEVEL} % intervals: {listed(coverages)}.",
            )
    yield (
        "ranks",
        charts.ranks(scores),
        "Rank histogram",
        "Rank of the true pixel among the sorted members. Flat: well calibrated. U-shaped: overconfident. "
        "Sloping: biased.",
        f"Rank histogram of the truth among the members. {_outermost(scores, looks)}",
    )
    yield (
        "spread-and-error",
        charts.spread_and_error(scores),
        "Spread-error relation",
        "Error of the ensemble mean by predicted spread. On the line the spread predicts the error.",
        "Observed error against predicted spread, on logarithmic axes, with the line where both are equal.",
    )


def _events(scores: Scores, looks: dict[str, Look]) -> Iterator[_Drawn]:
    for k, value in enumerate(scores.thresholds):
        threshold = f"{value:g}"
        event = f"at least {threshold} {scores.unit}".rstrip()
        often = f"It occurs in {percent(scores[scores.models[0]].events[threshold].base_rate)} of the pixels."
        yield (
            _numbered("brier-by-lead", k),
            charts.score_by_lead(scores, f"brier_{threshold}"),
            f"Brier score: {event}",
            f"Mean squared error of the probability that a pixel reaches {threshold}; lower is better. {often}",
            f"Line chart of the Brier score of the event of {event} against lead time, for each forecast. {often}",
        )
        yield (
            _numbered("event-reliability", k),
            charts.event_reliability(scores, threshold),
            f"Reliability: {event}",
            "Observed frequency of the event by its forecast probability. On the line: well calibrated. Larger marks "
            "stand for more pixels.",
            f"Reliability diagram of the event of {event}: observed frequency against forecast probability.",
        )
        yield (
            _numbered("roc", k),
            charts.roc(scores, threshold),
            f"Relative operating characteristic: {event}",
            "Hit rate against false alarm rate, for warnings at every probability. The diagonal has no skill.",
            f"Hit rate against false alarm rate of the event of {event}, for each forecast.",
        )
        yield (
            _numbered("economic-value", k),
            charts.economic_value(scores, threshold),
            f"Economic value: {event}",
            "Saving by the best warning, by the ratio of the cost of protection to the loss: 1 is a perfect "
            "forecast, 0 climatology.",
            f"Relative economic value of warnings of {event} against the cost-loss ratio, for each forecast.",
        )
        yield (
            _numbered("fractions-skill", k),
            charts.fss_by_width(scores, threshold),
            f"Fractions skill score: {event}",
            "In squares of so many pixels; 1 is perfect. Above the dotted line a forecast is useful at this size.",
            f"Line chart of the fractions skill score of the event of {event} against the size of the squares.",
        )


def _spectra(scores: Scores) -> Iterator[_Drawn]:
    yield (
        "spectra",
        charts.spectra(scores),
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
        yield (
            _numbered("maps", k),
            error_maps(maps, channels=channels, units=cases.units),
            looks[name].label if len(cases.models) > 1 else "",
            "Mean over samples and lead times. Error and spread share one colour scale: they are equal where the "
            "ensemble is well calibrated. Bias: mean of the ensemble mean minus the truth. Grey: never observed.",
            f"Maps of error, spread and bias of {looks[name].label}, at each pixel of the frame, "
            f"for {listed([str(channel) for channel in channels])}.",
        )


def _numbered(name: str, k: int) -> str:
    """Return the file name for the model number ``k``; the first has none."""
    return name if k == 0 else f"{name}-{k + 1}"


def _ends(scores: Scores, looks: dict[str, Look], name: str) -> str:
    clock = Clock.of(3600 * scores.lead_times_h[-1])
    first, last = (clock.text(3600 * scores.lead_times_h[k]) for k in (0, -1))
    words = []
    for forecast, look in looks.items():
        by_lead = scores[forecast][name].by_lead
        assert by_lead is not None
        start, end = short(by_lead.value[0]), short(by_lead.value[-1])
        words.append(f"{look.label} goes from {start} at {first} to {end} at {last}.")
    return " ".join(words)


def _skill(scores: Scores, name: str) -> str:
    entry = scores[name].skill.get(scores.strongest or "")
    return "–" if entry is None else percent(entry["crps"].total)


def _outermost(scores: Scores, looks: dict[str, Look]) -> str:
    words = []
    for name in scores.models:
        ranks = scores[name].ranks
        if len(ranks) > 2:
            beyond = f"{percent(ranks[0] + ranks[-1])} of the true pixels lie outside all members"
            words.append(f"{looks[name].label}: {beyond}, nominally {percent(2 / len(ranks))}.")
    return " ".join(words)


def _words(scores: Scores, looks: dict[str, Look], name: str) -> str:
    words = []
    for other, look in looks.items():
        entry = charts.against(scores, name, other).get("crps")
        if entry is not None:
            words.append(f"CRPS against {look.label}: {percent(entry[0], signed=True)}.")
    return " ".join(words)
