"""``framecast solar import-png``: folders of 8-bit pictures of active regions become an archive."""

from pathlib import Path
from typing import Annotated

import typer

from framecast.cli.console import note, print_table, progress, say
from framecast.core.errors import ConfigError

_LISTED = 20


def import_png(
    source: Annotated[
        Path,
        typer.Argument(metavar="SRC_DIR", help="Folder with <AR>/<AR>_YYYYmmdd_HHMM_<w1>x<w2>x<w3>.png below it."),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT.zarr", help="The archive to write, by convention named *.zarr.")],
    samples: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV", help="Labels: HARPNUM, T and label or nextC_t2f_h, nextM_t2f_h, nextX_t2f_h (hours)."
        ),
    ] = None,
    horizon: Annotated[str, typer.Option(help="A flare counts that comes within this time after a frame.")] = "12h",
    classes: Annotated[str, typer.Option(help="Names of the labels, in order.")] = "quiet,C,M,X",
    saturation: Annotated[
        str | None,
        typer.Option(help="DN/s of the byte 255, where it is not the paper's: 193=81139,211=8179,94=6099."),
    ] = None,
    cadence: Annotated[
        str | None, typer.Option(help="Time between two frames. [default: the most frequent there is]")
    ] = None,
    exclude: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="Leave out the images of these times: start and end, or one column of dates."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an archive of that name.")] = False,
) -> None:
    """Read 8-bit PNG pictures of active regions into an archive in DN/s, labels included (Francisco et al. 2024)."""
    note(f"importing {source}")
    from framecast.domains.solar.label_tables import read_label_table
    from framecast.domains.solar.png import SATURATION, import_pictures
    from framecast.videos.frames import format_duration, parse_duration

    names = tuple(name.strip() for name in classes.split(","))
    table = None if samples is None else read_label_table(samples, horizon=parse_duration(horizon), classes=names)
    with progress("pictures") as task:
        made = import_pictures(
            source,
            out,
            saturation=SATURATION | _values(saturation),
            cadence=None if cadence is None else parse_duration(cadence),
            samples=table,
            exclude=exclude,
            overwrite=overwrite,
            progress=task.reach,
        )
    rows = [
        ("regions", f"{made.sequences} with {made.frames} frames together, every {format_duration(made.cadence)}"),
        ("channels", ", ".join(f"{channel} Å" for channel in made.channels)),
    ]
    if made.excluded:
        rows.append(("excluded", f"{made.excluded} pictures"))
    if made.ignored:
        rows.append(("ignored", f"{made.ignored} PNG files that are named otherwise"))
    print_table("Imported", rows)
    if made.rejected:
        print_table(f"Files left out ({len(made.rejected)})", [(p.name, why) for p, why in made.rejected[:_LISTED]])
        if len(made.rejected) > _LISTED:
            note(f"and {len(made.rejected) - _LISTED} more")
    say(str(out))


def _values(text: str | None) -> dict[int, float]:
    """Return ``{193: 81139.0}`` from ``193=81139``."""
    values = {}
    for part in filter(None, (text or "").split(",")):
        channel, _, value = part.partition("=")
        try:
            values[int(channel)] = float(value)
        except ValueError:
            raise ConfigError(f"--saturation is {text!r}; write such as 193=81139,211=8179") from None
        if not values[int(channel)] > 0:
            raise ConfigError(f"--saturation is {text!r}; values must be positive")
    return values
