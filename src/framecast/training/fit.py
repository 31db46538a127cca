"""The training loop: a generator that makes one optimizer step per turn and leaves everything else to its caller.

    for progress in fit(state, denoiser, conditioning, windows, options):
        ...                                     # log, validate, save, stop: the caller's business

Step k sees the same windows, times and noise whenever and wherever it is made, so that a run taken up from a saved
`TrainingState` goes on as if it had never stopped.
"""

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor

from framecast.conditioning import Conditioning
from framecast.data.dataset import Sample, WindowDataset
from framecast.denoiser import Denoiser
from framecast.errors import FramecastError
from framecast.seeding import generator
from framecast.training.batches import loader
from framecast.training.optimiser import learning_rate
from framecast.training.options import TrainingOptions
from framecast.training.state import TrainingState


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What one optimizer step showed.

    Attributes:
        step: steps made, this one included.
        loss: mean over the batch; NaN if the step was skipped.
        gradient_norm: before clipping.
        learning_rate: of this step.
        seconds: it took.
        skipped: whether its loss or gradient was not finite and the weights were left as they were.
    """

    step: int
    loss: float
    gradient_norm: float
    learning_rate: float
    seconds: float
    skipped: bool


def fit(
    state: TrainingState,
    denoiser: Denoiser,
    conditioning: Conditioning,
    windows: WindowDataset,
    options: TrainingOptions,
) -> Iterator[Progress]:
    """Make the steps that are missing up to the last one, and yield after each.

    Args:
        state: is changed in place; ``state.network`` is the network of ``denoiser``.
        denoiser: gives the loss.
        conditioning: puts the windows before the denoiser.
        windows: the training side.
        options: resolved (see `TrainingOptions.resolved`).

    Raises:
        FramecastError: too many steps in a row were not finite; it names the windows of the last one.
    """
    device = next(state.network.parameters()).device
    parts = iter(loader(windows, options, first=state.step, device=device))
    bad = 0
    while state.step < options.last_step:
        started = time.perf_counter()
        denoiser.train()
        rate = learning_rate(state.step, options)
        for group in state.optimiser.param_groups:
            group["lr"] = rate
        random = generator(options.seed, state.step)
        state.optimiser.zero_grad(set_to_none=True)
        total = torch.zeros((), device=device)
        seen: list[int] = []
        for _ in range(options.accumulate):
            batch = next(parts)
            seen += batch.index.tolist()
            loss = batch_loss(denoiser, conditioning, batch, random, options.precision) / options.accumulate
            loss.backward()
            total += loss.detach()
        norm = torch.nn.utils.clip_grad_norm_(state.network.parameters(), options.clip)
        finite = bool(torch.isfinite(total) & torch.isfinite(norm))
        bad = 0 if finite else bad + 1
        if finite:
            state.optimiser.step()
            if state.step >= options.ema_start:
                state.ema.update_parameters(state.network)
            else:
                state.ema.follow(state.network)
        elif bad >= options.max_bad_steps:
            names = ", ".join(windows.windows[k].id for k in seen[:8])
            raise FramecastError(
                f"{bad} steps in a row up to step {state.step + 1} had a loss or gradient that is not finite: lower "
                f"training.learning_rate, or look at the windows of the last one ({names} …)"
            )
        state.step += 1
        yield Progress(
            step=state.step,
            loss=total.item() if finite else math.nan,
            gradient_norm=norm.item(),
            learning_rate=rate,
            seconds=time.perf_counter() - started,
            skipped=not finite,
        )


def batch_loss(
    denoiser: Denoiser, conditioning: Conditioning, batch: Sample, random: torch.Generator, precision: str
) -> Tensor:
    """Return the mean loss of a batch in physical units, at times and with noise drawn from ``random`` (on the CPU)."""
    device = next(denoiser.parameters()).device
    past, future = batch.past.to(device, non_blocking=True), batch.future.to(device, non_blocking=True)
    x0, condition, known = conditioning.example(past, future, random)
    t = denoiser.draw_times(len(x0), random).to(device)
    noise = torch.randn(x0.shape, generator=random).to(device)
    with autocast(device, precision):
        loss: Tensor = denoiser.loss(x0, condition, t=t, noise=noise, mask=known)
    return loss.mean()


def autocast(device: torch.device, precision: str) -> AbstractContextManager[None]:
    """Return the context that runs the network in ``precision``: ``bf16`` autocast, or float32 as it is."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")
