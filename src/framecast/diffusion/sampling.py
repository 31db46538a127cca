"""How members are drawn: the settings of a recipe, a model or a call."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor

from framecast.core.configuration import kind_of
from framecast.core.errors import ConfigError
from framecast.core.reading import parse_yaml
from framecast.diffusion.guidance import Guidance
from framecast.diffusion.sampler import AnySampler, DPMSolverPP, Sampler
from framecast.diffusion.schedule import Schedule
from framecast.diffusion.times import AnyGrid, Grid, LogSNR, check_trained


@dataclass(frozen=True, kw_only=True)
class SamplingOptions:
    """How members are drawn by default; all but precision, clip and tile apply to diffusion models only.

    Attributes:
        sampler: the reverse step.
        grid: which diffusion times are visited.
        steps: number of network evaluations.
        guidance: how strongly a label is followed, for models with labels.
        precision: ``float32``; ``bf16`` autocast in the network, under which the last digits of members depend on how
            the ensemble is divided; or ``auto`` for the one that is faster on the machine
            (`framecast.models.precision`).
        clip: name of a channel -> lowest and highest value of its pixels in physical units: every estimate of the
            clean video is brought within them, and the noise that a step carries over is derived from what is then
            left. Nothing is clipped by default, since the brightest pixels are often what matters.
        tile: pixels of the side of the squares in which the network is evaluated; they overlap by a quarter and are
            blended, so that a frame of any size needs the memory of a tile and the network sees the size it was trained
            on. Members stay whole: their noise is that of the frame. By default the frame is evaluated at once.
    """

    sampler: AnySampler = DPMSolverPP()
    grid: AnyGrid = LogSNR()
    steps: int = 12
    guidance: Guidance = Guidance()
    precision: Literal["auto", "float32", "bf16"] = "auto"
    clip: dict[str, tuple[float, float]] = field(default_factory=dict)
    tile: int | None = None

    def __post_init__(self) -> None:
        for name, kind, example in (("sampler", Sampler, "DDIM"), ("grid", Grid, "Trailing")):
            if not isinstance(given := getattr(self, name), kind):
                raise ConfigError(f"sampling.{name} is {given!r}; it must be a {kind.__name__}, such as {example}()")
        if self.steps < 1:
            raise ConfigError(f"sampling.steps is {self.steps}; at least one network evaluation is needed")
        if self.steps > 10**6:
            raise ConfigError(f"sampling.steps is {self.steps}; at most 1000000 network evaluations are possible")
        if self.tile is not None and self.tile < 8:
            raise ConfigError(f"sampling.tile is {self.tile}; a tile has at least 8 pixels on each side")
        for channel, (low, high) in self.clip.items():
            if not low < high:
                raise ConfigError(f"sampling.clip of {channel} is {low:g} to {high:g}; the first must be the lower one")

    def check_channels(self, channels: Sequence[str]) -> None:
        """Raise `ConfigError` if a channel is to be clipped that is not among those to forecast."""
        if unknown := [name for name in self.clip if name not in channels]:
            raise ConfigError(f"sampling.clip names {', '.join(unknown)}; what is forecast is {', '.join(channels)}")

    def times(self, schedule: Schedule, trained: Grid | None) -> Tensor:
        """Return the diffusion times that are visited, falling, float64.

        Raises:
            ConfigError: the schedule has fewer, or the network, if it was trained on a grid, not at one of them.
        """
        times = self.grid.times(schedule, self.sampler.nodes(self.steps))
        check_trained(times, schedule, trained)
        return times


def parse_part(text: str) -> dict[str, Any]:
    """Return ``ddim:eta=0.5`` as ``{"kind": "ddim", "eta": 0.5}``; ``my_module:MySampler:order=2`` names one's own.

    Raises:
        ConfigError: a setting is not written as ``name=value``, or the value is not valid YAML.
    """
    kind, _, settings = text.partition(":")
    if settings[:1].isupper():  # the name of a class in a module
        name, _, settings = settings.partition(":")
        kind = f"{kind}:{name}"
    plain: dict[str, Any] = {"kind": kind}
    for setting in filter(None, settings.split(",")):
        name, separator, value = setting.partition("=")
        if not separator:
            raise ConfigError(f"{text!r} has the setting {setting!r}; write kind:name=value, such as ddim:eta=0.5")
        plain[name] = parse_yaml(value, repr(text))
    return plain


def describe(choice: Sampler | Grid) -> str:
    """Return a sampler or grid in a few words: ``ddim(eta=0.0)``."""
    settings = ", ".join(f"{key}={value}" for key, value in vars(choice).items() if key != "kind")
    return f"{kind_of(choice)}({settings})" if settings else kind_of(choice)
