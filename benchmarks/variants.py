"""Methods that framecast does not contain, made by wrapping its parts: more lines for the table of ablations.py.

    python benchmarks/variants.py sun32.zarr --out ablations.json [--seconds 120] [--only NAME ...]

- ``residual of a mean network``: a deterministic network is trained for the same time first, and the diffusion then
  makes what it leaves over, as in Mardani et al. 2025 (arXiv 2309.15214).
- ``small rotations``: each window is turned by up to 15 degrees about its middle, beside the mirror images.
- ``factorised attention``: within each frame, then over time at each place, in place of all tokens at once.
- ``condition encoder``: a second network sees the past alone, once for each forecast, and its eight channels stand
  beside the past in front of the denoiser.
- ``diffusion, then one-shot``: half of the time for a diffusion, whose network is then trained as a one-shot generator.

They are judged and kept as the runs of ablations.py are, in the same file.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import rotate
from torch import Tensor, nn

from ablations import COMMON, DIFFUSION, RUNS, STRUCTURE, Trained, Variant, arguments, make, train
from framecast.data.datasets import Sample, WindowDataset
from framecast.generators.generator import Generator
from framecast.models.config import build_network
from framecast.networks.palette import SpaceTimeAttention
from framecast.training.prepare import Prepared, prepare
from framecast.training.recipe import load_recipe
from framecast.videos.conditioning import Conditioning, Example

FEATURES = 8
"""Channels of the condition encoder's output."""

DEGREES = 15.0

AFTER = (*STRUCTURE, "one_shot.diffusion={kind: diffusion, noise_slope: 0.5}", "training.learning_rate=0.0005")


class Turned(WindowDataset):
    """Windows that are turned at random when they are drawn with an epoch."""

    def sample(self, index: int, *, epoch: int | None = None) -> Sample:
        """Return window ``index``, turned as (seed, epoch, index) says."""
        past, future, *others = super().sample(index, epoch=epoch)
        if epoch is None:
            return Sample(past, future, *others)
        angle = np.random.default_rng((self._seed, epoch, index)).uniform(-DEGREES, DEGREES)
        turned = [
            torch.from_numpy(rotate(video.numpy(), angle, axes=(-2, -1), reshape=False, order=1, mode="nearest"))
            for video in (past, future)
        ]
        return Sample(*turned, *others)


class Factorised(nn.Module):
    """Attention within each frame, then over time at each place."""

    def __init__(self, whole: SpaceTimeAttention) -> None:
        super().__init__()
        self.space = whole
        self.time = SpaceTimeAttention(whole.project.in_features, heads=whole.heads)

    def forward(self, x: Tensor) -> Tensor:
        """Return the video ``[batch, time, height, width, channel]`` after both."""
        batch, time, height, width, channels = x.shape
        x = self.space(x.reshape(batch * time, 1, height, width, channels)).reshape(x.shape)
        places = x.permute(0, 2, 3, 1, 4).reshape(batch * height * width, time, 1, 1, channels)
        return self.time(places).reshape(batch, height, width, time, channels).permute(0, 3, 1, 2, 4).contiguous()


class Encoded(nn.Module):
    """A network that sees features of the past beside the past; they are made once for a past."""

    def __init__(self, prepared: Prepared) -> None:
        super().__init__()
        self.config = prepared.model.network
        frames = prepared.model.frames
        past, future = len(frames.past_channels), len(frames.future_channels)
        self.encoder = self.config.build(past_channels=past, future_channels=FEATURES)
        self.denoiser = self.config.build(past_channels=past + FEATURES, future_channels=future)
        self._known: tuple[Tensor, Tensor] | None = None

    def forward(self, x: Tensor, time: Tensor, past: Tensor, label: Tensor | None = None) -> Tensor:
        """Predict as every network does."""
        return self.denoiser(x, time, torch.cat([past, self.features(past)], dim=1), label)

    def features(self, past: Tensor) -> Tensor:
        """Return the features of ``past``, those made before if it is the same tensor."""
        if torch.is_grad_enabled():
            return self._encode(past)
        if self._known is None or self._known[0] is not past:
            self._known = past, self._encode(past)
        return self._known[1]

    def _encode(self, past: Tensor) -> Tensor:
        empty = past.new_zeros(len(past), FEATURES, *past.shape[2:])
        return self.encoder(empty, past.new_zeros(len(past)), past)


