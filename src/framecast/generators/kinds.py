"""The kinds of generator as configurations: as stored in recipes and models.

Each defines how a past becomes the network's input (`conditioning`), what is built around the network (`attach`), and
which sampling options are valid (`check`).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Literal

from torch import nn

from framecast.core.configuration import OneOf
from framecast.core.errors import ConfigError
from framecast.diffusion.draws import AnyTimeDraw, UniformTimes
from framecast.diffusion.prediction import Prediction
from framecast.diffusion.sampling import SamplingOptions
from framecast.diffusion.schedule import AnySchedule, Cosine
from framecast.diffusion.times import AnyTrainedGrid
from framecast.diffusion.weighting import AnyWeighting, UniformWeighting
from framecast.generators.denoiser import Denoiser
from framecast.generators.ensemble_loss import EnsembleLoss
from framecast.generators.generator import Generator
from framecast.generators.one_shot import OneShot, Reading
from framecast.videos.conditioning import Conditioning, GivenFrames
from framecast.videos.masks import FrameMasks
from framecast.videos.representation import Representation


class GeneratorOptions(ABC):
    """A kind of generator. Compare and hash by value; the arguments are the configuration."""

    fields: int = 0
    """Channels of noise that the network receives in addition to the past."""

    @abstractmethod
    def conditioning(self, representation: Representation) -> Conditioning:
        """Return how a past becomes the network's input."""

    @abstractmethod
    def attach(self, network: nn.Module, *, classes: int) -> Generator:
        """Return ``network`` as a generator."""

    @abstractmethod
    def check(self, options: SamplingOptions) -> None:
        """Raise `ConfigError` unless members can be drawn in this way."""


@dataclass(frozen=True, kw_only=True)
class DiffusionOptions(GeneratorOptions):
    """A diffusion: the noise schedule and what the network predicts.

    Attributes:
        schedule: the noise schedule.
        prediction: what the network predicts.
        grid: the rows to train on, if not all (Fast-DDPM).
        weighting: how much the error at each noise level counts.
        draw: which diffusion times training visits.
        noise_slope: 1 for white noise; less, down to 0, for noise that is more correlated between neighbours and over
            frames (see `framecast.diffusion.noise`).
        masks: which frames are given in training, if not always the past; needs ``target: future`` and the same
            channels in the past and in the future.
    """

    schedule: AnySchedule = Cosine()
    prediction: Prediction = Prediction.V
    grid: AnyTrainedGrid | None = None
    weighting: AnyWeighting = UniformWeighting()
    draw: AnyTimeDraw = UniformTimes()
    noise_slope: float = 1.0
    masks: FrameMasks | None = None
    kind: Literal["diffusion"] = "diffusion"

    def __post_init__(self) -> None:
        if not 0 <= self.noise_slope <= 1:
            raise ConfigError(f"diffusion.noise_slope is {self.noise_slope}; it lies between 0 and 1 (white noise)")

    def conditioning(self, representation: Representation) -> Conditioning:
        """Return how a past becomes the network's input: completely, or as the given frames of a video."""
        return GivenFrames(representation, self.masks) if self.masks else Conditioning(representation)

    def attach(self, network: nn.Module, *, classes: int) -> Denoiser:
        """Return ``network`` as a denoiser."""
        return Denoiser(
            network,
            self.schedule,
            self.prediction,
            self.grid,
            weighting=self.weighting,
            draw=self.draw,
            noise_slope=self.noise_slope,
            classes=classes,
            frame_masks=self.masks is not None,
        )

    def check(self, options: SamplingOptions) -> None:
        """Raise `ConfigError` if the schedule has fewer times than steps, or the network was not trained at one."""
        options.times(self.schedule, self.grid)


@dataclass(frozen=True, kw_only=True)
class OneShotOptions(GeneratorOptions):
    """One network evaluation per member, trained on the score of small ensembles.

    Attributes:
        loss: the score of the ensembles.
        members: of each training window's ensemble; 1 with ``loss.kind: mse`` is a deterministic network.
        pixels: whether noise enters pixel by pixel, in place of the noisy future of a diffusion.
        fields: smooth fields of noise that enter beside the past, of 2, 4, 8, … pixels.
        diffusion: the diffusion model that training started from, which defines the network's input and output;
            ``training.start`` sets it.
    """

    loss: EnsembleLoss = EnsembleLoss()
    members: int = 2
    pixels: bool = True
    fields: int = 0
    diffusion: DiffusionOptions | None = None
    kind: Literal["one-shot"] = "one-shot"

    def __post_init__(self) -> None:
        self.loss.check(self.members)
        if not 0 <= self.fields <= 16:
            raise ConfigError(f"one_shot.fields is {self.fields}; it is a number of length scales, 0 to 16")
        if self.diffusion and self.diffusion.masks:
            raise ConfigError("one_shot.diffusion has masks: use a diffusion that is always given the past")

    def conditioning(self, representation: Representation) -> Conditioning:
        """Return how a past becomes the network's input: completely."""
        return Conditioning(representation)

    def attach(self, network: nn.Module, *, classes: int) -> OneShot:
        """Return ``network`` as a one-shot generator."""
        reading = Reading()
        if before := self.diffusion:
            before.attach(network, classes=classes)  # refuses what is not defined at its noisiest time
            reading = Reading.at_pure_noise(before.schedule, before.prediction, before.noise_slope)
        return OneShot(
            network,
            loss=self.loss,
            members=self.members,
            classes=classes,
            reading=reading,
            pixels=self.pixels,
            fields=self.fields,
        )

    def check(self, options: SamplingOptions) -> None:
        """Raise `ConfigError` if a sampler, grid, number of steps or guidance is set."""
        if options != SamplingOptions(precision=options.precision, clip=options.clip, tile=options.tile):
            raise ConfigError(
                "a one-shot model draws each member by one network evaluation: it has no sampler, grid, steps or "
                "guidance; only sampling.precision, clip and tile can be set"
            )


AnyGenerator = Annotated[GeneratorOptions, OneOf(DiffusionOptions, OneShotOptions)]
