"""``framecast train``: from a recipe and an archive to a run."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from framecast.cli.console import note, say
from framecast.cli.stopping import Stop
from framecast.core.errors import ConfigError


def train(
    config: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG",
            help="A recipe: auto (fitted to data, machine and --budget), tiny or another built-in one, or a YAML "
            "file; or the folder of a run, to train it further.",
        ),
    ],
    changes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SECTION.KEY=VALUE", help="Settings in place of the recipe's, such as training.steps=500."
        ),
    ] = None,
    data: Annotated[Path | None, typer.Option("--data", help="The archive to train on.", metavar="ARCHIVE")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The run's folder. An unfinished run there is resumed.", metavar="RUN")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL", help="Start from the weights of this model: a run, a model folder or a released model."
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Time that the run may take, such as 20min, in place of the recipe's steps."),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="Device to train on: cpu, cuda, cuda:1. [default: the GPU if there is one]")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite a different run in that folder.")] = False,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print the recipe with all its settings as YAML, and stop.")
    ] = False,
) -> None:
    """Train a recipe on an archive. Rerun the same command to resume an interrupted run.

    Several processes: torchrun --standalone --nproc-per-node N -m framecast train ...
    """
    note(f"reading recipe {config}")
    import framecast as fc
    from framecast.training.recipe import dump_recipe, settings

    further = (Path(config) / "recipe.yaml").is_file()
    wanted = settings(changes or ())
    if start is not None:
        wanted = {"training.start": start, **wanted}
    if budget is not None:
        wanted = {"training.steps": None, "training.epochs": None, "training.budget": budget, **wanted}
    recipe = fc.load_recipe(Path(config) / "recipe.yaml" if further else config, wanted)
    if print_config:
        for line in dump_recipe(recipe).splitlines():
            say(line)
        return
    if out is None and not further:
        raise ConfigError("training needs --data ARCHIVE and --out RUN")
    with Stop().on_signals() as stop:
        run = fc.train(config, data, out=out, device=device, overwrite=overwrite, stop=stop, **wanted)
    stop.end(f"step {run.step} is saved")
    say(str(run.path))
    if data is not None:
        words = ["framecast", "forecast", str(run.path), str(data), "forecast.zarr", "--split", "test"]
        note(f"next: {shlex.join(words)}")
