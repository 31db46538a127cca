"""A UNet over video for few processors and little time: its parts are chosen by their benefit per operation.

Its input and output are those of the paper's networks. The differences, and their reasons:

- **Patches.** The frames enter as patches of 2×2 pixels and leave by their inverse, so that no layer runs at the full
  size; nothing is lost, since a patch has more channels than pixels.
- **Depthwise, then pointwise.** A block mixes space and time by depthwise convolutions (3×3, then 5 frames) and
  channels by two linear maps, after Liu et al. 2022 (ConvNeXt, arXiv 2201.03545). Forward and backward on a CPU in
  bf16, a depthwise 3×3 costs from 1/20 to 1/2 of a dense one; a 5×5 costs as much as a dense 3×3, its gradient being
  slow.
- **The diffusion time everywhere**, the bottleneck included, as a scale and shift of the normalised video in every
  block (Dhariwal & Nichol 2021, arXiv 2105.05233, §3; here before the convolutions, as in Peebles & Xie 2023,
  arXiv 2212.09748).
- **The newest frame beside every future frame.** On the shared time axis the newest past frame stands beside the
  last future frame, far from the first one; given to all of them, persistence is one linear map away.
- **Attention is optional**, on the lowest resolutions, where tokens are few, with rotary positions over
  time, height and width (Su et al. 2021, arXiv 2104.09864), so that it knows distances and takes any number of frames
  and any size. By default there is none: for the same training time it left the CRPS as it was (docs/experiments.md).
- **Every residual starts at zero**, and so does the output (Goyal et al. 2017, arXiv 1706.02677, §5.1).

The norm is the paper's, over a whole sample: it preserves the brightness of a pixel relative to the others, which a
norm per pixel discards, and on a CPU it is the fastest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from framecast.core.errors import ConfigError
from framecast.networks.base import ChannelSlices, NetworkOptions
from framecast.networks.embedding import Embedding, label_slices, sinusoids
from framecast.networks.kernels import linear, linear_silu
from framecast.networks.layout import (
    SampleLinear,
    SpatialConv,
    Video,
    VideoNorm,
    as_frames,
    as_video,
    check_divisible,
    double,
    join,
    split,
    weights_channels_last,
)

EMBEDDING = 256
"""Width of the embedding of diffusion time and label, and of the sinusoids of a frame's number."""


_NOISE_AT_FIRST = 0.01
"""Standard deviation of the weights of the noise vector at first: just enough to distinguish members."""


def start_at_zero(layer: nn.Linear) -> nn.Linear:
    """Set weights and bias to zero and return the layer."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class DepthwiseSpatial(nn.Conv2d):
    """A 3×3 convolution over height and width, each channel by itself."""

    def __init__(self, channels: int):
        super().__init__(channels, channels, 3, padding=1, groups=channels)

    def forward(self, x: Video) -> Video:
        """Convolve every frame."""
        return as_video(super().forward(as_frames(x)), x.shape[1])


class DepthwiseTemporal(nn.Conv2d):
    """A convolution over 5 frames, each channel by itself."""

    def __init__(self, channels: int):
        super().__init__(channels, channels, (5, 1), padding=(2, 0), groups=channels)

    def forward(self, x: Video) -> Video:
        """Convolve along time at every pixel."""
        batch, time, height, width, channels = x.shape
        image = x.reshape(batch, time, height * width, channels).permute(0, 3, 1, 2)
        return super().forward(image).permute(0, 2, 3, 1).reshape(x.shape)


class Modulation(nn.Module):
    """The normalised video times (1 + scale) plus shift, both linear in the embedding; at first plainly the norm.

    Attributes:
        kept: where behind the embedding the factors of its channels are, under dropout.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.norm = VideoNorm(channels)
        self.project = start_at_zero(SampleLinear(EMBEDDING, 2 * channels))
        self.kept: slice | None = None

    def forward(self, x: Video, embedding: Float[Tensor, "batch embedding"]) -> Video:
        """Return norm(x)·(1 + scale) + shift, times the factors where the embedding has them."""
        scale, shift = self.project(embedding[:, :EMBEDDING]).to(x.dtype)[:, None, None, None].chunk(2, dim=4)
        if self.kept is None or embedding.shape[1] == EMBEDDING:
            return self.norm(x, 1 + scale, shift)
        kept = embedding[:, None, None, None, self.kept].to(x.dtype)
        return self.norm(x, (1 + scale) * kept, shift * kept)


