"""From a recipe and an archive, or a custom dataset, to everything a training run starts from."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch

from framecast.core.configuration import kind_of, to_plain
from framecast.core.domain import ATTRIBUTE
from framecast.core.errors import ConfigError, DataError
from framecast.core.options import format_duration, parse_duration
from framecast.data.archive.reader import Archive
from framecast.data.datasets import OwnSamples, Samples, WindowDataset, Windows
from framecast.data.split_table import TableSplit
from framecast.data.splits import SIDES, AnySplit, AutoSplit, Division, TimeSplit, few
from framecast.data.statistics import fit_anomalies, fit_change_scale, fit_normaliser
from framecast.data.windows import WindowList, find_windows, manifest_hash
from framecast.generators.kinds import DiffusionOptions
from framecast.models.config import ModelConfig, attach, build_network, channels_of
from framecast.networks import AnyNetwork, OwnNetwork, VideoUNet, check_size
from framecast.training.recipe import DataOptions, Recipe, frames_told
from framecast.training.start import Start, differences, inherit, open_start
from framecast.videos.anomalies import Anomalies
from framecast.videos.forcings import channels_of_forcings
from framecast.videos.frames import FrameSpec
from framecast.videos.normalise import Normaliser
from framecast.videos.target import Advected, AnyTarget, Change, Future, check_target
from framecast.videos.units import select


@dataclass(frozen=True, kw_only=True)
class ArchiveData:
    """The windows of an archive: all of them, and by side: ``train``, ``validation``, ``test`` and ``dropped``."""

    archive: Archive
    windows: WindowList
    sides: dict[str, WindowList]

    def dataset(self, side: str, frames: FrameSpec, recipe: Recipe) -> WindowDataset:
        """Return the windows of a side, ready to be read."""
        training = recipe.training
        return WindowDataset(
            self.archive,
            self.sides[side],
            frames,
            cache_bytes=int(training.cache_gib * 2**30),
            flips=training.flips,
            motion=recipe.motion if recipe.target == "advected" else None,
            forcings=recipe.data.forcings,
            seed=training.seed,
        )

    def record(self, recipe: Recipe) -> dict[str, Any]:
        """Return which windows of which archive are on which side."""
        attrs, domain = self.archive.attrs, self.archive.domain
        return {
            "archive": str(self.archive.path.resolve()),
            "fingerprint": self.archive.fingerprint(labels=recipe.data.labels),
            "windows": {side: len(windows) for side, windows in self.sides.items()},
            "rejected": dict(self.windows.rejected),
            "split": to_plain(recipe.data)["split"],
            "hashes": {side: manifest_hash(self.sides[side]) for side in SIDES if self.sides[side]},
            # How the images were made, so that a forecast can prepare its images in the same way.
            "images": {name: attrs[name] for name in domain.image_attributes if name in attrs},
            **({ATTRIBUTE: domain.name} if domain.name else {}),
        }

    def describe(self) -> str:
        """Return the numbers of windows of each side, and of those left out."""
        sides = ", ".join(f"{len(windows)} {side}" for side, windows in self.sides.items())
        rejected = ", ".join(f"{count} {reason}" for reason, count in self.windows.rejected.items() if count)
        return sides + (f" (left out: {rejected})" if rejected else "")

    def warnings(self, recipe: Recipe) -> tuple[str, ...]:
        """Return which windows were lost and how to keep them, a line for each reason; empty if there are enough."""
        return tuple(line for line in (self.windows.remedy, few(self.sides, recipe.data.split)) if line)


@dataclass(frozen=True, kw_only=True)
class OwnData:
    """A custom dataset for each side, and its classes."""

    train: Windows
    validation: Windows
    classes: tuple[str, ...] = ()

    def dataset(self, side: str, frames: FrameSpec, recipe: Recipe) -> OwnSamples:
        """Return the windows of a side, ready to be read."""
        return OwnSamples(self.train if side == "train" else self.validation, frames, self.classes)

    def record(self, recipe: Recipe) -> dict[str, Any]:
        """Return the class of the dataset, and a checksum of the names of its windows."""
        sides = {"train": self.train, "validation": self.validation}
        return {
            "dataset": kind_of(self.train),
            "windows": {side: len(windows) for side, windows in sides.items()},
            "hashes": {side: _hash_of_names(windows) for side, windows in sides.items()},
        }

    def warnings(self, recipe: Recipe) -> tuple[str, ...]:
        """Return nothing: it is not known how they were made and split."""
        return ()

    def describe(self) -> str:
        """Return the windows of each side."""
        return f"{len(self.train)} train, {len(self.validation)} validation"


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What a run starts from: the recipe with epochs and split resolved, the windows, the model's configuration."""

    recipe: Recipe
    data: ArchiveData | OwnData
    model: ModelConfig
    start: Start | None = None

    def dataset(self, side: str) -> Samples:
        """Return the windows of a side, ready to be read."""
        return self.data.dataset(side, self.model.frames, self.recipe)

    def in_precision(self, *, training: Any, sampling: Any) -> "Prepared":
        """Return the same with these precisions in the recipe and the model."""
        options = replace(self.recipe.training, precision=training)
        drawing = replace(self.recipe.sampling, precision=sampling)
        recipe = replace(self.recipe, training=options, sampling=drawing)
        return replace(self, recipe=recipe, model=replace(self.model, sampling=drawing))

    def of_length(self, steps: int, *, width: int | None) -> "Prepared":
        """Return the same with a number of steps in place of a budget, and this width of the network if it has one."""
        training = replace(self.recipe.training, steps=steps, budget=None, least_steps=None)
        recipe: Any = replace(self.recipe, training=training)
        if width is not None:
            recipe = replace(recipe, network=replace(recipe.network, width=width))
        return replace(self, recipe=recipe, model=replace(self.model, network=_timed(recipe, self.model.frames)))

    @property
    def choices(self) -> str:
        """Summary on one line."""
        frames, training, archive = self.model.frames, self.recipe.training, getattr(self.data, "archive", None)
        patches = ""
        if archive is not None and (frames.height, frames.width) != (archive.height, archive.width):
            patches = f" in patches of {frames.height}×{frames.width} out of {archive.height}×{archive.width} pixels"
        width = f", width {own}" if (own := getattr(self.model.network, "width", None)) else ""
        return f"{frames.describe()}{patches}{width}, batches of {training.batch}"

    @property
    def stretch(self) -> str:
        """The stretch of each channel and why it was chosen, or what anomalies are of, on one line."""
        if own := self.model.anomalies:
            return f"stretch: standardised anomalies of each pixel by {' and '.join(own.clocks)}"
        parts = (f"{name} {stretch.describe()}" for name, stretch in self.model.normaliser.stretches.items())
        return f"stretch: {'; '.join(parts)}"

    @property
    def origin(self) -> str:
        """The model that the run starts from and what differs from it, on one line; empty without one."""
        if self.start is None:
            return ""
        changed = "; ".join(differences(self.model, self.start)) or "nothing"
        return f"starting from {self.start.config.name} ({self.start.path}); different: {changed}"

    @cached_property
    def data_record(self) -> dict[str, Any]:
        """The record of the run's data, and of the model that it starts from."""
        return self.data.record(self.recipe) | ({"start": self.start.record} if self.start else {})


