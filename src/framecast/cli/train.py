"""``framecast train``: from a recipe and an archive to a run."""

import math
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from framecast.cli.console import Task, note, progress, say
from framecast.cli.failures import INTERRUPTED
from framecast.cli.stopping import Stop
from framecast.core.distributed import Processes, is_first, join
from framecast.core.errors import ConfigError
from framecast.core.machine import peak_memory

if TYPE_CHECKING:
    from framecast.training.prepare import Prepared


def train(
    config: Annotated[
        str, typer.Argument(metavar="CONFIG", help="A built-in recipe, such as tiny, or the path of a YAML file.")
    ],
    changes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SECTION.KEY=VALUE", help="Settings in place of the recipe's, such as training.steps=500."
        ),
    ] = None,
    data: Annotated[Path | None, typer.Option("--data", help="The archive to train on.", metavar="ARCHIVE")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The run's folder. An unfinished run there goes on.", metavar="RUN")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="Where to train: cpu, cuda, cuda:1. The GPU if there is one.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a different run in that folder.")] = False,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print the recipe with all its settings as YAML, and stop.")
    ] = False,
) -> None:
    """Train a recipe on an archive. The same command again goes on where it was interrupted.

    Several processes: torchrun --standalone --nproc-per-node N -m framecast train ...
    """
    note(f"reading recipe {config}")
    from framecast.training.recipe import dump_recipe, load_recipe

    recipe = load_recipe(config, changes or ())
    if print_config:
        say(dump_recipe(recipe).rstrip())
        return
    if data is None or out is None:
        raise ConfigError("training needs --data ARCHIVE and --out RUN")

    from framecast.data.archive.reader import Archive
    from framecast.training.prepare import choose_device, prepare

    place = choose_device(device)
    processes = join(cpu=place.type == "cpu")
    prepared = prepare(recipe, Archive.open(data))
    note(describe(prepared, str(place), processes))
    note(prepared.stretch)
    run_training(prepared, out, device=str(place), overwrite=overwrite, processes=processes)
    say(str(out))


def describe(prepared: "Prepared", device: str, processes: Processes) -> str:
    """Return on one line what will be trained on what."""
    sides = ", ".join(f"{len(windows)} {side}" for side, windows in prepared.sides.items())
    rejected = ", ".join(f"{count} {reason}" for reason, count in prepared.windows.rejected.items() if count)
    left_out = f" (left out: {rejected})" if rejected else ""
    steps = prepared.recipe.training.last_step
    where = device if processes.count == 1 else f"{processes.count} processes ({device})"
    return f"{prepared.recipe.name}: {steps} steps on {where}; windows: {sides}{left_out}"


def run_training(
    prepared: "Prepared",
    out: Path,
    *,
    device: str = "cpu",
    overwrite: bool = False,
    seconds: float = float("inf"),
    processes: Processes | None = None,
) -> None:
    """Train under a progress bar; a signal, or the end of the ``seconds`` given, leaves a checkpoint.

    Raises:
        typer.Exit: a signal ended it; the code is 128 and the number of the signal.
    """
    from framecast.core.configuration import to_plain
    from framecast.training.loggers import open_watchers
    from framecast.training.train import Begun, Stopped, train

    last = prepared.recipe.training.last_step
    with progress("training", last) as task, Stop(seconds).on_signals() as stop, ExitStack() as stack:
        watchers: list[Any] = [Watched(task, out, last, prepared.recipe.training.batch)]
        for event in train(prepared, out, device=device, overwrite=overwrite, stop=stop, processes=processes):
            if isinstance(event, Begun) and is_first():
                opened = open_watchers(prepared.recipe.watch.to, out, to_plain(prepared.recipe), step=event.step)
                for watcher in opened:
                    stack.callback(watcher.close)
                watchers += opened
            for watcher in watchers:
                watcher.see(event)
            if isinstance(event, Stopped):
                note(f"{stop.reason}: step {event.step} is saved, and the same command goes on from it")
    if stop.signal is not None:
        raise typer.Exit(128 + stop.signal if stop.signal != signal.SIGINT else INTERRUPTED)


class Watched:
    """What the person at the terminal is shown of a run: how far it is, how well it does, and at which rate.

    Args:
        task: the progress shown.
        out: the run's folder.
        last: the last step.
        batch: windows per step.
    """

    def __init__(self, task: Task, out: Path, last: int, batch: int) -> None:
        self.task, self.out, self.last, self.batch = task, out, last, batch
        self.loss = self.validation = self.seconds = float("nan")
        self.skipped = 0

    def see(self, event: object) -> None:
        """Show what an event of `framecast.training.train.train` changes."""
        from framecast.training import Progress
        from framecast.training.train import Begun, Validated

        if isinstance(event, Begun):
            note(str(event.precision))
            self._begin(event.step, event.damaged)
        elif isinstance(event, Progress):
            # Means over about fifty steps: single losses jump with the noise level they drew.
            self.seconds = _mean(self.seconds, event.seconds)
            self.loss = self.loss if event.skipped else _mean(self.loss, event.loss)
            self.skipped += event.skipped
            self.task.reach(event.step, note=self.remark())
        elif isinstance(event, Validated):
            self.validation = event.loss
            self.task.reach(event.step, note=self.remark())

    def _begin(self, step: int, damaged: tuple[str, ...]) -> None:
        for finding in damaged:
            note(f"warning: {finding}")
        if step:
            done = f"is finished: {step} steps" if step >= self.last else f"goes on from step {step}"
            note(f"{self.out} {done}")
        self.task.begin(step)

    def remark(self) -> str:
        """Return what is shown beside the progress bar."""
        parts = [f"loss {self.loss:.4f}"]
        if not math.isnan(self.validation):
            parts.append(f"validation {self.validation:.4f}")
        if self.seconds > 0:
            parts.append(f"{self.batch / self.seconds:.3g} windows/s")
        parts.append(memory())
        if self.skipped:
            parts.append(f"{self.skipped} skipped")
        return ", ".join(parts)


def memory() -> str:
    """Return the most memory taken so far, of the GPU where there is one in use."""
    import torch

    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return f"{torch.cuda.max_memory_allocated() / 1e9:.1f} GB"
    peak = peak_memory()
    return "memory unknown" if peak is None else f"{peak / 1e9:.1f} GB"


def _mean(mean: float, value: float) -> float:
    return value if math.isnan(mean) else 0.98 * mean + 0.02 * value
