"""Parts that a user might write, each as short as it can be: nothing here is known to framecast."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from framecast.data.splits import Split
from framecast.diffusion.draws import TimeDraw
from framecast.diffusion.sampler import Sampler, transition
from framecast.diffusion.schedule import Continuous, Scale
from framecast.diffusion.times import Grid
from framecast.diffusion.weighting import Weighting
from framecast.generators.generator import Generator
from framecast.generators.kinds import GeneratorOptions
from framecast.importers.base import Recording
from framecast.verification.baselines import Baseline, from_past
from framecast.verification.catalogue import Score
from framecast.verification.quantities import Quantity
from framecast.videos.conditioning import Conditioning


class FrameNetwork(nn.Module):
    """Convolutions frame by frame, with a norm that counts its batches and two names for one set of weights."""

    def __init__(self, past_channels: int, future_channels: int, width: int = 4) -> None:
        super().__init__()
        self.enter = nn.Conv2d(past_channels + future_channels, width, 3, padding=1)
        self.mix = nn.Conv2d(width, width, 3, padding=1)
        self.again = self.mix
        self.norm = nn.BatchNorm2d(width)
        self.leave = nn.Conv2d(width, future_channels, 1)

    def forward(self, x: Tensor, time: Tensor, past: Tensor, label: Tensor | None) -> Tensor:
        latest = past[:, :, -1:].expand(-1, -1, x.shape[2], -1, -1)
        frames = torch.cat([x, latest], dim=1).transpose(1, 2).flatten(0, 1)
        hidden = self.norm(self.again(torch.relu(self.mix(torch.relu(self.enter(frames))))))
        return self.leave(hidden).unflatten(0, (len(x), -1)).transpose(1, 2)


class Direct(Generator):
    """x0 is the network's output for noise; trained on its squared error."""

    def training_loss(self, x0, past, label=None, *, random, mask=None):
        noise = random.normal(*x0.shape[1:]).to(x0.device)
        error = self.output(noise, noise.new_zeros(len(noise)), past, label) - x0
        known = torch.ones_like(x0, dtype=torch.bool) if mask is None else mask.expand_as(x0)
        return torch.where(known, error, 0.0).square().flatten(1).mean(1)

    def generate(self, past, label=None, *, noise, options, bounds=None):
        x = noise(0)
        return self.output(x, x.new_zeros(len(x)), past, label)

    def describe(self, options):
        return {"sampler": "direct", "grid": "none", "steps": 1, "guidance": 1.0}


@dataclass(frozen=True, kw_only=True)
class DirectOptions(GeneratorOptions):
    """Asks for it."""

    def conditioning(self, representation):
        return Conditioning(representation)

    def attach(self, network, *, classes):
        return Direct(network, classes=classes)

    def check(self, options):
        """Any options will do."""


class Waves:
    """Windows of a wave that travels: two past and two future frames of 8×8 pixels, one channel."""

    unit = "mm/h"

    def __init__(self, side: str = "train", count: int = 12) -> None:
        self.first = 0 if side == "train" else 1000
        self.count = count

    def __len__(self) -> int:
        return self.count

    def batch(self, indices: Sequence[int], epoch: int | None) -> tuple[Tensor, Tensor, None]:
        phase = torch.tensor([self.first + index for index in indices]).float()[:, None, None, None, None]
        time, x = torch.arange(4.0)[:, None, None], torch.arange(8.0)
        video = 2 + torch.sin(0.7 * phase + 0.5 * time + 0.3 * x).expand(-1, 1, 4, 8, 8)
        return video[:, :, :2], video[:, :, 2:], None

    def name(self, index: int) -> str:
        return f"wave-{self.first + index}"


@dataclass(frozen=True, kw_only=True)
class Straight(Sampler):
    """Goes to the next time without fresh noise, and shrinks the estimate a little."""

    shrink: float = 1.0

    def step(self, here, s, previous, noise):
        return transition(here._replace(x0=self.shrink * here.x0), s, torch.zeros((), dtype=torch.float64))


@dataclass(frozen=True, kw_only=True)
class Quarter(Continuous):
    """A quarter of a circle."""

    power: float = 1.0

    def __call__(self, t: Tensor) -> Scale:
        angle = t**self.power * (torch.pi / 2)
        return Scale(angle.cos(), angle.sin())


@dataclass(frozen=True, kw_only=True)
class Harmonic(Grid):
    """1, 1/2, 1/3 …"""

    def times(self, schedule, steps):
        return 1 / (torch.arange(steps, dtype=torch.float64) + 1)


@dataclass(frozen=True, kw_only=True)
class Clean(Weighting):
    """Counts what is nearly clean."""

    def __call__(self, scale, prediction):
        return scale.alpha


@dataclass(frozen=True, kw_only=True)
class Early(TimeDraw):
    """The first half of the times."""

    stratified: bool = False

    def times(self, schedule, grid, batch, generator):
        return 0.5 * self._uniform(batch, generator) + 0.01


@dataclass(frozen=True, kw_only=True)
class EveryThird(Split):
    """Every third sequence to validate on, every third to test on."""

    def divide(self, windows):
        sides = ("train", "validation", "test")
        places = {name: k for k, name in enumerate(windows.sequences)}
        chosen = {side: [] for side in (*sides, "dropped")}
        for window in windows:
            chosen[sides[places[window.sequence] % 3]].append(window)
        return {side: type(windows)(tuple(found)) for side, found in chosen.items()}


class NumpyFilm(Recording):
    """A film in an ``.npz`` file: ``frames`` ``[time, y, x]`` and ``seconds``."""

    channels, unit = ("light",), "counts"

    def __init__(self, path: str | Path, gain: float = 1.0) -> None:
        stored = np.load(path)
        self.values, self.seconds = gain * stored["frames"], stored["seconds"]
        _, self.height, self.width = self.values.shape

    def times(self, sequence):
        return np.datetime64("2020-01-01", "ns") + (self.seconds * 1e9).astype("timedelta64[ns]")

    def frames(self, sequence, indices):
        for index in indices:
            yield self.values[index][None].astype(np.float32)


def mean_of_the_past(past, lead_times):
    return past.mean(1)[None, :, None].expand(1, -1, len(lead_times), -1, -1)


def reach(video, cadence):
    pixels = video.flatten(-3)
    return pixels.nan_to_num(-1e9).amax(-1) - pixels.nan_to_num(1e9).amin(-1)


BIAS = Score(name="bias", label="Bias", function=lambda sample: sample.error, better=None, shown="console")
REACH = Quantity(
    name="reach",
    label="Reach",
    function=lambda video, cadence: (
        video.flatten(-3).nan_to_num(-1e9).amax(-1) - video.flatten(-3).nan_to_num(1e9).amin(-1)
    ),
    headline=True,
)
MEAN_PAST = Baseline(name="mean_past", label="Mean of the past", prepare=from_past(mean_of_the_past))
