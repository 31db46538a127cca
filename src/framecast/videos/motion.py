"""Motion that is estimated, not learnt, and the advection of the last frame.

Rain, cloud and foam drift; a network that must learn this from few examples learns little else. The motion is estimated
once for each past, and the last frame advected to every lead time, backward in time along the motion and interpolated
only once (semi-Lagrangian: Germann & Zawadzki 2002, doi 10.1175/1520-0493(2002)130<2859:SDOTPO>2.0.CO;2). The advected
frames are an input of the network, and the change that it forecasts is added to them
(`framecast.videos.target.Advected`). By themselves they are Lagrangian persistence.

Rows count upward and columns to the right, as in all videos; motion is in pixels per frame.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from framecast.core.configuration import OneOf
from framecast.core.errors import ConfigError, DataError, FramecastError
from framecast.videos.frames import FrameSpec

Flow = Float[Tensor, "*batch 2 height width"]
"""Velocity at each pixel in columns and rows per frame: ``[x, y]`` in front of the pixels."""

_GREYS = 64
"""Quantiles for the conversion of values to grey levels."""

_WORKED_ON = 256
"""Longer side, in pixels, of the frames in which motion is estimated."""


class Motion(ABC):
    """Source of the motion of a past. Compare and hash by value; the arguments are the configuration."""

    @abstractmethod
    def estimate(self, past: Float[Tensor, "*batch time height width"]) -> Flow:
        """Return the motion at the last frame of ``past``, any one-to-one values, NaN where masked."""

    def of_window(
        self, past: Float[Tensor, "channel time height width"], archive: Any, window: Any, frames: FrameSpec
    ) -> Flow:
        """Return the motion of a ``window`` of an ``archive``, ``[channel, 2, height, width]``.

        By default it is estimated from the values of the past.

        Args:
            past: the future channels of the past.
            archive: `framecast.data.archive.reader.Archive`, for the positions of the pixels.
            window: `framecast.data.windows.Window`, for the sequence and the times.
            frames: times that are forecast, and the size of the frames.
        """
        return self.estimate(past)

    @property
    def lasting(self) -> bool:
        """Whether the motion stays valid for a forecast continued from its own frames; else it is estimated again."""
        return False


@dataclass(frozen=True, kw_only=True)
class OpticalFlow(Motion):
    """Dense optical flow of the last frames, by OpenCV (Farnebäck 2003, doi 10.1007/3-540-45103-X_50).

    Values are converted to grey levels by their rank among those above the lowest, so that neither unit nor stretch
    matters. The flow is averaged over pairs of frames and then over neighbours, each pixel with the weight of its
    contrast: without contrast it is that of the surroundings.

    Attributes:
        frames: how many of the last frames are compared, each with the next.
        smoothing: standard deviation of the average over neighbours, as a fraction of the longer side.
    """

    kind: Literal["optical-flow"] = "optical-flow"
    frames: int = 3
    smoothing: float = 0.03

    def __post_init__(self) -> None:
        if self.frames < 2:
            raise ConfigError(f"motion.frames is {self.frames}; motion needs at least two frames")
        if not 0 < self.smoothing <= 1:
            raise ConfigError(f"motion.smoothing is {self.smoothing}; it is a fraction of a side in (0, 1]")

    def estimate(self, past: Float[Tensor, "*batch time height width"]) -> Flow:
        """Return the motion at the last frame of ``past``.

        Raises:
            ConfigError: the past has a single frame.
            FramecastError: OpenCV is not installed.
        """
        if past.shape[-3] < 2:
            raise ConfigError("the past has one frame, and motion needs two: give two, or use target=change")
        videos = past.detach().cpu().flatten(0, -4) if past.ndim > 3 else past.detach().cpu()[None]
        flows = [torch.from_numpy(self._flow(video.float().numpy())) for video in videos]
        return torch.stack(flows).reshape(*past.shape[:-3], 2, *past.shape[-2:]).to(past.device)

    def _flow(self, video: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return ``[x and y, height, width]`` of one video ``[time, height, width]``."""
        height, width = video.shape[1:]
        opencv = _opencv()
        scale = max(1, -(-max(height, width) // _WORKED_ON))
        size = max(1, width // scale), max(1, height // scale)
        greys = [opencv.resize(grey, size, interpolation=opencv.INTER_AREA) for grey in _greys(video[-self.frames :])]
        pairs = list(pairwise(greys))
        reach = min(size) // 3 * 2 + 1  # no larger than the overlap of both frames
        window = max(5, min(25, reach))
        flags = opencv.OPTFLOW_FARNEBACK_GAUSSIAN
        flow = np.mean(
            [opencv.calcOpticalFlowFarneback(a, b, None, 0.5, 5, window, 5, 7, 1.5, flags) for a, b in pairs], axis=0
        )
        weight = np.hypot(*(opencv.Sobel(greys[-1].astype(np.float32), -1, *along) for along in ((1, 0), (0, 1))))
        unknown = np.isnan(video[-1]).astype(np.float32)
        if unknown.any():  # the border of known pixels does not move
            near = opencv.dilate(unknown, np.ones((2 * scale + 5,) * 2, np.uint8))
            weight *= opencv.resize(near, size, interpolation=opencv.INTER_AREA) == 0
        smooth = _average(flow, weight, self.smoothing * max(size))
        whole = opencv.resize(smooth, (width, height), interpolation=opencv.INTER_LINEAR)
        return np.ascontiguousarray(np.moveaxis(whole * np.array([width / size[0], height / size[1]]), -1, 0), "f4")


@dataclass(frozen=True, kw_only=True)
class KnownMotion(Motion):
    """Motion computed from position and time, such as a rotation, by an archive's domain: `Domain.motion`."""

    kind: Literal["known"] = "known"

    def estimate(self, past: Float[Tensor, "*batch time height width"]) -> Flow:
        """Raise `ConfigError`: an array has no position and time."""
        raise ConfigError(
            "the model needs a motion computed from position and time, which a past array does not provide: "
            "forecast from an archive (framecast forecast, fc.forecast)"
        )

    def of_window(
        self, past: Float[Tensor, "channel time height width"], archive: Any, window: Any, frames: FrameSpec
    ) -> Flow:
        """Return the motion given by the domain.

        Raises:
            DataError: the archive does not say how its frames move.
        """
        motion = archive.domain.motion(archive)
        if motion is None:
            raise DataError(
                f"the motion of the frames of {archive.path} does not follow from their positions and times: use "
                "motion.kind=optical-flow, or target=change"
            )
        return torch.from_numpy(motion(window, frames=frames)).expand(len(past), -1, -1, -1)

    @property
    def lasting(self) -> bool:
        """It is valid at all times."""
        return True


AnyMotion = Annotated[Motion, OneOf(OpticalFlow, KnownMotion)]


Part = tuple[slice, slice]
"""Rows and columns of a part of a frame."""


def advect(
    frame: Float[Tensor, "*batch height width"], flow: Flow, steps: int, *, part: Part = (slice(None), slice(None))
) -> Float[Tensor, "*batch steps part_height part_width"]:
    """Return ``frame`` advected along ``flow`` by 1, 2, … ``steps`` steps; NaN where the origin is outside the frame.

    The motion is constant in time at each pixel: each value is that of the frame at the point found by tracing backward
    step by step. Only a ``part`` of the frame is computed, from all of it.
    """
    height, width = frame.shape[-2:]
    values = frame.reshape(-1, 1, height, width).float()
    flows = flow.reshape(-1, 2, height, width).to(values)
    known = torch.isfinite(values)
    layers = torch.cat([torch.where(known, values, 0.0), known.to(values)], dim=1)
    place = _places(height, width, values.device)[:, *part]
    back = torch.zeros_like(place).expand(len(flows), *place.shape)
    moved = []
    for _ in range(steps):
        half = _sample(flows, place - back, padding="border") / 2
        back = back + _sample(flows, place - back - half, padding="border")  # the motion halfway, of second order
        value, seen = _sample(layers, place - back, padding="zeros").unbind(1)
        moved.append(torch.where(seen > 0.5, value / seen.clamp(min=0.5), torch.nan))
    return torch.stack(moved, dim=1).reshape(*frame.shape[:-2], steps, *place.shape[1:]).to(frame.dtype)


def _places(height: int, width: int, device: torch.device) -> Tensor:
    """Return the column and row of every pixel ``[2, height, width]``."""
    rows, columns = torch.meshgrid(
        torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij"
    )
    return torch.stack([columns, rows]).float()


def _sample(layers: Tensor, place: Tensor, *, padding: str) -> Tensor:
    """Return ``layers`` ``[batch, layer, y, x]`` at the columns and rows ``place`` ``[batch, 2, y, x]``."""
    last = place.new_tensor([max(1, layers.shape[-1] - 1), max(1, layers.shape[-2] - 1)])
    grid = place.movedim(1, -1) / last * 2 - 1
    return functional.grid_sample(layers, grid, mode="bilinear", padding_mode=padding, align_corners=True)


def _greys(video: npt.NDArray[np.float32]) -> list[npt.NDArray[np.uint8]]:
    """Return each frame in 8 bits: 0 for the lowest value and the unknown, the rank among the others above."""
    known = video[np.isfinite(video)]
    lowest = known.min(initial=np.inf)
    above = known[known > lowest]
    if not above.size:
        return [np.zeros(frame.shape, np.uint8) for frame in video]
    levels = np.quantile(above, np.linspace(0, 1, _GREYS))
    ranks = np.interp(np.nan_to_num(video, nan=lowest), levels, np.linspace(40, 255, _GREYS))
    return list(np.where(video > lowest, ranks, 0).astype(np.uint8))


def _average(flow: npt.NDArray[np.float32], weight: npt.NDArray[np.float32], width: float) -> npt.NDArray[np.float32]:
    """Return the weighted average of ``[y, x, 2]`` over neighbours; far from any weight, that of the whole frame."""
    from scipy import ndimage

    total = float(weight.sum(dtype=np.float64))
    if not total > 0:
        return np.zeros_like(flow)
    overall = (flow * weight[..., None]).sum(axis=(0, 1), dtype=np.float64) / total
    little = 1e-3 * total / weight.size
    spread = ndimage.gaussian_filter(weight, width) + little
    parts = [(ndimage.gaussian_filter(flow[..., k] * weight, width) + little * overall[k]) / spread for k in range(2)]
    return np.stack(parts, axis=-1).astype(np.float32)


def _opencv() -> Any:
    try:
        import cv2
    except ImportError:
        raise FramecastError(
            "cv2 is not installed (required for optical flow): pip install 'framecast[motion]'"
        ) from None
    return cv2
