"""Forecasting pasts of an archive, to the future or as hindcasts: `forecast`, and the steps it consists of."""

import hashlib
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import torch
from torch import Tensor
from xarray import Variable

from framecast.core.distributed import Processes, join
from framecast.core.domain import ATTRIBUTE
from framecast.core.errors import ConfigError, DataError, FramecastError, FramecastWarning
from framecast.core.files import FORECAST, refuse_existing
from framecast.core.fingerprint import Unchanged
from framecast.core.machine import choose_device
from framecast.core.options import format_duration, parse_duration
from framecast.core.progress import Progress, Task, track
from framecast.data.archive.reader import Archive
from framecast.data.climatology import Climatology, sample_climatology
from framecast.data.datasets import WindowDataset
from framecast.data.forecasts import ForecastWriter, SampleInfo, join_forecast, write_forecast
from framecast.data.netcdf import hidden_forecast, is_netcdf, write_netcdf
from framecast.data.windows import TOLERANCE, Window, WindowList, manifest_hash
from framecast.models.checkpoint import load
from framecast.models.config import ModelConfig, channels_of
from framecast.models.forecaster import Choices, Forecaster
from framecast.models.guard import grid_of
from framecast.models.members import Draw, check_memory, numbered
from framecast.models.precision import asked
from framecast.models.selection import Selection, Side
from framecast.networks import check_size
from framecast.verification.nowcasts import Nowcaster, nowcaster_for
from framecast.videos.frames import FrameSpec, span
from framecast.videos.normalise import Normaliser
from framecast.videos.target import advected_frames, latest_frame
from framecast.videos.units import same_unit, select

OBSERVED = "observed"
"""The label that means the archive's own label of each window."""

_FAR, _TIMES = 20.0, 100.0
"""Normalised value, and multiple of the largest value of the past, beyond both of which a pixel counts as diverged."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Which windows will be forecast, and with which baselines.

    Attributes:
        archive: the open archive.
        frames: what the model sees and forecasts, at the archive's size.
        chosen: the windows to forecast.
        train: the training side, from which the dressed persistence takes its residuals; may be empty.
        side: what was chosen: a side of the split, ``all``, ``latest``, ``time``, or ``outside`` for every past of an
            archive that the model was not trained on.
        notes: remarks on the choice, one line each.
    """

    archive: Archive
    frames: FrameSpec
    chosen: WindowList
    train: WindowList
    side: str
    notes: tuple[str, ...] = ()


