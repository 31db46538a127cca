"""The median, the best and the worst case: animation, curve of the total and frames of each."""

from collections.abc import Callable
from pathlib import Path

import torch

from framecast.reports.fan import fan_chart
from framecast.reports.film import strip
from framecast.reports.page import Section
from framecast.reports.panels import Panels
from framecast.reports.picture import save_figure, save_film, save_photograph
from framecast.reports.style import Look
from framecast.reports.wording import Clock, inline, percent, short
from framecast.verification.evaluation import Cases, Evaluation

_FILM_BYTES = 1_100_000
_CHANNELS_SHOWN = 3

_TITLES = {"median": "Median case", "best": "Best case", "worst": "Worst case"}


def chosen_cases(evaluation: Evaluation) -> dict[str, int]:
    """Return the median, best and worst sample, each sample once."""
    order = evaluation.ranked()
    chosen = {"median": order[len(order) // 2], "best": order[0], "worst": order[-1]}
    return {name: index for k, (name, index) in enumerate(chosen.items()) if index not in list(chosen.values())[:k]}


def draw_case(
    evaluation: Evaluation, looks: dict[str, Look], name: str, index: int, figures: Path, *, done: Callable[[], None]
) -> Section:
    """Draw and save the pictures of sample ``index``, calling ``done`` at the end."""
    cases = evaluation.cases
    case = cases[index]
    where = f"{case.sequence}, issued {cases.calendar.moment(case.issue_time)}"
    curve = next(quantity for quantity in evaluation.quantities if quantity.by_lead)
    panels = Panels.of_case(case, cases)
    longest = Clock.of(cases.lead_times[-1]).text(cases.lead_times[-1])
    channels = cases.channels[:_CHANNELS_SHOWN]
    several = len(channels) > 1
    film = save_film(
        panels,
        figures / f"{name}.webp",
        caption="Every panel starts with the past; after the issue time the forecasts differ. "
        f"{'Channel ' + channels[0] + '. ' if several else ''}{panels.describe()}",
        alt=f"{_TITLES[name]}, {', '.join(panel.name for panel in panels.panels)} side by side",
        budget=_FILM_BYTES,
    )
    fans, strips = [], []
    weights = torch.from_numpy(cases.weights) if evaluation.scores.weights and cases.weights is not None else None
    for channel, called in enumerate(channels):
        end = f"-{channel + 1}" if channel else ""
        of = f" in {called}" if several else ""
        fans.append(
            save_figure(
                fan_chart(case, cases, looks, curve, channel=channel, weights=weights),
                figures / f"{name}-{curve.name}{end}",
                title=f"{curve.label}{of}",
                caption=_shades(cases),
                alt=f"Fan chart of the {inline(curve.label)}{of} of {where}: past, observed future and forecast up to "
                f"{longest}.",
            )
        )
        shown = panels if channel == 0 else Panels.of_case(case, cases, channel=channel)
        strips.append(
            save_photograph(
                strip(shown),
                figures / f"{name}-strip{end}",
                title=f"Frames{of}" if several else "",
                caption=f"The same, frame by frame{of}. {shown.describe()}",
                alt=f"Frames of {where}{of}: {', '.join(panel.name for panel in shown.panels)} in rows, lead times in "
                "columns.",
            )
        )
    done()
    return Section(
        name=f"case-{name}",
        title=_TITLES[name],
        text=[f"{where}; {_scores(evaluation, looks, index)}."],
        films=[(film, fans[0])],
        pictures=fans[1:],
        folded=strips,
        summary="Frame by frame" + (", all channels" if len(strips) > 1 else ""),
        opened=name == "median",
    )


def _shades(cases: Cases) -> str:
    if len(cases.models) > 1:
        return "Shaded: central 90 % intervals; lines: medians."
    if cases.members[cases.models[0]] > 1:
        return "Shaded: central 50 and 90 % intervals; thin lines: members."
    return ""


def _scores(evaluation: Evaluation, looks: dict[str, Look], index: int) -> str:
    """Return the CRPS of each model in this sample, and its skill against the strongest baseline of all samples."""
    found, unit = evaluation.samples[index].forecasts, evaluation.scores.score_info["crps"].unit
    strongest = evaluation.scores.strongest or ""
    words = []
    for name in evaluation.cases.models:
        crps = found[name]["crps"]
        text = f"CRPS {short(crps)} {unit}".rstrip()
        if other := found.get(strongest, {}).get("crps"):
            text += f", {percent(1 - crps / other, signed=True)} skill against {inline(looks[strongest].label)}"
        words.append(text if len(evaluation.cases.models) == 1 else f"{looks[name].label}: {text}")
    return "; ".join(words)
