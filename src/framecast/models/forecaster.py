"""Ensembles in physical units: a past goes in, an ``xarray.DataArray`` of possible futures comes out."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal, TypedDict, Unpack

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from framecast._version import __version__
from framecast.core.errors import ConfigError, DataError
from framecast.diffusion.guidance import Guidance
from framecast.diffusion.sampler import AnySampler
from framecast.diffusion.sampling import SamplingOptions
from framecast.diffusion.times import AnyGrid
from framecast.generators.generator import Bounds, Generator
from framecast.models.members import draw_members, numbered
from framecast.models.precision import Choice, asked, choose
from framecast.networks.compiled import compile_network
from framecast.videos.conditioning import Conditioning, GivenFrames
from framecast.videos.frames import FrameSpec
from framecast.videos.labelled import Video, to_ensemble, to_tensor, turned_axes
from framecast.videos.normalise import Normaliser


class Choices(TypedDict, total=False):
    """Settings of `SamplingOptions` that a call may give in place of the model's own; None is the model's own."""

    sampler: AnySampler | None
    grid: AnyGrid | None
    steps: int | None
    guidance: Guidance | None
    clip: dict[str, tuple[float, float]] | None
    precision: Literal["auto", "float32", "bf16"] | None


class Forecaster:
    """A trained model that forecasts.

    Args:
        generator: the trained network with what makes members of its output.
        conditioning: how a past is put before it.
        sampling: the default sampler, grid and steps.
        unit: physical unit of the videos.
        name: what forecasts call the model.
        labels: names of the classes that ``label`` may give, in order; empty for a model without labels.
        fingerprint: checksum of the weights, so that a forecast says which they were.
    """

    def __init__(
        self,
        generator: Generator,
        conditioning: Conditioning,
        *,
        sampling: SamplingOptions,
        unit: str,
        name: str,
        labels: Sequence[str] = (),
        fingerprint: str = "",
    ) -> None:
        self.generator = generator.eval()
        self.conditioning = conditioning
        self.sampling = sampling
        self.unit = unit
        self.name = name
        self.labels = tuple(labels)
        self.fingerprint = fingerprint
        self._chosen: dict[torch.device, Choice] = {}

    @property
    def frames(self) -> FrameSpec:
        """What the model sees and forecasts, at the size it was trained on."""
        return self.conditioning.representation.frames

    @property
    def normaliser(self) -> Normaliser:
        """The stretch of every channel."""
        return self.conditioning.representation.normaliser

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.generator.parameters()).device

    def to(self, device: str | torch.device) -> "Forecaster":
        """Move the network to ``device`` and return self."""
        self.generator.to(device)
        return self

    def compile(self) -> "Forecaster":
        """Compile the network and return self: the first forecast takes a minute longer, those after it less time.

        Other numbers of members compile nothing again; see `framecast.networks.compiled`.
        """
        self.precision(self.sampling)  # measured before: each precision would be compiled otherwise
        compile_network(self.generator.network)
        return self

    def options(self, **choices: Unpack[Choices]) -> SamplingOptions:
        """Return the model's sampling options with those of ``choices`` in their place that are not None."""
        given: dict[str, Any] = {name: value for name, value in choices.items() if value is not None}
        return replace(self.sampling, **given)

    def precision(self, options: SamplingOptions) -> Choice:
        """Return the precision that ``options`` come to on the device of the network, and why.

        What ``auto`` comes to stays the same on one machine; see `framecast.models.precision`.
        """
        if options.precision != "auto":
            return asked(options.precision, self.device)
        if self.device not in self._chosen:
            network = self.generator.network
            self._chosen[self.device] = choose(lambda: network, self.device, self.conditioning, job="forecast")
        return self._chosen[self.device]

    def settle(self, options: SamplingOptions) -> SamplingOptions:
        """Return ``options`` with the precision of `precision` in the place of ``auto``."""
        return replace(options, precision=self.precision(options).precision)

    def forecast(
        self,
        past: Video,
        label: str | None = None,
        *,
        members: int = 20,
        seed: int = 0,
        chunk: int | None = None,
        progress: Callable[[int], None] | None = None,
        **choices: Unpack[Choices],
    ) -> xr.DataArray:
        """Return an ensemble of futures for one past.

        Args:
            past: ``[channel, time, y, x]`` in physical units, NaN where masked. A DataArray may have its axes in any
                order and more channels than the model needs; its times must have the model's cadence.
            label: the class, for models with labels; ``None`` draws without one.
            members: size of the ensemble.
            seed: the same seed gives the same members; member m does not depend on ``members``.
            chunk: members drawn at once; by default as many as are drawn fastest.
            progress: called with the number of members finished since the last call.
            choices: ``sampler``, ``grid``, ``steps`` (network evaluations per member), ``guidance``, ``precision`` and
                ``clip`` (channel -> lowest and highest value), in place of the model's own.

        Returns:
            ``(member, lead_time, channel, y, x)`` in the physical unit, with ``valid_time`` where the past has times;
            the attributes say which model, seed, sampler and steps made it.

        Raises:
            DataError: the past has other channels, frames, cadence or an impossible size.
            ConfigError: the model has no such class, or cannot be sampled this way.
        """
        options = self.settle(self.options(**choices))
        pixels = to_tensor(past, self.frames, unit=self.unit)
        if lost := self.normaliser.losses(pixels, self.frames.past_channels):
            warnings.warn(f"past: {lost}", stacklevel=2)
        drawn = self.draw(
            pixels,
            members=numbered(members),
            seed=seed,
            label=label,
            options=options,
            chunk=chunk,
            progress=progress,
        )
        return to_ensemble(drawn, past, self.frames, attrs=self._attrs(seed, options, label))

    def rollout(
        self,
        past: Video,
        label: str | None = None,
        *,
        blocks: int,
        members: int = 20,
        seed: int = 0,
        chunk: int | None = None,
        **choices: Unpack[Choices],
    ) -> Iterator[xr.DataArray]:
        """Forecast further than the model's F frames, block by block, each member from its own past.

        Memory does not grow with the horizon: a block is yielded when it is done and only its last P frames are kept.
        The first block is what `forecast` returns.

        Args:
            past: see `forecast`.
            label: see `forecast`.
            blocks: how many times F frames.
            members: see `forecast`.
            seed: see `forecast`.
            chunk: see `forecast`.
            choices: see `forecast`.

        Yields:
            ``(member, lead_time, channel, y, x)``; lead times go on from block to block.

        Raises:
            ConfigError: the model sees a channel that it does not forecast.
        """
        if blocks < 1:
            raise ConfigError(f"blocks is {blocks}; a forecast has at least one")
        frames = self.frames
        unknown = [name for name in frames.past_channels if name not in frames.future_channels]
        if unknown:
            raise ConfigError(
                f"the model sees {', '.join(unknown)} and does not forecast it, so that its forecast cannot become the "
                "next past: train with data.future_channels that include all past channels"
            )
        order = [frames.future_channels.index(name) for name in frames.past_channels]
        options = self.settle(self.options(**choices))
        pasts = to_tensor(past, frames, unit=self.unit)[None].expand(len(numbered(members)), *([-1] * 4))
        for block in range(blocks):
            drawn = self.draw(
                pasts, members=numbered(members), seed=seed, label=label, options=options, chunk=chunk, block=block
            )
            attrs = self._attrs(seed, options, label)
            yield to_ensemble(drawn, past, frames, attrs=attrs, first_lead=block * frames.future)
            pasts = torch.cat([pasts, drawn[:, order]], dim=-3)[..., -frames.past :, :, :]

    def fill(
        self,
        video: Video,
        given: Sequence[bool] | np.ndarray,
        *,
        members: int = 20,
        seed: int = 0,
        chunk: int | None = None,
        **choices: Unpack[Choices],
    ) -> Tensor:
        """Generate the frames of a video that are not given, for a model trained with frame masks.

        Args:
            video: P + F frames ``[channel, time, y, x]`` in physical units; what stands in frames that are not given
                does not matter.
            given: for each frame whether it is given: the first ones to forecast, the last ones to look back, those
                around a gap to fill it, none to make a video from nothing.
            members: see `forecast`.
            seed: see `forecast`.
            chunk: see `forecast`.
            choices: see `forecast`.

        Returns:
            ``[member, channel, time, y, x]`` in physical units, P + F frames, the given ones as they were.

        Raises:
            ConfigError: the model was not trained with frame masks.
            DataError: the video has not P + F frames.
        """
        if not isinstance(self.conditioning, GivenFrames):
            raise ConfigError(f"{self.name} was trained to forecast only: train with diffusion.masks to fill frames")
        options = self.settle(self.options(**choices))
        known = to_tensor(video, self.frames, unit=self.unit).to(self.device)
        marks = torch.as_tensor(np.asarray(given, dtype=bool), device=self.device)
        condition = self.conditioning.condition_on(known[None], marks[None])
        shape = self.conditioning.shape(*known.shape[-2:])
        chunks = draw_members(
            self.generator,
            condition,
            shape,
            members=numbered(members),
            seed=seed,
            sample_key=0,
            class_index=self._class(None),
            options=options,
            chunk=chunk,
            bounds=self._bounds(known[None], options),
        )
        generated = torch.cat([self.conditioning.video(x0).cpu() for _, x0 in chunks])
        return torch.where(marks.cpu()[:, None, None], known.cpu(), generated).flip(turned_axes(video))

    def draw(
        self,
        past: Tensor,
        *,
        members: Sequence[int],
        seed: int,
        sample_key: int = 0,
        label: str | None = None,
        options: SamplingOptions | None = None,
        chunk: int | None = None,
        block: int = 0,
        progress: Callable[[int], None] | None = None,
    ) -> Tensor:
        """Return members as a tensor on the CPU, ``[member, channel, lead time, y, x]`` in physical units.

        Args:
            past: ``[channel, time, y, x]`` for all members or ``[member, channel, time, y, x]`` for each, physical
                units, NaN where masked.
            members: which members of the ensemble.
            seed: see `forecast`.
            sample_key: tells this past from others that are forecast with the same seed.
            label: see `forecast`.
            options: by default the model's own.
            chunk: see `forecast`.
            block: number of this block in a rollout.
            progress: see `forecast`.
        """
        pasts = past.to(self.device, torch.float32)
        if torch.isnan(pasts).all():
            raise DataError("the past holds no known pixel, only NaN: nothing can be forecast from it")
        if pasts.ndim == 4:
            pasts = pasts[None]
        options = self.settle(options or self.sampling)
        chunks = draw_members(
            self.generator,
            self.conditioning.condition(pasts),
            self.conditioning.shape(*pasts.shape[-2:]),
            members=members,
            seed=seed,
            sample_key=sample_key,
            class_index=self._class(label),
            options=options,
            chunk=chunk,
            block=block,
            bounds=self._bounds(pasts, options),
        )
        drawn = []
        for chosen, x0 in chunks:
            drawn.append(self.conditioning.future(x0, pasts[chosen] if len(pasts) > 1 else pasts).cpu())
            if progress:
                progress(len(x0))
        return torch.cat(drawn)

    def provenance(self, seed: int, options: SamplingOptions) -> dict[str, Any]:
        """Return what a forecast must say of its making, as JSON values."""
        return {
            "model": self.name,
            "weights_sha256": self.fingerprint,
            "framecast_version": __version__,
            "seed": seed,
            "precision": options.precision,
            **({"clip": {name: list(bounds) for name, bounds in options.clip.items()}} if options.clip else {}),
            **self.generator.describe(options),
        }

    def _attrs(self, seed: int, options: SamplingOptions, label: str | None) -> dict[str, Any]:
        attrs = {"unit": self.unit, "units": self.unit, **self.provenance(seed, options)}
        return attrs if label is None else {**attrs, "label": label}

    def _bounds(self, past: Tensor, options: SamplingOptions) -> Bounds | None:
        options.check_channels(self.frames.future_channels)
        return self.conditioning.bounds(past, options.clip) if options.clip else None

    def _class(self, label: str | None) -> int | None:
        if label is None:
            return len(self.labels) if self.labels else None
        if label not in self.labels:
            known = ", ".join(self.labels) or "none: this model has no labels"
            raise ConfigError(f"{label!r} is no class of this model; known: {known}")
        return self.labels.index(label)
