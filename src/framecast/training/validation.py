"""Validation of the averaged network on windows it was not trained on."""

from dataclasses import replace

import torch

from framecast.core.distributed import Processes
from framecast.data.datasets import Samples
from framecast.generators.batch_random import BatchRandom
from framecast.generators.generator import Generator
from framecast.training.objective import Objective
from framecast.training.options import TrainingOptions
from framecast.videos.conditioning import Conditioning

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
