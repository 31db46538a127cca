"""What a model stores of its training data: windows for baselines, and the out-of-domain guard.

``reference.safetensors`` in the model folder. The windows are normalised and kept in a byte for each pixel; of a
forecast of any archive with frames like the model's they make dressed persistence, fitted persistence and climatology.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor

from framecast.core.errors import DataError
from framecast.core.files import write_atomically
from framecast.core.reading import parse_json
from framecast.core.stored import DocumentFormat
from framecast.data.climatology import Climatology, sample_climatology
from framecast.data.datasets import Samples, WindowDataset, epoch_order
from framecast.models.guard import NAMES, QUANTILES, Guard, Model, grid_of
from framecast.models.header import CONFIG, read_header
from framecast.videos.frames import FrameSpec
from framecast.videos.normalise import Normaliser

FILE = "reference.safetensors"
REFERENCE_FORMAT = DocumentFormat("framecast-reference", 1, "reference", "store it with the model again")

WINDOWS = 2000
"""Largest number of training pasts for the guard."""

OCCASIONS = 32
"""Largest number of training windows for baselines."""

_SHAPES = {
    **dict.fromkeys(("guard.low", "guard.high"), ("channel", "quantile")),
    **dict.fromkeys(("guard.mean", "guard.deviation"), ("channel", "number")),
    "guard.described.points": ("past", "component"),
    "guard.described.centre": ("description",),
    "guard.described.axes": ("description", "component"),
    "guard.seen.points": ("past", "feature component"),
    "guard.seen.centre": ("feature",),
    "guard.seen.axes": ("feature", "feature component"),
    **dict.fromkeys(("guard.described.limit", "guard.seen.limit"), ("one",)),
    "windows.times": ("window",),
    **dict.fromkeys(("windows.values", "windows.moved"), ("window", "future channel", "time", "y", "x")),
    **dict.fromkeys(("windows.last", "windows.mean"), ("window", "future channel", "one", "y", "x")),
    **dict.fromkeys(("ends.values", "ends.moved", "ends.last", "ends.mean"), ("two",)),
}
"""Dimensions of each tensor of the file; those of one name are of one length."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What a model stores of its training data.

    Attributes:
        guard: the out-of-domain guard.
        windows: for baselines, physical units; None where windows have no times.
    """

    guard: Guard
    windows: Climatology | None = None

    def occasions(self, frames: FrameSpec) -> Climatology | None:
        """Return the windows for baselines of forecasts of ``frames``; None where theirs have another size or end."""
        if self.windows is None:
            return None
        _, future, *size = self.windows.values.shape[1:]
        if tuple(size) != (frames.height, frames.width) or future < frames.future:
            return None
        moved = self.windows.moved
        return replace(
            self.windows,
            values=self.windows.values[:, :, : frames.future],
            moved=None if moved is None else moved[:, :, : frames.future],
        )


def describe_training(
    model: Model, train: Samples, *, windows: int = WINDOWS, occasions: int = OCCASIONS, seed: int = 0
) -> Reference:
    """Return what the model stores of its training windows ``train``, a subset chosen by ``seed``."""
    chosen = epoch_order(len(train), seed=seed, epoch=0)[:windows].tolist()
    own = isinstance(train, WindowDataset)
    guard = Guard.of(model, train, chosen, grid=grid_of(train.archive if own else None))  # type: ignore[attr-defined]
    kept = sample_climatology(train, most=occasions, seed=seed) if isinstance(train, WindowDataset) else None
    return Reference(guard=guard, windows=kept)


def write_reference(folder: str | Path, reference: Reference, normaliser: Normaliser, frames: FrameSpec) -> Path:
    """Write the file into a model folder and return its path."""
    guard, kept = reference.guard, reference.windows
    tensors = {f"guard.{name}": tensor for name, tensor in guard.to_tensors().items()}
    if kept is not None:
        tensors["windows.times"] = torch.from_numpy(kept.times.astype("datetime64[ns]").astype(np.int64))
        for name, values in _videos(kept).items():
            packed, ends = _packed(normaliser.forward(values, frames.future_channels))
            tensors |= {f"windows.{name}": packed, f"ends.{name}": ends}
    path = Path(folder) / FILE
    weights = read_header(folder).get("weights_sha256") if (path.parent / CONFIG).is_file() else None
    about = {**REFERENCE_FORMAT.header(), "grid": dict(guard.grid), "weights_sha256": weights}
    write_atomically(path, save({k: v.contiguous() for k, v in tensors.items()}, {"about": json.dumps(about)}))
    return path


def read_reference(
    folder: str | Path, normaliser: Normaliser, frames: FrameSpec, *, weights: str = ""
) -> Reference | None:
    """Return what a model folder contains of the training data; None if nothing.

    Activations of the network are ignored if they were computed with weights of another checksum than ``weights``.

    Raises:
        DataError: the file is damaged or of a newer version.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            about = parse_json((file.metadata() or {}).get("about", "{}"), where=str(path))
        REFERENCE_FORMAT.check(about, str(path))
        tensors = load(path.read_bytes())
        _check_shapes(tensors, frames)
        grid = {str(name): float(value) for name, value in dict(about["grid"]).items()}
        guard = Guard.from_tensors(_part(tensors, "guard."), grid=grid)
        if weights and about.get("weights_sha256") not in (None, weights):
            guard = replace(guard, seen=None)
        kept, ends = _part(tensors, "windows."), _part(tensors, "ends.")
        return Reference(guard=guard, windows=_windows(kept, ends, normaliser, frames))
    except DataError:
        raise
    except (SafetensorError, ValueError, KeyError, TypeError, OverflowError, RuntimeError) as error:
        raise DataError(f"{path} is damaged ({str(error).splitlines()[0]}): copy the model again") from None