class Residual(Conditioning):
    """The past is given; what a deterministic network leaves over is generated, in units of its deviation."""

    def __init__(self, given: Conditioning, mean: Generator, windows: WindowDataset) -> None:
        super().__init__(given.representation)
        self.mean = mean.eval()
        self.scale = torch.ones(())
        random = torch.Generator()
        left = [
            self.example(past[None], future[None], random).x0
            for past, future, *_ in (windows.sample(k * len(windows) // 64) for k in range(64))
        ]
        self.scale = torch.cat(left).std(dim=(0, 3, 4), keepdim=True)

    def example(self, past: Tensor, future: Tensor, random: torch.Generator) -> Example:
        """Return what is left over as x0."""
        x0, condition, known = super().example(past, future, random)
        return Example((x0 - self._mean(condition)) / self.scale, condition, known)

    def future(self, x0: Tensor, past: Tensor) -> Tensor:
        """Return the mean and what was generated, in physical units."""
        return super().future(x0 * self.scale + self._mean(self.condition(past)), past)

    @torch.no_grad()
    def _mean(self, condition: Tensor) -> Tensor:
        shape = self.shape(*condition.shape[-2:])
        return self.mean(condition.new_zeros(len(condition), *shape), condition)


class WithRotations(Variant):
    """Training windows are turned."""

    def windows(self, windows: WindowDataset) -> WindowDataset:
        """Return the same windows, turned at random."""
        return Turned(windows.archive, windows.windows, windows.frames, flips=windows._flips, seed=windows._seed)


class WithFactorisedAttention(Variant):
    """Attention at the lowest resolution is factorised."""

    def network(self, prepared: Prepared) -> nn.Module:
        """Return the recipe's network with its attention replaced."""
        network = build_network(prepared.model)
        for module in list(network.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, SpaceTimeAttention):
                    setattr(module, name, Factorised(child))
        return network


class WithEncoder(Variant):
    """The past is encoded by a network of its own."""

    def network(self, prepared: Prepared) -> nn.Module:
        """Return both networks as one."""
        return Encoded(prepared)


@dataclass
class AfterDiffusion(Variant):
    """A diffusion is trained first, in half of the time, and a one-shot generator begins with its averaged weights.

    Attributes:
        seconds: of processor time in all.
    """

    seconds: float
    changes: list[str]
    share = 0.5

    def __post_init__(self) -> None:
        self._weights: dict[str, Tensor] = {}

    def network(self, prepared: Prepared) -> nn.Module:
        """Return the diffusion's network; it is trained once."""
        network = build_network(prepared.model)
        if not self._weights:
            recipe = load_recipe("tiny", [*COMMON, *DIFFUSION, "diffusion.noise_slope=0.5", *self.changes])
            first = prepare(recipe, prepared.data.archive)
            trained = train(first, first.dataset("train"), (1 - self.share) * self.seconds, Variant())
            self._weights = averaged(trained)
        network.load_state_dict(self._weights)
        return network


def averaged(trained: Trained) -> dict[str, Tensor]:
    """Return the averaged weights of a run."""
    with trained.state.ema.within(trained.generator.network):
        return {name: value.clone() for name, value in trained.generator.network.state_dict().items()}


@dataclass
class OnMean(Variant):
    """The diffusion makes what a deterministic network leaves over.

    Attributes:
        seconds: of processor time for the deterministic network.
    """

    seconds: float

    def conditioning(self, prepared: Prepared, windows: WindowDataset) -> Conditioning:
        """Train the deterministic network and return what puts its residual before the other."""
        mean = prepare(load_recipe("tiny", [*COMMON, *RUNS["mean only"]]), prepared.data.archive)
        trained = train(mean, windows, self.seconds, Variant())
        trained.generator.network.load_state_dict(averaged(trained))
        return Residual(prepared.model.conditioning, trained.generator, windows)


def variants(seconds: float, changes: Sequence[str] = ()) -> dict[str, tuple[Variant, tuple[str, ...]]]:
    """Return each variant and its changes of the recipe, by name."""
    attention = RUNS["attention, three resolutions"]
    return {
        "residual of a mean network": (OnMean(seconds), DIFFUSION),
        "small rotations": (WithRotations(), DIFFUSION),
        "factorised attention": (WithFactorisedAttention(), attention),
        "condition encoder": (WithEncoder(), (*DIFFUSION, "network.width=24")),
        "diffusion, then one-shot": (AfterDiffusion(seconds, list(changes)), AFTER),
    }


def main() -> None:
    options = arguments(__doc__, variants(0))
    make(variants(options.seconds, options.set), options)


if __name__ == "__main__":
    main()
