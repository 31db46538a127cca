"""From one tracked region to a forecast file of one sample, with its observed future, if known."""

from pathlib import Path

import numpy as np

from framecast.core.errors import DataError
from framecast.core.progress import Task
from framecast.data.archive.reader import Archive
from framecast.data.windows import check_fit
from framecast.domains.solar.predict.region import slack
from framecast.domains.solar.quality import explain
from framecast.domains.solar.times import minute
from framecast.models.archive_forecast import forecast_windows, plan_forecast
from framecast.models.forecaster import Forecaster
from framecast.models.members import Draw
from framecast.models.selection import Selection
from framecast.videos.frames import FrameSpec, moments


def forecast_region(
    forecaster: Forecaster,
    archive: Archive,
    out: Path,
    *,
    issue: np.datetime64,
    draw: Draw,
    command: str = "",
    task: Task | None = None,
) -> None:
    """Forecast the only sequence of ``archive`` from the frame at ``issue`` on into ``out``, replacing it.

    ``task`` reaches 1 when all members are finished.

    Raises:
        DataError: a past frame is missing, doubtful, or lies too far beyond the limb.
    """
    (name,) = archive.sequences
    frames, max_masked = forecaster.frames, forecaster.config.max_masked
    times, quality = archive.times(name), archive.quality(name)
    past_times = moments(issue, frames.past_times)
    rows = [_nearest(times, time, frames) for time in past_times]
    check_fit(archive, frames, past_only=True)
    for time, row in zip(past_times, rows, strict=True):
        if row is None:
            raise DataError(f"the frame of {minute(time)} is missing: nothing can be forecast without it")
        if quality[row]:
            meaning = "; ".join(explain(int(quality[row]))) if quality[row] > 0 else "its file is damaged"
            raise DataError(
                f"the frame of {minute(time)} is doubtful ({meaning}): choose another --time, or accept the bit with "
                "--accept-quality"
            )
    past = archive.read(name, [row for row in rows if row is not None], frames.past_channels)
    masked = np.isnan(past).mean(axis=(2, 3)).max()
    if masked > max_masked:
        raise DataError(
            f"{masked:.0%} of a past frame lies beyond the limb, and the model allows up to {max_masked:.0%}: "
            "choose a --center closer to the disk centre"
        )
    plan = plan_forecast(forecaster, archive, Selection(time=str(issue)[:19]))
    for _ in forecast_windows(forecaster, plan, out, draw, command=command, overwrite=True, task=task):
        pass


def _nearest(times: np.ndarray, wanted: np.datetime64, frames: FrameSpec) -> int | None:
    """Return the position of the frame nearest to ``wanted``, or nothing if none is near enough."""
    row = int(np.abs(times - wanted).argmin())
    return row if abs(times[row] - wanted) <= slack(frames) else None