def prepare(recipe: Recipe, data: Archive | OwnData) -> Prepared:
    """Find and split the windows, fit the stretch on the training side, and describe the model.

    Raises:
        FramecastError: data and recipe do not fit; the message says why.
    """
    start = open_start(recipe)
    if start is not None:
        recipe = inherit(recipe, start)
    elif recipe.network is None:
        raise ConfigError(
            f"recipe {recipe.name} has no network: name one, or a model to start from (training.start, --start MODEL)"
        )
    if isinstance(data, OwnData):
        return _prepare_own(recipe, data, start)
    recipe = fit_to(recipe, data)
    frames = frame_spec(recipe.data, data)
    _check_recipe(recipe, frames, data.channels)
    windows, split, sides = divide(recipe, data)
    for side in ("train", "validation"):
        if not sides[side]:
            raise DataError(
                f"the split leaves no {side} window of {len(windows)} in {data.path}: change data.split, "
                "or give more or longer sequences"
            )
    recipe = replace(recipe, data=replace(recipe.data, split=split))
    if isinstance(patch := recipe.data.patch, int):  # of the size that is trained on
        frames = replace(frames, height=min(patch, frames.height), width=min(patch, frames.width))
    divided = ArchiveData(archive=data, windows=windows, sides=sides)
    classes = _labels(divided, divided.dataset("train", frames, recipe)) if recipe.data.labels else ()
    unit = select(data.unit, data.channels, channels_of(frames))
    return _describe(recipe, divided, frames, start, unit=unit, classes=classes)


