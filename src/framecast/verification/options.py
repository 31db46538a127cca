"""What can be set about judging forecasts. Light, so that the command line can show it at once."""

from dataclasses import dataclass
from typing import Literal

from framecast.core.errors import ConfigError

Blocks = Literal["auto", "sequence", "day", "sequence-day", "sample"]
Occasions = Literal["any", "hour", "season"]


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """How forecasts are judged.

    Attributes:
        blocks: unit treated as independent by the bootstrap: sequences, days (UTC), both together or single
            samples; auto is sequences where there are eight or more, else the finest of the first three.
        replicates: number of bootstrap draws, at least 100.
        seed: random seed for the bootstrap and the dressed-persistence baseline.
        thresholds: also score forecasts of exceeding these thresholds, in the unit of the images.
        climatology: training windows that make the climatology: all windows, same hour of day, or same season.
    """

    blocks: Blocks = "auto"
    replicates: int = 1000
    seed: int = 0
    thresholds: tuple[float, ...] = ()
    climatology: Occasions = "any"

    def __post_init__(self) -> None:
        if self.replicates < 100:
            raise ConfigError(f"replicates is {self.replicates}; intervals need at least 100 bootstrap draws")
        if self.seed < 0:
            raise ConfigError(f"seed is {self.seed}; it must not be negative")
