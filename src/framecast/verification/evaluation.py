"""Judging forecast files against each other and the baselines, on the same pixels and with honest error bars.

`sources` opens the files, `cases` reads one sample after the other, `tally` keeps the sums that every score is made
of, `statistics` says how, `summary` and `comparison` turn them into figures with intervals, `tables` into rows. Only
one sample is in memory at a time.

What is left out: a pixel counts where the truth is known and every forecast judged can say something (all of them on
the same pixels, or the comparison would be between places rather than forecasts). How many pixels that drops is part
of the result.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from framecast.core.errors import DataError
from framecast.verification.baselines import Occasions
from framecast.verification.blocks import BLOCKS, Blocks, block_names, choose_blocks
from framecast.verification.cases import Case, Cases
from framecast.verification.maps import Maps
from framecast.verification.scores import Bootstrap
from framecast.verification.sources import BASELINES, Source
from framecast.verification.summary import summarise
from framecast.verification.tables import as_csv, sample_table, score_table
from framecast.verification.tally import Tally

__all__ = [
    "BASELINES",
    "BLOCKS",
    "Blocks",
    "Case",
    "Cases",
    "Evaluation",
    "Maps",
    "Source",
    "Tally",
    "as_csv",
    "evaluate",
    "score_table",
]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Judged forecasts.

    Attributes:
        cases: the samples, to be read again for pictures.
        tallies: what was summed up, by name of the forecast; the files' own come first.
        maps: where in the frame they err, likewise.
        scores: the content of ``scores.json``; see `docs/scores.md`.
        samples: one row per sample: where it is from, and the scores of each forecast (`tables.sample_table`).
    """

    cases: Cases
    tallies: dict[str, Tally]
    maps: dict[str, Maps]
    scores: dict[str, Any]
    samples: list[dict[str, Any]]

    def ranked(self, name: str | None = None) -> list[int]:
        """Return the judged samples from the best to the worst forecast by ``name`` (the first file's by default).

        By the CRPS over that of persistence, so that a bright region is not bad for being bright; over the mean
        absolute truth where there is no persistence.
        """
        name = self.cases.models[0] if name is None else name
        reference = "crps persistence" if "persistence" in self.tallies else "truth"

        def ratio(row: dict[str, Any]) -> float:
            return row[f"crps {name}"] / row[reference] if row[reference] else 1.0

        judged = [row for row in self.samples if row[f"crps {name}"] is not None]
        return [row["sample"] for row in sorted(judged, key=ratio)]


def evaluate(
    forecasts: str | Path | Sequence[str | Path],
    *,
    blocks: Blocks = "auto",
    replicates: int = 1000,
    seed: int = 0,
    thresholds: Sequence[float] = (),
    climatology: Occasions = "any",
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Judge one forecast file, or several on the windows that they share.

    Args:
        forecasts: folders that ``framecast forecast`` (or `write_forecast`) wrote. Each one's forecast bears its
            model's name, or the file's where that is taken; baselines are made once, from the first file that holds
            what they need.
        blocks: what is taken to be independent when intervals are drawn: ``sequence``, ``day``, ``sequence-day``
            or ``sample``; ``auto`` is sequences where there are eight or more, else the finest of sequence, day and
            both together.
        replicates: number of bootstrap draws.
        seed: of the draws and of the residuals that dress persistence.
        thresholds: values, in the unit of the images, whose reaching is judged as an event: Brier score, reliability,
            fractions skill score.
        climatology: which training occasions make it: ``any``, those of the nearest ``hour`` of the day (UTC), or of
            the nearest ``season``.
        progress: called with the samples done and their number.

    Raises:
        FramecastError: there is no such folder.
        DataError: it is no forecast, nothing in it can be judged, or the files do not compare.
    """
    cases = Cases(forecasts, seed=seed, thresholds=thresholds, climatology=climatology)
    tallies = {name: Tally.empty(cases, members) for name, members in cases.members.items()}
    maps = {name: Maps.empty(len(cases.channels), cases.size) for name in cases.members}
    observed = np.zeros(2, dtype=np.int64)  # pixels known, and pixels there are
    for index in range(len(cases)):
        case = cases[index]
        observed += (int((~case.truth.isnan()).sum()), case.truth.numel())
        for name, tally in tallies.items():
            tally.record(case, name)
            maps[name].record(case, name)
        if progress is not None:
            progress(index + 1, len(cases))
    if not np.any(tallies[cases.models[0]].count):
        files = ", ".join(str(source.path) for source in cases.sources)
        raise DataError(
            f"{files}: there is no pixel where the truth and every forecast are known, so nothing can be judged; "
            "check that the file holds more than NaN"
        )
    chosen = choose_blocks(cases) if blocks == "auto" else blocks
    bootstrap = Bootstrap(block_names(cases, chosen), replicates=replicates, seed=seed)
    return Evaluation(
        cases=cases,
        tallies=tallies,
        maps=maps,
        scores=summarise(cases, tallies, bootstrap, blocks=chosen, observed=(int(observed[0]), int(observed[1]))),
        samples=sample_table(cases, tallies),
    )
