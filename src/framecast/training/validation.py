"""How well the averaged network denoises windows it was not trained on."""

import torch

from framecast.conditioning import Conditioning
from framecast.data.dataset import WindowDataset
from framecast.denoiser import Denoiser
from framecast.seeding import generator
from framecast.training.fit import batch_loss
from framecast.training.options import TrainingOptions


@torch.inference_mode()
def validation_loss(
    denoiser: Denoiser, conditioning: Conditioning, windows: WindowDataset, options: TrainingOptions
) -> float:
    """Return the mean loss over ``options.validation_windows`` windows, evenly spaced.

    Times and noise are the same at every call, so that the figures of two steps can be compared.

    Args:
        denoiser: with the averaged network.
        conditioning: puts the windows before the denoiser.
        windows: the validation side.
        options: gives number, batch and precision.
    """
    denoiser.eval()
    count = min(options.validation_windows, len(windows))
    chosen = [k * len(windows) // count for k in range(count)]
    part = max(1, options.batch // options.accumulate)
    total = 0.0
    for start in range(0, count, part):
        batch = windows.batch(chosen[start : start + part])
        loss = batch_loss(denoiser, conditioning, batch, generator(options.seed, start), options.precision)
        total += loss.item() * len(batch.index)
    return total / count
