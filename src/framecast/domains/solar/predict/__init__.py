"""A new prediction of one region of the Sun, from images to a page, in stages that are done once.

Fetch the images that the model must see (and those of the future that are there already), follow the region through
them, draw the ensemble, show it. A prediction that cannot be made leaves nothing behind but images that were
downloaded, for the next attempt.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from framecast.core.errors import ConfigError, DataError, FramecastError
from framecast.core.files import PREDICTION, refuse_existing
from framecast.core.fingerprint import digest
from framecast.core.progress import Task
from framecast.data.archive.reader import Archive
from framecast.data.forecasts import open_forecast
from framecast.diffusion.sampling import SamplingOptions
from framecast.domains.solar.observations import scan
from framecast.domains.solar.options import PredictOptions, PrepareOptions
from framecast.domains.solar.predict import page
from framecast.domains.solar.predict.ensemble import forecast_region
from framecast.domains.solar.predict.images import Images
from framecast.domains.solar.predict.region import (
    cut_region,
    find_region,
    issue_frame,
    minute,
    region_label,
    slack,
    spot,
)
from framecast.domains.solar.predict.stages import Stages, kept_if_downloaded
from framecast.domains.solar.radiometry import Radiometry
from framecast.domains.solar.sources import Frame
from framecast.domains.solar.times import Latest
from framecast.models.config import ModelConfig
from framecast.models.forecaster import Forecaster
from framecast.models.members import Draw, numbered
from framecast.videos.frames import FrameSpec, moments


@dataclass(frozen=True)
class Prediction:
    """What `predict` made: unavailable images (of the future, which may not exist yet), and its stages.

    A stage is true if it was done now, and false if it had been done before.
    """

    absent: tuple[Frame, ...]
    stages: dict[str, bool]


def predict(
    forecaster: Forecaster,
    folder: str | Path,
    options: PredictOptions,
    *,
    members: int = 20,
    seed: int = 0,
    label: str | None = None,
    drawing: SamplingOptions,
    overwrite: bool = False,
    command: str = "",
    show: Callable[[str, int, int], None],
) -> Prediction:
    """Make a prediction in ``folder``, or go on with one that was begun there.

    Args:
        forecaster: the model.
        folder: for everything that is made: ``images/``, ``region.zarr``, ``forecast.zarr`` and the page.
        options: which region is predicted, and from which images.
        members: size of the ensemble.
        seed: the same seed gives the same members.
        label: the class, for a model with labels.
        drawing: how members are drawn.
        overwrite: whether a forecast that was issued in ``folder`` may be replaced by another one.
        command: the command line, for the provenance record.
        show: called with what is being done, how much of it is done, and of how much.

    Raises:
        ConfigError: the model does not forecast the Sun, or the request is impossible.
        DataError: an image that the model must see is missing or doubtful.
        FramecastError: the folder holds something else, or the forecast of another request.
    """
    folder = Path(folder)
    config, frames, now = forecaster.config, forecaster.frames, np.datetime64("now", "ns")
    channels = tuple(dict.fromkeys((*frames.past_channels, *frames.future_channels)))
    if alien := [channel for channel in channels if not channel.isdecimal()]:
        raise ConfigError(
            f"{config.name} has a channel {alien[0]!r}; a prediction of the Sun needs wavelengths in ångström (171)"
        )
    refuse_existing(folder, overwrite=True, kind=PREDICTION)
    images, place, absent = Images(options), folder / "images", list[Frame]()
    if isinstance(options.time, Latest):
        newest = images.newest(int(frames.past_channels[0]), place, show=show)
        options = replace(options, time=newest + np.timedelta64(round(options.time.seconds * 1e9), "ns"))
    if options.time > now:
        raise ConfigError(f"--time {minute(options.time)} is in the future: the last frame seen must have been taken")
    past = moments(options.time, frames.past_times)
    future = moments(options.time, frames.lead_times) if options.future else []
    wanted = [*past, *(time for time in future if time <= now)]
    settings, radiometry = _as_in_training(config, options), _radiometry(config, options)

    def gather() -> None:
        seconds = slack(frames) / np.timedelta64(1, "s")
        absent.extend(images.gather(wanted, [int(name) for name in channels], place, slack=seconds, show=show))

    with kept_if_downloaded(folder, place):
        stages = Stages(folder)
        # Frames that are missing may come later: an incomplete collection is gathered again.
        stages.once("images", digest(images.describe(), [str(time) for time in wanted], channels), place, gather)
        if absent:
            stages.forget("images")
        _check_past(absent, past, frames)
        observations = scan(place)
        issue = issue_frame(observations, frames, options.time)
        track, archive, forecast = find_region(issue, options), folder / "region.zarr", folder / "forecast.zarr"
        files = [(frame.path.name, frame.path.stat().st_size) for frame in observations.frames]
        limit = issue.time + slack(frames)
        seen = [own for own, frame in zip(files, observations.frames, strict=True) if frame.time <= limit]
        request = digest(seen, vars(track), vars(frames), repr(settings), radiometry.provenance())
        draw = Draw(members=numbered(members), seed=seed, label=label, options=drawing)
        request = digest(request, config.weights_sha256, members, seed, label, repr(drawing))
        if stages.changed("forecast", request, forecast) and not overwrite:
            raise FramecastError(
                f"{folder} holds the forecast issued {_created(forecast)} from another request or other images, and an "
                "issued forecast is not replaced: choose another --out, or --overwrite to delete it"
            )
        stages.once(
            "region",
            digest(files, request),
            archive,
            lambda: cut_region(place, archive, observations, track, frames, settings, radiometry),
        )
        stages.once(
            "forecast",
            request,
            forecast,
            lambda: forecast_region(
                forecaster,
                Archive.open(archive),
                forecast,
                issue=issue.time,
                draw=draw,
                command=command,
                task=Task("members", show=lambda task: show("members", round(task.done * members), members)),
            ),
        )
        facts = {
            "Model": forecaster.name,
            "Issued": _created(forecast),
            "Data cut-off": str(issue.time)[:19].replace("T", " ") + " UTC, the last frame seen",
            "Region": ", ".join(filter(None, (region_label(track), spot(track, issue).describe()))),
            "Pointing": "fixed" if track.pointing else f"follows the surface ({settings.rotation})",
            "Seen": f"{', '.join(frames.past_channels)} Å: {frames.describe_past()}",
            "Frame": f"{frames.height} x {frames.width} pixels of {settings.view.pixel:g} arcsec",
            "Radiometry": "; ".join(radiometry.history(observations.frames)),
            "Images": ", ".join(map(str, images.describe().values())),
        }
        stages.once(
            "page",
            digest(files, request, facts),
            folder / page.PAGE,
            lambda: page.write_prediction(
                folder, radiometry=radiometry, facts=facts, command=command, label=region_label(track)
            ),
        )
    return Prediction(tuple(absent), stages.made)


def _created(forecast: Path) -> str:
    """Return when a forecast file was made, for a reader."""
    try:
        created = str(open_forecast(forecast).attrs.get("created", ""))
    except FramecastError:
        created = ""
    return created.replace("T", " ").removesuffix("Z") + " UTC" if created else "earlier"


def _as_in_training(config: ModelConfig, options: PredictOptions) -> PrepareOptions:
    """Return how the images of the model's training were made, with the options in its place."""
    images = config.training.get("images", {})
    known = {"off_limb": images.get("off_limb"), "rotation": str(images.get("rotation", "")).partition(" ")[0]}
    known["pixel"] = options.pixel or images.get("pixel_arcsec")
    return PrepareOptions(
        **{name: value for name, value in known.items() if value}, accept_quality=options.accept_quality
    )


def _radiometry(config: ModelConfig, options: PredictOptions) -> Radiometry:
    """Return what is done to the pixels; saturated ones are treated as in training unless the options say otherwise."""
    chosen = Radiometry.of(options)
    return chosen.as_in_training(config.training.get("images", {})) if options.saturation is None else chosen


def _check_past(absent: list[Frame], past: list[np.datetime64], frames: FrameSpec) -> None:
    """Raise `DataError` if an image is absent that the model must see."""
    limit = past[-1] + slack(frames)
    seen = [item for item in absent if str(item.wavelength) in frames.past_channels]
    needed = [item for item in seen if np.datetime64(item.time) <= limit]
    if needed:
        time, first = minute(np.datetime64(needed[0].time)), needed[0]
        raise DataError(
            f"{len(needed)} of the {len(past) * len(frames.past_channels)} images that the model needs are unavailable "
            f"({frames.describe_past()}); the first: {time}, {first.wavelength} Å, {first.missing}: "
            "choose another --time, or rerun the command when they are there"
        )
