"""The two networks of Francisco et al. 2024 (arXiv 2410.20843): UNets over video that never down-sample time.

Both take the noisy future with the past beside it on channels and return, per future channel, frame and pixel, what
they were trained to predict. Their convolutions are factorised ("2.5D"): 1×3×3 over space, then 3×1×1 over time.
`PaletteModelVideo` halves the frames three times, `PaletteModelVideoDeep` four times.

How the parts are put together, with w the base width (``P`` parameters each, e = 256 the embedding's width):

- ``block(i, m, o)``: 1×3×3 i→m, 3×1×1 m→m, norm(m), GELU, 1×3×3 m→o, 3×1×1 o→o, norm(o), without biases:
  P = 9im + 3m² + 2m + 9mo + 3o² + 2o. The first block of the network has no 3×1×1 convolutions.
- ``down(i, o)``: max-pool, residual block(i, i, i), block(i, o, o), plus Linear(SiLU(embedding)): eo + o parameters.
- ``up(i, o)``: linear up-sampling, concatenation behind the skip to i channels, residual block(i, i, i),
  block(i, i/2, o), plus its own embedding as in ``down``.
- ``attention(c)``: LayerNorm, multi-head attention with biases, LayerNorm, two biased linear maps: P = 6c² + 10c.
- Bottleneck: three blocks, each followed by attention; no embedding enters there.
- Encoder attention sits behind ``down`` (its embedding included), on the lowest level only by default: this
  interpretation gives the published network's 23,658,945 parameters at w = 64 (5,971,169 at w = 32) for 4 channels in,
  1 out, without labels.
- A biased 1×1 convolution, which is a linear map of every pixel's channels, gives the output.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from framecast.core.errors import ConfigError
from framecast.networks.base import ChannelSlices, NetworkOptions
from framecast.networks.embedding import Embedding, label_slices
from framecast.networks.layout import (
    SampleLinear,
    SpaceTimeConv,
    SpatialConv,
    TemporalConv,
    Video,
    VideoNorm,
    check_divisible,
    double,
    halve,
    join,
    split,
    weights_channels_last,
)

EMBEDDING = 256
"""Width of the embedding of diffusion time and label."""

Convolution = Literal["spatial", "2.5d", "3d"]
"""Convolutions of a block: 1×3×3; 1×3×3 then 3×1×1; or 3×3×3."""


def convolutions(kind: Convolution, in_channels: int, out_channels: int) -> list[nn.Module]:
    """Return the convolutions, one after another, that stand for one 3×3×3 convolution in a block of this kind."""
    if kind == "3d":
        return [SpaceTimeConv(in_channels, out_channels)]
    spatial = SpatialConv(in_channels, out_channels)
    return [spatial] if kind == "spatial" else [spatial, TemporalConv(out_channels, out_channels)]


class SpaceTimeAttention(nn.Module):
    """Self-attention over all T·H·W tokens, then a small network on every token, each with a residual.

    x ← x + Attention(LayerNorm(x)), x ← x + Linear(GELU(Linear(LayerNorm(x)))), both linear maps C → C. The
    tokens ``[B, T·H·W, C]`` are a view of the video. Weights start as those of
    `torch.nn.MultiheadAttention` do.
    """

    def __init__(self, channels: int, *, heads: int = 4):
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(channels)
        self.query_key_value = nn.Linear(channels, 3 * channels)
        self.project = nn.Linear(channels, channels)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(channels), nn.Linear(channels, channels), nn.GELU(), nn.Linear(channels, channels)
        )
        nn.init.xavier_uniform_(self.query_key_value.weight)
        nn.init.zeros_(self.query_key_value.bias)
        nn.init.zeros_(self.project.bias)

    def forward(self, x: Video) -> Video:
        """Apply attention between all tokens of each sample."""
        tokens = x.flatten(1, 3)
        split = self.query_key_value(self.norm(tokens)).unflatten(2, (3, self.heads, -1))
        query, key, value = split.permute(2, 0, 3, 1, 4)
        heard = functional.scaled_dot_product_attention(query, key, value)
        tokens = tokens + self.project(heard.transpose(1, 2).flatten(2))
        return (tokens + self.feed_forward(tokens)).reshape(x.shape)


class Block(nn.Module):
    """Convolution → norm → GELU → convolution → norm; with ``residual`` the sum with the input goes through a GELU.

    Args:
        in_channels: channels received.
        out_channels: channels returned.
        middle: channels between the two convolutions; ``out_channels`` if not given.
        convolution: what the convolutions are.
        residual: return GELU(x + block(x)) instead of block(x).
        checkpointing: keep only the input and what stands in the middle for the backward pass, and compute each half
            of the block again there.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        middle: int | None = None,
        convolution: Convolution = "2.5d",
        residual: bool = False,
        checkpointing: bool = False,
    ):
        super().__init__()
        middle = middle or out_channels
        self.residual, self.checkpointing = residual, checkpointing
        first = [*convolutions(convolution, in_channels, middle), VideoNorm(middle), nn.GELU()]
        second = [*convolutions(convolution, middle, out_channels), VideoNorm(out_channels)]
        self.first_half = len(first)
        self.layers = nn.Sequential(*first, *second)

    def forward(self, x: Video) -> Video:
        """Apply the block."""
        if self.checkpointing and torch.is_grad_enabled():
            middle = checkpoint(self._enter, x, use_reentrant=False)
            return checkpoint(self._leave, middle, x if self.residual else None, use_reentrant=False)
        return self._leave(self._enter(x), x if self.residual else None)

    def _enter(self, x: Tensor) -> Tensor:
        for layer in list(self.layers)[: self.first_half]:  # a slice of a Sequential would be a new module each time
            x = layer(x)
        return x

    def _leave(self, middle: Tensor, residual: Tensor | None) -> Tensor:
        x = middle
        for layer in list(self.layers)[self.first_half :]:
            x = layer(x)
        return x if residual is None else functional.gelu(residual + x)


