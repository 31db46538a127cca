"""``framecast netcdf``: a forecast file as NetCDF, by CF or as pysteps reads it."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from framecast.cli.console import note, say


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
