"""What is taken to be independent of each other when intervals are drawn."""

from typing import get_args

import numpy as np

from framecast.core.errors import ConfigError
from framecast.verification.cases import Cases
from framecast.verification.options import Blocks

BLOCKS = get_args(Blocks)

ENOUGH_BLOCKS = 8
"""With fewer blocks percentile intervals are too narrow to be trusted."""


def block_names(cases: Cases, blocks: Blocks) -> list[str]:
    """Return the block of each sample.

    Raises:
        ConfigError: days are asked for, and the times have no dates.
    """
    if "day" in blocks and cases.calendar.name == "none":
        raise ConfigError(f"blocks={blocks} needs dates, and these forecasts have steps: choose sequence or sample")
    days = [str(np.datetime64(time, "D")) for time in cases.issue_times]  # of the calendar's own, on its even clock
    match blocks:
        case "sequence":
            return list(cases.sequences)
        case "day":
            return days
        case "sequence-day":
            return [f"{sequence} {day}" for sequence, day in zip(cases.sequences, days, strict=True)]
        case _:
            return [str(k) for k in range(len(cases))]


def choose_blocks(cases: Cases) -> Blocks:
    """Return sequences where there are enough of them, or times have no dates, else what makes the most blocks."""
    if len(set(cases.sequences)) >= ENOUGH_BLOCKS or cases.calendar.name == "none":
        return "sequence"
    known: tuple[Blocks, ...] = ("sequence", "day", "sequence-day")
    return max(known, key=lambda blocks: len(set(block_names(cases, blocks))))