def forecast(
    model: Forecaster | str | Path | Sequence[str | Path],
    archive: Archive | str | Path,
    out: str | Path,
    *,
    members: int = 20,
    seed: int = 0,
    latest: bool = False,
    time: str | None = None,
    all_windows: bool = False,
    split: Side | None = None,
    horizon: str | None = None,
    limit: int | None = None,
    label: str | None = None,
    device: str | torch.device | None = None,
    compile: bool = False,
    refine: Forecaster | str | Path | None = None,
    overwrite: bool = False,
    trust_code: bool = False,
    baselines: Sequence[str] = (),
    progress: Progress = True,
    command: str = "",
    **choices: Unpack[Choices],
) -> Path:
    """Forecast from pasts of an archive into the file ``out``, and return its path.

    ``latest``, ``time`` and ``all_windows`` need nothing but the past; later frames of the archive are written beside
    the forecast. By default the validation side of the archive that the model was trained on, and every past of
    another. The same call again resumes an interrupted one. Started by ``torchrun``, several processes share the work.

    Args:
        model: a loaded model, or what `framecast.load` takes.
        archive: an open archive, or its path.
        out: the forecast file: NetCDF with a name that ends in ``.nc``, else Zarr, by convention named ``*.zarr``.
        members: of each window.
        seed: the same seed gives the same members.
        latest: only from the newest past, in every sequence that has it.
        time: only from the past that ends at this time, such as ``2021-07-14T12:00`` (UTC).
        all_windows: from every past.
        split: hindcasts: windows of a side of the model's own split whose future is known, or ``all`` of them.
        horizon: how far, such as ``24h``; beyond the model's frames each member is continued from its own forecast.
        limit: largest number of windows, evenly spaced.
        label: for models with labels the class of every window, or ``observed`` for the archive's own; ``None`` draws
            without one.
        device: where to compute, for a model that is loaded here; by default the GPU if there is one.
        compile: whether to compile the network first: takes a minute, pays off for many windows.
        refine: a diffusion whose last ``steps`` (3 by default) each member of a one-shot model goes through; see
            `Forecaster.refined`.
        overwrite: whether an existing forecast may be replaced.
        trust_code: see `framecast.load`.
        baselines: nowcasts to write beside the forecast, see `framecast.verification.nowcasts`.
        progress: whether to show the windows done, or a function that is called with their number and the total.
        command: the command line, for the provenance record.
        choices: ``sampler``, ``grid``, ``steps``, ``guidance``, ``precision`` and ``clip`` in place of the model's own.

    Raises:
        FramecastError: ``out`` exists, there is no such model or archive, or the model cannot be sampled this way.
        DataError: the archive does not fit the model, or that part of the split is empty.
    """
    out = Path(out)
    netcdf = is_netcdf(out)
    refuse_existing(out, overwrite=overwrite and not (netcdf and out.is_dir()), kind=None if netcdf else FORECAST)
    selection = Selection(latest=latest, time=time, all_windows=all_windows, split=split, horizon=horizon, limit=limit)
    if isinstance(model, Forecaster):
        place, processes = model.device, join(cpu=model.device.type == "cpu")
    else:
        place = choose_device(device)
        processes = join(cpu=place.type == "cpu")
        model = load(model, device=processes.device(place), trust_code=trust_code)
    if refine is not None:
        by = refine if isinstance(refine, Forecaster) else load(refine, device=model.device, trust_code=trust_code)
        model = model.refined(by)
    draw = Draw(members=numbered(members), seed=seed, label=label, options=model.options(**choices))
    plan = plan_forecast(model, archive if isinstance(archive, Archive) else Archive.open(archive), selection)
    check_label(model.config, plan.archive, label)
    if compile:
        model.compile()
    written = hidden_forecast(out) if netcdf else out
    again = netcdf and written.exists()  # of a process that was killed while it wrote the NetCDF
    with track("forecasting", len(plan.chosen), progress) as task:
        task.tell(_describe(model, plan, members, str(place), processes.count))
        for note in plan.notes:
            task.tell(note)
        steps = forecast_windows(
            model,
            plan,
            written,
            draw,
            baselines=_nowcasters(plan, baselines, members),
            command=command,
            overwrite=overwrite or again,
            processes=processes,
            task=task,
        )
        for done in steps:
            task.reach(done)
        if netcdf and processes.first:
            write_netcdf(written, out, command=command, overwrite=overwrite)
            shutil.rmtree(written)
    return out


def _describe(model: Forecaster, plan: Plan, members: int, place: str, processes: int) -> str:
    count = len(plan.chosen)
    side = [plan.side] if plan.side in ("train", "validation", "test") else []
    windows = " ".join([str(count), *side, "window" if count == 1 else "windows"])
    if plan.side in ("latest", "time") or plan.frames.future != model.frames.future:
        ahead = format_duration(plan.frames.lead_times[-1])
        windows += f" from {plan.archive.calendar.text(plan.chosen[-1].issue_time)}, {ahead} ahead"
    where = place if processes == 1 else f"{processes} processes ({place})"
    return f"{model.name}: {'1 member' if members == 1 else f'{members} members'} of {windows} on {where}"


