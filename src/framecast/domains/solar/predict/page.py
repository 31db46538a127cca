"""A prediction of one region as a folder: a page, a film, fan charts, the disk, and the intervals as tables."""

import base64
import csv
import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import torch
from matplotlib.figure import Figure

from framecast.core.domain import Domain
from framecast.core.files import write_atomically
from framecast.data.archive.guard import undamaged
from framecast.data.archive.reader import Archive
from framecast.data.forecasts import forecast_domain, open_forecast
from framecast.domains.solar.observations import scan
from framecast.domains.solar.predict.disk import Box, disk_picture
from framecast.domains.solar.radiometry import Radiometry
from framecast.domains.solar.reader import read_image
from framecast.reports.colours import colour_map
from framecast.reports.fan import fan
from framecast.reports.film import animate
from framecast.reports.panels import Panels
from framecast.reports.provenance import title
from framecast.reports.strip import strip
from framecast.reports.style import QUANTITIES, Look
from framecast.verification.quantities import flux, quantities
from framecast.verification.recalibration.calibration import Calibration, from_plain
from framecast.verification.scores import central_interval

LEVELS = (0.5, 0.9)
"""The central intervals in the table."""

PAGE = "index.html"
_MODEL = Look("Forecast", "#0072B2", "-", "o")
_MADE = ("sampler", "steps", "seed", "members", "framecast_version")
_MIME = {".svg": "image/svg+xml", ".png": "image/png", ".webp": "image/webp"}


@dataclass(frozen=True, kw_only=True)
class Interval:
    """What the ensemble says of one quantity of one channel.

    Attributes:
        channel: its name.
        quantity: ``mpf``, ``fluence`` or ``t2pf``.
        unit: of all numbers.
        median: half the members are below it.
        low_50: lower end of the central 50 % interval; None for an interval that cannot be promised.
        high_50: its upper end.
        low_90: lower end of the central 90 % interval.
        high_90: its upper end.
        observed: what came; None where that is not known (yet).
    """

    channel: str
    quantity: str
    unit: str
    median: float
    low_50: float | None
    high_50: float | None
    low_90: float | None
    high_90: float | None
    observed: float | None

    @property
    def label(self) -> str:
        """The quantity in words."""
        return QUANTITIES[self.quantity].label


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The only sample of a prediction's forecast file; physical units, NaN where masked or not known.

    Attributes:
        region: name of the sequence.
        issue: time of the last frame seen.
        channels: names of the channels that are forecast.
        past: these channels in the past, ``[channel, past time, y, x]``; NaN where one was not seen.
        members: ``[member, channel, lead time, y, x]``.
        truth: ``[channel, lead time, y, x]``.
        past_times: seconds, the last of them 0.
        lead_times: seconds.
        unit: of all images.
        attrs: what the file says of its making.
        domain: what kind of data it is.
    """

    region: str
    issue: np.datetime64
    channels: list[str]
    past: torch.Tensor
    members: torch.Tensor
    truth: torch.Tensor
    past_times: list[float]
    lead_times: list[float]
    unit: str
    attrs: dict[str, Any]
    domain: Domain

    @classmethod
    def read(cls, path: Path) -> "Sample":
        """Return the first sample of the forecast file at ``path``."""
        lazy = open_forecast(path).isel(sample=0)
        with undamaged(path):
            data = lazy.load()
        video = ("channel", "lead_time", "y", "x")
        channels = [str(name) for name in data["channel"].values]
        seen = [str(name) for name in data["past_channel"].values]
        past_video = data["past"].transpose("past_channel", "past_time", "y", "x").values
        past = np.full((len(channels), *past_video.shape[1:]), np.nan, np.float32)
        for k, name in enumerate(channels):
            if name in seen:
                past[k] = past_video[seen.index(name)]
        return cls(
            region=str(data["sequence"].values),
            issue=np.datetime64(data["issue_time"].item(), "ns"),
            channels=channels,
            past=torch.from_numpy(past),
            members=torch.from_numpy(data["forecast"].transpose("member", *video).values.copy()),
            truth=torch.from_numpy(data["truth"].transpose(*video).values.copy()),
            past_times=(data["past_time"].values / np.timedelta64(1, "s")).tolist(),
            lead_times=(data["lead_time"].values / np.timedelta64(1, "s")).tolist(),
            unit=str(data.attrs.get("unit", "")),
            attrs=dict(data.attrs),
            domain=forecast_domain(data),
        )

    @property
    def calibration(self) -> Calibration | None:
        """What calibrates the model's intervals, if there is something that holds for this forecast."""
        plain = self.attrs.get("calibration")
        if plain is None:
            return None
        calibration = from_plain(plain, where="the forecast")
        objection = calibration.objection(
            self.attrs,
            channels=tuple(self.channels),
            lead_times_h=tuple(seconds / 3600 for seconds in self.lead_times),
            size=(self.truth.shape[-2], self.truth.shape[-1]),
            unit=self.unit,
        )
        return None if objection else calibration

    @property
    def known(self) -> list[bool]:
        """Whether each frame of the future has come."""
        return (~torch.isnan(self.truth)).any(dim=0).flatten(1).any(dim=1).tolist()

    @property
    def valid(self) -> torch.Tensor:
        """The pixels that every member knows, and the truth where it has come: the flux is summed over them."""
        members = (~torch.isnan(self.members)).all(dim=0)
        has_come = (~torch.isnan(self.truth)).flatten(2).any(dim=2)[..., None, None]
        return members & (~torch.isnan(self.truth) | ~has_come)

    @property
    def flux(self) -> torch.Tensor:
        """``[member, channel, lead time]``."""
        return flux(self.members, self.valid)

    @property
    def observed_flux(self) -> torch.Tensor:
        """``[channel, lead time]``, NaN where it is not known."""
        return flux(torch.where(self.valid, self.truth, torch.nan))


