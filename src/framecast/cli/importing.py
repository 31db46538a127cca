"""``framecast import``: gridded data of any kind as an archive."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from framecast.cli.console import note, say

if TYPE_CHECKING:
    from framecast.importers import Imported

_DIVISOR = 8
"""Sides that can be halved three times suit every network."""


def import_(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="A NetCDF file or a Zarr folder.")],
    out: Annotated[Path, typer.Argument(metavar="OUT.zarr", help="The archive to write.")],
    variable: Annotated[
        list[str] | None, typer.Option(help="What holds the frames; several of them become channels.")
    ] = None,
    time: Annotated[str | None, typer.Option(help="Coordinate with the times.")] = None,
    y: Annotated[str | None, typer.Option(help="Dimension of rows.")] = None,
    x: Annotated[str | None, typer.Option(help="Dimension of columns.")] = None,
    channel: Annotated[str | None, typer.Option(help="Dimension of channels.")] = None,
    sequence: Annotated[str | None, typer.Option(help="Dimension that numbers separate videos.")] = None,
    group: Annotated[str | None, typer.Option(help="Group of the file that holds the frames.")] = None,
    unit: Annotated[str | None, typer.Option(help="Physical unit, in place of what the file says.")] = None,
    scale: Annotated[float, typer.Option(help="Stored values times this ...")] = 1.0,
    offset: Annotated[float, typer.Option(help="... plus this are physical values.")] = 0.0,
    missing: Annotated[float | None, typer.Option(help="A stored value that means: not seen.")] = None,
    cadence: Annotated[float | None, typer.Option(help="Seconds between frames; the median step by default.")] = None,
    coarsen: Annotated[int, typer.Option(min=1, help="Average so many rows and columns into one pixel.")] = 1,
    multiple: Annotated[int, typer.Option(min=1, help="Trim rows and columns to a multiple of this.")] = 1,
    flip_y: Annotated[bool, typer.Option("--flip-y", help="The first row is the highest.")] = False,
    importer: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:NAME",
            help="Read SRC with a function of your own, see docs/python.md.",
        ),
    ] = None,
    independent: Annotated[
        bool, typer.Option("--independent", help="No two sequences show the same thing: they may be told apart.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an archive of that name.")] = False,
) -> None:
    """Bring gridded data (NetCDF, Zarr) into an archive. What is time, y, x and channel is found by CF conventions."""
    note(f"importing {source}")
    import framecast as fc

    options: dict[str, Any] = {
        "group": group,
        "variables": tuple(variable or ()),
        "time": time,
        "y": y,
        "x": x,
        "channel": channel,
        "sequence": sequence,
        "scale": scale,
        "offset": offset,
        "missing": missing,
        "flip_y": flip_y,
        "coarsen": coarsen,
        "multiple": multiple,
    }
    if importer is not None:
        options = {"importer": importer}
    imported = fc.import_data(
        source, out, unit=unit, cadence=cadence, independent=independent, overwrite=overwrite, **options
    )
    _explain(imported)
    say(str(out))


def _explain(imported: "Imported") -> None:
    """Say what was taken for what, and what is not there."""
    from framecast.core.options import format_duration

    _explain_axes(imported)
    first, last = (imported.calendar.text(time) for time in (imported.first, imported.last))
    calendar = "" if imported.calendar.name in ("proleptic_gregorian", "none") else f" ({imported.calendar.name})"
    note(
        f"{imported.sequences} sequence{'s' if imported.sequences > 1 else ''}, {imported.frames} frames of "
        f"{imported.height}×{imported.width} pixels, {len(imported.channels)} channel"
        f"{'s' if len(imported.channels) > 1 else ''} ({', '.join(imported.channels)}), every "
        f"{format_duration(imported.cadence)}, {first} to {last}{calendar}"
    )
    note(
        f"values {imported.low:g} to {imported.high:g} {imported.unit}; {100 * imported.unknown:.3g} % of the pixels "
        f"unknown; {imported.gaps or 'no'} gap{'' if imported.gaps == 1 else 's'} in time"
    )
    for count, why in ((imported.undated, "have no time"), (imported.repeated, "repeat the time of another")):
        if count:
            note(f"left out: {count} frames that {why}")
    for decided in imported.notes:
        note(decided)
    height, width = (side // _DIVISOR * _DIVISOR for side in (imported.height, imported.width))
    if (height, width) != (imported.height, imported.width) and height and width:
        note(f"most networks need sides that {_DIVISOR} divides: --multiple {_DIVISOR} would keep {height}×{width}")


def _explain_axes(imported: "Imported") -> None:
    """Say which dimension was taken for what, where there was a choice."""
    axes = imported.axes
    if axes is None:
        return
    rows = f"rows {axes.y}" + (" (turned to run upward)" if imported.flipped else "")
    columns = f"columns {axes.x}" + (" (turned to run to the right)" if imported.mirrored else "")
    parts = [f"time {axes.time}", rows, columns]
    parts += [f"channels {axes.channel}"] if axes.channel else []
    parts += [f"sequences {axes.sequence}"] if axes.sequence else []
    note(f"{', '.join(axes.variables)} in {imported.unit}: {', '.join(parts)}")
