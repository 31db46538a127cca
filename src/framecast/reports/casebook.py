"""The best, the median and the worst case: film, flux and frames of each."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from framecast.reports.clock import Clock
from framecast.reports.fan import fan_chart
from framecast.reports.panels import Panels
from framecast.reports.picture import Film, Picture, save_figure, save_film, save_photograph
from framecast.reports.strip import strip
from framecast.reports.style import Look
from framecast.reports.wording import percent, short
from framecast.verification.evaluation import Cases, Evaluation

_FILM_BYTES = 1_100_000
_CHANNELS_SHOWN = 3

_TITLES = {"median": "A typical case", "best": "The best case", "worst": "The worst case"}


@dataclass(frozen=True)
class CasePictures:
    """The pictures of one sample; fans and strips are one for each channel."""

    name: str
    title: str
    description: str
    film: Film
    fans: list[Picture]
    strips: list[Picture]


def chosen_cases(evaluation: Evaluation) -> dict[str, int]:
    """Return the median, best and worst sample, each sample once."""
    order = evaluation.ranked()
    chosen = {"median": order[len(order) // 2], "best": order[0], "worst": order[-1]}
    return {name: index for k, (name, index) in enumerate(chosen.items()) if index not in list(chosen.values())[:k]}


def draw_case(
    evaluation: Evaluation, looks: dict[str, Look], name: str, index: int, figures: Path, *, done: Callable[[], None]
) -> CasePictures:
    """Draw and save the pictures of sample ``index``, calling ``done`` at the end."""
    cases = evaluation.cases
    case = cases[index]
    row = evaluation.samples[index]
    where = f"{case.sequence}, issued {row['issue_time'].replace('T', ' ')[:16]} UTC"
    panels = Panels.of_case(case, cases)
    longest = Clock.of(cases.lead_times[-1]).text(cases.lead_times[-1])
    channels = cases.channels[:_CHANNELS_SHOWN]
    several = len(channels) > 1
    film = save_film(
        panels,
        figures / f"{name}.webp",
        caption="Every panel begins with the past that was seen; at the issue time the forecasts part. "
        f"{'Channel ' + channels[0] + '. ' if several else ''}{panels.describe()}",
        alt=f"{_TITLES[name]}, {', '.join(panel.name for panel in panels.panels)} side by side",
        budget=_FILM_BYTES,
    )
    fans, strips = [], []
    for channel, called in enumerate(channels):
        end = f"-{channel + 1}" if channel else ""
        of = f" in {called}" if several else ""
        fans.append(
            save_figure(
                fan_chart(case, cases, looks, channel=channel),
                figures / f"{name}-flux{end}",
                title=f"Total flux{of}",
                caption="Sum over the image. " + _shades(cases),
                alt=f"Fan chart of the total flux{of} of {where}: past, observed future and forecast up to {longest}.",
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
    return CasePictures(name, _TITLES[name], f"{where}; {_scores(evaluation, looks, index)}.", film, fans, strips)


def _shades(cases: Cases) -> str:
    """Return what is shaded in a fan chart."""
    if len(cases.models) > 1:
        return "Shaded: central 90 % intervals; lines: medians."
    if cases.members[cases.models[0]] > 1:
        return "Shaded: central 50 and 90 % intervals; thin lines: members."
    return ""


def _scores(evaluation: Evaluation, looks: dict[str, Look], index: int) -> str:
    """Return the CRPS of each model in this sample, and its skill against persistence."""
    row, unit = evaluation.samples[index], evaluation.cases.unit
    persistence = row.get("crps persistence")
    words = []
    for name in evaluation.cases.models:
        crps = row[f"crps {name}"]
        text = f"CRPS {short(crps)} {unit}".rstrip()
        if persistence:
            text += f", {percent(1 - crps / persistence, signed=True)} skill against persistence"
        words.append(text if len(evaluation.cases.models) == 1 else f"{looks[name].label}: {text}")
    return "; ".join(words)
