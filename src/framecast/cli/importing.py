"""``framecast import``: data of any kind as an archive."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from framecast.cli.console import note, say
from framecast.cli.options import takes_options
from framecast.importers.options import ImportOptions

if TYPE_CHECKING:
    from framecast.importers.importing import Imported

_LARGE = 128 * 128  # pixels of a frame above which training on a processor takes hours
_NOTES = 12  # notes that are printed
_UNEVEN = 0.02  # fraction of uneven steps above which a note is printed


@takes_options
def import_(
    source: Annotated[
        list[str], typer.Argument(metavar="SRC...", help="Files, folders, patterns in quotes, or addresses.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT.zarr", help="The archive to write.")],
    options: ImportOptions,
    importer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Format of SRC if its name does not show it, such as picture; or MODULE:NAME, a function of your "
            "own, see docs/python.md.",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite an existing archive.")] = False,
) -> None:
    """Import gridded data, pictures or films into an archive.

    NetCDF, HDF5, Zarr, GRIB, GeoTIFF, NumPy arrays, pictures, films, radar composites. Axes are recognised by CF
    conventions and common names. See docs/importing.md.
    """
    note(f"reading {source[0]}" + (f" and {len(source) - 1} more" if len(source) > 1 else ""))
    import framecast as fc

    given = {name: value for name, value in asdict(options).items() if value != getattr(ImportOptions(), name)}
    imported = fc.import_data(source, out, importer=importer, overwrite=overwrite, **given)
    _explain(imported)
    say(str(out))
    note(f"next: {_next_command(imported, out)}")


def _explain(imported: "Imported") -> None:
    from framecast.core.options import format_duration
    from framecast.videos.units import by_channel, shown

    first, last = (imported.calendar.text(time) for time in (imported.first, imported.last))
    calendar = "" if imported.calendar.name in ("proleptic_gregorian", "none") else f" ({imported.calendar.name})"
    channels = len(imported.channels)
    note(
        f"{imported.sequences} sequence{'s' if imported.sequences > 1 else ''}, {imported.frames} frames of "
        f"{imported.height}×{imported.width} pixels, {channels} channel{'s' if channels > 1 else ''} "
        f"({', '.join(imported.channels)}), every {format_duration(imported.cadence)}, {first} to {last}{calendar}"
    )
    units = by_channel(imported.unit, channels)
    if imported.unknown == 1:
        values = "no valid values"
    elif len(set(units)) == 1:
        values = f"values {min(imported.low):g} to {max(imported.high):g} {shown(units[0])}".rstrip()
    else:
        rows = zip(imported.channels, imported.low, imported.high, units, strict=True)
        values = "values " + ", ".join(f"{name} {low:g} to {high:g} {unit}" for name, low, high, unit in rows)
    note(
        f"{values}; {100 * imported.unknown:.3g} % of pixels masked; {imported.gaps or 'no'} "
        f"gap{'' if imported.gaps == 1 else 's'} in time"
    )
    if imported.uneven > _UNEVEN:
        note(
            f"{100 * imported.uneven:.0f} % of the frames are at uneven times: windows in which a frame differs "
            "from its time by more than a tenth of the cadence are left out; data.tolerance=0.45 in training "
            "keeps them, with the nearest frames, and --interpolate here resamples to even times"
        )
    again = "have the time of an earlier frame (members of an ensemble or levels in separate files: --sequence file)"
    for count, why in ((imported.undated, "have no time"), (imported.repeated, again)):
        if count:
            note(f"left out: {count} frames that {why}")
    for decided in imported.notes[:_NOTES]:
        note(decided)
    if len(imported.notes) > _NOTES:
        note(f"and {len(imported.notes) - _NOTES} notes of the same kinds")
    if imported.height * imported.width > _LARGE:
        factor = next(k for k in range(2, 10**6) if imported.height * imported.width / k**2 <= _LARGE)
        note(
            f"large frames: --coarsen {factor} would average them to {imported.height // factor}×"
            f"{imported.width // factor} pixels, which trains {factor**2} times faster"
        )


def _next_command(imported: "Imported", out: Path) -> str:
    words = ["framecast", "train", "auto", "--data", str(out), "--out", f"runs/{out.stem}"]
    if imported.uneven > _UNEVEN:
        words.append("data.tolerance=0.45")
    if imported.masked > 0.2:
        words.append(f"data.max_masked={min(1.0, round(imported.masked + 0.05, 2)):g}")
    return shlex.join(words)
