"""A new prediction of one region of the Sun, from images to an ensemble, in stages that are done once.

Fetch the images that the model must see (and those of the future that are there already), follow the region through
them, draw the ensemble. Showing it is the business of `framecast.domains.solar.predict.page`.

A prediction that cannot be made leaves nothing behind but images that were downloaded, for the next attempt.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from framecast.core.errors import ConfigError, DataError
from framecast.core.files import PREDICTION, refuse_existing
from framecast.core.fingerprint import digest
from framecast.core.progress import Task
from framecast.data.archive.reader import Archive
from framecast.diffusion.sampling import SamplingOptions
from framecast.domains.solar.observations import scan
from framecast.domains.solar.predict.ensemble import forecast_region
from framecast.domains.solar.predict.images import Images, LocalImages, MissingImage, ServerImages
from framecast.domains.solar.predict.region import ImageSettings, cut_region, issue_frame, minute, point, slack
from framecast.domains.solar.predict.stages import Stages
from framecast.models.config import ModelConfig
from framecast.models.forecaster import Forecaster
from framecast.models.members import Draw
from framecast.videos.frames import FrameSpec, format_duration

__all__ = [
    "ImageSettings",
    "Images",
    "LocalImages",
    "MissingImage",
    "Prediction",
    "Request",
    "ServerImages",
    "predict",
    "training_settings",
]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be predicted.

    Attributes:
        time: of the last frame seen, UTC.
        center: helioprojective x and y of the region in that frame, in arcsec.
        members: size of the ensemble.
        seed: the same seed gives the same members.
        label: the class, for a model with labels.
        future: whether to look for the frames that followed.
    """

    time: np.datetime64
    center: tuple[float, float]
    members: int = 20
    seed: int = 0
    label: str | None = None
    future: bool = True


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What `predict` made.

    Attributes:
        folder: with ``images/``, ``region.zarr`` and ``forecast.zarr``.
        frames: what was seen and forecast.
        issue: when the last frame seen was taken, UTC.
        longitude: Carrington longitude of the region, in degrees.
        latitude: its heliographic latitude, in degrees.
        absent: images that are not to be had; those of the future may not exist yet.
        stages: name of each stage -> whether it was done now, or had been before.
        mark: fingerprint of the forecast.
    """

    folder: Path
    frames: FrameSpec
    issue: np.datetime64
    longitude: float
    latitude: float
    absent: tuple[MissingImage, ...]
    stages: dict[str, bool]
    mark: str


def training_settings(config: ModelConfig, *, pixel: float | None = None, **given: Any) -> ImageSettings:
    """Return how the images of the model's training were made, with what is ``given`` in its place.

    Args:
        config: of the model; its provenance tells of the archive.
        pixel: side of a pixel in arcsec, where it is not that of the training.
        given: fields of `ImageSettings`.
    """
    images = config.provenance.get("training", {}).get("images", {})
    known = {"off_limb": images.get("off_limb"), "rotation": str(images.get("rotation", "")).partition(" ")[0]}
    known["pixel"] = pixel or images.get("pixel_arcsec")
    return ImageSettings(**{name: value for name, value in known.items() if value}, **given)


def predict(
    forecaster: Forecaster,
    folder: str | Path,
    request: Request,
    *,
    images: Images,
    settings: ImageSettings,
    options: SamplingOptions,
    now: np.datetime64,
    command: str = "",
    show: Callable[[str, int, int], None],
) -> Prediction:
    """Make a prediction in ``folder``, or go on with one that was begun there.

    Args:
        forecaster: the model.
        folder: for everything that is made.
        request: what is to be predicted.
        images: where the images come from.
        settings: how the region is cut.
        options: how members are drawn.
        now: the present, UTC; frames after it are not asked for.
        command: what the user typed, for the record.
        show: called with what is being done, how much of it is done, and of how much.

    Raises:
        ConfigError: the model does not forecast the Sun, or the request is impossible.
        DataError: an image that the model must see is missing or doubtful.
        FramecastError: the folder holds something else.
    """
    folder = Path(folder)
    config, frames = forecaster.config, forecaster.frames
    channels = tuple(dict.fromkeys((*frames.past_channels, *frames.future_channels)))
    if alien := [channel for channel in channels if not channel.isdecimal()]:
        raise ConfigError(
            f"{config.name} has a channel {alien[0]!r}; a prediction of the Sun needs wavelengths in ångström (171)"
        )
    if config.unit != "DN/s":
        raise ConfigError(f"{config.name} was trained on {config.unit}; images of the Sun are prepared in DN/s")
    if request.time > now:
        raise ConfigError(f"--time {minute(request.time)} is in the future: the last frame seen must have been taken")
    refuse_existing(folder, overwrite=True, kind=PREDICTION)
    step = np.timedelta64(round(frames.cadence * 1e9), "ns")
    past = [request.time + (k + 1 - frames.past) * step for k in range(frames.past)]
    future = [request.time + (k + 1) * step for k in range(frames.future)] if request.future else []
    wanted = [*past, *(time for time in future if time <= now)]

    absent: list[MissingImage] = []
    with Stages(folder) as stages:

        def gather() -> None:
            seconds = slack(frames) / np.timedelta64(1, "s")
            wavelengths = [int(channel) for channel in channels]
            absent.extend(images.gather(wanted, wavelengths, folder / "images", slack=seconds, show=show))

        # Frames that are missing may come later: an incomplete collection is gathered again.
        mark = digest(images.describe(), [str(time) for time in wanted], channels)
        stages.once("images", mark, [folder / "images"], gather)
        if absent:
            stages.forget("images")
        _check_past(absent, past, frames)
        observations = scan(folder / "images")
        issue = issue_frame(observations, frames, request.time)
        track = point(issue, request.center)
        files = [(frame.path.name, frame.path.stat().st_size) for frame in observations.frames]
        mark = digest(files, vars(track), vars(frames), repr(settings), settings.radiometry.provenance())
        archive_path = folder / "region.zarr"
        stages.once(
            "region",
            mark,
            [archive_path],
            lambda: cut_region(folder / "images", archive_path, observations, track, frames, settings),
        )
        mark = digest(mark, config.weights_sha256, request.members, request.seed, request.label, repr(options))
        mark = digest(mark, forecaster.calibration and forecaster.calibration.to_plain())
        members = Draw(members=range(request.members), seed=request.seed, label=request.label, options=options)

        def draw() -> None:
            forecast_region(
                forecaster,
                Archive.open(archive_path),
                folder / "forecast.zarr",
                issue=issue.time,
                draw=members,
                command=command,
                task=Task("members", show=lambda task: show("members", int(task.done), request.members)),
            )

        stages.once("forecast", mark, [folder / "forecast.zarr"], draw)
    return Prediction(
        folder=folder,
        frames=frames,
        issue=issue.time,
        longitude=track.longitude,
        latitude=track.latitude,
        absent=tuple(absent),
        stages=stages.made,
        mark=mark,
    )


def _check_past(absent: list[MissingImage], past: list[np.datetime64], frames: FrameSpec) -> None:
    """Raise `DataError` if an image is absent that the model must see."""
    limit = past[-1] + slack(frames)
    needed = [item for item in absent if item.time <= limit and str(item.wavelength) in frames.past_channels]
    if needed:
        first = needed[0]
        raise DataError(
            f"{len(needed)} of the {len(past) * len(frames.past_channels)} images to be seen are not to be had "
            f"(one every {format_duration(frames.cadence)}); the first: {minute(first.time)}, {first.wavelength} Å, "
            f"{first.reason}: choose another --time, or give the command again when they are there"
        )
