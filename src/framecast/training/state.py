"""Everything that changes while training, and how to put it down and take it up again.

Noise, times, order and augmentation are functions of (seed, step): there is no random state to save. What remains are
the weights, their average, the optimizer's moments and the number of the step.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from framecast.errors import DataError
from framecast.training.averaging import EMA
from framecast.training.optimiser import build_optimiser
from framecast.training.options import TrainingOptions


class TrainingState:
    """A network, its averaged copy, its optimizer and the number of optimizer steps made."""

    def __init__(self, network: nn.Module, options: TrainingOptions) -> None:
        self.network = network
        self.ema = EMA(network, decay=options.ema)
        self.optimiser = build_optimiser(network, options)
        self.step = 0

    def tensors(self) -> dict[str, Tensor]:
        """Return everything by name, for a safetensors file."""
        named = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        named |= {f"ema.{name}": value for name, value in self.ema.state_dict().items()}
        for index, moments in self.optimiser.state_dict()["state"].items():
            named |= {f"optimiser.{index}.{name}": value for name, value in moments.items()}
        named["step"] = torch.tensor(self.step)
        return {name: value.detach().contiguous() for name, value in named.items()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take up the state that `tensors` returned.

        Raises:
            DataError: the state belongs to another network.
        """
        try:
            self.network.load_state_dict(_below("network.", tensors))
            self.ema.load_state_dict(_below("ema.", tensors))
            moments: dict[int, dict[str, Tensor]] = {}
            for name, value in _below("optimiser.", tensors).items():
                index, key = name.split(".")
                moments.setdefault(int(index), {})[key] = value
            self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": moments})
            self.step = int(tensors["step"])
        except (RuntimeError, KeyError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise DataError(f"the training state does not fit this network ({reason}): use another --out") from error


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
