"""Ensembles in physical units: a past goes in, an ``xarray.DataArray`` of possible futures comes out."""

import hashlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import count, islice
from typing import Any, Literal, TypedDict, Unpack

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from framecast._version import __version__
from framecast.core.configuration import from_plain
from framecast.core.errors import ConfigError, DataError, FramecastWarning
from framecast.core.options import parse_duration
from framecast.core.progress import Progress, Task, track
from framecast.data.archive.reader import Archive
from framecast.data.windows import Window
from framecast.diffusion.guidance import Guidance
from framecast.diffusion.sampler import Sampler
from framecast.diffusion.sampling import SamplingOptions, parse_part
from framecast.diffusion.times import Grid
from framecast.generators.denoiser import Denoiser
from framecast.generators.generator import Bounds, Generator
from framecast.generators.one_shot import OneShot
from framecast.generators.refined import Refined
from framecast.models.config import ModelConfig
from framecast.models.intervals import intervals
from framecast.models.members import Draw, draw_members, numbered, of_members
from framecast.models.precision import Choice, asked, choose
from framecast.models.reference import Reference
from framecast.networks.compiled import compile_network
from framecast.verification.recalibration.calibration import Calibration
from framecast.videos.conditioning import Conditioning, GivenFrames
from framecast.videos.forcings import assemble, channels_of_forcings
from framecast.videos.frames import FrameSpec
from framecast.videos.labelled import (
    Video,
    Videos,
    field_tensor,
    is_batch,
    issue_times,
    one_video,
    pixels_of,
    to_ensemble,
    to_tensor,
    turned_axes,
    unstack,
)
from framecast.videos.target import Advected, seen_before


class Choices(TypedDict, total=False):
    """Settings of `SamplingOptions` that a call may give in place of the model's own; None is the model's own.

    A sampler or a grid may be given as text, ``ddim:eta=0.5``, and guidance by its scale alone.
    """

    sampler: Sampler | str | None
    grid: Grid | str | None
    steps: int | None
    guidance: Guidance | float | None
    clip: dict[str, tuple[float, float]] | None
    tile: int | None
    precision: Literal["auto", "float32", "bf16"] | None


