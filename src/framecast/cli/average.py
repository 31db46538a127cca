"""``framecast average``: a model whose weights are averaged over another length, chosen when the training is over."""

from pathlib import Path
from typing import Annotated

import typer

from framecast.cli.console import note, say


def average(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run trained with training.averages=[0.05, 0.1].")],
    out: Annotated[Path, typer.Argument(metavar="MODEL", help="The model folder to write.")],
    width: Annotated[
        float, typer.Option(help="Of the average, as a share of the training: 0.05 is short, 0.2 is long.")
    ] = 0.1,
    step: Annotated[
        int | None, typer.Option(min=1, help="The step at which it ends.  [default: the last snapshot]")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a model of that name.")] = False,
) -> None:
    """Make a model with another average of the weights from the snapshots of a finished run (Karras et al. 2024)."""
    note(f"averaging the snapshots of {run}")
    from dataclasses import replace

    from framecast.core.files import MODEL, new_folder
    from framecast.models.checkpoint import read_config, save_weights
    from framecast.models.header import find_model
    from framecast.training.snapshots import make_average

    config = read_config(find_model(run))
    weights, ended, distance = make_average(run, width, step=step)
    trained = {name: value for name, value in config.provenance.items() if name != "best_validation_loss"}
    provenance = trained | {"steps": ended, "average": {"width": width, "misfit": round(distance, 4)}}
    with new_folder(out, overwrite=overwrite, kind=MODEL) as folder:
        save_weights(folder, replace(config, provenance=provenance), weights)
    note(f"an average of width {width:g} at step {ended}; its profile is {distance:.1%} off the one asked for")
    say(str(out))
