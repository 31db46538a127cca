"""One forecast as a folder: a page, animations, curves with intervals, and the numbers as tables.

It is made of one sample of a forecast file, with or without observations of its future.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from framecast.core.files import FORECAST_PAGE, new_folder, write_atomically
from framecast.reports.colours import colour_map
from framecast.reports.fan import fan
from framecast.reports.film import can_write_mp4, strip
from framecast.reports.maps import motion_map
from framecast.reports.page import Origin, Page, Section, render, title
from framecast.reports.panels import Panels
from framecast.reports.picture import save_figure, save_film, save_photograph
from framecast.reports.style import Look, own_settings
from framecast.reports.tables import Cell, Column, Row, Table
from framecast.reports.wording import Clock, counted, inline, short
from framecast.verification.files import plain
from framecast.verification.quantities import measure, spacing
from framecast.verification.rows import as_csv
from framecast.verification.samples import Interval, Sample, interval_rows
from framecast.verification.summary import quantity_info
from framecast.videos.units import joined

PAGE = "index.html"
_MODEL = Look("Forecast", "#0072B2", "-", "o")
_MADE = ("created", "data_cutoff", "sampler", "steps", "seed", "members", "framecast_version", "torch_version")
_FILM_BYTES = 1_500_000


def show(
    forecast: str | Path, out: str | Path, *, overwrite: bool = False, command: str = "", name: str | None = None
) -> Path:
    """Show the newest forecast of a file as a page, and return the path of the page.

    Args:
        forecast: what `framecast.forecast` wrote.
        out: the folder to make: the page, its figures, ``intervals.csv`` and ``prediction.json``.
        overwrite: whether an existing page may be replaced.
        command: the command line to print under "how to make this page again".
        name: of the file that the page names, where it is not that of ``forecast``.

    Raises:
        FramecastError: there is no such forecast, or ``out`` exists.
        DataError: it is not a forecast.
    """
    path = Path(forecast)
    sample = Sample.read(path)
    facts = {"Sequence": sample.sequence, "Last frame seen": sample.issued}
    with new_folder(out, overwrite=overwrite, kind=FORECAST_PAGE) as folder:
        write_prediction(
            folder,
            sample,
            heading=f"A forecast of {sample.sequence}, issued {sample.issued}",
            facts=facts,
            command=command,
            members=name or path.name,
        )
    return Path(out) / PAGE


@own_settings()
def write_prediction(
    folder: Path,
    sample: Sample,
    *,
    heading: str,
    named: Callable[[str], str] = str,
    sections: Sequence[Section] = (),
    facts: dict[str, str],
    command: str = "",
    members: str = "forecast.zarr",
    credits: str = "",
) -> Path:
    """Write the page of ``sample``, its figures and tables into an existing ``folder``, and return the page's path.

    ``named`` says the name of a channel, ``sections`` are further parts of the page, ``facts`` its provenance;
    ``command`` reproduces it, ``members`` names the file that holds them, ``credits`` whose images they are.
    """
    figures = folder / "figures"
    figures.mkdir(exist_ok=True)
    rows = interval_rows(sample)
    parts = [Section(name="intervals", title="Derived quantities", table=_table(rows, named), legend=_legend(sample))]
    parts += [_channel(sample, k, named(channel), figures) for k, channel in enumerate(sample.channels)]
    _write_tables(folder, rows, sample, facts)
    made = facts | {title(name): str(sample.attrs[name]) for name in _MADE if name in sample.attrs}
    page = Page(
        title=heading,
        introduction=_introduction(sample),
        sections=[*parts, *sections],
        origins=[Origin(str(sample.attrs.get("model", "the model")), list(made.items()))],
        commands=[command] if command else [],
        files=f"Data: intervals.csv, prediction.json. Members: {members}. {credits}".rstrip(),
    )
    write_atomically(folder / PAGE, render(page))
    return folder / PAGE


def _introduction(sample: Sample) -> str:
    leads, known = sample.lead_times, sum(sample.known)
    clock = Clock.of(leads[-1])
    words = (
        f"{counted(len(sample.members), 'possible future')} of one sequence, {clock.number(leads[0]):.3g} to "
        f"{clock.text(leads[-1])} ahead, drawn by {sample.attrs.get('model', 'the model')}. "
    )
    if sample.unlike:
        words += f"The past is unlike the model's training data, so they are unreliable: {sample.unlike}. "
    if known == len(leads):
        return words + "The observations are shown beside them."
    if known:
        return words + f"{known} of {len(leads)} frames of the observations are shown beside them."
    return words + "The observations are not available yet: rerun the same command later to add them."


def _table(rows: Sequence[Interval], named: Callable[[str], str]) -> Table | None:
    return Table.of(
        "Forecast intervals",
        ["", Column("Median", model=True), "50 % interval", "90 % interval", "Observed"],
        [
            Row(
                f"{named(row.channel)}, {inline(row.label)}",
                row.unit,
                [
                    Cell(short(row.median)),
                    Cell(f"{short(row.low_50)} to {short(row.high_50)}"),
                    Cell(f"{short(row.low_90)} to {short(row.high_90)}"),
                    Cell(short(row.observed) if np.isfinite(row.observed) else "not known"),
                ],
            )
            for row in rows
        ],
    )


def _legend(sample: Sample) -> list[str]:
    members = len(sample.members)
    if sample.calibration is not None:
        return ["The intervals are recalibrated on windows that the model was not trained on."]
    reach = 100 * (members - 1) / (members + 1)
    return [f"Central intervals of {members} members reach a coverage of at most {reach:.0f} %."]


def _channel(sample: Sample, k: int, called: str, figures: Path) -> Section:
    """Draw one channel: its animation, the curve of its total, and its frames."""
    channel, curve = sample.channels[k], sample.curve
    panels = Panels.of_ensemble(
        past=sample.past[k].numpy(),
        members=sample.members[:, k].numpy(),
        truth=sample.truth[k].numpy() if any(sample.known) else None,
        times=[*sample.past_times, *sample.lead_times],
        colours=colour_map(channel, sample.domain),
        unit=sample.units[k],
        title=f"{called}   {sample.sequence}   issued {sample.issued}",
        valid=sample.moments,
        places=sample.places,
        sides=sample.sides,
    )
    film = save_film(
        panels,
        figures / f"film-{channel}.webp",
        caption="First the past, the same in every panel, then the future of each member.",
        alt=f"Animation of {called}: {', '.join(panel.name for panel in panels.panels)}",
        budget=_FILM_BYTES,
        also=(".gif", ".mp4") if can_write_mp4() else (".gif",),
    )
    seen = measure(curve, sample.past, ~torch.isnan(sample.past), spacing(sample.lead_times), sample.weights)[k]
    drawn = fan(
        past=seen,
        truth=sample.observed(curve)[k] if any(sample.known) else None,
        ensembles=[(_MODEL, sample.drawn(curve)[:, k])],
        past_times=sample.past_times,
        lead_times=sample.lead_times,
        name=curve.label,
        unit=quantity_info(curve, sample.units[k]).unit,
    )
    beside = save_figure(
        drawn,
        figures / f"{curve.name}-{channel}",
        title=curve.label,
        caption="Black is observed, blue the members with their 50 and 90 % intervals.",
        alt=f"{curve.label} of {called} over time with the intervals of the ensemble.",
    )
    frames = save_photograph(
        strip(panels),
        figures / f"frames-{channel}",
        caption=panels.describe(),
        alt=f"Frames of {called}: {', '.join(panel.name for panel in panels.panels)} in rows, lead times in columns.",
    )
    folded = [frames]
    if sample.motion is not None:
        height, width = sample.motion.shape[2:]
        last = panels.panels[0].picture(len(sample.past_times) - 1, (width, height))
        arrows = motion_map(sample.motion[k], last)
        words = "The motion that the model was given, over the last frame seen."
        folded.append(save_figure(arrows, figures / f"motion-{channel}", title="Motion", caption=words, alt=words))
    return Section(
        name=f"channel-{k + 1}",
        title=called,
        films=[(film, beside)],
        folded=folded,
        summary="Frame by frame",
        opened=True,
    )


def _write_tables(folder: Path, rows: Sequence[Interval], sample: Sample, facts: dict[str, str]) -> None:
    """Write ``intervals.csv`` and ``prediction.json``."""
    intervals = plain(rows)
    write_atomically(folder / "intervals.csv", as_csv(intervals))
    curve = sample.curve
    members, observed = sample.drawn(curve), sample.observed(curve)
    content = {
        "format": "framecast-prediction",
        "version": 2,
        "sequence": sample.sequence,
        "issue_time": sample.calendar.iso(sample.issue),
        "lead_times_h": [seconds / 3600 for seconds in sample.lead_times],
        "future_known": sample.known,
        "unit": sample.unit,
        f"{curve.name}_unit": joined([quantity_info(curve, unit).unit for unit in sample.units]),
        curve.name: {
            channel: {"members": plain(members[:, k]), "observed": plain(observed[k])}
            for k, channel in enumerate(sample.channels)
        },
        "intervals": intervals,
        "facts": facts,
        "forecast": {name: value for name, value in sample.attrs.items() if isinstance(value, str | int | float)},
    }
    write_atomically(folder / "prediction.json", json.dumps(content, indent=1) + "\n")
