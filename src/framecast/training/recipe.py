"""Recipes: a whole training run as one typed value.

A recipe is a YAML file: one of the user's, or a built-in one, in ``recipes/`` beside this file (`tiny`) or of a domain.
``framecast train NAME --print-config`` prints one to start from. Single values are changed with ``section.key=value``.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from torch import nn

from framecast.core.configuration import OneOf, OwnCode, from_plain, to_plain
from framecast.core.domain import domains
from framecast.core.errors import ConfigError
from framecast.core.options import format_offset, parse_duration, parse_offset
from framecast.core.reading import parse_yaml
from framecast.data.splits import AnySplit, AutoSplit
from framecast.data.windows import TOLERANCE
from framecast.diffusion.sampling import SamplingOptions
from framecast.generators.kinds import AnyGenerator, DiffusionOptions, OneShotOptions
from framecast.models.checkpoint import read_config
from framecast.models.header import find_model
from framecast.networks import AnyNetwork
from framecast.training import TrainingOptions
from framecast.training.watching import WatchOptions
from framecast.videos.forcings import ClockName
from framecast.videos.frames import FrameSpec
from framecast.videos.motion import AnyMotion, OpticalFlow
from framecast.videos.normalise import Curve


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Which windows of an archive are used, and how their pixels are stretched.

    Attributes:
        past_channels: input channels; ``None`` means all of the archive.
        future_channels: channels that are forecast; ``None`` means all past channels.
        forcings: inputs of the network that are known in advance, for past and future frames: ``hour`` (UTC),
            ``season``, and channels of the archive that are known of the future, too.
        anomalies: clocks among the forcings, ``hour``, ``season`` or both: each pixel's mean at that time is subtracted
            and the rest divided by the standard deviation then, instead of a curve; for fields with a daily or yearly
            cycle.
        past: number of past frames, or their times relative to the last one, such as ``[-12h, -8h, -4h, -2h, -1h,
            0h]``; ``auto`` chooses this, and what else is ``auto``, from the archive when it is opened.
        future: number of future frames, or their times, such as ``[1h, 2h, 4h, 8h, 12h]``.
        cadence: between two frames, such as ``2h``; ``None`` means the archive's.
        patch: side of the square that is cut from each frame in training, a different one each time, so that memory and
            time depend on it and not on the frame; forecasts are of full frames. ``None`` takes whole frames.
        stride: start a window at every so many frames of the archive.
        tolerance: how far a frame may be from its exact time, as a fraction of the cadence below 0.5; the nearest frame
            is taken. Use a larger value for archives with uneven times.
        max_masked: fraction of masked pixels in a frame above which a window is left out.
        curve: the stretch of every channel; ``auto`` chooses that of each one from its training pixels.
        softening: physical value at which the curve starts to compress, if not 1 or automatic: channel → value.
        saturation: physical value above which pixels are clipped: channel → value.
        dry: physical value below which pixels are set to zero, in input and output, such as 0.1 mm/h: channel → value.
        centre: normalised value of the mean pixel.
        spread: normalised value of one standard deviation.
        labels: whether the archive's label of each window, the class of its future, is an input of the network.
        split: how windows are split into training, validation and test.
        windows: a custom dataset in place of an archive, constructed once with ``side="train"`` and once with
            ``side="validation"`` (see `framecast.data.datasets.Windows`).
    """

    __pydantic_config__ = {"coerce_numbers_to_str": True}  # channels are often wavelengths

    past_channels: tuple[str, ...] | None = None
    future_channels: tuple[str, ...] | None = None
    forcings: tuple[str, ...] = ()
    anomalies: tuple[ClockName, ...] = ()
    past: int | Literal["auto"] | tuple[str, ...] = 6
    future: int | Literal["auto"] | tuple[str, ...] = 6
    cadence: str | None = None
    patch: int | Literal["auto"] | None = None
    stride: int = 1
    tolerance: float = TOLERANCE
    max_masked: float = 0.25
    curve: Curve | Literal["auto"] = "auto"
    softening: dict[str, float] = field(default_factory=dict)
    saturation: dict[str, float] = field(default_factory=dict)
    dry: dict[str, float] = field(default_factory=dict)
    centre: float = 0.0
    spread: float = 1.0
    labels: bool = False
    split: AnySplit = AutoSplit()
    windows: Annotated[OwnCode, OneOf(own=OwnCode)] | None = None

    def __post_init__(self) -> None:
        for name in ("past", "future", "stride", "spread"):
            value = getattr(self, name)
            if value != "auto" and not isinstance(value, tuple) and not value > 0:
                raise ConfigError(f"data.{name} is {value}; it must be positive")
        if isinstance(self.patch, int) and self.patch < 8:
            raise ConfigError(f"data.patch is {self.patch}; a patch has at least 8 pixels on each side")
        if not 0 <= self.tolerance < 0.5:
            raise ConfigError(f"data.tolerance is {self.tolerance}; it is a fraction of the cadence in [0, 0.5)")
        if not 0 <= self.max_masked <= 1:
            raise ConfigError(f"data.max_masked is {self.max_masked}; it is a fraction between 0 and 1")
        if self.cadence is not None:
            try:
                parse_duration(self.cadence)
            except ConfigError as error:
                raise ConfigError(f"data.cadence: {error}") from None
        if self.anomalies:
            self._check_anomalies()
        if isinstance(self.past, tuple) and isinstance(self.future, tuple):
            FrameSpec.at(*self.times(0.0), past_channels=("",), future_channels=("",), height=1, width=1)

    def _check_anomalies(self) -> None:
        if untold := [name for name in self.anomalies if name not in self.forcings]:
            raise ConfigError(f"data.anomalies names {untold[0]}, which data.forcings lacks: add it there")
        usual: dict[str, tuple[Any, ...]] = {"curve": ("auto", "linear"), "centre": (0.0,), "spread": (1.0,)}
        usual |= {"patch": (None,), "softening": ({},), "saturation": ({},), "dry": ({},)}
        for name, values in usual.items():
            if getattr(self, name) not in values:
                raise ConfigError(
                    f"data.{name} is {getattr(self, name)} and data.anomalies {', '.join(self.anomalies)}: anomalies "
                    f"of whole frames take the place of a stretch; leave data.{name} out"
                )

    def times(self, cadence: float) -> tuple[list[float], list[float]]:
        """Return the times of the past and the future frames in seconds; given as numbers, they are ``cadence`` apart.

        Raises:
            ConfigError: a time is written wrongly, or a number is ``auto``, which needs the archive.
        """
        if "auto" in (self.past, self.future):
            raise ConfigError("data.past and data.future are auto, which needs the archive")
        past = [-cadence * k for k in reversed(range(self.past))] if isinstance(self.past, int) else self.past
        future = [cadence * (k + 1) for k in range(self.future)] if isinstance(self.future, int) else self.future
        return [parse_offset(time) for time in past], [parse_offset(time) for time in future]


