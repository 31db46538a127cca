"""Forecasting the windows of one side of an archive into a forecast file."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from framecast.core.distributed import Alone, Processes
from framecast.core.domain import ATTRIBUTE
from framecast.core.errors import ConfigError, DataError
from framecast.data.archive.reader import Archive
from framecast.data.climatology import Climatology, sample_climatology
from framecast.data.datasets import WindowDataset
from framecast.data.forecasts import ForecastWriter, SampleInfo, join_forecast, write_forecast
from framecast.data.statistics import sample_residuals
from framecast.data.windows import Window, Windows, find_windows
from framecast.diffusion.sampling import SamplingOptions
from framecast.models.checkpoint import ModelConfig
from framecast.models.forecaster import Forecaster
from framecast.models.members import check_memory
from framecast.models.precision import asked
from framecast.verification.recalibration.calibration import Calibration
from framecast.videos.frames import FrameSpec
from framecast.videos.target import latest_frame
from framecast.videos.units import same_unit

Side = Literal["train", "validation", "test", "all"]

OBSERVED = "observed"
"""The label that stands for what the archive says of each window."""

_DRESSING_DRAWS = 256


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Which windows will be forecast, and what they are judged by.

    Attributes:
        archive: the open archive.
        frames: what the model sees and forecasts, at the archive's size.
        chosen: the windows to forecast.
        train: the training side, from which the dressed persistence takes its residuals; may be empty.
        side: the side the chosen windows are from.
    """

    archive: Archive
    frames: FrameSpec
    chosen: Windows
    train: Windows
    side: Side


