"""Estimate of the time and memory of a training, measured on a small patch, and of its length for a budget."""

import time
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from framecast.core.errors import ConfigError
from framecast.core.machine import total_memory
from framecast.core.options import parse_duration
from framecast.data.datasets import Sample
from framecast.generators.batch_random import BatchRandom
from framecast.models.config import attach, build_network
from framecast.networks import OwnNetwork, padding
from framecast.training.objective import Objective, true_futures
from framecast.training.prepare import ArchiveData, Prepared
from framecast.videos.forcings import planes

_SIDE = 64
_WINDOWS = 2
_COPIES = 5
"""Numbers stored for each weight: its value, its gradient, two moments, its average."""

_USED = 0.85
"""Fraction of a budget that steps may take; the rest is for reading, validations and checkpoints."""

_LONG = 6 * 3600.0
_FEWEST = 20


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Cost of training a recipe on this machine.

    Attributes:
        seconds: of one step.
        memory: bytes during a step, with the frames that are kept in memory.
    """

    seconds: float
    memory: float

    def allows(self, budget: str) -> int:
        """Return how many steps fit into a time budget."""
        return int(_USED * parse_duration(budget) / self.seconds)

    def steps_in(self, budget: str) -> int:
        """Return how many steps fit into a time budget.

        Raises:
            ConfigError: there is time for hardly any.
        """
        steps = self.allows(budget)
        if steps < _FEWEST:
            raise ConfigError(
                f"training.budget is {budget}, and a step takes about {self.seconds:.3g} s here: give more time, or "
                "make steps cheaper with data.patch, network.width or training.batch"
            )
        return steps

    def describe(self, steps: int, prepared: Prepared) -> list[str]:
        """Return the time for so many steps, with advice if it is long; one line each."""
        seconds, memory = steps * self.seconds, total_memory()
        said = [
            f"estimate: {_told(seconds)} for {steps} steps of {self.seconds:.3g} s on this machine, "
            f"{self.memory / 1e9:.2g} GB of memory"
        ]
        frames = prepared.model.frames
        smaller = f"data.patch={max(32, min(frames.height, frames.width) // 4 // 8 * 8)}"
        ways = f"smaller: {smaller}, framecast import --coarsen, training.batch, training.steps or --budget"
        if memory is not None and self.memory > 0.8 * memory:
            said.append(f"that is more than the free memory of this machine ({memory / 1e9:.3g} GB); {ways}")
        elif seconds > _LONG:
            said.append(ways)
        return said


def measure_cost(prepared: Prepared, device: torch.device) -> Cost | None:
    """Return what training takes, from a step on a patch of the frames; None for a network given as a module."""
    if isinstance(prepared.model.network, OwnNetwork) and prepared.model.network.module is not None:
        return None
    model, options = replace(prepared.model, anomalies=None), prepared.recipe.training  # known of whole frames only
    with torch.random.fork_rng(devices=[]):
        generator = attach(model, build_network(model).to(device))
    network, frames = generator.network, model.frames
    rows, columns = padding(network, frames.height, frames.width)
    side = _SIDE + max(padding(network, _SIDE, _SIDE))
    height, width = (min(side, length) for length in (frames.height + rows, frames.width + columns))
    more = (frames.height + rows) * (frames.width + columns) / (height * width)
    small = replace(frames, height=height, width=width)
    objective = Objective(generator, model.conditioning, replace(options, label_dropout=0.0))
    unknown = torch.full((_WINDOWS,), len(model.labels))
    representation, count = model.representation, frames.past + frames.future
    batch = Sample(
        _steady(small.past_shape),
        _steady(small.future_shape),
        unknown,
        moved=_steady(small.future_shape) if representation.moves else torch.empty(0),
        forcing=_steady((planes(model.forcings), count, height, width)) if model.forcings else torch.empty(0),
    )
    lead = torch.ones(len(small.future_channels), small.future)
    generator.measure(lambda: true_futures(representation, batch), lead)
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    def step() -> float:
        began = time.perf_counter()
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            loss = objective(batch, BatchRandom(0, 0, total=_WINDOWS)).mean()
        loss.backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - began

    step()  # libraries choose their kernels the first time
    own = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    activations = sum(size for place, size in kept.items() if place not in own) / _WINDOWS * more
    weights = sum(parameter.numel() * parameter.element_size() for parameter in network.parameters())
    seconds = min(step() for _ in range(2)) / _WINDOWS * more
    held = 0
    if isinstance(prepared.data, ArchiveData) and device.type == "cpu":
        held = min(prepared.data.archive.nbytes(), int(options.cache_gib * 2**30))
    part = options.batch // options.accumulate
    return Cost(seconds=seconds * options.batch, memory=part * activations + _COPIES * weights + held)


def _steady(shape: tuple[int, ...]) -> Tensor:
    """Return videos of this shape with arbitrary finite values."""
    return torch.linspace(0.5, 1.5, _WINDOWS * torch.Size(shape).numel()).reshape(_WINDOWS, *shape)


def _told(seconds: float) -> str:
    if seconds < 120:
        return f"about {seconds:.0f} s"
    return f"about {seconds / 60:.0f} min" if seconds < 2 * 3600 else f"about {seconds / 3600:.0f} h"
