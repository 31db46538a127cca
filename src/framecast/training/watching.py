"""Validation during a run: forecasts of a few validation windows, always the same, and their scores."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from framecast.core.errors import ConfigError
from framecast.data.datasets import Samples
from framecast.models.forecaster import Forecaster
from framecast.models.members import Draw
from framecast.verification.scores import crps, ensemble_mean, ensemble_variance
from framecast.videos.target import latest_frame


@dataclass(frozen=True, kw_only=True)
class WatchOptions:
    """Forecasts and scores during a run; these settings do not affect the weights.

    Attributes:
        to: output of scores and animations besides the log: ``files`` (RUN/samples, an animation each time),
            ``tensorboard`` (RUN/tensorboard), ``wandb``, or several of them.
        every: number of steps after which some windows are forecast and scored; 0 for never.
        windows: how many, evenly spaced over the validation side; the first is shown as an animation.
        members: of each forecast.
    """

    to: tuple[Literal["files", "tensorboard", "wandb"], ...] = ("files",)
    every: int = 0
    windows: int = 4
    members: int = 4

    def __post_init__(self) -> None:
        if self.every < 0 or self.windows < 1 or self.members < 2:
            raise ConfigError(
                f"watch.every is {self.every}, watch.windows {self.windows} and watch.members {self.members}; they "
                "must be at least 0, 1 and 2"
            )


@dataclass(frozen=True, kw_only=True)
class Watched:
    """Scores of forecasts during a run.

    Attributes:
        step: after which.
        scores: by name, in physical units: ``crps``, ``rmse`` of the ensemble mean, and ``spread_skill``; ``skill``,
            how far the CRPS is below persistence's, if the future channels are among the past channels.
        truth: of the first window, ``[channel, time, y, x]``.
        members: of its forecast, ``[member, channel, time, y, x]``.
    """

    step: int
    scores: dict[str, float]
    truth: npt.NDArray[np.float32]
    members: npt.NDArray[np.float32]


def look(forecaster: Forecaster, windows: Samples, options: WatchOptions, *, step: int) -> Watched:
    """Forecast the windows and score them; the same windows with the same noise at every call."""
    count = min(options.windows, len(windows))
    truths, drawn, lasts = [], [], []
    frames = forecaster.frames
    shown = set(frames.future_channels) <= set(frames.past_channels)
    for place in range(count):
        sample = windows[place * len(windows) // count]
        truths.append(sample.future)
        lasts.append(latest_frame(sample.past, frames) if shown else torch.full_like(sample.future[:, :1], torch.nan))
        draw = Draw(members=range(options.members), sample=place, options=forecaster.sampling)
        moved, forcing = sample.beside
        moved = None if moved is None else moved[None]
        drawn.append(forecaster.draw(sample.past, draw, moved=moved, forcing=forcing))
    truth, members = torch.stack(truths), torch.stack(drawn, dim=1)  # [window, ...] and [member, window, ...]
    error = (ensemble_mean(members) - truth).square().nanmean().sqrt().item()
    spread = ensemble_variance(members).nanmean().sqrt().item()
    score = crps(members, truth)
    of_channel = (0, 2, 3, 4)
    persistence = (torch.stack(lasts) - truth).abs().nanmean(of_channel)
    skill = (1 - score.nanmean(of_channel) / persistence).mean().item()
    return Watched(
        step=step,
        scores={
            "crps": score.nanmean().item(),
            **({"skill": skill} if shown else {}),
            "rmse": error,
            "spread_skill": spread / error if error > 0 else math.nan,
        },
        truth=truths[0].numpy(),
        members=drawn[0].numpy(),
    )
