"""Everything about a model but its weights, as one value."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from torch import nn

from framecast._version import __version__
from framecast.core.domain import Domain, find_domain
from framecast.data.archive.reader import Archive
from framecast.data.splits import AnySplit, AutoSplit
from framecast.data.windows import TOLERANCE, WindowList, find_windows
from framecast.diffusion.sampling import SamplingOptions
from framecast.generators.generator import Generator
from framecast.generators.kinds import AnyGenerator
from framecast.models.header import MODEL_FORMAT
from framecast.networks import AnyNetwork
from framecast.videos.anomalies import Anomalies
from framecast.videos.conditioning import Conditioning
from framecast.videos.frames import FrameSpec
from framecast.videos.normalise import Normaliser
from framecast.videos.representation import Representation
from framecast.videos.target import AnyTarget
from framecast.videos.units import select


def channels_of(frames: FrameSpec) -> tuple[str, ...]:
    """Return all channels of a task, each once: those that the model's unit refers to."""
    return tuple(dict.fromkeys((*frames.past_channels, *frames.future_channels)))


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Everything about a model but its weights.

    Attributes:
        name: what forecasts call the model.
        unit: physical unit of the videos.
        frames: past and future frames.
        normaliser: the stretch of every channel.
        target: meaning of x0.
        network: which network, with its options.
        generator: what turns the network's output into members: a diffusion, or one shot.
        sampling: how members are drawn by default.
        forcings: inputs that are known in advance; see `framecast.videos.forcings`.
        anomalies: daily and yearly cycles that are removed instead of applying a stretch.
        labels: the classes, for a model with labels.
        split: how its windows were divided, so that a forecast can ask for the side it was not trained on.
        stride: of its windows, see `framecast.training.recipe.DataOptions`.
        tolerance: of its windows, see `framecast.training.recipe.DataOptions`.
        max_masked: of its windows, see `framecast.training.recipe.DataOptions`.
        provenance: how it was made: recipe, data, steps, versions.
        weights_sha256: checksum of the weights file.
        framecast_version: the package that wrote it.
        format: always ``framecast-model``.
        version: of this format.
    """

    name: str
    unit: str
    frames: FrameSpec
    normaliser: Normaliser
    target: AnyTarget
    network: AnyNetwork
    generator: AnyGenerator
    sampling: SamplingOptions = SamplingOptions()
    forcings: tuple[str, ...] = ()
    anomalies: Anomalies | None = None
    labels: tuple[str, ...] = ()
    split: AnySplit = AutoSplit()
    stride: int = 1
    tolerance: float = TOLERANCE
    max_masked: float = 0.25
    provenance: dict[str, Any] = field(default_factory=dict)
    weights_sha256: str = ""
    framecast_version: str = __version__
    format: Literal["framecast-model"] = "framecast-model"
    version: int = MODEL_FORMAT.version

    @property
    def past_unit(self) -> str:
        """Unit of the past; those of its channels with commas between them where they differ."""
        return select(self.unit, channels_of(self.frames), self.frames.past_channels)

    @property
    def future_unit(self) -> str:
        """Unit of the forecast; likewise."""
        return select(self.unit, channels_of(self.frames), self.frames.future_channels)

    @property
    def training(self) -> Mapping[str, Any]:
        """What is recorded of the training; empty where nothing is."""
        record = self.provenance.get("training")
        return record if isinstance(record, Mapping) else {}

    @property
    def domain(self) -> Domain:
        """What kind of data it was trained on."""
        channels = (*self.frames.past_channels, *self.frames.future_channels)
        return find_domain(self.training, unit=self.unit, channels=channels)

    @property
    def representation(self) -> Representation:
        """How videos become the network's input."""
        return Representation(
            frames=self.frames,
            normaliser=self.normaliser,
            target=self.target,
            forcings=self.forcings,
            anomalies=self.anomalies,
        )

    @property
    def conditioning(self) -> Conditioning:
        """Input and output of the network."""
        return self.generator.conditioning(self.representation)

    def windows(self, archive: Archive, frames: FrameSpec | None = None, *, past_only: bool = False) -> WindowList:
        """Return the windows of an archive by the rules of the training, of its full frames; see `find_windows`.

        The ``frames`` are those of the model by default.
        """
        return find_windows(
            archive,
            replace(frames or self.frames, height=archive.height, width=archive.width),
            stride=self.stride,
            tolerance=self.tolerance,
            max_masked=self.max_masked,
            past_only=past_only,
        )

    @property
    def given_channels(self) -> int:
        """Number of input channels besides the noise or the noisy future."""
        return self.conditioning.channels + self.generator.fields


def build_network(config: ModelConfig) -> nn.Module:
    """Return the network that ``config`` describes, with fresh random weights."""
    return config.network.build(
        past_channels=config.given_channels,
        future_channels=len(config.frames.future_channels),
        classes=len(config.labels),
    )


def attach(config: ModelConfig, network: nn.Module) -> Generator:
    """Return ``network``, the model's own or an averaged copy of it, as the generator that ``config`` describes."""
    return config.generator.attach(network, classes=len(config.labels))
