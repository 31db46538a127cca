"""`framecast.train`: from a recipe and data to a trained run."""

import math
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from framecast.core.configuration import to_plain
from framecast.core.distributed import Processes, join
from framecast.core.errors import ConfigError, FramecastWarning
from framecast.core.machine import choose_device, peak_memory
from framecast.core.progress import Progress, Task, track
from framecast.data.archive.reader import Archive
from framecast.data.datasets import Windows
from framecast.networks import NetworkOptions, OwnNetwork
from framecast.training import Stepped
from framecast.training.estimate import Cost, measure_cost
from framecast.training.loggers import open_watchers
from framecast.training.options import TrainingOptions
from framecast.training.prepare import OwnData, Prepared, prepare
from framecast.training.recipe import Recipe, built_in_recipes, load_recipe
from framecast.training.run import Run
from framecast.training.train import Begun, Validated, run_training

_NARROWEST = 8
"""Channels of the narrowest network chosen for a budget."""


def train(
    recipe: str | Path | Recipe,
    data: Archive | Windows | str | Path | None = None,
    *,
    out: str | Path | None = None,
    validation: Windows | None = None,
    network: nn.Module | NetworkOptions | Mapping[str, Any] | None = None,
    start: str | Path | None = None,
    device: str | torch.device | None = None,
    overwrite: bool = False,
    progress: Progress = True,
    stop: Callable[[], bool] = lambda: False,
    **changes: Any,
) -> Run:
    """Train a recipe, and return the run; `framecast.load` takes it.

    Repeat the call to resume an interrupted run. If ``recipe`` is the folder of a run, that run is trained further,
    up to ``training={"steps": …}`` of the whole. An interrupt (Ctrl-C) writes a checkpoint. Started by
    ``torchrun``, several processes train together.

    Args:
        recipe: the name of a built-in recipe, the path of a YAML file, the folder of a run, or a recipe.
        data: an open archive or its path, or a dataset of your own; omitted if the recipe has ``data.windows``.
        out: the run's folder; a built-in recipe is renamed to it. Omitted only to train a run further.
        validation: the validation windows, for a dataset of your own.
        network: in place of the recipe's: its options, such as ``networks.VideoUNet(width=32)``, or any module
            that can be called like `framecast.networks.Network`, which is then changed in place; or settings.
        start: a model to start from, in place of ``training.start``; see `framecast.training.start`.
        device: device to train on; by default the GPU if there is one.
        overwrite: whether a different run in that folder may be replaced.
        progress: whether to show steps and losses, or a function that is called with the steps made and their number.
        stop: called after each step; if it returns true, a checkpoint is written and the run ends.
        changes: settings that replace those of the recipe: a section and some of its settings,
            ``training={"steps": 500}``, or a dotted name,
            ``**{"data.past": 4}``.

    Raises:
        ConfigError: the recipe is invalid, or does not fit the data.
        DataError: the data cannot be used.
        FramecastError: the folder contains something else, another process trains in it, or the loss diverged.
    """
    if network is not None:
        changes["network"] = OwnNetwork.of(network) if isinstance(network, nn.Module) else network
    if start is not None:
        changes["training.start"] = str(start)
    before = Run(recipe) if isinstance(recipe, str | Path) and (Path(recipe) / "recipe.yaml").is_file() else None
    if before is not None:
        recipe, out = before.path / "recipe.yaml", before.path if out is None else out
        data = before.archive() if data is None else data
    if out is None:
        raise ConfigError("training needs the folder of the run (out, --out RUN)")
    wanted = load_recipe(recipe, changes)
    if str(recipe) in built_in_recipes() and "name" not in changes:
        wanted = replace(wanted, name=Path(out).resolve().name)
    place = choose_device(device)
    processes = join(cpu=place.type == "cpu")
    prepared = prepare(wanted, open_data(wanted, data, validation))
    cost: Cost | None = None
    if prepared.recipe.training.budget is not None:
        whole = prepared
        steps, width, cost = processes.share(lambda: _fit_to_budget(whole, Run(out), place, overwrite=overwrite))
        prepared = whole.of_length(steps, width=width)
    last = prepared.recipe.training.last_step
    with ExitStack() as stack:
        task = stack.enter_context(track("training", last, progress))
        task.tell(_describe(prepared, str(place), processes))
        for warning in prepared.data.warnings(prepared.recipe):
            task.tell(f"warning: {warning}")
        task.tell(prepared.choices)
        task.tell(prepared.stretch)
        if prepared.origin:
            task.tell(prepared.origin)
        if progress is True and processes.first and Run(out).step < last:
            cost = cost or measure_cost(prepared, place)
            for line in cost.describe(last - Run(out).step, prepared) if cost else ():
                task.tell(line)
        shown: list[Any] = [Display(task, Path(out), prepared.recipe.training)]
        events = run_training(
            prepared,
            out,
            device=place,
            overwrite=overwrite,
            longer=before is not None,
            stop=stop,
            processes=processes,
        )
        for event in events:
            if isinstance(event, Begun) and processes.first:
                names, plain = prepared.recipe.watch.to, to_plain(prepared.recipe)
                opened = open_watchers(names, Path(out), plain, step=event.step)
                for watcher in opened:
                    stack.callback(watcher.close)
                shown += opened
            for each in shown:
                each.see(event)
    return Run(out)