class Shift(nn.Module):
    """A projection of the embedding, Linear(SiLU(embedding)), added to every frame and pixel, per channel."""

    def __init__(self, channels: int):
        super().__init__()
        self.project = SampleLinear(EMBEDDING, channels)

    def forward(self, x: Video, embedding: Float[Tensor, "batch embedding"]) -> Video:
        """Return ``x`` plus the projected embedding."""
        return x + self.project(functional.silu(embedding)).to(x.dtype)[:, None, None, None]


class Down(nn.Module):
    """Half the size: max-pool → residual block → block → plus the embedding."""

    def __init__(self, in_channels: int, out_channels: int, *, checkpointing: bool):
        super().__init__()
        self.keep = Block(in_channels, in_channels, residual=True, checkpointing=checkpointing)
        self.change = Block(in_channels, out_channels, checkpointing=checkpointing)
        self.shift = Shift(out_channels)

    def forward(self, x: Video, embedding: Float[Tensor, "batch embedding"]) -> Video:
        """Return the video at half the height and width."""
        return self.shift(self.change(self.keep(halve(x))), embedding)


class Up(nn.Module):
    """Twice the size: up-sampling → the encoder's video beside it → residual block → block → plus the embedding."""

    def __init__(self, in_channels: int, out_channels: int, *, checkpointing: bool):
        super().__init__()
        self.keep = Block(in_channels, in_channels, residual=True, checkpointing=checkpointing)
        self.change = Block(in_channels, out_channels, middle=in_channels // 2, checkpointing=checkpointing)
        self.shift = Shift(out_channels)

    def forward(self, x: Video, skip: Video, embedding: Float[Tensor, "batch embedding"]) -> Video:
        """Return the video at twice the height and width; ``skip`` is the encoder's at that size."""
        return self.shift(self.change(self.keep(torch.cat([skip, double(x)], dim=4))), embedding)


@dataclass(frozen=True, kw_only=True)
class PaletteVideo(NetworkOptions):
    """How `PaletteModelVideo` is built.

    Attributes:
        width: base width w. The authors tie it to the size of the frames: 64 at 128².
        encoder_attention: number of the encoder's lowest levels with attention; 0 for none, 1 in the paper.
        bottleneck: convolutions of the bottleneck, "2.5d" as elsewhere or full "3d" ones.
        heads: heads of every attention; they divide the width of each level that has attention.
        output: first weights of the last 1×1 convolution. "default" is PyTorch's, as in the paper: outputs start with a
            variance of about 1/3. "zero" starts from the prediction 0, which is the mean of an ε target and saves
            small models the steps it takes to unlearn a random image.
        checkpointing: recompute every block in the backward pass instead of storing its activations. Same gradients,
            less memory, about a third more time.
    """

    kind: Literal["palette-video"] = "palette-video"
    width: int = 64
    encoder_attention: int = 1
    bottleneck: Literal["2.5d", "3d"] = "2.5d"
    heads: int = 4
    output: Literal["default", "zero"] = "default"
    checkpointing: bool = False

    encoder: ClassVar[tuple[int, ...]] = (1, 2, 2, 4)
    """Width of each resolution, 1 first, over the base width."""
    middle: ClassVar[tuple[int, ...]] = (8, 8, 2)
    """Width behind each block of the bottleneck."""
    decoder: ClassVar[tuple[int, ...]] = (2, 1, 1)
    """Width of each resolution on the way back, the lowest first."""

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ConfigError(f"width is {self.width}; it must be at least 1")
        levels = len(self.encoder) - 1
        if not 0 <= self.encoder_attention <= levels:
            raise ConfigError(f"encoder_attention is {self.encoder_attention}; {self.kind} takes 0 to {levels} levels")
        attended = (*self.middle, *self.encoder[len(self.encoder) - self.encoder_attention :])
        narrowest = self.width * min(attended)
        if self.heads < 1 or narrowest % self.heads:
            raise ConfigError(f"heads is {self.heads}; it must divide the width {narrowest} of an attended level")

    @property
    def divisor(self) -> int:
        """What divides the height and the width of every frame."""
        return 2 ** (len(self.encoder) - 1)

    @property
    def live_values(self) -> float:
        """Numbers alive at once in an evaluation, per pixel and frame (measured: 11.5 widths in float32)."""
        return 12.0 * self.width

    def check_size(self, height: int, width: int) -> None:
        """Raise `ConfigError` unless frames of this size can be halved as often as the network does."""
        check_divisible(height, width, self.divisor)

    def build(self, *, past_channels: int, future_channels: int, classes: int = 0) -> "PaletteModelVideo":
        """Return the network for this many channels seen and forecast, and labels (0: none)."""
        return PaletteModelVideo(self, past_channels=past_channels, future_channels=future_channels, classes=classes)


@dataclass(frozen=True, kw_only=True)
class PaletteVideoDeep(PaletteVideo):
    """How `PaletteModelVideoDeep` is built: as `PaletteVideo`, with one halving more."""

    kind: Literal["palette-video-deep"] = "palette-video-deep"  # type: ignore[assignment]

    encoder: ClassVar[tuple[int, ...]] = (1, 2, 2, 4, 4)
    middle: ClassVar[tuple[int, ...]] = (8, 8, 4)
    decoder: ClassVar[tuple[int, ...]] = (2, 2, 1, 1)

    def build(self, *, past_channels: int, future_channels: int, classes: int = 0) -> "PaletteModelVideoDeep":
        """Return the network for this many channels seen and forecast, and labels (0: none)."""
        return PaletteModelVideoDeep(
            self, past_channels=past_channels, future_channels=future_channels, classes=classes
        )


class PaletteModelVideo(nn.Module):
    """The paper's UNet over four resolutions.

    Widths w, 2w, 2w, 4w on the way down, 8w, 8w, 2w in the bottleneck, 2w, w, w on the way up.

    Args:
        config: widths and options.
        past_channels: channels of the past, Cp.
        future_channels: channels of the future, Cf.
        classes: number of labels; 0 for a network without labels.
    """

    def __init__(self, config: PaletteVideo, *, past_channels: int, future_channels: int, classes: int = 0):
        super().__init__()
        self.config = config
        again = config.checkpointing
        encoder = [config.width * factor for factor in config.encoder]
        middle = [config.width * factor for factor in (config.encoder[-1], *config.middle)]
        decoder = [config.width * factor for factor in (config.middle[-1], *config.decoder)]
        first_attended = len(encoder) - 1 - config.encoder_attention

        self.embedding = Embedding(EMBEDDING, classes=classes)
        self.first = Block(past_channels + future_channels, encoder[0], convolution="spatial", checkpointing=again)
        self.down = nn.ModuleList(Down(i, o, checkpointing=again) for i, o in pairwise(encoder))
        self.down_attention = nn.ModuleList(
            SpaceTimeAttention(channels, heads=config.heads) if level >= first_attended else nn.Identity()
            for level, channels in enumerate(encoder[1:])
        )
        self.middle = nn.Sequential()
        for i, o in pairwise(middle):
            self.middle.append(Block(i, o, convolution=config.bottleneck, checkpointing=again))
            self.middle.append(SpaceTimeAttention(o, heads=config.heads))
        skips = reversed(encoder[:-1])
        self.up = nn.ModuleList(
            Up(skip + i, o, checkpointing=again) for skip, (i, o) in zip(skips, pairwise(decoder), strict=True)
        )
        self.last = nn.Linear(decoder[-1], future_channels)
        if config.output == "zero":
            for parameter in self.last.parameters():
                nn.init.zeros_(parameter)
        self.live_values = config.live_values
        self.check_size, self.divisor = config.check_size, config.divisor
        weights_channels_last(self)

    def forward(
        self,
        x: Float[Tensor, "batch future_channel future height width"],
        time: Float[Tensor, " batch"],
        past: Float[Tensor, "batch past_channel past height width"],
        label: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch future_channel future height width"]:
        """Predict from a noisy future and the past before it; see `framecast.networks.base.Network`.

        P and F may differ (see `framecast.networks.layout.join`); without a label the null class is taken.

        Raises:
            ConfigError: the frames cannot be halved often enough, or a label is given to a network without classes.
        """
        self.check_size(x.shape[3], x.shape[4])
        embedding = self.embedding(time, label)
        video = self.first(join(x, past))
        skips = []
        for down, attention in zip(self.down, self.down_attention, strict=True):
            skips.append(video)
            video = attention(down(video, embedding))
        video = self.middle(video)
        for up in self.up:
            video = up(video, skips.pop(), embedding)
        return split(self.last(video), x.shape[2])

    def channel_slices(self, *, past: Sequence[str], future: Sequence[str], classes: Sequence[str]) -> ChannelSlices:
        """Return the tensors with a slice for each channel or class, the axis of the slices, and their names."""
        drawn = [("future", name) for name in future]
        seen = [*(("past", name) for name in past), *drawn]
        return {
            "first.layers.0.weight": (1, seen),
            "last.weight": (0, drawn),
            "last.bias": (0, drawn),
            **label_slices(classes),
        }

    @property
    def bottleneck(self) -> nn.Module:
        """The lowest resolution, whose output the out-of-domain guard uses."""
        return self.middle


class PaletteModelVideoDeep(PaletteModelVideo):
    """The paper's UNet over five resolutions.

    Widths w, 2w, 2w, 4w, 4w on the way down, 8w, 8w, 4w in the bottleneck, 2w, 2w, w, w on the way up: each level of
    the decoder takes what the level below gives beside the encoder's skip of its own resolution.
    """
