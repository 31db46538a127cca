"""``framecast solar predict``: from images of the Sun to a forecast of one region, shown."""

import re
import shlex
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from framecast.cli.console import Task, note, print_grid, print_table, progress, say
from framecast.core.errors import ConfigError
from framecast.domains.solar.commands.fetch import Server, choose_source
from framecast.domains.solar.commands.options import Degradation, Despike, choose_radiometry, moment, whole_numbers

if TYPE_CHECKING:
    from framecast.domains.solar.predict import Prediction
    from framecast.reports.prediction import Interval

_LISTED = 12


def predict(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL", help="A run (its newest checkpoint), a model folder, or a released model's name."
        ),
    ],
    time: Annotated[str, typer.Option(help="Time of the last frame seen (UTC), such as 2024-10-08T23:57.")],
    center: Annotated[
        str, typer.Option(metavar="X,Y", help="Middle of the region then: helioprojective x and y in arcsec.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder for everything: images, forecast, page.")],
    members: Annotated[int, typer.Option(min=1, help="Size of the ensemble.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same members.")] = 0,
    label: Annotated[str | None, typer.Option(help="The class, for a model with labels.")] = None,
    source: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Take the images from this folder, fetch none.")
    ] = None,
    server: Annotated[Server, typer.Option(help="Whom to ask for images otherwise.")] = Server.jsoc,
    nrt: Annotated[bool, typer.Option("--nrt", help="JSOC's near-real-time branch, for the last days.")] = False,
    base_url: Annotated[
        str, typer.Option(metavar="URL", help="Another server of the same layout; see `framecast solar fetch`.")
    ] = "",
    future: Annotated[
        bool, typer.Option("--future/--no-future", help="Look for the frames that followed, to show them beside.")
    ] = True,
    pixel: Annotated[
        float | None, typer.Option(help="Side of a pixel in arcsec. [default: as in the model's training, else 4.8]")
    ] = None,
    despike: Despike = False,
    degradation: Degradation = None,
    accept_quality: Annotated[
        str, typer.Option(help="Bits of QUALITY that leave a frame good; 30 marks quick-look calibration.")
    ] = "30",
    sampler: Annotated[
        str | None, typer.Option(help="In place of the model's own: ddpm, ddim, or with settings: ddim:eta=0.5")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Network evaluations per member.")] = None,
    precision: Annotated[
        Literal["auto", "float32", "bf16"] | None,
        typer.Option(
            help="Precision of the network: auto is bf16 where this machine is faster in it, float32 elsewhere. "
            "[default: the model's, mostly auto]"
        ),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="Where to compute: cpu, cuda, cuda:1. The GPU if there is one.")
    ] = None,
) -> None:
    """Forecast one region of the Sun: fetch the images, follow the region, draw the ensemble, show it.

    The same command again goes on where it was interrupted, and looks for frames of the future that have come since.
    """
    if source is not None and not source.is_dir():
        raise ConfigError(f"--source {source} is not a folder: name the one that holds the images")
    note(f"forecasting the Sun at {center} on {time} with {model}")  # before libraries that take seconds to load
    import numpy as np

    from framecast.core.devices import choose_device
    from framecast.core.fingerprint import digest
    from framecast.domains.solar.predict import LocalImages, Request, ServerImages, training_settings
    from framecast.domains.solar.predict import predict as make
    from framecast.domains.solar.predict.page import write_prediction
    from framecast.domains.solar.predict.stages import Stages
    from framecast.models.checkpoint import load
    from framecast.reports.prediction import PAGE, Sample, interval_rows

    request = Request(
        time=moment("--time", time),
        center=_point(center),
        members=members,
        seed=seed,
        label=label,
        future=future,
    )
    images = ServerImages(choose_source(server, nrt=nrt, base_url=base_url)) if source is None else LocalImages(source)
    forecaster = load(model, device=choose_device(device))
    settings = training_settings(
        forecaster.config,
        pixel=pixel,
        radiometry=choose_radiometry(despike=despike, degradation=degradation),
        accept_quality=tuple(whole_numbers("--accept-quality", accept_quality)) if accept_quality.strip() else (),
    )
    options = forecaster.options(sampler=sampler, steps=steps, precision=precision)
    note(str(forecaster.precision(options)))
    command = shlex.join(["framecast", *sys.argv[1:]])
    with ExitStack() as shown:
        tasks: dict[str, Task] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                shown.close()  # the bar of the stage before
                tasks[stage] = shown.enter_context(progress(stage, total))
            tasks[stage].reach(done, total)

        made = make(
            forecaster,
            out,
            request,
            images=images,
            settings=settings,
            options=options,
            now=np.datetime64("now", "ns"),
            command=command,
            show=show,
        )
    facts = _facts(made, images.describe(), settings, forecaster.name)
    made.stages["page"] = Stages(out).once(
        "page",
        digest(made.mark, facts),
        [out / PAGE],
        lambda: write_prediction(out, radiometry=settings.radiometry, facts=facts, command=command),
    )
    _report(made)
    print_intervals(interval_rows(Sample.read(out / "forecast.zarr")))
    say(str(out / PAGE))


def print_intervals(rows: "list[Interval]") -> None:
    """Print what the ensemble says of each quantity."""
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
    print_grid("What to expect", headings, cells)


def _point(text: str) -> tuple[float, float]:
    """Return x and y from ``32,112`` or ``-420.5, 88``."""
    parts = re.split(r"\s*,\s*", text.strip())
    try:
        x, y = (float(part) for part in parts)
    except ValueError:
        raise ConfigError(f"--center is {text!r}; write x,y in arcsec such as 32,112 or -420.5,88") from None
    return x, y


def _facts(made: "Prediction", images: dict[str, Any], settings: Any, model: str) -> dict[str, str]:
    from framecast.videos.frames import format_duration

    frames = made.frames
    history = settings.radiometry.history(per_second=False)
    return {
        "Model": model,
        "Last frame seen": str(made.issue)[:19].replace("T", " ") + " UTC",
        "Region": f"Carrington longitude {made.longitude:.1f}°, latitude {made.latitude:+.1f}°",
        "Seen": f"{frames.past} frames of {', '.join(frames.past_channels)} Å every {format_duration(frames.cadence)}",
        "Frame": f"{frames.height} x {frames.width} pixels of {settings.pixel:g} arcsec",
        "Radiometry": "; ".join(history),
        "Images": ", ".join(str(value) for value in images.values()),
    }


def _report(made: "Prediction") -> None:
    """Say which stages were done, and which images are not to be had."""
    done = {True: "done", False: "was done before"}
    print_table("Prediction", [(name, done[now]) for name, now in made.stages.items()])
    if made.absent:
        rows = [
            (f"{str(item.time)[:16].replace('T', ' ')}  {item.wavelength} Å", item.reason)
            for item in made.absent[:_LISTED]
        ]
        print_table(f"Images of the future that are not to be had ({len(made.absent)})", rows)
        if len(made.absent) > _LISTED:
            note(f"and {len(made.absent) - _LISTED} more")