def intervals(sample: Sample) -> list[Interval]:
    """Return what the ensemble says of maximum, fluence and time of maximum of each channel's flux.

    The intervals are the calibrated ones where the model has a calibration that holds for this forecast.
    """
    cadence, calibration = sample.lead_times[0], sample.calibration
    units = {"mpf": sample.unit, "fluence": f"{sample.unit}·h", "t2pf": "h"}
    rows = []
    for k, channel in enumerate(sample.channels):
        drawn, came = quantities(sample.flux[:, k], cadence), quantities(sample.observed_flux[k], cadence)
        for name in QUANTITIES:
            ends = {level: [float(end) for end in central_interval(drawn[name], level)] for level in LEVELS}
            if calibration is not None:
                widened = calibration.intervals(name, quantities(sample.flux, cadence)[name])
                ends = {level: _plain(torch.stack(widened[level])[:, k]) for level in LEVELS}
            observed = float(came[name])
            rows.append(
                Interval(
                    channel=channel,
                    quantity=name,
                    unit=units[name],
                    median=float(drawn[name].nanquantile(0.5)),
                    low_50=ends[0.5][0],
                    high_50=ends[0.5][1],
                    low_90=ends[0.9][0],
                    high_90=ends[0.9][1],
                    observed=None if np.isnan(observed) else observed,
                )
            )
    return rows


def write_prediction(
    folder: Path, *, radiometry: Radiometry = Radiometry(), facts: dict[str, str], command: str = ""
) -> Path:
    """Draw what is in ``folder`` (``images/``, ``region.zarr``, ``forecast.zarr``) and put the page beside it.

    Args:
        folder: what `framecast.domains.solar.predict.predict` filled.
        radiometry: as the region was made with.
        facts: what else the page tells of the making, name to text.
        command: the command line that makes it again.

    Returns:
        The path of the page.
    """
    figures = folder / "figures"
    figures.mkdir(exist_ok=True)
    sample = Sample.read(folder / "forecast.zarr")
    rows = intervals(sample)
    for k, channel in enumerate(sample.channels):
        panels = _panels(sample, k)
        animate(panels, figures / f"film-{channel}.webp")
        strip(panels).save(figures / f"frames-{channel}.webp", quality=88)
        _save(_fan(sample, k), figures / f"flux-{channel}.svg")
    _disk(folder, sample, radiometry).savefig(figures / "disk.png", dpi=140)
    _tables(folder, rows, sample, facts)
    page = _template().render(
        title=f"A forecast of the Sun, issued {_minute(sample.issue)}",
        hours=[seconds / 3600 for seconds in sample.lead_times],
        members=len(sample.members),
        model=sample.attrs.get("model", "the model"),
        known=sum(sample.known),
        calibrated=sample.calibration is not None,
        rows=rows,
        number=number,
        channels=sample.channels,
        film={channel: _data(figures / f"film-{channel}.webp") for channel in sample.channels},
        fan={channel: _data(figures / f"flux-{channel}.svg") for channel in sample.channels},
        strip={channel: _data(figures / f"frames-{channel}.webp") for channel in sample.channels},
        disk=_data(figures / "disk.png"),
        facts=facts | {title(name): str(sample.attrs[name]) for name in _MADE if name in sample.attrs},
        command=command,
    )
    write_atomically(folder / PAGE, page)
    return folder / PAGE