_LENGTHS = ((6, 6), (4, 6), (4, 4), (3, 3), (2, 2), (2, 1), (1, 1))
"""Past and future frames that ``auto`` tries, the first first."""

_ENOUGH_WINDOWS = 30
_WHOLE = 96
"""Largest side of frames that are trained on without patches."""


def fit_to(recipe: Recipe, archive: Archive) -> Recipe:
    """Return the recipe with numbers in place of ``auto``, chosen from the archive and the machine.

    The longest past and future that leave a few tens of training windows, or else half as many as the best; patches
    where frames are large.

    Raises:
        DataError: the archive is too short for any.
    """
    options = recipe.data
    if options.patch == "auto":
        large = archive.height * archive.width > _WHOLE**2
        options = replace(options, patch=(128 if torch.cuda.is_available() else 64) if large else None)
    if "auto" not in (options.past, options.future):
        return replace(recipe, data=options)
    found: list[tuple[int, DataOptions]] = []
    reason = DataError(f"{archive.path} contains no window")
    for past, future in _LENGTHS:
        own = replace(
            options,
            past=past if options.past == "auto" else options.past,
            future=future if options.future == "auto" else options.future,
        )
        try:
            _, _, sides = divide(replace(recipe, data=own), archive)
        except DataError as error:
            reason = error
            continue
        if all(sides[side] for side in SIDES):
            found.append((len(sides["train"]), own))
            if len(sides["train"]) >= _ENOUGH_WINDOWS:
                return replace(recipe, data=own)
    if not found:
        raise reason
    most = max(count for count, _ in found)
    return replace(recipe, data=next(own for count, own in found if 2 * count >= most))


def _prepare_own(recipe: Recipe, data: OwnData, start: Start | None) -> Prepared:
    if not len(data.train) or not len(data.validation):
        raise DataError(f"there are {data.describe()} windows: both sides need at least one")
    if recipe.data.patch is not None and recipe.data.patch != "auto":
        raise ConfigError("data.patch needs an archive: cut patches in a custom dataset itself")
    if recipe.data.forcings:
        raise ConfigError("data.forcings needs an archive; a custom dataset can provide them as channels of the past")
    frames = own_frame_spec(recipe.data, data.train)
    _check_recipe(recipe, frames, channels_of(frames))
    classes = tuple(getattr(data.train, "classes", ())) if recipe.data.labels else ()
    if recipe.data.labels and not classes:
        raise DataError(f"data.labels is true, and {type(data.train).__name__} has no attribute classes: name them")
    past, future = frames_told(frames)
    options = replace(
        recipe.data,
        patch=None,
        past=past,
        future=future,
        past_channels=frames.past_channels,
        future_channels=frames.future_channels,
        cadence=format_duration(frames.cadence),
    )
    unit = str(getattr(data.train, "unit", "1"))
    recipe, data = replace(recipe, data=options), replace(data, classes=classes)
    return _describe(recipe, data, frames, start, unit=unit, classes=classes)


def _check_recipe(recipe: Recipe, frames: FrameSpec, channels: Sequence[str]) -> None:
    """Raise `ConfigError` if settings do not fit ``frames``, or name none of the ``channels`` that the data have."""
    for name in ("softening", "saturation", "dry"):
        if unknown := [channel for channel in getattr(recipe.data, name) if channel not in channels]:
            raise ConfigError(f"data.{name} names {', '.join(unknown)}; the channels are {', '.join(channels)}")
    check_target(recipe.target, frames)
    if recipe.target == "advected" and not frames.even:
        raise ConfigError(
            f"target=advected needs equal time steps, and data.past and data.future are {frames.describe()}: give "
            "numbers of frames, or use target=change"
        )
    recipe.makes_members.check(recipe.sampling)
    recipe.sampling.check_channels(frames.future_channels)


