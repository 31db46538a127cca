"""Diffusion time and class of a sample as a vector."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from framecast.core.errors import ConfigError
from framecast.networks.base import ChannelSlices


def sinusoids(time: Float[Tensor, " batch"], width: int) -> Float[Tensor, "batch {width}"]:
    """Return sines, then cosines of ``time`` at frequencies 10000^(-2k/width), k = 0 … width/2 - 1.

    The phases are at least float32 whatever the autocast precision, so that neighbouring rows of a table of 1000 stay
    distinct (Vaswani et al. 2017, §3.5, arXiv 1706.03762).
    """
    phase_type = torch.promote_types(time.dtype, torch.float32)
    # Created on the device: numbers from the host would make a GPU wait, and are not allowed in a CUDA graph.
    exponents = torch.arange(0, width, 2, device=time.device, dtype=torch.float64) / -width
    phases = time.to(phase_type)[:, None] * (10000.0**exponents).to(phase_type)
    return torch.cat([phases.sin(), phases.cos()], dim=1)


def label_slices(classes: Sequence[str]) -> ChannelSlices:
    """Return the rows of the table of a network's `Embedding` by class, if it has any; the null class is the last."""
    return {"embedding.label.weight": (0, [("class", name) for name in (*classes, "")])} if classes else {}


class Embedding(nn.Module):
    """The embedding of the diffusion time plus, where there are classes, that of the label.

    Args:
        width: length of the vector.
        classes: number of labels; the table has one row more, its last, for "no label known" (the null class).
    """

    def __init__(self, width: int, *, classes: int = 0):
        super().__init__()
        self.width, self.classes = width, classes
        self.label = nn.Embedding(classes + 1, width) if classes else None

    def forward(
        self, time: Float[Tensor, " batch"], label: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch embedding"]:
        """Return one vector per sample; without ``label`` a network with classes takes the null class.

        Raises:
            ConfigError: a label is given to a network without classes.
        """
        embedding = sinusoids(time, self.width)
        if self.label is None:
            if label is not None:
                raise ConfigError("a label was given to a network without classes: build it with classes ≥ 1")
            return embedding
        if label is None:
            label = torch.full(time.shape, self.classes, dtype=torch.int64, device=time.device)
        return embedding + self.label(label)
