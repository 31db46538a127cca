"""Ensembles in physical units: a past goes in, an ``xarray.DataArray`` of possible futures comes out.

A `Forecaster` is a trained denoiser with everything needed to use it. Members are drawn in chunks that fit into
memory; the noise of each member depends on (seed, sample, member) alone, so that it is the same member however the
ensemble is cut.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from framecast._version import __version__
from framecast.denoiser import Denoiser
from framecast.errors import ConfigError, DataError
from framecast.frames import FrameSpec
from framecast.representation import Representation
from framecast.sampler import DDIM, AnySampler, sample
from framecast.seeding import MemberNoise
from framecast.times import AnyGrid, Trailing

_CHUNK_VALUES = 2**25
"""Values that the activations of one network evaluation may hold, by the estimate of `chunk_size`."""


@dataclass(frozen=True, kw_only=True)
class SamplingOptions:
    """How members are drawn unless a call says otherwise.

    Attributes:
        sampler: the reverse step.
        grid: which diffusion times are visited.
        steps: number of network evaluations.
        precision: ``float32``, or ``bf16`` autocast in the network alone: faster, and members then depend in their
            last digits on how the ensemble is cut.
    """

    __pydantic_config__ = {"extra": "forbid"}

    sampler: AnySampler = DDIM()
    grid: AnyGrid = Trailing()
    steps: int = 25
    precision: Literal["float32", "bf16"] = "float32"

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigError(f"sampling.steps is {self.steps}; at least one network evaluation is needed")


class Forecaster:
    """A trained model that forecasts.

    Args:
        denoiser: the trained network with its diffusion.
        representation: how videos are put before it.
        sampling: the default sampler, grid and steps.
        unit: physical unit of the videos.
        name: what forecasts call the model.
        labels: names of the classes that ``label`` may give, in order; empty for a model without labels.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        representation: Representation,
        *,
        sampling: SamplingOptions,
        unit: str,
        name: str,
        labels: Sequence[str] = (),
    ) -> None:
        self.denoiser = denoiser.eval()
        self.representation = representation
        self.sampling = sampling
        self.unit = unit
        self.name = name
        self.labels = tuple(labels)

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.denoiser.parameters()).device

    def to(self, device: str | torch.device) -> "Forecaster":
        """Move the network to ``device`` and return self."""
        self.denoiser.to(device)
        return self

    def frames_at(self, height: int, width: int) -> FrameSpec:
        """Return the model's frame specification for frames of this size: the networks take any that they can halve."""
        return replace(self.representation.frames, height=height, width=width)

    def options(
        self, *, sampler: AnySampler | None = None, grid: AnyGrid | None = None, steps: int | None = None
    ) -> SamplingOptions:
        """Return the sampling options with those given here in place of the model's own."""
        own = self.sampling
        return replace(
            own, sampler=sampler or own.sampler, grid=grid or own.grid, steps=own.steps if steps is None else steps
        )

    def forecast(
        self,
        past: xr.DataArray | np.ndarray | Tensor,
        label: str | None = None,
        *,
        members: int = 20,
        seed: int = 0,
        sampler: AnySampler | None = None,
        grid: AnyGrid | None = None,
        steps: int | None = None,
        chunk: int | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> xr.DataArray:
        """Return an ensemble of futures for one past.

        Args:
            past: ``[channel, time, y, x]`` in physical units, NaN where masked. A DataArray may have its axes in any
                order and more channels than the model needs; its times must have the model's cadence.
            label: the class, for models with labels; ``None`` draws without one.
            members: size of the ensemble.
            seed: the same seed gives the same members; member m does not depend on ``members``.
            sampler: in place of the model's own.
            grid: in place of the model's own.
            steps: network evaluations per member, in place of the model's own.
            chunk: members drawn at once; by default as many as fit into memory.
            progress: called with the number of members finished since the last call.

        Returns:
            ``(member, lead_time, channel, y, x)`` in the physical unit, with ``valid_time`` where the past has times;
            the attributes say which model, seed, sampler and steps made it.

        Raises:
            DataError: the past has other channels, frames, cadence or an impossible size.
            ConfigError: the model has no such class, or cannot be sampled this way.
        """
        video = self._video(past)
        options = self.options(sampler=sampler, grid=grid, steps=steps)
        drawn = self.draw(
            video,
            sample_key=0,
            members=range(members),
            seed=seed,
            label=label,
            options=options,
            chunk=chunk,
            progress=progress,
        )
        return self._describe(drawn, past, seed, options, label)

    @torch.inference_mode()
    def draw(
        self,
        past: Tensor,
        *,
        sample_key: int,
        members: Sequence[int],
        seed: int,
        label: str | None = None,
        options: SamplingOptions | None = None,
        chunk: int | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Tensor:
        """Return members for one past as a tensor on the CPU, ``[member, channel, lead time, y, x]``, physical units.

        Args:
            past: ``[channel, time, y, x]``, physical units, NaN where masked.
            sample_key: tells this past from others that are forecast with the same seed.
            members: which members of the ensemble.
            seed: see `forecast`.
            label: see `forecast`.
            options: by default the model's own.
            chunk: see `forecast`.
            progress: see `forecast`.
        """
        if not len(members):
            raise ConfigError("members is 0; an ensemble needs at least one")
        options = options or self.sampling
        past = past.to(self.device, torch.float32)
        condition = self.representation.encode_past(past)
        times = options.grid.times(self.denoiser.schedule, options.steps)
        self.denoiser.check_times(times)
        class_index = self._class(label)
        size = chunk or chunk_size(condition.shape)
        chunks = []
        for start in range(0, len(members), size):
            chosen = torch.tensor(list(members[start : start + size]))
            x0 = self._sample(condition, chosen, sample_key, seed, class_index, options, times)
            chunks.append(self.representation.decode(x0, past).cpu())
            if progress:
                progress(len(chosen))
        return torch.cat(chunks)

    def _sample(
        self,
        condition: Tensor,
        members: Tensor,
        sample_key: int,
        seed: int,
        class_index: int | None,
        options: SamplingOptions,
        times: Tensor,
    ) -> Tensor:
        count = len(members)
        frames = self.representation.frames
        shape = (len(frames.future_channels), frames.future, *condition.shape[-2:])
        noise = MemberNoise(seed, torch.full((count,), sample_key), members, shape, device=self.device)
        conditions = condition.expand(count, *condition.shape)
        label = None if class_index is None else torch.full((count,), class_index, device=self.device)

        def denoise(x_t: Tensor, t: Tensor) -> Tensor:
            with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=options.precision == "bf16"):
                x0: Tensor = self.denoiser(x_t, t, conditions, label)
            return x0

        return sample(denoise, options.sampler, self.denoiser.schedule, times, noise(0), noise)

    def _class(self, label: str | None) -> int | None:
        if label is None:
            return len(self.labels) if self.labels else None
        if label not in self.labels:
            known = ", ".join(self.labels) or "none: this model has no labels"
            raise ConfigError(f"{label!r} is no class of this model; known: {known}")
        return self.labels.index(label)

    def _video(self, past: xr.DataArray | np.ndarray | Tensor) -> Tensor:
        """Return ``past`` as ``[channel, time, y, x]``, checked."""
        if not isinstance(past, xr.DataArray):
            return torch.as_tensor(past)
        missing = {"channel", "time", "y", "x"} - set(map(str, past.dims))
        if missing:
            raise DataError(
                f"the past has dimensions {', '.join(map(str, past.dims))} and lacks {', '.join(sorted(missing))}: "
                "rename them to channel, time, y and x"
            )
        frames = self.representation.frames
        if "channel" in past.coords:
            names = [str(name) for name in past["channel"].values]
            absent = [name for name in frames.past_channels if name not in names]
            if absent:
                raise DataError(
                    f"the model needs channel {', '.join(absent)}, and the past has {', '.join(names)}: add it"
                )
            past = past.isel(channel=[names.index(name) for name in frames.past_channels])
        if "time" in past.coords and past.sizes["time"] > 1:
            steps = np.diff(past["time"].values) / np.timedelta64(1, "s")
            if np.any(np.abs(steps - frames.cadence) > 0.1 * frames.cadence):
                raise DataError(
                    f"the past has frames {steps.min():g} to {steps.max():g} s apart, and the model takes one every "
                    f"{frames.cadence:g} s: select such frames"
                )
        values = past.transpose("channel", "time", "y", "x").values.astype(np.float32)
        return torch.from_numpy(values)

    def _describe(
        self,
        drawn: Tensor,
        past: xr.DataArray | np.ndarray | Tensor,
        seed: int,
        options: SamplingOptions,
        label: str | None,
    ) -> xr.DataArray:
        frames = self.representation.frames
        lead = np.array([round(s * 1e9) for s in frames.lead_times], dtype="timedelta64[ns]")
        coords: dict[str, Any] = {
            "member": np.arange(len(drawn)),
            "lead_time": lead,
            "channel": np.array(frames.future_channels, dtype=np.dtypes.StringDType()),
        }
        if isinstance(past, xr.DataArray):
            coords |= {axis: past[axis] for axis in ("y", "x") if axis in past.coords}
            if "time" in past.coords:
                coords["valid_time"] = ("lead_time", past["time"].values[-1] + lead)
        attrs = {"unit": self.unit, "units": self.unit, **self.provenance(seed, options)}
        if label is not None:
            attrs["label"] = label
        return xr.DataArray(
            drawn.movedim(-4, -3).numpy(),
            dims=("member", "lead_time", "channel", "y", "x"),
            coords=coords,
            attrs=attrs,
            name="forecast",
        )

    def provenance(self, seed: int, options: SamplingOptions) -> dict[str, Any]:
        """Return what a forecast must say of its making, as JSON values."""
        return {
            "model": self.name,
            "framecast_version": __version__,
            "seed": seed,
            "sampler": describe(options.sampler),
            "grid": describe(options.grid),
            "steps": options.steps,
        }


def describe(choice: AnySampler | AnyGrid) -> str:
    """Return a sampler or grid in a few words: ``ddim(eta=0.0)``."""
    settings = ", ".join(f"{key}={value}" for key, value in vars(choice).items() if key != "kind")
    return f"{choice.kind}({settings})" if settings else str(choice.kind)


def chunk_size(past_shape: Sequence[int]) -> int:
    """Return how many members to draw at once for a past ``[channel, time, height, width]``.

    Activations of a video network are estimated at 128 values per pixel and frame.
    """
    return max(1, min(32, _CHUNK_VALUES // (128 * past_shape[-3] * past_shape[-2] * past_shape[-1])))