def _fit_to_budget(
    prepared: Prepared, run: Run, place: torch.device, *, overwrite: bool
) -> tuple[int, int | None, Cost | None]:
    """Return the steps that a budget allows and the width of the network, and the cost of its steps.

    Of a run that has already started they are those of its recipe, and the cost is not measured.
    """
    training, own = prepared.recipe.training, {} if overwrite else run.settings()
    width: int | None = getattr(prepared.recipe.network, "width", None)
    steps, begun = (own.get(section) for section in ("training", "network"))
    if isinstance(steps, dict) and isinstance(steps.get("steps"), int):
        if training.least_steps is not None and isinstance(begun, dict):
            width = begun.get("width", width)
        return steps["steps"], width, None
    budget, least = str(training.budget), training.least_steps or 0
    while True:
        cost = measure_cost(prepared.of_length(1, width=width), place)
        if cost is None:
            raise ConfigError("training.budget needs a network that framecast builds: give training.steps")
        if width is None or width // 2 < _NARROWEST or cost.allows(budget) >= least:
            return cost.steps_in(budget), width, cost
        width //= 2


def open_data(
    recipe: Recipe, data: Archive | Windows | str | Path | None, validation: Windows | None = None
) -> Archive | OwnData:
    """Return the data for `prepare`.

    Raises:
        ConfigError: there is no data, or a custom dataset without its validation side.
    """
    if data is None and recipe.data.windows is not None:
        train, validation = (recipe.data.windows.make(side=side) for side in ("train", "validation"))
        return OwnData(train=train, validation=validation)
    if data is None:
        raise ConfigError("training needs an archive (data, --data ARCHIVE), or a recipe with data.windows")
    if isinstance(data, str | Path):
        return Archive.open(data)
    if isinstance(data, Archive):
        return data
    if validation is None:
        raise ConfigError(f"{type(data).__name__} is a custom dataset: also give validation windows, as validation=")
    return OwnData(train=data, validation=validation)


def _describe(prepared: Prepared, device: str, processes: Processes) -> str:
    """Return a summary of recipe and data on one line."""
    steps = prepared.recipe.training.last_step
    where = device if processes.count == 1 else f"{processes.count} processes ({device})"
    return f"{prepared.recipe.name}: {steps} steps on {where}; windows: {prepared.data.describe()}"


class Display:
    """Shows progress, quality and speed of the run in ``out``."""

    def __init__(self, task: Task, out: Path, options: TrainingOptions) -> None:
        self.task, self.out, self.last, self.batch = task, out, options.last_step, options.batch
        self.loss = self.validation = self.seconds = float("nan")
        self.skipped = 0

    def see(self, event: object) -> None:
        """Show what an event of `framecast.training.train.run_training` changes."""
        if isinstance(event, Begun):
            self.task.tell(str(event.precision))
            self._begin(event.step, event.damaged)
        elif isinstance(event, Stepped):
            # Means over about fifty steps: single losses jump with the noise level they drew.
            self.seconds = _mean(self.seconds, event.seconds)
            self.loss = self.loss if event.skipped else _mean(self.loss, event.loss)
            self.skipped += event.skipped
            self.task.reach(event.step, note=self.remark())
        elif isinstance(event, Validated):
            self.validation = event.loss
            self.task.reach(event.step, note=self.remark())
            if event.skill is not None:
                few = f"{event.windows} window{'s' if event.windows > 1 else ''} only"
                self.task.tell(f"step {event.step}: {quality(event.skill)} ({few})")

    def _begin(self, step: int, damaged: tuple[str, ...]) -> None:
        for finding in damaged:
            warnings.warn(finding, FramecastWarning, stacklevel=2)
        if step:
            done = f"is finished: {step} steps" if step >= self.last else f"resumes from step {step}"
            self.task.tell(f"{self.out} {done}")
        self.task.begin(step)

    def remark(self) -> str:
        """Return the text beside the progress bar."""
        parts = [f"loss {self.loss:.4f}"]
        if not math.isnan(self.validation):
            parts.append(f"validation {self.validation:.4f}")
        if self.seconds > 0:
            parts.append(f"{self.batch / self.seconds:.3g} windows/s")
        parts.append(memory())
        if self.skipped:
            parts.append(f"{self.skipped} skipped")
        return ", ".join(parts)


def quality(skill: float) -> str:
    """Return in words how good small ensembles are, from their skill against persistence in CRPS."""
    if not math.isfinite(skill):
        return "members are not finite, or the truth has no known pixel"
    if skill < -0.5:
        return f"members are still noise: their CRPS is {1 - skill:.2g} times that of persistence"
    if abs(skill) < 0.02:
        return "forecasts are about as good as persistence (CRPS)"
    return f"CRPS {100 * abs(skill):.0f} % {'below' if skill > 0 else 'above'} that of persistence"


def memory() -> str:
    """Return the most memory taken so far, of the GPU where there is one in use."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return f"{torch.cuda.max_memory_allocated() / 1e9:.1f} GB"
    peak = peak_memory()
    return "memory unknown" if peak is None else f"{peak / 1e9:.1f} GB"


def _mean(mean: float, value: float) -> float:
    return value if math.isnan(mean) else 0.98 * mean + 0.02 * value
