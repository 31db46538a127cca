"""Settings of training."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from framecast.core.errors import ConfigError
from framecast.core.options import parse_duration
from framecast.training.reconstruction import WIDEST

_LARGEST_RATE = 10.0
"""Largest learning rate: AdamW's steps have about this size, and 1e-3 is already large."""


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """The settings of a training run; the defaults are those of Francisco et al. (2024) where they give one.

    Attributes:
        start: a model to start from, a run's or model's folder or the name of a released one: its weights instead of
            random ones, and what the recipe leaves open (see `framecast.training.start`).
        rates: factors on the learning rate by part of the network, such as ``{down: 0.1, stem: 0}``: for the tensors
            whose names begin with it; 0 freezes them.
        steps: optimizer steps of the whole run; give this, ``epochs`` or ``budget``.
        epochs: passes over the training windows.
        budget: time limit of the run on the machine where it starts, such as ``20min``.
        least_steps: if the budget allows fewer steps than this, a narrower network is trained; ``None`` keeps the
            network.
        batch: windows per optimizer step, over all its parts.
        accumulate: parts into which each batch is divided to fit into memory.
        learning_rate: AdamW's, after the warm-up.
        weight_decay: AdamW's, on weights but not on norms and biases.
        warmup: steps over which the learning rate rises linearly from zero.
        decay: ``constant`` after the warm-up, or ``cosine`` down to zero at the last step.
        clip: largest gradient norm; larger gradients are rescaled to it.
        ema: decay per step of the averaged weights that forecasts use.
        ema_start: step at which averaging starts; before it the average equals the weights.
        averages: widths of power-function averages that are kept besides, each a fraction of the training time from 0
            to 0.28, such as 0.05 and 0.1: from their snapshots an average of any other length can be made after the run
            (see `framecast.training.reconstruction`); each costs the memory of the weights.
        snapshots: how many times during the run these are saved.
        precision: ``float32``; ``bf16`` or ``fp16`` for autocast with float32 weights, the latter with a scaled loss;
            ``auto`` for float32 or bf16, whichever is faster on the machine where the run starts, then kept.
        matmul: precision of float32 matrix products on devices with a choice (see
            ``torch.set_float32_matmul_precision``): ``highest``, ``high`` or ``medium``.
        shard: whether several processes divide weights, averages and moments among them, for models beyond one GPU.
        label_dropout: fraction of the labels that is dropped in training, so that the network also learns the
            unconditional forecast, which guidance needs (Ho & Salimans 2022, arXiv 2207.12598); only for networks with
            labels.
        flips: axes along which windows are mirrored at random, where the physics has no preferred direction.
        seed: of the order of the windows, the noise, the times and the initial weights.
        validate_every: steps between two validations.
        validation_windows: windows that a validation looks at, evenly spaced over the validation side.
        checkpoint_every: steps between two checkpoints; the last step always makes one.
        keep: how many of the latest checkpoints are kept, in addition to the best on validation.
        max_bad_steps: steps in a row with a loss or gradient that is not finite after which the run ends.
        workers: processes that load windows; 0 loads in the main process.
        cache_gib: an archive smaller than this is kept in memory.
    """

    start: str | None = None
    rates: dict[str, float] = field(default_factory=dict)
    steps: int | None = None
    epochs: float | None = None
    budget: str | None = None
    least_steps: int | None = None
    batch: int = 16
    accumulate: int = 1
    learning_rate: float = 3e-4
    weight_decay: float = 1e-5
    warmup: int = 200
    decay: Literal["constant", "cosine"] = "constant"
    clip: float = 1.0
    ema: float = 0.995
    ema_start: int = 0
    averages: tuple[float, ...] = ()
    snapshots: int = 16
    precision: Literal["auto", "float32", "bf16", "fp16"] = "auto"
    matmul: Literal["highest", "high", "medium"] = "highest"
    shard: bool = False
    label_dropout: float = 0.1
    flips: tuple[Literal["x", "y"], ...] = ()
    seed: int = 0
    validate_every: int = 500
    validation_windows: int = 64
    checkpoint_every: int = 500
    keep: int = 2
    max_bad_steps: int = 10
    workers: int = 0
    cache_gib: float = 4.0

    def __post_init__(self) -> None:
        findings = [*self._length(), *self._ranges()]
        if self.shard and self.precision == "fp16":
            findings.append("training.shard is not supported with training.precision=fp16: use bf16")
        if findings:
            raise ConfigError(*findings)

    def _length(self) -> Iterator[str]:
        """Yield errors of the settings on the length of the run."""
        if sum(value is not None for value in (self.steps, self.epochs, self.budget)) != 1:
            yield (
                f"training.steps is {self.steps}, training.epochs is {self.epochs} and training.budget is "
                f"{self.budget}: set one of them, and the others to null"
            )
        if self.budget is not None:
            try:
                parse_duration(self.budget)
            except ConfigError as error:
                yield f"training.budget: {error}"
        for name in ("steps", "epochs", "least_steps"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                yield f"training.{name} is {value}; it must be positive"

    def _ranges(self) -> Iterator[str]:
        """Yield every value that lies outside its range."""
        positive = ("batch", "accumulate", "learning_rate", "clip", "validate_every", "validation_windows")
        for name in (*positive, "checkpoint_every", "keep", "max_bad_steps", "snapshots"):
            if not getattr(self, name) > 0:
                yield f"training.{name} is {getattr(self, name)}; it must be positive"
        for name in ("weight_decay", "warmup", "ema_start", "workers", "cache_gib", "seed"):
            if getattr(self, name) < 0:
                yield f"training.{name} is {getattr(self, name)}; it must not be negative"
        for part, factor in self.rates.items():
            if not 0 <= factor <= 1:
                yield f"training.rates has {factor} for {part}; a factor lies between 0 (frozen) and 1"
        if self.learning_rate > _LARGEST_RATE:
            yield f"training.learning_rate is {self.learning_rate:g}; it can be at most {_LARGEST_RATE:g}"
        if not 0 <= self.ema < 1:
            yield f"training.ema is {self.ema}; it must lie in [0, 1)"
        if not 0 <= self.label_dropout <= 1:
            yield f"training.label_dropout is {self.label_dropout}; it is a fraction between 0 and 1"
        for width in self.averages:
            if not 0 < width <= WIDEST:
                yield f"training.averages has {width}; it is a fraction of the training, above 0 and up to {WIDEST}"
        if self.accumulate > 0 and self.batch % self.accumulate:
            yield (
                f"training.batch={self.batch} cannot be divided into training.accumulate={self.accumulate} equal "
                "parts: make the batch a multiple"
            )

    def resolved(self, windows: int) -> "TrainingOptions":
        """Return the same options with epochs over this many training ``windows`` written as steps."""
        if self.epochs is None:
            return self
        return replace(self, steps=max(1, round(self.epochs * windows / self.batch)), epochs=None)

    @property
    def last_step(self) -> int:
        """The number of optimizer steps; only for options that are `resolved`."""
        assert self.steps is not None
        return self.steps
