"""The videos of one case side by side: observations, members, ensemble mean and spread."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import torch
from matplotlib.colors import Colormap
from PIL import Image

from framecast.reports.colours import SIGNED, Brightness, colour_map, is_signed, tile
from framecast.verification.cases import Case, Cases
from framecast.verification.samples import frame_sides
from framecast.verification.scores import ensemble_mean, ensemble_variance
from framecast.videos.frames import moments

Video = np.ndarray

_MODELS_SHOWN = 3


@dataclass(frozen=True)
class Panel:
    """One of the videos shown together.

    Attributes:
        name: its label.
        video: ``[time, y, x]``, the past first; NaN where masked.
        brightness: from its values to shades.
        colours: of the shades.
    """

    name: str
    video: Video
    brightness: Brightness
    colours: Colormap

    def picture(self, k: int, size: tuple[int, int]) -> Image.Image:
        """Return frame ``k`` as a picture of ``size`` (width, height)."""
        return tile(self.brightness(self.video[k]), np.isnan(self.video[k]), self.colours, size)


@dataclass(frozen=True)
class Panels:
    """Videos of one case that are shown together.

    Attributes:
        times: of the frames, in seconds from the issue time: the past's end at 0.
        panels: the videos, in the order of reading, ``columns`` in a row.
        columns: how many stand side by side.
        title: of the whole.
        unit: of the images.
        valid: time of each frame as text, ``2017-08-13 14:00 UTC``; empty where that is not known.
        places: position of the centre of each frame as text; empty where that is not known.
        sides: width and height of a frame, and their unit; None where that is not known.
    """

    times: list[float]
    panels: list[Panel]
    columns: int
    title: str
    unit: str
    valid: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    sides: tuple[float, float, str] | None = None

    @classmethod
    def of_ensemble(
        cls,
        *,
        past: Video,
        members: Video,
        truth: Video | None,
        times: Sequence[float],
        colours: Colormap,
        unit: str,
        title: str,
        shown: int = 3,
        valid: Sequence[str] = (),
        places: Sequence[str] = (),
        sides: tuple[float, float, str] | None = None,
    ) -> "Panels":
        """Show one ensemble beside the observations, if known.

        Args:
            past: the past frames, ``[past time, y, x]``.
            members: ``[member, lead time, y, x]``; the first ``shown`` of them one by one.
            truth: the observations, ``[lead time, y, x]``, or ``None``.
            times: of past and future frames, in seconds from the issue time.
            colours: of the images.
            unit: of all images.
            title: of the whole.
            shown: how many members.
            valid: time of each past and future frame, as text.
            places: position of the centre of each, as text.
            sides: width and height of a frame, and their unit.
        """
        light, colours = _shades(np.concatenate([past, members[0] if truth is None else truth]), unit, colours)
        videos = {} if truth is None else {"Observed": truth}
        videos |= {"Forecast" if len(members) == 1 else f"Member {k + 1}": own for k, own in enumerate(members[:shown])}
        panels = [Panel(name, np.concatenate([past, video]), light, colours) for name, video in videos.items()]
        if len(members) > 1:
            panels += _mean_and_spread("", past, members, light, colours)
        return cls(list(times), panels, min(3, len(panels)), title, unit, tuple(valid), tuple(places), sides)

    @classmethod
    def of_case(cls, case: Case, cases: Cases, *, channel: int = 0) -> "Panels":
        """Show a sample of an evaluation: three members of a single forecast, or one member of each of several."""
        past, truth = case.past[channel].numpy(), case.truth[channel].numpy()
        times = [*cases.past_times, *cases.lead_times]
        title = f"{case.sequence}   {cases.calendar.text(case.issue_time)}"
        colours = colour_map(cases.channels[channel], cases.domain)
        unit = cases.units[channel]
        about: dict[str, Any] = {
            "valid": tuple(map(cases.calendar.moment, moments(case.issue_time, times))),
            "sides": frame_sides(cases.sources[0].dataset.coords),
        }
        if len(cases.models) == 1:
            return cls.of_ensemble(
                past=past,
                members=case.forecasts[cases.models[0]][:, channel].numpy(),
                truth=truth,
                times=times,
                colours=colours,
                unit=unit,
                title=title,
                **about,
            )
        light, colours = _shades(np.concatenate([past, truth]), unit, colours)

        def panel(name: str, video: Video) -> Panel:
            return Panel(name, np.concatenate([past, video]), light, colours)

        panels = [panel("Observed", truth)]
        for name, text in (("persistence", "Persistence"), ("dressed_persistence", "Dressed persistence")):
            if name in case.forecasts:
                panels.append(panel(text, case.forecasts[name][0, channel].numpy()))
        for name in cases.models[:_MODELS_SHOWN]:
            members = case.forecasts[name][:, channel].numpy()
            called = name if len(name) <= 14 else f"{name[:13]}…"
            panels.append(panel(f"{called}: member" if len(members) > 1 else called, members[0]))
            if len(members) > 1:
                panels += _mean_and_spread(f"{called}: ", past, members, light, colours)
        return cls(times, panels, 3, title, unit, **about)

    @property
    def issued(self) -> int:
        """Number of the last frame seen."""
        return max(k for k, seconds in enumerate(self.times) if seconds <= 0)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of a frame."""
        height, width = self.panels[0].video.shape[1:]
        return int(height), int(width)

    def describe(self) -> str:
        """Return the scales of images and spread in words."""
        words = f"Images: {self.panels[0].brightness.describe(self.unit)}."
        spreads = [panel.brightness.high for panel in self.panels if panel.name.endswith("spread")]
        if spreads:
            ends = " and ".join(f"{high:.3g}" for high in spreads)
            words += f" Spread: standard deviation of the members, 0 to {ends} {self.unit}".rstrip() + "."
        return words


def _shades(seen: Video, unit: str, colours: Colormap) -> tuple[Brightness, Colormap]:
    """Return the range of values in which a video is shown, and its colours: values of both signs have their own."""
    light = Brightness.of(seen, signed=is_signed(seen, unit))
    return light, matplotlib.colormaps[SIGNED] if light.signed else colours


def _mean_and_spread(before: str, past: Video, members: Video, light: Brightness, colours: Colormap) -> list[Panel]:
    ensemble = torch.from_numpy(members)
    mean = ensemble_mean(ensemble).numpy()
    spread = ensemble_variance(ensemble).sqrt().numpy()
    both = np.concatenate([np.where(np.isnan(past), np.nan, 0.0), spread])
    words = ("mean", "spread") if before else ("Ensemble mean", "Ensemble spread")
    return [
        Panel(before + words[0], np.concatenate([past, mean]), light, colours),
        Panel(before + words[1], both, Brightness.of_spread(spread, light), matplotlib.colormaps["bone"]),
    ]
