"""``framecast solar COMMAND``: from the observatory's archive to a prediction."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from framecast.cli.console import note, print_grid, print_list, print_table, progress, say, track_stages
from framecast.cli.options import add, takes_options
from framecast.cli.sampling import Ensemble, Running, Sampling
from framecast.core.errors import ConfigError
from framecast.core.options import format_duration
from framecast.domains.solar.options import (
    EventOptions,
    FetchOptions,
    LabelOptions,
    PngImportOptions,
    PredictOptions,
    PrepareOptions,
    Transfer,
)

if TYPE_CHECKING:
    from framecast.domains.solar.predict import PredictResult
    from framecast.domains.solar.prepare import Summary
    from framecast.verification.samples import Interval

app = typer.Typer(
    name="solar",
    help="Observations of the Sun: from an archive to a prediction. Needs pip install 'framecast[solar]'.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

OutArchive = Annotated[
    Path, typer.Argument(metavar="OUT.zarr", help="The archive to write, by convention named *.zarr.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Overwrite an existing archive.")]


@app.callback()
def root() -> None:
    """Observations of the Sun: from an archive to a prediction."""


@takes_options
def fetch(
    options: FetchOptions,
    transfer: Transfer,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder for the images.")],
) -> None:
    """Fetch images of the Sun that are not in the folder yet.

    Every file is opened and checked before it gets its name. The same command again fetches only what is missing;
    unavailable frames are listed at the end and in fetch.json and are not treated as an error.
    """
    note(f"fetching images of {str(options.start)[:16]} to {str(options.end)[:16]}")
    from framecast.domains.solar.fetch import fetch as bring
    from framecast.domains.solar.fetch import regular_times
    from framecast.domains.solar.sources import choose_source
    from framecast.domains.solar.times import minute

    server = choose_source(options.source, nrt=options.nrt, base_url=options.base_url)
    if options.cadence < server.step:
        raise ConfigError(
            f"--cadence is {format_duration(options.cadence)}; {server.name} has an image every {server.step} s: "
            "use that or a multiple"
        )
    times = regular_times(options.start, options.end, options.cadence)
    with progress("fetching") as task:
        report = bring(times, options.wavelengths, out, source=server, transfer=transfer, progress=task.reach)
    print_table(
        "Fetched",
        [
            ("asked for", f"{len(report.frames)} frames"),
            ("already there", str(report.kept)),
            ("downloaded", f"{report.fetched}, {report.bytes / 1e6:.1f} MB"),
            ("missing", str(len(report.missing))),
        ],
    )
    missing = [(f"{minute(frame.time)}  {frame.wavelength} Å", frame.missing) for frame in report.missing]
    print_list("Missing frames", missing, rest=": see fetch.json")
    say(str(out))


@takes_options
def prepare(
    source: Annotated[Path, typer.Argument(metavar="SRC_DIR", help="Folder with FITS files, at any depth.")],
    out: OutArchive,
    options: PrepareOptions,
    overwrite: Overwrite = False,
) -> None:
    """Make an archive of tracked regions from images of the Sun.

    Regions that follow the rotation of the Sun are cut out of full-disk images. The images may lie in any folders under
    any names (JSOC's synoptic layout, for instance): only their headers matter. A grid of regions is followed through
    differential rotation. Frames come out in DN/s with solar north up, images that are not counts (magnetograms in G)
    in their own unit. Saturated pixels are masked.
    """
    note(f"preparing {source}")
    from framecast.domains.solar.prepare import prepare as prepare_archive

    with track_stages() as show:
        summary = prepare_archive(source, out, **vars(options), overwrite=overwrite, progress=show)
    _print_summary(summary, source)
    say(str(out))
    note(f"next: {shlex.join(['framecast', 'train', 'auto', '--data', str(out), '--out', f'runs/{out.stem}'])}")


@takes_options
def import_png(
    source: Annotated[
        Path,
        typer.Argument(metavar="SRC_DIR", help="Folder with <AR>/<AR>_YYYYmmdd_HHMM_<w1>x<w2>x<w3>.png below it."),
    ],
    out: OutArchive,
    options: PngImportOptions,
    labels: LabelOptions,
    samples: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV", help="Labels: HARPNUM, T and label or nextC_t2f_h, nextM_t2f_h, nextX_t2f_h (hours)."
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Import 8-bit PNG pictures of active regions.

    The archive is in DN/s, labels included (Francisco et al. 2024).
    """
    note(f"importing {source}")
    from framecast.domains.solar.labels import read_label_table
    from framecast.domains.solar.png import import_pictures

    table = None if samples is None else read_label_table(samples, **vars(labels))
    with progress("pictures") as task:
        made = import_pictures(source, out, **vars(options), samples=table, overwrite=overwrite, progress=task.reach)
    archive = made.archive
    rows = [
        ("regions", f"{len(archive)} with {made.frames} frames together, every {format_duration(archive.cadence)}"),
        ("channels", ", ".join(f"{channel} Å" for channel in archive.channels)),
        ("row 0", f"{'south' if made.origin == 'lower' else 'north'} ({made.origin_from})"),
    ]
    if made.excluded:
        rows.append(("excluded", f"{made.excluded} pictures"))
    if made.ignored:
        rows.append(("ignored", f"{made.ignored} PNG files with other names"))
    print_table("Imported", rows)
    print_list("Files left out", [(path.name, reason) for path, reason in made.rejected])
    say(str(out))


@takes_options
def label(
    archive: Annotated[Path, typer.Argument(metavar="ARCHIVE", help="The archive whose frames get labels.")],
    given: EventOptions,
    labels: LabelOptions,
) -> None:
    """Label the frames of an archive with flare classes.

    The label is the class of the largest flare of the region that starts within the horizon after the frame. Labels
    are written into the archive, in place of any it has. Train with data.labels=true to use them.
    """
    if (given.events is None) == (given.samples is None):
        raise ConfigError("give either --events or --samples: labels come from one of them")
    note(f"labelling {archive}")
    from framecast.data.archive.reader import Archive
    from framecast.data.labels import count_labels, write_labels
    from framecast.domains.solar.flares import assign_flares, labels_from_flares, read_flares
    from framecast.domains.solar.labels import labels_from_table, read_label_table

    opened = Archive.open(archive)
    if given.events is not None:
        flares = read_flares(given.events)
        own, unassigned = assign_flares(opened, flares)
        found = labels_from_flares(opened, own, **vars(labels), covered=given.covers or (None, None))
        if unassigned:
            note(
                f"{unassigned} of {len(flares)} events were left out: they have no position and no region "
                f"number of {archive}"
            )
    else:
        found = labels_from_table(opened, read_label_table(str(given.samples), **vars(labels)))
    within = format_duration(labels.horizon)
    write_labels(archive, found, labels.classes, meaning=f"class of the largest flare that starts within {within}")
    counts = count_labels(Archive.open(archive)).items()
    print_table(
        "Labelled",
        [("flares", f"that start within {within}"), *((name, f"{count} frames") for name, count in counts)],
    )
    say(str(archive))


@takes_options
def predict(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL", help="A run (its newest checkpoint), a model folder, or a released model's name."
        ),
    ],
    options: PredictOptions,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Output folder for images, forecast and page.")],
    ensemble: Ensemble,
    sampling: Sampling,
    running: Running,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a forecast issued in the folder.")] = False,
) -> None:
    """Forecast one region of the Sun, from images to a page.

    The images are fetched, the region is followed through rotation, the ensemble drawn and shown as a page. Rerun the
    same command to resume an interrupted job; it also fetches later frames that have become available. An issued
    forecast is never changed: a different request needs a different folder.
    """
    if options.source is not None and not options.source.is_dir():
        raise ConfigError(f"--source {options.source} is not a folder: name the folder with the images")
    note(f"forecasting the Sun at {_place(options)} on {_when(options)} with {model}")
    import framecast as fc
    from framecast.core.machine import choose_device
    from framecast.domains.solar.predict import predict as make
    from framecast.domains.solar.predict.page import with_observations
    from framecast.reports.prediction import PAGE
    from framecast.verification.samples import Sample, interval_rows

    forecaster = fc.load(model, device=choose_device(running.device), trust_code=running.trust_code)
    drawing = forecaster.options(**vars(sampling))
    note(str(forecaster.precision(drawing)))
    with track_stages() as show:
        made = make(
            forecaster,
            out,
            options,
            **ensemble.choices,
            drawing=drawing,
            overwrite=overwrite,
            command=shlex.join(["framecast", *sys.argv[1:]]),
            show=show,
        )
    _print_prediction(made)
    print_intervals(interval_rows(with_observations(Sample.read(out / "forecast.zarr"), out / "region.zarr")))
    say(str(out / PAGE))