class MixingBlock(nn.Module):
    """x + Linear(SiLU(Linear(temporal(spatial(modulated norm of x))))).

    Args:
        channels: channels received and returned.
        expansion: the two linear maps widen to so many times the channels in between.
    """

    def __init__(self, channels: int, *, expansion: int):
        super().__init__()
        self.modulate = Modulation(channels)
        self.spatial = DepthwiseSpatial(channels)
        self.temporal = DepthwiseTemporal(channels)
        self.widen = nn.Linear(channels, expansion * channels)
        self.narrow = start_at_zero(nn.Linear(expansion * channels, channels))

    def forward(self, x: Video, embedding: Float[Tensor, "batch embedding"]) -> Video:
        """Apply the block."""
        mixed = self.temporal(self.spatial(self.modulate(x, embedding)))
        return linear(linear_silu(mixed, self.widen), self.narrow, x)


def rotary_angles(shape: tuple[int, int, int], pairs: int, device: torch.device) -> Float[Tensor, "tokens pairs"]:
    """Return the angle by which each pair of a head's channels turns at each token of ``[time, height, width]``.

    The pairs are dealt out over the three axes in turn; on each axis the angle is position × frequency, with
    frequencies from 1 down towards 1/100 per frame or pixel.
    """
    axes = torch.meshgrid(*(torch.arange(size, device=device, dtype=torch.float32) for size in shape), indexing="ij")
    positions = torch.stack([axis.flatten() for axis in axes], dim=1)
    pair = torch.arange(pairs, device=device)
    frequencies = 100.0 ** (-(pair // 3).float() / max(1, -(-pairs // 3)))
    return positions[:, pair % 3] * frequencies


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """Turn each pair of channels (k, k + pairs) of ``x`` ``[..., tokens, 2·pairs]`` by its angle; keep the type."""
    cos, sin = angles.cos(), angles.sin()
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1).to(x.dtype)


class RotaryAttention(nn.Module):
    """x + Linear(attention of the modulated norm of x over all T·H·W tokens, by rotary positions)."""

    def __init__(self, channels: int, *, heads: int):
        super().__init__()
        self.heads = heads
        self.modulate = Modulation(channels)
        self.query_key_value = nn.Linear(channels, 3 * channels)
        self.project = start_at_zero(nn.Linear(channels, channels))

    def forward(self, x: Video, embedding: Float[Tensor, "batch embedding"]) -> Video:
        """Let every token look at every other token of its own sample."""
        tokens = self.modulate(x, embedding).flatten(1, 3)
        triple = self.query_key_value(tokens).unflatten(2, (3, self.heads, -1))
        query, key, value = triple.permute(2, 0, 3, 1, 4)
        angles = rotary_angles((x.shape[1], x.shape[2], x.shape[3]), query.shape[-1] // 2, x.device)
        heard = functional.scaled_dot_product_attention(rotate(query, angles), rotate(key, angles), value)
        return x + self.project(heard.transpose(1, 2).flatten(2)).reshape(x.shape)


class Level(nn.Module):
    """Blocks at one resolution, then attention where the level has it."""

    def __init__(self, channels: int, config: "VideoUNet", *, attention: bool):
        super().__init__()
        self.checkpointing = config.checkpointing
        self.layers = nn.ModuleList(MixingBlock(channels, expansion=config.expansion) for _ in range(config.blocks))
        if attention:
            self.layers.append(RotaryAttention(channels, heads=config.heads))

    def forward(self, x: Video, embedding: Float[Tensor, "batch embedding"]) -> Video:
        """Apply one layer after another."""
        for layer in self.layers:
            if self.checkpointing and torch.is_grad_enabled():
                x = checkpoint(layer, x, embedding, use_reentrant=False)
            else:
                x = layer(x, embedding)
        return x


@dataclass(frozen=True, kw_only=True)
class VideoUNet(NetworkOptions):
    """How `VideoUNetModule` is built.

    Attributes:
        width: channels at the highest resolution.
        multipliers: channels of each resolution over ``width``, highest first; each resolution is half the one before.
        blocks: blocks of each resolution on the way down, and again on the way up.
        expansion: widening inside a block.
        attention_levels: number of the lowest resolutions with attention after the blocks; 0 for none.
        heads: heads of every attention; twice their number divides the width of each level that has attention.
        patch: side of the square of pixels that enters as one position: 1, 2, 4 or 8.
        noise_vector: length of a vector of noise that enters through the embedding, for one-shot models (32 in
            Alet et al. 2025, arXiv 2506.10772); 0 for none.
        dropout: probability that a channel is left out of a block, drawn for each member in training and in forecasts
            (whole channels: Tompson et al. 2015, arXiv 1411.4280), for one-shot models.
        past_times: times of the past frames where they are uneven, in the longest step of which all are multiples;
            training fills this in.
        future_times: of the future frames, likewise.
        checkpointing: recompute every block in the backward pass instead of storing its activations.
    """

    kind: Literal["video-unet"] = "video-unet"
    width: int = 48
    multipliers: tuple[int, ...] = (1, 2, 4)
    blocks: int = 2
    expansion: int = 2
    attention_levels: int = 0
    heads: int = 4
    patch: int = 2
    noise_vector: int = 0
    dropout: float = 0.0
    past_times: tuple[float, ...] = ()
    future_times: tuple[float, ...] = ()
    checkpointing: bool = False

    def __post_init__(self) -> None:
        for name in ("width", "blocks", "expansion", "heads"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if self.blocks > 256 or len(self.multipliers) > 16:
            raise ConfigError(
                f"blocks is {self.blocks} with {len(self.multipliers)} multipliers; at most 256 and 16 are allowed"
            )
        if not self.multipliers or min(self.multipliers) < 1:
            raise ConfigError(f"multipliers is {list(self.multipliers)}; give one whole number from 1 per resolution")
        if self.patch not in (1, 2, 4, 8):
            raise ConfigError(f"patch is {self.patch}; it is the side of a square of pixels: 1, 2, 4 or 8")
        if bool(self.past_times) != bool(self.future_times):
            raise ConfigError("past_times and future_times belong together: give both or none")
        if not 0 <= self.attention_levels <= len(self.multipliers):
            raise ConfigError(
                f"attention_levels is {self.attention_levels}; there are {len(self.multipliers)} resolutions"
            )
        if not 0 <= self.noise_vector <= 256:
            raise ConfigError(f"noise_vector is {self.noise_vector}; it is the length of a vector, 0 to 256")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout is {self.dropout}; it is a probability, from 0 to below 1")
        for multiplier in self.multipliers[len(self.multipliers) - self.attention_levels :]:
            if self.width * multiplier % (2 * self.heads):
                raise ConfigError(
                    f"heads is {self.heads}; twice that must divide the width {self.width * multiplier} "
                    "of a resolution with attention"
                )

    @property
    def divisor(self) -> int:
        """What divides the height and the width of every frame."""
        return int(self.patch * 2 ** (len(self.multipliers) - 1))

    @property
    def live_values(self) -> float:
        """Numbers alive at once in an evaluation, per pixel and frame (measured: 1.9 widths in float32 as it is)."""
        return (4.0 + 2 * self.expansion) * self.width / self.patch**2

    def check_size(self, height: int, width: int) -> None:
        """Raise `ConfigError` unless frames of this size can be cut into patches and halved so often."""
        check_divisible(height, width, self.divisor)

    def build(self, *, past_channels: int, future_channels: int, classes: int = 0) -> "VideoUNetModule":
        """Return the network for this many channels seen and forecast, and labels (0: none)."""
        return VideoUNetModule(self, past_channels=past_channels, future_channels=future_channels, classes=classes)


class VideoUNetModule(nn.Module):
    """A UNet of depthwise blocks over patches of frames; see the module for its ideas.

    Args:
        config: widths and options.
        past_channels: channels of the past, Cp.
        future_channels: channels of the future, Cf.
        classes: number of labels; 0 for a network without labels.
    """

    def __init__(self, config: VideoUNet, *, past_channels: int, future_channels: int, classes: int = 0):
        super().__init__()
        self.config = config
        widths = [config.width * multiplier for multiplier in config.multipliers]
        attended = [level >= len(widths) - config.attention_levels for level in range(len(widths))]

        self.embedding = Embedding(EMBEDDING, classes=classes)
        self.think = nn.Sequential(
            SampleLinear(EMBEDDING, EMBEDDING), nn.SiLU(), SampleLinear(EMBEDDING, EMBEDDING), nn.SiLU()
        )
        if config.noise_vector:
            self.noise = SampleLinear(config.noise_vector, EMBEDDING, bias=False)
            nn.init.normal_(self.noise.weight, std=_NOISE_AT_FIRST)
        channels, patch = 2 * past_channels + future_channels, config.patch
        self.stem = (
            SpatialConv(channels, widths[0], kernel=patch, stride=patch, bias=True)
            if patch > 1
            else nn.Linear(channels, widths[0])
        )
        self.frame_number = nn.Linear(EMBEDDING, widths[0])
        self.frame_lag = start_at_zero(nn.Linear(EMBEDDING, widths[0])) if config.past_times else None
        self.down = nn.ModuleList(Level(w, config, attention=a) for w, a in zip(widths, attended, strict=True))
        self.shrink = nn.ModuleList(SpatialConv(i, o, kernel=2, stride=2, bias=True) for i, o in pairwise(widths))
        widths.reverse()
        attended.reverse()
        self.up = nn.ModuleList(Level(w, config, attention=a) for w, a in zip(widths, attended, strict=True))
        self.grow = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise(widths))
        self.last_norm = VideoNorm(widths[-1])
        self.last = start_at_zero(nn.Linear(widths[-1], future_channels * patch**2))
        self.noise_vector = config.noise_vector + (self._begin_dropout() if config.dropout else 0)
        self.live_values = config.live_values
        self.check_size, self.divisor = config.check_size, config.divisor
        weights_channels_last(self)

    def forward(
        self,
        x: Float[Tensor, "batch future_channel future height width"],
        time: Float[Tensor, " batch"],
        past: Float[Tensor, "batch past_channel past height width"],
        label: Int[Tensor, " batch"] | None = None,
        vector: Float[Tensor, "batch noise_vector"] | None = None,
    ) -> Float[Tensor, "batch future_channel future height width"]:
        """Predict from a noisy future and the past before it; see `framecast.networks.base.Network`.

        P and F may differ (see `framecast.networks.layout.join`); without a label the null class is taken. ``vector``
        is the noise of each sample for ``noise_vector`` and the dropout; without it the one is 0 and nothing dropped.

        Raises:
            ConfigError: the frames cannot be halved often enough, or a label is given to a network without classes.
        """
        self.check_size(x.shape[3], x.shape[4])
        embedding = self.think(self.embedding(time, label))
        if vector is not None:
            embedding = self._with_noise(embedding, vector)
        newest = past[:, :, -1:].expand(-1, -1, past.shape[2], -1, -1)
        video = self.stem(join(x, torch.cat([past, newest], dim=1)))
        video = video + self._positions(video.shape[1], x)[:, None, None]
        skips = []
        for level, shrink in zip(self.down[:-1], self.shrink, strict=True):
            skips.append(level(video, embedding))
            video = shrink(skips[-1])
        video = self.up[0](self.down[-1](video, embedding), embedding)
        for grow, level in zip(self.grow, self.up[1:], strict=True):
            video = level(skips.pop() + double(linear(video, grow)), embedding)  # type: ignore[arg-type]
        pixels = self.last(functional.silu(self.last_norm(video)))
        return split(self._unpatch(pixels), x.shape[2])

    def channel_slices(self, *, past: Sequence[str], future: Sequence[str], classes: Sequence[str]) -> ChannelSlices:
        """Return the tensors with a slice for each channel or class, the axis of the slices, and their names."""
        seen = [
            (group, name) for group, names in (("past", past), ("newest", past), ("future", future)) for name in names
        ]
        drawn = [(str(k), name) for k in range(self.config.patch**2) for name in future]
        return {"stem.weight": (1, seen), "last.weight": (0, drawn), "last.bias": (0, drawn)} | label_slices(classes)

    def _begin_dropout(self) -> int:
        """Tell every block where behind the embedding its factors are; return how many there are."""
        end = EMBEDDING
        for block in (module for module in self.modules() if isinstance(module, MixingBlock)):
            block.modulate.kept = slice(end, end := end + block.widen.in_features)
        return end - EMBEDDING

    def _with_noise(self, embedding: Tensor, vector: Tensor) -> Tensor:
        """Add the first numbers to the embedding and put behind it what the others say of the channels: kept or not."""
        noise, normal = vector.tensor_split([self.config.noise_vector], dim=1)
        if self.config.noise_vector:
            embedding = embedding + self.noise(noise)
        kept = torch.special.ndtr(normal) >= self.config.dropout
        return torch.cat([embedding, kept.to(embedding) / (1 - self.config.dropout)], dim=1)

    def _positions(self, frames: int, like: Tensor) -> Float[Tensor, "frames channel"]:
        """Return positions of the frames of the shared axis: their number, or their lead time and lag."""
        if self.frame_lag is None:
            return self.frame_number(sinusoids(torch.arange(frames, device=like.device, dtype=like.dtype), EMBEDDING))
        past, future = self.config.past_times, self.config.future_times
        lags = torch.tensor([past[0]] * (frames - len(past)) + list(past), device=like.device, dtype=like.dtype)
        leads = torch.tensor(list(future) + [future[-1]] * (frames - len(future)), device=like.device, dtype=like.dtype)
        return self.frame_number(sinusoids(leads, EMBEDDING)) + self.frame_lag(sinusoids(-lags, EMBEDDING))

    @property
    def bottleneck(self) -> nn.Module:
        """The level of the lowest resolution, whose output the out-of-domain guard uses."""
        return self.down[-1]

    def _unpatch(self, x: Tensor) -> Tensor:
        """Lay the channels of every position out as its square of pixels: undoes the patches of the stem."""
        side = self.config.patch
        squares = x.unflatten(4, (side, side, -1))
        return squares.permute(0, 1, 2, 4, 3, 5, 6).flatten(4, 5).flatten(2, 3)
