"""One forecast as a folder: a page, animations, curves with intervals, and the numbers as tables.

It is made of one sample of a forecast file, whether or not what came is known already.
"""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from framecast.core.domain import Domain
from framecast.core.files import FORECAST_PAGE, new_folder, write_atomically
from framecast.core.text import plain_row
from framecast.data.archive.guard import undamaged
from framecast.data.forecasts import forecast_domain, issue_clock, open_forecast
from framecast.reports.clock import Clock
from framecast.reports.colours import colour_map
from framecast.reports.fan import fan
from framecast.reports.film import can_write_mp4
from framecast.reports.page import Page, Section, render
from framecast.reports.panels import Panels, frame_sides
from framecast.reports.picture import save_figure, save_film, save_photograph
from framecast.reports.provenance import Origin, title
from framecast.reports.strip import strip
from framecast.reports.style import Look, own_settings
from framecast.reports.tables import Cell, Column, Row, Table
from framecast.reports.wording import counted, inline, short
from framecast.verification.pool import videos
from framecast.verification.quantities import Quantity, measure, quantities_of, spacing
from framecast.verification.recalibration.calibration import Calibration, carried, intervals
from framecast.verification.summary import quantity_info
from framecast.videos.calendar import Calendar
from framecast.videos.directions import area_weights
from framecast.videos.units import by_channel

PAGE = "index.html"
_MODEL = Look("Forecast", "#0072B2", "-", "o")
_MADE = ("created", "data_cutoff", "sampler", "steps", "seed", "members", "framecast_version", "torch_version")
_FILM_BYTES = 1_500_000