def plan_forecast(config: ModelConfig, archive: Archive, *, side: Side, limit: int | None) -> Plan:
    """Choose the windows of ``archive`` that will be forecast.

    Args:
        config: of the model; it says how the windows were chosen and divided in training.
        archive: must have the model's channels.
        side: of the split, or ``all`` for every window.
        limit: at most so many, evenly spaced over the side.

    Raises:
        ConfigError: the network cannot take frames of the archive's size.
        DataError: the archive lacks a channel, has another unit, or the side is empty.
    """
    # The networks take any size that they can halve, not only the one they were trained on.
    frames = replace(config.frames, height=archive.height, width=archive.width)
    config.network.check_size(frames.height, frames.width)
    if not same_unit(archive.unit, config.unit):
        raise DataError(
            f"{archive.path} is in {archive.unit} and the model was trained on {config.unit}: convert the archive"
        )
    windows = find_windows(archive, frames, stride=config.stride, max_masked=config.max_masked)
    if side == "all":
        train, candidates = windows[:0], windows
    else:
        sides = config.split.divide(windows)
        train, candidates = sides["train"], sides[side]
        if not candidates:
            counts = ", ".join(f"{name} {len(part)}" for name, part in sides.items())
            raise DataError(
                f"{archive.path} has no {side} window under the model's split ({counts}): use another --split"
            )
    count = min(limit or len(candidates), len(candidates))
    spread = tuple(candidates[k * len(candidates) // count] for k in range(count))
    chosen = replace(candidates, windows=spread)
    return Plan(archive=archive, frames=frames, chosen=chosen, train=train, side=side)


def forecast_windows(
    forecaster: Forecaster,
    plan: Plan,
    out: str | Path,
    *,
    members: int,
    seed: int,
    options: SamplingOptions,
    label: str | None = None,
    calibration: Calibration | None = None,
    command: str = "",
    overwrite: bool = False,
    processes: Processes | None = None,
    tell: Callable[[str], None] | None = None,
    progress: Callable[[float], None] | None = None,
) -> Iterator[int]:
    """Forecast the windows of ``plan`` into the forecast file ``out``; yield the number of samples complete.

    The same call after an interruption goes on with the samples that are missing, in the precision that was begun with
    unless ``options`` ask for one. Member m of a window is the same
    whatever other windows and members are drawn: its noise comes from ``seed``, the window's name and m. So several
    processes make the same file as one: each takes windows of its own, and the few that are left over are divided by
    members.

    Args:
        forecaster: the model.
        plan: see `plan_forecast`.
        out: the forecast file.
        members: per window.
        seed: of the members.
        options: how to draw.
        label: the class that every window is told to have, `OBSERVED` for the archive's own (where that is not known,
            none), or none.
        calibration: the model's, to be kept with the forecast; `framecast.verification.evaluation` says whether it
            holds for it.
        command: what the user typed, for the record.
        overwrite: whether an existing file may be replaced.
        processes: that share the work; this one alone by default.
        tell: is given lines for the user: the precision and why, and, the first time that it happens, that members of a
            window run away to infinity or that the model's stretch loses values of its past.
        progress: is given the number of samples drawn, with the part of the present one, after each network evaluation.

    Raises:
        FramecastError: ``out`` exists, the model cannot be sampled this way, or one window's members exceed the
            machine's memory.
    """
    processes = processes or Alone()
    archive, frames = plan.archive, plan.frames
    check_memory(members, (len(frames.future_channels), frames.future, frames.height, frames.width))
    domain = archive.domain
    oracle = domain.oracle(archive)
    precision = processes.share(lambda: forecaster.precision(options))
    attrs = forecaster.provenance(seed, replace(options, precision=precision.precision)) | {
        "members": members,
        "archive": str(archive.path.resolve()),
        "split": plan.side,
        "label": label or "none",
        "cadence": frames.cadence,
        "command": command,
    }
    if domain.name:
        attrs[ATTRIBUTE] = domain.name
    if calibration is not None:
        attrs["calibration"] = calibration.to_plain()
    windows = WindowDataset(archive, plan.chosen, frames, cache_bytes=0)
    reported: list[int] = []
    warned: list[str] = []

    def draw(index: int, chosen: range) -> np.ndarray:
        if tell and not warned and (lost := forecaster.normaliser.losses(windows[index].past, frames.past_channels)):
            warned.append(lost)
            tell(f"past of {plan.chosen[index].id}: {lost}")
        drawn = forecaster.draw(
            windows[index].past,
            sample_key=sample_key(plan.chosen[index]),
            members=chosen,
            seed=seed,
            label=_observed(windows, index) if label == OBSERVED else label,
            options=settled,
        )
        if tell and not reported and (lost := run_away(drawn, windows[index].past, frames)):
            reported.append(index)
            tell(
                f"{lost} of {len(chosen)} members of {plan.chosen[index].id} run away to infinity, others perhaps too: "
                "train for longer, predict v rather than epsilon, or keep the pixels in bounds with --clip"
            )
        return drawn.cpu().numpy()

    def write(writer: ForecastWriter, index: int, drawn: np.ndarray) -> None:
        sample, window = windows[index], plan.chosen[index]
        perfect = oracle(window, frames=frames, members=members, seed=seed) if oracle else None
        writer.write(index, past=sample.past.numpy(), truth=sample.future.numpy(), forecast=drawn, oracle=perfect)

    def begin() -> AbstractContextManager[ForecastWriter]:
        return write_forecast(
            out,
            frames=frames,
            samples=[SampleInfo(sequence=window.sequence, issue_time=window.issue_time) for window in plan.chosen],
            members=members,
            unit=archive.unit,
            attrs=attrs,
            dressing=_dressing(plan, seed),
            climatology=_climatology(plan, seed),
            oracle=oracle is not None,
            open_precision=options.precision == "auto",
            overwrite=overwrite,
        )

    done, part = 0, 0.0

    def advance(fraction: float) -> None:
        nonlocal part
        part = min(1.0, part + fraction)
        if progress:
            progress(done + part * min(processes.count, len(plan.chosen) - done))

    with ExitStack() as stack:
        writer = stack.enter_context(_writing(processes, out, begin))
        begun = processes.share(lambda: writer.attrs["precision"])
        if begun != precision.precision:
            precision = asked(begun, forecaster.device, why="the forecast was begun with it")
        settled = replace(options, precision=precision.precision)
        if tell:
            tell(str(precision))
        stack.enter_context(_evaluations(forecaster, settled, members, advance))
        missing = processes.share(lambda: sorted(set(range(len(plan.chosen))) - set(writer.done)))
        done = len(plan.chosen) - len(missing)
        alone = len(missing) // processes.count * processes.count
        if done:
            yield done
        for index in missing[processes.rank : alone : processes.count]:
            write(writer, index, draw(index, range(members)))
            done, part = done + processes.count, 0.0
            yield done
        share = range(processes.rank * members // processes.count, (processes.rank + 1) * members // processes.count)
        for index in missing[alone:]:
            parts = processes.gather(draw(index, share) if share else None)
            if processes.first:
                write(writer, index, np.concatenate([own for own in parts if own is not None]))
            done, part = done + 1, 0.0
            yield done


@contextmanager
def _evaluations(
    forecaster: Forecaster, options: SamplingOptions, members: int, advance: Callable[[float], None]
) -> Iterator[None]:
    """Call ``advance`` after each network evaluation with the part of a sample's members that it has drawn."""
    whole = members * int(forecaster.generator.describe(options).get("steps", 1))

    def evaluated(module: object, given: tuple[Tensor, ...], result: object) -> None:
        advance(len(given[0]) / whole)

    handle = forecaster.generator.register_forward_hook(evaluated)
    try:
        yield
    finally:
        handle.remove()


def run_away(drawn: Tensor, past: Tensor, frames: FrameSpec) -> int:
    """Return how many members are not finite in a pixel that the past shows.

    Args:
        drawn: ``[member, channel, time, y, x]``, physical units.
        past: ``[channel, time, y, x]``, NaN where masked.
        frames: names the channels.
    """
    lost = ~torch.isfinite(drawn)
    if set(frames.future_channels) <= set(frames.past_channels):
        lost &= ~torch.isnan(latest_frame(past, frames))
    return int(lost.flatten(1).any(dim=1).sum())


@contextmanager
def _writing(
    processes: Processes, out: str | Path, begin: Callable[[], AbstractContextManager[ForecastWriter]]
) -> Iterator[ForecastWriter]:
    """Yield a writer in each process; the first one begins the file, and completes it when all are done."""
    with ExitStack() as stack:
        writers: list[ForecastWriter] = []
        processes.share(lambda: writers.append(stack.enter_context(begin())))
        yield writers[0] if processes.first else join_forecast(out)
        processes.wait()


def _observed(windows: WindowDataset, index: int) -> str | None:
    """Return the name of the class of window ``index``, or nothing where it is not known."""
    classes, label = windows.archive.classes, windows.label(index)
    return classes[label] if label < len(classes) else None


def check_label(config: ModelConfig, archive: Archive, label: str | None) -> None:
    """Raise `ConfigError` or `DataError` unless windows of ``archive`` can be forecast with ``label``."""
    if label is None:
        return
    if not config.labels:
        raise ConfigError(f"{config.name} was trained without labels: leave out the label, or train with data.labels")
    if label == OBSERVED:
        if not archive.classes:
            raise DataError(f"{archive.path} has no labels: name a class, of {', '.join(config.labels)}")
        if unknown := [name for name in archive.classes if name not in config.labels]:
            raise DataError(
                f"{archive.path} has the class {unknown[0]}, and {config.name} knows {', '.join(config.labels)}: "
                "label the archive with these classes"
            )
    elif label not in config.labels:
        raise ConfigError(
            f"{label!r} is no class of {config.name}: give one of {', '.join(config.labels)}, {OBSERVED} or none"
        )


def sample_key(window: Window) -> int:
    """Return the number under which the members of ``window`` are drawn: the first 62 bits of its id's BLAKE2."""
    return int.from_bytes(hashlib.blake2b(window.id.encode(), digest_size=8).digest()) >> 2


def _climatology(plan: Plan, seed: int) -> Climatology | None:
    if len(plan.train) < 2:
        return None
    return sample_climatology(WindowDataset(plan.archive, plan.train, plan.frames, cache_bytes=0), seed=seed)


def _dressing(plan: Plan, seed: int) -> np.ndarray | None:
    seen = set(plan.frames.future_channels) <= set(plan.frames.past_channels)
    if not seen or not plan.train:
        return None
    train = WindowDataset(plan.archive, plan.train, plan.frames, cache_bytes=0)
    return sample_residuals(train, draws=_DRESSING_DRAWS, seed=seed)