@dataclass(frozen=True, kw_only=True)
class DistillationOptions:
    """The teacher of a student, a diffusion model; stretch and target are those of the teacher.

    Attributes:
        teacher: a run's or model's folder, or the name of a released model.
        steps: of the teacher from noise to the clean video, an even number; the student makes half as many.
    """

    teacher: str
    steps: int

    def __post_init__(self) -> None:
        if self.steps < 2 or self.steps % 2:
            raise ConfigError(f"distillation.steps is {self.steps}; the teacher makes an even number of steps")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A training run.

    Attributes:
        name: what forecasts will call the model.
        data: windows and stretch.
        target: what x0 represents: the ``future`` itself, its ``change`` since the last frame, or since the last frame
            ``advected`` to each lead time, which is then a further input of the network.
        motion: source of the motion along which frames are advected.
        network: which network, with its options; if ``training.start`` names a model, it may be omitted, and settings
            without a ``kind`` change the network of that model.
        diffusion: noise schedule and prediction type; the default unless ``one_shot`` is set.
        one_shot: instead of a diffusion: one network evaluation per member, trained on the score of ensembles.
        generator: instead of both: a generator of any ``kind``, such as one of your own,
            ``my_package.my_module:MyOptions``.
        distillation: train on what a diffusion does in two steps, so that one step does it (``framecast distill``).
        training: steps, batch, optimizer, precision, checkpoints.
        watch: forecasts and scores during a run.
        sampling: how members are drawn by default.
    """

    name: str
    data: DataOptions = field(default_factory=DataOptions)
    target: Literal["future", "change", "advected"] = "change"
    motion: AnyMotion = OpticalFlow()
    network: AnyNetwork | None = None
    diffusion: DiffusionOptions | None = None
    one_shot: OneShotOptions | None = None
    generator: AnyGenerator | None = None
    distillation: DistillationOptions | None = None
    training: TrainingOptions = field(default_factory=TrainingOptions)
    watch: WatchOptions = field(default_factory=WatchOptions)
    sampling: SamplingOptions = field(default_factory=SamplingOptions)

    def __post_init__(self) -> None:
        given = [name for name in ("diffusion", "one_shot", "generator") if getattr(self, name)]
        if len(given) > 1:
            raise ConfigError(f"a recipe has one generator, this one has {' and '.join(given)}: set the others to null")
        if findings := list(self._contradictions()):
            raise ConfigError(*findings)

    def _contradictions(self) -> Iterator[str]:
        """Yield settings that cannot be combined, for any archive."""
        try:
            self.makes_members.attach(nn.Identity(), classes=0)
        except ConfigError as error:
            yield str(error)
        try:
            self.makes_members.check(self.sampling)
        except ConfigError as error:
            yield str(error)
        if self.data.anomalies and self.training.flips:
            yield f"training.flips is {list(self.training.flips)}, and data.anomalies are of places: set it to []"
        ours = self.one_shot
        inner = any(getattr(self.network, name, 0) for name in ("noise_vector", "dropout"))
        if ours and self.network and not (ours.pixels or ours.fields or inner):
            yield "one_shot has no noise, so all members would be identical: use pixels, fields or noise_vector"
        inherited = self.training.start and not (self.diffusion or ours or self.generator)
        if inner and isinstance(self.makes_members, DiffusionOptions) and not inherited:
            yield "network.noise_vector and network.dropout are noise of one-shot models: set them to 0 for a diffusion"
        if self.diffusion and self.diffusion.masks and self.target != "future":
            yield f"diffusion.masks needs target=future, and target is {self.target}"

    @property
    def makes_members(self) -> AnyGenerator:
        """What turns the network's output into members."""
        return self.generator or self.one_shot or self.diffusion or DiffusionOptions()