def _check_shapes(tensors: Mapping[str, Tensor], frames: FrameSpec) -> None:
    seen, future = len(frames.past_channels), len(frames.future_channels)
    sizes = {"channel": seen, "description": seen * len(NAMES), "future channel": future, "one": 1, "two": 2}
    sizes |= {"number": len(NAMES), "quantile": len(QUANTILES)}
    for name, dims in _SHAPES.items():
        if name not in tensors:
            continue
        shape = tuple(tensors[name].shape)
        known = [sizes.setdefault(dim, own) == own for dim, own in zip(dims, shape, strict=False)]
        if len(shape) != len(dims) or not all(known) or (name.startswith("windows.") and 0 in shape):
            raise ValueError(f"{name} has the shape {shape}")
        if tensors[name].is_complex():
            raise ValueError(f"{name} is complex")


def _videos(kept: Climatology) -> dict[str, Tensor]:
    """Return the videos of the windows by name, frames as videos of one."""
    found: dict[str, Any] = {"values": kept.values}
    if kept.moved is not None:
        found["moved"] = kept.moved
    if kept.last is not None and kept.mean is not None:
        found |= {"last": kept.last[:, :, None], "mean": kept.mean[:, :, None]}
    return {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in found.items()}


def _packed(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return values as bytes, 1 to 255 between the ends and 0 for what is not known, and the ends."""
    known = torch.isfinite(values)
    own = values[known] if known.any() else values.new_zeros(1)
    low, high = own.min(), own.max()
    places = ((values - low) / (high - low).clamp(min=1e-12) * 254).round() + 1
    return torch.where(known, places, 0.0).to(torch.uint8), torch.stack([low, high]).float()


def _unpacked(packed: Tensor, ends: Tensor) -> Tensor:
    """Return the values of `_packed`, to half of a 254th of their range."""
    values = (packed.float() - 1) / 254 * (ends[1] - ends[0]) + ends[0]
    return torch.where(packed == 0, torch.nan, values)


def _windows(
    tensors: Mapping[str, Tensor], ends: Mapping[str, Tensor], normaliser: Normaliser, frames: FrameSpec
) -> Climatology | None:
    if not tensors:
        return None
    found = {
        name: normaliser.inverse(_unpacked(tensors[name], own), frames.future_channels).numpy()
        for name, own in ends.items()
    }
    return Climatology(
        values=found["values"],
        times=tensors["times"].numpy().astype("datetime64[ns]"),
        last=found["last"][:, :, 0] if "last" in found else None,
        mean=found["mean"][:, :, 0] if "mean" in found else None,
        moved=found.get("moved"),
    )


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