def _panels(sample: Sample, channel: int) -> Panels:
    return Panels.of_ensemble(
        past=sample.past[channel].numpy(),
        members=sample.members[:, channel].numpy(),
        truth=sample.truth[channel].numpy() if any(sample.known) else None,
        times=[*sample.past_times, *sample.lead_times],
        colours=colour_map(sample.channels[channel], sample.domain),
        unit=sample.unit,
        title=f"{sample.channels[channel]} Å   {_minute(sample.issue)}",
    )


def _fan(sample: Sample, channel: int) -> Figure:
    return fan(
        past=flux(sample.past)[channel],
        truth=sample.observed_flux[channel] if any(sample.known) else None,
        ensembles=[(_MODEL, sample.flux[:, channel])],
        past_times=sample.past_times,
        lead_times=sample.lead_times,
        unit=sample.unit,
    )


def _disk(folder: Path, sample: Sample, radiometry: Radiometry) -> Figure:
    """Return the disk in the first channel that is forecast and seen, at the last frame seen."""
    archive = Archive.open(folder / "region.zarr")
    region = archive.sequence(sample.region)
    wavelength = int(next((name for name in sample.channels if name in archive.channels), archive.channels[0]))
    frames = [frame for frame in scan(folder / "images").frames if frame.wavelength == wavelength]
    last = min(frames, key=lambda frame: abs(frame.time - sample.issue))
    pixel = float(archive.attrs["pixel_arcsec"])
    box = Box(
        x=region["hpc_x"].values.tolist(),
        y=region["hpc_y"].values.tolist(),
        now=int(np.abs(region["time"].values - sample.issue).argmin()),
        width=archive.width * pixel,
        height=archive.height * pixel,
    )
    return disk_picture(read_image(last.path), box, radiometry=radiometry)


def _tables(folder: Path, rows: list[Interval], sample: Sample, facts: dict[str, str]) -> None:
    """Write ``intervals.csv`` and ``prediction.json``."""
    table = io.StringIO()
    writer = csv.DictWriter(table, fieldnames=list(asdict(rows[0])))
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    write_atomically(folder / "intervals.csv", table.getvalue())
    content = {
        "format": "framecast-prediction",
        "version": 1,
        "region": sample.region,
        "issue_time": str(sample.issue.astype("datetime64[ms]")),
        "lead_times_h": [seconds / 3600 for seconds in sample.lead_times],
        "future_known": sample.known,
        "unit": sample.unit,
        "flux": {
            channel: {"members": _plain(sample.flux[:, k]), "observed": _plain(sample.observed_flux[k])}
            for k, channel in enumerate(sample.channels)
        },
        "intervals": [asdict(row) for row in rows],
        "facts": facts,
        "forecast": {name: value for name, value in sample.attrs.items() if isinstance(value, str | int | float)},
    }
    write_atomically(folder / "prediction.json", json.dumps(content, indent=1) + "\n")


def _plain(values: torch.Tensor) -> Any:
    """Return ``values`` as nested lists, None for NaN."""
    if values.ndim > 1:
        return [_plain(row) for row in values]
    return [None if np.isnan(value) else value for value in values.tolist()]


def _save(figure: Figure, path: Path) -> None:
    import matplotlib

    with matplotlib.rc_context({"svg.hashsalt": "framecast"}):
        figure.savefig(path, metadata={"Date": None})


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("framecast.reports"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("prediction.html.j2")


def _data(path: Path) -> str:
    return f"data:{_MIME[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"


def number(value: float | None, absent: str = "–") -> str:
    """Return ``value`` to three digits, without an exponent up to a million; ``absent`` where there is none."""
    if value is None:
        return absent
    if abs(value) < 1000 or abs(value) >= 1e6:
        return f"{value:.3g}"
    return f"{round(value, 2 - int(np.log10(abs(value)))):,.0f}"


def _minute(time: np.datetime64) -> str:
    return str(time.astype("datetime64[m]")).replace("T", " ") + " UTC"
