"""Everything that changes while training, and how to save and restore it.

Noise, times, order and augmentation are functions of (seed, step): there is no random state to save. What remains are
the weights, their averages, the optimizer's moments, the loss scale of fp16, and counts of steps.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from framecast.core.errors import DataError
from framecast.models.checkpoint import stored
from framecast.training.averaging import Average, exponential, power
from framecast.training.optimiser import build_optimiser
from framecast.training.options import TrainingOptions
from framecast.training.sharding import like, whole


class TrainingState:
    """A network, the averages of its weights, its optimizer and the number of optimizer steps made.

    Args:
        network: changed in place by training; already sharded, if at all.
        options: of the training.

    Attributes:
        step: steps made.
        skipped: how many of them were skipped because a loss or gradient was not finite.
        skipped_in_a_row: how many of the latest.
        whole: false while a step changes weights, averages and moments one after the other.
    """

    def __init__(self, network: nn.Module, options: TrainingOptions) -> None:
        self.network = network
        self.ema = Average(network, exponential(options.ema))
        self.averages = [Average(network, power(width)) for width in options.averages]
        self.optimiser = build_optimiser(network, options)
        device = next(network.parameters()).device
        self.scaler = torch.amp.GradScaler(device.type, enabled=options.precision == "fp16")
        self.step = 0
        self.skipped = 0
        self.skipped_in_a_row = 0
        self.whole = True

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Mark the block in which the state is inconsistent."""
        self.whole = False
        yield
        self.whole = True

    def tensors(self) -> dict[str, Tensor]:
        """Return everything by name, whole and on the CPU, for a safetensors file; in every process, if divided."""
        named: dict[str, Tensor] = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        named |= {f"ema.{name}": value for name, value in self.ema.values.items()}
        for index, average in enumerate(self.averages):
            named |= {f"average.{index}.{name}": value for name, value in average.values.items()}
        for index, moments in self.optimiser.state_dict()["state"].items():
            named |= {f"optimiser.{index}.{name}": value for name, value in moments.items()}
        named |= {f"count.{name}": torch.tensor(value) for name, value in self._counts().items()}
        if self.scaler.is_enabled():
            scaler = self.scaler.state_dict()
            named["scaler.scale"] = torch.tensor(scaler["scale"], dtype=torch.float64)
            named["scaler.growth"] = torch.tensor(scaler["_growth_tracker"])
        return stored({name: whole(value.detach()) for name, value in named.items()})

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore the state that `tensors` returned; DataError if it belongs to another network or other settings."""
        try:
            own = self.network.state_dict()
            given = _below("network.", tensors)
            self.network.load_state_dict({name: like(value, own.get(name, value)) for name, value in given.items()})
            counts = {name: int(value) for name, value in _below("count.", tensors).items()}
            self.ema.load(_below("ema.", tensors), counts["ema"])
            for index, average in enumerate(self.averages):
                average.load(_below(f"average.{index}.", tensors), counts[f"average.{index}"])
            self._load_moments(_below("optimiser.", tensors))
            if self.scaler.is_enabled():
                scaler = {"scale": float(tensors["scaler.scale"]), "_growth_tracker": int(tensors["scaler.growth"])}
                self.scaler.load_state_dict(self.scaler.state_dict() | scaler)
            self.step, self.skipped = counts["step"], counts["skipped"]
            self.skipped_in_a_row = counts["skipped_in_a_row"]
        except (RuntimeError, KeyError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise DataError(f"the training state does not fit this network ({reason}): use another --out") from error

    def _counts(self) -> dict[str, int]:
        counts = {"step": self.step, "skipped": self.skipped, "skipped_in_a_row": self.skipped_in_a_row}
        counts |= {f"average.{index}": average.count for index, average in enumerate(self.averages)}
        return counts | {"ema": self.ema.count}

    def _load_moments(self, given: Mapping[str, Tensor]) -> None:
        parameters = [parameter for group in self.optimiser.param_groups for parameter in group["params"]]
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in given.items():
            index, key = name.split(".")
            placed = like(value, parameters[int(index)]) if value.ndim else value
            moments.setdefault(int(index), {})[key] = placed
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": moments})


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
