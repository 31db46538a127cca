"""The training loop: a generator that makes one optimizer step per turn and leaves everything else to its caller.

    for step in fit(state, generator, conditioning, windows, options):
        ...                                     # log, validate, save, stop: the caller's business

Step k uses the same windows, times and noise whenever and wherever it is computed, so that a run resumed from a saved
`TrainingState` resumes as if it had never stopped. Several processes make each step together.
"""

import math
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from framecast.core.distributed import Processes
from framecast.core.errors import FramecastError
from framecast.data.datasets import Samples, batch_at
from framecast.generators.batch_random import BatchRandom
from framecast.generators.generator import Generator
from framecast.training.batches import cut, load_parts
from framecast.training.objective import Objective
from framecast.training.optimiser import learning_rate
from framecast.training.options import TrainingOptions
from framecast.training.sharding import is_sharded, whole
from framecast.training.state import TrainingState
from framecast.videos.conditioning import Conditioning


@dataclass(frozen=True, kw_only=True)
class Stepped:
    """Results of one optimizer step.

    Attributes:
        step: steps made, this one included.
        loss: mean over the batch; NaN if the step was skipped.
        gradient_norm: before clipping.
        learning_rate: of this step.
        seconds: it took.
        waited: seconds of these spent waiting for windows.
        skipped: whether its loss or gradient was not finite and the weights were left as they were.
    """

    step: int
    loss: float
    gradient_norm: float
    learning_rate: float
    seconds: float
    waited: float
    skipped: bool


def fit(
    state: TrainingState,
    generator: Generator,
    conditioning: Conditioning,
    windows: Samples,
    options: TrainingOptions,
    *,
    processes: Processes | None = None,
) -> Iterator[Stepped]:
    """Make the remaining steps, and yield after each.

    ``state``, whose network is that of ``generator``, is changed in place; ``windows`` are the training side, and
    ``options`` resolved (see `TrainingOptions.resolved`).

    Raises:
        ConfigError: the batch cannot be divided over the processes.
        FramecastError: too many steps in a row were not finite; it names the windows of the last one.
    """
    processes = processes or Processes()
    device = next(state.network.parameters()).device
    share = cut(options, processes)
    objective = Objective(generator, conditioning, options)
    module = objective if is_sharded(state.network) else processes.together(objective)
    parts = load_parts(windows, options, share, first=state.step, device=device)
    while state.step < options.last_step:
        started = time.perf_counter()
        waited = 0.0
        generator.train()
        rate = learning_rate(state.step, options)
        for group in state.optimiser.param_groups:
            group["lr"] = rate * group["factor"]
        state.optimiser.zero_grad(set_to_none=True)
        total = torch.zeros((), device=device)
        for part in range(share.parts):
            asked = time.perf_counter()
            batch = next(parts)
            waited += time.perf_counter() - asked
            random = BatchRandom(options.seed, state.step, total=options.batch, places=share.places(part))
            last = part == share.parts - 1
            with nullcontext() if last or module is objective else processes.apart(module):
                loss: Tensor = module(batch, random).mean() / share.parts
                state.scaler.scale(loss).backward()
            total += loss.detach()
        total = processes.mean(total)
        state.scaler.unscale_(state.optimiser)
        norm = whole(torch.nn.utils.clip_grad_norm_(state.network.parameters(), options.clip))
        finite = bool(torch.isfinite(total) & torch.isfinite(norm))
        # The loss scale of fp16 is found by trying: a step skipped for it is not a sign of divergence.
        searching = state.scaler.is_enabled() and bool(torch.isfinite(total)) and state.scaler.get_scale() > 1
        with state.changing():
            state.scaler.step(state.optimiser) if finite else None
            state.scaler.update()
            if finite:
                _average(state, options)
            state.skipped += not finite
            state.skipped_in_a_row = 0 if finite or searching else state.skipped_in_a_row + 1
            state.step += 1
        if state.skipped_in_a_row >= options.max_bad_steps:
            raise FramecastError(_diverged(state, windows, options))
        yield Stepped(
            step=state.step,
            loss=total.item() if finite else math.nan,
            gradient_norm=norm.item(),
            learning_rate=rate,
            seconds=time.perf_counter() - started,
            waited=waited,
            skipped=not finite,
        )


def _average(state: TrainingState, options: TrainingOptions) -> None:
    """Update the averages with the weights of the step."""
    if state.step >= options.ema_start:
        state.ema.update(state.network)
    else:
        state.ema.follow(state.network)
    for average in state.averages:
        average.update(state.network)


def _diverged(state: TrainingState, windows: Samples, options: TrainingOptions) -> str:
    """Return the error of a run whose latest steps were not finite, with the windows of the last one."""
    seen, _ = batch_at(state.step - 1, len(windows), options.batch, seed=options.seed)
    names = ", ".join(windows.name(int(k)) for k in seen[:8]) + (" …" if len(seen) > 8 else "")
    return (
        f"{state.skipped_in_a_row} steps in a row up to step {state.step} had a loss or gradient that is not "
        f"finite: lower training.learning_rate, or check the windows of the last one ({names})"
    )
