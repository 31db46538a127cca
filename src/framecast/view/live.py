"""Live forecasts, from the archive named at the start or from an upload, which can be saved."""

import re
import secrets
import shutil
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from framecast.core.errors import ConfigError, DataError, FramecastError
from framecast.core.files import new_folder
from framecast.core.text import one_line
from framecast.view.jobs import BusyError, Job, Jobs
from framecast.view.library import Library, UnknownError

MOST_UPLOADED = 2**28
MOST_UPLOADS = 8
MOST_MEMBERS = 200
MOST_STEPS = 1000
ENDINGS = (".nc", ".nc4", ".h5", ".npy", ".npz", ".zip", ".grib2", ".tif", ".tiff")


@dataclass(frozen=True, kw_only=True)
class Studio:
    """Settings of live forecasts.

    Attributes:
        model: a model folder, a run or a released model; None without live forecasts.
        archive: the archive whose windows are offered, if any.
        keep: folder for the forecasts that are kept.
        device: where to compute.
        trust_code: see `framecast.load`.
    """

    model: str | None = None
    archive: Path | None = None
    keep: Path = field(default_factory=Path)
    device: str | None = None
    trust_code: bool = False


class Live:
    """The live forecasts of one server."""

    def __init__(self, studio: Studio, library: Library, jobs: Jobs, scratch: Path) -> None:
        self.studio, self._library, self.jobs = studio, library, jobs
        self._scratch = scratch / "uploads"
        self._lock = threading.Lock()
        self._config: Any = None
        self._offer: dict[str, list[str]] | None = None

    def offer(self) -> dict[str, Any]:
        """Return what can be forecast, as JSON values.

        Raises:
            FramecastError: there is no model, or the archive does not fit it.
        """
        with self._lock:
            if self._config is None:
                from framecast.models.checkpoint import load

                self._config = load(self._model(), device="cpu", trust_code=self.studio.trust_code).config
            config = self._config
            if self._offer is None and self.studio.archive is not None:
                from framecast.view.worker import offered

                self._offer = offered(config, self.studio.archive)
        frames = config.frames
        return {
            "model": config.name,
            "past": frames.past,
            "future": frames.future,
            "cadence": frames.cadence,
            "reach": frames.lead_times[-1],
            "channels": list(frames.past_channels),
            "unit": config.past_unit,
            "size": [frames.height, frames.width],
            "labels": list(config.labels),
            "steps": config.sampling.steps,
            "archive": self.studio.archive.name if self.studio.archive else None,
            "sequences": self._offer or {},
            "endings": list(ENDINGS),
            "most": {"bytes": MOST_UPLOADED, "members": MOST_MEMBERS, "steps": MOST_STEPS},
        }

    async def take(self, name: str, pieces: AsyncIterator[bytes], owner: str) -> Job:
        """Store an upload and begin to read it."""
        model = self._model()
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(name.replace("\\", "/")).name).strip(".-")[-80:]
        if not plain.lower().endswith(ENDINGS):
            raise ConfigError(f"{one_line(name, most=80)} is not an accepted file type: {', '.join(ENDINGS)}")
        if len(list(self._scratch.glob("*"))) >= MOST_UPLOADS:
            raise BusyError(f"{MOST_UPLOADS} uploads are waiting: wait until one is read")
        folder = self._scratch / secrets.token_hex(8)
        folder.mkdir(parents=True)
        try:
            left = MOST_UPLOADED
            with (folder / plain).open("xb") as out:
                async for piece in pieces:
                    left -= len(piece)
                    if left < 0:
                        raise DataError(
                            f"the upload has more than {MOST_UPLOADED // 2**20} MiB, the maximum: upload a smaller part"
                        )
                    out.write(piece)
            if not (folder / plain).stat().st_size:
                raise DataError(f"{plain} is empty: choose another file")
            request = {
                "kind": "import",
                "source": str(folder / plain),
                "model": model,
                "trust_code": self.studio.trust_code,
            }
            job = self.jobs.begin(request, owner)
            threading.Thread(target=self._remove, args=(folder, job), daemon=True).start()
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return job

    def _remove(self, folder: Path, job: Job) -> None:
        while not job.over:
            threading.Event().wait(0.2)
        shutil.rmtree(folder, ignore_errors=True)

    def draw(self, asked: dict[str, Any], owner: str) -> Job:
        """Begin to draw an ensemble.

        Args:
            asked: ``sequence``, ``time``, ``members``, ``seed``, ``steps``, ``sampler``, ``label`` and ``upload``, the
                key of the job that read one; without it the archive named at the start is forecast.
            owner: the requesting page.

        Raises:
            ConfigError: a number is out of range.
            UnknownError: there is no such upload.
        """
        if asked["upload"]:
            archive = self.jobs.of(asked["upload"], owner).found.get("archive")
        else:
            archive = self.studio.archive and str(self.studio.archive)
        if not archive:
            raise UnknownError("there is nothing to forecast from: choose a window, or upload frames")
        request = {
            **asked,
            "kind": "forecast",
            "model": self._model(),
            "archive": archive,
            "device": self.studio.device,
            "trust_code": self.studio.trust_code,
        }
        return self.jobs.begin(request, owner)

    def shown(self, job: Job, message: dict[str, Any]) -> None:
        """Show what a job has drawn as a file of the library, from its first members on."""
        if path := message.get("found", {}).get("forecast"):
            self._library.add(Path(path), key=f"live-{job.key}", listed=False)

    def keep(self, job: Job) -> str:
        """Save the forecast of a finished job, and return its key in the library.

        Raises:
            ConfigError: the job is not done.
            FramecastError: it cannot be written there.
        """
        with self._lock:
            if job.state != "done" or "forecast" not in job.found:
                raise ConfigError("only a finished forecast can be saved: wait until all members are drawn")
            if "kept" in job.found:
                return str(job.found["kept"])
            path = self._place(f"{job.request['sequence']}-{job.request['time']}")
            try:
                with new_folder(path) as partial:
                    shutil.copytree(job.found["forecast"], partial, dirs_exist_ok=True)
            except OSError as error:
                raise FramecastError(
                    f"{path} cannot be written ({error.strerror}): start with another --keep"
                ) from None
            job.found["kept"] = self._library.add(path).key
            return str(job.found["kept"])

    def _place(self, text: str) -> Path:
        name = re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")[:100] or "forecast"
        names = (f"{name}.zarr", *(f"{name}-{k}.zarr" for k in range(2, 10_000)))
        return next(path for each in names if not (path := self.studio.keep / each).exists())

    def _model(self) -> str:
        if self.studio.model is None:
            raise UnknownError("no model was named: start with framecast view --model MODEL to forecast")
        return self.studio.model
