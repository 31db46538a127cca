"""``framecast train``: from a recipe and an archive to a run."""

import contextlib
import math
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from framecast.cli.console import note, progress, say
from framecast.errors import ConfigError

if TYPE_CHECKING:
    from framecast.workflows.prepare import Prepared


def train(
    config: Annotated[
        str, typer.Argument(metavar="CONFIG", help="A recipe (tiny, paper, paper-deep) or the path of a YAML file.")
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
    """Train a recipe on an archive. The same command again goes on where it was interrupted."""
    from framecast.recipes import dump_recipe, load_recipe

    recipe = load_recipe(config, changes or ())
    if print_config:
        say(dump_recipe(recipe).rstrip())
        return
    if data is None or out is None:
        raise ConfigError("training needs --data ARCHIVE and --out RUN")

    from framecast.data.archive import Archive
    from framecast.workflows.prepare import choose_device, prepare

    place = choose_device(device)
    prepared = prepare(recipe, Archive.open(data))
    note(describe(prepared, str(place)))
    run_training(prepared, out, device=str(place), overwrite=overwrite)
    say(str(out))


def describe(prepared: "Prepared", device: str) -> str:
    """Return on one line what will be trained on what."""
    sides = ", ".join(f"{len(windows)} {side}" for side, windows in prepared.sides.items())
    rejected = ", ".join(f"{count} {reason}" for reason, count in prepared.windows.rejected.items() if count)
    left_out = f" (left out: {rejected})" if rejected else ""
    steps = prepared.recipe.training.last_step
    return f"{prepared.recipe.name}: {steps} steps on {device}; windows: {sides}{left_out}"


def run_training(
    prepared: "Prepared",
    out: Path,
    *,
    device: str = "cpu",
    overwrite: bool = False,
    seconds: float = float("inf"),
) -> None:
    """Train under a progress bar; an interrupt, or the end of the ``seconds`` given, leaves a checkpoint."""
    from framecast.runs import Run
    from framecast.training import Progress
    from framecast.workflows.train import Validated, train

    events = train(prepared, out, device=device, overwrite=overwrite)
    loss = validation = float("nan")
    end = time.monotonic() + seconds
    last, made = prepared.recipe.training.last_step, 0 if overwrite else Run(out).step
    if made:
        note(f"{out} is finished: {made} steps" if made >= last else f"{out} goes on from step {made}")
    with progress("training", last) as task:
        task.reach(made)
        try:
            for event in events:
                if isinstance(event, Progress):
                    # A mean over about fifty steps: single losses jump with the noise level they drew.
                    if not event.skipped:
                        loss = event.loss if math.isnan(loss) else 0.98 * loss + 0.02 * event.loss
                elif isinstance(event, Validated):
                    validation = event.loss
                task.reach(event.step, note=remark(loss, validation))
                if time.monotonic() > end and event.step < last:
                    note(f"stopped after {seconds:g} s at step {event.step}")
                    interrupt(events)
                    break
        except KeyboardInterrupt:
            interrupt(events)
            raise


def remark(loss: float, validation: float) -> str:
    """Return what is shown beside the progress bar."""
    return f"loss {loss:.4f}" + ("" if math.isnan(validation) else f", validation {validation:.4f}")


def interrupt(events: Iterator[object]) -> None:
    """Let the training know of an interrupt that came between two of its events, so that it saves its last step."""
    if isinstance(events, Generator):
        with contextlib.suppress(KeyboardInterrupt):
            events.throw(KeyboardInterrupt())