def maps(
    forecast: Annotated[Path, typer.Argument(metavar="FORECAST", help="A forecast file of the Sun.")],
    out: Annotated[Path, typer.Argument(metavar="OUT_DIR", help="The folder for the FITS files.")],
    statistics: Annotated[
        str,
        typer.Option(
            metavar="A,B,...",
            help="Statistics of the ensemble: mean, spread, members, observed, or quantiles such as 0.05,0.95.",
        ),
    ] = "mean,spread",
    sample: Annotated[int, typer.Option(metavar="N", help="Index of the window in the file; -1 is the last.")] = -1,
    disk: Annotated[
        bool, typer.Option("--disk", help="Blend the newest forecasts of all regions into the disk.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite an existing folder.")] = False,
) -> None:
    """Write a solar forecast as FITS files with a full WCS.

    There is a file for each channel, future frame and statistic. sunpy can open them: DATE-OBS is the valid time of a
    frame, and its position that of the region then.
    """
    from framecast.domains.solar.disk import whole_disk
    from framecast.domains.solar.maps import write_maps

    wanted = [part.strip() for part in statistics.split(",") if part.strip()]
    with progress("maps") as task:
        source = whole_disk(forecast) if disk else forecast
        written = write_maps(source, out, *wanted, sample=sample, overwrite=overwrite, progress=task.reach)
    note(f"{len(written)} files")
    say(str(out))


