"""The windows of each optimizer step: a pure function of the seed, the step and the index in its batch.

A batch is cut into parts, for several processes and to fit into memory. Its windows, times and noise do not depend on
the parts, so that the number of processes changes only the order in which gradients are added.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.utils.data import DataLoader, Dataset

from framecast.core.distributed import Processes
from framecast.core.errors import ConfigError
from framecast.data.datasets import Sample, Samples, batch_at
from framecast.training.options import TrainingOptions


@dataclass(frozen=True)
class Cut:
    """The parts of every batch that this process computes.

    Attributes:
        parts: of this process, per batch.
        size: windows in each.
        first: index in the batch of its first window.
    """

    parts: int
    size: int
    first: int

    def places(self, part: int) -> range:
        """Return the indices in the batch of ``part`` of this process."""
        start = self.first + part * self.size
        return range(start, start + self.size)


def cut(options: TrainingOptions, processes: Processes) -> Cut:
    """Return the parts of this process in batches of ``options.batch`` windows.

    The batch does not depend on the number of processes: the parts are ``options.accumulate``, or the next number
    above it of which each process gets equally many.

    Raises:
        ConfigError: the batch cannot be divided.
    """
    count = processes.count
    for parts in range(options.accumulate, options.batch + 1):
        if parts % count == 0 and options.batch % parts == 0:
            size = options.batch // parts
            return Cut(parts=parts // count, size=size, first=processes.rank * (parts // count) * size)
    raise ConfigError(
        f"training.batch={options.batch} cannot be divided evenly over {count} processes in at least "
        f"training.accumulate={options.accumulate} parts: make the batch a multiple of {count}"
    )


class Parts(Dataset[Sample]):
    """The parts of this process (see `cut`) of the batches of all steps, numbered through."""

    def __init__(self, windows: Samples, options: TrainingOptions, share: Cut) -> None:
        self.windows = windows
        self.options = options
        self.share = share

    def __len__(self) -> int:
        return self.options.last_step * self.share.parts

    def __getitem__(self, part: int) -> Sample:
        step, k = divmod(part, self.share.parts)
        indices, epoch = batch_at(step, len(self.windows), self.options.batch, seed=self.options.seed)
        return self.windows.batch(indices[self.share.places(k)], epoch=epoch)


def load_parts(
    windows: Samples, options: TrainingOptions, share: Cut, *, first: int, device: torch.device
) -> Iterator[Sample]:
    """Yield the parts from step ``first`` on, loaded ahead by ``options.workers`` processes."""
    parts = Parts(windows, options, share)
    return iter(
        DataLoader(
            parts,
            batch_size=None,
            sampler=range(first * share.parts, len(parts)),
            num_workers=options.workers,
            persistent_workers=options.workers > 0,
            pin_memory=device.type == "cuda",
        )
    )
