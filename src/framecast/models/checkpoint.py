"""A trained model on disk: a folder with ``config.json`` and ``weights.safetensors``.

The configuration says everything about the model but its numbers, as plain JSON; the weights are those of the averaged
network. Nothing is unpickled, and a file is looked at before it is believed: the format version, the checksum of the
weights and the shape of every tensor are compared before memory is taken.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from framecast._version import __version__
from framecast.core.configuration import from_plain, to_plain
from framecast.core.domain import Domain, find_domain
from framecast.core.errors import DataError
from framecast.core.files import write_atomically
from framecast.data.splits import AnySplit, AutoSplit
from framecast.diffusion.sampling import SamplingOptions
from framecast.generators.generator import Generator
from framecast.generators.kinds import AnyGenerator
from framecast.models.forecaster import Forecaster
from framecast.models.header import CONFIG, VERSION, WEIGHTS, find_model, read_header
from framecast.networks import AnyNetwork
from framecast.videos.conditioning import Conditioning
from framecast.videos.frames import FrameSpec
from framecast.videos.normalise import Normaliser
from framecast.videos.representation import Representation
from framecast.videos.target import AnyTarget


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Everything about a model but its weights.

    Attributes:
        name: what forecasts call the model.
        unit: physical unit of the videos.
        frames: what is seen and forecast.
        normaliser: the stretch of every channel.
        target: what x0 stands for.
        network: which network, with its options.
        generator: what turns the network's output into members: a diffusion, or one shot.
        sampling: how members are drawn by default.
        labels: the classes, for a model with labels.
        split: how its windows were divided, so that a forecast can ask for the side it was not trained on.
        stride: of its windows, see `framecast.training.recipe.DataOptions`.
        max_masked: of its windows, see `framecast.training.recipe.DataOptions`.
        provenance: how it was made: recipe, data, steps, versions.
        weights_sha256: checksum of the weights file.
        framecast_version: the package that wrote it.
        format: always ``framecast-model``.
        version: of this format.
    """

    __pydantic_config__ = {"extra": "forbid"}

    name: str
    unit: str
    frames: FrameSpec
    normaliser: Normaliser
    target: Annotated[AnyTarget, Field(discriminator="kind")]
    network: Annotated[AnyNetwork, Field(discriminator="kind")]
    generator: Annotated[AnyGenerator, Field(discriminator="kind")]
    sampling: SamplingOptions = SamplingOptions()
    labels: tuple[str, ...] = ()
    split: AnySplit = AutoSplit()
    stride: int = 1
    max_masked: float = 0.25
    provenance: dict[str, Any] = field(default_factory=dict)
    weights_sha256: str = ""
    framecast_version: str = __version__
    format: Literal["framecast-model"] = "framecast-model"
    version: int = VERSION

    @property
    def domain(self) -> Domain:
        """What kind of data it was trained on."""
        channels = (*self.frames.past_channels, *self.frames.future_channels)
        return find_domain(self.provenance.get("training", {}), unit=self.unit, channels=channels)

    @property
    def representation(self) -> Representation:
        """How videos are put before the network."""
        return Representation(frames=self.frames, normaliser=self.normaliser, target=self.target)

    @property
    def conditioning(self) -> Conditioning:
        """What the network is given and what it generates."""
        return self.generator.conditioning(self.representation)


def build_network(config: ModelConfig) -> nn.Module:
    """Return the network that ``config`` describes, with fresh random weights."""
    return config.network.build(
        past_channels=config.conditioning.channels,
        future_channels=len(config.frames.future_channels),
        classes=len(config.labels),
    )


def attach(config: ModelConfig, network: nn.Module) -> Generator:
    """Return ``network``, the model's own or an averaged copy of it, as the generator that ``config`` describes."""
    return config.generator.attach(network, classes=len(config.labels))


def build_forecaster(config: ModelConfig, generator: Generator) -> Forecaster:
    """Return ``generator`` as the forecaster that ``config`` describes."""
    return Forecaster(
        generator,
        config.conditioning,
        sampling=config.sampling,
        unit=config.unit,
        name=config.name,
        labels=config.labels,
        fingerprint=config.weights_sha256,
    )


def save_model(folder: str | Path, config: ModelConfig, network: nn.Module) -> None:
    """Write the model folder with the weights of ``network``."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    save_weights(folder, config, tensors)


def save_weights(folder: str | Path, config: ModelConfig, weights: Mapping[str, Tensor]) -> None:
    """Write the model folder: the weights first, then the configuration that vouches for them.

    Args:
        folder: is made.
        config: of the model.
        weights: the ``state_dict`` of its network, on the CPU.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    content = save(dict(weights))
    plain = to_plain(config) | {"weights_sha256": hashlib.sha256(content).hexdigest()}
    write_atomically(folder / WEIGHTS, content)
    write_atomically(folder / CONFIG, json.dumps(plain, indent=2) + "\n")


def read_config(folder: str | Path) -> ModelConfig:
    """Return the configuration in a model folder; a precision of bf16 in it is read as ``auto``.

    Raises:
        DataError: it is missing, damaged, of a newer version, or not a model's.
    """
    plain = read_header(folder)
    config = from_plain(ModelConfig, plain, where=str(Path(folder) / CONFIG))
    if config.sampling.precision == "bf16":
        # What was fast where the model was made is slow on a processor without bf16: only a call can insist on it.
        return replace(config, sampling=replace(config.sampling, precision="auto"))
    return config


def load_model(folder: str | Path, *, device: str | torch.device = "cpu") -> Forecaster:
    """Return the forecaster in a model folder.

    Args:
        folder: with ``config.json`` and ``weights.safetensors``.
        device: where its network goes.

    Raises:
        DataError: a file is missing, damaged, or does not fit the configuration.
    """
    folder = Path(folder)
    config = read_config(folder)
    try:
        with torch.device("meta"):
            network = build_network(config)
    except (RuntimeError, OverflowError, TypeError) as error:  # sizes whose product is no number any more
        reason = str(error).splitlines()[0]
        raise DataError(f"{folder / CONFIG} describes a network that cannot be built ({reason})") from None
    path = folder / WEIGHTS
    if not path.is_file():
        raise DataError(f"{folder} has a {CONFIG} and no {WEIGHTS}: copy both files of the model")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != config.weights_sha256:
        raise DataError(
            f"{path} is damaged: its SHA-256 is {digest[:12]}…, and {CONFIG} says {config.weights_sha256[:12]}…"
        )
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            if found != expected:
                wrong = sorted(set(found.items()) ^ set(expected.items()))[0][0]
                raise DataError(f"{path} does not fit {CONFIG}: tensor {wrong} differs in name or shape")
            tensors = {name: _as_float32(file.get_tensor(name), f"tensor {name} of {path}") for name in expected}
    except SafetensorError as error:
        raise DataError(f"{path} is no safetensors file ({error})") from None
    network.load_state_dict(tensors, assign=True)
    return build_forecaster(config, attach(config, network))


def _as_float32(weights: Tensor, what: str) -> Tensor:
    """Return weights as the network computes with them; they may have been kept in half precision."""
    if not weights.is_floating_point():
        raise DataError(f"{what} is {weights.dtype}; weights are floating-point numbers")
    return weights.float()


def load(path: str | Path, *, device: str | torch.device = "cpu") -> Forecaster:
    """Return the forecaster at ``path``: a model folder, a run (its newest checkpoint), or a released model's name.

    Raises:
        FramecastError: there is none, or it cannot be used; the message says why.
    """
    return load_model(find_model(path), device=device)
