"""``framecast forecast``: ensembles for the windows of an archive; ``netcdf``: them in other formats."""

import shlex
import shutil
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from framecast.cli.console import note, say
from framecast.cli.options import takes_options
from framecast.cli.sampling import Ensemble, Running, Sampling
from framecast.core.files import refuse_existing
from framecast.models.selection import Selection


@takes_options
def forecast(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help="A run (its newest checkpoint), a model folder, or a released model. With K models, or a folder of "
            "K models, model m mod K draws member m.",
        ),
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
    refine: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL", help="A diffusion that refines the members of a one-shot model in --steps (3) evaluations."
        ),
    ] = None,
    baselines: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Also write nowcasts of pysteps, to compare: lagrangian,sprog,steps."),
    ] = None,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile the network first: takes a minute, pays off for many windows.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite an existing forecast.")] = False,
) -> None:
    """Draw ensemble forecasts from the frames of an archive.

    From the newest frames, or from many pasts. Rerun the same command to resume an interrupted forecast.
    """
    note(f"forecasting {archive} with {', '.join(models)}")
    import framecast as fc
    from framecast.data.netcdf import hidden_forecast, is_netcdf, write_netcdf

    command = shlex.join(["framecast", *sys.argv[1:]])
    if converted := page is not None and is_netcdf(out):  # the page shows more than NetCDF holds
        refuse_existing(out, overwrite=overwrite and out.is_file(), kind=None)
    written = fc.forecast(
        models[0] if len(models) == 1 else models,
        archive,
        hidden_forecast(out) if converted else out,
        **ensemble.choices,
        **vars(sampling),
        **vars(running),
        **vars(selection),
        baselines=[name.strip() for name in (baselines or "").split(",") if name.strip()],
        compile=compiled,
        refine=refine,
        overwrite=overwrite or converted,
        command=command,
    )
    if converted:
        write_netcdf(written, out, command=command, overwrite=overwrite)
    say(str(out))
    if page is not None:
        say(str(fc.show(written, page, overwrite=overwrite, command=command, name=out.name)))
    if converted:
        shutil.rmtree(written)
    if selection.split is not None:
        note(f"next: {shlex.join(['framecast', 'evaluate', str(out), '--out', 'report'])}")


def netcdf(
    forecast: Annotated[Path, typer.Argument(metavar="FORECAST", help="A forecast file, the folder *.zarr.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The NetCDF file to write.")],
    layout: Annotated[
        Literal["cf", "pysteps"],
        typer.Option(help="cf: all samples, for any program; pysteps: one sample as a nowcast that pysteps reads."),
    ] = "cf",
    sample: Annotated[int, typer.Option(min=0, help="Sample to write for pysteps.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Write the members of a forecast as NetCDF.

    The pysteps layout contains the rain of one sample at the issue time and each lead time, for blending as an external
    nowcast.
    """
    note(f"writing {out}")
    if layout == "pysteps":
        from framecast.data.pysteps import write_pysteps

        write_pysteps(forecast, out, sample=sample, overwrite=overwrite)
    else:
        from framecast.data.netcdf import write_netcdf

        write_netcdf(forecast, out, command=f"framecast netcdf {forecast} {out}", overwrite=overwrite)
    say(str(out))