def plan_forecast(model: Forecaster, archive: Archive, selection: Selection = Selection()) -> Plan:
    """Choose the windows of ``archive`` to forecast; how they were chosen in training is part of the model.

    Raises:
        ConfigError: the network cannot take frames of the archive's size, or the horizon is impossible.
        DataError: the archive lacks a channel, has another unit, or there is no such window.
    """
    # The networks accept any size that they can halve, not only the one of training.
    config = model.config
    frames = replace(config.frames, height=archive.height, width=archive.width)
    if selection.horizon is not None:
        frames = frames.extended(parse_duration(selection.horizon))
    check_size(model.generator.network, frames.height, frames.width)
    unit = select(archive.unit, archive.channels, channels_of(frames))
    if not same_unit(unit, config.unit):
        raise DataError(
            f"{archive.path} is in {unit} and the model was trained on {config.unit}: import the data in that unit "
            "(framecast import --unit), or use another model"
        )
    only_past = selection.latest or selection.time is not None
    trained = selection.split is not None or (not only_past and _trained_on(config, archive))
    side = selection.split or ("validation" if trained and not selection.all_windows else None)
    windows = config.windows(archive, frames, past_only=side is None or only_past)
    notes: list[str] = []
    train, chosen = windows[:0], windows
    if selection.latest:
        name, (chosen, notes) = "latest", _newest(archive, windows, frames)
    elif selection.time is not None:
        name, chosen = "time", _ending(archive, windows, frames, selection.time)
    elif side is None:
        name = "all" if trained else "outside"
        if not selection.all_windows:
            notes = [
                f"{archive.path.name} is not the training archive: forecasting from every past in it (to choose: "
                "--latest, --time, --split)"
            ]
    else:
        name = side
        if side != "all":
            sides = config.split.divide(windows)
            train, chosen = sides["train"], sides[side]
            if not chosen:
                counts = ", ".join(f"{name} {len(part)}" for name, part in sides.items())
                raise DataError(
                    f"{archive.path} has no {side} window under the model's split ({counts}): use another --split"
                )
    count = min(selection.limit or len(chosen), len(chosen))
    spread = tuple(chosen[k * len(chosen) // count] for k in range(count))
    return Plan(
        archive=archive,
        frames=frames,
        chosen=replace(chosen, windows=spread),
        train=train,
        side=name,
        notes=tuple(notes),
    )


def _trained_on(config: ModelConfig, archive: Archive) -> bool:
    """Whether the windows of ``archive`` on the training side are those that the model was trained on."""
    hashes = config.training.get("hashes")
    known = hashes.get("train") if isinstance(hashes, Mapping) else None
    try:
        return known is not None and manifest_hash(config.split.divide(config.windows(archive))["train"]) == known
    except FramecastError:  # no window, or none that can be split so
        return False


def _newest(archive: Archive, windows: WindowList, frames: FrameSpec) -> tuple[WindowList, list[str]]:
    calendar, slack = archive.calendar, _slack(frames)
    newest = max(window.issue_time for window in windows)
    end = max(archive.times(name)[-1] for name in archive.sequences)
    own = {w.sequence: w for w in windows if w.issue_time >= newest - slack}  # the last one of each sequence
    notes = []
    if end > newest + slack:
        notes.append(
            f"the newest past ends at {calendar.text(newest)}: it needs {frames.past} usable frames in a row, and "
            f"those up to {calendar.text(end)} are not ({windows.describe()})"
        )
    return replace(windows, windows=tuple(own.values())), notes


def _ending(archive: Archive, windows: WindowList, frames: FrameSpec, text: str) -> WindowList:
    """Return the window of each sequence whose past ends at the time that ``text`` says."""
    calendar = archive.calendar
    time = calendar.parse(text)
    nearest: dict[str, Window] = {}
    for window in sorted(windows, key=lambda window: abs(window.issue_time - time), reverse=True):
        nearest[window.sequence] = window
    found = tuple(window for window in nearest.values() if abs(window.issue_time - time) <= _slack(frames))
    if not found:
        times = sorted({window.issue_time for window in windows})
        before = [calendar.text(t) for t in times if t < time][-1:]
        after = [calendar.text(t) for t in times if t > time][:1]
        raise DataError(
            f"no usable past ({frames.describe_past()}) ends at "
            f"{calendar.text(time)} in {archive.path} (the nearest: {' and '.join(before + after)}; "
            f"{windows.describe()}): choose another --time"
        )
    return replace(windows, windows=found)


def _slack(frames: FrameSpec) -> np.timedelta64:
    return span(TOLERANCE * frames.cadence)


def forecast_windows(
    forecaster: Forecaster,
    plan: Plan,
    out: str | Path,
    draw: Draw,
    *,
    baselines: Sequence[Nowcaster] = (),
    command: str = "",
    overwrite: bool = False,
    processes: Processes | None = None,
    task: Task | None = None,
    appeared: Callable[[Tensor, Tensor, Tensor], object] | None = None,
) -> Iterator[int]:
    """Forecast the windows of ``plan`` into the forecast file ``out``; yield the number of samples complete.

    The same call after an interruption continues with the samples that are missing, in the precision it was started
    with unless ``draw`` sets one. Member m of a window is the same whatever other windows and members are drawn: its
    noise comes from the seed, the window's name and m. So several processes produce the same file as one: each draws
    different windows, and the members of the remaining few are divided.

    Warns the first time that members of a window diverge, or that the model's stretch loses values of a past.

    Args:
        forecaster: the model.
        plan: see `plan_forecast`.
        out: the forecast file.
        draw: of every window; the label `OBSERVED` stands for the archive's own, and for none where that is unknown.
        baselines: nowcasts to write beside the forecast.
        command: the command line, for the provenance record.
        overwrite: whether an existing file may be replaced.
        processes: that share the work; by default only this one.
        task: progress; shows the precision with its reason, and the samples done, counting each network evaluation.
        appeared: is given past, truth and members so far of a window whenever ``draw.chunk`` more are drawn.

    Raises:
        FramecastError: ``out`` exists, the model cannot be sampled this way, or one window's members exceed the memory.
        ChangedError: the archive changed meanwhile; nothing is kept.
    """
    processes, task = processes or Processes(), task or Task("forecasting")
    archive, frames, members, seed = plan.archive, plan.frames, len(draw.members), draw.seed
    unchanged = Unchanged(archive.path)
    check_memory(members, (len(frames.future_channels), frames.future, frames.height, frames.width))
    domain = archive.domain
    oracle = domain.oracle(archive)
    precision = processes.share(lambda: forecaster.precision(draw.options))
    settled = _in_precision(draw, precision.precision)
    attrs = forecaster.file_attributes(settled, archive=str(archive.path.resolve()), split=plan.side, command=command)
    attrs["data_cutoff"] = archive.calendar.iso(max(window.issue_time for window in plan.chosen))
    occasions, move = _occasions(forecaster, plan, seed), domain.motion(archive)
    if occasions is None or occasions.moved is None:
        move = None
    elif move is None:  # the motion of frames is known for the training archive, but not for this one
        occasions = replace(occasions, moved=None)
    attrs["independent_sequences"] = plan.chosen.independent
    if archive.classes:
        attrs["classes"] = list(archive.classes)
    if domain.name:
        attrs[ATTRIBUTE] = domain.name
    windows = WindowDataset(archive, plan.chosen, frames, cache_bytes=0, forcings=forecaster.config.forcings)
    reported: list[int] = []
    warned: list[str] = []

    def drawn(index: int, chosen: range) -> tuple[np.ndarray, np.ndarray | None]:
        given, window = windows[index], plan.chosen[index]
        past = given.past
        flow = forecaster.motion(past, archive, window, frames)
        size = len(chosen) if appeared is None else draw.chunk or len(chosen)
        label = _observed(windows, index) if draw.label == OBSERVED else draw.label
        if not warned and (out_of_range := forecaster.normaliser.losses(past, frames.past_channels)):
            warned.append(out_of_range)
            warnings.warn(f"past of {window.id}: {out_of_range}", FramecastWarning, stacklevel=2)
        own = replace(settled, sample=sample_key(window), label=label)
        forcing = given.forcing if given.forcing.numel() else None
        parts: list[Tensor] = []
        for first in range(0, len(chosen), size):
            some = replace(own, members=chosen[first : first + size])
            parts.append(forecaster.draw_frames(past, some, frames.future, flow=flow, forcing=forcing))
            if appeared is not None:
                appeared(past, given.future, torch.cat(parts))
        videos = torch.cat(parts)
        if not reported and (lost := diverged(videos, past, frames, forecaster.normaliser)):
            reported.append(index)
            largest = float(torch.where(torch.isfinite(videos), videos.abs(), 0.0).max())
            warnings.warn(
                f"{lost} of {len(chosen)} members of {window.id} diverged (values that are not finite, or far "
                f"beyond past and training: up to {largest:.3g}); others may have as well: train for "
                "longer, predict v rather than epsilon, or limit the pixels with sampling.clip",
                FramecastWarning,
                stacklevel=2,
            )
        return videos.numpy(), None if flow is None else flow.numpy()

    def write(writer: ForecastWriter, index: int, videos: np.ndarray, flow: np.ndarray | None) -> None:
        sample, window = windows[index], plan.chosen[index]
        perfect = None
        if oracle is not None and window.complete:
            perfect = oracle(window, frames=frames, members=members, seed=seed)
        order = [frames.past_channels.index(name) for name in frames.future_channels] if baselines else []
        own = {each.name: each(sample.past[order], seed + index).numpy() for each in baselines}
        past, truth, moved = sample.past.numpy(), sample.future.numpy(), None
        if move is not None:
            moved = advected_frames(sample.past, frames, torch.from_numpy(move(window, frames=frames))).numpy()
        writer.write(
            index, past=past, truth=truth, forecast=videos, oracle=perfect, motion=flow, moved=moved, baselines=own
        )

    def unlike() -> list[str]:
        grid = grid_of(archive)
        reasons = [forecaster.objection(windows[k].past, grid=grid) for k in range(len(plan.chosen))]
        if found := [k for k, reason in enumerate(reasons) if reason]:
            count = f"{len(found)} of {len(reasons)} pasts are" if len(reasons) > 1 else "the past is"
            where = f" ({plan.chosen[found[0]].id})" if len(reasons) > 1 else ""
            warnings.warn(
                f"{count} unlike the training data of {forecaster.name}{where}: {reasons[found[0]]}",
                FramecastWarning,
                stacklevel=2,
            )
        return reasons

    def begin() -> AbstractContextManager[ForecastWriter]:
        reasons = unlike()
        return write_forecast(
            out,
            frames=frames,
            samples=[
                SampleInfo(
                    sequence=window.sequence,
                    issue_time=window.issue_time,
                    label=_observed(windows, k) or "",
                    unlike=reasons[k],
                )
                for k, window in enumerate(plan.chosen)
            ],
            members=members,
            unit=select(archive.unit, archive.channels, frames.future_channels),
            attrs=attrs,
            climatology=occasions,
            oracle=oracle is not None,
            motion=forecaster.conditioning.representation.moves,
            baselines={each.name: each.size for each in baselines},
            open_precision=draw.options.precision == "auto",
            positions=common_positions(archive, plan.chosen.sequences) | moving_positions(archive, plan.chosen, frames),
            calendar=archive.calendar,
            inputs={"archive": archive.fingerprint(), "model": str(attrs.get("weights_sha256"))},
            overwrite=overwrite,
        )

    done, part = 0, 0.0

    def advance(fraction: float) -> None:
        nonlocal part
        part = min(1.0, part + fraction)
        task.reach(done + part * min(processes.count, len(plan.chosen) - done))

    with ExitStack() as stack:
        writer = stack.enter_context(_writing(processes, out, begin))
        begun = processes.share(lambda: writer.attrs["precision"])
        if begun != precision.precision:
            precision = asked(begun, forecaster.device, why="the forecast was started with it")
            settled = _in_precision(draw, begun)
        task.tell(str(precision))
        stack.enter_context(_evaluations(forecaster, settled, frames.future, advance))
        missing = processes.share(lambda: sorted(set(range(len(plan.chosen))) - set(writer.done)))
        done = len(plan.chosen) - len(missing)
        alone = len(missing) // processes.count * processes.count
        if done:
            yield done
        for index in missing[processes.rank : alone : processes.count]:
            write(writer, index, *drawn(index, range(members)))
            done, part = done + processes.count, 0.0
            yield done
        share = range(processes.rank * members // processes.count, (processes.rank + 1) * members // processes.count)
        for index in missing[alone:]:
            parts = processes.gather(drawn(index, share) if share else None)
            if processes.first:
                own = [part for part in parts if part is not None]
                write(writer, index, np.concatenate([videos for videos, _ in own]), own[0][1])
            done, part = done + 1, 0.0
            yield done
        processes.share(unchanged.check)


@contextmanager
def _evaluations(forecaster: Forecaster, draw: Draw, ahead: int, advance: Callable[[float], None]) -> Iterator[None]:
    """Call ``advance`` after each network evaluation with the part of a sample's members that it has drawn."""
    blocks = -(-ahead // forecaster.frames.future)
    whole = len(draw.members) * int(forecaster.generator.describe(draw.options).get("steps", 1)) * blocks

    def evaluated(module: object, given: tuple[Tensor, ...], result: object) -> None:
        advance(len(given[0]) / whole)

    handles = [generator.register_forward_hook(evaluated) for generator in forecaster.generators]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _in_precision(draw: Draw, precision: Any) -> Draw:
    return replace(draw, options=replace(draw.options, precision=precision))


def common_positions(archive: Archive, sequences: Sequence[str]) -> dict[str, Variable]:
    """Return the coordinates of the pixels that all of ``sequences`` share; those that differ are left out."""
    common = archive.positions(sequences[0])
    for name in sequences[1:]:
        own = archive.positions(name)
        common = {axis: kept for axis, kept in common.items() if axis in own and kept.equals(own[axis])}
    return common


def moving_positions(
    archive: Archive, windows: Sequence[Window], frames: FrameSpec
) -> dict[str, tuple[tuple[str, str], np.ndarray, dict[str, str]]]:
    """Return where the domain says that each window is at the times of its frames, seen (``past_…``) and forecast."""
    sequences = {window.sequence: archive.sequence(window.sequence) for window in windows}
    leads = np.array([round(seconds * 1e9) for seconds in frames.lead_times], "timedelta64[ns]")
    found: dict[str, tuple[tuple[str, str], list[np.ndarray], dict[str, str]]] = {}
    for window in windows:
        times = archive.times(window.sequence)[list(window.indices[: frames.past])], window.issue_time + leads
        for prefix, dim, own in zip(("past_", ""), ("past_time", "lead_time"), times, strict=True):
            for name, (values, attrs) in archive.domain.positions(sequences[window.sequence], own).items():
                found.setdefault(prefix + name, (("sample", dim), [], dict(attrs)))[1].append(values)
    return {
        name: (dims, np.stack(rows), attrs) for name, (dims, rows, attrs) in found.items() if len(rows) == len(windows)
    }


def diverged(drawn: Tensor, past: Tensor, frames: FrameSpec, normaliser: Normaliser | None = None) -> int:
    """Return how many members are not finite in a pixel known in the past, or diverged in any.

    Diverged are pixels more than 20 standard deviations of the normalised training pixels from their mean, and 100
    times larger than any of the past.

    Args:
        drawn: ``[member, channel, time, y, x]``, physical units.
        past: ``[channel, time, y, x]``, NaN where masked.
        frames: names the channels.
        normaliser: the model's; without it only what is not finite counts.
    """
    lost = ~torch.isfinite(drawn)
    if set(frames.future_channels) <= set(frames.past_channels):
        lost &= ~torch.isnan(latest_frame(past, frames))
    if normaliser is not None:
        far = normaliser.forward(drawn.double(), frames.future_channels).abs() > _FAR
        lost |= far & (drawn.abs() > _TIMES * past[torch.isfinite(past)].abs().amax())
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
            f"{label!r} is not a class of {config.name}: give one of {', '.join(config.labels)}, {OBSERVED} or none"
        )


def sample_key(window: Window) -> int:
    """Return the number under which the members of ``window`` are drawn: the first 62 bits of its id's BLAKE2."""
    return int.from_bytes(hashlib.blake2b(window.key.encode(), digest_size=8).digest()) >> 2


def _nowcasters(plan: Plan, names: Sequence[str], members: int) -> list[Nowcaster]:
    frames, archive = plan.frames, plan.archive
    return [
        nowcaster_for(
            name,
            frames.past_times,
            frames.lead_times,
            sees_targets=set(frames.future_channels) <= set(frames.past_channels),
            unit=select(archive.unit, archive.channels, frames.future_channels),
            positions=archive.positions(archive.sequences[0]),
            members=members,
        )
        for name in dict.fromkeys(names)
    ]


def _occasions(forecaster: Forecaster, plan: Plan, seed: int) -> Climatology | None:
    """Return training windows for the baselines: of the archive where it was trained on, else those of the model."""
    if len(plan.train) >= 2:
        return sample_climatology(WindowDataset(plan.archive, plan.train, plan.frames, cache_bytes=0), seed=seed)
    reference = forecaster.reference
    return None if reference is None else reference.occasions(plan.frames)