@dataclass(frozen=True, kw_only=True)
class Interval:
    """What the ensemble says of one quantity of one channel.

    Attributes:
        channel: its name.
        quantity: its name.
        label: what it is called.
        unit: of all numbers.
        median: half the members are below it.
        low_50: lower end of the central 50 % interval; NaN for an interval that cannot be guaranteed.
        high_50: its upper end.
        low_90: lower end of the central 90 % interval.
        high_90: its upper end.
        observed: what came; NaN where that is not known (yet).
    """

    channel: str
    quantity: str
    label: str
    unit: str
    median: float
    low_50: float
    high_50: float
    low_90: float
    high_90: float
    observed: float


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One sample of a forecast file; physical units, NaN where masked or not known.

    Attributes:
        sequence: its name.
        issue: time of the last frame seen, on an even clock.
        calendar: how that is read.
        channels: names of the channels that are forecast.
        past: these channels in the past, ``[channel, past time, y, x]``; NaN where one was not seen.
        members: ``[member, channel, lead time, y, x]``.
        truth: ``[channel, lead time, y, x]``.
        past_times: seconds, the last of them 0.
        lead_times: seconds.
        unit: of all images.
        attrs: what the file says of its making.
        calibration: the recalibration of the model's intervals, if there is one that holds for this forecast.
        domain: what kind of data it is.
        quantities: derived quantities under the labels of the domain.
        weights: areas of the pixels, on a grid of latitudes.
        moments: when each of past and future frames is, for a reader.
        places: where the middle of each is, for a reader; empty where the file does not say.
        sides: width and height of a frame and their unit, where the file says so.
        unlike: in what the past is unlike the model's training data; empty where it is not.
    """

    sequence: str
    issue: np.datetime64
    calendar: Calendar
    channels: list[str]
    past: torch.Tensor
    members: torch.Tensor
    truth: torch.Tensor
    past_times: list[float]
    lead_times: list[float]
    unit: str
    attrs: dict[str, Any]
    calibration: Calibration | None
    domain: Domain
    quantities: tuple[Quantity, ...]
    weights: torch.Tensor | None = None
    moments: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    sides: tuple[float, float, str] | None = None
    unlike: str = ""

    @classmethod
    def read(cls, path: Path) -> "Sample":
        """Return the newest sample of the forecast file at ``path``, the first of equally new ones."""
        whole = open_forecast(path)
        return cls.of(whole, int(issue_clock(whole)[0].argmax()), where=path)

    @classmethod
    def of(cls, whole: xr.Dataset, number: int, *, where: Path) -> "Sample":
        """Return the sample of this number of an opened forecast file, which is at ``where``."""
        clock, calendar = issue_clock(whole)
        with undamaged(where):
            data = whole.isel(sample=number).load()
        channels = [str(name) for name in data["channel"].values]
        seen = [str(name) for name in data["past_channel"].values]
        known = torch.from_numpy(data["past"].transpose("past_channel", "past_time", "y", "x").values.copy())
        past = torch.full((len(channels), *known.shape[1:]), torch.nan)
        for k, name in enumerate(channels):
            if name in seen:
                past[k] = known[seen.index(name)]
        domain = forecast_domain(data)
        areas = area_weights(data.coords, (data.sizes["y"], data.sizes["x"]))
        calibration, objection = carried(data, where=str(where))
        return cls(
            sequence=str(data["sequence"].values),
            issue=clock[number],
            calendar=calendar,
            channels=channels,
            past=past,
            members=videos(data["forecast"], "member"),
            truth=videos(data["truth"]),
            past_times=(data["past_time"].values / np.timedelta64(1, "s")).tolist(),
            lead_times=(data["lead_time"].values / np.timedelta64(1, "s")).tolist(),
            unit=str(data.attrs.get("unit", "")),
            attrs=dict(data.attrs),
            calibration=None if objection else calibration,
            domain=domain,
            quantities=quantities_of(domain, data.coords),
            weights=None if areas is None else torch.from_numpy(areas),
            moments=tuple(calendar.moment(clock[number] + each) for each in _elapsed(data)),
            places=_places(data),
            sides=frame_sides(data.coords),
            unlike=str(data["unlike_training"].values) if "unlike_training" in data else "",
        )

    @property
    def issued(self) -> str:
        """When the last frame seen was taken, for a reader."""
        return self.calendar.moment(self.issue)

    @property
    def known(self) -> list[bool]:
        """Whether each frame of the future has come."""
        return (~torch.isnan(self.truth)).any(dim=0).flatten(1).any(dim=1).tolist()

    @property
    def valid(self) -> torch.Tensor:
        """The pixels that every member knows, and the truth where it has come: quantities are measured on them."""
        members = (~torch.isnan(self.members)).all(dim=0)
        has_come = (~torch.isnan(self.truth)).flatten(2).any(dim=2)[..., None, None]
        return members & (~torch.isnan(self.truth) | ~has_come)

    def drawn(self, quantity: Quantity) -> torch.Tensor:
        """Return a quantity of the members, ``[member, channel(, lead time)]``."""
        return measure(quantity, self.members, self.valid, spacing(self.lead_times), self.weights)

    def observed(self, quantity: Quantity) -> torch.Tensor:
        """Return a quantity of what came, ``[channel(, lead time)]``; NaN where it is not known."""
        return measure(quantity, self.truth, self.valid, spacing(self.lead_times), self.weights)

    @property
    def curve(self) -> Quantity:
        """The quantity of each frame that is drawn."""
        return next(quantity for quantity in self.quantities if quantity.by_lead)


def _elapsed(data: xr.Dataset) -> np.ndarray:
    """Return the times of past and future frames from the issue time."""
    return np.concatenate([data["past_time"].values, data["lead_time"].values]).astype("timedelta64[ns]")


def _places(data: xr.Dataset) -> tuple[str, ...]:
    """Return where the middle of each frame is; nothing where the file does not say."""
    names = ("past_hpc_x", "past_hpc_y", "hpc_x", "hpc_y")
    if not set(names) <= set(data.coords):
        return ()
    past_x, past_y, x, y = (data[name].values for name in names)
    both = zip(np.concatenate([past_x, x]), np.concatenate([past_y, y]), strict=True)
    return tuple(f"x {west:+.0f}″, y {north:+.0f}″".replace("-", "−") for west, north in both)


def interval_rows(sample: Sample) -> list[Interval]:
    """Return what the ensemble says of the headline quantities of each channel.

    The intervals are the recalibrated ones where the model has a recalibration that holds for this forecast.
    """
    rows = []
    for k, channel in enumerate(sample.channels):
        for quantity in (quantity for quantity in sample.quantities if quantity.headline):
            values = sample.drawn(quantity)
            found = intervals(quantity.name, values, sample.calibration)
            ends = {level: [float(end[k]) for end in found[level]] for level in (0.5, 0.9)}
            rows.append(
                Interval(
                    channel=channel,
                    quantity=quantity.name,
                    label=quantity.label,
                    unit=quantity_info(quantity, sample.unit).unit,
                    median=float(values[:, k].nanquantile(0.5)),
                    low_50=ends[0.5][0],
                    high_50=ends[0.5][1],
                    low_90=ends[0.9][0],
                    high_90=ends[0.9][1],
                    observed=float(sample.observed(quantity)[k]),
                )
            )
    return rows


def show(forecast: str | Path, out: str | Path, *, overwrite: bool = False, command: str = "") -> Path:
    """Show the newest forecast of a file as a page, and return the path of the page.

    Args:
        forecast: what `framecast.forecast` wrote.
        out: the folder to make: the page, its figures, ``intervals.csv`` and ``prediction.json``.
        overwrite: whether an existing page may be replaced.
        command: the command line to print under "how to make this page again".

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
            members=path.name,
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
    """Write the page of ``sample``, its figures and tables into ``folder``, and return the page's path.

    Args:
        folder: an existing folder; ``figures/`` in it may hold other figures.
        sample: what is shown.
        heading: of the page.
        named: what a channel is called.
        sections: further parts of the page.
        facts: what the page tells of the making, name to text.
        command: the command line that makes it again.
        members: the file that holds them.
        credits: whose images they are.
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
        files=f"The numbers: intervals.csv, prediction.json. The members: {members}. {credits}".rstrip(),
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
        words += f"The past is unlike the model's training data, so do not rely on them: {sample.unlike}. "
    if known == len(leads):
        return words + "The observations are shown beside them."
    if known:
        return words + f"{known} of {len(leads)} frames of the observations are shown beside them."
    return words + "The observations are not known yet: the same command shows them when they are there."


def _table(rows: Sequence[Interval], named: Callable[[str], str]) -> Table:
    columns = ["", "Median", "50 % interval", "90 % interval", "Observed"]
    return Table(
        "What to expect",
        [Column(columns[0]), Column(columns[1], model=True), *map(Column, columns[2:])],
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
        unit=by_channel(sample.unit, len(sample.channels))[k],
        title=f"{called}   {sample.sequence}   issued {sample.issued}",
        valid=sample.moments,
        places=sample.places,
        sides=sample.sides,
    )
    film = save_film(
        panels,
        figures / f"film-{channel}.webp",
        caption="First what was seen, in every panel alike, then each member's own future.",
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
        unit=quantity_info(curve, sample.unit).unit,
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
    return Section(
        name=f"channel-{k + 1}",
        title=called,
        films=[(film, beside)],
        folded=[frames],
        summary="Frame by frame",
        opened=True,
    )


def _write_tables(folder: Path, rows: Sequence[Interval], sample: Sample, facts: dict[str, str]) -> None:
    """Write ``intervals.csv`` and ``prediction.json``."""
    plain = [{name: _plain(value) for name, value in asdict(row).items()} for row in rows]
    table = io.StringIO()
    writer = csv.DictWriter(table, fieldnames=list(plain[0]))
    writer.writeheader()
    writer.writerows(map(plain_row, plain))
    write_atomically(folder / "intervals.csv", table.getvalue())
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
        f"{curve.name}_unit": quantity_info(curve, sample.unit).unit,
        curve.name: {
            channel: {"members": _plain(members[:, k].tolist()), "observed": _plain(observed[k].tolist())}
            for k, channel in enumerate(sample.channels)
        },
        "intervals": plain,
        "facts": facts,
        "forecast": {name: value for name, value in sample.attrs.items() if isinstance(value, str | int | float)},
    }
    write_atomically(folder / "prediction.json", json.dumps(content, indent=1) + "\n")


def _plain(value: Any) -> Any:
    """Return nested lists, None for NaN."""
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
