"""Training a recipe on an archive into a run's folder."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from framecast.checkpoint import attach, build_network
from framecast.recipes import dump_recipe
from framecast.runs import Run
from framecast.training import Progress, TrainingState, fit, validation_loss
from framecast.workflows.prepare import Prepared

_LOG_EVERY = 10


@dataclass(frozen=True, kw_only=True)
class Validated:
    """A validation: the averaged network's loss on windows it was not trained on, and whether it is the best yet."""

    step: int
    loss: float
    best: bool


@dataclass(frozen=True, kw_only=True)
class Saved:
    """A checkpoint was written."""

    step: int
    path: Path


Event = Progress | Validated | Saved


def train(
    prepared: Prepared, out: str | Path, *, device: str | torch.device = "cpu", overwrite: bool = False
) -> Iterator[Event]:
    """Train, and yield what happens as it happens.

    The same call on a folder with an unfinished run of the same recipe and data goes on from its newest checkpoint.
    A caller that stops early (by closing the iterator, or an interrupt) loses at most the steps since then; the
    interrupt writes a checkpoint of its own first.

    Args:
        prepared: see `framecast.workflows.prepare.prepare`.
        out: the run's folder.
        device: where to train.
        overwrite: whether a different run in that folder may be replaced.

    Raises:
        FramecastError: the folder is taken, or the loss stayed not finite.
    """
    run = Run(out)
    run.begin(dump_recipe(prepared.recipe), prepared.data_record, overwrite=overwrite)
    options = prepared.recipe.training
    torch.manual_seed(options.seed)
    network = build_network(prepared.model).to(device)
    diffusion = prepared.recipe.diffusion
    denoiser = attach(prepared.model, network, weighting=diffusion.weighting, draw=diffusion.draw)
    state = TrainingState(network, options)
    saved = run.load_state()
    if saved:
        state.load(saved)
    averaged = attach(prepared.model, state.ema.module, weighting=diffusion.weighting, draw=diffusion.draw)
    validation = prepared.dataset("validation")
    best, best_step = _best(run, state.step)
    conditioning = prepared.model.conditioning
    written = state.step
    started = time.perf_counter()
    try:
        for progress in fit(state, denoiser, conditioning, prepared.dataset("train"), options):
            last = progress.step == options.last_step
            if progress.step % _LOG_EVERY == 0 or progress.skipped or last:
                run.log(event="step", elapsed=round(time.perf_counter() - started, 1), **vars(progress))
            yield progress
            if progress.step % options.validate_every == 0 or last:
                loss = validation_loss(averaged, conditioning, validation, options)
                better = loss < best
                if better:
                    best, best_step = loss, progress.step
                run.log(event="validation", step=progress.step, loss=loss)
                yield Validated(step=progress.step, loss=loss, best=better)
            if progress.step % options.checkpoint_every == 0 or last or best_step == progress.step:
                path = _save(run, prepared, state, best)
                run.prune(keep=options.keep, best=best_step)
                written = progress.step
                yield Saved(step=progress.step, path=path)
    except KeyboardInterrupt:
        if state.step > written:
            _save(run, prepared, state, best)
            run.prune(keep=options.keep, best=best_step)
        raise


def _save(run: Run, prepared: Prepared, state: TrainingState, best: float) -> Path:
    provenance = {
        "steps": state.step,
        "training": prepared.data_record,
        "best_validation_loss": best,
        "torch": torch.__version__,
    }
    config = replace(prepared.model, provenance=provenance)
    return run.save(state.step, config, state.ema.module, state.tensors())


def _best(run: Run, step: int) -> tuple[float, int | None]:
    """Return loss and step of the best validation up to ``step``, from the log."""
    seen = [
        (record["loss"], record["step"])
        for record in run.records()
        if record.get("event") == "validation" and record["step"] <= step
    ]
    return min(seen, default=(float("inf"), None))