def _describe(
    recipe: Recipe,
    data: ArchiveData | OwnData,
    frames: FrameSpec,
    start: Start | None,
    *,
    unit: str,
    classes: tuple[str, ...],
) -> Prepared:
    """Fit the stretch and describe the model."""
    train = data.dataset("train", frames, recipe)
    recipe = replace(recipe, training=recipe.training.resolved(len(train)))
    assert recipe.network is not None  # without one there is a start, from which it was taken
    if start is not None and recipe.distillation is not None:  # the result depends on these numbers
        normaliser, target, anomalies = start.config.normaliser, start.config.target, start.config.anomalies
    else:
        normaliser, clocks = _normaliser(train, recipe.data, start), recipe.data.anomalies
        anomalies = fit_anomalies(train, clocks) if clocks and isinstance(train, WindowDataset) else None
        target = _target(recipe, train, normaliser, anomalies)
    model = ModelConfig(
        name=recipe.name,
        unit=unit,
        frames=frames,
        normaliser=normaliser,
        target=target,
        forcings=recipe.data.forcings,
        anomalies=anomalies,
        network=_timed(recipe, frames),
        generator=recipe.makes_members,
        sampling=recipe.sampling,
        labels=classes,
        split=recipe.data.split,
        stride=recipe.data.stride,
        tolerance=recipe.data.tolerance,
        max_masked=recipe.data.max_masked,
    )
    _check_model(model)
    return Prepared(recipe=recipe, data=data, model=model, start=start)


def _timed(recipe: Recipe, frames: FrameSpec) -> AnyNetwork:
    """Return the network of the recipe, with the times of its frames if they are uneven and it can use them."""
    if not isinstance(recipe.network, VideoUNet):
        assert recipe.network is not None
        return recipe.network
    if frames.even:  # those of a model that it starts from may have been uneven
        return replace(recipe.network, past_times=(), future_times=())
    past, future = ([time / frames.cadence for time in times] for times in (frames.past_times, frames.lead_times))
    generator = recipe.makes_members
    if isinstance(generator, DiffusionOptions) and generator.masks:  # past and future are one video
        past = future = [*past, *future]
    return replace(recipe.network, past_times=tuple(past), future_times=tuple(future))


def divide(recipe: Recipe, archive: Archive) -> tuple[WindowList, AnySplit, Division]:
    """Return all windows of ``archive``, the resolved split, and the windows of each side.

    Raises:
        FramecastError: there is no window, or they cannot be split this way.
    """
    recipe = fit_to(recipe, archive)
    options = recipe.data
    frames = frame_spec(options, archive)
    windows = find_windows(
        archive, frames, stride=options.stride, tolerance=options.tolerance, max_masked=options.max_masked
    )
    split: AnySplit = options.split
    if isinstance(split, AutoSplit):
        split = split.resolve(windows)
    elif isinstance(split, TableSplit):
        split = split.pinned()
    elif isinstance(split, TimeSplit):
        split.check(archive.calendar)
    return windows, split, split.divide(windows)


def _check_model(model: ModelConfig) -> None:
    """Raise what building the model would raise, before a run's folder is touched."""
    if isinstance(model.network, OwnNetwork):
        network = build_network(model)
    else:
        with torch.device("meta"):
            network = build_network(model)
    check_size(network, model.frames.height, model.frames.width)
    attach(model, network)
    _ = model.conditioning


def _labels(data: ArchiveData, train: WindowDataset) -> tuple[str, ...]:
    """Return the classes of the labels, or raise `DataError` if no training window has one."""
    path = data.archive.path
    if not train.classes:
        raise DataError(
            f"{path} has no labels and data.labels is true: write them into it "
            "(docs/data-format.md, Labels), or set data.labels=false"
        )
    if all(train.label(index) == len(train.classes) for index in range(len(train))):
        raise DataError(
            f"no training window of {path} has a known label: write labels for these times, or set data.labels=false"
        )
    return train.classes


