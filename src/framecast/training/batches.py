"""What each optimizer step sees: a pure function of the seed and the number of the step."""

import torch
from torch.utils.data import DataLoader, Dataset

from framecast.data.dataset import Sample, WindowDataset, batch_at
from framecast.training.options import TrainingOptions


class Parts(Dataset[Sample]):
    """The batches of all steps, cut into ``options.accumulate`` parts each and numbered through.

    Args:
        windows: the training side.
        options: resolved.
    """

    def __init__(self, windows: WindowDataset, options: TrainingOptions) -> None:
        self.windows = windows
        self.options = options

    def __len__(self) -> int:
        return self.options.last_step * self.options.accumulate

    def __getitem__(self, part: int) -> Sample:
        step, k = divmod(part, self.options.accumulate)
        indices, epoch = batch_at(step, len(self.windows), self.options.batch, seed=self.options.seed)
        size = self.options.batch // self.options.accumulate
        return self.windows.batch(indices[k * size : (k + 1) * size], epoch=epoch)


def loader(windows: WindowDataset, options: TrainingOptions, *, first: int, device: torch.device) -> DataLoader[Sample]:
    """Return the parts from step ``first`` on, loaded ahead by ``options.workers`` processes."""
    parts = Parts(windows, options)
    return DataLoader(
        parts,
        batch_size=None,
        sampler=range(first * options.accumulate, len(parts)),
        num_workers=options.workers,
        persistent_workers=options.workers > 0,
        pin_memory=device.type == "cuda",
    )