def frames_told(frames: FrameSpec) -> tuple[Any, Any]:
    """Return ``data.past`` and ``data.future`` as a recipe gives them for ``frames``."""
    if frames.even:
        return frames.past, frames.future
    return tuple(map(format_offset, frames.past_times)), tuple(map(format_offset, frames.lead_times))


def built_in_recipes() -> dict[str, Path]:
    """Return the file of every built-in recipe by name: the general ones, then those of each domain."""
    own = {path.stem: path for path in sorted(Path(__file__).with_name("recipes").glob("*.yaml"))}
    return own | {name: path for domain in domains() for name, path in domain.recipes.items()}


def load_recipe(source: str | Path | Recipe, changes: Sequence[str] | Mapping[str, Any] = ()) -> Recipe:
    """Return the recipe meant by ``source`` with ``changes`` applied.

    Args:
        source: the name of a built-in recipe, the path of a YAML file, or a recipe.
        changes: ``section.key=value``, the value written as in YAML; or a mapping of ``section.key``, or of a section,
            to values.

    Raises:
        ConfigError: there is no such recipe, or keys or values are wrong; all of them are named.
        FramecastError: the network is that of a model to start from with changes, and there is no such model.
    """
    where, plain = _read(source)
    pairs = _settings(changes) if isinstance(changes, Mapping) else map(_parse, changes)
    for key, value in pairs:
        _set(plain, key, value)
    network, start = plain.get("network"), _start(plain)
    if start and isinstance(network, Mapping) and "kind" not in network:
        plain["network"] = to_plain(read_config(find_model(start)).network) | dict(network)
    return from_plain(Recipe, plain, where=where, trusted=True)


def _start(plain: Mapping[str, Any]) -> str | None:
    """Return the model to start from that a recipe names."""
    training = plain.get("training")
    start = training.get("start") if isinstance(training, Mapping) else getattr(training, "start", None)
    return start if isinstance(start, str) else None


def settings(changes: Sequence[str]) -> dict[str, Any]:
    """Return ``section.key=value``, as they are typed, as dotted names and values.

    Raises:
        ConfigError: one of them is written wrongly.
    """
    return dict(_settings(dict(map(_parse, changes))))


def dump_recipe(recipe: Recipe) -> str:
    """Return the recipe as YAML; `load_recipe` makes the same recipe of it."""
    return yaml.safe_dump(to_plain(recipe), sort_keys=False, allow_unicode=True)


def _read(source: str | Path | Recipe) -> tuple[str, dict[str, Any]]:
    if isinstance(source, Recipe):
        return f"recipe {source.name}", {each.name: getattr(source, each.name) for each in fields(source)}
    path, known = Path(source), built_in_recipes()
    if str(source) in known and not path.is_file():
        where, plain = f"recipe {source}", _parsed(known[str(source)])
        return where, to_plain(from_plain(Recipe, plain, where=where, trusted=True))
    if not path.is_file():
        nearest = difflib.get_close_matches(str(source), known, n=1)
        hint = f"; did you mean {nearest[0]}?" if nearest else ""
        raise ConfigError(f"{source} is neither a recipe ({', '.join(known)}) nor a YAML file{hint}")
    return str(path), _parsed(path)


def _parsed(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from None
    plain = parse_yaml(text, str(path))
    if not isinstance(plain, dict):
        raise ConfigError(f"{path} contains {type(plain).__name__}; it must contain the sections of a recipe")
    return plain


def _parse(change: str) -> tuple[str, Any]:
    key, separator, text = change.partition("=")
    if not separator or not key:
        raise ConfigError(f"{change!r} is not a valid override: write section.key=value, such as training.steps=500")
    try:
        return key, parse_yaml(text, change)
    except ConfigError:
        raise ConfigError(f"{change!r} has a value that is not valid YAML: put quotes around it") from None


def _settings(changes: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield dotted names and values; each setting of a section separately, so that its others are unchanged."""
    for key, value in changes.items():
        if isinstance(value, Mapping) and "." not in key:
            for name in sorted(value, key=lambda name: name != "kind"):
                yield f"{key}.{name}", value[name]
        else:
            yield key, value


def _set(plain: dict[str, Any], key: str, value: Any) -> None:
    """Put ``value`` where the dotted ``key`` says."""
    *sections, last = key.split(".")
    here = plain
    for section in sections:
        if is_dataclass(here.get(section)):
            here[section] = to_plain(here[section])
        if here.get(section) is None:
            here[section] = {}
        here = here[section]
        if not isinstance(here, dict):
            raise ConfigError(f"{key} cannot be set: {section} is a single value, not a section")
    if sections and last == "kind" and here.get("kind") != value:
        here.clear()  # another kind has other settings
    here[last] = value