def own_frame_spec(options: DataOptions, windows: Windows) -> FrameSpec:
    """Return the frame specification of the first of ``windows``, with names from them or from ``options``.

    Raises:
        ConfigError: the cadence is not known, or a name is missing.
        DataError: the first window is not a pair of videos.
    """
    told = getattr(windows, "frames", None)
    if isinstance(told, FrameSpec):
        return told
    past, future, _ = windows.batch([0], None)
    if past.ndim != 5 or future.ndim != 5:
        raise DataError(
            f"{type(windows).__name__}.batch gives shapes {list(past.shape)} and {list(future.shape)}; they must be "
            "[batch, channel, time, height, width]"
        )
    timed = isinstance(options.past, tuple) and isinstance(options.future, tuple)
    if options.cadence is None and not timed:
        raise ConfigError(
            f"{type(windows).__name__} has no attribute frames, so the recipe must say the time between two frames: "
            "set data.cadence, such as data.cadence=5min"
        )
    seen = options.past_channels or tuple(str(k) for k in range(past.shape[1]))
    forecast = options.future_channels or seen[: future.shape[1]]
    if (len(seen), len(forecast)) != (past.shape[1], future.shape[1]):
        raise ConfigError(
            f"the windows have {past.shape[1]} past and {future.shape[1]} future channels, and {len(seen)} and "
            f"{len(forecast)} are named: set data.past_channels and data.future_channels"
        )
    counted = replace(
        options,
        past=options.past if isinstance(options.past, tuple) else past.shape[2],
        future=options.future if isinstance(options.future, tuple) else future.shape[2],
    )
    cadence = parse_duration(options.cadence) if options.cadence else 0.0
    return _frame_spec(counted, cadence, seen, forecast, (past.shape[3], past.shape[4]))


def _hash_of_names(windows: Windows) -> str:
    names = "\n".join(sorted(str(windows.name(index)) for index in range(len(windows))))
    return hashlib.sha256(names.encode()).hexdigest()


def frame_spec(options: DataOptions, archive: Archive) -> FrameSpec:
    """Return the frame specification that ``options`` mean for ``archive``."""
    seen = options.past_channels or archive.channels
    cadence = parse_duration(options.cadence) if options.cadence else archive.cadence
    return _frame_spec(options, cadence, seen, options.future_channels or seen, (archive.height, archive.width))


def _frame_spec(
    options: DataOptions, cadence: float, seen: tuple[str, ...], forecast: tuple[str, ...], size: tuple[int, int]
) -> FrameSpec:
    shared: dict[str, Any] = {"past_channels": seen, "future_channels": forecast, "height": size[0], "width": size[1]}
    if isinstance(options.past, int) and isinstance(options.future, int):
        return FrameSpec(past=options.past, future=options.future, cadence=cadence, **shared)
    return FrameSpec.at(*options.times(cadence), **shared)


def _normaliser(train: Samples, options: DataOptions, start: Start | None) -> Normaliser:
    """Return the stretches, fitted to the training windows; by default the curve of the model to start from."""
    curve: Any = options.curve
    softening: dict[str, Any] = options.softening
    if start is not None and curve == "auto":
        known = (*channels_of(train.frames), *channels_of_forcings(options.forcings))
        taken = start.curves(tuple(dict.fromkeys(known)))
        curve = {name: own for name, (own, _) in taken.items()}
        softening = {name: bend for name, (_, bend) in taken.items()} | softening
    fitted = fit_normaliser(train, curve=curve, softening=softening, saturation=options.saturation, dry=options.dry)
    stretches = fitted.stretches.items()
    return Normaliser(
        stretches={name: stretch.placed(centre=options.centre, spread=options.spread) for name, stretch in stretches}
    )


def _target(recipe: Recipe, train: Samples, normaliser: Normaliser, anomalies: Anomalies | None) -> AnyTarget:
    if recipe.target == "future":
        return Future()
    scale = fit_change_scale(train, normaliser, anomalies=anomalies, seed=recipe.training.seed)
    return Change(scale=scale) if recipe.target == "change" else Advected(scale=scale, motion=recipe.motion)
