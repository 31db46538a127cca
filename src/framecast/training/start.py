"""Starting from another model: settings that a recipe leaves open, and the initial weights, are those of that model.

It has two uses. A diffusion becomes a one-shot generator: at its noisiest time it gives the conditional mean, from
which an ensemble is learnt in minutes. And a released model is fine-tuned on the user's archive, for which the stretch
is fitted again. Channels and classes that are new to the model initially have no effect.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from framecast.core.configuration import kind_of, to_plain
from framecast.core.errors import ConfigError
from framecast.core.options import format_duration
from framecast.diffusion.sampling import SamplingOptions
from framecast.generators.kinds import DiffusionOptions, OneShotOptions
from framecast.models.checkpoint import read_config, read_weights
from framecast.models.config import ModelConfig
from framecast.models.header import find_model
from framecast.networks import OwnNetwork
from framecast.training.recipe import Recipe, frames_told
from framecast.videos.forcings import planes

Slice = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Start:
    """The model that a run starts from: where it is, and its configuration."""

    path: str
    config: ModelConfig

    @property
    def record(self) -> dict[str, str]:
        """The record of the starting model in a new model."""
        return {"model": self.config.name, "weights_sha256": self.config.weights_sha256}

    def weights(self) -> dict[str, Tensor]:
        """Return its weights by name."""
        return read_weights(find_model(self.path), self.config)

    def curves(self, channels: Sequence[str]) -> dict[str, tuple[Any, float | None]]:
        """Return curve and softening for each of ``channels``; ``auto`` for those that the model does not know."""
        seen = (*self.config.frames.past_channels, *self.config.frames.future_channels)
        names = _counterparts(tuple(dict.fromkeys(seen)), channels)
        stretches = {name: self.config.normaliser.stretches.get(names.get(name, "")) for name in channels}
        return {name: (own.curve, own.softening) if own else ("auto", None) for name, own in stretches.items()}


def open_start(recipe: Recipe) -> Start | None:
    """Return the model that ``recipe`` starts from, or nothing.

    Raises:
        FramecastError: there is no such model.
    """
    path = recipe.training.start
    return None if path is None else Start(path=path, config=read_config(find_model(path)))


def inherit(recipe: Recipe, start: Start) -> Recipe:
    """Return the recipe with what it leaves open as in the model that it starts from.

    These are the network, the generator, the numbers of frames and the sampling; for a one-shot generator also the
    diffusion of the starting model.

    Raises:
        ConfigError: the network, the target or the generator cannot be taken over.
    """
    model = start.config
    network = recipe.network or model.network
    if isinstance(network, OwnNetwork) != isinstance(model.network, OwnNetwork):
        raise ConfigError(f"network is {kind_of(network)}, and {start.path} has {kind_of(model.network)}: {_SAME}")
    if recipe.target != kind_of(model.target):
        raise ConfigError(
            f"target is {recipe.target}, and {start.path} was trained with target={kind_of(model.target)}: set that"
        )
    recipe = replace(recipe, network=network, **_generator(recipe, start))
    own = type(recipe.makes_members) is type(model.generator)
    if own and recipe.sampling == SamplingOptions(precision=recipe.sampling.precision):
        recipe = replace(recipe, sampling=replace(model.sampling, precision=recipe.sampling.precision))
    known = dict(zip(("past", "future"), frames_told(model.frames), strict=True))
    frames = {name: told for name, told in known.items() if getattr(recipe.data, name) == "auto"}
    forcings = recipe.data.forcings or model.forcings
    anomalies = recipe.data.anomalies or (model.anomalies.clocks if model.anomalies else ())
    return replace(recipe, data=replace(recipe.data, forcings=forcings, anomalies=anomalies, **frames))


_SAME = "start from a model with the same network, or leave network out of the recipe"


def _generator(recipe: Recipe, start: Start) -> dict[str, Any]:
    """Return the section on the generator for a recipe with this starting model."""
    given = start.config.generator
    if recipe.generator:
        return {}
    before = given if isinstance(given, DiffusionOptions) else getattr(given, "diffusion", None)
    if recipe.one_shot:
        return {"one_shot": replace(recipe.one_shot, diffusion=recipe.one_shot.diffusion or before)}
    if isinstance(given, OneShotOptions):
        if recipe.diffusion:
            raise ConfigError(f"{start.path} is a one-shot model: start a diffusion from a diffusion")
        return {"one_shot": given}
    if isinstance(given, DiffusionOptions):
        return {"diffusion": recipe.diffusion or given}
    return {"diffusion": recipe.diffusion} if recipe.diffusion else {"generator": given}


def differences(model: ModelConfig, start: Start) -> Iterator[str]:
    """Yield in words how ``model`` differs from its starting model."""
    before = start.config
    now, then = _facts(model), _facts(before)
    yield from (f"{name} {then[name]} → {now[name]}" for name in now if now[name] != then[name])
    for part, given, own in (
        ("network", before.network, model.network),
        ("generator", before.generator, model.generator),
    ):
        first, second = to_plain(given), to_plain(own)
        if first.get("kind") != second.get("kind"):
            yield f"{part} {first.get('kind')} → {second.get('kind')}"
            continue
        changed = [name for name in second if first.get(name) != second[name] and name != "loss"]
        yield from (f"{part}.{name} {_short(first.get(name))} → {_short(second[name])}" for name in changed)


def _facts(model: ModelConfig) -> dict[str, str]:
    frames = model.frames
    stretches = {name: stretch.describe().partition(" (")[0] for name, stretch in model.normaliser.stretches.items()}
    return {
        "past channels": ", ".join(frames.past_channels),
        "future channels": ", ".join(frames.future_channels),
        "past frames": str(frames.past),
        "future frames": str(frames.future),
        "times": "even" if frames.even else frames.describe(),
        "cadence": format_duration(frames.cadence),
        "size": f"{frames.height}×{frames.width}",
        "unit": model.unit,
        "stretch": "; ".join(f"{name} {text}" for name, text in stretches.items()),
        "anomalies": ", ".join(model.anomalies.clocks) if model.anomalies else "none",
        "known in advance": ", ".join(model.forcings) or "nothing",
        "classes": ", ".join(model.labels) or "none",
    }


def _short(value: Any) -> str:
    return value.get("kind", "…") if isinstance(value, Mapping) else str(value)


def load_start(network: nn.Module, model: ModelConfig, start: Start) -> list[str]:
    """Load the weights of the starting model into ``network``, that of ``model``, in place.

    Slices of a tensor that belong to one channel or class are matched by its name (a network says in ``channel_slices``
    which they are); where no name is common and there are as many, by their order. New channels and classes have no
    effect at first: their slices are 0.

    Returns:
        The names of the tensors that it lacks, which keep their initial values.

    Raises:
        ConfigError: the networks differ in more than that.
    """
    given, own = start.weights(), network.state_dict()
    now, before = _slices(network, model, model), _slices(network, start.config, model)
    taken: dict[str, Tensor | None] = {}
    for name, value in own.items():
        if name in now:
            taken[name] = _matched(value, given.get(name), now[name], before.get(name))
        elif name in given:
            taken[name] = given[name] if given[name].shape == value.shape else None
    unlike = [name for name, value in taken.items() if value is None]
    if unlike := unlike + sorted(set(given) - set(own) - set(before)):
        first, second = to_plain(start.config.network), to_plain(model.network)
        settings = [f"network.{name} is {own} and was {first.get(name)}" for name, own in second.items()]
        what = "; ".join(text for text in settings if len(set(text.split(" is ")[1].split(" and was "))) == 2)
        raise ConfigError(
            f"the network does not fit that of {start.path}: {what or f'tensor {unlike[0]} differs in shape'}: {_SAME}"
        )
    with torch.no_grad():
        for name, value in taken.items():
            if value is not None:
                own[name].copy_(value)
    return sorted(set(own) - set(taken))


def _matched(
    value: Tensor, given: Tensor | None, now: tuple[int, list[Slice]], before: tuple[int, list[Slice]] | None
) -> Tensor | None:
    """Return a tensor like ``value`` whose slices are those of ``given`` of the same names, else 0; None if unlike."""
    axis, names = now
    result = torch.zeros_like(value).movedim(axis, 0)
    if given is not None and before is not None:
        old, places = given.movedim(axis, 0), {name: k for k, name in enumerate(before[1])}
        if old.shape[1:] != result.shape[1:] or len(old) != len(places):
            return None
        for k, name in enumerate(names):
            if name in places:
                result[k] = old[places[name]]
    return result.movedim(0, axis)


def _slices(network: nn.Module, model: ModelConfig, named: ModelConfig) -> dict[str, tuple[int, list[Slice]]]:
    """Return the axis and the names (as in ``named``) of slices that a network has for each channel and class."""
    told = getattr(network, "channel_slices", None)
    if told is None:
        return {}
    frames, others = model.frames, named.frames
    pairs = (frames.past_channels, others.past_channels), (frames.future_channels, others.future_channels)
    stands = [{old: new for new, old in _counterparts(before, now).items()} for before, now in pairs]
    past, future = ([own.get(name, name) for name in names] for own, (names, _) in zip(stands, pairs, strict=True))
    return told(past=_given(model, past, future), future=future, classes=model.labels)


def _given(model: ModelConfig, past: Sequence[str], future: Sequence[str]) -> list[str]:
    """Return names of all input channels of the network besides the noise, in their order."""
    known = [f"{name} {k}" for name in model.forcings for k in range(planes([name]))]
    ahead = [f"moved {name}" for name in future] if model.representation.moves else []
    names = [*past, *(f"past {name}" for name in known), *ahead, *(f"future {name}" for name in known)]
    fields = [f"field {k}" for k in range(model.generator.fields)]
    return [*names, *(f"further {k}" for k in range(model.given_channels - len(names) - len(fields))), *fields]


def _counterparts(before: Sequence[str], now: Sequence[str]) -> dict[str, str]:
    """Return for each name of ``now`` the matching one of ``before``: the same, or by order if no name is common."""
    if not set(before) & set(now) and len(before) == len(now):
        return dict(zip(now, before, strict=True))
    return {name: name for name in now if name in before}
