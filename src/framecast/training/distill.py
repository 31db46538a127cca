"""`framecast.distill`: a diffusion model that draws a member in few steps, from one that needs many."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from framecast.core.configuration import kind_of
from framecast.core.errors import ConfigError
from framecast.core.options import format_duration
from framecast.core.progress import Progress
from framecast.data.archive.reader import Archive
from framecast.data.datasets import Windows
from framecast.diffusion.draws import UniformTimes
from framecast.diffusion.sampler import DDIM
from framecast.diffusion.sampling import SamplingOptions
from framecast.diffusion.times import Distilled
from framecast.diffusion.weighting import UniformWeighting
from framecast.generators.kinds import DiffusionOptions
from framecast.models.checkpoint import read_config
from framecast.models.config import ModelConfig
from framecast.models.header import find_model
from framecast.training import TrainingOptions
from framecast.training.job import train
from framecast.training.recipe import DataOptions, DistillationOptions, Recipe, frames_told
from framecast.training.run import Run
from framecast.videos.motion import OpticalFlow


def distill(
    model: str | Path,
    data: Archive | Windows | str | Path | None = None,
    *,
    out: str | Path,
    steps: int = 4,
    teacher_steps: int = 16,
    updates: int = 1000,
    validation: Windows | None = None,
    device: str | torch.device | None = None,
    overwrite: bool = False,
    progress: Progress = True,
    stop: Callable[[], bool] = lambda: False,
    **changes: Any,
) -> Run:
    """Train students of half the steps, each the teacher of the next, down to ``steps``; return the last one's run.

    Progressive distillation (Salimans & Ho 2022, arXiv 2202.00512). The runs of the students in between are kept
    beside ``out``, as ``OUT-8`` for the one of 8 steps. Repeat the call to resume.

    Args:
        model: a diffusion model.
        data: an open archive or its path, or a dataset of your own; by default the archive of the model's training.
        out: the folder of the last student's run.
        steps: network evaluations of that student per member.
        teacher_steps: of ``model`` itself, on the trailing grid: ``steps`` times a power of two.
        updates: optimizer steps of each student.
        validation: the validation windows, for a dataset of your own.
        device: see `framecast.train`.
        overwrite: see `framecast.train`.
        progress: see `framecast.train`.
        stop: see `framecast.train`.
        changes: settings of the training of each student, as for `framecast.train`.

    Raises:
        ConfigError: the model is not a diffusion, or the numbers of steps do not fit.
        FramecastError: see `framecast.train`.
    """
    config, run, teacher = read_config(find_model(model)), Run(out), str(model)
    generator = config.generator
    if not isinstance(generator, DiffusionOptions) or generator.masks:
        raise ConfigError(f"{model} is {kind_of(generator)}: only a diffusion without masks can be distilled")
    if data is None:
        data = config.training.get("archive")
    for count in _halvings(teacher_steps, steps):
        run = Run(out if count == steps else f"{out}-{count}")
        recipe = _recipe(config, generator, teacher, count, updates)
        train(
            recipe,
            data,
            out=run.path,
            validation=validation,
            device=device,
            overwrite=overwrite,
            progress=progress,
            stop=stop,
            **changes,
        )
        if run.step < _updates(run, updates):
            break
        teacher = str(run.path)
    return run


def _updates(run: Run, default: int) -> int:
    """Return how many steps the recipe in the folder of ``run`` has."""
    training = run.settings().get("training")
    return int(training.get("steps") or default) if isinstance(training, dict) else default


def _halvings(first: int, last: int) -> list[int]:
    """Return the numbers of steps of the students of a teacher of ``first`` steps, down to ``last``."""
    counts = []
    while first % 2 == 0 and first > last >= 1:
        first //= 2
        counts.append(first)
    if not counts or counts[-1] != last:
        raise ConfigError(
            f"steps is {last} and teacher_steps {first if not counts else counts[0] * 2}; each student makes half "
            "the steps of its teacher: set teacher_steps to steps times 2, 4, 8 or another power of two"
        )
    return counts


def _recipe(config: ModelConfig, diffusion: DiffusionOptions, teacher: str, steps: int, updates: int) -> Recipe:
    """Return the recipe of the student that makes so many steps."""
    frames = config.frames
    past, future = frames_told(frames)
    return Recipe(
        name=f"{config.name}-{steps}-step",
        data=DataOptions(
            past_channels=frames.past_channels,
            future_channels=frames.future_channels,
            past=past,
            future=future,
            cadence=format_duration(frames.cadence),
            stride=config.stride,
            max_masked=config.max_masked,
            labels=bool(config.labels),
            split=config.split,
            forcings=config.forcings,
            anomalies=config.anomalies.clocks if config.anomalies else (),
        ),
        target=kind_of(config.target),  # type: ignore[arg-type]
        motion=getattr(config.target, "motion", OpticalFlow()),
        network=config.network,
        diffusion=replace(diffusion, grid=Distilled(steps=steps), draw=UniformTimes(), weighting=UniformWeighting()),
        distillation=DistillationOptions(teacher=teacher, steps=2 * steps),
        training=TrainingOptions(
            start=teacher, steps=updates, batch=8, learning_rate=3e-4, warmup=50, decay="cosine", ema=0.98
        ),
        sampling=SamplingOptions(sampler=DDIM(eta=0.0), grid=Distilled(steps=steps), steps=steps),
    )
