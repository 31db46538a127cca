"""The loss of some windows as one module: random draws and network evaluation.

It is a module so that DistributedDataParallel sees one call forward for each part of a batch, whatever happens inside.
"""

import math
from contextlib import AbstractContextManager
from dataclasses import replace

import torch
from torch import Tensor, nn

from framecast.core.distributed import Processes
from framecast.data.datasets import Sample, Samples, epoch_order
from framecast.diffusion.guidance import drop_labels
from framecast.generators.batch_random import BatchRandom
from framecast.generators.generator import Generator
from framecast.training.options import TrainingOptions
from framecast.videos.conditioning import Conditioning, Example
from framecast.videos.representation import Representation
from framecast.videos.target import Change

_EXAMPLES = 128
"""Number of training windows that the scales of a loss are computed from."""

_EXAMPLE_BYTES = 2**28
"""Their memory limit; for large frames there are fewer, but at least 8."""


class Objective(nn.Module):
    """The training loss of ``generator``, with windows converted by ``conditioning``."""

    def __init__(self, generator: Generator, conditioning: Conditioning, options: TrainingOptions) -> None:
        super().__init__()
        self.generator = generator
        self.conditioning = conditioning
        self.options = options

    def forward(self, batch: Sample, random: BatchRandom) -> Tensor:
        """Return the loss of each window of ``batch`` (physical units), ``[batch]``, for what is drawn for it."""
        device = next(self.generator.parameters()).device
        past, future = batch.past.to(device, non_blocking=True), batch.future.to(device, non_blocking=True)
        moved, forcing = (
            [None] * len(past) if beside is None else beside.to(device, non_blocking=True).split(1)
            for beside in batch.beside
        )
        singles = [
            self.conditioning.example(past[k, None], future[k, None], own, moved=moved[k], forcing=forcing[k])
            for k, own in enumerate(random.own)
        ]
        x0, condition, known = Example(*(torch.cat(parts) for parts in zip(*singles, strict=True)))
        label = self._label(batch.label, random).to(device) if self.generator.classes else None
        with autocast(device, self.options.precision):
            loss: Tensor = self.generator.training_loss(x0, condition, label, random=random, mask=known)
        return loss.float()

    def _label(self, label: Tensor, random: BatchRandom) -> Tensor:
        """Return the labels, some of them replaced by the null class."""
        classes, share = self.generator.classes, self.options.label_dropout
        singles = [drop_labels(label[k, None], classes, own, probability=share) for k, own in enumerate(random.own)]
        return torch.cat(singles)


def true_futures(representation: Representation, batch: Sample) -> Tensor:
    """Return x0 of the futures of ``batch``, 0 where they are unknown."""
    return representation.encode(batch.past, batch.future, *batch.beside)[0]


def measure_loss(generator: Generator, conditioning: Conditioning, windows: Samples, *, seed: int) -> None:
    """Compute the scales of the loss of ``generator`` from some training ``windows`` (see `Generator.measure`)."""
    device = next(generator.parameters()).device
    most = _EXAMPLE_BYTES // (4 * math.prod(windows.frames.future_shape))
    chosen = epoch_order(len(windows), seed=seed, epoch=0)[: min(_EXAMPLES, max(8, most))].tolist()

    def examples() -> Tensor:
        found = [true_futures(conditioning.representation, windows.batch([index])) for index in chosen]
        return torch.cat(found).to(device)

    frames, target = windows.frames, conditioning.representation.target
    scale = target.scale if isinstance(target, Change) else ((1.0,) * frames.future,) * len(frames.future_channels)
    generator.measure(examples, torch.tensor(scale))


def autocast(device: torch.device, precision: str) -> AbstractContextManager[None]:
    """Return the context that runs the network in ``bf16`` or ``fp16`` where that is safe, or in float32 as it is.

    ``auto`` that is not resolved (see `framecast.training.train.train`) means float32.
    """
    kinds = {"bf16": torch.bfloat16, "fp16": torch.float16}
    return torch.autocast(device.type, dtype=kinds.get(precision, torch.bfloat16), enabled=precision in kinds)


_KEY = -1
"""Key of the random numbers in place of the step, which is never negative."""


@torch.no_grad()
def validation_loss(
    generator: Generator,
    conditioning: Conditioning,
    windows: Samples,
    options: TrainingOptions,
    *,
    processes: Processes | None = None,
) -> float:
    """Return the mean loss over ``options.validation_windows`` windows, evenly spaced; ``generator`` has the averages.

    Times and noise are the same at every call and however many processes share the windows, so that the losses of two
    steps can be compared.
    """
    processes = processes or Processes()
    generator.eval()
    objective = Objective(generator, conditioning, replace(options, label_dropout=0.0))
    count = min(options.validation_windows, len(windows))
    size = max(1, options.batch // options.accumulate)
    parts = [range(start, min(start + size, count)) for start in range(0, count, size)]
    losses: dict[int, float] = {}
    for round_ in range(-(-len(parts) // processes.count)):
        # A process without a part repeats the last one: a sharded network is gathered by all processes or none.
        places = parts[min(round_ * processes.count + processes.rank, len(parts) - 1)]
        batch = windows.batch([k * len(windows) // count for k in places])
        random = BatchRandom(options.seed, _KEY, total=count, places=places)
        losses |= dict(zip(places, objective(batch, random).tolist(), strict=True))
    gathered = {place: loss for part in processes.gather(losses) for place, loss in part.items()}
    return sum(gathered[place] for place in range(count)) / count
