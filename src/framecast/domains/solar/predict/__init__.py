"""A new prediction of one region of the Sun, from images to a page, in resumable stages.

Fetch the images of the past (and those of the future that exist already), follow the region through them, draw the
ensemble, show it. A failed prediction leaves only the downloaded images, for the next attempt.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from framecast.core.errors import ConfigError, DataError, FramecastError
from framecast.core.files import PREDICTION, held, refuse_existing, write_atomically
from framecast.core.fingerprint import digest
from framecast.core.progress import Task
from framecast.core.stored import DocumentFormat
from framecast.data.archive.reader import Archive
from framecast.data.forecasts import open_forecast
from framecast.diffusion.sampling import SamplingOptions
from framecast.domains.solar.observations import scan
from framecast.domains.solar.options import PredictOptions, PrepareOptions
from framecast.domains.solar.predict import page
from framecast.domains.solar.predict.images import Images
from framecast.domains.solar.predict.region import (
    cut_region,
    describe_place,
    find_region,
    forecast_region,
    issue_frame,
    region_label,
    seen_at,
    slack,
)
from framecast.domains.solar.radiometry import Radiometry
from framecast.domains.solar.sources import ImageRequest
from framecast.domains.solar.times import Latest, minute
from framecast.models.config import ModelConfig
from framecast.models.forecaster import Forecaster
from framecast.models.members import Draw, numbered
from framecast.reports.prediction import PAGE
from framecast.videos.frames import FrameSpec, moments, span

FILE_NAME = "stages.json"
FORMAT = DocumentFormat("framecast-prediction", 1, "prediction", "delete it, and every stage is done again")


@dataclass(frozen=True, kw_only=True)
class _Record:
    done: dict[str, str]


class Stages:
    """The stages that were finished in a folder.

    A stage is known by its fingerprint, which covers everything its result depends on, and by its output, which is
    atomic. It is repeated when either has changed.

    Attributes:
        made: name of each stage asked for so far -> whether it was done now, or had been before.
    """

    def __init__(self, folder: Path) -> None:
        self.made: dict[str, bool] = {}
        self._path = folder / FILE_NAME
        try:
            self._done = dict(FORMAT.read(self._path, _Record).done)
        except FileNotFoundError:
            self._done = {}
            self._write()

    def changed(self, name: str, mark: str, output: Path) -> bool:
        """Return whether stage ``name`` was finished with another fingerprint, and its ``output`` is there."""
        return output.exists() and self._done.get(name) != mark

    def once(self, name: str, mark: str, output: Path, work: Callable[[], object]) -> None:
        """Run ``work`` unless stage ``name`` was finished with the fingerprint ``mark`` and its ``output`` is there."""
        self.made[name] = self._done.get(name) != mark or not output.exists()
        if self.made[name]:
            self.forget(name)
            work()
            self._done[name] = mark
            self._write()

    def forget(self, name: str) -> None:
        """Let stage ``name`` be done again the next time."""
        self._done.pop(name, None)
        self._write()

    def _write(self) -> None:
        write_atomically(self._path, json.dumps({**FORMAT.header(), "done": self._done}, indent=1) + "\n")


@contextmanager
def begun(folder: Path, images: Path) -> Iterator[None]:
    """Hold ``folder``, made if it is missing.

    A new one is deleted if an error of the user's ends the block, unless ``images`` were downloaded.
    """
    new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    with held(folder, doing=f"predicting in {folder}"):
        try:
            yield
        except FramecastError:
            files = (path for path in images.rglob("*.*") if path.suffix != ".json")
            if new and not any(path.is_file() and not path.is_symlink() for path in files):
                shutil.rmtree(folder, ignore_errors=True)
            raise


@dataclass(frozen=True)
class PredictResult:
    """Result of `predict`: unavailable images (of the future, which may not exist yet), and its stages.

    A stage is true if it was done now, and false if it had been done before.
    """

    absent: tuple[ImageRequest, ...]
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
) -> PredictResult:
    """Make a prediction in ``folder`` (images, region, forecast and page), or resume one that was started there.

    ``drawing`` are the sampling options, ``overwrite`` whether a forecast issued in the folder may be replaced;
    ``show`` is called with the stage, its progress and its total.

    Raises:
        ConfigError: the model does not forecast the Sun, or the request is impossible.
        DataError: an image of the past is missing or doubtful.
        FramecastError: the folder contains something else, or the forecast of a different request.
    """
    folder = Path(folder)
    config, frames, now = forecaster.config, forecaster.frames, np.datetime64("now", "ns")
    channels = tuple(dict.fromkeys((*frames.past_channels, *frames.future_channels)))
    if alien := [channel for channel in channels if not channel.isdecimal()]:
        raise ConfigError(
            f"{config.name} has a channel {alien[0]!r}; a solar prediction needs wavelengths in ångström (171)"
        )
    refuse_existing(folder, overwrite=True, kind=PREDICTION)
    if options.disk is not None and len(channels) > 1:
        raise ConfigError(f"{config.name} sees {', '.join(channels)} Å, but pictures without a header have one channel")
    disk = options.disk_of(int(channels[0]))
    images, place, absent = Images(options, disk), folder / "images", list[ImageRequest]()
    if isinstance(options.time, Latest):
        newest = images.newest(int(frames.past_channels[0]), place, show=show)
        options = replace(options, time=newest + span(options.time.seconds))
    if options.time > now:
        raise ConfigError(f"--time {minute(options.time)} is in the future: the last past frame must already exist")
    past = moments(options.time, frames.past_times)
    future = moments(options.time, frames.lead_times) if options.future else []
    wanted = [*past, *(time for time in future if time <= now)]
    settings, radiometry = _as_in_training(config, options), _radiometry(config, options)

    def gather() -> None:
        seconds = slack(frames) / np.timedelta64(1, "s")
        absent.extend(images.gather(wanted, [int(name) for name in channels], place, slack=seconds, show=show))

    with begun(folder, place):
        stages = Stages(folder)
        # Missing frames may become available: an incomplete collection is repeated.
        stages.once("images", digest(images.describe(), [str(time) for time in wanted], channels), place, gather)
        if absent:
            stages.forget("images")
        _check_past(absent, past, frames)
        observations = scan(place, disk=disk)
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
                f"{folder} contains the forecast issued {_created(forecast)} from a different request or different "
                "images, and issued forecasts are not overwritten: choose another --out, or pass --overwrite to "
                "delete it"
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
            "Region": ", ".join(filter(None, (region_label(track), describe_place(*seen_at(track, issue), issue)))),
            "Pointing": "fixed" if track.pointing else f"follows the surface ({settings.rotation})",
            "Seen": f"{', '.join(frames.past_channels)} Å: {frames.describe_past()}",
            "Frame": f"{frames.height} x {frames.width} pixels of {settings.view.pixel:g} arcsec",
            "Radiometry": "; ".join(radiometry.history(observations.frames)),
            "Images": ", ".join(map(str, images.describe().values())),
        }
        stages.once(
            "page",
            digest(files, request, facts),
            folder / PAGE,
            lambda: page.write_prediction(
                folder, radiometry=radiometry, facts=facts, command=command, label=region_label(track), disk=disk
            ),
        )
    return PredictResult(tuple(absent), stages.made)


def _created(forecast: Path) -> str:
    """Return the time when a forecast file was made, as text."""
    try:
        created = str(open_forecast(forecast).attrs.get("created", ""))
    except FramecastError:
        created = ""
    return created.replace("T", " ").removesuffix("Z") + " UTC" if created else "earlier"


def _as_in_training(config: ModelConfig, options: PredictOptions) -> PrepareOptions:
    """Return how the images of the model's training were made, overridden by the options."""
    images = config.training.get("images", {})
    known = {"off_limb": images.get("off_limb"), "rotation": str(images.get("rotation", "")).partition(" ")[0]}
    known["pixel"] = options.pixel or images.get("pixel_arcsec")
    chosen = {name: getattr(options, name) for name in ("accept_quality", "disk", "levels", "unit", "time_pattern")}
    only = (int(config.frames.past_channels[0]),) if options.disk is not None else None
    return PrepareOptions(**chosen, **{name: value for name, value in known.items() if value}, wavelengths=only)


def _radiometry(config: ModelConfig, options: PredictOptions) -> Radiometry:
    """Return the processing of pixels; saturated ones are treated as in training unless the options override it."""
    chosen = Radiometry.of(options)
    return chosen.as_in_training(config.training.get("images", {})) if options.saturation is None else chosen


def _check_past(absent: list[ImageRequest], past: list[np.datetime64], frames: FrameSpec) -> None:
    """Raise `DataError` if an image of the past is missing."""
    limit = past[-1] + slack(frames)
    seen = [item for item in absent if str(item.wavelength) in frames.past_channels]
    needed = [item for item in seen if np.datetime64(item.time) <= limit]
    if needed:
        time, first = minute(np.datetime64(needed[0].time)), needed[0]
        raise DataError(
            f"{len(needed)} of the {len(past) * len(frames.past_channels)} images that the model needs are "
            f"unavailable ({frames.describe_past()}); the first: {time}, {first.wavelength} Å, {first.missing}: "
            "choose another --time, or rerun the command when they are available"
        )
