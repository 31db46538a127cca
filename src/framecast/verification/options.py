"""Options of the evaluation. Without heavy imports, so that the command line starts quickly."""

from dataclasses import dataclass
from typing import Literal

from framecast.core.errors import ConfigError

Blocks = Literal["auto", "sequence", "day", "sequence-day", "sample"]
Occasions = Literal["any", "hour", "season"]
BY = ("season", "month", "hour", "sequence", "label")


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """Options of the evaluation.

    Attributes:
        blocks: unit treated as independent by the bootstrap: sequences, days (UTC), both together or single
            samples; auto is sequences where they are independent, else periods, and gives no interval for too few.
        replicates: number of bootstrap draws, at least 100.
        seed: random seed for the bootstrap and the dressed-persistence baseline.
        thresholds: also score forecasts of exceeding these thresholds, in the unit of the images.
        baselines: also compare with nowcasts of pysteps: lagrangian, sprog or steps.
        climatology: training windows that make the climatology: all windows, same hour of day, or same season.
        events: also score the probabilities of events within the horizon: peak>=50000 or class>=M.
        by: also score subsets: season, month, hour, sequence or label; repeat for others.
        region: also score a part of the frame, NAME=SOUTH:NORTH,WEST:EAST; repeat for others.
        mask: also score the classes of a NetCDF map of integers, such as land and sea, separately.
        weights: weights of pixels: their area where rows are latitudes, or equal weights.
    """

    blocks: Blocks = "auto"
    replicates: int = 1000
    seed: int = 0
    thresholds: tuple[float, ...] = ()
    baselines: tuple[str, ...] = ()
    climatology: Occasions = "any"
    events: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    region: tuple[str, ...] = ()
    mask: str | None = None
    weights: Literal["area", "none"] = "area"

    def __post_init__(self) -> None:
        if self.replicates < 100:
            raise ConfigError(f"replicates is {self.replicates}; intervals need at least 100 bootstrap draws")
        if unknown := [each for each in self.by if each not in BY]:
            raise ConfigError(f"by is {unknown[0]!r}; scores can be stratified by {', '.join(BY)}")
        if self.seed < 0:
            raise ConfigError(f"seed is {self.seed}; it must not be negative")
