"""One memory layout for every activation, and the operators that work in it without a copy.

Inside the networks a video is a contiguous tensor ``[batch, time, height, width, channel]``. In that order the frames
of a batch are a batch of channels-last images, and time over all pixels is the long side of a channels-last image: a
1×3×3 convolution is a `Conv2d` on one view, a 3×1×1 convolution a `Conv2d` on another, attention's tokens are a third,
and no operator moves the data. `Conv3d` gives the same numbers on a slower path.

The views are taken by ``view`` in memory order and permuted afterwards. Merging axes of a permuted tensor instead
leaves strides that are ambiguous for a batch of one, upon which PyTorch falls back to the slow layout, copies,
and rounds a sample differently from the same sample in a larger batch.

A forecast guarantees that a member is the same, bit for bit on a CPU in float32, in whatever batch it is drawn. Most
operators guarantee this by themselves. Two do not and are replaced in inference on a CPU (`for_each_sample`): the
native `GroupNorm`, which divides a batch among threads in the middle of a sample, and a linear map of one row per
sample, whose matrix product is tiled by the number of rows. One exception remains: for a batch of ONE sample of few
tokens (below about 8×8 at the lowest resolution) oneDNN convolves by another algorithm than for the same sample
among others; where it matters there, run a single sample beside a copy of itself.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from framecast.core.errors import ConfigError
from framecast.networks.kernels import affine, exact, fuses, norm, temporal_convolution

Video = Float[Tensor, "batch time _ _ _"]
"""``[batch, time, height, width, channel]``: size and channels change on the way, samples and frames never do."""


def for_each_sample(x: Tensor) -> bool:
    """Whether each sample's numbers must not depend, bit for bit, on what else is in the batch."""
    return x.is_cpu and not torch.is_grad_enabled()


def as_frames(x: Tensor) -> Tensor:
    """View a video ``[B, T, H, W, C]`` as channels-last images ``[B·T, C, H, W]``."""
    return x.reshape(-1, *x.shape[2:]).permute(0, 3, 1, 2)


def as_video(frames: Tensor, time: int) -> Tensor:
    """View channels-last images ``[B·T, C, H, W]`` as a video ``[B, T, H, W, C]`` of ``time`` frames."""
    pixels = frames.permute(0, 2, 3, 1)
    return pixels.reshape(-1, time, *pixels.shape[1:])


