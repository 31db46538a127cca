"""``framecast solar fetch``: images of the Sun from an observatory's server to a folder."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from framecast.cli.console import note, print_table, progress, say
from framecast.core.errors import ConfigError
from framecast.domains.solar.commands.options import moment, whole_numbers

if TYPE_CHECKING:
    from framecast.domains.solar.fetch import Report, Source

_LISTED = 20


class Server(StrEnum):
    """Who is asked for images."""

    jsoc = "jsoc"
    helioviewer = "helioviewer"


def fetch(
    start: Annotated[str, typer.Option(help="First time wanted (UTC); a day alone is its midnight.")],
    end: Annotated[str, typer.Option(help="Last time wanted (UTC), such as 2017-08-14T12:00.")],
    wavelengths: Annotated[str, typer.Option(help="Channels in ångström, such as 171 or 193,211,94.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder for the images.")],
    cadence: Annotated[str, typer.Option(help="Time between two frames: 12min, 2h.")] = "2h",
    nrt: Annotated[bool, typer.Option("--nrt", help="JSOC's near-real-time branch, for the last days.")] = False,
    source: Annotated[
        Server, typer.Option(help="JSOC's synoptic archive (FITS, 1024²) or Helioviewer (JPEG 2000, 4096², 8 bits).")
    ] = Server.jsoc,
    base_url: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="Another server of the same layout. Without it $FRAMECAST_JSOC_URL or "
            "$FRAMECAST_HELIOVIEWER_URL decides, else it is the observatory's own.",
        ),
    ] = "",
    connections: Annotated[int, typer.Option(min=1, max=16, help="Files fetched side by side.")] = 4,
    tries: Annotated[int, typer.Option(min=1, help="Attempts for each file, with growing pauses between.")] = 5,
    timeout: Annotated[str, typer.Option(help="A file that takes longer is tried again.")] = "3min",
) -> None:
    """Fetch images of the Sun that are not in the folder yet.

    Every file is opened and checked before it gets its name. The same command again fetches only what is missing;
    frames that are not to be had are listed at the end and in fetch.json, and are no failure.
    """
    note(f"fetching images of {start} to {end}")
    from framecast.domains.solar.fetch import Transfer, regular_times
    from framecast.domains.solar.fetch import fetch as bring
    from framecast.videos.frames import parse_duration

    server = choose_source(source, nrt=nrt, base_url=base_url)
    step = parse_duration(cadence)
    if step < server.step:
        raise ConfigError(f"--cadence is {cadence}; {server.name} has an image every {server.step} s: ask for no more")
    times = regular_times(moment("--start", start), moment("--end", end), step)
    with progress("fetching") as task:
        report = bring(
            times,
            whole_numbers("--wavelengths", wavelengths),
            out,
            source=server,
            transfer=Transfer(connections=connections, tries=tries, timeout=parse_duration(timeout)),
            progress=task.reach,
        )
    print_report(report)
    say(str(out))


def choose_source(server: Server, *, nrt: bool, base_url: str) -> "Source":
    """Return the server that the options name.

    Raises:
        ConfigError: the server has no near-real-time branch, or its address is none.
    """
    from framecast.domains.solar.fetch import HelioviewerSource, SynopticSource

    if server is Server.jsoc:
        return SynopticSource(base_url=base_url, near_real_time=nrt)
    if nrt:
        raise ConfigError("--nrt is a branch of JSOC's archive; Helioviewer has its latest images with the others")
    return HelioviewerSource(base_url=base_url)


def print_report(report: "Report") -> None:
    """Say what came, and list what did not and why."""
    print_table(
        "Fetched",
        [
            ("asked for", f"{len(report.frames)} frames"),
            ("there already", str(report.kept)),
            ("downloaded", f"{report.fetched}, {report.bytes / 1e6:.1f} MB"),
            ("missing", str(len(report.missing))),
        ],
    )
    if report.missing:
        shown = [(f"{f.time[:16].replace('T', ' ')}  {f.wavelength} Å", f.missing) for f in report.missing[:_LISTED]]
        print_table(f"Missing frames ({len(report.missing)})", shown)
        if len(report.missing) > _LISTED:
            note(f"and {len(report.missing) - _LISTED} more: see fetch.json")
