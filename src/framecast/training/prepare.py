"""From a recipe and an archive to everything a training run starts from."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from framecast.core.configuration import to_plain
from framecast.core.domain import ATTRIBUTE
from framecast.core.errors import ConfigError, DataError
from framecast.data.archive.reader import Archive
from framecast.data.datasets import WindowDataset
from framecast.data.split_table import TableSplit
from framecast.data.splits import SIDES, AnySplit, AutoSplit, Division
from framecast.data.statistics import fit_change_scale, fit_normaliser
from framecast.data.windows import Windows, find_windows, manifest_hash
from framecast.models.checkpoint import ModelConfig, attach, build_network
from framecast.training.recipe import DataOptions, Recipe
from framecast.videos.frames import FrameSpec, parse_duration
from framecast.videos.normalise import Normaliser
from framecast.videos.target import AnyTarget, Change, Future, check_target


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What a training run starts from.

    Attributes:
        recipe: with epochs resolved to steps and the split written out.
        archive: the open archive.
        windows: all windows, with what was rejected.
        sides: windows by side: ``train``, ``validation``, ``test``, and ``dropped`` between them.
        model: the model's configuration.
    """

    recipe: Recipe
    archive: Archive
    windows: Windows
    sides: dict[str, Windows]
    model: ModelConfig

    def dataset(self, side: str) -> WindowDataset:
        """Return the windows of a side, ready to be read."""
        return _dataset(self.archive, self.sides[side], self.model.frames, self.recipe)

    def in_precision(self, *, training: Any, sampling: Any) -> "Prepared":
        """Return the same with these precisions in the recipe and the model."""
        options = replace(self.recipe.training, precision=training)
        drawing = replace(self.recipe.sampling, precision=sampling)
        recipe = replace(self.recipe, training=options, sampling=drawing)
        return replace(self, recipe=recipe, model=replace(self.model, sampling=drawing))

    @property
    def stretch(self) -> str:
        """The stretch of each channel and why it was chosen, on one line."""
        parts = (f"{name} {stretch.describe()}" for name, stretch in self.model.normaliser.stretches.items())
        return f"stretch: {'; '.join(parts)}"

    @property
    def data_record(self) -> dict[str, Any]:
        """What the run must remember of its data."""
        attrs, domain = self.archive.attrs, self.archive.domain
        return {
            "archive": str(self.archive.path.resolve()),
            "windows": {side: len(windows) for side, windows in self.sides.items()},
            "rejected": dict(self.windows.rejected),
            "split": to_plain(self.recipe.data.split),
            "hashes": {side: manifest_hash(self.sides[side]) for side in SIDES if self.sides[side]},
            # How the images were made, so that a forecast can make its own alike.
            "images": {name: attrs[name] for name in domain.image_attributes if name in attrs},
            **({ATTRIBUTE: domain.name} if domain.name else {}),
        }


def prepare(recipe: Recipe, archive: Archive) -> Prepared:
    """Find and divide the windows, fit the stretch on the training side, and describe the model.

    Raises:
        FramecastError: archive and recipe do not go together; the message says why.
    """
    options = recipe.data
    frames = frame_spec(options, archive)
    recipe.network.check_size(frames.height, frames.width)
    check_target(recipe.target, frames)
    recipe.generator.check(recipe.sampling)
    recipe.sampling.check_channels(frames.future_channels)
    windows, split, sides = divide(recipe, archive)
    for side in ("train", "validation"):
        if not sides[side]:
            raise DataError(
                f"the split leaves no {side} window of {len(windows)} in {archive.path}: change data.split, "
                "or give more or longer sequences"
            )
    recipe = replace(recipe, data=replace(options, split=split), training=recipe.training.resolved(len(sides["train"])))
    train = _dataset(archive, sides["train"], frames, recipe)
    normaliser = _normaliser(train, options)
    model = ModelConfig(
        name=recipe.name,
        unit=archive.unit,
        frames=frames,
        normaliser=normaliser,
        target=_target(recipe.target, train, normaliser, recipe.training.seed),
        network=recipe.network,
        generator=recipe.generator,
        sampling=recipe.sampling,
        labels=_labels(options, train),
        split=split,
        stride=options.stride,
        max_masked=options.max_masked,
    )
    _check_model(recipe, model)
    return Prepared(recipe=recipe, archive=archive, windows=windows, sides=sides, model=model)