add(
    app,
    fetch,
    example="framecast solar fetch --start 2017-08-13 --end 2017-08-14 --wavelengths 171 --cadence 2h --out aia",
)
add(app, prepare, example="framecast solar prepare aia sun.zarr --size 64 --wavelengths 171")
add(app, label, example="framecast solar label sun.zarr --events flares.csv --horizon 12h")
add(app, predict, example="framecast solar predict sun-171 --time 2017-08-13T12:00 --center 170,-130 --out prediction")
add(app, maps, example="framecast solar maps prediction/forecast.zarr maps --statistics mean,spread,0.05,0.95")
add(app, import_png, example="framecast solar import-png pictures regions.zarr")


def print_intervals(rows: "list[Interval]") -> None:
    """Print the forecast of each quantity."""
    from framecast.reports.wording import inline, short

    headings = ["", "median", "50 % interval", "90 % interval", "observed"]
    cells = [
        [
            f"{row.channel} Å {inline(row.label)} ({row.unit})",
            short(row.median),
            f"{short(row.low_50)} – {short(row.high_50)}",
            f"{short(row.low_90)} – {short(row.high_90)}",
            short(row.observed) if row.observed == row.observed else "not known",
        ]
        for row in rows
    ]
    print_grid("Forecast intervals", headings, cells)


def _place(options: PredictOptions) -> str:
    """Return the position of a prediction in words."""
    from framecast.domains.solar.places import Stonyhurst, place_name

    if options.center is None:
        return options.region
    if isinstance(options.center, Stonyhurst):
        return place_name(*options.center)
    x, y = options.center
    return f"{x:g},{y:g}"


def _when(options: PredictOptions) -> str:
    """Return the time of a prediction in words."""
    from framecast.domains.solar.times import Latest

    if not isinstance(options.time, Latest):
        return str(options.time)[:16]
    seconds = options.time.seconds
    offset = f", {format_duration(abs(seconds))} {'before' if seconds < 0 else 'after'} it" if seconds else ""
    return f"the time of the newest image{offset}"


def _print_prediction(made: "PredictResult") -> None:
    """Print which stages were done, and which images are unavailable."""
    from framecast.domains.solar.times import minute

    done = {True: "done", False: "done earlier"}
    print_table("Prediction", [(name, done[now]) for name, now in made.stages.items()])
    absent = [(f"{minute(item.time)}  {item.wavelength} Å", item.missing) for item in made.absent]
    print_list("Unavailable images of the future", absent, most=12)


def _print_summary(summary: "Summary", source: Path) -> None:
    """Print the result, and what was left out and why."""
    from framecast.domains.solar.times import minute

    series = summary.series
    rows = [
        ("frames", f"{len(series.slots)}, every {format_duration(series.cadence)}"),
        ("from", f"{minute(series.slots[0].time)} UTC"),
        ("to", f"{minute(series.slots[-1].time)} UTC"),
        ("channels", ", ".join(f"{channel} Å" for channel in series.channels)),
        ("regions", f"{summary.sequences} with {summary.region_frames} frames together"),
    ]
    gaps = [f"{gap.frames} frames between {minute(gap.before)} and {minute(gap.after)}" for gap in series.gaps]
    missing, saturated = (
        own and f"{sum(own)} in {len(own)} files, masked" for own in (summary.missing, summary.saturated)
    )
    optional = [
        ("too short", summary.short and f"{summary.short} regions seen in too few frames, left out"),
        *(("gap", text) for text in gaps[:20]),
        ("gap", gaps[20:] and f"and {len(gaps) - 20} more"),
        ("missing pixels", missing),
        ("saturated pixels", saturated and f"{saturated} with a margin"),
        *(("not selected", f"{n} files of {w} Å") for w, n in sorted(summary.other_wavelengths.items())),
        *(
            ("not in the series", f"{n} files of {w} Å: at other times, or duplicates")
            for w, n in sorted(series.unmatched.items())
        ),
        *(("note", f"{n} files: {text}") for text, n in summary.notes.items()),
    ]
    rows += [(name, str(text)) for name, text in optional if text]
    print_table("Prepared", rows)
    for title, items in (("Doubtful frames", summary.doubtful), ("Files left out", summary.rejected)):
        print_list(title, [(_relative(item.path, source), item.reason) for item in items])


def _relative(path: Path, source: Path) -> str:
    return str(path.relative_to(source)) if path.is_relative_to(source) else str(path)