class Forecaster:
    """A trained model that forecasts.

    Args:
        config: the model's configuration, everything but its weights.
        generator: the trained network with the sampling procedure.
        calibration: calibration of its intervals, if there is one.
        reference: description of its training data, if stored.

    Attributes:
        name: of the model in forecasts.
        unit: physical unit of the forecasts.
        frames: channels, frames, cadence and size that the model was trained on.
        labels: names of the classes that ``label`` may give, in order; empty for a model without labels.
        sampling: the default sampler, grid and steps.
        normaliser: the stretch of every channel.
    """

    def __init__(
        self,
        config: ModelConfig,
        generator: Generator,
        *,
        calibration: Calibration | None = None,
        reference: Reference | None = None,
    ) -> None:
        self.config = config
        self.name, self.unit, self.frames = config.name, config.future_unit, config.frames
        self.labels, self.sampling, self.normaliser = config.labels, config.sampling, config.normaliser
        self.generator = generator.eval()
        self.calibration = calibration
        self.reference = reference
        self._chosen: dict[torch.device, Choice] = {}

    @cached_property
    def conditioning(self) -> Conditioning:
        """Converts a past to the network's input."""
        return self.config.conditioning

    @property
    def generators(self) -> tuple[Generator, ...]:
        """The generator that draws the members."""
        return self.generator.parts if isinstance(self.generator, Refined) else (self.generator,)

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.generator.parameters()).device

    def to(self, device: str | torch.device) -> "Forecaster":
        """Move the network to ``device`` and return self."""
        self.generator.to(device)
        return self

    def refined(self, by: "Forecaster", *, steps: int = 3, log_snr: float = 0.0) -> "Forecaster":
        """Return a forecaster whose members are this one-shot model's, noised and denoised by a diffusion's last steps.

        Args:
            by: a diffusion that sees, forecasts and normalises as this model does, such as the one it started from.
            steps: network evaluations of the diffusion, beside the one of this model.
            log_snr: log(alpha / sigma) to which the members are noised; lower values give the diffusion more influence.

        Raises:
            ConfigError: the models are of the wrong kinds, or differ in the meaning of x0.
        """
        first, then = self.generator, by.generator
        if not isinstance(first, OneShot) or not isinstance(then, Denoiser):
            raise ConfigError(
                f"{self.name} is refined by {by.name}: members of a one-shot model are refined by a diffusion"
            )
        if self.config.representation != by.config.representation or self.labels != by.labels:
            raise ConfigError(
                f"{self.name} and {by.name} differ in channels, frames, stretch or target: refine by the diffusion "
                "that the one-shot model started from, trained on the same windows"
            )
        digest = hashlib.sha256((self.config.weights_sha256 + by.config.weights_sha256).encode()).hexdigest()
        config = replace(
            by.config,
            name=f"{self.name}+{by.name}",
            sampling=replace(by.sampling, steps=steps),
            weights_sha256=digest,
        )
        return Forecaster(config, Refined(first, then, log_snr=log_snr))

    def compile(self) -> "Forecaster":
        """Compile the network and return self: the first forecast takes a minute longer, those after it less time.

        Other numbers of members need no further compilation; see `framecast.networks.compiled`.
        """
        self.precision(self.sampling)  # measured first: otherwise each precision would be compiled
        compile_network(self.generator.network)
        return self

    def options(self, **choices: Unpack[Choices]) -> SamplingOptions:
        """Return the model's sampling options with those of ``choices`` in their place that are not None.

        Raises:
            ConfigError: no such sampler or grid, an impossible setting of it, or members cannot be drawn this way.
        """
        given: dict[str, Any] = {name: value for name, value in choices.items() if value is not None}
        texts = {name: parse_part(value) for name, value in given.items() if isinstance(value, str)}
        named = {name: plain for name, plain in texts.items() if name in ("sampler", "grid")}
        if named:
            parsed = from_plain(SamplingOptions, named, where="sampling", trusted=True)
            given |= {name: getattr(parsed, name) for name in named}
        if isinstance(scale := given.get("guidance"), int | float):
            given["guidance"] = replace(self.sampling.guidance, scale=float(scale))
        options = replace(self.sampling, **given)
        self.config.generator.check(options)
        options.check_channels(self.frames.future_channels)
        return options

    def precision(self, options: SamplingOptions) -> Choice:
        """Return the precision that ``options`` select on the device of the network, and why.

        ``auto`` selects the same on one machine always; see `framecast.models.precision`.
        """
        if options.precision != "auto":
            return asked(options.precision, self.device)
        if self.device not in self._chosen:
            network = self.generator.network
            self._chosen[self.device] = choose(lambda: network, self.device, self.config, job="forecast")
        return self._chosen[self.device]

    def settle(self, options: SamplingOptions) -> SamplingOptions:
        """Return ``options`` with the precision of `precision` in the place of ``auto``."""
        return replace(options, precision=self.precision(options).precision)

    def forecast(
        self,
        past: Video | Videos,
        label: str | Sequence[str | None] | None = None,
        *,
        members: int = 20,
        seed: int = 0,
        chunk: int | None = None,
        horizon: str | None = None,
        forcings: Mapping[str, Any] | None = None,
        progress: Progress = False,
        **choices: Unpack[Choices],
    ) -> xr.DataArray:
        """Return an ensemble of futures for one past, or one for each of many.

        Args:
            past: ``[channel, time, y, x]`` in physical units, NaN where masked. A DataArray may have its axes in any
                order and more channels than the model needs; its times must have the model's cadence. Many pasts are
                a list of such, an array or tensor with a batch axis in front, or a DataArray or Dataset with one more
                dimension. The variables of a Dataset are channels.
            label: the class, for models with labels, of all pasts or of each; ``None`` draws without one.
            members: size of each ensemble.
            seed: the same seed gives the same members; member m does not depend on ``members``. Each of many pasts has
                its own noise, the first that of a single one.
            chunk: members drawn at once; by default as many as are drawn fastest.
            forcings: for models with forcings: each channel by name, ``[time]`` or ``[time, y, x]`` in physical units
                for the past frames and all that are forecast. Rows and columns run as those of the past, or as the
                coordinates of a DataArray say. Time of day and year follow from the times of the past,
                which must then be a DataArray with dates.
            horizon: how far, such as ``24h``; beyond the model's F frames each member is continued from its own.
            progress: whether to show how many members are finished, or a function that is called with their number and
                how many there will be.
            choices: ``sampler``, ``grid``, ``steps`` (network evaluations per member), ``guidance``, ``precision``,
                ``tile`` and ``clip`` (channel -> lowest and highest value), in place of the model's own.

        Returns:
            ``(member, lead_time, channel, y, x)`` in the physical unit, with ``valid_time`` where the past has times;
            the attributes give model, seed, sampler and steps. For many pasts ``sample`` comes first.

        Raises:
            DataError: the past has other channels, frames, cadence or an impossible size.
            ConfigError: the model has no such class, or cannot be sampled this way.
        """
        pasts = unstack(past)
        labels = [label] * len(pasts) if label is None or isinstance(label, str) else list(label)
        if len(labels) != len(pasts):
            raise ConfigError(
                f"{len(labels)} labels were given for {len(pasts)} pasts: give one for each, or one for all"
            )
        draw = Draw(members=numbered(members), seed=seed, options=self.settle(self.options(**choices)), chunk=chunk)
        ensembles = []
        frames = self.frames if horizon is None else self.frames.extended(parse_duration(horizon))
        blocks = -(-frames.future // self.frames.future)
        with track("members", members * len(pasts) * blocks, progress) as task:
            for k, (each, given) in enumerate(zip(pasts, labels, strict=True)):
                own, pixels = replace(draw, sample=k, label=given), self._seen(each)
                known = self.forcing(each, forcings or {}, frames)
                drawn = self.draw_frames(pixels, own, frames.future, forcing=known, task=task)
                ensembles.append(to_ensemble(drawn, each, frames, attrs=self._attrs(own)))
        if not is_batch(past):
            return ensembles[0]
        return xr.concat(ensembles, "sample", coords="different", compat="equals", combine_attrs="drop_conflicts")

    def rollout(
        self,
        past: Video,
        label: str | None = None,
        *,
        blocks: int,
        members: int = 20,
        seed: int = 0,
        chunk: int | None = None,
        forcings: Mapping[str, Any] | None = None,
        **choices: Unpack[Choices],
    ) -> Iterator[xr.DataArray]:
        """Forecast further than the model's F frames, block by block, each member from its own past.

        Memory does not grow with the horizon: a block is yielded when it is done and only its last P frames are kept.
        The first block is what `forecast` returns.

        Args:
            past: see `forecast`, and there the other arguments.
            label: the class.
            blocks: how many times F frames.
            members: size of the ensemble.
            seed: the same seed gives the same members.
            chunk: members drawn at once.
            forcings: for the past frames and all that are forecast.
            choices: settings in place of the model's own.

        Yields:
            ``(member, lead_time, channel, y, x)``; lead times continue from block to block.

        Raises:
            ConfigError: the model sees a channel that it does not forecast.
        """
        if blocks < 1:
            raise ConfigError(f"blocks is {blocks}; it must be at least 1")
        past, options = one_video(past), self.settle(self.options(**choices))
        draw = Draw(members=numbered(members), seed=seed, label=label, options=options, chunk=chunk)
        known = self.forcing(past, forcings or {}, self.frames.extended(blocks * self.frames.lead_times[-1]))
        drawn = self.draw_blocks(self._seen(past), draw, forcing=known)
        for block, videos in enumerate(islice(drawn, blocks)):
            later = block * self.frames.lead_times[-1]
            yield to_ensemble(videos, past, self.frames, attrs=self._attrs(draw), later=later)

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
            video: P + F frames ``[channel, time, y, x]`` in physical units; frames that are not given may have any
                values.
            given: for each frame whether it is given: the first ones to forecast, the last ones to look back, those
                around a gap to fill it, none to generate a video unconditionally.
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
        video = one_video(video)
        draw = Draw(members=numbered(members), seed=seed, options=self.settle(self.options(**choices)), chunk=chunk)
        known = to_tensor(video, self.frames, unit=self.config.past_unit).to(self.device)
        marks = torch.as_tensor(np.asarray(given, dtype=bool), device=self.device)
        chunks = draw_members(
            self.generator,
            self.conditioning.condition_on(known[None], marks[None]),
            self.conditioning.shape(*known.shape[-2:]),
            draw,
            class_index=self._class(None),
            bounds=self._bounds(known[None], draw.options),
        )
        generated = torch.cat([self.conditioning.video(x0).cpu() for _, x0 in chunks])
        return torch.where(marks.cpu()[:, None, None], known.cpu(), generated).flip(turned_axes(video))

    def motion(
        self,
        past: Tensor,
        archive: Archive | None = None,
        window: Window | None = None,
        frames: FrameSpec | None = None,
    ) -> Tensor | None:
        """Return the motion of ``past`` ``[channel, time, y, x]``, if the model uses the advected last frame.

        Pixels per frame along x and y, ``[future channel, 2, y, x]``; see `framecast.videos.motion`. The ``archive``
        and the ``window`` that the past comes from matter to a motion that depends on place and time, and the
        ``frames`` that are forecast from it, by default those of the model.
        """
        target = self.config.target
        if archive is None or window is None or not isinstance(target, Advected):
            return self.conditioning.representation.flow(past)
        whole = replace(frames or self.frames, height=past.shape[-2], width=past.shape[-1])
        return target.motion.of_window(seen_before(past, self.frames), archive, window, whole)

    def forcing(self, past: Video, given: Mapping[str, Any], frames: FrameSpec) -> Tensor | None:
        """Return the forcings for the frames of ``frames``, ``[plane, P + ahead, y, x]``.

        Raises:
            ConfigError: a forcing is missing or unknown.
            DataError: a forcing has no value in a frame, or a different number of frames or pixels.
        """
        names, ahead = self.config.forcings, frames.future
        if unknown := sorted(set(given) - set(channels_of_forcings(names))):
            raise ConfigError(f"{unknown[0]} is not a forcing of {self.name}; it takes {', '.join(names) or 'none'}")
        if not names:
            return None
        values = {name: field_tensor(value, past, frames) for name, value in given.items()}
        for name, own in values.items():
            if own.ndim not in (1, 3) or len(own) != frames.past + ahead:
                raise DataError(
                    f"{name} is given in the shape {list(own.shape)}; it must be [time] or [time, y, x] with "
                    f"{frames.past} past and {ahead} future frames"
                )
        return assemble(names, issue_times(past, frames), values, pixels_of(past))

    def objection(self, past: Tensor, *, grid: Mapping[str, float] | None = None) -> str:
        """Return how a past is unlike those of the training, on one line; empty if it is not.

        Also empty for a model without a description of its training data (``framecast reference``).

        Args:
            past: ``[channel, time, y, x]``, physical units, NaN where masked.
            grid: how its images were made, see `framecast.models.guard.grid_of`.
        """
        return "" if self.reference is None else self.reference.guard.objection(self, past, grid=grid)

    def draw(
        self,
        past: Tensor,
        draw: Draw,
        *,
        moved: Tensor | None = None,
        forcing: Tensor | None = None,
        task: Task | None = None,
    ) -> Tensor:
        """Return members as a tensor on the CPU, ``[member, channel, lead time, y, x]`` in physical units.

        Args:
            past: ``[channel, time, y, x]`` for all members or ``[member, channel, time, y, x]`` for each, physical
                units, NaN where masked.
            draw: which members, and how.
            moved: the last frame advected to each lead time, ``[1 or member, channel, time, y, x]``, for a model that
                uses it; by default along the motion that `motion` finds.
            forcing: the forcings, ``[plane, P + F, y, x]``, for a model that uses them.
            task: is advanced by the members as they are finished.

        Raises:
            DataError: the past has no known pixel, or another shape.
            ConfigError: the model has no such class, or cannot be sampled this way.
        """
        pasts = past.to(self.device, torch.float32)
        if torch.isnan(pasts).all():
            raise DataError("the past contains only NaN: nothing can be forecast from it")
        if pasts.ndim == 4:
            pasts = pasts[None]
        draw = replace(draw, options=self.settle(draw.options))
        moved = self.conditioning.moved(pasts) if moved is None else moved.to(pasts).expand(len(pasts), -1, -1, -1, -1)
        known = None if forcing is None else forcing.to(pasts).expand(len(pasts), *forcing.shape)
        chunks = draw_members(
            self.generator,
            self.conditioning.condition(pasts, moved=moved, forcing=known),
            self.conditioning.shape(*pasts.shape[-2:]),
            draw,
            class_index=self._class(draw.label),
            bounds=self._bounds(pasts, draw.options, moved, known),
        )
        drawn = []
        for chosen, x0 in chunks:
            base, told = (None if each is None else of_members(each, chosen) for each in (moved, known))
            drawn.append(self.conditioning.future(x0, of_members(pasts, chosen), moved=base, forcing=told).cpu())
            if task is not None:
                task.advance(len(x0))
        return torch.cat(drawn)

    def draw_blocks(
        self,
        past: Tensor,
        draw: Draw,
        *,
        flow: Tensor | None = None,
        forcing: Tensor | None = None,
        task: Task | None = None,
    ) -> Iterator[Tensor]:
        """Yield members block after block of F frames, without end, each from its own last P frames; see `draw`.

        The ``forcing`` has as many future frames as will be drawn. The ``flow`` is the motion of the past, for a model
        that uses it; by default that of `motion`.

        Raises:
            ConfigError: the model sees a channel that it does not forecast.
        """
        frames, pasts, order = self.frames, past[None], self._order()
        places = list(range(frames.past + frames.future))  # of this block's frames among all
        for block in count():
            moved = self._along(pasts, None if block and not self._lasting else flow)
            known = None if forcing is None else forcing[:, places]
            drawn = self.draw(pasts, replace(draw, block=block), moved=moved, forcing=known, task=task)
            yield drawn
            pasts = torch.cat([pasts.expand(len(drawn), *pasts.shape[1:]), drawn[:, order]], dim=-3)
            pasts = pasts[..., list(frames.rolled), :, :]
            places = [places[k] for k in frames.rolled] + [k + frames.future for k in places[frames.past :]]

    def _along(self, pasts: Tensor, flow: Tensor | None) -> Tensor | None:
        return None if flow is None else self.conditioning.moved(pasts, flow.expand(len(pasts), *flow.shape))

    @property
    def _lasting(self) -> bool:
        target = self.config.target
        return isinstance(target, Advected) and target.motion.lasting

    def _order(self) -> list[int]:
        past, future = self.frames.past_channels, self.frames.future_channels
        if unknown := [name for name in past if name not in future]:
            raise ConfigError(
                f"the model sees {', '.join(unknown)} and does not forecast it, so that its forecast cannot become the "
                f"next past: forecast at most {self.frames.future} frames, or train with data.future_channels that "
                "include all past channels"
            )
        return [future.index(name) for name in past]

    def draw_frames(
        self,
        past: Tensor,
        draw: Draw,
        ahead: int,
        *,
        flow: Tensor | None = None,
        forcing: Tensor | None = None,
        task: Task | None = None,
    ) -> Tensor:
        """Return members of ``ahead`` frames: the first of the model's own, or so many blocks; see `draw`."""
        blocks = -(-ahead // self.frames.future)
        if forcing is not None:  # frames beyond those wanted are drawn and discarded: their forcings do not matter
            more = self.frames.past + blocks * self.frames.future - forcing.shape[1]
            forcing = torch.cat([forcing, *[forcing[:, -1:]] * more], dim=1)
        if blocks == 1:
            moved = self._along(past[None], flow)
            return self.draw(past, draw, moved=moved, forcing=forcing, task=task)[..., :ahead, :, :]
        drawn = islice(self.draw_blocks(past, draw, flow=flow, forcing=forcing, task=task), blocks)
        return torch.cat(list(drawn), dim=-3)[..., :ahead, :, :]

    def intervals(self, ensemble: xr.DataArray, *, calibrated: bool = True) -> xr.Dataset:
        """Return central intervals of every derived quantity of an ensemble that this model drew.

        Args:
            ensemble: what `forecast` returned.
            calibrated: whether to widen them by the model's calibration, so that they have their nominal coverage;
                else they are the quantiles of the members.

        Returns:
            A variable for each quantity with the dimensions ``level`` (nominal coverage, 0 to 1) and ``bound``
            (lower, upper) in front of the quantity's own, and its unit as an attribute. NaN if a level cannot be
            guaranteed with the number of windows of the calibration.

        Raises:
            ConfigError: the model has no calibration, or one that does not hold for ensembles drawn like this one.
        """
        if calibrated and self.calibration is None:
            raise ConfigError(
                f"{self.name} has no calibration: forecast validation windows and calibrate it on them "
                "(fc.calibrate), or pass calibrated=False"
            )
        return intervals(ensemble, self.calibration if calibrated else None)

    def provenance(self, draw: Draw) -> dict[str, Any]:
        """Return the provenance of a forecast, as JSON values."""
        options = draw.options
        return {
            "created": str(np.datetime64("now", "s")) + "Z",
            "model": self.name,
            "weights_sha256": self.config.weights_sha256,
            "framecast_version": __version__,
            "torch_version": str(torch.__version__),
            "seed": draw.seed,
            "precision": options.precision,
            **({"tile": options.tile} if options.tile is not None else {}),
            **({"clip": {name: list(bounds) for name, bounds in options.clip.items()}} if options.clip else {}),
            **self.generator.describe(options),
        }

    def file_attributes(self, draw: Draw, *, archive: str, split: str, command: str) -> dict[str, Any]:
        """Return the attributes of a forecast file, among them the model's calibration.

        Whether it applies to the forecast is checked by the evaluation.
        """
        attrs = self.provenance(draw) | {
            "members": len(draw.members),
            "archive": archive,
            "split": split,
            "label": draw.label or "none",
            "cadence": self.frames.cadence,
            "command": command,
        }
        return attrs if self.calibration is None else attrs | {"calibration": self.calibration.to_plain()}

    def _seen(self, past: Video) -> Tensor:
        """Return a past as a tensor, with a warning if it is unlike the training data."""
        pixels = to_tensor(past, self.frames, unit=self.config.past_unit)
        if lost := self.normaliser.losses(pixels, self.frames.past_channels):
            warnings.warn(f"past: {lost}", FramecastWarning, stacklevel=3)
        if unlike := self.objection(pixels):
            warnings.warn(f"past: unlike the training data: {unlike}", FramecastWarning, stacklevel=3)
        return pixels

    def _attrs(self, draw: Draw) -> dict[str, Any]:
        attrs = {"unit": self.unit, "units": self.unit, **self.provenance(draw)}
        return attrs if draw.label is None else {**attrs, "label": draw.label}

    def _bounds(
        self, past: Tensor, options: SamplingOptions, moved: Tensor | None = None, forcing: Tensor | None = None
    ) -> Bounds | None:
        return self.conditioning.bounds(past, options.clip, moved=moved, forcing=forcing) if options.clip else None

    def _class(self, label: str | None) -> int | None:
        if label is None:
            return len(self.labels) if self.labels else None
        if label not in self.labels:
            known = ", ".join(self.labels) or "none: this model has no labels"
            raise ConfigError(f"{label!r} is not a class of this model; known: {known}")
        return self.labels.index(label)
