"""``framecast forecast``: ensembles for the windows of an archive."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from framecast.cli.console import note, say
from framecast.cli.options import takes_options
from framecast.cli.sampling import Ensemble, Running, Sampling
from framecast.core.errors import ConfigError
from framecast.models.selection import Selection


@takes_options
def forecast(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A run (its newest checkpoint), a model folder, or a released model.")
    ],
    archive: Annotated[Path, typer.Argument(metavar="ARCHIVE", help="The archive whose windows are forecast.")],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The forecast to write: NetCDF where it ends in .nc, else Zarr.")
    ],
    selection: Selection,
    ensemble: Ensemble,
    sampling: Sampling,
    running: Running,
    page: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also show the newest forecast as a page in this folder.")
    ] = None,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile the network first: takes a minute, pays off for many windows.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite an existing forecast.")] = False,
) -> None:
    """Forecast from the newest past of an archive, or from many. The same command again resumes an interrupted one."""
    if page is not None and out.suffix == ".nc":
        raise ConfigError(
            f"--page reads a forecast in Zarr and {out} is NetCDF: let OUT end in .zarr, or leave --page out"
        )
    note(f"forecasting {archive} with {model}")
    import framecast as fc

    command = shlex.join(["framecast", *sys.argv[1:]])
    written = fc.forecast(
        model,
        archive,
        out,
        **ensemble.choices,
        **sampling.choices,
        **vars(running),
        **vars(selection),
        compile=compiled,
        overwrite=overwrite,
        command=command,
    )
    say(str(written))
    if page is not None:
        say(str(fc.show(written, page, overwrite=overwrite, command=command)))
