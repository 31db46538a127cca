"""One window of a forecast file in memory, and the forecasts of derived quantities of its ensemble."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from framecast.core.domain import Domain
from framecast.data.forecasts import issue_clock, open_forecast
from framecast.verification.quantities import Quantity, measure, quantities_of, spacing
from framecast.verification.recalibration.calibration import Calibration, intervals
from framecast.verification.sources import ForecastSource, targets_of, videos
from framecast.verification.summary import quantity_info
from framecast.videos.calendar import Calendar
from framecast.videos.directions import area_weights, pixel_area


@dataclass(frozen=True, kw_only=True)
class Interval:
    """The ensemble's forecast of one quantity of one channel.

    Attributes:
        channel: its name.
        quantity: its name.
        label: its label.
        unit: of all numbers.
        median: half the members are below it.
        low_50: lower end of the central 50 % interval; NaN for an interval that cannot be guaranteed.
        high_50: its upper end.
        low_90: lower end of the central 90 % interval.
        high_90: its upper end.
        observed: the observation; NaN if not known (yet).
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
        issue: time of the last past frame.
        calendar: of that time.
        channels: names of the channels that are forecast.
        past: these channels in the past, ``[channel, past time, y, x]``; NaN if not among the past channels.
        members: ``[member, channel, lead time, y, x]``.
        truth: ``[channel, lead time, y, x]``.
        past_times: seconds, the last of them 0.
        lead_times: seconds.
        unit: of all images.
        units: of each channel.
        attrs: provenance in the file.
        calibration: the recalibration of the model's intervals, if there is one that applies to this forecast.
        domain: what kind of data it is.
        quantities: derived quantities under the labels of the domain.
        weights: areas of the pixels, on a grid of latitudes.
        moments: time of each past and future frame, as text.
        places: position of the centre of each, as text; empty if unknown.
        sides: width and height of a frame and their unit, if known.
        unlike: how the past is unlike the model's training data; empty if it is not.
        motion: input of the model, pixels per frame, ``[channel, 2, y, x]``; None if it has none.
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
    units: tuple[str, ...]
    attrs: dict[str, Any]
    calibration: Calibration | None
    domain: Domain
    quantities: tuple[Quantity, ...]
    weights: torch.Tensor | None = None
    moments: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    sides: tuple[float, float, str] | None = None
    unlike: str = ""
    motion: np.ndarray | None = None

    @classmethod
    def read(cls, path: Path) -> "Sample":
        """Return the newest sample of the forecast file at ``path``, the first of equally new ones."""
        whole = open_forecast(path)
        return cls.of(whole, int(issue_clock(whole)[0].argmax()), where=path)

    @classmethod
    def of(cls, whole: xr.Dataset, number: int, *, where: Path) -> "Sample":
        """Return the sample of this number of an opened forecast file, which is at ``where``."""
        source = ForecastSource("", where, whole)
        data = source.read(whole.isel(sample=number))
        areas = area_weights(data.coords, source.size)
        calibration, objection = source.recalibration
        issue, elapsed = source.clock[number], np.concatenate([data["past_time"].values, data["lead_time"].values])
        return cls(
            sequence=str(data["sequence"].values),
            issue=issue,
            calendar=source.calendar,
            channels=source.channels,
            past=targets_of(source, data["past"]),
            members=videos(data["forecast"], "member"),
            truth=videos(data["truth"]),
            past_times=list(source.past_times),
            lead_times=list(source.lead_times),
            unit=source.unit,
            units=source.units,
            attrs=dict(data.attrs),
            calibration=None if objection else calibration,
            domain=source.domain,
            quantities=quantities_of(source.domain, data.coords),
            weights=None if areas is None else torch.from_numpy(areas),
            moments=tuple(source.calendar.moment(issue + each) for each in elapsed.astype("timedelta64[ns]")),
            places=tuple(source.domain.places(data)),
            sides=frame_sides(data.coords),
            unlike=str(data["unlike_training"].values) if "unlike_training" in data else "",
            motion=data["motion"].values if "motion" in data else None,
        )

    @property
    def issued(self) -> str:
        """Time of the last past frame, as text."""
        return self.calendar.moment(self.issue)

    @property
    def known(self) -> list[bool]:
        """Whether each future frame has been observed."""
        return (~torch.isnan(self.truth)).any(dim=0).flatten(1).any(dim=1).tolist()

    @property
    def valid(self) -> torch.Tensor:
        """The pixels known in every member and, if observed, in the truth, on which quantities are computed."""
        members = (~torch.isnan(self.members)).all(dim=0)
        has_come = (~torch.isnan(self.truth)).flatten(2).any(dim=2)[..., None, None]
        return members & (~torch.isnan(self.truth) | ~has_come)

    def drawn(self, quantity: Quantity) -> torch.Tensor:
        """Return a quantity of the members, ``[member, channel(, lead time)]``."""
        return measure(quantity, self.members, self.valid, spacing(self.lead_times), self.weights)

    def observed(self, quantity: Quantity) -> torch.Tensor:
        """Return a quantity of the observations, ``[channel(, lead time)]``; NaN if unknown."""
        return measure(quantity, self.truth, self.valid, spacing(self.lead_times), self.weights)

    @property
    def curve(self) -> Quantity:
        """The quantity of each frame that is drawn."""
        return next(quantity for quantity in self.quantities if quantity.by_lead)


def interval_rows(sample: Sample) -> list[Interval]:
    """Return the forecasts of the headline quantities of each channel.

    The intervals are recalibrated if the model has a recalibration that applies to this forecast.
    """
    rows = []
    for k, channel in enumerate(sample.channels):
        for quantity in (quantity for quantity in sample.quantities if quantity.headline):
            values = sample.drawn(quantity)
            found = intervals(quantity.name, values, sample.calibration)
            (low_50, high_50), (low_90, high_90) = ([float(end[k]) for end in found[level]] for level in (0.5, 0.9))
            rows.append(
                Interval(
                    channel=channel,
                    quantity=quantity.name,
                    label=quantity.label,
                    unit=quantity_info(quantity, sample.units[k]).unit,
                    median=float(values[:, k].nanquantile(0.5)),
                    low_50=low_50,
                    high_50=high_50,
                    low_90=low_90,
                    high_90=high_90,
                    observed=float(sample.observed(quantity)[k]),
                )
            )
    return rows


def frame_sides(coords: Any) -> tuple[float, float, str] | None:
    """Return width and height of a frame and their unit, from the coordinates of its pixels; None without a unit."""
    cell = pixel_area(coords)
    if cell is None:
        return None
    width, height = (abs(float(coords[name][1] - coords[name][0])) * coords.sizes[name] for name in ("x", "y"))
    return width, height, cell[1]
