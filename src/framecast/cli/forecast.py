"""``framecast forecast``: ensembles for the windows of an archive."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from framecast.cli.console import note, say
from framecast.cli.options import takes_options
from framecast.cli.sampling import Ensemble, Running, Sampling


@takes_options
def forecast(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A run (its newest checkpoint), a model folder, or a released model.")
    ],
    archive: Annotated[Path, typer.Argument(metavar="ARCHIVE", help="The archive whose windows are forecast.")],
    out: Annotated[Path, typer.Argument(metavar="OUT.zarr", help="The forecast to write.")],
    ensemble: Ensemble,
    sampling: Sampling,
    running: Running,
    split: Annotated[
        Literal["train", "validation", "test", "all"],
        typer.Option(help="The side of the model's own split, or all windows."),
    ] = "validation",
    limit: Annotated[int | None, typer.Option(min=1, help="Forecast at most this many windows, evenly spaced.")] = None,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile the network first: takes a minute, pays off for many windows.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite an existing forecast.")] = False,
) -> None:
    """Forecast windows of an archive. The same command again resumes an interrupted forecast."""
    note(f"forecasting {archive} with {model}")
    import framecast as fc

    written = fc.forecast(
        model,
        archive,
        out,
        **ensemble.choices,
        **sampling.choices,
        **vars(running),
        split=split,
        limit=limit,
        compile=compiled,
        overwrite=overwrite,
        command=shlex.join(["framecast", *sys.argv[1:]]),
    )
    say(str(written))
