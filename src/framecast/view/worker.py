"""The process of a job: one request, with progress messages.

The process ends when the server does, even if that is killed.
"""

import multiprocessing
import os
import sys
import threading
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from pathlib import Path, PurePosixPath
from typing import Any

from framecast.core.errors import DataError, FramecastError
from framecast.core.progress import Task

_MOST_UNPACKED = 2 * 2**30
_MOST_FILES = 5000
_PARTS = 6  # in how many parts the members appear


def work(request: dict[str, Any], folder: Path, messages: Connection) -> None:
    """Execute the request; the last message reports success, or the reason of failure."""
    threading.Thread(target=_end_with_server, daemon=True).start()
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):  # the server's own, on which only the server speaks
        with suppress(OSError, ValueError, AttributeError):
            os.dup2(silence, stream.fileno())
    warnings.simplefilter("ignore")

    def say(**message: Any) -> None:
        messages.send(message)

    try:
        _KINDS[request["kind"]](request, folder, say)
        say(finished=True)
    except FramecastError as error:
        say(failed=str(error))
    except MemoryError:
        say(failed="out of memory: request fewer members")
    except Exception as error:  # whatever it is, the page must be informed
        say(failed=f"{type(error).__name__}: {error}")


def _end_with_server() -> None:
    server = multiprocessing.parent_process()
    if server is not None:
        wait([server.sentinel])
        os._exit(1)


def _judge(request: dict[str, Any], folder: Path, say: Callable[..., None]) -> None:
    from framecast.verification.evaluation import evaluate
    from framecast.verification.files import write_scores

    say(told="scoring")
    evaluation = evaluate(
        request["forecasts"],
        thresholds=request["thresholds"],
        progress=lambda done, total: say(part=done / total, told=f"window {done} of {total}"),
    )
    write_scores(evaluation.scores, folder / "scores.json")
    say(part=1.0, told="done", found={"scores": True})


def _take_in(request: dict[str, Any], folder: Path, say: Callable[..., None]) -> None:
    """Import an upload as an archive, and report from which pasts of it a model can forecast."""
    from framecast.importers.importing import import_data
    from framecast.models.checkpoint import load

    say(told="reading the file")
    source = Path(request["source"])
    if source.suffix.lower() == ".zip":
        source = _unpack(source, folder / "files")
    model = load(request["model"], device="cpu", trust_code=request["trust_code"])
    frames = model.frames
    options: dict[str, Any] = {"cadence": f"{frames.cadence:g}s"}
    notes = []
    if not _says_its_unit(source):
        options["unit"] = unit = model.config.past_unit
        notes.append(f"the upload states no unit: its values were taken as {unit}, the unit of the model")
    channels = model.config.frames.past_channels
    if len(channels) > 1:
        options["variables"] = channels
    archive = folder / "archive.zarr"
    imported = import_data(source, archive, progress=False, **options)
    if len(imported.channels) == len(channels) == 1 and imported.channels != channels:
        named = f"{channels[0]}={imported.channels[0]}"  # a file of one variable means the model's one channel
        imported = import_data(source, archive, progress=False, channel=named, overwrite=True, **options)
    say(part=0.9, told="looking for windows")
    live = {"sequences": offered(model.config, archive)}
    notes = [imported.understood, *notes, *imported.notes]
    say(part=1.0, told="done", found={"archive": str(archive), "live": live, "notes": notes})


def _says_its_unit(source: Path) -> bool:
    files = source.iterdir() if source.is_dir() else (source,)
    return any(file.suffix.lower() in (".nc", ".nc4", ".h5", ".hdf5", ".grib2", ".cdf") for file in files)