class SpatialConv(nn.Conv2d):
    """A convolution over height and width (1×k×k), the same on every frame; the size is kept unless strided."""

    def __init__(self, in_channels: int, out_channels: int, *, kernel: int = 3, stride: int = 1, bias: bool = False):
        super().__init__(in_channels, out_channels, kernel, stride=stride, padding=(kernel - 1) // 2, bias=bias)

    def forward(self, x: Video) -> Video:
        """Convolve every frame; in training, where it cuts frames into squares, as a linear map of each square."""
        squares = self.kernel_size == self.stride and self.padding == (0, 0)
        if squares and torch.is_grad_enabled() and fuses(x):
            return self._map_squares(x)
        return as_video(super().forward(as_frames(x)), x.shape[1])

    def _map_squares(self, x: Video) -> Video:
        side = self.stride[0]
        squares = x.unflatten(3, (-1, side)).unflatten(2, (-1, side)).transpose(3, 4).flatten(4)
        return affine(squares, self.weight.permute(0, 2, 3, 1).flatten(1), self.bias)


class TemporalConv(nn.Conv2d):
    """A convolution over time (3×1×1), the same at every pixel, zeros before the first and after the last frame."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__(in_channels, out_channels, (3, 1), padding=(1, 0), bias=False)

    def forward(self, x: Video) -> Video:
        """Convolve along time, on the view ``[B, C, T, H·W]``."""
        batch, time, height, width, channels = x.shape
        image = x.reshape(batch, time, height * width, channels).permute(0, 3, 1, 2)
        return temporal_convolution(image, self.weight).permute(0, 2, 3, 1).reshape(batch, time, height, width, -1)


class SpaceTimeConv(nn.Conv2d):
    """A full 3×3×3 convolution: a 3×3 convolution over each frame stacked on its two neighbours in time.

    The weight ``[out, 3·in, 3, 3]`` is that of a `Conv3d` with its time axis in front of its input channels.
    """

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__(3 * in_channels, out_channels, 3, padding=1, bias=False)

    def forward(self, x: Video) -> Video:
        """Convolve over time, height and width at once."""
        nothing = torch.zeros_like(x[:, :1])
        before, after = torch.cat([nothing, x[:, :-1]], dim=1), torch.cat([x[:, 1:], nothing], dim=1)
        return as_video(super().forward(as_frames(torch.cat([before, x, after], dim=4))), x.shape[1])


class VideoNorm(nn.GroupNorm):
    """`GroupNorm` of one group: statistics over the channels, frames and pixels of a sample together."""

    def __init__(self, channels: int):
        super().__init__(1, channels)

    def forward(self, x: Video, scale: Tensor | None = None, shift: Tensor | None = None) -> Video:
        """Normalise: in float32 on a CPU by `kernels.norm`, the affine maps as one.

        Elsewhere on a CPU on the view ``[B, C, T·H, W]``, for which it has a native channels-last kernel; in inference
        as the norm of one row per sample: no row is divided among threads.

        Args:
            x: the video.
            scale: per sample and channel, that the result is multiplied by, ``[B, 1, 1, 1, C]``.
            shift: that is then added to it, of the same shape.
        """
        if exact(x) or for_each_sample(x):
            weight, bias = (value.to(x.dtype)[None, None, None, None] for value in (self.weight, self.bias))
            if scale is not None and shift is not None:
                weight, bias = weight * scale, torch.addcmul(shift, bias, scale)
            return norm(x, weight, bias, eps=self.eps) if exact(x) else self._row_by_row(x, weight, bias)
        normed = self.by_moments(x) if x.is_cuda else self._native(x)
        return normed if scale is None or shift is None else torch.addcmul(shift, normed, scale)

    def _native(self, x: Video) -> Video:
        batch, time, height, width, channels = x.shape
        image = x.reshape(batch, time * height, width, channels).permute(0, 3, 1, 2)
        return super().forward(image).permute(0, 2, 3, 1).reshape(x.shape)

    def _row_by_row(self, x: Video, weight: Tensor, bias: Tensor) -> Video:
        row = x.flatten(1)
        normed = functional.layer_norm(row, row.shape[1:], eps=self.eps).view(x.shape)
        return torch.addcmul(bias, normed, weight, out=normed)

    def by_moments(self, x: Video) -> Video:
        """Normalise by mean and variance in float32 and return the type of ``x``: the same without moving the data.

        PyTorch's GroupNorm on a GPU copies channels in front of pixels and back, and autocast makes it float32.
        """
        variance, mean = torch.var_mean(x.float(), dim=(1, 2, 3, 4), correction=0, keepdim=True)
        scale = (variance + self.eps).rsqrt() * self.weight
        return torch.addcmul(self.bias - mean * scale, x, scale).to(x.dtype)


class SampleLinear(nn.Linear):
    """A linear map of one vector per sample."""

    def forward(self, x: Float[Tensor, "batch features"]) -> Float[Tensor, "batch out_features"]:
        """Map every row; in inference on a CPU each by itself, as a matrix product of its own."""
        if not for_each_sample(x):
            return super().forward(x)
        mapped = torch.bmm(x[:, None], self.weight.t().expand(x.shape[0], -1, -1))[:, 0]
        return mapped if self.bias is None else mapped + self.bias


def halve(x: Video) -> Video:
    """Return the largest value of every 2×2 pixels of every frame (max-pooling, without its table of indices)."""
    batch, time, height, width, channels = x.shape
    quads = x.reshape(batch, time, height // 2, 2, width // 2, 2, channels)
    rows = torch.maximum(quads[:, :, :, 0], quads[:, :, :, 1])
    return torch.maximum(rows[:, :, :, :, 0], rows[:, :, :, :, 1])


def double(x: Video) -> Video:
    """Return the frames at twice the size, linear between pixel centres, corners kept on corners.

    Trilinear interpolation by (1, 2, 2) leaves time untouched, so that it is bilinear on every frame.
    """
    frames = functional.interpolate(as_frames(x), scale_factor=2, mode="bilinear", align_corners=True)
    return as_video(frames, x.shape[1])


def join(
    noisy_future: Float[Tensor, "batch future_channel future height width"],
    past: Float[Tensor, "batch past_channel past height width"],
) -> Video:
    """Return the network's input: the past and the noisy future, channel by channel on one time axis.

    The axis has max(P, F) frames, and frame k of it holds past frame k beside future frame k when P = F. A shorter
    past is padded at its start by repeating its oldest frame, so that the newest frame stands last; a shorter future
    is padded at its end with zeros, and what the network says there is cut off by `split`.

    Args:
        noisy_future: ``[B, Cf, F, H, W]``.
        past: ``[B, Cp, P, H, W]``.

    Returns:
        ``[B, max(P, F), H, W, Cp + Cf]``.
    """
    missing = past.shape[2] - noisy_future.shape[2]
    if missing > 0:
        noisy_future = functional.pad(noisy_future, (0, 0, 0, 0, 0, missing))
    elif missing < 0:
        past = torch.cat([past[:, :, :1].expand(-1, -1, -missing, -1, -1), past], dim=2)
    return torch.cat([past.permute(0, 2, 3, 4, 1), noisy_future.permute(0, 2, 3, 4, 1)], dim=4).contiguous()


def split(x: Video, frames: int) -> Float[Tensor, "batch channel {frames} height width"]:
    """Return the first ``frames`` frames of a network's output as ``[B, C, F, H, W]``."""
    return x[:, :frames].permute(0, 4, 1, 2, 3).contiguous()


def check_divisible(height: int, width: int, divisor: int) -> None:
    """Raise unless both sides of a frame can be halved until they are ``divisor`` times smaller.

    Raises:
        ConfigError: a side is not divisible; the message names the nearest sizes that are.
    """
    for name, size in (("height", height), ("width", width)):
        if size < 1 or size % divisor:
            below = size // divisor * divisor
            nearest = f"{below} or {below + divisor}" if below > 0 else f"{divisor}"
            raise ConfigError(
                f"{name} {size} is not divisible by {divisor} ({divisor.bit_length() - 1} halvings): "
                f"pad, crop or resample to {nearest}"
            )


def weights_channels_last(network: nn.Module) -> None:
    """Put the weights of every convolution into the layout of its input, in place; values and shapes stay."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)
