"""Judging a forecast file against the baselines, on the same pixels and with honest error bars.

`cases` reads one sample after the other, `tally` keeps the sums that every score is made of, `summary` turns
them into figures with intervals. Only one sample is in memory at a time.

What is left out: a pixel counts where the truth is known and every forecast judged can say something (all of them on
the same pixels, or the comparison would be between places rather than forecasts). How many pixels that drops is part
of the result.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from framecast.errors import DataError
from framecast.evaluation.cases import Case, Cases
from framecast.evaluation.summary import BLOCKS, Blocks, block_names, choose_blocks, sample_table, summarise
from framecast.evaluation.tally import Tally
from framecast.scores import Bootstrap

__all__ = ["BLOCKS", "Blocks", "Case", "Cases", "Evaluation", "Tally", "evaluate"]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A judged forecast file.

    Attributes:
        cases: the samples, to be read again for pictures.
        tallies: what was summed up, by name of the forecast; ``model`` comes first.
        scores: the content of ``scores.json``; see `docs/scores.md`.
        samples: one row per sample: where it is from, its scores and those of the baselines.
    """

    cases: Cases
    tallies: dict[str, Tally]
    scores: dict[str, Any]
    samples: list[dict[str, Any]]

    def ranked(self) -> list[int]:
        """Return the judged samples from the best to the worst.

        By the skill against persistence, so that a bright region is not bad for being bright; by CRPS over the mean
        absolute truth where there is no persistence.
        """
        judged = [row for row in self.samples if row["crps"] is not None]
        key = "skill_persistence" if "persistence" in self.tallies else "relative_crps"
        sign = -1 if key == "skill_persistence" else 1
        return [
            row["sample"] for row in sorted(judged, key=lambda row: sign * (row[key] if row[key] is not None else 0))
        ]


def evaluate(
    forecast: str | Path,
    *,
    blocks: Blocks = "auto",
    replicates: int = 1000,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Judge the forecast file at ``forecast``.

    Args:
        forecast: the folder that ``framecast forecast`` wrote.
        blocks: what is taken to be independent when intervals are drawn: ``sequence``, ``day``, ``sequence-day``
            or ``sample``; ``auto`` is sequences where there are eight or more, else the finest of sequence, day and
            both together.
        replicates: number of bootstrap draws.
        seed: of the draws and of the residuals that dress persistence.
        progress: called with the samples done and their number.

    Raises:
        FramecastError: there is no such folder.
        DataError: it is no forecast, or nothing in it can be judged.
    """
    cases = Cases(forecast, seed=seed)
    tallies = {name: Tally.empty(cases, members) for name, members in cases.members.items()}
    observed = np.zeros(2, dtype=np.int64)  # pixels known, and pixels there are
    for index in range(len(cases)):
        case = cases[index]
        observed += (int((~case.truth.isnan()).sum()), case.truth.numel())
        for name, tally in tallies.items():
            tally.record(case, name)
        if progress is not None:
            progress(index + 1, len(cases))
    if not np.any(tallies["model"].count):
        raise DataError(
            f"{forecast} holds no pixel where the truth and every forecast are known: nothing can be judged; "
            "check that it holds more than NaN"
        )
    chosen = choose_blocks(cases) if blocks == "auto" else blocks
    bootstrap = Bootstrap(block_names(cases, chosen), replicates=replicates, seed=seed)
    return Evaluation(
        cases=cases,
        tallies=tallies,
        scores=summarise(cases, tallies, bootstrap, blocks=chosen, observed=(int(observed[0]), int(observed[1]))),
        samples=sample_table(cases, tallies),
    )