def _unpack(path: Path, folder: Path) -> Path:
    """Unpack the files of a zip archive side by side; paths in it are taken for names only."""
    try:
        with zipfile.ZipFile(path) as packed:
            members = [member for member in packed.infolist() if not member.is_dir()]
            if len(members) > _MOST_FILES or sum(member.file_size for member in members) > _MOST_UNPACKED:
                raise DataError(
                    f"{path.name} holds {len(members)} files; at most {_MOST_FILES} files of together "
                    f"{_MOST_UNPACKED // 2**30} GiB are unpacked"
                )
            folder.mkdir()
            left = _MOST_UNPACKED
            for member in members:
                name = PurePosixPath(member.filename.replace("\\", "/")).name
                if not name or name.startswith("."):
                    continue
                with packed.open(member) as stream, (folder / name).open("xb") as out:
                    while piece := stream.read(min(2**20, left + 1)):
                        left -= len(piece)
                        if left < 0:
                            raise DataError(f"{path.name} unpacks to more than it declares: it is not read")
                        out.write(piece)
    except (zipfile.BadZipFile, FileExistsError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{path.name} cannot be unpacked ({error}): make a plain zip of pictures") from None
    return folder


def offered(config: Any, archive: str | Path) -> dict[str, list[str]]:
    """Return the issue times of the pasts of an archive that a model can forecast from, by sequence."""
    from framecast.data.archive.reader import Archive

    opened = Archive.open(archive)
    times: dict[str, list[str]] = {}
    for window in config.windows(opened, past_only=True):
        times.setdefault(window.sequence, []).append(opened.calendar.iso(window.issue_time))
    return times


def _forecast(request: dict[str, Any], folder: Path, say: Callable[..., None]) -> None:
    """Draw an ensemble of one past; what is drawn so far is a forecast file of its own, again and again."""
    import numpy as np
    import torch

    from framecast.data.archive.reader import Archive
    from framecast.data.forecasts import SampleInfo, write_forecast
    from framecast.data.windows import Window
    from framecast.models.archive_forecast import common_positions, forecast_windows, plan_forecast
    from framecast.models.checkpoint import load
    from framecast.models.members import Draw, numbered
    from framecast.models.selection import Selection
    from framecast.videos.units import select

    say(told="loading the model")
    model = load(request["model"], device=request["device"], trust_code=request["trust_code"])
    archive = Archive.open(request["archive"])
    plan = plan_forecast(model, archive, Selection(time=request["time"]))
    chosen = tuple(window for window in plan.chosen if window.sequence == request["sequence"])
    if not chosen:
        raise DataError(f"{request['sequence']} has no past that ends at {request['time']}: choose another")
    plan = replace(plan, chosen=replace(plan.chosen, windows=chosen))
    members = request["members"]
    draw = Draw(
        members=numbered(members),
        seed=request["seed"],
        label=request["label"] or None,
        options=model.options(steps=request["steps"], sampler=request["sampler"]),
        chunk=max(1, -(-members // _PARTS)),
    )
    window: Window = chosen[0]
    attrs = {"model": model.name, "seed": draw.seed, "cadence": plan.frames.cadence}

    def appeared(past: torch.Tensor, truth: torch.Tensor, so_far: torch.Tensor) -> None:
        """Write what is drawn so far as a forecast file of its own: an earlier one may be read right now."""
        if len(so_far) == members:
            return
        out = folder / f"drawn-{len(so_far)}.zarr"
        with write_forecast(
            out,
            frames=plan.frames,
            samples=[SampleInfo(sequence=window.sequence, issue_time=window.issue_time)],
            members=len(so_far),
            unit=select(archive.unit, archive.channels, plan.frames.future_channels),
            attrs=attrs | {"members": len(so_far), "note": f"{len(so_far)} of {members} members"},
            dressing=None,
            positions=common_positions(archive, plan.chosen.sequences),
            calendar=archive.calendar,
        ) as writer:
            writer.write(0, past=np.asarray(past), truth=np.asarray(truth), forecast=np.asarray(so_far))
        say(found={"forecast": str(out), "drawn": len(so_far)}, told=f"{len(so_far)} of {members} members")

    task = Task("forecasting", 1, show=lambda task: say(part=min(1.0, task.done)))
    final = folder / "forecast.zarr"
    command = f"framecast view: {window.sequence} at {request['time']}"
    for _ in forecast_windows(model, plan, final, draw, command=command, task=task, appeared=appeared):
        pass
    say(part=1.0, told=f"{members} members", found={"forecast": str(final), "drawn": members})


_KINDS: dict[str, Callable[[dict[str, Any], Path, Callable[..., None]], None]] = {
    "forecast": _forecast,
    "import": _take_in,
    "evaluate": _judge,
}