def divide(recipe: Recipe, archive: Archive) -> tuple[Windows, AnySplit, Division]:
    """Return all windows of ``archive``, the split with nothing left open, and the windows of each side.

    Raises:
        FramecastError: there is no window, or they cannot be divided this way.
    """
    options = recipe.data
    frames = frame_spec(options, archive)
    windows = find_windows(archive, frames, stride=options.stride, max_masked=options.max_masked)
    split: AnySplit = options.split
    if isinstance(split, AutoSplit):
        split = split.resolve(windows)
    elif isinstance(split, TableSplit):
        split = split.pinned()
    return windows, split, split.divide(windows)


def _check_model(recipe: Recipe, model: ModelConfig) -> None:
    """Raise what building the model would raise, before a run's folder is touched."""
    with torch.device("meta"):
        network = build_network(model)
    attach(model, network)
    _ = model.conditioning


def _labels(options: DataOptions, train: WindowDataset) -> tuple[str, ...]:
    """Return the classes that the network is told, none unless the recipe asks for them.

    Raises:
        DataError: the archive has no labels, or none of a training window is known.
    """
    if not options.labels:
        return ()
    classes = train.archive.classes
    if not classes:
        raise DataError(
            f"{train.archive.path} has no labels and data.labels is true: write them into it "
            "(docs/data-format.md, Labels), or set data.labels=false"
        )
    if all(train.label(index) == len(classes) for index in range(len(train))):
        raise DataError(
            f"no training window of {train.archive.path} has a known label: write labels for these times, "
            "or set data.labels=false"
        )
    return classes


def frame_spec(options: DataOptions, archive: Archive) -> FrameSpec:
    """Return the frame specification that ``options`` mean for ``archive``."""
    past_channels = options.past_channels or archive.channels
    return FrameSpec(
        past_channels=past_channels,
        future_channels=options.future_channels or past_channels,
        past=options.past,
        future=options.future,
        cadence=parse_duration(options.cadence) if options.cadence else archive.cadence,
        height=archive.height,
        width=archive.width,
    )


def choose_device(name: str | None) -> torch.device:
    """Return the device called ``name``; without a name the GPU if there is one.

    Raises:
        ConfigError: there is no such device here.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"device {name!r} cannot be used here ({str(error).splitlines()[0]})") from None
    return device


def _dataset(archive: Archive, windows: Windows, frames: FrameSpec, recipe: Recipe) -> WindowDataset:
    options = recipe.training
    cache = int(options.cache_gib * 2**30)
    return WindowDataset(archive, windows, frames, cache_bytes=cache, flips=options.flips, seed=options.seed)


def _normaliser(train: WindowDataset, options: DataOptions) -> Normaliser:
    fitted = fit_normaliser(
        train,
        curve=options.curve,
        softening=_for_all(options.softening, train.frames, None),
        saturation=_for_all(options.saturation, train.frames, None),
    )
    stretches = fitted.stretches.items()
    return Normaliser(
        stretches={name: stretch.placed(centre=options.centre, spread=options.spread) for name, stretch in stretches}
    )


def _for_all(given: Mapping[str, float], frames: FrameSpec, default: None) -> dict[str, Any]:
    """Return a value for every channel: the one given, else ``default``."""
    return {name: given.get(name, default) for name in (*frames.past_channels, *frames.future_channels)}


def _target(kind: str, train: WindowDataset, normaliser: Normaliser, seed: int) -> AnyTarget:
    if kind == "future":
        return Future()
    return Change(scale=fit_change_scale(train, normaliser, seed=seed))
