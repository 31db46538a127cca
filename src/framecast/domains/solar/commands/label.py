"""``framecast solar label``: the frames of an archive learn which class of flare comes within the hours after them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from framecast.cli.console import note, print_table, say
from framecast.core.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np


def label(
    archive: Annotated[Path, typer.Argument(metavar="ARCHIVE", help="The archive whose frames get labels.")],
    events: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="List of flares, complete: columns start, peak, class and region."),
    ] = None,
    samples: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="Instead: table of samples with HARPNUM, T and label or nextC_t2f_h, nextM_t2f_h, nextX_t2f_h.",
        ),
    ] = None,
    horizon: Annotated[str, typer.Option(help="A flare counts that starts within this time after a frame.")] = "12h",
    classes: Annotated[str, typer.Option(help="Their names: what is none of them, then the classes, rising.")] = (
        "quiet,C,M,X"
    ),
    covers: Annotated[
        str | None,
        typer.Option(
            metavar="START..END",
            help="Time of which --events tells all flares; frames outside stay unknown. [default: all time]",
        ),
    ] = None,
) -> None:
    """Label each frame of an archive with the largest flare of its region that starts within the horizon after it.

    Labels are written into the archive, in place of any it has. Train with data.labels=true to use them.
    """
    if (events is None) == (samples is None):
        raise ConfigError("give either --events or --samples: labels come from one of them")
    note(f"labelling {archive}")
    from framecast.data.archive.reader import Archive
    from framecast.data.labels import count_labels, write_labels
    from framecast.domains.solar.flare_lists import assign_flares, labels_from_flares, read_flares
    from framecast.domains.solar.label_tables import labels_from_table, read_label_table
    from framecast.videos.frames import format_duration, parse_duration

    opened, seconds = Archive.open(archive), parse_duration(horizon)
    names = tuple(name.strip() for name in classes.split(","))
    if events is not None:
        limits = _covered(covers)
        flares = read_flares(events)
        assigned = assign_flares(opened, flares)
        labels = labels_from_flares(opened, assigned.own, horizon=seconds, classes=names, covered=limits)
        if assigned.unassigned:
            note(
                f"{assigned.unassigned} of {len(flares)} events were left out: they say no place, and the number of no "
                f"region of {archive}"
            )
    else:
        labels = labels_from_table(opened, read_label_table(str(samples), horizon=seconds, classes=names))
    within = format_duration(seconds)
    write_labels(archive, labels, names, meaning=f"class of the largest flare that starts within {within}")
    counts = count_labels(Archive.open(archive))
    rows = [("flares", f"that start within {within}"), *((name, f"{count} frames") for name, count in counts.items())]
    print_table("Labelled", rows)
    say(str(archive))


def _covered(text: str | None) -> "tuple[np.datetime64 | None, np.datetime64 | None]":
    """Return first and last moment from ``2012-01-01..2018-01-01``; either may be left out."""
    from framecast.domains.solar.times import moment

    if text is None:
        return None, None
    try:
        first, last = (moment(part) if part.strip() else None for part in text.split(".."))
    except ValueError:
        raise ConfigError(f"--covers is {text!r}; write two times, such as 2012-01-01..2018-01-01") from None
    if first is not None and last is not None and last < first:
        raise ConfigError(f"--covers is {text!r}: its end is before its start; exchange them")
    return first, last
