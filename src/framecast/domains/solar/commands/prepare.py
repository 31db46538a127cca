"""``framecast solar prepare``: observations of the Sun on disk become an archive."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from framecast.cli.console import Task, note, print_table, progress, say
from framecast.core.errors import ConfigError
from framecast.domains.solar.commands.options import Degradation, Despike, choose_radiometry, whole_numbers

if TYPE_CHECKING:
    from framecast.domains.solar.prepare import Summary

_LISTED = 20


def prepare(
    source: Annotated[Path, typer.Argument(metavar="SRC_DIR", help="Folder with FITS files, at any depth.")],
    out: Annotated[Path, typer.Argument(metavar="OUT.zarr", help="The archive to write, by convention named *.zarr.")],
    size: Annotated[str, typer.Option(help="Pixels of a frame: 64, or rows x columns as in 64x96.")] = "64",
    wavelengths: Annotated[
        str | None, typer.Option(help="Channels in ångström, such as 171 or 193,211,94. [default: all there are]")
    ] = None,
    start: Annotated[str | None, typer.Option(help="First time wanted (UTC); a day alone is its midnight.")] = None,
    end: Annotated[str | None, typer.Option(help="Last time wanted (UTC), such as 2017-08-14T12:00.")] = None,
    cadence: Annotated[
        str | None, typer.Option(help="Time between two frames: 12s, 30min, 2h. [default: every frame there is]")
    ] = None,
    pixel: Annotated[
        float | None,
        typer.Option(help="Side of a pixel in arcsec; two pixels of AIA's synoptic images. [default: 4.8]"),
    ] = None,
    fov: Annotated[
        float | None, typer.Option(help="Instead of --pixel: width of a frame, its field of view, in arcsec.")
    ] = None,
    angle: Annotated[
        float, typer.Option(help="Follow a region while its middle is within so many degrees of the disk's middle.")
    ] = 45.0,
    max_longitude: Annotated[
        float | None, typer.Option(help="And while it is within so many degrees of the central meridian.")
    ] = None,
    max_latitude: Annotated[
        float | None, typer.Option(help="And while it is within so many degrees of the equator.")
    ] = None,
    regions: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="Follow the regions of this table, not a grid: id, NOAA or HARPNUM; time; x and y in arcsec, "
            "carrington_longitude or stonyhurst_longitude and latitude in degrees, or location as N12W34.",
        ),
    ] = None,
    spacing: Annotated[float, typer.Option(help="Distance of neighbouring regions, in degrees on the surface.")] = 12.0,
    min_frames: Annotated[int, typer.Option(min=1, help="Leave out regions seen in fewer frames.")] = 12,
    tolerance: Annotated[
        str | None, typer.Option(help="Times that far apart are the same. [default: 1min, or half the cadence if less]")
    ] = None,
    rotation: Annotated[str, typer.Option(help="Rotation law: howard, snodgrass, allen or rigid.")] = "howard",
    off_limb: Annotated[str, typer.Option(help="Pixels beyond the limb: mask or keep.")] = "mask",
    despike: Despike = False,
    degradation: Degradation = None,
    accept_quality: Annotated[
        str, typer.Option(help="Bits of QUALITY that leave a frame good; 30 marks quick-look radiometry.")
    ] = "30",
    exclude: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="Leave out the images of these times: start and end, or one column of dates."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at a file that cannot be used.")] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that read files. [default: one for each core, at most 8]")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Instead, the workers of the dask cluster there: tcp://HOST:8786."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an archive of that name.")] = False,
) -> None:
    """Cut regions that follow the Sun's rotation out of images of the Sun, and write them as an archive.

    The images may lie in any folders under any names (JSOC's synoptic layout, for instance): their headers decide.
    A grid of regions is followed through differential rotation. Frames come out in DN/s with solar north up.
    """
    note(f"preparing {source}")
    from framecast.domains.solar.prepare import prepare as prepare_archive
    from framecast.videos.frames import parse_duration

    radiometry = choose_radiometry(despike=despike, degradation=degradation)

    with ExitStack() as shown:
        tasks: dict[str, Task] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                shown.close()  # the bar of the stage before
                tasks[stage] = shown.enter_context(progress(stage, total))
            tasks[stage].reach(done, total)

        summary = prepare_archive(
            source,
            out,
            size=_size(size),
            wavelengths=None if wavelengths is None else whole_numbers("--wavelengths", wavelengths),
            start=start,
            end=end,
            cadence=None if cadence is None else parse_duration(cadence),
            tolerance=None if tolerance is None else parse_duration(tolerance),
            pixel=pixel,
            field_of_view=fov,
            angle=angle,
            longitude=max_longitude,
            latitude=max_latitude,
            regions=regions,
            exclude=exclude,
            spacing=spacing,
            minimum_frames=min_frames,
            rotation=rotation,  # type: ignore[arg-type]
            off_limb=off_limb,  # type: ignore[arg-type]
            radiometry=radiometry,
            accept_quality=whole_numbers("--accept-quality", accept_quality) if accept_quality.strip() else [],
            strict=strict,
            workers=workers,
            scheduler=scheduler,
            overwrite=overwrite,
            progress=show,
        )
    _report(summary, source)
    say(str(out))


def _size(text: str) -> int | tuple[int, int]:
    """Return rows and columns from ``64`` or ``64x96``."""
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.strip().isdecimal() for side in sides):
        raise ConfigError(f"--size is {text!r}; write 64, or rows x columns as in 64x96")
    return int(sides[0]) if len(sides) == 1 else (int(sides[0]), int(sides[1]))


def _report(summary: "Summary", source: Path) -> None:
    """Say what was made, and what was left out and why."""
    from framecast.videos.frames import format_duration

    rows = [
        ("frames", f"{summary.frames}, every {format_duration(summary.cadence)}"),
        ("from", f"{_minute(summary.start)} UTC"),
        ("to", f"{_minute(summary.end)} UTC"),
        ("channels", ", ".join(f"{channel} Å" for channel in summary.channels)),
        ("regions", f"{summary.sequences} with {summary.region_frames} frames together"),
    ]
    if summary.short:
        rows.append(("too short", f"{summary.short} regions seen in too few frames, left out"))
    rows += [
        ("gap", f"{gap.frames} frames between {_minute(gap.before)} and {_minute(gap.after)}")
        for gap in summary.gaps[:_LISTED]
    ]
    if len(summary.gaps) > _LISTED:
        rows.append(("gap", f"and {len(summary.gaps) - _LISTED} more"))
    if summary.missing_pixels:
        files = summary.files_with_missing_pixels
        rows.append(("missing pixels", f"{summary.missing_pixels} in {files} files, masked"))
    for wavelength, count in sorted(summary.other_wavelengths.items()):
        rows.append(("not asked for", f"{count} files of {wavelength} Å"))
    for wavelength, count in sorted(summary.unmatched.items()):
        rows.append(("not in the series", f"{count} files of {wavelength} Å: at other times, or second copies"))
    for text, count in summary.notes.items():
        rows.append(("note", f"{count} files: {text}"))
    print_table("Prepared", rows)
    for title, items in (("Doubtful frames", summary.doubtful), ("Files left out", summary.rejected)):
        if items:
            shown = [(_relative(item.path, source), item.reason) for item in items[:_LISTED]]
            print_table(f"{title} ({len(items)})", shown)
            if len(items) > _LISTED:
                note(f"and {len(items) - _LISTED} more")


def _minute(time: object) -> str:
    return str(time)[:16].replace("T", " ")


def _relative(path: Path, source: Path) -> str:
    return str(path.relative_to(source)) if path.is_relative_to(source) else str(path)
