"""Films (MP4, WebM, MOV, AVI …) as frames, by PyAV: times elapsed since the first frame, values of 8 bits."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from framecast.core.errors import DataError
from framecast.data.archive.guard import check_frame
from framecast.importers.optional import needed
from framecast.importers.options import ImportOptions
from framecast.importers.pictures import COLOURS, frames_dataset

_CONTAINERS = {".webm": "matroska", ".mkv": "matroska", ".avi": "avi"}
_LOOKED_AT = 5
"""Number of frames from which it is decided whether a film is grey."""


def open_film(path: Path, options: ImportOptions) -> xr.Dataset:
    """Return the frames of the first video stream, ``[time, y, x]`` or with ``colour``, read on demand.

    Raises:
        DataError: it has no video, or fewer than two frames.
    """
    av = needed("av", "films", "films")
    try:
        with _container(path) as container:
            stream = container.streams.video[0]
            check_frame(path, stream.height, stream.width, len(COLOURS))
            stamps = sorted({packet.pts for packet in container.demux(stream) if packet.pts is not None})
            tick, rate = float(stream.time_base), stream.average_rate
    except (IndexError, av.error.FFmpegError) as error:
        raise DataError(f"{path} contains no readable video: {error}") from None
    if len(stamps) < 2:
        raise DataError(f"{path} contains {len(stamps)} frames: a video has at least two")
    seconds = (np.array(stamps) - stamps[0]) * tick
    if rate:  # times are rounded to ticks: take the even steps that explain them
        even = np.arange(len(stamps)) / float(rate)
        seconds = even if np.abs(even - seconds).max() <= 1.01 * tick else seconds
    looked_at = np.unique(np.linspace(0, len(stamps) - 1, _LOOKED_AT).astype(int))
    seen = _frames(path, stamps, looked_at, "rgb24")
    grey = bool((seen == seen[..., :1]).all())
    read = partial(_frames, path, stamps, kind="gray" if grey else "rgb24")
    data = frames_dataset(seen[0, ..., 0] if grey else seen[0], len(stamps), read)
    return data.assign_coords(time=("time", seconds, {"units": "s"}))


def _frames(path: Path, stamps: list[int], numbers: npt.NDArray[np.int64], kind: str) -> npt.NDArray[Any]:
    found: dict[int, npt.NDArray[Any]] = {}
    wanted = {stamps[number] for number in numbers.tolist()}
    for frame in _decoded(path, min(wanted)):
        if frame.pts in wanted:
            found[frame.pts] = frame.to_ndarray(format=kind)
            if len(found) == len(wanted):
                break
    if missing := sorted(wanted - set(found)):
        raise DataError(f"{path} lacks {len(missing)} of the frames it declares, the first {stamps.index(missing[0])}")
    return np.stack([found[stamps[number]] for number in numbers.tolist()])


def _container(path: Path) -> Any:
    """Open a film only in the format of its ending: a playlist could name other files and addresses."""
    kind = _CONTAINERS.get(path.suffix.lower(), "mp4")
    return needed("av", "films", "films").open(str(path), format=kind, options={"protocol_whitelist": "file"})


def _decoded(path: Path, first: int) -> Iterator[Any]:
    with _container(path) as container:
        stream = container.streams.video[0]
        container.seek(first, stream=stream, backward=True)
        yield from container.decode(stream)
