"""The interface of a network: its call signature, and optional attributes."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor, nn

from framecast.core.configuration import OwnCode
from framecast.core.errors import ConfigError

_LIVE_PER_CHANNEL = 4
"""Number of videos of the widest layer that an evaluation keeps at once: input, output, and two in between."""


ChannelSlices = dict[str, tuple[int, list[tuple[str, str]]]]
"""Name of a tensor -> the axis that has a slice for each channel or class, and the names of the slices."""


class Network(Protocol):
    """Any ``nn.Module`` with this call signature.

    Optional: an attribute ``live_values``, how many numbers it keeps in memory at once in an evaluation, per pixel and
    frame (see `live_values`); an attribute ``divisor``, which must divide the sides of its input, so that other frames
    are padded; a method ``check_size(height, width)``, which raises `ConfigError` for frames of an unsupported size; a
    method ``channel_slices(past, future, classes)``, which returns the parts of tensors that belong to each channel
    (`ChannelSlices`), so that training can start from a model of other channels; and an attribute ``bottleneck``, a
    module inside it whose output ``[batch, time, height, width, channel]`` describes its input (see
    `framecast.models.guard`).
    """

    def __call__(self, x: Tensor, time: Tensor, past: Tensor, label: Tensor | None) -> Tensor:
        """Return the prediction, of the shape of ``x``.

        Args:
            x: noisy future ``[batch, future channel, future frame, height, width]``.
            time: diffusion time of each sample, ``[batch]``: the row of the schedule, or 0 to 1000.
            past: ``[batch, past channel, past frame, height, width]``, normalised, 0 where masked.
            label: class of each sample ``[batch]`` int64, the number of classes where unknown; or ``None``.
        """
        ...


class NetworkOptions(ABC):
    """How a network is built. Compare by value; the arguments are the configuration."""

    @abstractmethod
    def build(self, *, past_channels: int, future_channels: int, classes: int = 0) -> nn.Module:
        """Return the network for these numbers of past channels, future channels and classes (0: no labels)."""


@dataclass(frozen=True, kw_only=True)
class OwnNetwork(OwnCode, NetworkOptions):
    """A network that does not come with framecast.

    Attributes:
        module: the network itself, if it was passed as a module.
    """

    module: nn.Module | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, module: nn.Module) -> "OwnNetwork":
        """Return a network built elsewhere, with unknown arguments."""
        return cls(kind=f"{type(module).__module__}:{type(module).__qualname__}", module=module)

    def build(self, *, past_channels: int, future_channels: int, classes: int = 0) -> nn.Module:
        """Return the network; its code is imported.

        ``past_channels``, ``future_channels`` and ``classes`` are given to a constructor that has them, unless they are
        among the arguments.

        Raises:
            ConfigError: it cannot be imported, takes other arguments, or is not a module.
        """
        if self.module is not None:
            return self.module
        network = self.make(past_channels=past_channels, future_channels=future_channels, classes=classes)
        if not isinstance(network, nn.Module):
            raise ConfigError(f"network {self.kind} gives {type(network).__name__}; it must be a torch.nn.Module")
        return network


def live_values(network: nn.Module) -> float:
    """Return how many numbers an evaluation keeps in memory at once, per pixel and frame.

    The network's attribute ``live_values``, else four times the channels of its widest layer.
    """
    told = getattr(network, "live_values", None)
    if told is not None:
        return float(told)
    return float(_LIVE_PER_CHANNEL * max((max(p.shape[:2]) for p in network.parameters() if p.ndim > 1), default=1))


def padding(network: nn.Module, height: int, width: int) -> tuple[int, int]:
    """Return the rows and columns of padding that frames of this size need."""
    divisor = int(getattr(network, "divisor", 1))
    return -height % divisor, -width % divisor


def check_size(network: nn.Module, height: int, width: int) -> None:
    """Raise `ConfigError` for frames of a size that the network does not support, after padding if it has a divisor."""
    check = getattr(network, "check_size", None)
    if check is not None:
        rows, columns = padding(network, height, width)
        check(height + rows, width + columns)
