"""Sampling options that several commands share."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import typer

TrustCode = Annotated[
    bool, typer.Option("--trust-code", help="Run code that the model names and that does not come with framecast.")
]


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Sampling options that override those of the model.

    Attributes:
        sampler: sampler in place of the model's own: ddpm, ddim, or with settings: ddim:eta=0.5.
        grid: spacing of the diffusion times in place of the model's own: trailing, linspace ...
        steps: network evaluations per member.
        precision: precision of the network: auto is bf16 where that is faster on this machine, else float32.
            [default: the model's, usually auto]
        guidance: weight of the label; 1 samples as trained. [default: the model's]
        clip: clip the pixels of a channel to this range during sampling; repeat for other channels.
            [default: the model's]
        tile: evaluate larger frames in overlapping squares of this side. [default: the model's]
    """

    sampler: str | None = None
    grid: str | None = None
    steps: int | None = None
    precision: Literal["auto", "float32", "bf16"] | None = None
    guidance: float | None = None
    clip: dict[str, tuple[float, float]] | None = None
    tile: int | None = None


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """The members.

    Attributes:
        members: ensemble size.
        seed: random seed; the same seed gives the same members.
        label: class, for models with labels: a class of the model, such as M, or none. If the archive has labels,
            observed uses them. [default: none]
    """

    members: int = 20
    seed: int = 0
    label: str | None = None

    @property
    def choices(self) -> dict[str, Any]:
        """Return them as arguments of `framecast.forecast`."""
        return {**vars(self), "label": None if self.label == "none" else self.label}


@dataclass(frozen=True, kw_only=True)
class Running:
    """How a model is run.

    Attributes:
        device: where to compute: cpu, cuda, cuda:1. [default: the GPU if there is one]
        trust_code: run code that the model names and that does not come with framecast. Only for models from people
            you trust.
    """

    device: str | None = None
    trust_code: bool = False
