"""What is taken to be independent of each other when intervals are drawn."""

from typing import get_args

import numpy as np

from framecast.verification.cases import Cases
from framecast.verification.options import Blocks

BLOCKS = get_args(Blocks)

ENOUGH_BLOCKS = 8
"""With fewer blocks percentile intervals are too narrow to be trusted."""


def block_names(cases: Cases, blocks: Blocks) -> list[str]:
    """Return the block of each sample."""
    days = [str(np.datetime64(time, "D")) for time in cases.issue_times]
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
    """Return sequences where there are enough of them, else what makes the most blocks."""
    number = {blocks: len(set(block_names(cases, blocks))) for blocks in ("sequence", "day", "sequence-day")}
    if number["sequence"] >= ENOUGH_BLOCKS:
        return "sequence"
    return max(("sequence", "day", "sequence-day"), key=lambda blocks: number[blocks])
